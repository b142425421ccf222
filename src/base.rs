//! Finds the commit that a check compares with, and says why: `--base`, the CI event, the merge base with the default
//! branch, or the previous commit with a record. The answer is always shown.
//!
//! It only reads git and the text of the CI event.

use crate::baseline::Store;
use crate::error::{Failure, FailureKind, Result};
use crate::git::{Commit, GitError, Repo};
use crate::record::short;
use serde_json::Value;

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

/// What GitHub Actions says of why it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CiEvent {
    /// `GITHUB_EVENT_NAME`.
    pub name: String,
    /// `GITHUB_REF`.
    pub reference: String,
    /// The text of the file `GITHUB_EVENT_PATH` names.
    pub payload: String,
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
    if let Some(found) = event.map(|e| from_event(repo, head, e)).transpose()?.flatten() {
        return Ok(found);
    }
    local(repo, head, dirty, store)
}

fn git(e: GitError) -> Failure {
    Failure::from(e).context("cannot find the base")
}

fn with_steps(repo: &Repo, head: &Commit, commit: Commit, found_by: String) -> Result<BaseCommit> {
    let steps = repo.distance(&commit.id, &head.id).map_err(git)?;
    Ok(BaseCommit { commit, steps, found_by })
}

/// The base that a GitHub event means; `None` for events that mean none (schedule, workflow_dispatch).
fn from_event(repo: &Repo, head: &Commit, event: &CiEvent) -> Result<Option<BaseCommit>> {
    let payload: Value = serde_json::from_str(&event.payload).map_err(|e| {
        Failure::new(FailureKind::Format, format!("the CI event is not JSON ({e})"))
            .next("name the base yourself with --base REV")
    })?;
    let text = |pointer: &str| payload.pointer(pointer).and_then(Value::as_str).filter(|s| !s.is_empty());
    match event.name.as_str() {
        "pull_request" | "pull_request_target" => {
            let (Some(base), Some(tip)) = (text("/pull_request/base/sha"), text("/pull_request/head/sha"))
            else {
                return Ok(None);
            };
            // Either the pull request's own head against the merge base, or the merge commit against its first
            // parent; never one of each.
            if head.id == tip {
                let found = repo.merge_base(&head.id, base).map_err(git)?;
                return Ok(Some(BaseCommit {
                    commit: found.commit,
                    steps: found.commits_to_a,
                    found_by: "merge base with the pull request's target".into(),
                }));
            }
            let second = repo.resolve(&format!("{}^2", head.id)).ok();
            if second.is_some_and(|s| s.id == tip) {
                let first = repo.resolve(&format!("{}^1", head.id)).map_err(git)?;
                return with_steps(
                    repo,
                    head,
                    first,
                    "the target branch this merge commit was made from".into(),
                )
                .map(Some);
            }
            Err(Failure::usage(format!("{} is checked out, which is neither the pull request's head ({}) nor a merge of it", short(&head.id), short(tip)))
                .next("check out the pull request with actions/checkout and fetch-depth: 0, or name the base with --base REV"))
        }
        "merge_group" => match text("/merge_group/base_sha") {
            Some(base) => {
                with_steps(repo, head, repo.resolve(base).map_err(git)?, "the merge queue's base".into())
                    .map(Some)
            }
            None => Ok(None),
        },
        "push" if event.reference.starts_with("refs/heads/pull-request/") => Ok(None),
        "push" => match text("/before").filter(|b| b.bytes().any(|c| c != b'0')).map(|b| repo.resolve(b)) {
            Some(Ok(commit)) => {
                with_steps(repo, head, commit, "the branch before this push".into()).map(Some)
            }
            // A force push may have removed it; a new branch has none.
            Some(Err(_)) | None => Ok(None),
        },
        _ => Ok(None),
    }
}

/// Outside of pull requests: where this branch left the default branch, or the last commit before this one.
fn local(repo: &Repo, head: &Commit, dirty: bool, store: &Store) -> Result<BaseCommit> {
    if let Some(default) = repo.default_branch().map_err(git)? {
        let found = repo.merge_base(&head.id, &default.commit.id).map_err(git)?;
        if found.commit.id != head.id {
            return Ok(BaseCommit {
                commit: found.commit,
                steps: found.commits_to_a,
                found_by: format!("merge base with {}", default.name),
            });
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
        for ancestor in repo.ancestors(&head.id).map_err(git)?.skip(1) {
            let ancestor = ancestor.map_err(git)?;
            if known.contains(short(&ancestor.id)) {
                return with_steps(
                    repo,
                    head,
                    repo.resolve(&ancestor.id).map_err(git)?,
                    "the previous commit with a record".into(),
                );
            }
        }
    }
    match repo.resolve(&format!("{}^1", head.id)) {
        Ok(parent) => with_steps(repo, head, parent, "the commit before".into()),
        Err(_) => Err(Failure::new(
            FailureKind::Nothing,
            format!("{} has no commit before it to compare with", short(&head.id)),
        )
        .next(
            "name a base with --base REV; in a shallow clone first `git fetch --unshallow` (fetch-depth: 0)",
        )),
    }
}
