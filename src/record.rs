//! A record: everything that one session measured, for one source tree on one device. Pure.
//!
//! The program works with the types here; `record::wire` has the form in files. A record does not change: its id is a
//! hash of its own text.

mod acceptance;
mod builds;
mod merge;
#[cfg(test)]
pub(crate) mod sample;
pub mod wire;

pub use acceptance::{Acceptance, BudgetKind, ChangeKind, UNKNOWN, superseded};
pub use merge::merge;

use crate::case::{BackendKind, Budget, CasePart, Mode, OpenIdentity, OperatingPoint};
use crate::config::{BuildOptions, Scenario};
use crate::discover::{Cell, Discovery};
use crate::engine::KeptKernels;
use crate::error::Failure;
use crate::summarize::{InvalidReason, Summary};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// All processes of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "wire::RecordV1", into = "wire::RecordV1")]
pub struct Record {
    /// 16 hexadecimal digits; empty until it was written or read.
    pub id: String,
    /// Seconds since 1970-01-01 UTC.
    pub created_s: i64,
    /// Version of this tool.
    pub tool: String,
    /// `None` where there was no repository or no commit.
    pub source: Option<Source>,
    /// Where it was measured.
    pub device: RecordDevice,
    /// Ids of the records that this one replaces as the reference of its cases: a new epoch for drift.
    pub supersedes: Vec<String>,
    /// The change that this record accepts; `None` for most.
    pub acceptance: Option<Acceptance>,
    /// What was measured, by the case's id.
    pub cases: BTreeMap<String, CaseRecord>,
    /// Cases that could not be built or measured.
    pub failed: BTreeMap<String, Failure>,
    /// The part of its cases that this machine measured; `None`: all that were asked for.
    pub part: Option<CasePart>,
    /// It is an arm of a comparison of settings or of engine files: no numbers of a commit, and no step of a history.
    pub experiment: bool,
    /// Fields of its file that this version does not know, and leaves out. Empty unless a newer version wrote it.
    pub unknown: Vec<String>,
    /// The lines of its file end with CRLF: git changed them.
    pub crlf: bool,
}

/// Which sources were measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(from = "wire::SourceV1", into = "wire::SourceV1")]
pub struct Source {
    /// The full id of the commit.
    pub commit: String,
    /// The branch; `None` where HEAD was detached.
    pub branch: Option<String>,
    /// Tree of the commit without `baselines/`: survives amending and squashing.
    pub src_tree: String,
    /// There were changes beside the commit.
    pub dirty: bool,
}

impl Source {
    /// Commit and tree, for people who look for what differs between two.
    pub fn words(&self) -> String {
        let changes = if self.dirty { " with changes beside it" } else { "" };
        format!("{} (sources {}){changes}", short(&self.commit), short(&self.src_tree))
    }
}

/// Where it was measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(try_from = "wire::DeviceV1", into = "wire::DeviceV1")]
pub struct RecordDevice {
    /// Numbers compare only where it is the same.
    pub key: String,
    /// The device's name, for people.
    pub name: String,
    /// What may change on a device without making numbers incomparable at once: kernel, governor, driver.
    pub soft: BTreeMap<String, String>,
}

/// One case of a record. Where it stands in a file that is no record its numbers have all their digits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(from = "wire::CaseV1", into = "wire::CaseV1")]
pub struct CaseRecord {
    /// The hash of the case's definition: what was asked.
    pub definition_hash: String,
    /// Latency, throughput or capacity.
    pub scenario: Scenario,
    /// The operating point.
    pub point: OperatingPoint,
    /// Which transfers are timed, and how the host waits.
    pub mode: Mode,
    /// The latency budget, if the case has one.
    pub budget: Option<Budget>,
    /// How an open loop offered its requests; `None` in closed loops.
    pub open: Option<OpenIdentity>,
    /// Measured shape of each input, as `1x3x224x224`.
    pub shapes: BTreeMap<String, String>,
    /// The grid that chose this point; `None`: it was configured.
    pub discovery: Option<Discovery>,
    /// The engine that answered.
    pub engine: EngineRecord,
    /// SHA-256 of each output after warming up.
    pub outputs: BTreeMap<String, String>,
    /// One summary for each measuring process.
    pub processes: Vec<Summary>,
    /// The hash of the file below `target/trt-perf/layers` that says what each layer takes; `None` where nobody looked.
    pub layers_sha256: Option<String>,
}

/// The engine that answered.
#[derive(Clone, Debug, PartialEq)]
pub struct EngineRecord {
    /// The hash of everything that the engine was made from.
    pub inputs_hash: String,
    /// The hash of the engine's payload.
    pub payload_sha256: String,
    /// The hash of the model's file.
    pub model_sha256: String,
    /// The backend's name.
    pub backend: String,
    /// Library and version, such as `rten 0.27.0`.
    pub library: String,
    /// The build options.
    pub build: BuildOptions,
    /// Threads of the CPU backend.
    pub threads: u64,
    /// Equal for engines that run the same tactics on the same data, though their bytes differ; `None` where the engine
    /// does not tell.
    pub tactics_sha256: Option<String>,
    /// How long building took, in nanoseconds.
    pub build_ns: u64,
    /// Size of the payload, in bytes.
    pub engine_bytes: u64,
    /// What was compiled before the measuring processes loaded the engine; `None`: each compiled for itself, or there is
    /// nothing to compile then.
    pub kernels: Option<KeptKernels>,
    /// Each build, in the order of their numbers; empty where there is one.
    pub builds: Vec<EngineBuild>,
}

/// One of several builds of an engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct EngineBuild {
    /// The hash of its payload.
    pub payload_sha256: String,
    /// How long building took, in nanoseconds.
    pub build_ns: u64,
    /// Size of the payload, in bytes.
    #[serde(rename = "bytes")]
    pub engine_bytes: u64,
}

impl EngineRecord {
    /// Whether the library of our own tests made it, which computes nothing: no number of it is a result.
    pub fn of_test_library(&self) -> bool {
        self.library.starts_with(crate::engine::TEST_LIBRARY)
    }

    /// Why its numbers say nothing about a model.
    pub fn unreal(&self) -> Option<Unreal> {
        if self.of_test_library() {
            Some(Unreal::TestLibrary)
        } else if self.build.debug_extra_work_frac.is_some() {
            Some(Unreal::ExtraWork)
        } else if self.backend == BackendKind::Cuda.word() {
            Some(Unreal::Workload)
        } else {
            None
        }
    }
}

/// What makes numbers say nothing about a model. Loud in every report, so that none is taken for a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unreal {
    /// `debug-extra-work` is set.
    ExtraWork,
    /// The library of our own tests took TensorRT's place.
    TestLibrary,
    /// Kernels with a set duration, which measure the harness.
    Workload,
}

impl Unreal {
    /// For reports: `not a real result: …`.
    pub fn words(self) -> &'static str {
        match self {
            Self::ExtraWork => "debug-extra-work",
            Self::TestLibrary => "test library",
            Self::Workload => "calibration workload, no model",
        }
    }
}

impl CaseRecord {
    /// Where it was measured.
    pub fn cell(&self) -> Cell {
        Cell { point: self.point, threads: self.engine.threads }
    }

    /// Whether a GPU timed each request.
    pub fn gpu_timed(&self) -> bool {
        self.processes.iter().any(|s| s.gpu.as_ref().is_some_and(|g| g.compute.is_some()))
    }

    /// Why its numbers must not be believed, by the first process that says so, and how many do.
    pub fn invalid_reason(&self) -> Option<(InvalidReason, usize)> {
        let all: Vec<InvalidReason> = self.processes.iter().filter_map(Summary::invalid_reason).collect();
        let count = all.len();
        Some((all.into_iter().next()?, count))
    }
}

impl Record {
    /// A record of nothing yet, made by this version of the tool.
    pub fn empty(created_s: i64, device: RecordDevice) -> Self {
        Self {
            id: String::new(),
            created_s,
            tool: env!("CARGO_PKG_VERSION").into(),
            source: None,
            device,
            supersedes: Vec::new(),
            acceptance: None,
            cases: BTreeMap::new(),
            failed: BTreeMap::new(),
            part: None,
            experiment: false,
            unknown: Vec::new(),
            crlf: false,
        }
    }

    /// The case as a reference to compare with: extra work for a test makes it none.
    pub fn reference(&self, id: &str) -> Option<&CaseRecord> {
        self.cases.get(id).filter(|case| case.engine.build.debug_extra_work_frac.is_none())
    }

    /// Whether its numbers are no result of the commit alone: there were changes beside it, or extra work for a test.
    pub fn is_tainted(&self) -> bool {
        let extra_work = |case: &CaseRecord| case.engine.build.debug_extra_work_frac.is_some();
        self.source.as_ref().is_some_and(|s| s.dirty) || self.cases.values().any(extra_work)
    }

    /// What the record was made of, in one line: `41ab0c3d9e21 (2026-11-22, 4 cases)`.
    pub fn label(&self) -> String {
        let commit = self.source.as_ref().map_or("no commit", |s| short(&s.commit));
        let dirty = if self.source.as_ref().is_some_and(|s| s.dirty) { "+changes" } else { "" };
        let cases =
            if self.cases.len() == 1 { "1 case".into() } else { format!("{} cases", self.cases.len()) };
        format!("{commit}{dirty} ({}, {cases})", date(self.created_s))
    }

    /// What there is to say of its file although it can be read; continues the file's name.
    pub fn file_note(&self) -> Option<String> {
        let unknown = (!self.unknown.is_empty()).then(|| {
            format!(
                "holds what this version of the tool does not know and leaves out: {} (cargo-trt-perf {} wrote it; update with `cargo install cargo-trt-perf`)",
                self.unknown.join(", "),
                self.tool
            )
        });
        let crlf = self.crlf.then(|| {
            "has CRLF line ends, which git made of it (core.autocrlf); it is read as it was written. To keep them out: write `* -text` into baselines/.gitattributes".to_owned()
        });
        let notes: Vec<String> = unknown.into_iter().chain(crlf).collect();
        (!notes.is_empty()).then(|| notes.join("; it "))
    }
}

/// The first 12 digits of a commit id.
pub fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

/// Whether a name can be that of a file wherever it comes from: letters, digits, `-`, `_` and `.`, no dot at its beginning.
pub fn is_plain_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(plain)
}

/// A time as files hold it: RFC 3339, UTC. `seconds` since 1970.
pub fn rfc3339(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map(|t| t.to_string()).unwrap_or_default()
}

/// The seconds since 1970 of a time as files hold it; fails where it is none.
pub(crate) fn created_seconds(text: &str) -> Result<i64, String> {
    let time: jiff::Timestamp = text.parse().map_err(|e| format!("created: {e}"))?;
    Ok(time.as_second())
}

/// `2026-11-22 10:04`, UTC.
pub fn minute(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| "unknown time".into(), |t| t.strftime("%Y-%m-%d %H:%M").to_string())
}

/// `2026-11-22`, UTC.
pub fn date(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds)
        .map_or_else(|_| "unknown date".into(), |t| t.strftime("%Y-%m-%d").to_string())
}
