//! Files of changes whose commits were found: `bisects/<device-key>/<case>-<commit12>.json`. The last search of a commit
//! and case counts.

use super::{file, read_dir};
use crate::bisect::{self, FoundChange};
use crate::config::case_folder;
use crate::error::Result;
use crate::record::short;
use crate::record::wire::document::BISECT;
use std::path::{Path, PathBuf};

/// Keeps a change in `folder`, and returns its file.
pub fn keep_found(folder: &Path, found: &FoundChange) -> Result<PathBuf> {
    let name = format!("{}-{}.json", case_folder(&found.case), short(&found.commit));
    let path = folder.join(&found.device).join(name);
    file::write(&path, &BISECT, &bisect::write(found), true)?;
    Ok(path)
}

/// The changes of a case on a device, oldest commit first. A file that cannot be read is named in `notes`.
pub fn found_changes(folder: &Path, device: &str, id: &str, notes: &mut Vec<String>) -> Vec<FoundChange> {
    let begin = format!("{}-", case_folder(id));
    let files = read_dir(&folder.join(device)).unwrap_or_default();
    let of_case = files.into_iter().filter(|f| f.file_name().to_string_lossy().starts_with(&begin));
    let mut found = Vec::new();
    for entry in of_case {
        match file::open(&entry.path(), &BISECT, bisect::read) {
            Ok(change) => found.extend((change.case == id).then_some(change)),
            Err(failure) => notes.push(format!("skipped: {failure}")),
        }
    }
    found.sort_by_key(|change: &FoundChange| (change.authored_s, change.commit.clone()));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Interval;

    #[test]
    fn what_was_found_comes_back_for_its_case_and_device_alone() {
        let folder = tempfile::tempdir().unwrap();
        let change = |case: &str, commit: &str, authored_s| FoundChange {
            case: case.into(),
            device: "cpu-a".into(),
            metric: "mean".into(),
            change: Interval { lo: 0.04, est: 0.05, hi: 0.06 },
            worse: true,
            commit: commit.repeat(40),
            before: "0".repeat(40),
            authored_s,
            subject: "Faster, they said".into(),
            found_s: 3,
        };
        let (newer, older) = (change("p/m/d/latency", "a", 2), change("p/m/d/latency", "b", 1));
        for found in [&newer, &older, &change("p/m/d/throughput", "c", 1)] {
            keep_found(folder.path(), found).unwrap();
        }
        let again = FoundChange { found_s: 9, ..newer };
        let path = keep_found(folder.path(), &again).unwrap();
        let mut notes = Vec::new();
        let all = |notes: &mut Vec<String>| found_changes(folder.path(), "cpu-a", "p/m/d/latency", notes);
        assert_eq!(all(&mut notes), [older.clone(), again]);
        assert!(
            notes.is_empty() && found_changes(folder.path(), "cpu-b", "p/m/d/latency", &mut notes).is_empty()
        );
        std::fs::write(&path, "{").unwrap();
        assert_eq!(all(&mut notes), [older]);
        assert!(notes[0].contains("is cut off") && notes[0].contains("search again"), "{notes:?}");
    }
}
