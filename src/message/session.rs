//! The messages that every session sends, in the order in which they come.

use crate::config::BuildOptions;
use crate::error::{Failure, FailureKind};
use crate::progress::Stage;
use schemars::JsonSchema;
use serde::Serialize;

/// A session begins.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SessionStarted {
    /// Version of cargo-trt-perf.
    pub tool: String,
    pub backend: String,
    /// Why that backend.
    pub backend_reason: String,
    /// The device key.
    pub device: String,
    /// Ids.
    pub cases: Vec<String>,
}

/// A stage of a worker begins.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StageBegun {
    pub case: String,
    /// 0 while building, then from 1.
    pub process: u64,
    pub stage: Stage,
    /// 0: unknown.
    pub expected_ns: u64,
}

/// How far a stage is.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StageProgress {
    pub case: String,
    pub doing: String,
    pub step: u32,
    /// 0: unknown.
    pub steps: u32,
}

/// An engine is ready.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct EngineReady {
    pub case: String,
    /// The path of its file.
    pub engine: String,
    /// SHA-256 over everything it was made from.
    pub inputs: String,
    /// It was there already.
    pub cached: bool,
    /// How long building took, when it was built.
    pub build_ns: u64,
    pub bytes: u64,
}

/// A measuring process ended.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ProcessEnded {
    pub case: String,
    /// From 1.
    pub process: u64,
    pub requests: u64,
    pub mean_ns: f64,
    pub p50_ns: Option<f64>,
    pub p99_ns: Option<f64>,
    pub inferences_per_s: f64,
}

/// What went wrong, and what to do next.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FailureSaid {
    pub kind: FailureKind,
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
    pub case: String,
    #[serde(flatten)]
    pub failure: FailureSaid,
}

/// Something worth knowing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Note {
    pub text: String,
}

/// The end of `run` or `import`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SessionFinished {
    /// The path of the record; null if none was written.
    pub record: Option<String>,
    /// Of the record.
    pub id: String,
    /// Cases.
    pub measured: usize,
    pub failed: usize,
    pub regressed: usize,
    pub inconclusive: usize,
    pub interrupted: bool,
    pub exit_code: u8,
}

/// What a case would be built with.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CaseBuildOptions {
    pub case: String,
    pub backend: String,
    /// The folder of TensorRT's libraries, where one was named.
    pub tensorrt: Option<String>,
    pub options: BuildOptions,
}

/// The end of `build`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BuildFinished {
    /// How many are ready.
    pub engines: usize,
    /// How many could not be built.
    pub failed: usize,
    pub interrupted: bool,
    pub exit_code: u8,
}
