//! Shows the stored records as a list, and why each of them stays. Pure.

pub mod size;

use super::table::TextTable;
use super::{accepts, json};
use crate::baseline::Entry;
use crate::error::Result;
use crate::history::retention::{CaseNeed, WhyKept};
use crate::message::{BaselineStored, Message, PruneReason, RecordPruned};
use crate::printable::line;
use crate::record::{Record, minute};
use crate::units::plural;

/// A file, and what it holds.
pub struct StoredRecord {
    /// What its name tells; of a named one what its record tells, as far as it can be read.
    pub entry: Entry,
    /// `None`: the record is its commit's.
    pub name: Option<String>,
    /// What it holds, or why that is not known.
    pub record: Result<Record>,
}

/// The list: a row per record, in so many columns. `long` adds what each accepts.
pub fn text(stored: &[StoredRecord], long: bool, width: usize) -> String {
    let names = stored.iter().any(|one| one.name.is_some());
    let mut header = vec!["id", "time (UTC)", "commit", "device", "cases"];
    header.extend(names.then_some("name"));
    header.extend(long.then_some("accepts"));
    // A time is never folded.
    let mut table = TextTable::new(header).numbers(1..2);
    for StoredRecord { entry, name, record } in stored {
        let [time, cases, accepted] = match record {
            Ok(r) => [
                minute(r.created_s),
                r.cases.len().to_string(),
                r.acceptance.as_ref().map_or_else(String::new, accepts),
            ],
            Err(f) => [day(entry), "unreadable".into(), line(&f.message)],
        };
        let dirty = record.as_ref().is_ok_and(|r| r.source.as_ref().is_some_and(|s| s.dirty));
        let commit = format!("{}{}", entry.commit12, if dirty { "+changes" } else { "" });
        let mut cells = vec![entry.record8.clone(), time, commit, line(&entry.device_key), cases];
        cells.extend(names.then(|| name.as_deref().map_or_else(String::new, line)));
        cells.extend(long.then_some(accepted));
        table.row(cells);
    }
    table.text(width)
}

/// The day in a file's name.
fn day(entry: &Entry) -> String {
    let part = |range: std::ops::Range<usize>| entry.date.get(range).unwrap_or_default().to_owned();
    [part(0..4), part(4..6), part(6..8)].join("-")
}

/// The message of one record.
pub fn message(stored: &StoredRecord) -> Message {
    let StoredRecord { entry, name, record } = stored;
    let read = record.as_ref().ok();
    let source = read.and_then(|r| r.source.as_ref());
    Message::BaselineStored(BaselineStored {
        id: read.map_or_else(|| entry.record8.clone(), |r| r.id.clone()),
        name: name.clone(),
        path: json::path(&entry.path),
        device: entry.device_key.clone(),
        created_s: read.map(|r| r.created_s),
        commit: source.map(|s| s.commit.clone()),
        dirty: source.map(|s| s.dirty),
        cases: read.map(|r| r.cases.keys().cloned().collect()),
        accepts: read.and_then(|r| r.acceptance.as_ref()).map(accepts),
        unreadable: record.as_ref().err().map(|f| f.message.clone()),
    })
}

/// Why a record stays, in words.
pub fn kept(why: &[WhyKept]) -> String {
    let words = why.iter().map(|why| match why {
        WhyKept::Cases(need, cases) => format!("{} {}", words(*need), some(cases)),
        WhyKept::Accepts => "somebody accepted a change with it".into(),
        WhyKept::Replaces(id) => format!("replaced {}, which stays", line(id)),
        WhyKept::Unreadable(failure) => format!("cannot be read: {}", line(&failure.message)),
    });
    words.collect::<Vec<String>>().join("; ")
}

fn words(need: CaseNeed) -> &'static str {
    match need {
        CaseNeed::Newest => "one of the newest that hold",
        CaseNeed::Oldest => "the oldest, which drift is measured from, of",
        CaseNeed::Pin => "pins the operating point of",
        CaseNeed::Level => "at the beginning or the end of a level of",
        CaseNeed::Recent => "of the newest half year of",
    }
}

fn some(cases: &[String]) -> String {
    match cases {
        [one] => line(one),
        all => format!("{}, such as {}", plural(all.len(), "case"), line(&all[0])),
    }
}

/// The message of one record that stays, or goes where there is no reason.
pub fn prune_message(entry: &Entry, why: &[WhyKept]) -> Message {
    let reason = |why: &WhyKept| {
        let (kind, cases) = match why {
            WhyKept::Cases(need, cases) => (need.word(), cases.clone()),
            WhyKept::Accepts => ("accepts", Vec::new()),
            WhyKept::Replaces(_) => ("replaces", Vec::new()),
            WhyKept::Unreadable(_) => ("unreadable", Vec::new()),
        };
        PruneReason { kind: kind.to_owned(), cases, text: kept(std::slice::from_ref(why)) }
    };
    Message::Pruned(RecordPruned {
        path: json::path(&entry.path),
        device: entry.device_key.clone(),
        kept: !why.is_empty(),
        why: why.iter().map(reason).collect(),
    })
}
