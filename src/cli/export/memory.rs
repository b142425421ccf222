//! The events of memory runs for a timeline: of a file, of a session's folder, or of the session that fits a record.

use super::perfetto::Timeline;
use crate::cli::{note, shown};
use crate::config::Project;
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use crate::memory::wire::MemoryEvents;
use crate::record::Record;
use crate::session::memory::read_record;
use crate::timeline::memory;
use std::path::{Path, PathBuf};

/// The events of one process lie in a folder named after their arm.
const ARMS: [&str; 2] = ["head", "base"];

/// Whether a name means a memory session, or one process of it.
pub fn is_memory(name: &str) -> bool {
    let path = Path::new(name);
    path.is_dir() || path.extension().is_some_and(|e| e == "json") && is_events(path)
}

/// Whether it says so itself, right at its beginning.
fn is_events(path: &Path) -> bool {
    file::text(path, &file::MEMORY)
        .is_ok_and(|text| text.starts_with("{\"schema\":\"trt-perf/memory-events@"))
}

/// Adds the events of a file, or of all files of a session; only cases whose id contains `filter`.
pub fn add(path: &Path, filter: Option<&str>, timeline: &mut Timeline) -> Result<()> {
    let files = if path.is_dir() { files(path) } else { vec![path.to_owned()] };
    if files.is_empty() {
        let what = format!("{} holds no events of a memory run", path.display());
        return Err(Failure::new(FailureKind::Nothing, what).next(file::MEMORY.next));
    }
    for path in files {
        let group = name(&path);
        if filter.is_some_and(|part| !group.contains(part)) {
            continue;
        }
        let text = file::text(&path, &file::MEMORY)?;
        let found = MemoryEvents::read(&text).map_err(|why| {
            Failure::new(FailureKind::Format, format!("{} {why}", path.display())).next(file::MEMORY.next)
        })?;
        if found.left_out > 0 {
            note(&format!("note: {}: {} later events were not kept", shown(&path), found.left_out));
        }
        let (tracks, counters) = memory::tracks(&group, &found);
        timeline.tracks.extend(tracks);
        timeline.counters.extend(counters);
    }
    Ok(())
}

/// The events of all processes of a session, sorted by arm and name.
fn files(session: &Path) -> Vec<PathBuf> {
    let of = |arm: &&str| {
        let entries = std::fs::read_dir(session.join(arm)).into_iter().flatten().flatten();
        let mut files: Vec<PathBuf> = entries.map(|e| e.path()).filter(|path| is_events(path)).collect();
        files.sort();
        files
    };
    ARMS.iter().flat_map(of).collect()
}

/// What the timeline calls a process: `p/m/v/latency · memory, head, run`. Files are named `p__m__v__latency.run.json`.
fn name(path: &Path) -> String {
    let text =
        |part: Option<&std::ffi::OsStr>| part.map_or(String::new(), |t| t.to_string_lossy().into_owned());
    let stem = text(path.file_stem());
    let (id, process) = stem.rsplit_once('.').unwrap_or((&stem, "run"));
    let arm = text(path.parent().and_then(Path::file_name));
    let arm = ARMS.iter().find(|a| **a == arm).map_or(String::new(), |arm| format!("{arm}, "));
    format!("{} · memory, {arm}{process}", id.replace("__", "/"))
}

/// The newest memory session of the sources and the device of a record: nothing of it was dirty.
pub fn of_same_sources(project: &Project, record: &Record) -> Option<PathBuf> {
    let source = record.source.as_ref().filter(|source| !source.dirty)?;
    let entries = std::fs::read_dir(project.folders.memory()).into_iter().flatten().flatten();
    let fits = |path: &PathBuf| {
        read_record(path).is_ok_and(|memory| {
            memory.device == record.device.key
                && !memory.dirty
                && memory.commit.as_ref() == Some(&source.commit)
                && memory.cases.keys().any(|id| record.cases.contains_key(id))
        })
    };
    let mut sessions: Vec<PathBuf> = entries.map(|e| e.path()).filter(fits).collect();
    sessions.sort();
    sessions.pop()
}
