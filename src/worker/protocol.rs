//! What parent and worker send to each other: one job on the worker's standard input, then one JSON message a line on
//! its duplicated standard output. Raw samples travel as files, not through the pipe.

use crate::backend::tensorrt::Looked;
use crate::build::{BuildJob, Built};
use crate::case::Target;
use crate::device::Gpu;
use crate::error::Failure;
use crate::measure::{MeasureJob, Measured};
use crate::progress::Stage;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Parent and worker are the same executable; the number guards against a binary replaced between two spawns.
pub const PROTOCOL: u32 = 1;

// There is one per process, so its size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// Which GPUs the backend has here.
    Gpus(Target),
    Build(BuildJob),
    Measure(MeasureJob),
    /// Look for TensorRT and open it: the folder, or `None` to search.
    Probe(Option<PathBuf>),
}

/// Where TensorRT was looked for, and what was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    pub looked: Vec<Looked>,
    /// The library that would be used, with its version, or why there is none.
    pub library: Result<String, Failure>,
}

/// One line from the worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerMessage {
    Hello {
        protocol: u32,
        pid: u32,
    },
    /// A stage begins; `expected_ns` is how long it will take at least, 0 where nobody knows.
    Stage {
        stage: Stage,
        expected_ns: u64,
    },
    /// In the backend's order, which is CUDA's.
    Gpus(Vec<Gpu>),
    Built(Box<Built>),
    Measured(Box<Measured>),
    /// Within the build stage: what the library is doing, and how far it is (`steps` is 0 where nobody knows).
    Progress {
        doing: String,
        step: u32,
        steps: u32,
    },
    Probed(Probed),
    Failed(Failure),
}
