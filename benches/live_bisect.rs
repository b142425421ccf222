//! Whether `bisect` finds a real change of 5 % in 16 commits on this machine, and with how many measurements.
//!
//! `cargo bench --bench live_bisect` takes minutes: each search is of a repository of its own whose 16 commits have
//! 16 different engines of one model; from one of them on each request does 5 % more real work (`debug-extra-work`).
//! Nothing is asserted: a machine is what it is. `TRT_PERF_LIVE_RUNS=2` makes it shorter.

#[path = "../tests/it/support/program.rs"]
mod program;

use program::Ran;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

const COMMITS: usize = 16;
const ID: &str = "project/cnn/b1/latency";

fn main() {
    if std::env::args().any(|a| a == "--test") {
        println!("live_bisect: skipped in quick mode, it measures for minutes");
        return;
    }
    let runs = std::env::var("TRT_PERF_LIVE_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    println!("| planted at | answer | commit | change | processes | checking all | time |");
    println!("|---:|---|---:|---:|---:|---:|---:|");
    let (mut right, mut taken, mut all) = (0, 0, 0);
    for run in 0..runs {
        let planted = 1 + run * 7 % (COMMITS - 1);
        let (found, processes, would_take) = search(planted);
        right += usize::from(found == Some(planted));
        (taken, all) = (taken + processes, all + would_take);
    }
    println!("right in {right} of {runs}; {taken} processes, checking all: {all}");
}

/// The commit that was found, the processes measured, and those that checking all commits would have taken.
fn search(planted: usize) -> (Option<usize>, u64, u64) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/cnn.onnx");
    std::fs::copy(model, folder.path().join("cnn.onnx")).expect("a model");
    git(folder.path(), &["init", "--quiet"]);
    for at in 0..COMMITS {
        // A millionth of extra work makes no difference that could be measured, but another engine.
        let work = at as f64 * 0.0001 + if at >= planted { 5.0 } else { 0.0 };
        let text = format!(
            "debug-extra-work = \"{work}%\"\n[[model]]\nname = \"cnn\"\npath = \"cnn.onnx\"\nbatches = [1]\nscenarios = [\"latency\"]\n"
        );
        std::fs::write(folder.path().join("trt-perf.toml"), text).expect("written");
        git(folder.path(), &["add", "--all"]);
        git(folder.path(), &["commit", "--quiet", "--message", &at.to_string()]);
    }
    let first = format!("HEAD~{}", COMMITS - 1);
    let args = ["bisect", ID, &first, "--message-format", "json"];
    let begin = Instant::now();
    let ran = Ran::of(program::command(folder.path(), &args));
    let told = ran.message("bisected");
    let found = (told["answer"] == "found").then(|| told["bad"]["subject"].as_str()?.parse().ok()).flatten();
    let number = |key: &str| told[key].as_u64().unwrap_or(0);
    let change = told["comparison"]["metrics"][0]["change"]["est"].as_f64().unwrap_or(f64::NAN);
    println!(
        "| {planted} | {} | {} | {:+.2} % | {} | {} | {:.0} s |",
        told["answer"].as_str().unwrap_or("?"),
        found.map_or_else(|| "–".into(), |at: usize| at.to_string()),
        change * 100.0,
        number("processes"),
        number("all_would_take"),
        begin.elapsed().as_secs_f64()
    );
    (found, number("processes"), number("all_would_take"))
}

fn git(folder: &Path, args: &[&str]) {
    let mut command = Command::new("git");
    program::shield(&mut command, folder);
    command.args(["-c", "user.name=A", "-c", "user.email=a@example.com"]).args(args);
    assert!(command.status().expect("git runs").success(), "git {args:?}");
}
