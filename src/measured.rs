//! What one measuring process found, as plain data: the worker writes it, and the parent makes a summary of it.

use crate::capacity::Curve;
use crate::device::GpuConditions;
use crate::layers::{EngineLayers, LayerTimes};
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
    /// What the library timed layer by layer, where it was asked to.
    #[serde(default)]
    pub layers: Option<MeasuredLayers>,
}

/// What an engine tells of its layers, and what they took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MeasuredLayers {
    /// The layers.
    pub engine: EngineLayers,
    /// Their times in this process.
    pub times: LayerTimes,
}

/// What a worker did while a profiler watched it; no measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfiledRun {
    /// Requests that were recorded, over all streams.
    pub requests: u64,
    /// Requests before them.
    pub warm_up_requests: u64,
    /// Whether CUDA graphs were captured while the profiler recorded, so that their kernels have layers.
    pub captured_in_profile: bool,
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
    /// Energy of the whole GPU over the requests; `None` where its counter is absent, or too coarse for them.
    pub energy: Option<Energy>,
}

/// The longest that a GPU's counter of energy stands still: drivers move it every 20 to 100 ms, by GPU.
const COUNTER_STEP_NS: u64 = 100_000_000;

/// Steps of the counter below which the difference of two readings is no measurement. Either reading is up to a step
/// old, so the difference holds up to a step too much or too little: a fifth of five steps.
const LEAST_STEPS: u64 = 5;

/// What the whole GPU used between two readings of its counter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Energy {
    /// Idle power included.
    pub joules: f64,
    /// The time between the readings, in nanoseconds: that of the requests and nothing else.
    pub window_ns: u64,
}

impl Energy {
    /// By the counter at the start and at the end of the window, in joules. `None` where the window is too short for the
    /// counter, or it did not move, or went back as it does where the driver is loaded anew.
    pub fn between(start_j: f64, end_j: f64, window_ns: u64) -> Option<Self> {
        let joules = end_j - start_j;
        (window_ns >= LEAST_STEPS * COUNTER_STEP_NS && joules > 0.0).then_some(Self { joules, window_ns })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn energy_needs_a_few_steps_of_its_counter() {
        let over = |ms: u64| Energy::between(1000.0, 1350.0, ms * 1_000_000);
        assert_eq!(over(1000), Some(Energy { joules: 350.0, window_ns: 1_000_000_000 }));
        assert!(over(499).is_none() && over(500).is_some(), "five steps of 100 ms");
        assert_eq!(Energy::between(1000.0, 1000.0, 1_000_000_000), None, "a counter that stands still");
        assert_eq!(Energy::between(1000.0, 0.5, 1_000_000_000), None, "a driver that was loaded anew");
    }
}
