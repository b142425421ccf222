//! What the gate says of capacity, live on this machine, when nothing changed and when inference takes 5 % longer.
//!
//! `cargo bench --bench live_capacity` takes about half an hour and wants a machine that does nothing else. It prints
//! - A/A: `check` of an engine against itself, 50 times;
//! - 5 % of real extra work in one arm: the capacity it costs, beside what it costs a queue whose services all take as
//!   long as the closed loop's p50 (M/D/1).
//!
//! Nothing is asserted: a machine is what it is. `TRT_PERF_LIVE_RUNS=10` makes a short one.

#[path = "../tests/support/queues.rs"]
mod queues;

use queues::{Queue, SERVICE_NS, Service};
use serde_json::Value;
use std::process::{Command, Stdio};
use trt_perf::stats::clopper_pearson;

const BUDGET_NS: f64 = 500_000.0;
const EXTRA_WORK: f64 = 0.05;

fn main() {
    if std::env::args().any(|a| a == "--test") {
        println!("live_capacity: skipped in quick mode, it measures for minutes");
        return;
    }
    let runs = std::env::var("TRT_PERF_LIVE_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(50);
    // A millionth of extra work makes no difference that could be measured, but another engine.
    let same: Vec<Value> = (0..runs).map(|_| check("0.0001%")).collect();
    let said = |verdict: &str| same.iter().filter(|row| row["comparison"]["verdict"] == verdict).count();
    let changed = said("regressed") + said("improved");
    let (lo, hi) = clopper_pearson(changed, runs, 0.05);
    println!(
        "A/A: {changed} of {runs} checks of capacity called changed (95 % interval {:.1}–{:.1} %); {} unchanged, {} inconclusive, {} invalid",
        lo * 100.0,
        hi * 100.0,
        said("unchanged") + said("changed within the margin"),
        said("inconclusive"),
        said("invalid"),
    );
    let half: Vec<f64> = same.iter().filter_map(change).map(|c| (c[2] - c[0]) / 2.0).collect();
    println!("A/A: the interval's half width is {:.1} % in the median", 100.0 * median(half));
    elasticity((runs / 5).max(3));
}

/// Rows whose capacity was judged, with the change that theory expects of each.
fn elasticity(runs: usize) {
    let work = format!("{}%", EXTRA_WORK * 100.0);
    let p50 = closed_p50_ns();
    let exact = |slower: f64| {
        let queue = Queue { mean_ns: p50 * slower, ..Queue::new(Service::Fixed, 1) };
        queue.capacity(BUDGET_NS / SERVICE_NS, 0.99)
    };
    let theory = exact(1.0 + EXTRA_WORK) / exact(1.0) - 1.0;
    let changes: Vec<[f64; 3]> = (0..runs).filter_map(|_| change(&check(&work))).collect();
    let of = changes.len();
    let sign = changes.iter().filter(|c| c[1] < 0.0).count();
    let covers = changes.iter().filter(|c| c[0] <= theory && theory <= c[2]).count();
    println!(
        "{work} extra work, budget {:.1} × the closed p50 of {:.1} µs: M/D/1 loses {:.2} % of its capacity",
        BUDGET_NS / p50,
        p50 / 1e3,
        -100.0 * theory
    );
    println!(
        "measured in {of} checks: median change {:+.2} %; {sign} of {of} with the right sign, {covers} of {of} intervals cover the theory's",
        100.0 * median(changes.iter().map(|c| c[1]).collect())
    );
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The interval of the capacity's change, where there is one.
fn change(row: &Value) -> Option<[f64; 3]> {
    let change = &row["comparison"]["metrics"][0]["change"];
    Some([change["lo"].as_f64()?, change["est"].as_f64()?, change["hi"].as_f64()?])
}

fn message(args: &[&str], reason: &str) -> Value {
    let budget = format!("{BUDGET_NS}ns");
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-trt-perf"))
        .args(args)
        .args(["--scenario", "capacity", "--streams", "1", "--max-latency", &budget])
        .args(["--warm-up", "50ms", "--measure", "100ms", "--message-format", "json"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::null())
        .output()
        .expect("cargo-trt-perf runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().rfind(|l| l.contains(&format!("\"reason\":\"{reason}\"")));
    let line = line.unwrap_or_else(|| panic!("no {reason} in: {text}"));
    serde_json::from_str(line).expect("messages are JSON")
}

/// The result of one check of five pairs in which head does this share of extra work.
fn check(extra_work: &str) -> Value {
    let work = format!("debug-extra-work={extra_work}");
    message(&["check", "mlp/default/capacity", "--head-config", &work, "--pairs", "5"], "checked")
}

fn closed_p50_ns() -> f64 {
    let case = message(&["run", "mlp/default/capacity"], "case-finished");
    case["capacity"]["closed_p50_ns"]["est"].as_f64().unwrap_or(f64::NAN)
}
