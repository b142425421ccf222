//! `builds = K` end to end: every engine is built so often, processes load the builds in turn, and what differs between
//! builds is told apart from what differs between processes. No time is asserted.

use crate::support::{QUICK_ARGS, Sandbox, sample};

/// A project in a repository whose only model is the MLP, measured by its latency.
fn project() -> Sandbox {
    let s = Sandbox::committed_mlp();
    s.write("src/lib.rs", "// something that is no model");
    s.commit(".", "second");
    s
}

fn model() -> String {
    sample("mlp.onnx").display().to_string()
}

#[test]
fn processes_load_the_builds_in_turn_and_the_record_names_each() {
    let s = Sandbox::new();
    let more = ["--processes", "7", "--builds", "3"];
    let args = ["run", &model(), "--warm-up", "5ms", "--measure", "20ms", "--scenario", "latency"];
    let ran = s.run(".", &[&args[..], &more].concat());
    ran.says(0, &["builds: mean: builds differ by ", "(sd; 3 builds (all the same engine) in 7 processes)"]);
    let case = s.record("target").cases["files/mlp/default/latency"].clone();
    let builds: Vec<Option<u32>> = case.processes.iter().map(|p| p.build).collect();
    assert_eq!(builds, [1, 2, 3, 1, 2, 3, 1].map(Some));
    assert_eq!(case.engine.builds.len(), 3);
    assert!(case.engine.builds.iter().all(|b| b.payload_sha256 == case.engine.payload_sha256), "rten copies");
    let (ran, _) = s.run_json(".", &[&args[..], &more].concat());
    let said = ran.message("case-finished");
    assert_eq!((&said["builds"]["builds"], &said["builds"]["engines"]), (&3.into(), &1.into()), "{said}");
    assert!(said["builds"]["within_frac"].as_f64().is_some_and(|sd| sd > 0.0), "{said}");
    let stored = s.results("target");
    let builds = stored.iter().map(|path| {
        let record = trt_perf::baseline::load(path).expect("a readable record");
        record.cases["files/mlp/default/latency"].engine.builds.clone()
    });
    let builds: Vec<_> = builds.collect();
    assert!(builds.len() == 2 && builds[0] != builds[1], "each was built anew: {builds:?}");
    let once = s.run(".", &[&args[..2], &QUICK_ARGS].concat());
    once.says(0, &[]);
    assert!(!once.out.contains("builds:"), "{once}");
}

#[test]
fn build_builds_so_often_and_says_each() {
    let s = Sandbox::new();
    let (ran, messages) = s.run_json(".", &["build", &model(), "--builds", "3"]);
    ran.says(0, &[]);
    let engines: std::collections::BTreeSet<String> =
        messages.iter().filter(|m| m["reason"] == "engine").map(|m| m["engine"].to_string()).collect();
    assert_eq!((engines.len(), ran.message("build-finished")["engines"].as_u64()), (3, Some(3)), "{ran}");
    let said = s.run(".", &["build", &model(), "--builds", "3"]);
    assert_eq!(said.out.matches("built in").count(), 3, "{said}");
}

#[test]
fn builds_that_cannot_be_compared_are_refused_before_anything_is_built() {
    let s = Sandbox::new();
    let run = |more: &[&str]| s.run(".", &[&["run", &model()], more].concat());
    run(&["--builds", "2"]).says(2, &["--builds: is 2, which says nothing of how much builds differ"]);
    run(&["--builds", "5", "--processes", "4"])
        .says(2, &["4 processes are fewer than 5 builds", "set processes = 10 or more"]);
    assert!(!s.path("target/trt-perf/engines").exists(), "nothing was built");
}

#[test]
fn a_check_compares_builds_and_confirms_with_others() {
    let s = project();
    let builds = [
        "check",
        "--builds",
        "3",
        "--pairs",
        "6",
        "--measure",
        "20ms",
        "--max-latency",
        "10s",
        "--percentile",
        "50",
    ];
    let same = s.run(".", &builds);
    same.says(0, &["same engine"]);
    assert!(!same.err.contains("builds differ"), "what head did not change is not measured: {same}");
    s.copy("mlp_slow.onnx", "mlp.onnx");
    s.commit(".", "slower");
    let ran = s.run(".", &builds);
    ran.says(100, &["regressed", "confirmed", "each build counts once"]);
    for arm in ["base", "head"] {
        let told = format!("/latency: {arm}: mean: builds differ by ");
        assert!(ran.err.contains(&told), "no {told:?} in {ran}");
    }
    let few = s.run(".", &["check", "--builds", "9", "--pairs", "5", "--measure", "20ms"]);
    few.says(100, &["regressed"]);
}

#[test]
fn a_calibration_with_builds_builds_each_arm() {
    let s = project();
    let args = ["calibrate", "--sessions", "5", "--pairs", "3", "--measure", "20ms", "--builds", "3"];
    s.run(".", &args).says(0, &["5 sessions, 15 pairs"]);
    let built =
        std::fs::read_dir(s.path("target/trt-perf/engines/builds")).expect("a folder for each").count();
    assert_eq!(built, 6);
}
