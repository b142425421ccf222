//! Decides whether a baseline may be stored or a change accepted now, and stores a baseline.
//!
//! A stored baseline belongs to a commit, so both ask the same of the repository.

use super::source::source;
use crate::baseline::{Entry, Store, find_record, newest_first, stores};
use crate::config::Project;
use crate::error::{Failure, FailureKind, Result};
use crate::git::{Commit, Dirty, Repo};
use crate::record::{Record, Source, short};
use std::path::PathBuf;

const CANNOT_SAVE: &str = "cannot save a baseline";
const INIT_TO_SAVE: &str = "baselines belong to commits: run `git init` and commit first; `cargo trt-perf run` alone needs no repository";

/// The repository and the commit that is checked out; `next` helps where there is none.
fn repo_and_head(project: &Project, next: &str) -> Result<(Repo, Commit)> {
    let repo = Repo::discover(&project.root)?.ok_or_else(|| {
        Failure::usage(format!("{} is in no git repository", project.root.display())).next(next)
    })?;
    let head = repo.head()?;
    let head =
        head.ok_or_else(|| Failure::usage("this repository has no commit yet").next("commit first"))?;
    Ok((repo, head))
}

/// Fails where a baseline of the work tree could not be stored.
pub fn ensure_savable(project: &Project, allow_dirty: bool) -> Result<()> {
    let ensure = || {
        let (repo, _) = repo_and_head(project, INIT_TO_SAVE)?;
        let dirty = repo.dirty(&repo.relative(&project.baselines())?)?;
        if dirty.is_clean() || allow_dirty { Ok(()) } else { Err(changes_beside(&dirty)) }
    };
    ensure().map_err(|f: Failure| f.context(CANNOT_SAVE))
}

fn changes_beside(dirty: &Dirty) -> Failure {
    let examples: Vec<String> = dirty.examples.iter().map(|p| p.path.display().to_string()).collect();
    let more = match dirty.count - examples.len() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Failure::usage(format!("there are changes beside the commit ({}{more})", examples.join(", "))).next(
        "commit or stash them, so that the numbers belong to a commit; or say --allow-dirty, which the record will tell",
    )
}

/// HEAD, without changes beside it: numbers are accepted for a source tree that has a name.
pub(super) fn clean_head(project: &Project) -> Result<(Repo, Source)> {
    let find = || {
        let (repo, head) =
            repo_and_head(project, "an acceptance belongs to a commit: run `git init` and commit first")?;
        let source = source(&repo, &project.baselines())?;
        match source.filter(|s| !s.dirty) {
            Some(source) => Ok((repo, source)),
            None => Err(Failure::usage(format!("there are changes beside commit {}", short(&head.id)))
                .next("commit or stash them, run `cargo trt-perf check`, and accept what it measured")),
        }
    };
    find().map_err(|f: Failure| f.context("cannot accept a change"))
}

/// Stores the record that `name` means, or the newest result of HEAD, as a baseline.
pub fn save(project: &Project, name: Option<&str>, allow_dirty: bool) -> Result<(PathBuf, Record)> {
    let mut record = match name {
        Some(name) => find_record(project, name)?,
        None => newest_of_head(project, allow_dirty)?,
    };
    ensure_whole(&record, allow_dirty)?;
    let path = Store::new(project.baselines()).save_baseline(&mut record)?;
    Ok((path, record))
}

/// Fails where a record is of nothing, or of sources without a name.
fn ensure_whole(record: &Record, allow_dirty: bool) -> Result<()> {
    if record.cases.is_empty() {
        return Err(
            Failure::usage("this record holds no measured case").next("mend what failed, and run again")
        );
    }
    let Some(source) = &record.source else {
        return Err(Failure::usage("this record belongs to no commit, so it cannot be a baseline")
            .next("commit, and run again"));
    };
    if source.dirty && !allow_dirty {
        let commit = short(&source.commit);
        return Err(Failure::usage(format!(
            "there were changes beside commit {commit} when this record was made"
        ))
        .next("commit them and run again; or say --allow-dirty, which the record will tell"));
    }
    Ok(())
}

/// The newest result of HEAD; one of HEAD alone, where there is one, unless changes beside it are allowed.
fn newest_of_head(project: &Project, allow_dirty: bool) -> Result<Record> {
    let (_, head) = repo_and_head(project, INIT_TO_SAVE).map_err(|f| f.context(CANNOT_SAVE))?;
    let commit = short(&head.id);
    let [_, results] = stores(project);
    let of_head = results.list()?.into_iter().filter(|e| e.commit12 == commit).collect();
    let entries: Vec<Entry> = newest_first(of_head).collect();
    let newest = entries.first().ok_or_else(|| {
        Failure::new(FailureKind::Nothing, format!("there is no result of HEAD ({commit}) yet"))
            .next("measure it: `cargo trt-perf run --save-baseline`")
    })?;
    let mut readable = entries.iter().filter_map(|e| e.load().ok());
    match readable.find(|r| !r.is_tainted()).filter(|_| !allow_dirty) {
        Some(clean) => Ok(clean),
        None => newest.load(),
    }
}
