//! What parent and worker say to each other: one job on the worker's standard input, then one JSON message a
//! line on its duplicated standard output. Raw samples travel as files, never through the pipe.

use crate::backend::GpuTimes;
use crate::backend::tensorrt::Looked;
use crate::capacity::Curve;
use crate::case::{Budget, Mode, OpenLoop, OperatingPoint, Target};
use crate::config::{BuildOptions, Shape};
use crate::device::{Gpu, GpuConditions};
use crate::engine::EngineHeader;
use crate::error::Failure;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
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

/// Make the engine of a case, or find it in the cache.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BuildJob {
    pub target: Target,
    pub model: PathBuf,
    pub shapes: BTreeMap<String, Shape>,
    /// Fills a dynamic first dimension without a shape, where `batches` was configured.
    pub batch: Option<u64>,
    /// Whether a configured shape names the batch already.
    pub batch_in_shapes: bool,
    pub build: BuildOptions,
    pub threads: u64,
    /// The cache folder.
    pub engines: PathBuf,
}

/// The engine of a case.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Built {
    pub engine: PathBuf,
    pub engine_bytes: u64,
    pub header: EngineHeader,
    pub cached: bool,
}

/// Load an engine and measure it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MeasureJob {
    pub target: Target,
    pub engine: PathBuf,
    /// The engine file must hold exactly this payload.
    pub payload_sha256: String,
    pub point: OperatingPoint,
    pub mode: Mode,
    /// Whether a pass follows in which a GPU times requests by itself.
    pub timed: bool,
    pub seed: u64,
    pub inputs: BTreeMap<String, PathBuf>,
    pub expect: BTreeMap<String, PathBuf>,
    pub rtol: f64,
    pub atol: f64,
    pub allow_non_finite: bool,
    pub warm_up_ns: u64,
    pub measure_ns: u64,
    /// Look for capacities in an open loop; `None`: one closed loop.
    pub open: Option<OpenJob>,
    /// Where the samples go: latencies in nanoseconds.
    pub samples: PathBuf,
    /// Where the GPU's compute times go, if it times requests.
    pub gpu_samples: PathBuf,
}

/// An open loop to search for the capacity of each budget.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenJob {
    pub how: OpenLoop,
    /// The budget whose confirming probe gives the samples.
    pub budget: Budget,
    /// Number of the process pair: both arms get the same arrivals.
    pub process: u32,
}

/// What one measuring process found; the samples are in the file the job named.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    pub load_ns: u64,
    pub first_ns: u64,
    pub warm_up_requests: u64,
    pub warm_up_ns: u64,
    /// Whether warming up ended because latencies were steady (otherwise at its time limit).
    pub steady: bool,
    pub requests: u64,
    /// Requests per second over all streams.
    pub requests_per_s: f64,
    /// The batch; 1 where inferences arrive one by one and are batched.
    pub inferences_per_request: f64,
    /// The kernel stopped this container for its CPU quota while measuring.
    pub throttled: bool,
    /// `None` where the operating system does not tell.
    pub peak_host_bytes: Option<u64>,
    pub outputs: Vec<OutputFact>,
    /// What loading was spent on, in order: name and nanoseconds. Empty where it is one step.
    #[serde(default)]
    pub steps: Vec<(String, u64)>,
    #[serde(default)]
    pub gpu: Option<MeasuredGpu>,
    /// What an open loop found, in requests per second.
    #[serde(default)]
    pub capacity: Option<Curve>,
}

/// What the GPU and its driver said around the measured phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredGpu {
    /// Medians over the requests of the timed pass; `None` where there was none.
    pub times: Option<GpuTimes>,
    pub before: GpuConditions,
    pub after: GpuConditions,
    /// Energy of the whole GPU over the measured phase, in joules; `None` where its counter is absent.
    pub energy_j: Option<f64>,
}

/// An output of the first request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFact {
    pub name: String,
    pub dtype: String,
    pub shape: Vec<usize>,
    pub sha256: String,
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
pub enum Message {
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    Build,
    Load,
    WarmUp,
    Measure,
}

impl Stage {
    pub fn word(self) -> &'static str {
        match self {
            Self::Build => "building",
            Self::Load => "loading",
            Self::WarmUp => "warming up",
            Self::Measure => "measuring",
        }
    }
}
