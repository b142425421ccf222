//! The two kinds of file that memory leaves: `trt-perf/memory@1` with the figures of all cases of a session, and
//! beside it one `trt-perf/memory-events@1` per process, with every call of its allocator. Pure.
//!
//! Both are one JSON object with its `schema`; a reader skips fields that it does not know. Times are nanoseconds since
//! the worker began.

use super::{CaseMemory, MemoryEvent, MemoryPhase};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Calls of an allocator that a file keeps; a model makes some hundreds.
pub const MOST_EVENTS: usize = 200_000;

/// The name and the newest version of a kind of file.
const MEMORY: (&str, u32) = ("memory", 1);
const EVENTS: (&str, u32) = ("memory-events", 1);

/// The memory of the cases of one session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryRecord {
    /// Version of cargo-trt-perf that measured.
    pub tool: String,
    /// RFC 3339, UTC.
    pub created: String,
    /// Figures compare on one device only.
    pub device: String,
    /// What was measured; `None` without a commit.
    pub commit: Option<String>,
    /// Whether there were changes beside the commit.
    pub dirty: bool,
    /// By case id.
    pub cases: BTreeMap<String, CaseMemory>,
}

/// The calls of the allocator of one process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryEvents {
    /// When each phase began and ended, in order.
    pub spans: Vec<PhaseSpan>,
    /// In the order of time; empty where allocations are only counted.
    pub events: Vec<MemoryEvent>,
    /// Later events that are not here.
    pub left_out: u64,
}

/// One time in a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseSpan {
    /// The phase.
    pub phase: MemoryPhase,
    /// When it began.
    pub begin_ns: u64,
    /// When it ended.
    pub end_ns: u64,
    /// What the process had at the end.
    pub process_bytes: Option<u64>,
}

/// What is read first: the rest of a newer version may be anything.
#[derive(Deserialize)]
struct MemoryHead {
    schema: Option<String>,
}

#[derive(Serialize)]
struct MemoryDocument<'a, T> {
    schema: String,
    #[serde(flatten)]
    body: &'a T,
}

fn write<T: Serialize>((name, version): (&str, u32), body: &T) -> String {
    let document = MemoryDocument { schema: format!("trt-perf/{name}@{version}"), body };
    // Keys are text, and no field can fail to be written.
    serde_json::to_string(&document).unwrap_or_default()
}

fn read<T: DeserializeOwned>((name, newest): (&str, u32), text: &str) -> Result<T, String> {
    let head: MemoryHead = serde_json::from_str(text).map_err(|e| format!("is not readable ({e})"))?;
    let named = head.schema.as_deref().and_then(|s| s.strip_prefix("trt-perf/")?.split_once('@'));
    match named.and_then(|(name, version)| Some((name, version.parse::<u32>().ok()?))) {
        Some((found, version)) if found == name && (1..=newest).contains(&version) => {
            serde_json::from_str(text).map_err(|e| format!("is damaged ({e})"))
        }
        Some((found, version)) if found == name && version > newest => Err(format!(
            "was written by a newer version of this tool ({name}@{version}; this one reads {name}@{newest})"
        )),
        _ => Err(format!("has no trt-perf/{name} schema")),
    }
}

impl MemoryRecord {
    /// The text of its file.
    pub fn write(&self) -> String {
        write(MEMORY, self) + "\n"
    }

    /// The record in the text of a file, or what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        read(MEMORY, text)
    }
}

impl MemoryEvents {
    /// The text of its file.
    pub fn write(&self) -> String {
        write(EVENTS, self) + "\n"
    }

    /// The events in the text of a file, or what is wrong with it.
    pub fn read(text: &str) -> Result<Self, String> {
        let found: Self = read(EVENTS, text)?;
        if found.events.len() > MOST_EVENTS {
            return Err(format!("has {} events; at most {MOST_EVENTS} are kept", found.events.len()));
        }
        match found.spans.iter().find(|span| span.end_ns < span.begin_ns) {
            Some(span) => Err(format!("has a phase ({}) that ends before it begins", span.phase.word())),
            None => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{EngineMemory, MemoryAction, ProcessMemory};
    use super::*;
    use proptest::prelude::*;

    fn action() -> impl Strategy<Value = MemoryAction> {
        let number = any::<u64>;
        prop_oneof![
            (number(), number()).prop_map(|(address, bytes)| MemoryAction::Allocated { address, bytes }),
            number().prop_map(|bytes| MemoryAction::Refused { bytes }),
            number().prop_map(|address| MemoryAction::Freed { address }),
        ]
    }

    proptest! {
        #[test]
        fn events_come_back_as_they_were_and_a_cut_file_is_an_error(
            actions in prop::collection::vec((any::<u64>(), action()), 0..20), left_out in any::<u64>(), cut in 0.0..1.0
        ) {
            let phase = MemoryPhase::Inference;
            let written = MemoryEvents {
                spans: vec![PhaseSpan { phase, begin_ns: 3, end_ns: 9, process_bytes: Some(1) }],
                events: actions.into_iter().map(|(at_ns, action)| MemoryEvent { at_ns, phase, action }).collect(),
                left_out,
            };
            let text = written.write();
            prop_assert_eq!(MemoryEvents::read(&text), Ok(written));
            let end = (text.trim_end().len() as f64 * cut) as usize;
            prop_assert!(MemoryEvents::read(&text[..end]).is_err());
        }

        #[test]
        fn whatever_a_file_holds_is_read_or_refused(text in ".{0,200}") {
            prop_assert!(MemoryEvents::read(&text).is_err());
            prop_assert!(MemoryRecord::read(&text).is_err());
        }
    }

    #[test]
    fn a_record_comes_back_and_other_kinds_and_newer_versions_are_named() {
        let engine = EngineMemory { plan_bytes: 5, ..EngineMemory::default() };
        let case =
            CaseMemory { library: "rten 1".into(), engine, build: None, run: ProcessMemory::default() };
        let written = MemoryRecord {
            tool: "0.1.0".into(),
            created: "2026-01-01T00:00:00Z".into(),
            device: "cpu-x".into(),
            commit: None,
            dirty: true,
            cases: BTreeMap::from([("p/m/v/latency".into(), case)]),
        };
        let text = written.write();
        assert_eq!(MemoryRecord::read(&text), Ok(written));
        let newer = MemoryRecord::read(&text.replace("memory@1", "memory@2")).unwrap_err();
        assert!(newer.contains("newer version of this tool (memory@2"), "{newer}");
        let other = MemoryEvents::read(&text).unwrap_err();
        assert_eq!(other, "has no trt-perf/memory-events schema");
        let damaged = MemoryRecord::read(&text.replace("plan_bytes", "plan")).unwrap_err();
        assert!(damaged.starts_with("is damaged (missing field `plan_bytes`"), "{damaged}");
        let backwards = r#"{"schema":"trt-perf/memory-events@1","spans":[{"phase":"load","begin_ns":2,"end_ns":1,
            "process_bytes":null}],"events":[],"left_out":0}"#;
        assert!(MemoryEvents::read(backwards).unwrap_err().contains("ends before it begins"));
    }
}
