//! What the parent asks a measure worker to do, and what the worker answers.

use crate::backend::GpuTimes;
use crate::capacity::Curve;
use crate::case::{Budget, Mode, OpenLoop, OperatingPoint, Target};
use crate::device::GpuConditions;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Load an engine and measure it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MeasureJob {
    /// The backend, and where it runs.
    pub target: Target,
    /// The engine's file.
    pub engine: PathBuf,
    /// The engine file must hold exactly this payload.
    pub payload_sha256: String,
    /// The operating point.
    pub point: OperatingPoint,
    /// Which transfers are timed, and how the host waits.
    pub mode: Mode,
    /// What is measured, one after the other, once the engine is warm.
    pub passes: Vec<Pass>,
    /// Seed of random inputs and arrivals.
    pub seed: u64,
    /// Files of input tensors, by the input's name; other inputs are random.
    pub inputs: BTreeMap<String, PathBuf>,
    /// Files of expected outputs, by the output's name.
    pub expect: BTreeMap<String, PathBuf>,
    /// Relative tolerance of expected outputs.
    pub rtol: f64,
    /// Absolute tolerance of expected outputs.
    pub atol: f64,
    /// Whether outputs may be infinite or not a number.
    pub allow_non_finite: bool,
    /// How long to warm up at least, in nanoseconds.
    pub warm_up_ns: u64,
    /// How long to measure, in nanoseconds.
    pub measure_ns: u64,
    /// Look for capacities in an open loop; `None`: one closed loop.
    pub open: Option<OpenJob>,
    /// Where the samples go: latencies in nanoseconds.
    pub samples: PathBuf,
    /// Where the GPU's compute times go, if it times requests.
    pub gpu_samples: PathBuf,
}

/// One way to look at the same requests. Each pass offers requests of its own, so that none disturbs another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pass {
    /// The host's clock times every request; its samples are what a case is judged by.
    HostClock,
    /// The GPU times the parts of requests that run alone.
    GpuClock,
}

/// An open loop to search for the capacity of each budget.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OpenJob {
    /// Arrivals, budgets and batching.
    pub how: OpenLoop,
    /// The budget whose confirming probe gives the samples.
    pub budget: Budget,
    /// Number of the process pair: both arms get the same arrivals.
    pub process: u32,
}

/// What one measuring process found; the samples are in the file the job named.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Measured {
    /// Time to load the engine, in nanoseconds; 0 where a program does not tell.
    pub load_ns: u64,
    /// Latency of the first request, in nanoseconds; 0 where a program does not tell.
    pub first_ns: u64,
    /// Requests while warming up.
    pub warm_up_requests: u64,
    /// Time spent on warming up, in nanoseconds.
    pub warm_up_ns: u64,
    /// Whether warming up ended because latencies were steady (otherwise at its time limit).
    pub steady: bool,
    /// Requests that were timed.
    pub requests: u64,
    /// Requests per second over all streams.
    pub requests_per_s: f64,
    /// The batch; 1 where inferences arrive one by one and are batched.
    pub inferences_per_request: f64,
    /// The kernel stopped this container for its CPU quota while measuring.
    pub throttled: bool,
    /// `None` where the operating system does not tell.
    pub peak_host_bytes: Option<u64>,
    /// The outputs of the first request.
    pub outputs: Vec<OutputFact>,
    /// What loading was spent on, in order: name and nanoseconds. Empty where it is one step.
    #[serde(default)]
    pub steps: Vec<(String, u64)>,
    /// What the GPU said; `None` on a CPU.
    #[serde(default)]
    pub gpu: Option<MeasuredGpu>,
    /// What an open loop found, in requests per second.
    #[serde(default)]
    pub capacity: Option<Curve>,
}

/// What the GPU and its driver said around the measured phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredGpu {
    /// Medians over the requests that the GPU timed; `None` where it timed none.
    pub times: Option<GpuTimes>,
    /// The GPU's state before.
    pub before: GpuConditions,
    /// The GPU's state after.
    pub after: GpuConditions,
    /// Energy of the whole GPU over the measured phase, in joules; `None` where its counter is absent.
    pub energy_j: Option<f64>,
}

/// An output of the first request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputFact {
    /// Its name in the model.
    pub name: String,
    /// Its element type, such as `f32`.
    pub dtype: String,
    /// Its extents.
    pub shape: Vec<usize>,
    /// The hash of its bytes.
    pub sha256: String,
}
