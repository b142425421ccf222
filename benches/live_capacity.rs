//! What the gate says of capacity, live on this machine, when nothing changed and when inference takes 5 % longer.
//!
//! `cargo bench --bench live_capacity` takes hours and wants a machine that does nothing else. Words after `--` choose:
//! - `same`: `check` of an engine against itself, 50 times, with the looks that `check` has by default;
//! - `slower`: 5 % of real work more in one arm: the capacity it costs, beside what it costs a queue whose services all
//!   take as long as the closed loop's p50 (M/D/1);
//! - `cpu`, `cuda`: on which backend, a small model or a kernel of 100 µs.
//!
//! Nothing is asserted: a machine is what it is. `TRT_PERF_LIVE_RUNS` and `TRT_PERF_LIVE_PAIRS` say how many checks, of
//! how many pairs; `TRT_PERF_LIVE_BUDGET_US` another budget, for a machine that wakes late. On a machine without Rust it
//! is in what `tests/gpu/bundle.sh` packs; there `TRT_PERF_BIN` names the program, `TRT_PERF_MODELS` the folder of the
//! sample models.

#[path = "../tests/it/support/program.rs"]
mod program;
#[path = "../tests/it/support/queues.rs"]
mod queues;

use program::{Ran, program};
use queues::{Queue, SERVICE_NS, Service};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;
use tempfile::TempDir;
use trt_perf::stats::{clopper_pearson, median_by};

const EXTRA_WORK: f64 = 0.05;
/// Of every case here.
const CASE: [&str; 10] = [
    "--scenario",
    "capacity",
    "--streams",
    "1",
    "--in-flight",
    "1",
    "--warm-up",
    "50ms",
    "--message-format",
    "json",
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let asked = |word: &str, of: [&str; 2]| {
        words.iter().any(|w| w == word) || !words.iter().any(|w| of.contains(&w.as_str()))
    };
    if words.iter().any(|w| w == "--test") {
        println!("live_capacity: skipped in quick mode, it measures for hours");
        return;
    }
    let mut labs = Vec::new();
    if asked("cpu", ["cpu", "cuda"]) {
        labs.push(Lab::cpu());
    }
    if asked("cuda", ["cpu", "cuda"]) {
        match trt_perf::backend::cuda::gpus() {
            Ok(_) => labs.push(Lab::cuda()),
            Err(why) => println!("cuda: skipped: {why}"),
        }
    }
    for lab in labs {
        if asked("same", ["same", "slower"]) {
            lab.same(number("TRT_PERF_LIVE_RUNS").unwrap_or(50));
        }
        if asked("slower", ["same", "slower"]) {
            for budget_ns in &lab.bench.budgets_ns {
                lab.slower(*budget_ns, number("TRT_PERF_LIVE_RUNS").unwrap_or(10));
            }
        }
    }
}

fn number(variable: &str) -> Option<usize> {
    std::env::var(variable).ok().and_then(|n| n.parse().ok())
}

/// How the cases of one backend are measured, and the folder for it.
struct Bench {
    dir: TempDir,
    name: &'static str,
    budgets_ns: Vec<f64>,
    more: &'static [&'static str],
}

/// Its engines.
struct Lab {
    bench: Bench,
    /// Pairs of a check of an engine that takes longer: for an interval as narrow as what it is to show.
    pairs: usize,
    model: String,
    base: String,
    same: String,
    slower: String,
}

impl Bench {
    /// At these budgets; nothing-changed is checked at the first.
    fn new(name: &'static str, budgets_us: &[usize], more: &'static [&'static str]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let asked = number("TRT_PERF_LIVE_BUDGET_US").map(|us| vec![us]);
        let budgets_us = asked.unwrap_or_else(|| budgets_us.to_vec());
        let budgets_ns = budgets_us.into_iter().map(|us| us as f64 * 1e3).collect();
        Self { dir, name, budgets_ns, more }
    }

    fn engine(&self, model: &str, more: &[&str]) -> String {
        let args = [&["build", model, "--backend", self.name], more].concat();
        let engine = self.message(&args, self.budgets_ns[0], "engine");
        engine["engine"].as_str().expect("a path").to_owned()
    }

    fn message(&self, args: &[&str], budget_ns: f64, reason: &str) -> Value {
        let mut command = Command::new(program());
        command.args(args).args(CASE).args(self.more).args(["--max-latency", &format!("{budget_ns}ns")]);
        command.current_dir(self.dir.path());
        Ran::of(command).message(reason)
    }
}

impl Lab {
    fn cpu() -> Self {
        let models = std::env::var_os("TRT_PERF_MODELS").map_or_else(
            || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/models")),
            PathBuf::from,
        );
        let model = models.join("mlp.onnx").display().to_string();
        let bench = Bench::new("cpu", &[1000], &["--measure", "100ms"]);
        let work = format!("debug-extra-work={}%", 100.0 * EXTRA_WORK);
        let slower = bench.engine(&model, &["--config", &work]);
        Self::new(bench, 150, model, slower)
    }

    fn cuda() -> Self {
        let more = &["--measure", "200ms", "--no-transfers", "--cuda-graph"];
        let bench = Bench::new("cuda", &[1000, 350], more);
        let kernel = |ns: f64| {
            let file = bench.dir.path().join(format!("k{ns}.toml"));
            std::fs::write(&file, format!("duration = \"{ns}ns\"")).expect("a workload file");
            file.display().to_string()
        };
        let model = kernel(100e3);
        let slower = bench.engine(&kernel(100e3 * (1.0 + EXTRA_WORK)), &[]);
        Self::new(bench, 5, model, slower)
    }

    fn new(bench: Bench, pairs: usize, model: String, slower: String) -> Self {
        let base = bench.engine(&model, &[]);
        // A millionth of extra work makes no difference that could be measured, but another engine.
        let same = bench.engine(&model, &["--config", "debug-extra-work=0.0001%"]);
        Self { bench, pairs, model, base, same, slower }
    }

    /// How often a check of an engine against itself claims a change.
    fn same(&self, runs: usize) {
        let budget_ns = self.bench.budgets_ns[0];
        println!("\n## {}: nothing changed, budget {} µs", self.bench.name, budget_ns / 1e3);
        let pairs = number("TRT_PERF_LIVE_PAIRS");
        let rows: Vec<Value> = (0..runs).map(|_| self.check(&self.same, budget_ns, pairs, &[])).collect();
        let said = |verdict: &str| rows.iter().filter(|row| row["comparison"]["verdict"] == verdict).count();
        let changed = said("regressed") + said("improved");
        let (lo, hi) = clopper_pearson(changed, runs, 0.05);
        println!(
            "{changed} of {runs} checks called changed (95 % interval {:.1}–{:.1} %); {} unchanged, {} inconclusive, {} invalid",
            lo * 100.0,
            hi * 100.0,
            said("unchanged") + said("changed within the margin"),
            said("inconclusive"),
            said("invalid"),
        );
        let half: Vec<f64> = rows.iter().filter_map(change).map(|c| (c[2] - c[0]) / 2.0).collect();
        println!("the interval's half width is {:.1} % in the median", 100.0 * median(half));
    }

    /// Checks of an engine that takes longer, with the change that theory expects.
    fn slower(&self, budget_ns: f64, runs: usize) {
        println!(
            "\n## {}: {:.0} % more work, budget {} µs",
            self.bench.name,
            100.0 * EXTRA_WORK,
            budget_ns / 1e3
        );
        let p50_ns = self.closed_p50_ns(budget_ns);
        let exact = |slower: f64| {
            let queue = Queue { mean_ns: p50_ns * slower, ..Queue::new(Service::Fixed, 1) };
            queue.capacity(budget_ns / SERVICE_NS, 0.99)
        };
        let theory = exact(1.0 + EXTRA_WORK) / exact(1.0) - 1.0;
        println!(
            "the budget is {:.1} × the closed p50 of {:.1} µs: M/D/1 loses {:.2} % of its capacity",
            budget_ns / p50_ns,
            p50_ns / 1e3,
            -100.0 * theory
        );
        let pairs = Some(number("TRT_PERF_LIVE_PAIRS").unwrap_or(self.pairs));
        // What counts is the interval: a loss within this margin is not measured a second time.
        let rows = (0..runs).map(|_| self.check(&self.slower, budget_ns, pairs, &["--margin", "50%"]));
        let changes: Vec<[f64; 3]> = rows.filter_map(|row| change(&row)).collect();
        let of = changes.len();
        let sign = changes.iter().filter(|c| c[1] < 0.0).count();
        let covers = changes.iter().filter(|c| c[0] <= theory && theory <= c[2]).count();
        println!(
            "{of} checks: median change {:+.2} %; {sign} of {of} with the right sign, {covers} of {of} intervals hold theory's",
            100.0 * median(changes.iter().map(|c| c[1]).collect())
        );
    }

    /// The result of one check, printed as it comes.
    fn check(&self, head: &str, budget_ns: f64, pairs: Option<usize>, more: &[&str]) -> Value {
        let pairs = pairs.map(|n| n.to_string());
        let mut args = vec!["check", "--base-engine", &self.base, "--head-engine", head];
        args.extend(pairs.iter().flat_map(|n| ["--pairs", n]));
        args.extend(more);
        let row = self.bench.message(&args, budget_ns, "checked");
        let text = |value: &Value| value.as_str().unwrap_or("not said").to_owned();
        let why = || text(&row["comparison"]["verdict_reason"]);
        let change = change(&row).map_or_else(why, |[lo, est, hi]| {
            format!("{:+.2} % [{:+.2} {:+.2}]", 100.0 * est, 100.0 * lo, 100.0 * hi)
        });
        println!("{}: {change}", text(&row["comparison"]["verdict"]));
        row
    }

    fn closed_p50_ns(&self, budget_ns: f64) -> f64 {
        let case = self.bench.message(
            &["run", &self.model, "--backend", self.bench.name],
            budget_ns,
            "case-finished",
        );
        case["capacity"]["closed_p50_ns"]["est"].as_f64().unwrap_or(f64::NAN)
    }
}

fn median(values: Vec<f64>) -> f64 {
    median_by(values, f64::total_cmp).unwrap_or(f64::NAN)
}

/// The interval of the capacity's change, where there is one.
fn change(row: &Value) -> Option<[f64; 3]> {
    let change = &row["comparison"]["metrics"][0]["change"];
    Some([change["lo"].as_f64()?, change["est"].as_f64()?, change["hi"].as_f64()?])
}
