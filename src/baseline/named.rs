//! Baselines with a name: `<device-key>/named/<name>.json` beside the records of commits.
//!
//! A name is for whoever gave it: such a record is asked for by its name, replaced when the name is given again, and is no
//! part of the history. In a folder of their own they are not listed with the records of commits, not pruned, and never the
//! base that a session finds for itself.

use super::{Entry, Store, file, file_name, read_dir};
use crate::error::{Failure, Result};
use crate::record::wire::document::RECORD;
use crate::record::{Record, is_plain_name, wire};
use std::path::{Path, PathBuf};

const FOLDER: &str = "named";

/// A file with a name, which nobody has read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedBaseline {
    /// The device that the record is of.
    pub device_key: String,
    /// The name.
    pub name: String,
    /// The file.
    pub path: PathBuf,
}

/// Fails where this cannot be the name of a baseline.
pub fn ensure_name(name: &str) -> Result<()> {
    if is_plain_name(name) {
        return Ok(());
    }
    let what = format!("`{name}` cannot be the name of a baseline: it becomes the name of a file");
    Err(Failure::usage(what).next("use letters, digits, `-`, `_` and `.`, and do not begin with a dot"))
}

impl Store {
    /// Stores `record` under a name, in the place of what had it.
    pub fn save_named(&self, record: &mut Record, name: &str) -> Result<PathBuf> {
        ensure_name(name)?;
        super::ensure_real(record)?;
        let text = wire::write(record);
        RECORD.ensure_storable(&text)?;
        let path = self.dir.join(&record.device.key).join(FOLDER).join(format!("{name}.json"));
        file::write(&path, &RECORD, &text, true)?;
        Ok(path)
    }

    /// The named baselines, by device and name.
    pub fn named(&self) -> Result<Vec<NamedBaseline>> {
        let mut found = Vec::new();
        for device in read_dir(&self.dir)? {
            let (Ok(device_key), folder) = (device.file_name().into_string(), device.path().join(FOLDER))
            else {
                continue;
            };
            // A stray file beside the devices' folders is no device.
            if !folder.is_dir() {
                continue;
            }
            found.extend(read_dir(&folder)?.into_iter().filter_map(|file| {
                let path = file.path();
                let name = path.file_name()?.to_str()?.strip_suffix(".json")?.to_owned();
                Some(NamedBaseline { device_key: device_key.clone(), name, path: path.clone() })
            }));
        }
        found.sort_by(|a, b| (&a.device_key, &a.name).cmp(&(&b.device_key, &b.name)));
        Ok(found)
    }
}

impl NamedBaseline {
    /// Reads the file.
    pub fn load(&self) -> Result<Record> {
        file::open(&self.path, &RECORD, wire::read)
    }

    /// What the name of a record's file would tell; empty where the record cannot be read.
    pub fn entry(&self, record: Option<&Record>) -> Entry {
        let stem = record.map(file_name).unwrap_or_default();
        let mut parts = stem.trim_end_matches(".json").split('-').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        Entry {
            device_key: self.device_key.clone(),
            date: part(),
            commit12: part(),
            record8: part(),
            path: self.path.clone(),
            kind: &RECORD,
        }
    }
}

/// The record with this name; `None` where none has it. One name on several devices is a question.
pub(super) fn find_named(store: &Store, name: &str) -> Result<Option<(PathBuf, Record)>> {
    let named: Vec<NamedBaseline> = store.named()?.into_iter().filter(|b| b.name == name).collect();
    match &named[..] {
        [] => Ok(None),
        [one] => Ok(Some((one.path.clone(), one.load()?))),
        several => {
            let paths: Vec<String> = several.iter().map(|b| shown(&b.path)).collect();
            Err(Failure::usage(format!("{} devices have a baseline named {name}", several.len()))
                .next(format!("name its file: {}", paths.join(", "))))
        }
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
