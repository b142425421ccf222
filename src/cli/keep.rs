//! A record as a baseline: whether it could be kept, where it is then, and a warning where it is large.

use super::shown;
use crate::baseline::{Store, WARN_BYTES};
use crate::config::Project;
use crate::error::{Failure, Result};
use crate::git::Repo;
use crate::record::Record;
use crate::units::plural;
use std::path::Path;

/// Whether a baseline could be stored now.
pub fn savable(project: &Project, allow_dirty: bool) -> Result<()> {
    has_commit(project, allow_dirty).map_err(|f| f.context("cannot save a baseline"))
}

fn has_commit(project: &Project, allow_dirty: bool) -> Result<()> {
    let Some(repo) = Repo::discover(&project.root)? else {
        return Err(Failure::usage(format!("{} is in no git repository", project.root.display()))
            .next("baselines belong to commits: run `git init` and commit first; `cargo trt-perf run` alone needs no repository"));
    };
    if repo.head()?.is_none() {
        return Err(Failure::usage("this repository has no commit yet").next("commit first"));
    }
    let dirty = repo.dirty(&repo.relative(&project.baselines())?)?;
    if !dirty.is_clean() && !allow_dirty {
        let examples: Vec<String> = dirty.examples.iter().map(|p| p.path.display().to_string()).collect();
        let more = if dirty.count > examples.len() {
            format!(" and {} more", dirty.count - examples.len())
        } else {
            String::new()
        };
        return Err(Failure::usage(format!("there are changes beside the commit ({}{more})", examples.join(", ")))
            .next("commit or stash them, so that the numbers belong to a commit; or say --allow-dirty, which the record will tell"));
    }
    Ok(())
}

/// Stores `record`, and says where.
pub fn save_baseline(project: &Project, record: &mut Record, interrupted: bool) -> Result<Vec<String>> {
    if record.cases.is_empty() || interrupted {
        return Ok(vec!["no baseline was saved: the session was not complete".into()]);
    }
    let path = Store::new(project.baselines()).save_baseline(record)?;
    let mut notes = vec![stored_note(&path, project)];
    notes.extend(size_note(&path, record));
    Ok(notes)
}

/// Where a baseline is, and what to do with it.
pub fn stored_note(path: &Path, project: &Project) -> String {
    format!("baseline: {} (commit it: git add {})", shown(path), shown(&project.baselines()))
}

/// A warning about a record that is large for a repository.
pub fn size_note(path: &Path, record: &Record) -> Option<String> {
    let size = std::fs::metadata(path).map_or(0, |m| m.len());
    (size > WARN_BYTES as u64).then(|| {
        format!(
            "warning: this baseline has {size} bytes ({}); it stays in the repository for good",
            plural(record.cases.len(), "case")
        )
    })
}
