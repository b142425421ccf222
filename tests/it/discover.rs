//! `discover`, end to end on the cpu backend: grids, winners, pins and `--write`. No time is judged.

use crate::support::{Ran, Sandbox, model, with};
use std::fs;
use trt_perf::baseline;
use trt_perf::record::{CaseRecord, Record};

/// A budget that everything meets, and trials that are over at once.
const EASY: &str = "max-latency = \"10s\"\nmeasure = \"20ms\"\nwarm-up = \"5ms\"\nprocesses = 2\n";
const ID: &str = "demo/mlp/default/throughput";

/// A package with the MLP in a repository with one commit.
fn repository(settings: &str) -> Sandbox {
    let s = Sandbox::new();
    let table = format!("[workspace]\n[package.metadata.trt-perf]\n{settings}\n");
    s.add_package(".", "demo", &(table + &model("mlp", "mlp.onnx")));
    s.copy("mlp.onnx", "mlp.onnx");
    s.init_git(".");
    s.commit(".", "first");
    s
}

/// Runs the program where the terminal shows ASCII only.
fn ascii(s: &Sandbox, args: &[&str]) -> Ran {
    let mut command = s.command(".", args);
    command.env("LC_ALL", "C");
    Ran::of(command)
}

fn newest(s: &Sandbox) -> Record {
    let results = s.results("target");
    baseline::load(results.last().expect("a record")).expect("a readable record")
}

fn place(case: &CaseRecord) -> (u64, u64, u64) {
    (case.point.batch, case.point.streams, case.engine.threads)
}

#[test]
fn a_grid_is_shown_recorded_and_told_to_machines() {
    let s = repository(EASY);
    s.copy("cnn.onnx", "cnn.onnx");
    s.edit(
        "Cargo.toml",
        "path = \"mlp.onnx\"",
        "path = \"cnn.onnx\"\nshapes = { image = [\"batch\", 3, 32, 32] }",
    );
    let grid = ["--grid", "batch=1,2", "--grid", "streams=1,2", "--grid", "threads=1"];
    let ran = ascii(&s, &[&["discover"][..], &grid].concat());
    ran.says(
        0,
        &[
            "2 cases on cpu-",
            "round 1 of 3: demo/mlp, 4 cells, 5 ms each",
            "round 3 of 3: ",
            "demo/mlp  4 cells: batch 1 2 x streams 1 2\n",
            "budget: 99% within 10 s",
            "inf/s +",
            "p99 latency against throughput   W winner   o front   . other cells",
            "    batch  streams  ",
            "winner: batch ",
            "best of batch ",
            "record: target/trt-perf/results/cpu-",
            "--save-baseline pins it",
            "/throughput is not configured",
        ],
    );
    assert!(ran.out.is_ascii(), "{ran}");
    let record = newest(&s);
    let ids: Vec<&String> = record.cases.keys().collect();
    assert_eq!(ids, ["demo/mlp/b1/throughput", "demo/mlp/b2/throughput"], "each batch has its winner");
    let found: Vec<_> = record.cases.values().filter_map(|c| c.discovery.as_ref()).collect();
    assert_eq!(found.iter().filter(|d| d.overall).count(), 1);
    for (case, discovery) in record.cases.values().zip(&found) {
        assert_eq!(case.processes.len(), 2);
        assert_eq!((&discovery.axes.batch[..], &discovery.axes.streams[..]), (&[1, 2][..], &[1, 2][..]));
        assert_eq!(discovery.cells.len(), 2, "the cells of its own batch");
        let own = discovery.cells.iter().find(|t| t.cell == case.cell()).expect("its own cell");
        assert!(own.score.is_some_and(|s| s.inferences_per_s > 0.0 && s.tail_ns > 0.0));
        assert!(!discovery.overall || own.front, "the winner is on the front");
    }

    let (ran, messages) =
        s.run_json(".", &[&["run", "--discover", "--max-latency", "1ns"][..], &grid].concat());
    ran.says(4, &[]);
    let (cells, winners) = (with(&messages, "cell"), with(&messages, "winner"));
    assert_eq!((cells.len(), winners.len()), (4, 1));
    assert!(cells.iter().all(|c| c["out"] == "over-budget" && c["round"] == 1 && c["tail_ns"].is_number()));
    assert!(winners[0]["winner"].is_null() && winners[0]["nearest"]["over_frac"].as_f64() > Some(1.0));
    assert_eq!(messages.last().expect("an end")["exit_code"], 4);
}

#[test]
fn a_budget_that_nothing_meets_says_what_came_nearest() {
    let s = repository(EASY);
    let ran = s.run(".", &["discover", "--max-latency", "1ns", "--grid", "streams=1"]);
    ran.says(
        4,
        &["no cell is within the budget; nearest: batch 1, 1 stream", ", p99 ", "% over", "over the budget"],
    );
    assert!(s.results("target").is_empty(), "there is no winner to record");
    s.run(
        ".",
        &["discover", "--config", "max-latency=\"1h\"", "--grid", "streams=1", "--grid", "threads=1,2"],
    )
    .says(0, &["winner: batch 1, 1 stream"]);
    let bare = repository("measure = \"20ms\"\nwarm-up = \"5ms\"\nprocesses = 2\n");
    ascii(&bare, &["discover", "--grid", "threads=1"])
        .says(0, &["no budget", "no winner without a budget", "--max-latency 5ms", "o front"])
        .silent_on(&["record: ", "W winner"]);
    for option in ["--save-baseline", "--write"] {
        bare.run(".", &["discover", option])
            .says(2, &[option, "without a budget there is none", "--max-latency"]);
    }
}

#[test]
fn a_cell_that_fails_is_a_row_and_the_others_go_on() {
    let s = repository(EASY);
    s.copy("external.onnx", "external.onnx");
    s.copy("external.onnx.data", "external.onnx.data");
    s.edit("Cargo.toml", "path = \"mlp.onnx\"", "path = \"external.onnx\"\nshapes = { x = [1, \"batch\"] }");
    let grid = ["--grid", "batch=64,65", "--grid", "streams=1", "--grid", "threads=1,2"];
    let ran = s.run(".", &[&["discover"][..], &grid].concat());
    ran.says(
        0,
        &["winner: batch 64, 1 stream", "4 cells: batch 64 65", "–  usage\n", " and 1 other cell): "],
    );
    let whole =
        "given for input `x` does not fit the model, which declares [batch, 64]\n  next: give every fixed";
    assert_eq!(ran.out.matches(whole).count(), 1, "{ran}");
    assert_eq!(newest(&s).cases.len(), 1);
    let (_, messages) = s.run_json(".", &[&["discover"][..], &grid].concat());
    let failed = with(&messages, "cell").into_iter().find(|cell| cell["batch"] == 65).expect("it is told");
    assert_eq!((&failed["out"], &failed["failure"]["kind"]), (&"failed".into(), &"usage".into()));
    let all = ["discover", "--grid", "batch=65", "--grid", "streams=1", "--grid", "threads=1"];
    let ran = s.run(".", &all);
    ran.says(2, &["error: ", "\n  next: "]).silent_on(&["winner", "no cell could be built"]);
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_measured() {
    let s = repository(EASY);
    let bad = |args: &[&str], says: &[&str]| {
        s.run(".", &[&["discover"], args].concat()).says(2, says);
    };
    bad(&["--grid", "stream=1"], &["--grid", "`stream` in `stream=1` is no axis; did you mean `streams`?"]);
    bad(&["--grid", "streams=1,none"], &["--grid", "`none` in `streams=1,none` is not a whole number"]);
    bad(&["--grid", "batch"], &["--grid", "`batch` is not KEY=A,B"]);
    bad(&["mlp.onnx", "--write"], &["the model was named on the command line", "cargo trt-perf init"]);
    s.run(".", &["run", "--grid", "streams=1"]).says(2, &["options of a search", "--discover"]);
    s.run(".", &["discover", "encoder"]).says(4, &["matches encoder"]);
    let listed = s.run(".", &["discover", "--list", "--grid", "streams=1,2", "--grid", "threads=1"]);
    listed.says(0, &[]);
    assert_eq!(listed.out, format!("{ID} batch 1, 1 stream\n{ID} batch 1, 2 streams\n"));
    s.write("dirty.txt", "x");
    bad(&["--save-baseline"], &["cannot save a baseline", "dirty.txt"]);
    assert!(!s.path("target/trt-perf/engines").exists(), "nothing was built");
}

#[test]
fn the_winner_is_written_and_nothing_else() {
    let s = repository(EASY);
    s.edit("Cargo.toml", "path = \"mlp.onnx\"", "path = \"mlp.onnx\"  # the only one\nthreads = 1 # for now");
    let before = fs::read_to_string(s.path("Cargo.toml")).expect("a manifest");
    let search = ["discover", "--write", "--grid", "streams=3", "--grid", "threads=2"];
    s.run(".", &search).says(0, &["written to model \"mlp\" in Cargo.toml: streams = 3, threads = 2"]);
    let after = fs::read_to_string(s.path("Cargo.toml")).expect("a manifest");
    assert_eq!(after, before.replace("threads = 1 # for now", "threads = 2 # for now\nstreams = 3"));
    s.run(".", &search).says(0, &["nothing to write: model \"mlp\" in Cargo.toml is configured like that"]);
    s.run(".", &["run", "throughput"]).says(0, &[]).silent_on(&["pinned by"]);
    assert_eq!(place(&newest(&s).cases[ID]), (1, 3, 2));
    assert_eq!(newest(&s).cases[ID].discovery, None, "it was configured");
}

/// A repository whose only baseline pins three streams of two threads.
fn pinned() -> (Sandbox, Ran) {
    let s = repository(EASY);
    let ran = s.run(".", &["discover", "--save-baseline", "--grid", "streams=3", "--grid", "threads=2"]);
    s.commit(".", "the baseline");
    (s, ran)
}

#[test]
fn later_runs_measure_where_the_baseline_pins_the_point() {
    let (s, ran) = pinned();
    ran.says(0, &["winner: batch 1, 3 streams, 2 threads", "baseline: baselines/cpu-"]);
    let note = format!("point of {ID}: batch 1, 3 streams, 2 threads (pinned by baselines/cpu-");
    s.run(".", &["run", "--scenario", "throughput"])
        .says(0, &[&note])
        .silent_on(&["Not compared", "not comparable"]);
    let record = newest(&s);
    assert_eq!(place(&record.cases[ID]), (1, 3, 2));
    assert!(record.cases[ID].discovery.is_some(), "later records keep how the point was chosen");
    // What is said wins, and is another question.
    s.run(".", &["run", "--scenario", "throughput", "--streams", "1"])
        .says(0, &["another definition: operating point changed"])
        .silent_on(&["pinned by"]);
    assert_eq!(place(&newest(&s).cases[ID]), (1, 1, 1));
    s.run(".", &["run", "--scenario", "latency"]).says(0, &[]).silent_on(&["pinned by"]);
    s.run(".", &["run", "--scenario", "throughput", "--max-latency", "9s"])
        .says(0, &["under another budget"]);
    // Another winner is information.
    let ran = s.run(".", &["discover", "--grid", "streams=2", "--grid", "threads=1"]);
    ran.says(0, &["the grid has another winner: batch 1, 2 streams (before: batch 1, 3 streams, 2 threads)"]);
    let found = newest(&s);
    assert_eq!(place(&found.cases[ID]), (1, 2, 1));
    s.run(".", &["compare", "HEAD~1", &s.results("target").last().expect("it").display().to_string()])
        .says(4, &["the grid has another winner", "no verdict"]);
}

#[test]
fn a_check_measures_both_arms_at_the_point_that_the_base_pins() {
    let (s, _) = pinned();
    s.edit("Cargo.toml", "processes = 2\n", "processes = 2\nbuild.optimize = false\n");
    s.commit(".", "other options");
    let ran = s.run(".", &["check", "throughput", "--base", "HEAD~1", "--pairs", "3"]);
    let note = format!("point of {ID}: batch 1, 3 streams, 2 threads (pinned by baselines/cpu-");
    assert_eq!(ran.err.matches(&note).count(), 1, "{ran}");
    ran.silent_on(&["not comparable"]);
    let arms: Vec<Record> =
        s.results("target").iter().rev().take(2).map(|p| baseline::load(p).expect("a record")).collect();
    for arm in &arms {
        assert_eq!(place(&arm.cases[ID]), (1, 3, 2), "{ran}");
        assert!(arm.cases[ID].discovery.is_some());
    }
    assert_ne!(arms[0].cases[ID].engine.inputs_hash, arms[1].cases[ID].engine.inputs_hash);
}
