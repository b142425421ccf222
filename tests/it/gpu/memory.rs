//! Memory runs on a GPU, with the test library in TensorRT's place: it takes memory of the driver through our allocator,
//! and NVML says what the process has.

use super::{Bench, gpu};
use crate::support::installed::{Installed, RELEASES};
use crate::support::{Ran, sample};
use serde_json::Value;

const MIB: u64 = 1 << 20;

/// Loads the MLP once, with something that goes wrong (nothing, where that is empty).
fn memory(installed: &Installed, more: &[&str], fault: &str) -> Ran {
    let bench = Bench::new();
    let (model, folder) =
        (sample("mlp.onnx").display().to_string(), installed.folder().display().to_string());
    let args = ["memory", &model, "--backend", "tensorrt", "--tensorrt", &folder, "--scenario", "latency"];
    let mut command = bench.0.command(".", &[&args[..], &["--message-format", "json"], more].concat());
    installed.tell(&mut command, fault);
    Ran::of(command)
}

/// The peak and the end of each phase, in MiB.
fn traced(process: &Value) -> Vec<(String, u64, u64)> {
    let row = |p: &Value| {
        let mib = |key: &str| p[key].as_u64().unwrap_or_else(|| panic!("{key} of {p}")) / MIB;
        let phase = p["phase"].as_str().expect("text").to_owned();
        (phase, mib("traced_peak_bytes"), mib("traced_end_bytes"))
    };
    process["phases"].as_array().expect("phases").iter().filter(|p| p["phase"] != "driver").map(row).collect()
}

fn phases(all: &[(&str, u64, u64)]) -> Vec<(String, u64, u64)> {
    all.iter().map(|(phase, peak, end)| ((*phase).to_owned(), *peak, *end)).collect()
}

#[test]
fn what_a_library_takes_of_the_driver_is_traced_in_both_phases() {
    if !gpu() {
        return;
    }
    for file in RELEASES {
        let installed = Installed::new(file);
        let ran = memory(&installed, &["--trace-build"], "");
        ran.says(0, &[]);
        let found = ran.message("memory");
        assert_eq!(traced(&found["build"]), phases(&[("build", 1, 0), ("end", 0, 0)]), "{file}: {found}");
        let run = phases(&[("load", 1, 1), ("context", 2, 2), ("inference", 2, 2), ("end", 2, 0)]);
        assert_eq!(traced(&found["run"]), run, "{file}: {found}");
        assert_eq!(found["engine"]["context_bytes"], MIB, "{file}: {found}");
        assert_eq!(found["run"]["leaks"], Value::Array(Vec::new()), "{file}: {found}");
        // Where NVML tells, the context of the driver alone is more than what was traced.
        if let Some(process) = found["run"]["process_peak_bytes"].as_u64() {
            assert!(process > 2 * MIB, "{file}: {found}");
        }
        installed.calls().check_lifecycle();
    }
}

#[test]
fn what_a_library_does_wrong_is_told() {
    if !gpu() {
        return;
    }
    let wrong =
        |fault: &str, more: &[&str]| memory(&Installed::new(RELEASES[0]), more, fault).message("memory");
    let leaked = wrong("leak-context", &[]);
    assert_eq!(leaked["run"]["leaks"][0]["bytes"], MIB, "{leaked}");
    assert_eq!(leaked["run"]["leaks"][0]["phase"], "context", "{leaked}");
    assert_eq!(wrong("double-free", &[])["run"]["wrong_frees"]["twice"], 1);
    assert_eq!(wrong("unknown-free", &[])["run"]["wrong_frees"]["unknown"], 1);
    let build = wrong("leak-in-build", &["--trace-build"]);
    assert_eq!(build["build"]["leaks"][0]["phase"], "build", "{build}");
}

#[test]
fn an_allocator_that_runs_out_is_a_row() {
    if !gpu() {
        return;
    }
    let ran = memory(&Installed::new(RELEASES[2]), &[], "greedy-weights");
    let failed = ran.message("case-failed");
    assert_eq!((ran.code, &failed["kind"]), (Some(101), &"out-of-memory".into()), "{ran}");
    let says = "the GPU had no 1073741824.00 GiB more in the phase load, with 0 B allocated";
    assert!(failed["message"].as_str().is_some_and(|text| text.contains(says)), "{failed}");
}
