//! Who added a file: the commit that brought what HEAD has at a path, found along the parents that have the same.

use std::path::Path;

use git2::Oid;

use super::{GitError, Repo};

/// A file that is older than so many commits is said to come from the last one looked at.
const MAX_COMMITS: usize = 20_000;

/// The commit that added a file, and its author.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Bytes that are not UTF-8 are replaced.
    pub author: String,
    /// When it was written, seconds since 1970.
    pub time: i64,
    /// Full hexadecimal id.
    pub commit: String,
}

impl Repo {
    /// Who added what HEAD has at `path` (from the repository's root); `None` where HEAD has nothing there.
    pub fn who_added(&self, path: &Path) -> Result<Option<Author>, GitError> {
        let failed = || self.failed(format!("find out who added {}", path.display()));
        let Some(head) = self.head()? else { return Ok(None) };
        let mut commit =
            Oid::from_str(&head.id).and_then(|oid| self.inner.find_commit(oid)).map_err(failed())?;
        let at = |commit: &git2::Commit| Some(commit.tree().ok()?.get_path(path).ok()?.id());
        let Some(file) = at(&commit) else { return Ok(None) };
        for _ in 0..MAX_COMMITS {
            // Where a shallow clone is cut there is no parent: the commit at the cut is as far as anyone can tell.
            let Some(parent) = commit.parents().find(|parent| at(parent) == Some(file)) else { break };
            commit = parent;
        }
        let author = commit.author();
        Ok(Some(Author {
            author: String::from_utf8_lossy(author.name_bytes()).into_owned(),
            time: author.when().seconds(),
            commit: commit.id().to_string(),
        }))
    }
}
