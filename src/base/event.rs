//! What an event of GitHub Actions says of the base.
//!
//! What is checked out decides together with the event: a base that fits another commit than HEAD would be a wrong one.

use super::{BaseCommit, Means, git, too_short, with_steps};
use crate::error::{Failure, FailureKind, Result};
use crate::git::{Commit, Repo};
use crate::record::short;
use serde_json::Value;

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

/// The parts of the event's file.
struct EventFile(Value);

impl EventFile {
    /// A text that is there and not empty.
    fn text(&self, pointer: &str) -> Option<&str> {
        self.0.pointer(pointer).and_then(Value::as_str).filter(|s| !s.is_empty())
    }
}

/// What `event` says of the base of `head`, the commit that is checked out.
pub fn find(repo: &Repo, head: &Commit, event: &CiEvent) -> Result<Means> {
    let payload = serde_json::from_str(&event.payload).map(EventFile).map_err(|e| {
        Failure::new(FailureKind::Format, format!("the CI event is not JSON ({e})"))
            .next("name the base yourself with --base REV")
    })?;
    let found = match event.name.as_str() {
        "pull_request" => pull_request(repo, head, &payload)?,
        "pull_request_target" => return Err(untrusted("pull_request_target")),
        "merge_group" => payload
            .text("/merge_group/base_sha")
            .map(|base| with_steps(repo, head, named(repo, base)?, "the merge queue's base".into()))
            .transpose()?,
        // A copy of a pull request, made for the runners with GPUs: its target is not said.
        "push" if event.reference.starts_with("refs/heads/pull-request/") => None,
        "push" => push(repo, head, &payload)?,
        "workflow_run" if is_of_pull_request(head, &payload) => {
            return Err(untrusted("workflow_run after a pull request"));
        }
        _ => None,
    };
    match found {
        Some(base) => Ok(Means::Base(base)),
        None => default_branch(repo, head, event, &payload),
    }
}

/// Either the pull request's own head against the merge base, or the merge commit against its first parent; never one of
/// each.
fn pull_request(repo: &Repo, head: &Commit, payload: &EventFile) -> Result<Option<BaseCommit>> {
    let (Some(base), Some(tip)) =
        (payload.text("/pull_request/base/sha"), payload.text("/pull_request/head/sha"))
    else {
        return Ok(None);
    };
    if head.id == tip {
        let base = named(repo, base)?;
        let found = repo.merge_base(&head.id, &base.id).map_err(git)?;
        return Ok(Some(BaseCommit {
            commit: found.commit,
            steps: found.commits_to_a,
            found_by: "merge base with the pull request's target".into(),
        }));
    }
    match repo.resolve(&format!("{}^2", head.id)) {
        Ok(second) if second.id == tip => {
            let first = repo.resolve(&format!("{}^1", head.id)).map_err(git)?;
            with_steps(repo, head, first, "the target branch this merge commit was made from".into()).map(Some)
        }
        Err(_) if repo.is_shallow() => Err(too_short("the commits that HEAD merges are not here")),
        _ => Err(Failure::usage(format!(
            "{} is checked out, which is neither the pull request's head ({}) nor a merge of it",
            short(&head.id),
            short(tip)
        ))
        .next("check out the pull request with actions/checkout and fetch-depth: 0, or name the base with --base REV")),
    }
}

/// The branch before the push. A force push may have removed that commit, and a new branch or a tag has none.
fn push(repo: &Repo, head: &Commit, payload: &EventFile) -> Result<Option<BaseCommit>> {
    let Some(before) = payload.text("/before").filter(|b| b.bytes().any(|c| c != b'0')) else {
        return Ok(None);
    };
    match repo.resolve(before) {
        Ok(commit) => with_steps(repo, head, commit, "the branch before this push".into()).map(Some),
        Err(_) if repo.is_shallow() => {
            Err(too_short(&format!("{}, where the branch was before this push, is not here", short(before))))
        }
        Err(_) => Ok(None),
    }
}

/// A commit that the event names.
fn named(repo: &Repo, id: &str) -> Result<Commit> {
    match repo.resolve(id) {
        Err(_) if repo.is_shallow() => {
            Err(too_short(&format!("{}, which the event names, is not here", short(id))))
        }
        other => other.map_err(git),
    }
}

/// Whether a later workflow has checked out what somebody proposed.
fn is_of_pull_request(head: &Commit, payload: &EventFile) -> bool {
    let proposed = payload.text("/workflow_run/event").is_some_and(|e| e.starts_with("pull_request"))
        || payload.text("/workflow_run/head_repository/full_name") != payload.text("/repository/full_name");
    proposed && payload.text("/workflow_run/head_sha") == Some(&head.id)
}

/// These events run with the repository's secrets and a token that may write.
fn untrusted(event: &str) -> Failure {
    Failure::usage(format!(
        "{event} runs with this repository's token and secrets, and a check runs what a pull request proposes"
    ))
    .next("run it on `pull_request:` with `permissions: { contents: read }`; if what is checked out is trusted, name the base with --base REV")
}

/// The default branch that the event names. `actions/checkout` makes no `origin/HEAD` that would say.
fn default_branch(repo: &Repo, head: &Commit, event: &CiEvent, payload: &EventFile) -> Result<Means> {
    let Some(branch) = payload.text("/repository/default_branch") else {
        return Ok(Means::Nothing);
    };
    if event.reference == format!("refs/heads/{branch}") {
        return Ok(Means::Branch { name: branch.to_owned(), tip: head.clone() });
    }
    let name = format!("origin/{branch}");
    match repo.resolve(&name) {
        Ok(tip) => Ok(Means::Branch { name, tip }),
        Err(_) if repo.is_shallow() => Err(too_short(&format!("the branch {name} is not here"))),
        Err(_) => Ok(Means::Nothing),
    }
}
