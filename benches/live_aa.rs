//! What the gate and criterion say, live on this machine, when nothing changed and when something did.
//!
//! `cargo bench --bench live_aa` takes about half an hour and prints two tables:
//! - A/A: `check` of an engine against itself, beside criterion's own verdicts on the same inference, run after run;
//! - real extra work of 2, 5 and 20 % in one arm (`check`), beside the smallest change each check said it would see.
//!
//! Nothing is asserted: a machine is what it is. `TRT_PERF_LIVE_RUNS=10` makes a short one.

#[path = "../tests/it/support/program.rs"]
mod program;

use criterion::Criterion;
use program::{Ran, program};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use trt_perf::stats::{clopper_pearson, median_by};

const MODEL: &str = "cnn/b1/latency";
/// The argument with which this program starts itself to be a criterion benchmark.
const CRITERION: &str = "criterion-child";
const EFFORT: [&str; 4] = ["--warm-up", "50ms", "--measure", "200ms"];

fn main() {
    let args: Vec<String> = std::env::args().collect();
    if args.iter().any(|a| a == CRITERION) {
        return criterion_child();
    }
    if args.iter().any(|a| a == "--test") {
        println!("live_aa: skipped in quick mode, it measures for minutes");
        return;
    }
    let runs = std::env::var("TRT_PERF_LIVE_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(100);
    println!("{runs} comparisons of {MODEL} with itself, then extra work; this takes a while");
    println!("\n| what | verdicts | changed | 95 % interval |\n|---|---:|---:|---|");
    let (wrong, of) = ours(runs);
    row("A/A, check", wrong, of);
    let (wrong, of) = criterions(runs);
    row("A/A, criterion, run after run", wrong, of);
    println!(
        "\n| extra work | checks | caught | 95 % interval | median smallest detectable change |\n|---|---:|---:|---|---:|"
    );
    for share in [2, 5, 20] {
        slowdown(share, (runs / 10).max(3));
    }
}

fn row(what: &str, changed: u64, of: u64) {
    println!("| {what} | {of} | {changed} | {} |", share_interval(changed, of));
}

fn share_interval(k: u64, of: u64) -> String {
    let (lo, hi) = clopper_pearson(k as usize, of as usize, 0.05);
    format!("{:.1}–{:.1} %", lo * 100.0, hi * 100.0)
}

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.args(args).args(["--message-format", "json"]).args(EFFORT);
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// Checks of an engine against itself that claim a change. A millionth of extra work makes no difference that could
/// be measured, but another engine, which a check does not skip.
fn ours(runs: u64) -> (u64, u64) {
    let changed = (0..runs).filter(|_| {
        let verdict = check("0.0001%")["comparison"]["verdict"].clone();
        verdict == "regressed" || verdict == "improved"
    });
    (changed.count() as u64, runs)
}

/// The result of one check in which head does this share of extra work.
fn check(extra_work: &str) -> serde_json::Value {
    let work = format!("debug-extra-work={extra_work}");
    Ran::of(command(&["check", MODEL, "--head-config", &work, "--max-time", "30s"])).message("checked")
}

/// Criterion compares each run with the one before; the engine is the same in all.
fn criterions(runs: u64) -> (u64, u64) {
    let engine = Ran::of(command(&["run", MODEL, "--processes", "1"])).message("engine")["engine"].clone();
    let engine = PathBuf::from(engine.as_str().expect("a path"));
    let home = tempfile::tempdir().expect("a temporary folder");
    let mut changed = 0;
    for run in 0..=runs {
        let output = Command::new(std::env::current_exe().expect("this program"))
            .arg(CRITERION)
            .env("CRITERION_HOME", home.path())
            .env("TRT_PERF_LIVE_ENGINE", &engine)
            .output()
            .expect("criterion runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let verdict = ["has regressed", "has improved"].iter().any(|v| text.contains(v));
        changed += u64::from(run > 0 && verdict);
    }
    (changed, runs)
}

/// The same inference as criterion measures it: in one process, iterations resampled.
fn criterion_child() {
    let engine = std::env::var_os("TRT_PERF_LIVE_ENGINE").expect("the parent says which");
    let (header, parts) = trt_perf::engine::read(Path::new(&engine)).expect("an engine");
    let setup = trt_perf::backend::LoadSetup {
        point: trt_perf::case::OperatingPoint { batch: 1, streams: 1, in_flight: 1, cuda_graph: false },
        mode: trt_perf::case::Mode::default(),
        kernels: trt_perf::backend::CompiledKernels::Compile,
        memory: None,
    };
    let feeds: Vec<_> = header
        .made_from
        .inputs
        .iter()
        .map(|i| {
            let shape = i.shape.opt.iter().map(|d| *d as usize).collect();
            (i.name.clone(), trt_perf::inputs::seeded(&i.name, i.dtype, shape, i.range, 1).expect("room"))
        })
        .collect();
    let target = trt_perf::case::Target {
        kind: trt_perf::case::BackendKind::Cpu,
        tensorrt: None,
        gpu: 0,
        lane: false,
    };
    let backend = trt_perf::backend::backend(&target).expect("it is built in");
    let loaded = backend.load(&header, parts, &setup, &feeds).expect("it loads");
    let trt_perf::backend::Loaded::Streams(mut opened) = loaded else {
        panic!("the cpu backend has streams")
    };
    let stream = &mut opened.streams[0];
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(100))
        .measurement_time(Duration::from_secs(1))
        .sample_size(50);
    criterion.bench_function("inference", |b| {
        b.iter(|| trt_perf::backend::infer(stream.as_mut()).expect("it answers"));
    });
    criterion.final_summary();
}

/// How often real extra work of `percent` is caught.
fn slowdown(percent: u32, checks: u64) {
    let (mut caught, mut smallest) = (0, Vec::new());
    for _ in 0..checks {
        let row = check(&format!("{percent}%"));
        caught += u64::from(row["comparison"]["verdict"] == "regressed");
        smallest.extend(row["comparison"]["metrics"][0]["mde_frac"].as_f64());
    }
    let median =
        median_by(smallest, f64::total_cmp).map_or_else(|| "–".into(), |m| format!("{:.1} %", m * 100.0));
    println!("| {percent} % | {checks} | {caught} | {} | {median} |", share_interval(caught, checks));
}
