//! Measures an engine and gives back samples. Runs in a measure worker: a fresh process that built nothing.
//!
//! In order: read and verify the engine, load it, send the first request, warm up until latencies are steady, then do
//! the passes of the job. Each has its own number; only the requests of the passes become samples.

mod capacity;
mod extra_work;
mod gpu;
pub mod host;
mod job;
mod layers;
mod load;
mod memory;
pub mod open;
mod outputs;
mod profiled;
mod program;
mod tensors;
mod warm;
mod warm_up;
mod watch;

pub use capacity::EXPECTED_PROBES;
pub use gpu::GPU_CLOCK_PART;
pub use job::{MeasureJob, OpenJob, Pass};
pub use load::LoadJob;
pub use memory::{MemoryFound, MemoryJob, run as memory};
pub use outputs::take as take_outputs;
pub use profiled::{ProfileJob, run as profile};
pub use warm::{WarmJob, run as warm};

use crate::backend::{Loaded, Opened, backend, infer};
use crate::device;
use crate::engine::EngineHeader;
use crate::error::{Failure, Result};
use crate::measured::{Measured, MeasuredGpu, MeasuredLayers};
use crate::progress::{Progress, Stage, Tell};
use crate::tensor::write_samples;
use crate::units::{count, nanos};
use host::{Answered, first};
use outputs::{Answer, Checks};
use std::time::{Duration, Instant};
use warm_up::{WarmUp, warm_up};
use watch::watched;

/// Measures one process's worth.
pub fn run(job: &MeasureJob, tell: &mut dyn Tell) -> Result<Measured> {
    let since = Instant::now();
    let (header, parts) = job.load.read()?;
    let feeds = job.load.feeds(&header)?;
    let setup = job.load.setup()?;
    tell.stage(Stage::Load, 0);
    match backend(&job.load.target)?.load(&header, parts, &setup, &feeds)? {
        Loaded::Program(program) => program::measure(program.as_ref(), job, &header, tell),
        Loaded::Streams(opened) => measure(*opened, job, &header, since, tell),
    }
}

/// First request, warming up, and the passes, on streams of our own.
fn measure(
    mut opened: Opened,
    job: &MeasureJob,
    header: &EngineHeader,
    since: Instant,
    tell: &mut dyn Tell,
) -> Result<Measured> {
    if let Some(share) = header.made_from.build.debug_extra_work_frac {
        opened.streams = extra_work::burden(opened.streams, share)?;
    }
    let start = Instant::now();
    infer(first(&mut opened.streams)?.as_mut())?;
    let first_ns = nanos(start.elapsed());
    let checks = Checks::of(job, header, opened.plain.take())?;
    let at_first = answer_now(&mut opened, "in the first request")?;
    tell.stage(Stage::WarmUp, job.warm_up_ns);
    let warm_up =
        warm_up(&mut opened.streams, job.load.point.in_flight, Duration::from_nanos(job.warm_up_ns))?;
    let wanted_ns = wanted_ns(job, &warm_up);
    let warm = answer_now(&mut opened, "after warming up")?;
    let outputs = checks.check(&warm)?;
    outputs::keep(&warm, job.outputs.as_deref())?;
    let found = passes(&mut opened, job, (since, wanted_ns), tell)?;
    // Not before: writing takes time, in which a GPU would cool down.
    gpu::keep_warm_up(&job.warm_up_samples, &warm_up.latencies);
    let at_last = answer_now(&mut opened, "after measuring")?;
    checks.check(&at_last)?;
    let differences = [(&at_first, &warm), (&warm, &at_last)]
        .into_iter()
        .filter_map(|(early, late)| checks.difference(early, late));
    Ok(Measured {
        notes: opened.note.take().into_iter().chain(differences).collect(),
        load_ns: opened.load_ns,
        first_ns,
        warm_up_requests: warm_up.latencies.len() as u64,
        warm_up_ns: warm_up.ns,
        steady: warm_up.steady,
        requests: found.answered.requests,
        requests_per_s: found.answered.requests_per_s,
        inferences_per_request: inferences_per_request(job),
        throttled: found.throttled,
        peak_host_bytes: device::peak_host_bytes(),
        outputs,
        steps: opened.steps,
        gpu: found.gpu,
        capacity: found.answered.capacity,
        layers: found.layers,
    })
}

/// What the first stream answered last.
fn answer_now(opened: &mut Opened, when: &'static str) -> Result<Answer> {
    Ok(Answer { when, tensors: first(&mut opened.streams)?.outputs()? })
}

/// What the passes found, in the words of [`Measured`].
struct PassResults {
    answered: Answered,
    throttled: bool,
    gpu: Option<MeasuredGpu>,
    layers: Option<MeasuredLayers>,
}

/// The passes of the job, one after the other.
fn passes(opened: &mut Opened, job: &MeasureJob, time: Time, tell: &mut dyn Tell) -> Result<PassResults> {
    let (mut found, mut times, mut layers) = (None, None, None);
    for pass in &job.passes {
        match pass {
            Pass::HostClock => found = Some(host_clock(opened, job, time, tell)?),
            Pass::GpuClock => times = gpu::measure(&mut opened.streams, job)?,
            Pass::Layers => layers = Some(layers::measure(&mut opened.streams, job.measure_ns)?),
        }
    }
    let found = found.ok_or_else(|| Failure::usage("nothing is measured without the host's clock"))?;
    Ok(PassResults { gpu: found.gpu.map(|gpu| MeasuredGpu { times, ..gpu }), layers, ..found })
}

/// The pass by the host's clock, with a look at the container and the GPU before and after: a closed loop, or a search by
/// open ones.
fn host_clock(
    opened: &mut Opened,
    job: &MeasureJob,
    (since, wanted_ns): Time,
    tell: &mut dyn Tell,
) -> Result<PassResults> {
    announce(job, wanted_ns, tell);
    let throttles = device::throttle_count();
    let (answered, gpu) = match &job.open {
        Some(open) => watched(opened, |streams| capacity::measure(streams, job, open, tell))?,
        None => {
            let (samples, gpu) = watched(opened, |streams| host::measure(streams, job, since))?;
            (Answered::closed(samples), gpu)
        }
    };
    let throttled = device::throttle_count() > throttles;
    write_samples(&job.samples, &answered.latencies)?;
    Ok(PassResults { answered, throttled, gpu, layers: None })
}

/// When the process began, and how long its requests will take, in nanoseconds.
type Time = (Instant, u64);

/// How long the closed loop will take, judged by the requests of the warm-up.
fn wanted_ns(job: &MeasureJob, warm_up: &WarmUp) -> u64 {
    let a_request = warm_up.ns as f64 / warm_up.latencies.len().max(1) as f64;
    let requests_ns = (a_request * job.least_requests as f64) as u64;
    requests_ns.min(job.most_ns).max(job.measure_ns)
}

/// Says what comes and how long it is expected to take.
fn announce(job: &MeasureJob, wanted_ns: u64, tell: &mut dyn Tell) {
    let open_ns = job.measure_ns.saturating_mul(capacity::EXPECTED_PROBES);
    tell.stage(Stage::Measure, if job.open.is_some() { open_ns } else { wanted_ns });
    if job.open.is_none() && wanted_ns > job.measure_ns {
        let doing = format!("measuring {} requests, which the tail needs", count(job.least_requests));
        tell.progress(Progress { doing, step: 0, steps: 0 });
    }
}

/// Where inferences arrive one by one and are batched, what is counted as a request is one of them.
fn inferences_per_request(job: &MeasureJob) -> f64 {
    let alone = job.open.as_ref().is_some_and(|open| open.how.batch_delay_ns.is_some());
    if alone { 1.0 } else { job.load.point.batch as f64 }
}
