//! The message about one measured case.

use super::{ComparedCase, Number};
use crate::config::Scenario;
use crate::outcome::{Bound, BuildSpread};
use schemars::JsonSchema;
use serde::Serialize;

/// All processes of a case ended.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CaseFinished {
    /// The case's id.
    pub case: String,
    /// `latency`, `throughput` or `capacity`.
    pub scenario: Scenario,
    /// Null unless it is a test: extra work as a share of the inference time.
    pub debug_extra_work_frac: Option<f64>,
    /// The library of our own tests took TensorRT's place.
    pub test_library: bool,
    /// Mean latency.
    pub mean_ns: Option<Number>,
    /// Median latency.
    pub p50_ns: Option<Number>,
    /// The latency that 90 % of the requests keep.
    pub p90_ns: Option<Number>,
    /// The latency that 99 % of the requests keep.
    pub p99_ns: Option<Number>,
    /// Inferences per second.
    pub inferences_per_s: Option<Number>,
    /// Loading the engine.
    pub load_ns: Option<Number>,
    /// Loading the engine where nothing that was compiled for it is kept; null where the library compiles nothing then,
    /// or nothing is kept.
    pub cold_load_ns: Option<u64>,
    /// The first request.
    pub first_ns: Option<Number>,
    /// The most host memory that a process used.
    pub peak_host_bytes: Option<Number>,
    /// Null on `cpu`.
    pub gpu: Option<GpuNumbers>,
    /// How much builds of the engine differ; null where it was built once.
    pub builds: Option<BuildSpread>,
    /// What holds the case back on its GPU; null where the numbers do not tell.
    pub bound: Option<Bound>,
    /// Null without a budget.
    pub budget: Option<BudgetNumbers>,
    /// Null in closed loops.
    pub capacity: Option<CapacityNumbers>,
    /// Null where there is nothing to compare with.
    pub comparison: Option<ComparedCase>,
}

/// What the GPU measured of the requests, and its state at the end.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct GpuNumbers {
    /// Median of computing on the GPU.
    pub compute_p50_ns: Option<Number>,
    /// What 99 % of the requests compute within.
    pub compute_p99_ns: Option<Number>,
    /// The median times the measured clock over the highest one: what it would take at the highest clock.
    pub compute_p50_at_max_clock_ns: Option<Number>,
    /// Host time of handing a request to the driver.
    pub enqueue_ns: Option<Number>,
    /// Copying inputs to the device.
    pub h2d_ns: Option<Number>,
    /// Copying outputs to the host.
    pub d2h_ns: Option<Number>,
    /// Clock of the multiprocessors.
    pub sm_mhz: Option<Number>,
    /// Energy of the whole GPU per inference, in joules.
    pub joules_per_inference: Option<Number>,
}

/// Whether the budget holds.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct BudgetNumbers {
    /// The time that the percentile may take.
    pub max_ns: u64,
    /// The percentile as a fraction, such as 0.99.
    pub quantile: f64,
    /// Share of the requests over the budget.
    pub over_frac: f64,
    /// The percentile is within the budget.
    pub holds: bool,
    /// There were requests enough for that quantile.
    pub judged: bool,
}

/// What an open loop found.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CapacityNumbers {
    /// One for each budget.
    pub points: Vec<CapacityPointNumbers>,
    /// Inferences per second of a closed loop at the same operating point.
    pub closed_per_s: Option<Number>,
    /// Median latency of the closed loop.
    pub closed_p50_ns: Option<Number>,
    /// The largest share of late arrivals of any process.
    pub late_frac: Option<f64>,
}

/// What an open loop found for one budget.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CapacityPointNumbers {
    /// The budget.
    pub budget_ns: u64,
    /// Null where there is no such rate.
    pub inferences_per_s: Option<Number>,
    /// The lowest rate that a long run confirmed.
    pub confirmed_per_s: Option<f64>,
}
