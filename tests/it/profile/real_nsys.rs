//! The real nsys around a worker on the CPU: `NSYS`, or what `.ci/nsys` fetched. Skips, and says so, where there is none;
//! `TRT_PERF_REQUIRE_NSYS=1` makes that a failure.

use super::perfetto;
use crate::support::{Ran, Sandbox, model};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use trt_perf::profile::NsysTrace;

fn nsys() -> Option<PathBuf> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/nsys/target-linux-x64/nsys");
    let found = std::env::var_os("NSYS").map(PathBuf::from).or_else(|| fetched.is_file().then_some(fetched));
    if found.is_none() {
        assert!(std::env::var_os("TRT_PERF_REQUIRE_NSYS").is_none(), "there is no nsys, and it is required");
        eprintln!("skipped: there is no nsys; .ci/nsys fetches one, and NSYS names another");
    }
    found
}

fn command(s: &Sandbox, nsys: &Path, args: &[&str]) -> Command {
    let mut command = s.command(".", &[&["profile", "mlp"], args].concat());
    command.env("NSYS", nsys);
    command
}

fn package() -> Sandbox {
    let s = Sandbox::package(&model("mlp", "mlp.onnx"));
    s.copy("mlp.onnx", "mlp.onnx");
    s
}

#[test]
fn the_report_holds_the_requests_and_nothing_before_them() {
    let Some(nsys) = nsys() else { return };
    let s = package();
    let ran = Ran::of(command(&s, &nsys, &["--iterations", "7", "--output", "r.nsys-rep"]));
    ran.says(
        0,
        &[
            "the report has no kernels; it has 7 requests",
            "NVIDIA Nsight Systems version",
            "around 7 requests",
        ],
    );
    let trace = NsysTrace::read(&fs::read(s.path("r.sqlite")).expect("tables")).expect("a report");
    let ours = trace.ranges.iter().filter(|range| range.domain == "trt-perf");
    let mut names: Vec<&str> = ours.map(|range| range.name.as_str()).collect();
    assert_eq!(names.split_off(2), ["request"; 7], "after {names:?}");
    assert_eq!(names, ["requests", "case demo/mlp/default/latency"], "neither loading nor warming up");
    let timeline = s.run(".", &["export", "perfetto", "r.sqlite"]);
    let lines = perfetto::check(&timeline.says(0, &[]).out);
    assert_eq!(lines.values().flatten().filter(|name| *name == "request").count(), 7);
}

#[test]
fn a_worker_that_takes_too_long_leaves_no_process_of_nsys() {
    let Some(nsys) = nsys() else { return };
    let s = package();
    let args = ["--config", "warm-up=\"500s\"", "--config", "time-limit=\"5s\""];
    Ran::of(command(&s, &nsys, &args)).says(101, &["did not come to its end"]);
    let folder = s.path("").display().to_string();
    let of_ours = |entry: &fs::DirEntry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&folder)
    };
    let left: Vec<_> = fs::read_dir("/proc").expect("/proc").flatten().filter(of_ours).collect();
    assert!(left.is_empty(), "{left:?}");
}
