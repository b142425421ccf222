//! Reads and writes the form that all our versioned files have: one JSON object with `schema` and `id`, sorted keys,
//! and a line per case. Pure.
//!
//! Invariant: a file whose text matches its id is not called damaged. What this version does not know in it is named
//! and skipped.

use crate::case::sha256_hex;
use crate::error::{Failure, FailureKind, Result};
use crate::file::Expected;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_ignored::Path;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Hexadecimal digits of an id.
const ID_DIGITS: usize = 16;
/// A larger file is neither stored nor read: it would stay in the repository for good.
const MAX_BYTES: usize = 256 << 10;
/// Of files that are never committed, and hold every process of all cases.
const MAX_UNCOMMITTED: usize = 64 << 20;
/// The next step where a newer version is needed.
const UPDATE: &str = "update it: cargo install cargo-trt-perf";

/// Keys below which everything stands by case.
const BY_CASE: [&str; 2] = ["cases", "failed"];

/// One kind of file: what it is called, and what to do where one cannot be used.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileKind {
    /// As in its schema, `trt-perf/<name>@<version>`.
    name: &'static str,
    /// As in messages.
    pub noun: &'static str,
    /// What is written, and the newest that is read.
    version: u32,
    /// Bytes that it may have.
    most: usize,
    /// The next step where it is damaged.
    pub damaged: &'static str,
    /// The next step where somebody edited it.
    edited: &'static str,
    /// The next step where it is another kind of file.
    other: &'static str,
    /// The next step where it is too large to be stored.
    too_large: &'static str,
}

/// Record files that are committed.
pub const RECORD: FileKind = FileKind {
    name: "record",
    noun: "record",
    version: 1,
    most: MAX_BYTES,
    damaged: "restore it from git, or delete it",
    edited: "restore it from git, or measure again; records are never edited",
    other: "name a file of baselines/, or of the results of `run`",
    too_large: "measure fewer cases or processes per record: `cargo trt-perf run FILTER --save-baseline`",
};

/// The same files as sessions leave them in the target folder, or as somebody names them: only what is committed has to
/// be small.
pub const RESULT: FileKind = FileKind {
    most: MAX_UNCOMMITTED,
    too_large: "measure fewer cases at once: `cargo trt-perf run --partition hash:1/2`",
    ..RECORD
};

const CALIBRATE: &str = "restore it from git, or measure it anew: cargo trt-perf calibrate";

/// Calibration files.
pub const CALIBRATION: FileKind = FileKind {
    name: "calibration",
    noun: "calibration",
    version: 1,
    most: MAX_BYTES,
    damaged: CALIBRATE,
    edited: CALIBRATE,
    other: CALIBRATE,
    too_large: "calibrate fewer cases: `cargo trt-perf calibrate FILTER`",
};

const CHECK_AGAIN: &str = "measure again: `cargo trt-perf check`";

/// It is never committed: one that cannot be used only means that the check has to be run again.
pub const CHECK: FileKind = FileKind {
    name: "check",
    noun: "result of a check",
    version: 1,
    most: MAX_UNCOMMITTED,
    damaged: CHECK_AGAIN,
    edited: CHECK_AGAIN,
    other: CHECK_AGAIN,
    too_large: "check fewer cases: `cargo trt-perf check FILTER`",
};

const BISECT_AGAIN: &str = "delete it, and search again: `cargo trt-perf bisect`";

/// It is never committed, as those of checks.
pub const BISECT: FileKind = FileKind {
    name: "bisect",
    noun: "result of a bisection",
    version: 1,
    most: MAX_BYTES,
    damaged: BISECT_AGAIN,
    edited: BISECT_AGAIN,
    other: BISECT_AGAIN,
    too_large: BISECT_AGAIN,
};

/// What a check measured, before anyone judged. It is never committed either.
pub const EVIDENCE: FileKind = FileKind {
    name: "evidence",
    noun: "result of a check",
    version: 1,
    most: MAX_UNCOMMITTED,
    damaged: CHECK_AGAIN,
    edited: CHECK_AGAIN,
    other: "name what `cargo trt-perf check` wrote below target/trt-perf/evidence, or with --result",
    too_large: "check fewer cases: `cargo trt-perf check --partition hash:1/2`",
};

impl FileKind {
    /// Of the files that are written now.
    pub fn schema(&self) -> String {
        format!("trt-perf/{}@{}", self.name, self.version)
    }

    /// What a file of this kind is on the disk.
    pub fn file(&self) -> Expected {
        Expected { noun: self.noun, most: self.most as u64, next: self.damaged, links: false, named: false }
    }

    /// Fails where the text is too large to be stored.
    pub fn ensure_storable(&self, text: &str) -> Result<()> {
        if text.len() <= self.most {
            return Ok(());
        }
        let what = format!(
            "this {} has {} bytes; the largest that may be stored has {}",
            self.noun,
            text.len(),
            self.most
        );
        Err(Failure::new(FailureKind::Format, what).next(self.too_large))
    }

    fn refuse(&self, what: String, next: &str) -> Failure {
        Failure::new(FailureKind::Format, what).next(next)
    }

    /// Fails where `schema` is not that of this kind, in a version that can be read.
    fn ensure_readable(&self, schema: Option<&str>) -> Result<()> {
        let named = schema.and_then(|s| s.strip_prefix("trt-perf/")?.split_once('@'));
        match named.and_then(|(name, version)| Some((name, version.parse::<u32>().ok()?))) {
            Some((name, version)) if name == self.name && (1..=self.version).contains(&version) => Ok(()),
            Some((name, version)) if name == self.name && version > self.version => {
                let what = format!(
                    "was written by a newer version of this tool ({name}@{version}; this one reads {name}@{})",
                    self.version
                );
                Err(self.refuse(what, UPDATE))
            }
            other => {
                let known = [&RECORD, &CALIBRATION, &CHECK, &BISECT, &EVIDENCE];
                let kind = other.and_then(|(name, _)| known.into_iter().find(|k| k.name == name));
                let why = match kind.filter(|kind| kind.name != self.name) {
                    Some(kind) => format!(": it is a {}", kind.noun),
                    None => format!(" (it has no trt-perf/{} schema)", self.name),
                };
                Err(self.refuse(format!("is not a {} of cargo trt-perf{why}", self.noun), self.other))
            }
        }
    }
}

/// The name of the kind of file that a text is of; `None` where it is none of ours.
pub fn kind_name(text: &str) -> Option<String> {
    let head: Head = serde_json::from_str(text).ok()?;
    let (name, _) = head.schema.as_deref()?.strip_prefix("trt-perf/")?.split_once('@')?;
    Some(name.to_owned())
}

/// What a file holds.
#[derive(Debug)]
pub struct Contents<T> {
    /// The rest of the document.
    pub body: T,
    /// Fields that this version does not know, such as `cases.engine.tensorrt.refit`; each once, in order.
    pub unknown: Vec<String>,
    /// Its lines end with CRLF, as git leaves them with `core.autocrlf`; we write LF.
    pub crlf: bool,
}

/// What is read first: the rest of a newer version may be anything.
#[derive(Default, Deserialize)]
struct Head {
    #[serde(default)]
    schema: Option<String>,
    #[serde(default)]
    id: Option<String>,
}

/// Reads the text of a file. `W` is how its fields stand there; `into` makes what the program works with, or says what
/// is wrong. The messages of failures continue the file's name.
pub fn read<W: DeserializeOwned, T>(
    text: &str,
    kind: &FileKind,
    into: impl FnOnce(W) -> Result<T, String>,
) -> Result<Contents<T>> {
    let head: Head = match serde_json::from_str(text) {
        Ok(head) => head,
        // JSON, and no object with a schema.
        Err(e) if e.is_data() => Head::default(),
        Err(e) => return Err(kind.refuse(not_json(text, &e), kind.damaged)),
    };
    kind.ensure_readable(head.schema.as_deref())?;
    // The hash is taken of the text, so that it covers also what this version does not know.
    // Between fields a line end means nothing, and none can stand within a text.
    let crlf = text.contains("\r\n");
    let text = &*if crlf { Cow::from(text.replace("\r\n", "\n")) } else { Cow::from(text) };
    let intact = head.id.map(|id| id_of(text, &id) == id);
    // Whoever wrote an intact file knew what they wrote: it is this version that does not understand it.
    let bad = |what: String| match intact {
        Some(true) => {
            kind.refuse(format!("holds what this version of the tool cannot read ({what})"), UPDATE)
        }
        _ => kind.refuse(format!("is a damaged {} ({what})", kind.noun), kind.damaged),
    };
    let (wire, unknown) = parse::<W>(text).map_err(|e| bad(e.to_string()))?;
    if intact == Some(false) {
        let what = "was changed after it was written: its text does not match its id";
        return Err(kind.refuse(what.into(), kind.edited));
    }
    Ok(Contents { body: into(wire).map_err(bad)?, unknown: unknown.into_iter().collect(), crlf })
}

fn parse<W: DeserializeOwned>(text: &str) -> serde_json::Result<(W, BTreeSet<String>)> {
    let mut unknown = BTreeSet::new();
    let mut json = serde_json::Deserializer::from_str(text);
    let wire = serde_ignored::deserialize(&mut json, |path| {
        unknown.insert(field(&path));
    })?;
    json.end()?;
    // Of the form, which `read` knows.
    unknown.retain(|field| !matches!(field.as_str(), "schema" | "id"));
    Ok((wire, unknown))
}

/// Where a field stands, without the case and the place in lists: what is unknown in one is unknown in all.
fn field(path: &Path) -> String {
    let mut keys = keys(path);
    if keys.len() > 2 && BY_CASE.contains(&keys[0].as_str()) {
        keys.remove(1);
    }
    keys.join(".")
}

fn keys(path: &Path) -> Vec<String> {
    match path {
        Path::Root => Vec::new(),
        Path::Map { parent, key } => [keys(parent), vec![key.clone()]].concat(),
        Path::Seq { parent, .. }
        | Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => keys(parent),
    }
}

/// The text of a file with these fields, and its id: the hash of the text with the id taken out.
pub fn write(kind: &FileKind, fields: &impl Serialize) -> (String, String) {
    // Plain data: serialising it into memory cannot fail.
    let mut value = serde_json::to_value(fields).unwrap_or_default();
    let blank = "0".repeat(ID_DIGITS);
    value["schema"] = kind.schema().into();
    value["id"] = blank.as_str().into();
    let id = id_of(&lines(&value), &blank);
    value["id"] = id.as_str().into();
    (lines(&value), id)
}

fn id_of(text: &str, id: &str) -> String {
    let mut hash = sha256_hex(text.replace(&format!("\"id\": \"{id}\""), "").as_bytes());
    hash.truncate(ID_DIGITS);
    hash
}

/// Keys sorted; a line for each key, each case and each failure.
fn lines(value: &Value) -> String {
    let Value::Object(top) = value else { return String::new() };
    let lines: Vec<String> = top
        .iter()
        .map(|(key, value)| match value {
            Value::Object(map) if BY_CASE.contains(&key.as_str()) && !map.is_empty() => {
                let rows: Vec<String> =
                    map.iter().map(|(k, v)| format!("  {}: {v}", Value::from(k.as_str()))).collect();
                format!(" \"{key}\": {{\n{}\n }}", rows.join(",\n"))
            }
            other => format!(" \"{key}\": {other}"),
        })
        .collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

/// What is wrong with a text that is no JSON. The parser calls a number that ends too early invalid, not cut off.
fn not_json(text: &str, e: &serde_json::Error) -> String {
    let in_number = text.ends_with(['-', '+', '.', 'e', 'E']) && e.line() >= text.lines().count();
    format!("{} ({e})", if e.is_eof() || in_number { "is cut off" } else { "is not JSON" })
}

#[cfg(test)]
mod tests;
