//! Which records may go, and why the others stay: loads them and asks [`crate::history::retention`].

use super::{Entry, Store, places};
use crate::config::Project;
use crate::error::{Failure, Result};
use crate::history::retention::{Keep, WhyKept, kept};
use crate::record::Record;
use std::collections::BTreeMap;

/// What becomes of the records of a store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pruning {
    /// What stays, by device, newest first, and why.
    pub kept: Vec<(Entry, Vec<WhyKept>)>,
    /// What goes.
    pub doomed: Vec<Entry>,
}

/// What would stay and what would go of a project's baselines. Named ones are none of these: they stay. What there is to
/// say of git is added to `notes`.
pub fn pruning(project: &Project, keep: Keep, notes: &mut Vec<String>) -> Result<Pruning> {
    let mut per_device: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for entry in Store::new(project.baselines()).list()? {
        per_device.entry(entry.device_key.clone()).or_default().push(entry);
    }
    let mut found = Pruning::default();
    for entries in per_device.into_values() {
        of_device(project, entries, keep, (&mut found, notes));
    }
    notes.dedup();
    Ok(found)
}

/// `entries` are of one device: they are read one device after the other, as all can be many.
fn of_device(
    project: &Project,
    entries: Vec<Entry>,
    keep: Keep,
    (found, notes): (&mut Pruning, &mut Vec<String>),
) {
    let mut readable: Vec<(Entry, Record)> = Vec::new();
    for entry in entries {
        match entry.load() {
            Ok(record) => readable.push((entry, record)),
            Err(failure) => found.kept.push((entry, vec![WhyKept::Unreadable(failure)])),
        }
    }
    readable.sort_by(|(_, a), (_, b)| (b.created_s, &b.id).cmp(&(a.created_s, &a.id)));
    let (entries, records): (Vec<Entry>, Vec<Record>) = readable.into_iter().unzip();
    let places = places(project, &records, notes);
    for (entry, why) in entries.into_iter().zip(kept(&records, &places, keep)) {
        if why.is_empty() { found.doomed.push(entry) } else { found.kept.push((entry, why)) }
    }
}

/// Deletes one record file.
pub fn delete(entry: &Entry) -> Result<()> {
    std::fs::remove_file(&entry.path).map_err(|e| Failure::io("delete", &entry.path, &e))
}
