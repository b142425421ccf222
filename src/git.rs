//! Answers questions about the user's git repository: revisions, history, source-tree keys, file trees. It reads the
//! object database, references and index through libgit2.
//!
//! Only this file and `git/` use libgit2: ids leave it as full hexadecimal texts, paths as [`PathBuf`]. Nothing here
//! writes into the repository (no objects, references, index or files, not even a refreshed index), and nothing runs a
//! hook, a filter or a network operation.

mod author;
mod error;
mod extract;
mod history;
mod index;
mod lfs;
mod revision;
mod status;
mod tree;

use std::collections::HashSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use git2::{ErrorCode, Oid, Repository, RepositoryOpenFlags};

pub use author::Author;
pub use error::GitError;
pub use extract::Extracted;
pub use history::{Ancestor, Ancestors, MergeBase};
pub use revision::{Commit, DefaultBranch};
pub use status::{Dirty, DirtyPath, PathChange};

use error::io;

/// An opened repository that has a working tree.
pub struct Repo {
    inner: Repository,
    workdir: PathBuf,
    /// Commits whose parents this clone does not have. Read here and not left to libgit2, which looks for the list in
    /// the wrong folder in a linked worktree and would then run into missing objects.
    shallow: HashSet<Oid>,
}

impl Repo {
    /// Finds the repository that `start` (a folder or file that exists) lies in, as `git` does from there:
    /// `GIT_CEILING_DIRECTORIES` is honoured, other `GIT_*` variables are not, so that a hook's private index
    /// or a stray `GIT_DIR` cannot change what is measured.
    ///
    /// `None` where there is no repository. Bare, foreign-owned and unreadable repositories are errors.
    pub fn discover(start: &Path) -> Result<Option<Repo>, GitError> {
        let start = fs::canonicalize(start).map_err(io("look for a git repository in", start))?;
        let ceilings: Vec<PathBuf> = std::env::var_os("GIT_CEILING_DIRECTORIES")
            .map(|list| std::env::split_paths(&list).collect())
            .unwrap_or_default();
        let inner = match Repository::open_ext(&start, RepositoryOpenFlags::empty(), &ceilings) {
            Ok(inner) => inner,
            Err(e) if e.code() == ErrorCode::NotFound => {
                return match dot_git_above(&start, &ceilings) {
                    None => Ok(None),
                    Some(found) => Err(GitError::Broken { path: found, source: e }),
                };
            }
            Err(e) => return Err(GitError::opening(&start, e)),
        };
        let Some(workdir) = inner.workdir() else {
            return Err(GitError::Bare { path: inner.path().to_owned() });
        };
        let workdir = fs::canonicalize(workdir).map_err(io("open the working tree", workdir))?;
        let shallow = read_shallow(&inner.commondir().join("shallow"))?;
        Ok(Some(Repo { inner, workdir, shallow }))
    }

    /// The root of the working tree, canonical.
    pub fn workdir(&self) -> &Path {
        &self.workdir
    }

    /// Whether this clone's history is cut off (`git clone --depth`, the default of `actions/checkout`).
    pub fn is_shallow(&self) -> bool {
        !self.shallow.is_empty()
    }

    /// `path` (absolute, or relative to the process' current folder; it need not exist) as seen from the root of the
    /// working tree: what `exclude` and `under` arguments want.
    pub fn relative(&self, path: &Path) -> Result<PathBuf, GitError> {
        let absolute = std::path::absolute(path).map_err(io("make absolute", path))?;
        let (mut existing, mut missing) = (absolute.as_path(), Vec::new());
        let canonical = loop {
            match (fs::canonicalize(existing), existing.parent(), existing.file_name()) {
                (Ok(found), _, _) => break found,
                (Err(_), Some(parent), Some(name)) => {
                    missing.push(name);
                    existing = parent;
                }
                (Err(e), _, _) => return Err(io("find", path)(e)),
            }
        };
        let full: PathBuf = std::iter::once(canonical.as_os_str()).chain(missing.into_iter().rev()).collect();
        full.strip_prefix(&self.workdir)
            .map(Path::to_owned)
            .map_err(|_| GitError::OutsideRepository { path: path.to_owned(), repo: self.workdir.clone() })
    }

    /// Where the working tree has a file, by its own name: what is a link may be another one in another commit. `None` where
    /// it has none of that name.
    pub fn place(&self, file: &Path) -> Option<PathBuf> {
        let file = std::path::absolute(file).ok()?;
        let names_all = |rest: &&Path| rest.components().all(|c| matches!(c, Component::Normal(_)));
        match file.strip_prefix(&self.workdir).ok().filter(names_all) {
            Some(rest) => Some(rest.to_owned()),
            // By another name of the tree, or by way of `..`.
            None => Some(self.relative(file.parent()?).ok()?.join(file.file_name()?)),
        }
    }

    /// Turns a libgit2 error into one that names this repository and what was being done.
    fn failed(&self, doing: impl Into<String>) -> impl FnOnce(git2::Error) -> GitError {
        let (repo, doing) = (self.workdir.clone(), doing.into());
        move |source| match GitError::unsupported(&repo, source) {
            Ok(unsupported) => unsupported,
            Err(source) => GitError::Git { repo, doing, source },
        }
    }
}

/// The names that lead from the repository's root to `folder`; refuses what is absolute or climbs out.
/// An empty `folder` is the root itself.
fn folder_names(folder: &Path) -> Result<Vec<&[u8]>, GitError> {
    use std::os::unix::ffi::OsStrExt;
    folder
        .components()
        .filter(|c| *c != Component::CurDir)
        .map(|c| match c {
            Component::Normal(name) => Ok(name.as_bytes()),
            _ => Err(GitError::NotRelative { path: folder.to_owned() }),
        })
        .collect()
}

/// A `.git` that `git` would have met: tells "no repository here" from "a repository that cannot be used".
fn dot_git_above(start: &Path, ceilings: &[PathBuf]) -> Option<PathBuf> {
    start
        .ancestors()
        .take_while(|folder| *folder == start || !ceilings.iter().any(|ceiling| ceiling == folder))
        .map(|folder| folder.join(".git"))
        .find(|dot_git| dot_git.symlink_metadata().is_ok())
}

fn read_shallow(list: &Path) -> Result<HashSet<Oid>, GitError> {
    let text = match fs::read_to_string(list) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(HashSet::new()),
        Err(e) => return Err(io("read the list of shallow commits", list)(e)),
    };
    text.lines()
        .map(|line| {
            Oid::from_str(line.trim()).map_err(|e| GitError::Broken { path: list.to_owned(), source: e })
        })
        .collect()
}
