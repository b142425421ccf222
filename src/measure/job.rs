//! What the parent asks a measure worker to do.

use super::load::LoadJob;
use crate::case::{Budget, OpenLoop};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Load an engine and measure it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MeasureJob {
    /// The engine.
    pub load: LoadJob,
    /// What is measured, one after the other, once the engine is warm.
    pub passes: Vec<Pass>,
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
    /// How long to measure at least, in nanoseconds.
    pub measure_ns: u64,
    /// A closed loop goes on until it answered so many requests; 0 where only the time counts.
    pub least_requests: u64,
    /// Requests are not waited for once the process has run so long, in nanoseconds.
    pub most_ns: u64,
    /// Look for capacities in an open loop; `None`: one closed loop.
    pub open: Option<OpenJob>,
    /// Where the samples go: latencies in nanoseconds.
    pub samples: PathBuf,
    /// The folder for the outputs after warming up, a `.npy` file each; `None`: they are not kept.
    pub outputs: Option<PathBuf>,
    /// Whether a check holds them to those of the other arm.
    pub judges_outputs: bool,
    /// Where the GPU's compute times go, if it times requests.
    pub gpu_samples: PathBuf,
    /// Where the latencies of the warm-up go, which no number counts, and pictures show.
    pub warm_up_samples: PathBuf,
}

/// One way to look at the same requests. Each pass offers requests of its own, so that none disturbs another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pass {
    /// The host's clock times every request; its samples are what a case is judged by.
    HostClock,
    /// The GPU times the parts of requests that run alone.
    GpuClock,
    /// The library times each layer of requests that run alone. The last: it slows down what follows.
    Layers,
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
