//! The errors of `git`: each names the repository or the revision, and the next step.

use std::path::{Path, PathBuf};

use crate::error::Failure;
use git2::ErrorCode;

/// Why a question about the repository has no answer.
#[allow(missing_docs, reason = "the text of each variant says what it means")]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GitError {
    #[error("{} is a bare repository: there is no working tree to measure; clone it, or run inside a checkout", path.display())]
    Bare { path: PathBuf },

    #[error(
        "the repository at {} belongs to another user, so git refuses to trust it; \
         if you do: git config --global --add safe.directory '{}'",
        path.display(), path.display()
    )]
    NotOwned { path: PathBuf },

    #[error("{} is not a usable git repository ({}); `git status` run there says what is wrong", path.display(), source.message())]
    Broken { path: PathBuf, source: git2::Error },

    #[error("{} uses a feature of git that cannot be read here ({}); without it: {cure}", path.display(), source.message())]
    Unsupported { path: PathBuf, cure: &'static str, source: git2::Error },

    #[error("{} has no commits yet: commit the sources first", repo.display())]
    NoCommits { repo: PathBuf },

    #[error("no revision `{rev}` in {}: {hint}", repo.display())]
    UnknownRevision { repo: PathBuf, rev: String, hint: String },

    #[error("`{rev}` matches more than one object in {}: write more digits of the commit id", repo.display())]
    AmbiguousRevision { repo: PathBuf, rev: String },

    #[error("`{rev}` is not one revision: give one commit, branch or tag (no range, no spaces)")]
    InvalidRevision { rev: String },

    #[error("`{rev}` names a {kind} in {}, not a commit: give a commit, branch or tag", repo.display())]
    NotACommit { repo: PathBuf, rev: String, kind: String },

    #[error(
        "cannot trust a merge base of {a} and {b}: this clone is shallow and its history stops at {boundary}, \
         {found}\n  to fix it here: {command}\n  to fix it in GitHub Actions, in the step that uses actions/checkout:\n    \
         with:\n      fetch-depth: 0"
    )]
    ShallowMergeBase { a: String, b: String, boundary: String, found: String, command: String },

    #[error("{a} and {b} have no common ancestor in {}: name the commit to compare with instead", repo.display())]
    Unrelated { repo: PathBuf, a: String, b: String },

    #[error("object {id} ({needed_for}) is missing from {}: {next}", repo.display())]
    MissingObject { repo: PathBuf, id: String, needed_for: String, next: String },

    #[error("{} is not a path inside the repository, relative to its root", path.display())]
    NotRelative { path: PathBuf },

    #[error("{} lies outside the repository {}", path.display(), repo.display())]
    OutsideRepository { path: PathBuf, repo: PathBuf },

    #[error("{} is not empty: choose another folder, or delete it, to extract commit {commit} there", path.display())]
    NotEmpty { path: PathBuf, commit: String },

    #[error(
        "commit {commit} contains the entry `{entry}`, which could escape from the folder it is extracted to: refused"
    )]
    UnsafeEntry { commit: String, entry: String },

    #[error("cannot {doing} {}: {source}", path.display())]
    Io { doing: &'static str, path: PathBuf, source: std::io::Error },

    #[error("cannot {doing} in {}: {}", repo.display(), source.message())]
    Git { repo: PathBuf, doing: String, source: git2::Error },
}

/// Features that git has and libgit2 has not: a part of libgit2's message, and what turns the feature off.
const UNSUPPORTED: [(&str, &str); 5] = [
    ("extensions.refstorage", "git refs migrate --ref-format=files"),
    ("unknown object format", "clone from a repository with the object format sha1"),
    ("unsupported extension name", "clone without that extension"),
    ("unsupported mandatory extension: 'link'", "git update-index --no-split-index"),
    ("unsupported mandatory extension: 'sdir'", "git sparse-checkout reapply --no-sparse-index"),
];

impl GitError {
    /// Whether the fault is in the name of a revision, and not in the repository.
    pub fn is_about_the_name(&self) -> bool {
        matches!(
            self,
            Self::UnknownRevision { .. }
                | Self::AmbiguousRevision { .. }
                | Self::InvalidRevision { .. }
                | Self::NotACommit { .. }
        )
    }

    /// Tells a failure that comes from an unsupported feature from any other, which is given back.
    pub(super) fn unsupported(path: &Path, source: git2::Error) -> Result<GitError, git2::Error> {
        match UNSUPPORTED.iter().find(|(part, _)| source.message().contains(part)) {
            Some((_, cure)) => Ok(GitError::Unsupported { path: path.to_owned(), cure, source }),
            None => Err(source),
        }
    }

    /// What a failure to open the repository around `start` means.
    pub(super) fn opening(start: &Path, source: git2::Error) -> GitError {
        if source.code() != ErrorCode::Owner {
            return GitError::unsupported(start, source)
                .unwrap_or_else(|source| GitError::Broken { path: start.to_owned(), source });
        }
        // libgit2 names the repository only in its message: repository path '/x' is not owned by current user.
        let named = source.message().split('\'').nth(1).map(|path| PathBuf::from(path.trim_end_matches('/')));
        GitError::NotOwned { path: named.unwrap_or_else(|| start.to_owned()) }
    }
}

/// One kind for every failure of git, whatever reads the repository: the reader has to mend the repository or to name
/// another revision, and a script sees the same exit code from every verb.
impl From<GitError> for Failure {
    fn from(e: GitError) -> Self {
        // Only what is our own has lines: git forbids line ends in the names of revisions.
        let said = e.to_string();
        let mut lines = said.lines().map(|line| line.strip_prefix("  ").unwrap_or(line).to_owned());
        Failure::usage(lines.next().unwrap_or_default()).parts(lines.collect())
    }
}

pub(super) fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> GitError {
    let path = path.to_owned();
    move |source| GitError::Io { doing, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use git2::ErrorClass;

    #[test]
    fn a_foreign_owner_is_told_the_exact_command() {
        let message = "repository path '/srv/models/' is not owned by current user";
        let source = git2::Error::new(ErrorCode::Owner, ErrorClass::Config, message);
        let said = GitError::opening(Path::new("/srv/models/sub"), source).to_string();
        assert!(said.ends_with("git config --global --add safe.directory '/srv/models'"), "{said}");
    }

    #[test]
    fn other_failures_name_the_place_and_the_cause() {
        let source = git2::Error::new(ErrorCode::GenericError, ErrorClass::Repository, "odd config");
        let said = GitError::opening(Path::new("/srv/models"), source).to_string();
        assert!(said.contains("/srv/models") && said.contains("odd config"), "{said}");
    }
}
