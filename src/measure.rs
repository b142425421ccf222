//! The run phase: engine → samples. Runs in a measure worker: a fresh process that built nothing.
//!
//! Order: read and verify the engine, load it, first request, warm up until steady, measure. Each is its own
//! number; only the requests of the last phase become samples. That phase is a closed loop, or a search by open ones.

mod capacity;
mod extra_work;
mod gpu;
pub mod open;
mod program;
mod tensors;

use crate::backend::{Session, Setup, backend, infer};
use crate::capacity::Curve;
use crate::device;
use crate::engine;
use crate::error::{Failure, FailureKind, Result};
use crate::steady;
use crate::tensor::write_samples;
use crate::units::nanos;
use crate::worker::protocol::{MeasureJob, Measured, MeasuredGpu, Message, Stage};
use crate::worker::reply::Reply;
use gpu::{Watch, median_times, timed_pass, write_gpu_samples};
use std::any::Any;
use std::collections::VecDeque;
use std::sync::Barrier;
use std::time::{Duration, Instant};
use tensors::{check_outputs, feeds};

/// A phase does at least this many requests per stream, however slow the model (as trtexec's `--iterations`).
const MIN_REQUESTS: usize = 10;
/// Warming up ends at this many times its configured length even where latencies still move.
const WARM_UP_LIMIT: u32 = 5;

/// One request: when it ended, counted from the start of the phase, and how long it took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    pub end_ns: u64,
    pub latency_ns: u64,
}

/// Measures one process's worth.
pub fn run(job: &MeasureJob, reply: &mut Reply) -> Result<Measured> {
    let (header, parts) = engine::read(&job.engine)?;
    if header.payload_sha256 != job.payload_sha256 {
        return Err(Failure::new(
            FailureKind::Format,
            format!("the engine {} is not the one that was built for this run", job.engine.display()),
        )
        .next("run again; do not change files below target/trt-perf while it runs"));
    }
    let feeds = feeds(job, &header)?;
    reply.send(&Message::Stage { stage: Stage::Load, expected_ns: 0 });
    let setup = Setup { point: job.point, mode: job.mode };
    let backend = backend(&job.target);
    if let Some(measured) = program::run(backend.as_ref(), job, &header, (&parts, &feeds), reply) {
        return measured;
    }
    let mut opened = backend.open(&header, parts, &setup, &feeds)?;
    if let Some(share) = header.made_from.build.debug_extra_work_frac {
        opened.sessions = extra_work::burden(opened.sessions, share)?;
    }
    let start = Instant::now();
    infer(first(&mut opened.sessions)?.as_mut())?;
    let first_ns = nanos(start.elapsed());
    let outputs = check_outputs(job, &header, first(&mut opened.sessions)?.outputs()?)?;
    reply.send(&Message::Stage { stage: Stage::WarmUp, expected_ns: job.warm_up_ns });
    let warm_up = warm_up(&mut opened.sessions, job.point.in_flight, Duration::from_nanos(job.warm_up_ns))?;
    let throttles = device::throttle_count();
    let watch = Watch::begin(&mut opened)?;
    let answered = measured_phase(&mut opened.sessions, job, reply);
    let gpu = watch.map(|w| w.end(&mut opened)).transpose()?;
    let answered = answered?;
    let throttled = device::throttle_count() > throttles;
    let times =
        if job.timed { timed_pass(opened.sessions.as_mut_slice(), job.measure_ns)? } else { Vec::new() };
    write_samples(&job.samples, &answered.latencies)?;
    let gpu = gpu.map(|gpu| MeasuredGpu { times: median_times(&times), ..gpu });
    if !times.is_empty() {
        // Shorter than the events resolve is not nothing: a zero would have no logarithm.
        write_gpu_samples(job, &times.iter().map(|t| t.compute_ns.max(1)).collect::<Vec<_>>())?;
    }
    Ok(Measured {
        load_ns: opened.load_ns,
        first_ns,
        warm_up_requests: warm_up.requests,
        warm_up_ns: warm_up.ns,
        steady: warm_up.steady,
        requests: answered.requests,
        requests_per_s: answered.requests_per_s,
        inferences_per_request: inferences_per_request(job),
        throttled,
        peak_host_bytes: device::peak_host_bytes(),
        outputs,
        steps: opened.steps,
        gpu,
        capacity: answered.capacity,
    })
}

/// What the measured phase gave.
struct Answered {
    /// In time order.
    latencies: Vec<u64>,
    /// All that were answered; in an open loop more than there are latencies.
    requests: u64,
    requests_per_s: f64,
    capacity: Option<Curve>,
}

fn measured_phase(
    sessions: &mut [Box<dyn Session>],
    job: &MeasureJob,
    reply: &mut Reply,
) -> Result<Answered> {
    let probes = if job.open.is_some() { capacity::EXPECTED_PROBES } else { 1 };
    let expected_ns = job.measure_ns.saturating_mul(probes);
    reply.send(&Message::Stage { stage: Stage::Measure, expected_ns });
    if let Some(open) = &job.open {
        return capacity::measure(sessions, job, open, reply);
    }
    let streams = phase(sessions, job.point.in_flight, Duration::from_nanos(job.measure_ns))?;
    let requests_per_s = requests_per_s(&streams);
    let latencies = in_time_order(streams);
    Ok(Answered { requests: latencies.len() as u64, latencies, requests_per_s, capacity: None })
}

/// Where inferences arrive one by one and are batched, what is counted as a request is one of them.
fn inferences_per_request(job: &MeasureJob) -> f64 {
    let alone = job.open.as_ref().is_some_and(|open| open.how.batch_delay_ns.is_some());
    if alone { 1.0 } else { job.point.batch as f64 }
}

fn first(sessions: &mut [Box<dyn Session>]) -> Result<&mut Box<dyn Session>> {
    sessions.first_mut().ok_or_else(|| Failure::usage("an operating point needs at least one stream"))
}

struct WarmUp {
    requests: u64,
    ns: u64,
    steady: bool,
}

/// Runs at least `least` and until latencies are steady, at most [`WARM_UP_LIMIT`] times as long.
fn warm_up(sessions: &mut [Box<dyn Session>], depth: u64, least: Duration) -> Result<WarmUp> {
    let mut warm = WarmUp { requests: 0, ns: 0, steady: least.is_zero() };
    let mut latencies = Vec::new();
    let start = Instant::now();
    for _ in 0..WARM_UP_LIMIT {
        if warm.steady {
            break;
        }
        latencies.extend(in_time_order(phase(sessions, depth, least)?));
        warm.steady = steady::is_steady(&latencies);
    }
    warm.requests = latencies.len() as u64;
    warm.ns = nanos(start.elapsed());
    Ok(warm)
}

/// A closed loop for `duration` on every stream at once: each has always `depth` requests in flight.
pub fn phase(sessions: &mut [Box<dyn Session>], depth: u64, duration: Duration) -> Result<Vec<Vec<Sample>>> {
    if let [only] = sessions {
        // No thread: the latency scenario pays nothing for what throughput needs.
        return Ok(vec![stream(only.as_mut(), depth, duration)?]);
    }
    let barrier = Barrier::new(sessions.len());
    std::thread::scope(|scope| {
        let barrier = &barrier;
        let handles: Vec<_> = sessions
            .iter_mut()
            .map(|session| {
                scope.spawn(move || {
                    barrier.wait();
                    stream(session.as_mut(), depth, duration)
                })
            })
            .collect();
        handles.into_iter().map(|h| h.join().unwrap_or_else(panicked)).collect()
    })
}

/// What is left of a thread that panicked, as an error.
fn panicked<T>(_: Box<dyn Any + Send>) -> Result<T> {
    Err(Failure::new(FailureKind::Crash, "a stream of requests panicked"))
}

/// Back-to-back requests of one stream, `depth` of them in flight: as soon as the oldest completes, a new one is
/// submitted. A request's latency runs from its submission to its completion. With one in flight nothing but the
/// request stands between two clock reads. Requests still in flight at the end are waited for and not counted.
pub fn stream(session: &mut dyn Session, depth: u64, duration: Duration) -> Result<Vec<Sample>> {
    // Room for a million requests before the first reallocation; pages are only touched when used.
    let mut samples = Vec::with_capacity(1 << 20);
    let depth = usize::try_from(depth).unwrap_or(1).max(1);
    let mut open = VecDeque::with_capacity(depth);
    let start = Instant::now();
    loop {
        while open.len() < depth {
            open.push_back(Instant::now());
            session.submit()?;
        }
        session.complete()?;
        let after = Instant::now();
        let before = open.pop_front().unwrap_or(start);
        let end = after - start;
        samples.push(Sample { end_ns: nanos(end), latency_ns: nanos(after - before) });
        if end >= duration && samples.len() >= MIN_REQUESTS {
            for _ in open {
                session.complete()?;
            }
            return Ok(samples);
        }
    }
}

/// Σ over streams of requests / time of its last completion: no request is counted in part.
pub fn requests_per_s(streams: &[Vec<Sample>]) -> f64 {
    streams
        .iter()
        .filter_map(|s| s.last().map(|last| s.len() as f64 / (last.end_ns.max(1) as f64 / 1e9)))
        .sum()
}

/// Latencies of all streams in the order in which the requests ended.
pub fn in_time_order(streams: Vec<Vec<Sample>>) -> Vec<u64> {
    let mut all: Vec<Sample> = streams.into_iter().flatten().collect();
    all.sort_by_key(|s| s.end_ns);
    all.into_iter().map(|s| s.latency_ns).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    /// Counts what was begun and what was finished.
    #[derive(Default)]
    struct Counting {
        begun: u32,
        open: u32,
        most_open: u32,
    }

    impl Session for Counting {
        fn submit(&mut self) -> Result<()> {
            self.begun += 1;
            self.open += 1;
            self.most_open = self.most_open.max(self.open);
            if self.begun > 50 { Err(Failure::usage("enough")) } else { Ok(()) }
        }
        fn complete(&mut self) -> Result<()> {
            self.open -= 1;
            Ok(())
        }
        fn outputs(&self) -> Result<Vec<Tensor>> {
            Ok(vec![])
        }
    }

    #[test]
    fn a_phase_does_the_minimum_and_passes_errors_on() {
        let mut sessions: Vec<Box<dyn Session>> = vec![Box::new(Counting::default())];
        let streams = phase(&mut sessions, 1, Duration::ZERO).unwrap();
        assert_eq!(streams[0].len(), MIN_REQUESTS);
        let worn_out = Counting { begun: 49, ..Counting::default() };
        let mut sessions: Vec<Box<dyn Session>> = vec![Box::new(Counting::default()), Box::new(worn_out)];
        assert!(phase(&mut sessions, 1, Duration::ZERO).is_err());
    }

    #[test]
    fn as_many_requests_are_in_flight_as_asked_and_none_is_left() {
        let mut session = Counting::default();
        let done = stream(&mut session, 3, Duration::ZERO).unwrap();
        assert_eq!((session.most_open, session.open), (3, 0));
        assert_eq!((done.len(), session.begun), (MIN_REQUESTS, MIN_REQUESTS as u32 + 2));
    }

    #[test]
    fn rate_and_order_over_streams() {
        let s = |end_ns, latency_ns| Sample { end_ns, latency_ns };
        let streams = vec![vec![s(1_000, 1), s(2_000_000_000, 3)], vec![s(1_500, 2), s(1_000_000_000, 9)]];
        assert_eq!(requests_per_s(&streams), 1.0 + 2.0);
        assert_eq!(in_time_order(streams), [1, 2, 9, 3]);
    }
}
