//! Says what holds a case back on its GPU: launching, copies, power, the clock, or nothing but computing.

use super::figures::GpuFigures;
use crate::device::Throttle;
use crate::record::CaseRecord;
use schemars::JsonSchema;
use serde::Serialize;

/// How far below its highest clock a GPU has to run before that is worth a word. A clock that is not locked moves by a
/// few percent by itself.
const CLOCK_SHORT_FRAC: f64 = 0.05;

/// What a case would have to be rid of to become faster. Times are medians in nanoseconds per request.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "by", rename_all = "kebab-case")]
pub enum Bound {
    /// The host hands requests over no faster than the GPU computes them.
    Launch {
        /// Host time of handing a request over.
        enqueue_ns: f64,
        /// Computing on the GPU.
        compute_ns: f64,
        /// Requests replay a CUDA graph already.
        cuda_graph: bool,
        /// Inferences per second if nothing but computing took time: about what a CUDA graph can give at best. Null where
        /// requests replay one already, where several streams compute at once, and where the GPU's times hold launching.
        compute_per_s: Option<f64>,
    },
    /// Copying takes longer than computing.
    Copies {
        /// Copying the inputs to the GPU.
        h2d_ns: f64,
        /// Copying the outputs back.
        d2h_ns: f64,
        /// Computing on the GPU.
        compute_ns: f64,
        /// Several requests are in flight: copies in both directions run at the same time.
        overlap: bool,
    },
    /// A higher clock would take more power than the GPU is allowed.
    Power {
        /// Clock of the multiprocessors.
        sm_mhz: f64,
        /// The highest there is.
        max_sm_mhz: f64,
    },
    /// The clock is low, and the driver names no reason that holds it down: it may be locked.
    Clock {
        /// Clock of the multiprocessors.
        sm_mhz: f64,
        /// The highest there is.
        max_sm_mhz: f64,
    },
    /// Neither of the others: computing itself.
    Gpu,
}

impl Bound {
    /// `None` where the numbers do not tell: the requests were not timed by the GPU and no power limit was met, the
    /// GPU's times hold the host's launching, or something made the numbers invalid.
    pub(super) fn of(case: &CaseRecord, gpu: &GpuFigures) -> Option<Self> {
        if case.invalid_reason().is_some() {
            return None;
        }
        // A GPU that meets its power limit is busy, whatever the host does.
        let Some(times) = RequestTimes::of(case, gpu) else { return power(case, gpu) };
        let RequestTimes { enqueue_ns, h2d_ns, compute_ns, d2h_ns } = times;
        let overlap = case.point.streams.saturating_mul(case.point.in_flight) > 1;
        let copies_ns = if overlap { h2d_ns.max(d2h_ns) } else { h2d_ns + d2h_ns };
        if enqueue_ns >= compute_ns.max(copies_ns) {
            let cuda_graph = case.point.cuda_graph;
            let alone = !cuda_graph && case.point.streams == 1 && !gpu.holds_launching;
            let compute_per_s = alone.then(|| case.point.batch as f64 * 1e9 / compute_ns);
            return Some(Self::Launch { enqueue_ns, compute_ns, cuda_graph, compute_per_s });
        }
        if copies_ns > compute_ns {
            return Some(Self::Copies { h2d_ns, d2h_ns, compute_ns, overlap });
        }
        // Launching that the GPU waited for is no more than all of it.
        let launching_ns = if gpu.holds_launching { enqueue_ns } else { 0.0 };
        if enqueue_ns.max(copies_ns) > compute_ns - launching_ns {
            return None;
        }
        Some(power(case, gpu).or_else(|| clock(case, gpu)).unwrap_or(Self::Gpu))
    }
}

/// What a request consists of.
struct RequestTimes {
    enqueue_ns: f64,
    h2d_ns: f64,
    compute_ns: f64,
    d2h_ns: f64,
}

impl RequestTimes {
    fn of(case: &CaseRecord, gpu: &GpuFigures) -> Option<Self> {
        // Without transfers two events follow each other at once, and what is between them is not copying.
        let copy = |ns: f64| if case.mode.transfers { ns } else { 0.0 };
        Some(Self {
            enqueue_ns: gpu.enqueue_ns?.estimate(),
            h2d_ns: copy(gpu.h2d_ns?.estimate()),
            compute_ns: gpu.compute_p50_ns?.estimate().max(1.0),
            d2h_ns: copy(gpu.d2h_ns?.estimate()),
        })
    }
}

/// Where the driver named the power limit after most of the processes.
fn power(case: &CaseRecord, gpu: &GpuFigures) -> Option<Bound> {
    let is_held = |held_by: &[Throttle]| held_by.contains(&Throttle::PowerLimit);
    let held = case.processes.iter().filter(|s| s.gpu.as_ref().is_some_and(|g| is_held(&g.held_by))).count();
    let (sm_mhz, max_sm_mhz) = clocks(gpu)?;
    (2 * held > case.processes.len()).then_some(Bound::Power { sm_mhz, max_sm_mhz })
}

/// Where nothing that the driver names holds the clock down.
fn clock(case: &CaseRecord, gpu: &GpuFigures) -> Option<Bound> {
    let held = case.processes.iter().any(|s| s.gpu.as_ref().is_some_and(|g| !g.held_by.is_empty()));
    let (sm_mhz, max_sm_mhz) = clocks(gpu)?;
    let low = sm_mhz < max_sm_mhz * (1.0 - CLOCK_SHORT_FRAC);
    (low && !held).then_some(Bound::Clock { sm_mhz, max_sm_mhz })
}

fn clocks(gpu: &GpuFigures) -> Option<(f64, f64)> {
    Some((gpu.sm_mhz?.estimate(), gpu.max_sm_mhz?.estimate()))
}

#[cfg(test)]
mod tests;
