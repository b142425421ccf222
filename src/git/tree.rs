//! Reads the tree of a commit: the key of its sources, by which baselines are found, and the bytes of its files.
//!
//! Nothing is written: the key is the id of a tree that need not exist in the repository.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use git2::{ErrorCode, ObjectType, Oid, Tree};

use super::{GitError, Repo, folder_names};

/// A regular file in the tree of a commit.
struct TreeFile {
    /// From the repository's root.
    path: PathBuf,
    /// The blob's id: equal ids, equal bytes.
    id: String,
}

impl Repo {
    /// The id that the tree of `rev` would have without the folder `exclude` (relative to the repository's root).
    /// It stays the same when baselines are added, and when the commit is amended, or squashed onto the same parent.
    pub fn src_tree(&self, rev: &str, exclude: &Path) -> Result<String, GitError> {
        let names = folder_names(exclude)?;
        if names.is_empty() {
            return Err(GitError::NotRelative { path: exclude.to_owned() });
        }
        let tree = self.tree_of(rev)?;
        let left = match self.without(&tree, &names)? {
            Some(id) => id,
            None => hash_tree(&[]).map_err(self.failed("hash the empty tree"))?,
        };
        Ok(left.to_string())
    }

    /// The folder that `names` lead to from the root of the tree of `rev`; `None` where there is none.
    fn tree_below(&self, rev: &str, names: &[&[u8]]) -> Result<Option<Tree<'_>>, GitError> {
        let mut tree = self.tree_of(rev)?;
        for name in names {
            let entry = tree.get_name_bytes(name).filter(|e| e.kind() == Some(ObjectType::Tree));
            let Some(id) = entry.map(|e| e.id()) else { return Ok(None) };
            tree = self.tree(id)?;
        }
        Ok(Some(tree))
    }

    /// What ancestors of `rev` have below `folder` (relative to the repository's root) and `rev` itself has not: how many
    /// different files, and their bytes, which git compresses. `None` where the history of this clone is cut off.
    pub fn only_in_history(&self, rev: &str, folder: &Path) -> Result<Option<(usize, u64)>, GitError> {
        if self.is_shallow() {
            return Ok(None);
        }
        let names = folder_names(folder)?;
        let (mut seen, mut past): (HashSet<Oid>, HashSet<Oid>) = Default::default();
        let mut present = HashSet::new();
        for (n, ancestor) in self.ancestors(rev)?.enumerate() {
            let mut folders: Vec<Tree> = self.tree_below(&ancestor?.id, &names)?.into_iter().collect();
            // Most commits leave the folder as it was.
            while let Some(tree) = folders.pop() {
                if !seen.insert(tree.id()) {
                    continue;
                }
                for entry in &tree {
                    match EntryKind::of(entry.filemode_raw()) {
                        EntryKind::Folder => folders.push(self.tree(entry.id())?),
                        EntryKind::File { .. } if n == 0 => drop(present.insert(entry.id())),
                        EntryKind::File { .. } => drop(past.insert(entry.id())),
                        EntryKind::Link | EntryKind::Submodule => {}
                    }
                }
            }
        }
        let objects = self.inner.odb().map_err(self.failed("open the object database"))?;
        let size = |id: &Oid| objects.read_header(*id).map(|(bytes, _)| bytes as u64);
        let gone: Vec<&Oid> = past.difference(&present).collect();
        let bytes = gone.iter().map(|id| size(id)).sum::<Result<u64, _>>();
        Ok(Some((gone.len(), bytes.map_err(self.failed("read the size of a file"))?)))
    }

    /// The regular files below the folder `under` (empty: the root) in the tree of `rev`, sorted by path.
    /// None if there is no such folder; links and submodules are left out. Reads no file contents.
    fn tree_files(&self, rev: &str, under: &Path) -> Result<Vec<TreeFile>, GitError> {
        let names = folder_names(under)?;
        let Some(tree) = self.tree_below(rev, &names)? else { return Ok(Vec::new()) };
        let root: PathBuf = names.iter().map(|name| OsStr::from_bytes(name)).collect();
        let (mut files, mut folders) = (Vec::new(), vec![(root, tree)]);
        while let Some((folder, tree)) = folders.pop() {
            for entry in &tree {
                let path = folder.join(OsStr::from_bytes(entry.name_bytes()));
                match EntryKind::of(entry.filemode_raw()) {
                    EntryKind::Folder => folders.push((path, self.tree(entry.id())?)),
                    EntryKind::File { .. } => files.push(TreeFile { path, id: entry.id().to_string() }),
                    EntryKind::Link | EntryKind::Submodule => {}
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// [`Repo::tree_files`], each with its bytes.
    pub fn read_tree_files(&self, rev: &str, under: &Path) -> Result<Vec<(PathBuf, Vec<u8>)>, GitError> {
        let files = self.tree_files(rev, under)?;
        files.into_iter().map(|file| Ok((file.path, self.read_object(&file.id)?))).collect()
    }

    /// The bytes of the file at `path` (relative to the repository's root) in the tree of `rev`; `None` if there is
    /// none. Of a symbolic link, the bytes are its target.
    pub fn read_blob(&self, rev: &str, path: &Path) -> Result<Option<Vec<u8>>, GitError> {
        folder_names(path)?;
        let tree = self.tree_of(rev)?;
        let id = match tree.get_path(path) {
            Ok(entry) if entry.kind() == Some(ObjectType::Blob) => entry.id(),
            Ok(_) => return Ok(None),
            Err(e) if e.code() == ErrorCode::NotFound => return Ok(None),
            Err(e) => return Err(self.failed(format!("find {} in {rev}", path.display()))(e)),
        };
        self.blob(id, &path.display().to_string()).map(Some)
    }

    /// The bytes of a [`TreeFile::id`].
    fn read_object(&self, id: &str) -> Result<Vec<u8>, GitError> {
        let oid = Oid::from_str(id).map_err(self.failed(format!("read object `{id}`")))?;
        self.blob(oid, "a file")
    }

    pub(super) fn blob(&self, oid: Oid, needed_for: &str) -> Result<Vec<u8>, GitError> {
        match self.inner.find_blob(oid) {
            Ok(blob) => Ok(blob.content().to_vec()),
            Err(e) => Err(self.missing_or(oid, needed_for, e)),
        }
    }

    pub(super) fn tree(&self, oid: Oid) -> Result<Tree<'_>, GitError> {
        self.inner.find_tree(oid).map_err(|e| self.missing_or(oid, "a folder", e))
    }

    pub(super) fn tree_of(&self, rev: &str) -> Result<Tree<'_>, GitError> {
        let oid = self.commit_oid(rev)?;
        let commit = self.inner.find_commit(oid).map_err(self.failed(format!("read commit {oid}")))?;
        self.tree(commit.tree_id())
    }

    /// The id of `tree` without what `names` leads to, or `None` when nothing is left: git stores no empty folder,
    /// so one that only held the excluded folder goes too.
    fn without(&self, tree: &Tree<'_>, names: &[&[u8]]) -> Result<Option<Oid>, GitError> {
        let Some((first, rest)) = names.split_first() else {
            return Ok(None);
        };
        let Some(found) = tree.get_name_bytes(first) else {
            return Ok(Some(tree.id()));
        };
        let replacement = match (rest.is_empty(), found.kind()) {
            (true, _) => None,
            (false, Some(ObjectType::Tree)) => self.without(&self.tree(found.id())?, rest)?,
            (false, _) => Some(found.id()),
        };
        if replacement == Some(found.id()) {
            return Ok(Some(tree.id()));
        }
        let mut kept = Vec::with_capacity(tree.len());
        for entry in tree {
            let id = if entry.name_bytes() == *first { replacement } else { Some(entry.id()) };
            kept.extend(id.map(|id| (entry.filemode_raw(), entry.name_bytes().to_vec(), id)));
        }
        if kept.is_empty() {
            return Ok(None);
        }
        hash_tree(&kept).map(Some).map_err(self.failed("hash the source tree"))
    }

    fn missing_or(&self, oid: Oid, needed_for: &str, error: git2::Error) -> GitError {
        match error.code() {
            ErrorCode::NotFound => GitError::MissingObject {
                repo: self.workdir.clone(),
                id: oid.to_string(),
                needed_for: needed_for.to_owned(),
                next: "in a partial clone (`--filter`), `git fetch --refetch --no-filter` gets everything; \
                       otherwise `git fsck` says what is damaged"
                    .to_owned(),
            },
            _ => self.failed(format!("read object {oid} ({needed_for})"))(error),
        }
    }
}

/// What an entry of a tree is, by its mode.
pub(super) enum EntryKind {
    File { executable: bool },
    Folder,
    Link,
    Submodule,
}

impl EntryKind {
    pub(super) fn of(mode: i32) -> EntryKind {
        // The file types that git stores, as in stat(2); anything else is treated as git does, as a regular file.
        match mode & 0o170_000 {
            0o040_000 => EntryKind::Folder,
            0o120_000 => EntryKind::Link,
            0o160_000 => EntryKind::Submodule,
            _ => EntryKind::File { executable: mode & 0o100 != 0 },
        }
    }
}

/// The id that git gives to a tree of these (mode, name, id), which must be in git's order.
fn hash_tree(entries: &[(i32, Vec<u8>, Oid)]) -> Result<Oid, git2::Error> {
    let mut bytes = Vec::new();
    for (mode, name, id) in entries {
        bytes.extend_from_slice(format!("{mode:o} ").as_bytes());
        bytes.extend_from_slice(name);
        bytes.push(0);
        bytes.extend_from_slice(id.as_bytes());
    }
    Oid::hash_object(ObjectType::Tree, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_tree_has_the_id_that_every_git_knows() {
        let id = hash_tree(&[]).map(|oid| oid.to_string());
        assert_eq!(id.as_deref(), Ok("4b825dc642cb6eb9a060e54bf8d69288fbee4904"));
    }
}
