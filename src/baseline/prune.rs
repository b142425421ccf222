//! Which records may go, and why the others stay.

use super::{Entry, Store, load};
use crate::error::{Failure, Result};
use crate::record::Record;
use std::collections::{BTreeMap, BTreeSet};

/// Why a record stays.
#[derive(Clone, Debug, PartialEq)]
pub enum WhyKept {
    /// It is one of the newest of its device, as many as are to be kept.
    Newest,
    /// It is the newest that holds these cases.
    Holds(Vec<String>),
    /// It replaced a record that stays, by its id: that one would become a reference again.
    Replaces(String),
    /// Nobody can tell what would be lost.
    Unreadable(Failure),
}

/// What becomes of the records of a store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pruning {
    /// What stays, by device, newest first.
    pub kept: Vec<(Entry, WhyKept)>,
    /// What goes.
    pub doomed: Vec<Entry>,
}

/// What would stay and what would go if `keep` records of each device were kept.
pub fn pruning(store: &Store, keep: usize) -> Result<Pruning> {
    let mut per_device: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for entry in store.list()? {
        per_device.entry(entry.device_key.clone()).or_default().push(entry);
    }
    let mut found = Pruning::default();
    for entries in per_device.into_values() {
        of_device(entries, keep, &mut found);
    }
    Ok(found)
}

/// `entries` are of one device, newest first.
fn of_device(entries: Vec<Entry>, keep: usize, found: &mut Pruning) {
    let mut held: BTreeSet<String> = BTreeSet::new();
    let (mut kept, mut old): (BTreeSet<String>, Vec<(Entry, Record)>) = Default::default();
    for (place, entry) in entries.into_iter().enumerate() {
        let record = match load(&entry.path) {
            Ok(record) => record,
            Err(failure) => {
                found.kept.push((entry, WhyKept::Unreadable(failure)));
                continue;
            }
        };
        let newest_of: Vec<String> =
            record.cases.keys().filter(|id| held.insert((*id).clone())).cloned().collect();
        let why = match newest_of.is_empty() {
            _ if place < keep => WhyKept::Newest,
            false => WhyKept::Holds(newest_of),
            true => {
                old.push((entry, record));
                continue;
            }
        };
        kept.insert(record.id);
        found.kept.push((entry, why));
    }
    // What is kept may itself have been replaced: again until nothing more is found.
    let replacing = |old: &[(Entry, Record)], kept: &BTreeSet<String>| {
        old.iter().enumerate().find_map(|(i, (_, record))| {
            Some((i, record.supersedes.iter().find(|id| kept.contains(*id))?.clone()))
        })
    };
    while let Some((i, replaced)) = replacing(&old, &kept) {
        let (entry, record) = old.remove(i);
        kept.insert(record.id);
        found.kept.push((entry, WhyKept::Replaces(replaced)));
    }
    found.doomed.extend(old.into_iter().map(|(entry, _)| entry));
}

/// Deletes one record file.
pub fn delete(entry: &Entry) -> Result<()> {
    std::fs::remove_file(&entry.path).map_err(|e| Failure::io("delete", &entry.path, &e))
}
