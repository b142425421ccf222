//! What one measuring process found, as plain data: the worker writes it, and the parent makes a summary of it.

use crate::capacity::Curve;
use crate::device::GpuConditions;
use serde::{Deserialize, Serialize};

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
    /// The outputs of a request after warming up.
    pub outputs: Vec<OutputFact>,
    /// What is to be said of the outputs of different requests: that they differ.
    #[serde(default)]
    pub notes: Vec<String>,
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

/// An output of a request.
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

/// The parts of one request, in nanoseconds. All but `enqueue_ns` are differences of two events on the GPU, which
/// resolves about half a microsecond. What it takes to hand over from copying to computing is in none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuTimes {
    /// Host time of handing the request to the driver.
    pub enqueue_ns: u64,
    /// Copying the inputs to the GPU.
    pub h2d_ns: u64,
    /// Computing on the GPU.
    pub compute_ns: u64,
    /// Copying the outputs back.
    pub d2h_ns: u64,
    /// Whether all of the request was submitted before the GPU began it. Otherwise the parts hold the host's launching.
    pub isolated: bool,
}
