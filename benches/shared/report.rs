//! Times a routine under criterion and, in the same samples and in alternating order, a peer that does the least
//! that could be done; prints medians, ratios and targets as a table. A target is shown, never asserted: how busy
//! the machine is decides too much.

#![allow(dead_code, reason = "every bench compiles its own copy and uses a part of it")]

use comfy_table::{CellAlignment, ContentArrangement, Table};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, SamplingMode};
use std::hint::black_box;
use std::time::{Duration, Instant};
use trt_perf::stats::median_by;
use trt_perf::units::time;

/// What a median is held against.
#[derive(Clone, Copy)]
pub enum Target {
    /// None was set.
    Open,
    AtMost(Duration),
    /// More than the peer by at most this.
    BeyondPeer(Duration),
}

pub type Group<'a> = BenchmarkGroup<'a, WallTime>;

/// Runs a routine so many times and returns how long that took.
pub type Timed<'a> = Box<dyn FnMut(u64) -> Duration + 'a>;

/// `routine` as something that can be timed.
pub fn timed<'a, R>(mut routine: impl FnMut() -> R + 'a) -> Timed<'a> {
    Box::new(move |iterations| {
        let start = Instant::now();
        for _ in 0..iterations {
            black_box(routine());
        }
        start.elapsed()
    })
}

struct Row {
    name: &'static str,
    target: Target,
    peer: Option<&'static str>,
    samples: Vec<Sample>,
}

/// Nanoseconds per iteration.
struct Sample {
    ours: f64,
    peer: Option<f64>,
}

#[derive(Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    pub fn add<'a>(
        &mut self,
        group: &mut Group,
        name: &'static str,
        target: Target,
        mut routine: Timed<'a>,
        mut peer: Option<(&'static str, Timed<'a>)>,
    ) {
        let mut samples = Vec::new();
        group.bench_function(name, |b| {
            b.iter_custom(|iterations| {
                let per_iteration = |d: Duration| d.as_nanos() as f64 / iterations as f64;
                // Who goes first alternates, so that a machine that gets slower is no advantage to either.
                let peer_first = samples.len() % 2 == 1;
                let mut run_peer = || peer.as_mut().map(|(_, run)| run(iterations));
                let before = if peer_first { run_peer() } else { None };
                let ours = routine(iterations);
                let theirs = if peer_first { before } else { run_peer() };
                samples.push(Sample { ours: per_iteration(ours), peer: theirs.map(per_iteration) });
                ours
            });
        });
        self.rows.push(Row { name, target, peer: peer.map(|(name, _)| name), samples });
    }

    /// Prints what was run; a smoke test (`--test`) measured nothing worth printing.
    pub fn print(mut self) {
        self.rows.retain(|row| !row.samples.is_empty());
        if self.rows.is_empty() || is_smoke_test() {
            return;
        }
        let mut table = Table::new();
        table.load_style(comfy_table::presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        table.set_header(["what", "median", "peer", "its median", "ratio", "beyond it", "target", ""]);
        for row in &self.rows {
            table.add_row(row.cells());
        }
        for column in [1, 3, 4, 5, 6] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        println!();
        table.lines().for_each(|line| println!("{}", line.trim_end()));
        println!();
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let of = |value: &dyn Fn(&Sample) -> Option<f64>| {
            median_by(self.samples.iter().filter_map(value), f64::total_cmp)
        };
        let ours = of(&|s| Some(s.ours));
        let peer = of(&|s| s.peer);
        // Of pairs, because both of a pair had the same machine.
        let ratio = of(&|s| s.peer.map(|p| s.ours / p));
        let beyond = of(&|s| s.peer.map(|p| s.ours - p));
        let shown = |ns: Option<f64>| ns.map_or_else(String::new, time);
        let (limit, held) = match self.target {
            Target::Open => (None, None),
            Target::AtMost(limit) => (Some(limit), ours),
            Target::BeyondPeer(limit) => (Some(limit), beyond),
        };
        let limit_ns = limit.map(|l| l.as_nanos() as f64);
        let word = match (held, limit_ns) {
            (Some(held), Some(limit)) if held <= limit => "met",
            (Some(_), Some(_)) => "MISSED",
            _ => "",
        };
        let sign = if matches!(self.target, Target::BeyondPeer(_)) { "peer + " } else { "" };
        vec![
            self.name.to_owned(),
            shown(ours),
            self.peer.unwrap_or_default().to_owned(),
            shown(peer),
            ratio.map_or_else(String::new, |r| format!("{r:.2}")),
            shown(beyond.filter(|b| *b >= 0.0)),
            limit_ns.map_or_else(String::new, |ns| format!("{sign}{}", trt_perf::units::plain_time(ns))),
            word.to_owned(),
        ]
    }
}

/// Criterion runs everything once with `--test`, and where `cargo bench` did not start it.
fn is_smoke_test() -> bool {
    let has = |option: &str| std::env::args().any(|arg| arg == option);
    has("--test") || !has("--bench")
}

/// Runs `benches` as the group `name`, and prints its table.
pub fn run(name: &str, benches: &[fn(&mut Group, &mut Report)]) {
    // Enough samples for a median; all benches together have four minutes.
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .without_plots()
        .configure_from_args();
    let mut group = criterion.benchmark_group(name);
    // As many iterations in every sample: a slope over growing numbers of them makes no better median, and ten times
    // as many of what takes long.
    group.sampling_mode(SamplingMode::Flat);
    let mut report = Report::default();
    for bench in benches {
        bench(&mut group, &mut report);
    }
    group.finish();
    report.print();
}
