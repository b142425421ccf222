//! Says which sources are measured: HEAD, and whether the work tree differs from it.

use super::{Event, Events};
use crate::config::Project;
use crate::error::{Failure, Result};
use crate::git::Repo;
use crate::record::Source;
use std::path::Path;

/// The sources of `project`; a broken repository is said and treated as none, because measuring needs no git.
pub(super) fn source_or_none(project: &Project, events: Events) -> Option<Source> {
    let found = Repo::discover(&project.root).map_err(Failure::from);
    let source = found.and_then(|repo| match repo {
        Some(repo) => source(&repo, &project.baselines()),
        None => Ok(None),
    });
    source.unwrap_or_else(|why| {
        events(Event::Note { text: &format!("no baselines: {why}") });
        None
    })
}

/// The sources of a commit whose numbers were measured elsewhere.
pub fn source_of_revision(project: &Project, rev: &str) -> Result<Source> {
    let find = || {
        let repo = Repo::discover(&project.root)?;
        let repo = repo.ok_or_else(|| Failure::usage("there is no git repository here"))?;
        let commit = repo.resolve(rev)?;
        source_of(&repo, commit.id, &project.baselines())
    };
    find().map_err(|f| {
        f.context(format!("cannot tell the commit {rev}"))
            .next("import inside the repository whose commit was measured, and name it with --commit REV")
    })
}

/// The sources of a commit. `baselines` are no part of them.
pub(super) fn source_of(repo: &Repo, commit: String, baselines: &Path) -> Result<Source> {
    let src_tree = repo.src_tree(&commit, &repo.relative(baselines)?)?;
    Ok(Source { src_tree, commit, branch: None, dirty: false })
}

/// Which sources HEAD and the work tree are; `None` before the first commit.
pub(super) fn source(repo: &Repo, baselines: &Path) -> Result<Option<Source>> {
    let Some(head) = repo.head()? else { return Ok(None) };
    let dirty = !repo.dirty(&repo.relative(baselines)?)?.is_clean();
    Ok(Some(Source { dirty, branch: head.branch, ..source_of(repo, head.id, baselines)? }))
}
