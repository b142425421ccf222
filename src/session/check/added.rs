//! Reads the baselines that head adds, and finds which of its acceptances cover a regression.
//!
//! Everything that a pull request adds is shown, readable or not. Nothing is compared with it.

use crate::acceptance::{AcceptanceStatus, UnderTest, acceptance_status};
use crate::baseline::{self, Entry, Store};
use crate::compare::Verdict;
use crate::error::Result;
use crate::file;
use crate::outcome::{Added, Row};
use crate::record::Record;
use crate::record::wire::document::RECORD;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The record files in `head` whose record, by its id, is not in `base`; newest first.
pub(super) fn added(head: &Path, base: &Path) -> Result<Vec<Added>> {
    if head == base {
        return Ok(Vec::new());
    }
    let key = |e: &Entry| (e.device_key.clone(), e.record8.clone());
    let known: BTreeMap<_, PathBuf> =
        Store::new(base.to_owned()).list()?.into_iter().map(|e| (key(&e), e.path)).collect();
    let mut found = Vec::new();
    for entry in Store::new(head.to_owned()).list()? {
        let twin = known.get(&key(&entry));
        // Nearly all files are in both, and the same: no need to understand them.
        if twin.is_some_and(|twin| same_bytes(twin, &entry.path)) {
            continue;
        }
        let record = baseline::load(&entry.path);
        let twin = twin.and_then(|path| baseline::load(path).ok());
        let known = record.as_ref().is_ok_and(|r| twin.is_some_and(|t| t.id == r.id));
        if !known {
            found.push(Added { path: entry.path, record });
        }
    }
    Ok(found)
}

fn same_bytes(a: &Path, b: &Path) -> bool {
    let bytes = |path| file::read(path, &RECORD.file()).ok();
    bytes(a).zip(bytes(b)).is_some_and(|(a, b)| a == b)
}

/// Notes at every row that would gate for a regression whether an added acceptance covers it. `head` is what this
/// check measured. Of several acceptances one that is honoured wins, otherwise the newest tells why not.
pub(super) fn judge(rows: &mut BTreeMap<String, Row>, added: &[Added], head: &Record) {
    let src_tree = head.source.as_ref().filter(|s| !s.dirty).map(|s| s.src_tree.as_str());
    for (id, row) in rows.iter_mut().filter(|(_, r)| r.gates() && r.comparison.verdict == Verdict::Regressed)
    {
        let Some(case) = head.cases.get(id) else { continue };
        let now = UnderTest {
            src_tree,
            device_key: &head.device.key,
            definition_hash: &case.definition_hash,
            comparison: &row.comparison,
        };
        let mut found: Vec<AcceptanceStatus> = added
            .iter()
            .filter_map(Added::acceptance)
            .filter(|(_, acceptance)| acceptance.case == *id)
            .map(|(record, acceptance)| acceptance_status(record, acceptance, &now))
            .collect();
        found.sort_by_key(|s| matches!(s, AcceptanceStatus::Stale { .. }));
        row.accepted = found.into_iter().next();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::RecordDevice;

    fn save(store: &Path, tool: &str) -> PathBuf {
        let mut record = Record {
            id: String::new(),
            created_s: 1_795_305_600,
            tool: tool.into(),
            source: None,
            device: RecordDevice { key: "cpu-x".into(), name: "x".into(), soft: BTreeMap::new() },
            supersedes: Vec::new(),
            acceptance: None,
            cases: BTreeMap::new(),
            failed: BTreeMap::new(),
            unknown: Vec::new(),
            crlf: false,
        };
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
        let paths = |found: Vec<Added>| found.into_iter().map(|a| a.path).collect::<Vec<_>>();
        assert_eq!(paths(added(&head, &base).expect("readable")), [new]);
        assert!(added(&head, &head).expect("readable").is_empty());
        assert_eq!(added(&head, &dir.path().join("none")).expect("readable").len(), 3);
    }

    #[test]
    fn a_file_that_was_changed_in_place_is_shown_as_unreadable() {
        let dir = tempfile::tempdir().expect("a folder");
        let (base, head) = (dir.path().join("base"), dir.path().join("head"));
        save(&base, "x");
        let path = save(&head, "x");
        let text = std::fs::read_to_string(&path).expect("text");
        std::fs::write(&path, text.replace("\"x\"", "\"y\"")).expect("written");
        let found = added(&head, &base).expect("readable");
        assert!(matches!(found.as_slice(), [Added { record: Err(_), .. }]));
    }
}
