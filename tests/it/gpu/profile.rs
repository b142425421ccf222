//! `profile` on a GPU, with a stand-in for nsys and ncu: what they are asked, and what the worker does between their marks.

use super::{Bench, gpu};
use crate::profile::driven::{reply, stand_in};
use crate::support::installed::Installed;
use crate::support::{Ran, sample};

/// Profiles a model or a workload with the stand-in.
fn profile(
    bench: &Bench,
    what: &str,
    more: &[&str],
    prepare: impl FnOnce(&mut std::process::Command),
) -> Ran {
    stand_in(&bench.0, "good");
    let args = ["profile", what, "--scenario", "latency", "--warm-up", "10ms"];
    let mut command = bench.0.command(".", &[&args, more].concat());
    command.env("NCU", bench.path("bin/nsys")).env("NSYS", bench.path("bin/nsys"));
    prepare(&mut command);
    Ran::of(command)
}

#[test]
fn a_graph_is_captured_where_the_profiler_records_unless_layers_do_not_matter() {
    if !gpu() {
        return;
    }
    for (nvtx, late) in [("layers", true), ("none", false)] {
        let bench = Bench::new();
        let workload = bench.workload("w.toml", "duration = \"20us\"\n");
        let more =
            ["--backend", "cuda", "--cuda-graph", "--tool", "ncu", "--iterations", "3", "--nvtx", nvtx];
        let ran = profile(&bench, workload.to_str().expect("UTF-8"), &more, |_| {});
        ran.says(0, &["the report: ncu --import ", "around 3 requests"]);
        assert!(reply(&bench.0).contains(&format!("\"captured_in_profile\":{late}")), "{ran}");
    }
}

#[test]
fn tensorrt_marks_nothing_where_nothing_is_to_be_marked() {
    if !gpu() {
        return;
    }
    for (nvtx, told) in [("layers", false), ("none", true)] {
        let (bench, installed) = (Bench::new(), Installed::new("libnvinfer.so.10.13.3"));
        let folder = installed.folder().display().to_string();
        let more = ["--backend", "tensorrt", "--tensorrt", &folder, "--tool", "ncu", "--nvtx", nvtx];
        let model = sample("mlp.onnx").display().to_string();
        profile(&bench, &model, &more, |command| installed.tell(command, "")).says(0, &["around 1 request"]);
        assert_eq!(installed.calls().has("setNvtxVerbosity(1)"), told);
    }
}

#[test]
fn counters_that_are_not_allowed_are_left_out_and_said() {
    if !gpu() {
        return;
    }
    let bench = Bench::new();
    let workload = bench.workload("w.toml", "duration = \"20us\"\n");
    let more = ["--backend", "cuda", "--cuda-graph", "--gpu-metrics", "--iterations", "3"];
    let ran = profile(&bench, workload.to_str().expect("UTF-8"), &more, |_| {});
    ran.says(0, &["without the GPU's own counters: Insufficient privilege", "around 3 requests"]);
    let calls = std::fs::read_to_string(bench.path("calls")).expect("calls");
    let call = calls.lines().find(|call| call.contains("__worker")).expect("a recording");
    assert!(call.contains(" --trace=cuda,nvtx ") && call.contains(" --cuda-graph-trace=node "), "{call}");
    assert!(call.contains(" --capture-range=cudaProfilerApi ") && !call.contains("gpu-metrics"), "{call}");
}
