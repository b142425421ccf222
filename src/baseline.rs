//! Finds, loads, saves, lists and prunes the records in `baselines/`. The folder is the index; files do not change.
//!
//! One file per record, `<device-key>/<yyyymmdd>-<commit12>-<record8>.json`, so that two branches do not write the same
//! path. Files are written whole or not at all. A file that cannot be read is named and skipped, and not overwritten.

mod bisected;
mod calibrated;
pub mod file;
mod find;
mod layers;
mod named;
mod places;
mod prune;
mod size;

pub use bisected::{found_changes, keep_found};
pub use calibrated::{calibration_files, load_calibration, save_calibration};
pub use find::{find_record, find_record_file, newest_result, stores};
pub use layers::{keep_layers, load_layers};
pub use named::{NamedBaseline, ensure_name};
pub use places::places;
pub use prune::{Pruning, delete, pruning};
pub use size::Sizes;

use crate::compare::Metric;
use crate::error::{Failure, Result};
use crate::git::Repo;
use crate::record::wire::document::{FileKind, RECORD, RESULT};
use crate::record::{Record, date, wire};
use crate::stats::{SessionSpread, session_spread};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A record larger than this is worth a warning: it stays in the repository for good.
pub const WARN_BYTES: usize = 64 << 10;
/// How much of a record's end is read to learn its time, which stands behind the cases.
const TAIL: u64 = 4 << 10;
/// How many records of other commits are opened in search of the same source tree.
const MAX_OPENED: usize = 200;
/// How far back ancestors are followed in search of a baseline.
const MAX_STEPS: usize = 20_000;
/// How far back the source tree of ancestors is computed.
const MAX_TREES: usize = 200;
/// How many stored sessions are opened to learn how much sessions differ.
const MAX_SESSIONS: usize = 50;

/// A record file, known by its name alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The device that the record is of.
    pub device_key: String,
    /// `20261122`.
    pub date: String,
    /// The first 12 digits of the commit.
    pub commit12: String,
    /// The first 8 digits of the record's id.
    pub record8: String,
    /// The file.
    pub path: PathBuf,
    /// How large it may be.
    pub kind: &'static FileKind,
}

impl Entry {
    /// Reads the file.
    pub fn load(&self) -> Result<Record> {
        file::open(&self.path, self.kind, wire::read)
    }

    /// When the record was made, by the end of its file; `None` where that does not tell.
    fn created_s(&self) -> Option<i64> {
        let tail = crate::file::tail(&self.path, &self.kind.file(), TAIL)?;
        wire::created_s(&String::from_utf8_lossy(&tail))
    }
}

/// A folder of records, `baselines/` or `target/trt-perf/results/`.
#[derive(Clone, Debug)]
pub struct Store {
    dir: PathBuf,
    /// How large its files may be.
    kind: &'static FileKind,
}

impl Store {
    /// The baselines in `dir`, which need not exist.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, kind: &RECORD }
    }

    /// The results of sessions in `dir`, which are never committed and may be large.
    pub fn results(dir: PathBuf) -> Self {
        Self { dir, kind: &RESULT }
    }

    /// The folder of the records.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Every record file, by name alone: newest day first; [`newest_first`] tells within a day. A folder that is not there
    /// is empty.
    pub fn list(&self) -> Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for device in read_dir(&self.dir)? {
            let Ok(device_key) = device.file_name().into_string() else { continue };
            if device_key.starts_with('.') || !device.path().is_dir() {
                continue;
            }
            let files = read_dir(&device.path())?;
            entries.extend(files.into_iter().filter_map(|f| self.entry(&device_key, f.path())));
        }
        entries.sort_by(|a: &Entry, b| (&b.date, &a.path).cmp(&(&a.date, &b.path)));
        Ok(entries)
    }

    /// What the name of a file tells; `None` where it is none of ours.
    fn entry(&self, device_key: &str, path: PathBuf) -> Option<Entry> {
        let stem = path.file_name()?.to_str()?.strip_suffix(".json")?;
        let mut parts = stem.split('-');
        let (date, commit12, record8) = (parts.next()?, parts.next()?, parts.next()?);
        let digits = |s: &str, n: usize| s.len() == n && s.bytes().all(|b| b.is_ascii_hexdigit());
        let ours = digits(date, 8) && digits(commit12, 12) && digits(record8, 8) && parts.next().is_none();
        ours.then(|| Entry {
            device_key: device_key.to_owned(),
            date: date.into(),
            commit12: commit12.into(),
            record8: record8.into(),
            path: path.clone(),
            kind: self.kind,
        })
    }

    /// As [`Self::save`], for a store of baselines: refuses what is no result.
    pub fn save_baseline(&self, record: &mut Record) -> Result<PathBuf> {
        ensure_real(record)?;
        self.save(record)
    }

    /// Writes `record` for good and returns its path. `record` becomes what the file holds, with its id and with rounded
    /// numbers, so that what is shown of it now is what is shown of it later.
    pub fn save(&self, record: &mut Record) -> Result<PathBuf> {
        if !record.unknown.is_empty() {
            let what = format!(
                "record {} was not written again: it would lose {}",
                record.id,
                record.unknown.join(", ")
            );
            return Err(Failure::usage(what)
                .next("a newer version of the tool wrote it: cargo install cargo-trt-perf"));
        }
        let text = wire::write(record);
        self.kind.ensure_storable(&text)?;
        let path = self.dir.join(&record.device.key).join(file_name(record));
        file::write(&path, self.kind, &text, false)?;
        *record = wire::read(&text)?;
        Ok(path)
    }
}

/// The same entries, of one store, newest first also within a day. There the records' own time decides, which costs a look
/// into each file: into those of a day only when it is reached, and there can be thousands before.
pub fn newest_first(entries: Vec<Entry>) -> impl Iterator<Item = Entry> {
    let mut rest = entries.into_iter().peekable();
    let next_day = move || {
        let date = rest.peek()?.date.clone();
        let mut day: Vec<Entry> = std::iter::from_fn(|| rest.next_if(|e| e.date == date)).collect();
        if day.len() > 1 {
            // Copies and clones give files other times of their own, which count only within a second.
            let age = |e: &Entry| (Reverse(e.created_s()), Reverse(modified(&e.path)), e.path.clone());
            day.sort_by_cached_key(age);
        }
        Some(day)
    };
    std::iter::from_fn(next_day).flatten()
}

/// Fails for what the library of our own tests answered.
fn ensure_real(record: &Record) -> Result<()> {
    match record.cases.iter().find(|(_, case)| case.engine.of_test_library()) {
        None => Ok(()),
        Some((id, case)) => Err(Failure::usage(format!(
            "no baseline was saved: {id} ran with the {}, so it is not a real result",
            case.engine.library
        ))
        .next("measure with TensorRT itself, and save that")),
    }
}

/// `<yyyymmdd>-<commit12>-<record8>.json`; twelve zeros where there is no commit.
pub fn file_name(record: &Record) -> String {
    let commit = record.source.as_ref().map_or("000000000000", |s| crate::record::short(&s.commit));
    let day = date(record.created_s).replace('-', "");
    format!("{day}-{commit}-{}.json", record.id.get(..8).unwrap_or("00000000"))
}

/// Reads a record file that somebody names, wherever it lies.
pub fn load(path: &Path) -> Result<Record> {
    file::open(path, &RESULT, wire::read)
}

fn read_dir(dir: &Path) -> Result<Vec<std::fs::DirEntry>> {
    match std::fs::read_dir(dir) {
        Ok(entries) => Ok(entries.flatten().collect()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(Failure::io("read the folder", dir, &e)),
    }
}

fn modified(path: &Path) -> Option<std::time::SystemTime> {
    path.metadata().and_then(|m| m.modified()).ok()
}

/// A stored record that HEAD descends from.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The stored record.
    pub record: &'a Record,
    /// Its file.
    pub path: &'a Path,
    /// Commits between it and HEAD; `None` where somebody named it.
    pub steps: Option<usize>,
}

/// The stored records that HEAD descends from. A file is opened when it is asked for: there can be thousands, and
/// mostly the nearest is enough.
#[derive(Debug, Default)]
pub struct Candidates {
    /// Nearest first.
    files: Vec<StoredFile>,
}

#[derive(Debug)]
struct StoredFile {
    entry: Entry,
    steps: usize,
    record: OnceLock<Result<Record>>,
}

impl Candidates {
    /// Whether there is no file, readable or not.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Nearest first, then those of the commit alone, then newest first; without those that cannot be read.
    pub fn iter(&self) -> impl Iterator<Item = Candidate<'_>> {
        self.files.chunk_by(|a, b| a.steps == b.steps).flat_map(|commit| {
            let mut found: Vec<Candidate> = commit.iter().filter_map(StoredFile::open).collect();
            found.sort_by_key(|c| (c.record.is_tainted(), Reverse(c.record.created_s)));
            found
        })
    }

    /// What there is to say of the files that were asked for: that they cannot be read, or hold what is not known here.
    pub fn notes(&self) -> impl Iterator<Item = String> {
        self.files.iter().filter_map(|f| note(&f.entry.path, f.record.get()?.as_ref()))
    }
}

impl StoredFile {
    fn open(&self) -> Option<Candidate<'_>> {
        let record = self.record.get_or_init(|| self.entry.load()).as_ref().ok()?;
        Some(Candidate { record, path: &self.entry.path, steps: Some(self.steps) })
    }
}

/// What there is to say of a file that was read.
fn note(path: &Path, record: Result<&Record, &Failure>) -> Option<String> {
    match record {
        Ok(record) => record.file_note().map(|text| format!("{} {text}", path.display())),
        Err(failure) => Some(format!("skipped: {failure}")),
    }
}

/// The stored records of `device_key` whose commit (or, failing that, source tree) is HEAD or an ancestor of it.
/// `baselines` is the folder that source trees leave out. What had to be opened to know that, and cannot be read, is
/// named in `notes`.
pub fn candidates(
    store: &Store,
    repo: &Repo,
    head: &str,
    device_key: &str,
    baselines: &Path,
    notes: &mut Vec<String>,
) -> Result<Candidates> {
    let entries: Vec<Entry> = store.list()?.into_iter().filter(|e| e.device_key == device_key).collect();
    if entries.is_empty() {
        return Ok(Candidates::default());
    }
    let wanted: BTreeSet<&str> = entries.iter().map(|e| e.commit12.as_str()).collect();
    let exclude = repo.relative(baselines)?;
    let mut steps_of: BTreeMap<String, usize> = BTreeMap::new();
    let mut trees: BTreeMap<String, usize> = BTreeMap::new();
    for ancestor in repo.ancestors(head)?.take(MAX_STEPS) {
        let ancestor = ancestor?;
        if trees.len() < MAX_TREES {
            trees.entry(repo.src_tree(&ancestor.id, &exclude)?).or_insert(ancestor.steps);
        }
        let short = crate::record::short(&ancestor.id);
        if wanted.contains(short) {
            steps_of.insert(short.to_owned(), ancestor.steps);
            if steps_of.len() == wanted.len() {
                break;
            }
        }
    }
    let mut files = Vec::new();
    let mut opened = 0;
    for entry in entries {
        if let Some(steps) = steps_of.get(&entry.commit12) {
            files.push(StoredFile { steps: *steps, entry, record: OnceLock::new() });
            continue;
        }
        opened += 1;
        if opened > MAX_OPENED {
            continue;
        }
        match entry.load() {
            Ok(record) => {
                let source = record.source.as_ref().filter(|s| !s.dirty);
                if let Some(steps) = source.and_then(|s| trees.get(&s.src_tree)).copied() {
                    files.push(StoredFile { entry, steps, record: Ok(record).into() });
                }
            }
            Err(e) => notes.push(format!("skipped: {e}")),
        }
    }
    files.sort_by_key(|f| f.steps);
    Ok(Candidates { files })
}

/// How much sessions of the same engine differ, from stored records of this device; `None` below five sessions.
pub fn stored_spread(
    records: &[Record],
    id: &str,
    inputs_hash: &str,
    definition: &str,
    metric: Metric,
) -> Option<SessionSpread> {
    let sessions: Vec<Vec<f64>> = records
        .iter()
        .filter_map(|r| r.cases.get(id))
        .filter(|c| c.engine.inputs_hash == inputs_hash && c.definition_hash == definition)
        .map(|c| c.processes.iter().filter_map(|s| metric.value(s, c.budget)).collect::<Vec<f64>>())
        .filter(|values| values.len() >= 2)
        .collect();
    session_spread(&sessions).ok()
}

/// The newest readable records of one device in several stores, each record once.
pub fn recent(stores: &[&Store], device_key: &str) -> Vec<Record> {
    let mut seen = BTreeSet::new();
    let entries = stores.iter().filter_map(|s| s.list().ok()).flat_map(|list| {
        let of_device = list.into_iter().filter(|e| e.device_key == device_key).collect();
        newest_first(of_device).take(MAX_SESSIONS).collect::<Vec<_>>()
    });
    entries.filter(|e| seen.insert(e.record8.clone())).filter_map(|e| e.load().ok()).collect()
}

/// Every readable record of several stores, each once. What cannot be read, or not as a whole, is named in `notes`.
pub fn all(stores: &[Store], notes: &mut Vec<String>) -> Result<Vec<Record>> {
    let mut seen = BTreeSet::new();
    let mut records = Vec::new();
    for entry in stores.iter().map(Store::list).collect::<Result<Vec<_>>>()?.into_iter().flatten() {
        // The name holds the record's id: the same name is the same record, wherever it lies.
        let name = entry.path.file_name().map(ToOwned::to_owned);
        if !seen.insert((entry.device_key.clone(), name)) {
            continue;
        }
        let record = entry.load();
        notes.extend(note(&entry.path, record.as_ref()));
        records.extend(record);
    }
    Ok(records)
}
