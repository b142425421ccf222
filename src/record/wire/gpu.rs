//! What a GPU reported about a process, as it is written in records.

use crate::device::Throttle;
use crate::measured::GpuTimes;
use crate::summarize::{Compute, GpuSummary, InvalidReason};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct GpuV1 {
    /// Time the GPU computed per request; left out where requests were not timed by events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    compute: Option<ComputeV1>,
    /// Median host time of handing a request to the driver, and of the copies to and from the GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    parts: Option<PartsV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sm_mhz: Option<f64>,
    /// The highest clock of the multiprocessors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_sm_mhz: Option<f64>,
    /// What held the clocks down at the end of the measured phase.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    held_by: Vec<Throttle>,
    /// By which share of itself the clock moved while measuring, where by more than 1 %.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    clock_change_frac: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    temperature_c: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    power_w: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    joules_per_inference: Option<f64>,
    /// How long the energy was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    energy_window_ns: Option<u64>,
    /// Why the numbers are not valid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spoiled: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct ComputeV1 {
    mean_ns: f64,
    p50_ns: f64,
    p99_ns: f64,
    /// The median times the measured clock over the highest one of the GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p50_at_max_clock_ns: Option<f64>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct PartsV1 {
    enqueue_ns: u64,
    h2d_ns: u64,
    compute_ns: u64,
    d2h_ns: u64,
    /// Whether the GPU began a request only when all of it had been submitted.
    isolated: bool,
}

pub(super) fn to_wire(g: &GpuSummary, round: fn(f64) -> f64) -> GpuV1 {
    GpuV1 {
        compute: g.compute.map(|c| ComputeV1 {
            mean_ns: round(c.mean_ns),
            p50_ns: round(c.p50_ns),
            p99_ns: round(c.p99_ns),
            p50_at_max_clock_ns: c.p50_at_max_clock_ns.map(round),
        }),
        parts: g.times.map(|t| PartsV1 {
            enqueue_ns: t.enqueue_ns,
            h2d_ns: t.h2d_ns,
            compute_ns: t.compute_ns,
            d2h_ns: t.d2h_ns,
            isolated: t.isolated,
        }),
        sm_mhz: g.sm_mhz.map(round),
        max_sm_mhz: g.max_sm_mhz.map(round),
        held_by: g.held_by.clone(),
        clock_change_frac: g.clock_change_frac.map(round),
        temperature_c: g.temperature_c,
        power_w: g.power_w.map(round),
        joules_per_inference: g.joules_per_inference.map(round),
        energy_window_ns: g.energy_window_ns,
        spoiled: g.invalid_reason.as_ref().map(ToString::to_string),
    }
}

pub(super) fn from_wire(g: GpuV1) -> GpuSummary {
    GpuSummary {
        compute: g.compute.map(|c| Compute {
            mean_ns: c.mean_ns,
            p50_ns: c.p50_ns,
            p99_ns: c.p99_ns,
            p50_at_max_clock_ns: c.p50_at_max_clock_ns,
        }),
        times: g.parts.map(|t| GpuTimes {
            enqueue_ns: t.enqueue_ns,
            h2d_ns: t.h2d_ns,
            compute_ns: t.compute_ns,
            d2h_ns: t.d2h_ns,
            isolated: t.isolated,
        }),
        sm_mhz: g.sm_mhz,
        max_sm_mhz: g.max_sm_mhz,
        held_by: g.held_by,
        clock_change_frac: g.clock_change_frac,
        temperature_c: g.temperature_c,
        power_w: g.power_w,
        joules_per_inference: g.joules_per_inference,
        energy_window_ns: g.energy_window_ns,
        invalid_reason: g.spoiled.map(InvalidReason::Recorded),
    }
}
