//! How punctual the open loop is: Poisson arrivals at rising rates, against a stream that takes nothing and one that
//! computes for a quarter of the mean gap. Beside it, the same arrivals offered by the generator that one would write
//! first: a thread that sleeps until each is due, and counts latency from when it sent the request.
//!
//! ```text
//! cargo bench --bench generator
//! ```
//!
//! Late is what the generator itself adds, not the wait for a busy server. Nothing is asserted: how busy the machine is
//! decides too much.

use comfy_table::{CellAlignment, ContentArrangement, Table};
use std::time::{Duration, Instant};
use trt_perf::backend::{Stream, infer};
use trt_perf::capacity::late_share;
use trt_perf::error::Result;
use trt_perf::measure::open::{Offer, Offered, offer};
use trt_perf::rng::Rng;
use trt_perf::tensor::Tensor;
use trt_perf::units::{count, share, time};

const SEED: u64 = 20_260_101;
const SECONDS: f64 = 2.0;
const RATES: [u64; 3] = [1_000, 10_000, 100_000];
/// More than a hundredth of it is late.
const BUDGET_NS: u64 = 1_000_000;

/// Computes for so long and then is done.
struct Busy(Duration);

impl Stream for Busy {
    fn submit(&mut self) -> Result<()> {
        let start = Instant::now();
        while start.elapsed() < self.0 {}
        Ok(())
    }

    fn complete(&mut self) -> Result<()> {
        Ok(())
    }

    fn outputs(&self) -> Result<Vec<Tensor>> {
        Ok(Vec::new())
    }
}

fn arrivals(rate: u64) -> Vec<u64> {
    let mut rng = Rng::stream(SEED, rate);
    let mut at = 0.0;
    let next = || {
        at += rng.exponential() / rate as f64;
        (at < SECONDS).then_some((at * 1e9) as u64)
    };
    std::iter::from_fn(next).collect()
}

fn ours(planned_ns: &[u64], takes: Duration) -> Result<Offered> {
    let mut streams: Vec<Box<dyn Stream>> = vec![Box::new(Busy(takes))];
    offer(&mut streams, &Offer { planned_ns, depth: 1, batching: None, stop_over: (u64::MAX, usize::MAX) })
}

/// Lateness by the same rule; latency as such a generator sees it.
fn naive(planned_ns: &[u64], takes: Duration) -> Result<Offered> {
    let mut stream = Busy(takes);
    let mut offered = Offered::default();
    let start = Instant::now();
    let now = || start.elapsed().as_nanos() as u64;
    let (mut free_ns, mut late_ns) = (0, 0);
    for planned in planned_ns {
        std::thread::sleep(Duration::from_nanos(planned.saturating_sub(now())));
        let sent_ns = now();
        infer(&mut stream)?;
        late_ns = if free_ns <= *planned { sent_ns - planned } else { late_ns.min(free_ns - planned) };
        offered.late_ns.push(late_ns);
        free_ns = now();
        offered.latency_ns.push(free_ns - sent_ns);
    }
    Ok(offered)
}

/// The value below which a share `q` of them lies.
fn quantile(values: &[u64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len().saturating_sub(1) as f64 * q).round() as usize;
    sorted.get(at).copied().unwrap_or(0) as f64
}

fn cells(offered: &Offered) -> Vec<String> {
    let late = &offered.late_ns;
    vec![
        share(late_share(late, BUDGET_NS)),
        share(late_share(late, 10 * BUDGET_NS)),
        time(quantile(late, 0.5)),
        time(quantile(late, 0.99)),
        time(quantile(late, 1.0)),
        time(quantile(&offered.latency_ns, 0.99)),
    ]
}

type Generator = fn(&[u64], Duration) -> Result<Offered>;

fn main() -> Result<()> {
    // Cargo passes `--bench` to benchmarks only, and `--test` is how criterion's are asked for a quick run.
    let has = |option: &str| std::env::args().any(|arg| arg == option);
    if !has("--bench") || has("--test") || has("--list") {
        println!("The table takes half a minute: cargo bench --bench generator");
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "arrivals/s",
        "a request takes",
        "generator",
        "> 10 µs late",
        "> 100 µs",
        "median late",
        "p99",
        "most",
        "p99 latency it reports",
    ]);
    for rate in RATES {
        let planned = arrivals(rate);
        for takes in [Duration::ZERO, Duration::from_secs(1) / 4 / rate as u32] {
            let generators: [(&str, Generator); 2] = [("open loop", ours), ("sleep and send", naive)];
            for (name, generator) in generators {
                let offered = generator(&planned, takes)?;
                let mut row = vec![count(rate), time(takes.as_nanos() as f64), name.to_owned()];
                row.extend(cells(&offered));
                table.add_row(row);
            }
        }
    }
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!();
    table.lines().for_each(|line| println!("{}", line.trim_end()));
    println!();
    Ok(())
}
