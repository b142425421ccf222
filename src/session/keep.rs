//! Keeping a record for good: whether a baseline may be stored or a change accepted now, and storing a baseline.
//!
//! What is kept belongs to a commit, so all of it asks the same of the repository.

use super::source::source;
use crate::baseline::{self, Store, find_record, stores};
use crate::config::Project;
use crate::error::{Failure, FailureKind, Result};
use crate::git::{Commit, GitError, Repo};
use crate::record::{Record, Source, short};
use std::path::PathBuf;

/// What somebody wants to keep.
struct Purpose {
    /// As in "cannot …".
    what: &'static str,
    /// What helps where there is no repository.
    next: &'static str,
}

const SAVE: Purpose = Purpose {
    what: "save a baseline",
    next: "baselines belong to commits: run `git init` and commit first; `cargo trt-perf run` alone needs no repository",
};
const ACCEPT: Purpose = Purpose {
    what: "accept a change",
    next: "an acceptance belongs to a commit: run `git init` and commit first",
};

impl Purpose {
    fn fails(&self, why: &str) -> Failure {
        Failure::usage(format!("cannot {}: {why}", self.what))
    }

    fn git(&self) -> impl Fn(GitError) -> Failure {
        |e| self.fails(&e.to_string())
    }

    /// The repository and the commit that is checked out.
    fn repo_and_head(&self, project: &Project) -> Result<(Repo, Commit)> {
        let repo = Repo::discover(&project.root).map_err(self.git())?.ok_or_else(|| {
            self.fails(&format!("{} is in no git repository", project.root.display())).next(self.next)
        })?;
        let head = repo
            .head()
            .map_err(self.git())?
            .ok_or_else(|| self.fails("this repository has no commit yet").next("commit first"))?;
        Ok((repo, head))
    }
}

/// Fails where a baseline of the work tree could not be stored.
pub fn ensure_savable(project: &Project, allow_dirty: bool) -> Result<()> {
    let (repo, _) = SAVE.repo_and_head(project)?;
    let exclude = repo.relative(&project.baselines()).map_err(SAVE.git())?;
    let dirty = repo.dirty(&exclude).map_err(SAVE.git())?;
    if dirty.is_clean() || allow_dirty {
        return Ok(());
    }
    let examples: Vec<String> = dirty.examples.iter().map(|p| p.path.display().to_string()).collect();
    let more = if dirty.count > examples.len() {
        format!(" and {} more", dirty.count - examples.len())
    } else {
        String::new()
    };
    let why = format!("there are changes beside the commit ({}{more})", examples.join(", "));
    Err(SAVE.fails(&why).next(
        "commit or stash them, so that the numbers belong to a commit; or say --allow-dirty, which the record will tell",
    ))
}

/// HEAD, without changes beside it: numbers are accepted for a source tree that has a name.
pub(super) fn clean_head(project: &Project) -> Result<(Repo, Source)> {
    let (repo, _) = ACCEPT.repo_and_head(project)?;
    let head = source(&repo, &project.baselines())?
        .ok_or_else(|| ACCEPT.fails("this repository has no commit yet").next("commit first"))?;
    if head.dirty {
        return Err(ACCEPT
            .fails(&format!("there are changes beside commit {}", short(&head.commit)))
            .next("commit or stash them, run `cargo trt-perf check`, and accept what it measured"));
    }
    Ok((repo, head))
}

/// Stores the record that `name` means, or the newest result of HEAD, as a baseline.
pub fn save(project: &Project, name: Option<&str>, allow_dirty: bool) -> Result<(PathBuf, Record)> {
    let mut record = match name {
        Some(name) => find_record(project, name)?,
        None => newest_of_head(project)?,
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

fn newest_of_head(project: &Project) -> Result<Record> {
    let (_, head) = SAVE.repo_and_head(project)?;
    let commit = short(&head.id);
    let [_, results] = stores(project);
    let entry = results.list()?.into_iter().find(|e| e.commit12 == commit).ok_or_else(|| {
        Failure::new(FailureKind::Nothing, format!("there is no result of HEAD ({commit}) yet"))
            .next("measure it: `cargo trt-perf run --save-baseline`")
    })?;
    baseline::load(&entry.path)
}
