//! Writes the files of a commit into a folder, from the object database.
//!
//! The folder is whole or not there: the files appear under a temporary name beside it, which is renamed at the end.
//! Nothing is written outside it, and the user's working tree and index are not touched. Bytes are written as
//! committed: no line-end conversion and no filters, except that Git LFS pointers become the large file where it is
//! here.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use git2::{Oid, TreeEntry};

use super::error::io;
use super::tree::EntryKind;
use super::{GitError, Repo, lfs};

/// What an extraction wrote, and what it could not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extracted {
    /// How many files were written.
    pub files: usize,
    /// Their size.
    pub bytes: u64,
    /// Left out: a submodule's files are in another repository.
    pub submodules: Vec<PathBuf>,
    /// Written as Git LFS pointers, because the large file is not in this clone; `git lfs fetch` gets it.
    pub lfs_missing: Vec<PathBuf>,
    /// Symbolic links, written as committed, that lead out of the folder and so not to what they lead to in a checkout.
    pub links_outside: Vec<PathBuf>,
}

impl Repo {
    /// Writes the files of `rev` into the folder `into`, which must be empty or absent (its parents are made).
    /// All or nothing; if two processes race, one of them gets `NotEmpty`.
    pub fn extract_tree(&self, rev: &str, into: &Path) -> Result<Extracted, GitError> {
        let commit = self.commit_oid(rev)?;
        let into = std::path::absolute(into).map_err(io("make absolute", into))?;
        let taken = || GitError::NotEmpty { path: into.clone(), commit: commit.to_string() };
        match fs::read_dir(&into) {
            Ok(mut entries) => {
                if entries.next().is_some() {
                    return Err(taken());
                }
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => return Err(io("look into", &into)(e)),
        }
        let parent = into.parent().unwrap_or(&into);
        fs::create_dir_all(parent).map_err(io("create", parent))?;
        let temporary = tempfile::Builder::new()
            .prefix(".extracting-")
            .tempdir_in(parent)
            .map_err(io("create a temporary folder in", parent))?;
        // A folder inside, because the temporary one is private and the result should have the usual permissions.
        let root = temporary.path().join("tree");
        let mut writer = Writer { repo: self, commit, root, done: Extracted::default() };
        writer.write_all()?;
        fs::rename(&writer.root, &into).map_err(|e| match e.kind() {
            std::io::ErrorKind::DirectoryNotEmpty | std::io::ErrorKind::AlreadyExists => taken(),
            _ => io("move the extracted files to", &into)(e),
        })?;
        Ok(writer.done)
    }
}

struct Writer<'repo> {
    repo: &'repo Repo,
    commit: Oid,
    root: PathBuf,
    done: Extracted,
}

impl Writer<'_> {
    fn write_all(&mut self) -> Result<(), GitError> {
        let tree = self.repo.tree_of(&self.commit.to_string())?;
        let mut folders = vec![(PathBuf::new(), tree)];
        while let Some((folder, tree)) = folders.pop() {
            // Fails if it exists: nothing is ever written through a link that came earlier in a malicious tree.
            let target = self.root.join(&folder);
            fs::create_dir(&target).map_err(io("create", &target))?;
            for entry in &tree {
                let path = folder.join(self.safe_name(&entry)?);
                match EntryKind::of(entry.filemode_raw()) {
                    EntryKind::Folder => folders.push((path, self.repo.tree(entry.id())?)),
                    EntryKind::File { executable } => self.write_file(path, entry.id(), executable)?,
                    EntryKind::Link => self.write_link(path, entry.id())?,
                    EntryKind::Submodule => self.done.submodules.push(path),
                }
            }
        }
        for list in [&mut self.done.submodules, &mut self.done.lfs_missing, &mut self.done.links_outside] {
            list.sort();
        }
        Ok(())
    }

    /// git itself refuses these names, but a hand-made tree can contain them.
    fn safe_name(&self, entry: &TreeEntry<'_>) -> Result<PathBuf, GitError> {
        let name = entry.name_bytes();
        let unsafe_name = name.is_empty()
            || name == b"."
            || name == b".."
            || name.eq_ignore_ascii_case(b".git")
            || name.iter().any(|byte| matches!(byte, b'/' | 0));
        if unsafe_name {
            let entry = String::from_utf8_lossy(name).into_owned();
            return Err(GitError::UnsafeEntry { commit: self.commit.to_string(), entry });
        }
        Ok(PathBuf::from(OsStr::from_bytes(name)))
    }

    fn write_file(&mut self, path: PathBuf, blob: Oid, executable: bool) -> Result<(), GitError> {
        let target = self.root.join(&path);
        let bytes = self.repo.blob(blob, &path.display().to_string())?;
        let mode = if executable { 0o777 } else { 0o666 };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&target)
            .map_err(io("create", &target))?;
        let pointer = lfs::Pointer::parse(&bytes);
        let stored = pointer.as_ref().and_then(|p| p.stored(self.repo.inner.commondir()));
        let written = match &stored {
            Some(large) => {
                let mut large_file = fs::File::open(large).map_err(io("open the Git LFS object", large))?;
                std::io::copy(&mut large_file, &mut file)
            }
            None => file.write_all(&bytes).map(|()| bytes.len() as u64),
        };
        self.done.bytes += written.map_err(io("write", &target))?;
        self.done.files += 1;
        if pointer.is_some() && stored.is_none() {
            self.done.lfs_missing.push(path);
        }
        Ok(())
    }

    fn write_link(&mut self, path: PathBuf, blob: Oid) -> Result<(), GitError> {
        let bytes = self.repo.blob(blob, &path.display().to_string())?;
        let (link, leads_to) = (self.root.join(&path), Path::new(OsStr::from_bytes(&bytes)));
        symlink(leads_to, &link).map_err(io("create the symbolic link", &link))?;
        self.done.files += 1;
        if leads_outside(&path, leads_to) {
            self.done.links_outside.push(path);
        }
        Ok(())
    }
}

/// Whether a link at `path` with this target leaves the root, judged by the names alone.
fn leads_outside(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_judged_from_where_they_lie() {
        let cases = [
            ("link", "file", false),
            ("a/link", "../file", false),
            ("link", "../file", true),
            ("a/link", "../../file", true),
            ("a/link", "b/../../../file", true),
            ("link", "/etc/passwd", true),
        ];
        for (path, target, expected) in cases {
            assert_eq!(leads_outside(Path::new(path), Path::new(target)), expected, "{path} -> {target}");
        }
    }
}
