//! Reads the baselines that head adds.
//!
//! Everything that a pull request adds is shown, readable or not. Nothing is compared with it.

use crate::baseline::{Entry, Store, calibration_files, newest_first};
use crate::config::Project;
use crate::error::Result;
use crate::file;
use crate::git::{GitError, Repo};
use crate::outcome::{Added, AddedBy, AddedWhat};
use crate::record::date;
use crate::record::wire::document::RECORD;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What head's baselines have and those in `base` have not: records newest first, then calibrations.
pub(super) fn added(project: &Project, base: &Path) -> Result<Vec<Added>> {
    let head = project.baselines();
    if head == base {
        return Ok(Vec::new());
    }
    let mut found = records(&head, base)?;
    found.extend(calibrations(&head, base));
    let repo = Repo::discover(&project.root).ok().flatten();
    let who = |path: &Path| repo.as_ref().map_or(AddedBy::Unknown, |repo| added_by(repo, path));
    Ok(found.into_iter().map(|(path, what)| Added { by: who(&path), path, what }).collect())
}

fn added_by(repo: &Repo, path: &Path) -> AddedBy {
    let find = || -> Result<_, GitError> { repo.who_added(&repo.relative(path)?) };
    match find() {
        Ok(Some(who)) => AddedBy::Commit { author: who.author, date: date(who.time), commit: who.commit },
        Ok(None) => AddedBy::NotCommitted,
        Err(_) => AddedBy::Unknown,
    }
}

/// The calibrations in `head` that `base` has not, or not the same.
fn calibrations(head: &Path, base: &Path) -> Vec<(PathBuf, AddedWhat)> {
    let known = calibration_files(base);
    let new = calibration_files(head).into_iter();
    new.filter(|(key, path)| !known.get(key).is_some_and(|twin| same_bytes(twin, path)))
        .map(|(device_key, path)| (path, AddedWhat::Calibration { device_key }))
        .collect()
}

/// The record files in `head` whose record, by its id, is not in `base`; newest first.
fn records(head: &Path, base: &Path) -> Result<Vec<(PathBuf, AddedWhat)>> {
    let key = |e: &Entry| (e.device_key.clone(), e.record8.clone());
    let known: BTreeMap<_, Entry> =
        Store::new(base.to_owned()).list()?.into_iter().map(|e| (key(&e), e)).collect();
    // Nearly all files are in both, and the same: no need to understand them.
    let is_new = |e: &Entry| !known.get(&key(e)).is_some_and(|twin| same_bytes(&twin.path, &e.path));
    let new = Store::new(head.to_owned()).list()?.into_iter().filter(is_new).collect();
    let mut found = Vec::new();
    for entry in newest_first(new) {
        let twin = known.get(&key(&entry));
        let record = entry.load();
        let twin = twin.and_then(|twin| twin.load().ok());
        let known = record.as_ref().is_ok_and(|r| twin.is_some_and(|t| t.id == r.id));
        if !known {
            found.push((entry.path, AddedWhat::Record(Box::new(record))));
        }
    }
    Ok(found)
}

fn same_bytes(a: &Path, b: &Path) -> bool {
    let bytes = |path| file::read(path, &RECORD.file()).ok();
    bytes(a).zip(bytes(b)).is_some_and(|(a, b)| a == b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Record, RecordDevice};

    fn save(store: &Path, tool: &str) -> PathBuf {
        let device = RecordDevice { key: "cpu-x".into(), name: "x".into(), soft: BTreeMap::new() };
        let mut record = Record { tool: tool.into(), ..Record::empty(1_795_305_600, device) };
        Store::new(store.to_owned()).save(&mut record).expect("saved")
    }

    #[test]
    fn only_records_that_the_base_has_not_are_added() {
        let dir = tempfile::tempdir().expect("a folder");
        let (base, head) = (dir.path().join("base"), dir.path().join("head"));
        for store in [&base, &head] {
            save(store, "both");
        }
        save(&base, "deleted by head");
        let new = save(&head, "new");
        let same = save(&base, "renamed");
        let renamed = head
            .join("cpu-x")
            .join(same.file_name().expect("a name").to_string_lossy().replace("2026", "2027"));
        std::fs::copy(&same, &renamed).expect("copied");
        let paths = |base: &Path| -> Vec<PathBuf> {
            records(&head, base).expect("readable").into_iter().map(|(path, _)| path).collect()
        };
        assert_eq!(paths(&base), [new]);
        assert!(paths(&head).is_empty());
        assert_eq!(paths(&dir.path().join("none")).len(), 3);
    }

    #[test]
    fn a_file_that_was_changed_in_place_is_shown_as_unreadable() {
        let dir = tempfile::tempdir().expect("a folder");
        let (base, head) = (dir.path().join("base"), dir.path().join("head"));
        save(&base, "x");
        let path = save(&head, "x");
        let text = std::fs::read_to_string(&path).expect("text");
        std::fs::write(&path, text.replace("\"x\"", "\"y\"")).expect("written");
        let found = records(&head, &base).expect("readable");
        assert!(matches!(found.as_slice(), [(_, AddedWhat::Record(record))] if record.is_err()));
    }

    #[test]
    fn a_calibration_that_the_base_has_not_the_same_is_added() {
        let dir = tempfile::tempdir().expect("a folder");
        let (base, head) = (dir.path().join("base"), dir.path().join("head"));
        for (store, key, text) in [(&base, "cpu-x", "a"), (&head, "cpu-x", "a"), (&head, "cpu-y", "b")] {
            std::fs::create_dir_all(store.join(key)).expect("folders");
            std::fs::write(store.join(key).join("calibration.json"), text).expect("written");
        }
        let devices = || -> Vec<PathBuf> { calibrations(&head, &base).into_iter().map(|(p, _)| p).collect() };
        assert_eq!(devices(), [head.join("cpu-y/calibration.json")]);
        std::fs::write(head.join("cpu-x/calibration.json"), "changed").expect("written");
        assert_eq!(devices().len(), 2);
    }
}
