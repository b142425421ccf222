//! Finds the commit that a check compares with, and says why: `--base`, the CI event, the merge base with the default
//! branch, or the previous commit with a record. The answer is always shown.
//!
//! It only reads git and the text of the CI event.

mod event;

pub use event::CiEvent;

use crate::baseline::Store;
use crate::error::{Failure, FailureKind, Result};
use crate::git::{Commit, GitError, Repo};
use crate::record::short;

/// The base of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseCommit {
    /// The commit.
    pub commit: Commit,
    /// Commits between it and HEAD.
    pub steps: usize,
    /// How it was found, such as `merge base with origin/main`.
    pub found_by: String,
}

impl BaseCommit {
    /// `41ab0c3d9e21, 7 commits before HEAD (merge base with origin/main)`.
    pub fn label(&self) -> String {
        let ago = match self.steps {
            0 => "the commit that is checked out".to_owned(),
            1 => "1 commit before HEAD".to_owned(),
            n => format!("{n} commits before HEAD"),
        };
        format!("{}, {ago} ({})", short(&self.commit.id), self.found_by)
    }
}

/// Finds the base. `head` is the commit that is checked out; `dirty`: the work tree differs from it.
pub fn find(
    repo: &Repo,
    head: &Commit,
    dirty: bool,
    asked: Option<&str>,
    event: Option<&CiEvent>,
    store: &Store,
) -> Result<BaseCommit> {
    if let Some(rev) = asked {
        let commit = repo.resolve(rev).map_err(git)?;
        return with_steps(repo, head, commit, format!("--base {rev}"));
    }
    let found = event.map(|e| event::find(repo, head, e)).transpose()?.unwrap_or_default();
    match found {
        Means::Base(base) => Ok(base),
        Means::Branch { name, tip } => local(repo, head, dirty, Some((name, tip)), store),
        Means::Nothing => {
            let default = repo.default_branch().map_err(git)?.map(|d| (d.name, d.commit));
            local(repo, head, dirty, default, store)
        }
    }
}

/// What an event says of the base.
#[derive(Default)]
enum Means {
    /// It names it.
    Base(BaseCommit),
    /// It names the default branch, and HEAD left that somewhere.
    Branch { name: String, tip: Commit },
    #[default]
    Nothing,
}

fn git(e: GitError) -> Failure {
    Failure::from(e).context("cannot find the base")
}

fn with_steps(repo: &Repo, head: &Commit, commit: Commit, found_by: String) -> Result<BaseCommit> {
    let steps = repo.distance(&commit.id, &head.id).map_err(git)?;
    Ok(BaseCommit { commit, steps, found_by })
}

/// A failure for which the clone's history is too short: what is missing, and how a clone or a workflow gets it.
fn too_short(missing: &str) -> Failure {
    Failure::usage(format!("cannot find the base: {missing}, and this clone is shallow")).parts(vec![
        "to fix it here: git fetch --unshallow origin".into(),
        "to fix it in GitHub Actions, in the step that uses actions/checkout:".into(),
        "  with:".into(),
        "    fetch-depth: 0".into(),
    ])
}

/// Outside of pull requests: where this branch left the default branch, or the last commit before this one.
fn local(
    repo: &Repo,
    head: &Commit,
    dirty: bool,
    default: Option<(String, Commit)>,
    store: &Store,
) -> Result<BaseCommit> {
    if let Some((name, tip)) = default {
        let found = repo.merge_base(&head.id, &tip.id).map_err(git)?;
        if found.commit.id != head.id {
            let found_by = format!("merge base with {name}");
            return Ok(BaseCommit { commit: found.commit, steps: found.commits_to_a, found_by });
        }
    }
    if dirty {
        return Ok(BaseCommit {
            commit: head.clone(),
            steps: 0,
            found_by: "what the work tree was changed from".into(),
        });
    }
    previous(repo, head, store)
}

/// The nearest ancestor with a record; failing that, the first parent.
fn previous(repo: &Repo, head: &Commit, store: &Store) -> Result<BaseCommit> {
    let known: std::collections::BTreeSet<String> = store.list()?.into_iter().map(|e| e.commit12).collect();
    if !known.is_empty() {
        let mut ancestors = repo.ancestors(&head.id).map_err(git)?;
        for ancestor in ancestors.by_ref().skip(1) {
            let ancestor = ancestor.map_err(git)?;
            if known.contains(short(&ancestor.id)) {
                let commit = repo.resolve(&ancestor.id).map_err(git)?;
                return with_steps(repo, head, commit, "the previous commit with a record".into());
            }
        }
        // Another base than in a whole clone would be a wrong one.
        if ancestors.met_shallow_boundary() {
            return Err(too_short("no commit that is here has a record"));
        }
    }
    match repo.resolve(&format!("{}^1", head.id)) {
        Ok(parent) => with_steps(repo, head, parent, "the commit before".into()),
        Err(_) if repo.is_shallow() => Err(too_short("the commit before HEAD is not here")),
        Err(_) => Err(Failure::new(
            FailureKind::Nothing,
            format!("{} has no commit before it to compare with", short(&head.id)),
        )
        .next("name a base with --base REV")),
    }
}
