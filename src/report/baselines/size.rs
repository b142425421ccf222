//! Shows how large the stored records are, per device and year. Pure.

use crate::baseline::Sizes;
use crate::message::{BaselinesSize, FilesSize, LargeFile};
use crate::printable::line;
use crate::record::date;
use crate::report::json;
use crate::report::table::TextTable;
use crate::units::{bytes, count, plural};
use std::cmp::Reverse;
use std::collections::BTreeMap;

const LARGEST: usize = 3;
const MONTH_S: i64 = 30 * 86_400;

/// What `baseline size` says at `now_s`, in seconds since 1970. `only_in_history`: files and bytes.
pub fn of(sizes: &Sizes, only_in_history: Option<(usize, u64)>, now_s: i64) -> BaselinesSize {
    // As in the names of files.
    let month_ago = date(now_s - MONTH_S).replace('-', "");
    let mut devices: BTreeMap<String, BTreeMap<String, FilesSize>> = BTreeMap::new();
    for (entry, bytes) in &sizes.records {
        let year = entry.date.get(..4).unwrap_or_default().to_owned();
        let of_year = devices.entry(entry.device_key.clone()).or_default().entry(year).or_default();
        of_year.files += 1;
        of_year.bytes += bytes;
    }
    let recent = sizes.records.iter().filter(|(entry, _)| entry.date >= month_ago);
    let mut largest: Vec<_> = sizes.records.iter().collect();
    largest.sort_by_key(|(entry, bytes)| (Reverse(*bytes), &entry.path));
    let largest = largest.into_iter().take(LARGEST);
    BaselinesSize {
        all: sum(sizes.all.iter().copied()),
        devices,
        named: sum(sizes.named.iter().copied()),
        last_30_days: sum(recent.map(|(_, bytes)| *bytes)),
        largest: largest
            .map(|(entry, bytes)| LargeFile { path: json::path(&entry.path), bytes: *bytes })
            .collect(),
        only_in_history: only_in_history.map(|(files, bytes)| FilesSize { files, bytes }),
    }
}

fn sum(sizes: impl Iterator<Item = u64>) -> FilesSize {
    sizes
        .fold(FilesSize::default(), |all, bytes| FilesSize { files: all.files + 1, bytes: all.bytes + bytes })
}

/// The same for people, in so many columns.
pub fn text(size: &BaselinesSize, width: usize) -> String {
    let mut table = TextTable::new(["device", "year", "records", "size"]).numbers(2..4);
    for (device, years) in &size.devices {
        for (year, found) in years {
            table.row([device.clone(), year.clone(), count(found.files as u64), bytes(found.bytes)]);
        }
    }
    let mut out = if size.devices.is_empty() { String::new() } else { table.text(width) + "\n" };
    let mut say = |what: &str, found: &FilesSize, files: &str| {
        out += &format!("{what}{} in {}\n", bytes(found.bytes), plural(found.files, files));
    };
    say("all files: ", &size.all, "file");
    if size.named.files > 0 {
        say("with a name: ", &size.named, "record");
    }
    say("made in the last 30 days: ", &size.last_30_days, "record");
    if let Some(gone) = &size.only_in_history {
        say("only in the history of HEAD (before git compresses it): ", gone, "file");
    }
    for file in &size.largest {
        out += &format!("among the largest: {} ({})\n", line(&file.path), bytes(file.bytes));
    }
    out
}
