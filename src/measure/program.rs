//! Measures a backend that is a program and times its own requests.

use super::gpu::{keep_warm_up, write_beside};
use super::job::MeasureJob;
use crate::backend::{Program, ProgramRun};
use crate::device;
use crate::engine::EngineHeader;
use crate::error::{Failure, Result};
use crate::measured::{Measured, MeasuredGpu};
use crate::progress::{Stage, Tell};
use crate::steady;
use crate::tensor::write_samples;
use std::path::Path;

/// One process's worth.
pub(super) fn measure(
    program: &dyn Program,
    job: &MeasureJob,
    header: &EngineHeader,
    tell: &mut dyn Tell,
) -> Result<Measured> {
    not_ours(job, header)?;
    tell.stage(Stage::Measure, job.warm_up_ns.saturating_add(job.measure_ns));
    let throttles = device::throttle_count();
    let m = program.measure(&ProgramRun {
        warm_up_ns: job.warm_up_ns,
        measure_ns: job.measure_ns,
        least_requests: job.least_requests,
        most_ns: job.most_ns,
        seed: job.load.seed,
        scratch: job.samples.parent().unwrap_or(Path::new(".")),
    })?;
    write_samples(&job.samples, &m.latencies)?;
    write_beside(&job.gpu_samples, &m.compute)?;
    keep_warm_up(&job.warm_up_samples, &m.warm_up);
    Ok(Measured {
        layers: None,
        load_ns: m.load_ns,
        first_ns: 0,
        warm_up_requests: m.warm_up.len() as u64,
        warm_up_ns: job.warm_up_ns,
        // Where it does not say how it warmed up, nothing is known against it.
        steady: m.warm_up.is_empty() || steady::is_steady(&m.warm_up),
        requests: m.latencies.len() as u64,
        requests_per_s: m.requests_per_s,
        inferences_per_request: job.load.point.batch as f64,
        throttled: device::throttle_count() > throttles,
        peak_host_bytes: None,
        outputs: Vec::new(),
        notes: Vec::new(),
        steps: Vec::new(),
        gpu: m.gpu.map(|[before, after]| MeasuredGpu { times: m.times, before, after, energy: None }),
        capacity: None,
    })
}

/// What only requests of our own could do.
fn not_ours(job: &MeasureJob, header: &EngineHeader) -> Result<()> {
    let what = if header.made_from.build.debug_extra_work_frac.is_some() {
        "debug-extra-work adds work to requests"
    } else if !job.expect.is_empty() {
        "expect compares outputs"
    } else if job.judges_outputs {
        "outputs compares those of two commits"
    } else {
        return Ok(());
    };
    Err(Failure::usage(format!("{what}, and {} runs its requests itself", header.made_from.backend))
        .next("take it out, or use another backend for this case"))
}
