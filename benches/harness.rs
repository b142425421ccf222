//! What measuring costs: nanoseconds per request that the measuring loop adds to a request, against a loop that
//! only reads the clock twice, and the time that summarising a process takes.
//!
//! ```text
//! cargo bench --bench harness
//! ```

#[path = "shared/report.rs"]
mod report;

use report::{Group, Report, Target, Timed, timed};
use std::hint::black_box;
use std::time::{Duration, Instant};
use trt_perf::backend::Stream;
use trt_perf::case::Budget;
use trt_perf::error::Result;
use trt_perf::measure::host::{closed_loop, phase};
use trt_perf::measured::Measured;
use trt_perf::rng::Rng;
use trt_perf::summarize::summarize;
use trt_perf::tensor::Tensor;

/// Some hundred thousand requests of a stream that does nothing.
const PHASE: Duration = Duration::from_millis(20);
const BEYOND_TWO_CLOCK_READS: Target = Target::BeyondPeer(Duration::from_nanos(200));
const TWO_CLOCK_READS: &str = "two clock reads per request";

struct NoOp;

impl Stream for NoOp {
    fn submit(&mut self) -> Result<()> {
        Ok(())
    }

    fn complete(&mut self) -> Result<()> {
        Ok(())
    }

    fn outputs(&self) -> Result<Vec<Tensor>> {
        Ok(Vec::new())
    }
}

/// A phase has a fixed length and not a number of requests: its time per request stands for any number of them.
fn per_request<'a>(mut requests_of_a_phase: impl FnMut() -> usize + 'a) -> Timed<'a> {
    Box::new(move |requests| {
        let start = Instant::now();
        let done = requests_of_a_phase();
        start.elapsed().mul_f64(requests as f64 / done as f64)
    })
}

/// The least that a closed loop over a duration can do: no stream, no sample.
fn clock_reads_only() -> usize {
    let start = Instant::now();
    let mut requests = 0;
    loop {
        let before = black_box(Instant::now());
        let after = Instant::now();
        black_box(after - before);
        requests += 1;
        if after - start >= PHASE {
            return requests;
        }
    }
}

/// Requests of the stream that did the fewest.
fn requests_of_phase(streams: usize) -> usize {
    let mut all: Vec<Box<dyn Stream>> = (0..streams).map(|_| Box::new(NoOp) as _).collect();
    let samples = phase(&mut all, 1, PHASE).expect("a stream that does nothing does not fail");
    samples.iter().map(Vec::len).min().unwrap_or(0)
}

fn requests(group: &mut Group, report: &mut Report) {
    let one_stream = per_request(|| closed_loop(&mut NoOp, 1, PHASE).expect("it does nothing").len());
    let phase_of = |streams| per_request(move || requests_of_phase(streams));
    let rows = [
        ("request of measure::host::closed_loop", BEYOND_TWO_CLOCK_READS, one_stream),
        ("request of measure::host::phase, 1 stream", BEYOND_TWO_CLOCK_READS, phase_of(1)),
        // Shows how the streams disturb each other as much as what the loop costs.
        ("request of measure::host::phase, 2 streams", Target::Open, phase_of(2)),
    ];
    for (name, target, routine) in rows {
        report.add(group, name, target, routine, Some((TWO_CLOCK_READS, per_request(clock_reads_only))));
    }
}

/// A million latencies around 100 µs that depend on the one before, as real ones do.
fn samples() -> Vec<u64> {
    let mut rng = Rng::new(7);
    let mut x = 0.0;
    (0..1_000_000)
        .map(|_| {
            x = 0.6 * x + 0.8 * rng.normal();
            (1e5 * (1.0 + 0.02 * x)) as u64
        })
        .collect()
}

fn summaries(group: &mut Group, report: &mut Report) {
    let samples = samples();
    let measured = Measured {
        layers: None,
        load_ns: 1_000_000,
        first_ns: 200_000,
        warm_up_requests: 10_000,
        warm_up_ns: 1_000_000_000,
        steady: true,
        requests: samples.len() as u64,
        requests_per_s: 1e4,
        inferences_per_request: 1.0,
        peak_host_bytes: None,
        steps: Vec::new(),
        gpu: None,
        capacity: None,
        throttled: false,
        outputs: Vec::new(),
        notes: Vec::new(),
    };
    let budget = Some(Budget { max_ns: 105_000, quantile: 0.99 });
    let routine = timed(|| summarize(&samples, &[], &measured, budget));
    // Exact quantiles have to order the samples.
    let sort = timed(|| {
        let mut copy = samples.clone();
        copy.sort_unstable();
        copy
    });
    let target = Target::AtMost(Duration::from_millis(100));
    report.add(group, "summary of 1,000,000 samples", target, routine, Some(("copy and sort them", sort)));
}

fn main() {
    report::run("harness", &[requests, summaries]);
}
