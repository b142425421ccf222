//! Keeps what a check found, measured here or joined from several machines: the records of both arms, what may be
//! accepted, and the evidence itself, from which the verdicts can be computed again.

use super::check::accept;
use crate::baseline::{Store, file};
use crate::config::Folders;
use crate::error::{Failure, FailureKind, Result};
use crate::evidence::{self, Evidence};
use crate::outcome::Checked;
use crate::record::wire::document::EVIDENCE;
use crate::record::{Record, short};
use std::path::{Path, PathBuf};

/// Older files are deleted: each holds every process of both arms.
const MOST_KEPT: usize = 100;

/// What a check leaves.
pub struct KeptCheck {
    /// What it found.
    pub evidence: Evidence,
    /// What follows from that.
    pub checked: Checked,
    /// What the file of the evidence holds.
    pub text: String,
    /// That file; `None` where it could not be written.
    pub path: Option<PathBuf>,
    /// What could not be written. What was found counts all the same.
    pub lost: Vec<Failure>,
}

/// Writes everything that a check leaves. The verdicts are those of what the file holds.
pub fn keep(folders: &Folders, evidence: Evidence) -> KeptCheck {
    let (text, id) = evidence::write(&evidence);
    let mut lost = Vec::new();
    let path = kept(&mut lost, || {
        let path = folders.evidence().join(file_name(&evidence, &id));
        EVIDENCE.ensure_storable(&text)?;
        file::write(&path, &EVIDENCE, &text, false)?;
        forget_old(&folders.evidence(), &path);
        Ok(path)
    });
    let evidence = evidence::read(&text).unwrap_or(evidence);
    let mut records = evidence.records();
    let written = write_records(folders, &mut records, &mut lost);
    let checked = evidence.checked(records, written);
    kept(&mut lost, || accept::keep(folders, &checked.rows, &checked.records[0], &checked.records[1]));
    KeptCheck { evidence, checked, text, path, lost }
}

/// What was kept; why it was not is in `lost`.
fn kept<T>(lost: &mut Vec<Failure>, keep: impl FnOnce() -> Result<T>) -> Option<T> {
    keep().map_err(|failure| lost.push(failure)).ok()
}

/// Writes the records of the arms that were measured; they get their ids.
fn write_records(folders: &Folders, records: &mut [Record; 2], lost: &mut Vec<Failure>) -> Vec<PathBuf> {
    let store = Store::results(folders.results());
    let measured = records.iter_mut().filter(|record| !record.cases.is_empty());
    measured.filter_map(|record| kept(lost, || store.save(record))).collect()
}

/// `20261122T100405-<commit12>-<id8>.json`; twelve zeros where there is no commit. Names sort by time.
fn file_name(evidence: &Evidence, id: &str) -> String {
    let time = jiff::Timestamp::from_second(evidence.created_s).unwrap_or_default();
    let commit = evidence.head.source.as_ref().map_or("000000000000", |s| short(&s.commit));
    format!("{}-{commit}-{}.json", time.strftime("%Y%m%dT%H%M%S"), id.get(..8).unwrap_or(id))
}

/// The files that checks left, the newest last.
fn all(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|n| n.strip_suffix(".json"));
        let parts: Vec<&str> = name.unwrap_or_default().split('-').collect();
        matches!(parts[..], [time, commit, id] if time.len() == 15 && commit.len() == 12 && id.len() == 8)
    };
    let age = |path: &PathBuf| {
        let second = path.file_name().map(|name| name.to_string_lossy().chars().take(15).collect::<String>());
        (second, path.metadata().and_then(|m| m.modified()).ok())
    };
    let mut found: Vec<PathBuf> = entries.map(|e| e.path()).filter(is_ours).collect();
    found.sort_by_cached_key(age);
    found
}

/// Deletes all but the newest, and never `new`: what was joined now is named by the time of its parts, which may be older than all.
fn forget_old(folder: &Path, new: &Path) {
    let mut found = all(folder);
    found.retain(|path| path != new);
    let old = (found.len() + 1).saturating_sub(MOST_KEPT);
    // Only space is lost where this fails.
    found[..old].iter().for_each(|path| drop(std::fs::remove_file(path)));
}

/// What a check found, from its file.
pub fn load(path: &Path) -> Result<Evidence> {
    file::open(path, &EVIDENCE, evidence::read)
}

/// The newest of what checks left in this project, with its file.
pub fn newest(folders: &Folders) -> Result<(PathBuf, Evidence)> {
    let folder = folders.evidence();
    let path = all(&folder).pop().ok_or_else(|| {
        Failure::new(FailureKind::Nothing, format!("no check left its result in {} yet", folder.display()))
            .next("run one: `cargo trt-perf check`; or name a file")
    })?;
    load(&path).map(|evidence| (path, evidence))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_just_written_stays_however_old_its_name_is() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = |year: usize| dir.path().join(format!("{year}1122T100405-000000000000-01234567.json"));
        for year in 2000..=2000 + MOST_KEPT {
            std::fs::write(file(year), "").expect("written");
        }
        std::fs::write(dir.path().join("notes.json"), "").expect("written");
        forget_old(dir.path(), &file(2000));
        let left = all(dir.path());
        assert_eq!(left.len(), MOST_KEPT);
        assert_eq!(left[..2], [file(2000), file(2002)]);
        assert!(dir.path().join("notes.json").exists(), "none of ours");
    }
}
