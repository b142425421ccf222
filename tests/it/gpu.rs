//! Everything that needs an NVIDIA GPU, driven through the real program: the `cuda` backend here, and in `testlib` the
//! TensorRT backend with a library of our own. Always compiled; where no GPU can be used each test says so and passes,
//! unless `TRT_PERF_REQUIRE_GPU=1`.
//!
//! On a machine without Rust, `TRT_PERF_BIN` names the program, `TRT_PERF_TESTLIB` the library in TensorRT's place, and
//! `TRT_PERF_MODELS` the folder of the sample models: see `tests/gpu/bundle.sh`.

mod kernels;
mod memory;
mod profile;
mod testlib;
mod upgrade;

use crate::support::{Ran, Sandbox};
use serde_json::Value;
use std::path::{Path, PathBuf};

struct Bench(Sandbox);

impl Bench {
    fn new() -> Self {
        Self(Sandbox::new())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    fn workload(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).expect("a workload file");
        path
    }

    fn run(&self, args: &[&str]) -> Ran {
        self.0.run(".", args)
    }

    /// Measures a workload in one scenario, and returns the fields of the finished case.
    fn measure(&self, workload: &Path, scenario: &str, more: &[&str]) -> Value {
        let mut args = vec!["run", workload.to_str().expect("UTF-8"), "--scenario", scenario];
        args.extend([
            "--processes",
            "2",
            "--warm-up",
            "50ms",
            "--measure",
            "200ms",
            "--message-format",
            "json",
        ]);
        args.extend(more);
        let said = self.run(&args);
        assert_eq!(said.code, Some(0), "{args:?}\n{}\n{}", said.out, said.err);
        said.message("case-finished")
    }

    /// Builds the engine of a workload, and returns its file.
    fn engine(&self, workload: &Path, more: &[&str]) -> String {
        let mut args =
            vec!["run", workload.to_str().expect("UTF-8"), "--scenario", "latency", "--processes", "1"];
        args.extend(["--warm-up", "10ms", "--measure", "10ms", "--message-format", "json"]);
        args.extend(more);
        let said = self.run(&args);
        assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
        said.message("engine")["engine"].as_str().expect("a path").to_owned()
    }
}

/// Whether a GPU can be used, asked of the program itself.
fn gpu() -> bool {
    let bench = Bench::new();
    let said = bench.run(&["doctor", "--message-format", "json"]);
    let report: Value = serde_json::from_str(&said.out).expect("doctor prints JSON");
    let gpus = report["device"]["gpus"].as_array().map_or(0, Vec::len);
    let driver = report["backends"]
        .as_array()
        .into_iter()
        .flatten()
        .any(|b| b["name"] == "cuda" && b["usable"] == true);
    if gpus > 0 && driver {
        return true;
    }
    let why = report["no_gpu_because"].as_str().unwrap_or("the CUDA driver cannot be opened").to_owned();
    assert!(
        std::env::var_os("TRT_PERF_REQUIRE_GPU").is_none_or(|v| v != "1"),
        "TRT_PERF_REQUIRE_GPU=1, and there is no GPU: {why}"
    );
    eprintln!("skipped: {why}");
    false
}

/// A `.npy` file of 32-bit floats.
fn npy(values: &[u8], shape: &str) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    header += &" ".repeat(117 - header.len());
    header.push('\n');
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.as_bytes());
    npy.extend(values);
    npy
}

fn estimate(case: &Value, pointer: &str) -> f64 {
    case.pointer(pointer).and_then(|f| f["est"].as_f64()).unwrap_or_else(|| panic!("no {pointer} in {case}"))
}

#[test]
fn without_a_driver_a_workload_is_one_clear_error() {
    let bench = Bench::new();
    let path = bench.workload("k.toml", "duration = \"20us\"");
    let said = bench.run(&["run", path.to_str().expect("UTF-8")]);
    if said.code == Some(0) {
        eprintln!("skipped: there is a GPU here");
        return;
    }
    assert_eq!(said.code, Some(101), "{}", said.err);
    assert!(
        said.err.contains("there is no usable CUDA driver") && said.err.contains("--backend cpu"),
        "{}",
        said.err
    );
    assert!(!said.err.contains("panicked"), "{}", said.err);
}

#[test]
fn a_workload_that_is_none_is_named_with_the_mistake() {
    if !gpu() {
        return;
    }
    let bench = Bench::new();
    let path = bench.workload("k.toml", "duration = \"20us\"\nlaunchs = 2");
    let said = bench.run(&["run", path.to_str().expect("UTF-8")]);
    assert_eq!(said.code, Some(101), "{}", said.err);
    assert!(said.out.contains("launchs") || said.err.contains("launchs"), "{}{}", said.out, said.err);
}

#[test]
fn a_gpu_that_is_not_there_is_said() {
    if !gpu() {
        return;
    }
    let bench = Bench::new();
    let path = bench.workload("k.toml", "duration = \"20us\"");
    let said = bench.run(&["run", path.to_str().expect("UTF-8"), "--device", "77"]);
    assert_eq!(said.code, Some(2), "{}", said.err);
    assert!(said.err.contains("there is no GPU 77"), "{}", said.err);
}

#[test]
fn latency_is_timed_by_host_and_gpu_and_belongs_to_the_gpu() {
    if !gpu() {
        return;
    }
    let bench = Bench::new();
    let path = bench.workload("k.toml", "duration = \"100us\"\ntraffic-bytes = 1048576");
    let case = bench.measure(&path, "latency", &[]);
    let (host, compute) = (estimate(&case, "/p50_ns"), estimate(&case, "/gpu/compute_p50_ns"));
    // A kernel cannot pass its cycles faster than at the highest clock; events resolve half a microsecond.
    assert!(compute > 99_000.0, "{compute}");
    assert!(host > compute, "the request {host} holds the kernel {compute}");
    assert!(estimate(&case, "/gpu/sm_mhz") > 100.0);
    let said = bench.run(&[
        "run",
        path.to_str().expect("UTF-8"),
        "--scenario",
        "latency",
        "--processes",
        "1",
        "--measure",
        "20ms",
        "--verbose",
    ]);
    assert!(
        said.out.contains("a calibration workload of kernels with a set duration, not a model"),
        "{}",
        said.out
    );
    assert!(said.err.contains(" on gpu-"), "the device is the GPU: {}", said.err);
    assert!(
        said.out.contains("1 in flight each, no CUDA graph, with transfers, host spinning"),
        "{}",
        said.out
    );
}

#[test]
fn every_mode_computes_the_same() {
    if !gpu() {
        return;
    }
    let bench = Bench::new();
    let path = bench.workload("k.toml", "duration = \"20us\"\nlaunches = 3\ntensor-bytes = 4096");
    let x = bench.path("x.npy");
    let values: Vec<u8> = (0..1024_u32).flat_map(|i| (i as f32 * 0.5).to_le_bytes()).collect();
    std::fs::write(&x, npy(&values, "(1024,)")).expect("an input file");
    let (input, expect) = (format!("x={}", x.display()), format!("y={}", x.display()));
    let modes: [&[&str]; 7] = [
        &[],
        &["--cuda-graph"],
        &["--no-transfers"],
        &["--wait", "block"],
        &["--streams", "4", "--in-flight", "3"],
        &["--streams", "2", "--no-transfers"],
        &["--streams", "2", "--in-flight", "1", "--cuda-graph", "--no-transfers", "--wait", "block"],
    ];
    for mode in modes {
        for scenario in ["latency", "throughput"] {
            let mut more = vec!["--input", &input, "--expect", &expect];
            more.extend(mode);
            let case = bench.measure(&path, scenario, &more);
            assert_eq!(
                case["gpu"]["compute_p50_ns"].is_null(),
                scenario == "throughput",
                "{mode:?} {scenario}"
            );
        }
    }
}

#[test]
fn a_kernel_has_a_capacity_below_its_closed_loop() {
    if !gpu() {
        return;
    }
    let bench = Bench::new();
    let workload = bench.workload("k.toml", "duration = \"200us\"\ntensor-bytes = 4096\n");
    let open = ["--max-latency", "2ms", "--budget", "700us", "--percentile", "95", "--cuda-graph"];
    for (streams, in_flight) in [("2", "1"), ("2", "2")] {
        let more = [&open[..], &["--streams", streams, "--in-flight", in_flight]].concat();
        let case = bench.measure(&workload, "capacity", &more);
        let closed = estimate(&case, "/capacity/closed_per_s");
        let points = case["capacity"]["points"].as_array().expect("a rate for each budget");
        let rates: Vec<f64> = points.iter().map(|p| estimate(p, "/inferences_per_s")).collect();
        assert!(rates.len() == 2 && rates[0] < rates[1], "{streams} × {in_flight}: {case}");
        // Nothing is answered faster than back to back, and ten services of patience are nearly as good.
        assert!(rates[1] < 1.02 * closed && rates[0] > 0.2 * closed, "{streams} × {in_flight}: {case}");
    }
    let args = ["--max-latency", "2ms", "--wait", "block", "--in-flight", "2"];
    let case = ["run", workload.to_str().expect("UTF-8"), "--scenario", "capacity"];
    let said = bench.run(&[&case[..], &args].concat());
    assert!(said.code == Some(2) && said.err.contains("it cannot block"), "{}", said.err);
}

#[test]
fn the_same_engine_twice_is_no_change_and_two_percent_more_is_one() {
    if !gpu() {
        return;
    }
    let bench = Bench::new();
    let base = bench.engine(&bench.workload("base.toml", "duration = \"200us\""), &[]);
    let same = bench.engine(
        &bench.workload("base.toml", "duration = \"200us\""),
        &["--config", "debug-extra-work=0.0001%"],
    );
    let slower = bench.engine(&bench.workload("slower.toml", "duration = \"204us\""), &[]);
    let check = |head: &str| {
        let mut args = vec!["check", "--base-engine", &base, "--head-engine", head, "--pairs", "20"];
        args.extend([
            "--scenario",
            "latency",
            "--warm-up",
            "50ms",
            "--measure",
            "200ms",
            "--message-format",
            "json",
        ]);
        let said = bench.run(&args);
        let row = said.message("checked");
        eprintln!("{}", row["comparison"]);
        (said.code, row["comparison"]["verdict"].as_str().expect("a verdict").to_owned())
    };
    let (code, verdict) = check(&same);
    assert!(code == Some(0) && verdict != "regressed" && verdict != "improved", "A/A: {code:?} {verdict}");
    assert_eq!(check(&slower), (Some(100), "regressed".into()));
}
