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

/// Which sources HEAD and the work tree are; `None` before the first commit.
pub(super) fn source(repo: &Repo, baselines: &Path) -> Result<Option<Source>> {
    let git = |e: GitError| Failure::new(FailureKind::Io, e.to_string());
    let Some(head) = repo.head().map_err(git)? else { return Ok(None) };
    let exclude = repo.relative(baselines).map_err(git)?;
    Ok(Some(Source {
        src_tree: repo.src_tree(&head.id, &exclude).map_err(git)?,
        dirty: !repo.dirty(&exclude).map_err(git)?.is_clean(),
        branch: head.branch,
        commit: head.id,
    }))
}
