//! One measured process, as it is written in records.

use super::{capacity, gpu};
use crate::stats::QUANTILES;
use crate::summarize::Summary;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct SummaryV1 {
    requests: u64,
    warm_up_requests: u64,
    steady: bool,
    dropped: u64,
    non_stationary: bool,
    /// The container was stopped for its CPU quota while measuring.
    #[serde(default)]
    throttled: bool,
    mean_ns: f64,
    sd_ns: f64,
    min_ns: u64,
    max_ns: u64,
    /// The 1, 5, 10, 25, 50, 75, 90, 95, 99 and 99.9 % quantiles.
    quantiles_ns: [f64; QUANTILES.len()],
    lag1: f64,
    n_eff: f64,
    /// The step of the clock that requests were timed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tick_ns: Option<u64>,
    /// How long it was to measure, at least: asked for, or chosen for the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    measure_ns: Option<u64>,
    /// The build that it loaded, from 1, where the engine was built several times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    build: Option<u32>,
    outliers_mild: u64,
    outliers_severe: u64,
    inferences_per_s: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    over_budget_frac: Option<f64>,
    load_ns: u64,
    first_ns: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    peak_host_bytes: Option<u64>,
    /// What loading was spent on, in order: name and nanoseconds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    steps: Vec<(String, u64)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gpu: Option<gpu::GpuV1>,
    /// What an open loop found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    capacity: Option<capacity::CapacityV1>,
}

/// `round` is how many digits numbers keep.
pub(super) fn to_wire(s: &Summary, round: fn(f64) -> f64) -> SummaryV1 {
    SummaryV1 {
        requests: s.requests,
        warm_up_requests: s.warm_up_requests,
        steady: s.steady,
        dropped: s.dropped,
        non_stationary: s.non_stationary,
        throttled: s.throttled,
        mean_ns: round(s.mean_ns),
        sd_ns: round(s.sd_ns),
        min_ns: s.min_ns,
        max_ns: s.max_ns,
        quantiles_ns: s.quantiles_ns.map(round),
        lag1: round(s.lag1),
        n_eff: round(s.n_eff),
        tick_ns: s.tick_ns,
        measure_ns: s.measure_ns,
        build: s.build,
        outliers_mild: s.outliers_mild,
        outliers_severe: s.outliers_severe,
        inferences_per_s: round(s.inferences_per_s),
        over_budget_frac: s.over_budget_frac.map(round),
        load_ns: s.load_ns,
        first_ns: s.first_ns,
        peak_host_bytes: s.peak_host_bytes,
        steps: s.steps.clone(),
        gpu: s.gpu.as_ref().map(|gpu| gpu::to_wire(gpu, round)),
        capacity: s.capacity.as_ref().map(|curve| capacity::to_wire(curve, round)),
    }
}

pub(super) fn from_wire(s: SummaryV1) -> Summary {
    Summary {
        requests: s.requests,
        warm_up_requests: s.warm_up_requests,
        steady: s.steady,
        dropped: s.dropped,
        non_stationary: s.non_stationary,
        throttled: s.throttled,
        mean_ns: s.mean_ns,
        sd_ns: s.sd_ns,
        min_ns: s.min_ns,
        max_ns: s.max_ns,
        quantiles_ns: s.quantiles_ns,
        lag1: s.lag1,
        n_eff: s.n_eff,
        tick_ns: s.tick_ns,
        measure_ns: s.measure_ns,
        build: s.build,
        outliers_mild: s.outliers_mild,
        outliers_severe: s.outliers_severe,
        inferences_per_s: s.inferences_per_s,
        over_budget_frac: s.over_budget_frac,
        load_ns: s.load_ns,
        first_ns: s.first_ns,
        peak_host_bytes: s.peak_host_bytes,
        steps: s.steps,
        gpu: s.gpu.map(gpu::from_wire),
        capacity: s.capacity.map(capacity::from_wire),
    }
}
