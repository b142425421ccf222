//! Finds the samples of a case's processes that are still below the target folder.

use super::discover::trial_folder;
use crate::config::{Folders, case_folder};
use crate::discover::ROUNDS;
use crate::record::CaseRecord;
use crate::summarize::Summary;
use crate::tensor::read_samples;
use std::path::{Path, PathBuf};

/// What `take` makes of each process's samples: the process's place in the record, their file, and they themselves. The
/// case is of the session that began at `created_s`; `None` unless the samples of all of its processes are still there.
pub fn samples<T>(
    folders: &Folders,
    created_s: i64,
    (id, case): (&str, &CaseRecord),
    mut take: impl FnMut(usize, &Path, Vec<u64>) -> T,
) -> Option<Vec<T>> {
    // The numbers of a discovery are those of the winner's last trial.
    let trial = trial_folder(case.cell(), ROUNDS);
    let folders = sessions_of(folders, created_s).flat_map(|session| [session.clone(), session.join(&trial)]);
    // A run has one arm; in a check each has a folder.
    let of_arms = |folder: PathBuf| ["", "base", "head"].map(|arm| folder.join(case_folder(id)).join(arm));
    let mut arms = folders.flat_map(of_arms);
    arms.find_map(|folder| of_folder(&folder, case, &mut take))
}

/// The folders of samples of sessions that began at `created_s`.
fn sessions_of(folders: &Folders, created_s: i64) -> impl Iterator<Item = PathBuf> {
    let began = format!("{created_s}-");
    let sessions = std::fs::read_dir(folders.samples()).into_iter().flatten().flatten();
    sessions.filter(move |e| e.file_name().to_string_lossy().starts_with(&began)).map(|e| e.path())
}

/// The files' samples that are those of the case's processes, which are in the same order; between them may be those of
/// pairs that were discarded.
fn of_folder<T>(
    folder: &Path,
    case: &CaseRecord,
    take: &mut impl FnMut(usize, &Path, Vec<u64>) -> T,
) -> Option<Vec<T>> {
    let mut files = numbered(folder)?.into_iter();
    let process = |(index, summary): (usize, &Summary)| {
        files.find_map(|file| {
            let samples = read_samples(&file).ok().filter(|samples| summary.is_of(samples))?;
            Some(take(index, &file, samples))
        })
    };
    case.processes.iter().enumerate().map(process).collect()
}

/// `1.npy`, `2.npy`, … in this order.
fn numbered(folder: &Path) -> Option<Vec<PathBuf>> {
    let files = std::fs::read_dir(folder).ok()?.flatten().map(|e| e.path());
    let number = |path: &Path| path.file_stem()?.to_str()?.parse::<u64>().ok();
    let npy = files.filter(|path| path.extension().is_some_and(|e| e == "npy"));
    let mut found: Vec<(u64, PathBuf)> = npy.filter_map(|path| Some((number(&path)?, path))).collect();
    found.sort();
    Some(found.into_iter().map(|(_, path)| path).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample;
    use crate::tensor::write_samples;

    /// A process with these requests.
    fn of(samples: &[u64]) -> Summary {
        let ends = (samples.iter().min().copied().unwrap_or(0), samples.iter().max().copied().unwrap_or(0));
        Summary {
            requests: samples.len() as u64,
            dropped: 0,
            min_ns: ends.0,
            max_ns: ends.1,
            ..sample::summary(1000.0)
        }
    }

    #[test]
    fn the_samples_of_an_arm_are_found_between_those_of_discarded_pairs() {
        let dir = tempfile::tempdir().unwrap();
        let folders = Folders::below(dir.path().to_owned());
        let case = CaseRecord { processes: vec![of(&[10, 20]), of(&[11, 21])], ..sample::case() };
        let found = |created_s| samples(&folders, created_s, ("p/m/v/latency", &case), |at, _, s| (at, s));
        let session = folders.samples().join("7-1");
        let write = |arm: &str, number: u64, samples: &[u64]| {
            let folder = session.join(case_folder("p/m/v/latency")).join(arm);
            std::fs::create_dir_all(&folder).unwrap();
            write_samples(&folder.join(format!("{number}.npy")), samples).unwrap();
        };
        for (number, nanoseconds) in [(1, [30, 40]), (2, [31, 41])] {
            write("base", number, &nanoseconds);
        }
        write("head", 1, &[10, 20]);
        write("head", 2, &[500, 600]);
        assert_eq!(found(7), None, "those of the second process are not there");
        write("head", 10, &[11, 21]);
        assert_eq!(found(7), Some(vec![(0, vec![10, 20]), (1, vec![11, 21])]));
        assert_eq!(found(8), None, "another session");
    }
}
