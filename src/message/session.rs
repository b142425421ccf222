//! The messages that every session sends, in the order in which they come.

use super::GridPoint;
use crate::config::{BuildOptions, Scenario};
use crate::error::{Failure, FailureKind};
use crate::progress::Stage;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// A session begins.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SessionStarted {
    /// Version of cargo-trt-perf.
    pub tool: String,
    /// The backend's name; of several, each, with commas between them.
    pub backend: String,
    /// Why those.
    pub backend_reason: String,
    /// The device key.
    pub device: String,
    /// The numbers of the devices that measure side by side; empty where there is but one.
    pub devices: Vec<u32>,
    /// Ids.
    pub cases: Vec<String>,
}

/// A device takes a case: what follows of it happens there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LaneTaken {
    /// The case's id.
    pub case: String,
    /// The device's number.
    pub device: u32,
}

/// A stage of a worker begins.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StageBegun {
    /// The case's id.
    pub case: String,
    /// 0 while building, then from 1.
    pub process: u64,
    /// The stage that begins.
    pub stage: Stage,
    /// 0: unknown.
    pub expected_ns: u64,
}

/// How far a stage is.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StageProgress {
    /// The case's id.
    pub case: String,
    /// What is being done.
    pub doing: String,
    /// Steps done.
    pub step: u32,
    /// 0: unknown.
    pub steps: u32,
}

/// A look at the pairs of a case did not decide it, and more pairs are measured.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct LookTaken {
    /// The case's id.
    pub case: String,
    /// Pairs that count so far.
    pub pairs: usize,
    /// Pairs at the next look.
    pub until: usize,
    /// Pairs at the last look.
    pub most: usize,
    /// How long the pairs up to the next look will take, by those so far.
    pub expected_ns: u64,
}

/// An engine is ready.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct EngineReady {
    /// The case's id.
    pub case: String,
    /// The path of its file; that of a check is gone afterwards.
    pub engine: String,
    /// SHA-256 over everything it was made from.
    pub inputs: String,
    /// It was there already.
    pub cached: bool,
    /// How long building took, when it was built.
    pub build_ns: u64,
    /// Size of the engine.
    pub bytes: u64,
}

/// A measuring process ended.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ProcessEnded {
    /// The case's id.
    pub case: String,
    /// From 1.
    pub process: u64,
    /// Requests that were timed.
    pub requests: u64,
    /// Mean latency.
    pub mean_ns: f64,
    /// Median latency; null where too few requests support it.
    pub p50_ns: Option<f64>,
    /// The latency that 99 % of the requests keep; null where too few requests support it.
    pub p99_ns: Option<f64>,
    /// Inferences per second.
    pub inferences_per_s: f64,
}

/// What went wrong, and what to do next.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FailureSaid {
    /// The kind of failure.
    pub kind: FailureKind,
    /// What went wrong.
    pub message: String,
    /// The next step; empty where there is no advice.
    pub next: String,
}

impl From<&Failure> for FailureSaid {
    fn from(f: &Failure) -> Self {
        Self { kind: f.kind, message: f.message.clone(), next: f.next.clone() }
    }
}

/// A case could not be built or measured.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CaseFailed {
    /// The case's id.
    pub case: String,
    /// What went wrong.
    #[serde(flatten)]
    pub failure: FailureSaid,
}

/// Something worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Note {
    /// The remark.
    pub text: String,
}

/// The end of `run` or `import`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SessionFinished {
    /// The path of the record; null if none was written.
    pub record: Option<String>,
    /// The id of the record.
    pub id: String,
    /// Cases.
    pub measured: usize,
    /// Cases that could not be built or measured.
    pub failed: usize,
    /// Cases that became worse.
    pub regressed: usize,
    /// Cases whose numbers do not decide.
    pub inconclusive: usize,
    /// Whether Ctrl-C ended it early.
    pub interrupted: bool,
    /// The program's exit code.
    pub exit_code: u8,
}

/// A case that would be measured: what is known before its model is read.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CaseListed {
    /// The case's id.
    pub case: String,
    /// The model file.
    pub model: String,
    /// The backend's name.
    pub backend: String,
    /// Why that backend.
    pub backend_reason: String,
    /// How requests are offered.
    pub scenario: Scenario,
    /// Where it is measured, as configured: a stored pin may take its place.
    #[serde(flatten)]
    pub point: GridPoint,
    /// The shape of each input that is configured.
    pub shapes: BTreeMap<String, String>,
    /// The latency budget; null where none is configured.
    pub budget: Option<BudgetListed>,
    /// Fresh measuring processes.
    pub processes: u64,
    /// How often the engine is built.
    pub builds: u64,
    /// Each process runs unmeasured for at least this long.
    pub warm_up_ns: u64,
    /// Then it is measured for this long.
    pub measure_ns: u64,
}

/// A configured latency budget.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct BudgetListed {
    /// The time that the percentile may take.
    pub max_ns: u64,
    /// The percentile as a fraction, such as 0.99.
    pub quantile: f64,
}

/// What a case would be built with.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CaseBuildOptions {
    /// The case's id.
    pub case: String,
    /// The backend's name.
    pub backend: String,
    /// The folder of TensorRT's libraries, where one was named.
    pub tensorrt: Option<String>,
    /// The build options.
    pub options: BuildOptions,
}

/// The end of `build`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BuildFinished {
    /// How many are ready.
    pub engines: usize,
    /// How many could not be built.
    pub failed: usize,
    /// Whether Ctrl-C ended it early.
    pub interrupted: bool,
    /// The program's exit code.
    pub exit_code: u8,
}
