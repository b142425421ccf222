//! Lists what differs from HEAD in the working tree.
//!
//! The index is neither refreshed nor locked, because a `git` that runs at the same time owns it. Baselines, which this
//! tool writes itself, are not listed.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use git2::{Index, Status, StatusOptions};

use super::{GitError, Repo, folder_names, lfs};

/// Enough to recognise what was forgotten, few enough for one message.
const EXAMPLES: usize = 5;

/// How a path differs from HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PathChange {
    /// A merge left a conflict in it.
    Conflicted,
    /// It differs in the index.
    Staged,
    /// It differs in the working tree.
    Modified,
    /// It is gone from the working tree.
    Deleted,
    /// Git does not know it.
    Untracked,
}

/// A path that differs from HEAD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirtyPath {
    /// From the repository's root.
    pub path: PathBuf,
    /// How it differs.
    pub change: PathChange,
}

/// What a measurement of the working tree would contain beyond HEAD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dirty {
    /// All changed paths, also those not among the examples.
    pub count: usize,
    /// The first few, tracked files before untracked ones.
    pub examples: Vec<DirtyPath>,
}

impl Dirty {
    /// Whether nothing differs.
    pub fn is_clean(&self) -> bool {
        self.count == 0
    }
}

impl Repo {
    /// Staged, changed, deleted and untracked (not ignored) files outside the folder `exclude` (relative to the root).
    /// Submodules count as in `git status`: other commit checked out, or changes inside.
    pub fn dirty(&self, exclude: &Path) -> Result<Dirty, GitError> {
        let excluded = folder_names(exclude)?.join(&b'/');
        // libgit2 would compare with nothing if the commit of HEAD cannot be read.
        self.head()?;
        let mut options = StatusOptions::new();
        // Untracked folders are listed file by file: one may contain the excluded folder.
        options
            .include_untracked(true)
            .recurse_untracked_dirs(true)
            .include_ignored(false)
            .update_index(false);
        let statuses = self
            .inner
            .statuses(Some(&mut options))
            .map_err(self.failed("compare the working tree with HEAD"))?;
        let mut index = None;
        let mut found = Vec::new();
        for entry in statuses.iter() {
            let path = entry.path_bytes();
            let Some(change) = change(entry.status()) else {
                continue;
            };
            if is_within(path, &excluded) {
                continue;
            }
            // Only a change seen in the files alone can be an illusion of sparse checkouts or of Git LFS.
            if matches!(change, PathChange::Modified | PathChange::Deleted) {
                let index = match &index {
                    Some(index) => index,
                    None => index.insert(self.inner.index().map_err(self.failed("read the index"))?),
                };
                if self.only_looks_changed(index, path, entry.status())? {
                    continue;
                }
            }
            found.push(DirtyPath { path: PathBuf::from(OsStr::from_bytes(path)), change });
        }
        found.sort_by(|a, b| (a.change, &a.path).cmp(&(b.change, &b.path)));
        let count = found.len();
        found.truncate(EXAMPLES);
        Ok(Dirty { count, examples: found })
    }

    /// libgit2 knows neither sparse checkouts (a file left out is not deleted) nor the filter of Git LFS
    /// (a large file stands for the pointer that is committed).
    fn only_looks_changed(&self, index: &Index, path: &[u8], status: Status) -> Result<bool, GitError> {
        /// A flag of git's index format: the file is left out of the working tree on purpose.
        const SKIP_WORKTREE: u16 = 1 << 14;
        let relative = Path::new(OsStr::from_bytes(path));
        let Some(entry) = index.get_path(relative, 0) else { return Ok(false) };
        if status == Status::WT_DELETED {
            return Ok(entry.flags_extended & SKIP_WORKTREE != 0);
        }
        let file = self.workdir.join(relative);
        let same_mode = || {
            let executable = |mode: u32| mode & 0o100 != 0;
            file.symlink_metadata()
                .is_ok_and(|m| m.is_file() && executable(m.mode()) == executable(entry.mode))
        };
        let small = || self.inner.find_blob(entry.id).is_ok_and(|blob| blob.size() <= lfs::MAX_POINTER_BYTES);
        if status != Status::WT_MODIFIED || entry.mode & 0o170_000 != 0o100_000 || !same_mode() || !small() {
            return Ok(false);
        }
        let pointer = lfs::Pointer::parse(&self.blob(entry.id, "a changed file")?);
        Ok(pointer.is_some_and(|pointer| pointer.is_content_of(&file)))
    }
}

/// How `status` differs from HEAD, if it does; a staged change wins over what happened to the file since.
fn change(status: Status) -> Option<PathChange> {
    let staged = Status::INDEX_NEW
        | Status::INDEX_MODIFIED
        | Status::INDEX_DELETED
        | Status::INDEX_RENAMED
        | Status::INDEX_TYPECHANGE;
    let modified = Status::WT_MODIFIED | Status::WT_TYPECHANGE | Status::WT_RENAMED | Status::WT_UNREADABLE;
    [
        (Status::CONFLICTED, PathChange::Conflicted),
        (staged, PathChange::Staged),
        (modified, PathChange::Modified),
        (Status::WT_DELETED, PathChange::Deleted),
        (Status::WT_NEW, PathChange::Untracked),
    ]
    .into_iter()
    .find(|(flags, _)| status.intersects(*flags))
    .map(|(_, change)| change)
}

fn is_within(path: &[u8], folder: &[u8]) -> bool {
    !folder.is_empty()
        && path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_contains_itself_and_what_is_below_but_not_its_namesakes() {
        let cases = [
            ("baselines", true),
            ("baselines/a.json", true),
            ("baselines2", false),
            ("x/baselines/a", false),
        ];
        for (path, expected) in cases {
            assert_eq!(is_within(path.as_bytes(), b"baselines"), expected, "{path}");
        }
        assert!(!is_within(b"anything", b""), "an empty folder excludes nothing");
    }
}
