//! Which sources are measured: HEAD, and whether the work tree differs from it.

use super::{Event, Events};
use crate::config::Project;
use crate::error::{Failure, FailureKind, Result};
use crate::git::{GitError, Repo};
use crate::record::Source;
use std::path::Path;

/// The sources of `project`; a broken repository is said and treated as none, because measuring needs no git.
pub(super) fn source_or_none(project: &Project, events: Events) -> Option<Source> {
    let found = Repo::discover(&project.root).map_err(|e| e.to_string());
    let source = found.and_then(|repo| match repo {
        Some(repo) => source(&repo, &project.baselines()).map_err(|e| e.to_string()),
        None => Ok(None),
    });
    source.unwrap_or_else(|why| {
        events(Event::Note { text: &format!("no baselines: {why}") });
        None
    })
}

/// The sources of a commit whose numbers were measured elsewhere.
pub fn source_of_revision(project: &Project, rev: &str) -> Result<Source> {
    let fail = |why: String| {
        Failure::usage(format!("cannot tell the commit {rev}: {why}"))
            .next("import inside the repository whose commit was measured, and name it with --commit REV")
    };
    let git = |e: GitError| fail(e.to_string());
    let repo = Repo::discover(&project.root)
        .map_err(git)?
        .ok_or_else(|| fail("there is no git repository here".into()))?;
    let commit = repo.resolve(rev).map_err(git)?;
    source_of(&repo, commit.id, &project.baselines()).map_err(git)
}

/// The sources of a commit. `baselines` are no part of them.
pub(super) fn source_of(repo: &Repo, commit: String, baselines: &Path) -> Result<Source, GitError> {
    let src_tree = repo.src_tree(&commit, &repo.relative(baselines)?)?;
    Ok(Source { src_tree, commit, branch: None, dirty: false })
}

/// Which sources HEAD and the work tree are; `None` before the first commit.
pub(super) fn source(repo: &Repo, baselines: &Path) -> Result<Option<Source>> {
    let git = |e: GitError| Failure::new(FailureKind::Io, e.to_string());
    let Some(head) = repo.head().map_err(git)? else { return Ok(None) };
    let exclude = repo.relative(baselines).map_err(git)?;
    let dirty = !repo.dirty(&exclude).map_err(git)?.is_clean();
    let committed = source_of(repo, head.id, baselines).map_err(git)?;
    Ok(Some(Source { dirty, branch: head.branch, ..committed }))
}
