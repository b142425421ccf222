//! The guard of an upgrade: one model, no project, two releases of TensorRT. With a stand-in for trtexec it runs to its end
//! without a GPU.

use super::fixtures::times;
use crate::support::{Ran, Sandbox};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A release in a folder, which answers in so many milliseconds.
fn release(s: &Sandbox, folder: &str, version: &str, latency_ms: f64) -> String {
    for (i, factor) in [1.0, 1.001, 0.999].into_iter().enumerate() {
        s.write(format!("{folder}/times.{i}"), times(1.0, 1200, latency_ms * factor));
    }
    let script = include_str!("standin.sh")
        .replace("@VERSION@", version)
        .replace("@LOG@", &s.path(format!("{folder}/calls")).display().to_string())
        .replace("@TIMES@", &s.path(format!("{folder}/times")).display().to_string());
    let program = format!("{folder}/bin/trtexec");
    s.write(&program, script);
    fs::set_permissions(s.path(program), fs::Permissions::from_mode(0o755)).expect("a program");
    format!("tensorrt={}", s.path(folder).display())
}

#[test]
fn two_releases_are_compared_with_a_model_and_no_project() {
    let s = Sandbox::new();
    s.copy("mlp.onnx", "mlp.onnx");
    let old = release(&s, "old", "101600", 0.5);
    let (same, slower) = (release(&s, "same", "110000", 0.5), release(&s, "slower", "110000", 0.6));
    let check = |head: &str, more: &[&str]| {
        let arms =
            ["check", "mlp.onnx", "--backend", "trtexec", "--base-config", &old, "--head-config", head];
        let quick = ["--pairs", "8", "--warm-up", "10ms", "--measure", "30ms", "--scenario", "latency"];
        let mut command = s.command(".", &[&arms[..], &quick, more].concat());
        command.env_remove("TRT_PERF_TRTEXEC").env("STANDIN", "");
        Ran::of(command)
    };
    let versions = "library TensorRT 10.16.0 → TensorRT 11.0.0";
    check(&same, &[]).says(0, &["files/mlp/default/latency", versions, "No change"]);
    let worse = check(&slower, &["--explain", "--markdown", "report.md"]);
    worse.says(
        100,
        &[
            versions,
            "regressed",
            "no layers explain it: the trtexec backend gives no times of layers",
            "base: ",
        ],
    );
    let report = fs::read_to_string(s.path("report.md")).expect("the report");
    assert!(report.contains("library TensorRT 10.16.0 → TensorRT 11.0.0"), "{report}");
    let rows = check(&slower, &["--message-format", "json"]).messages("checked");
    assert_eq!(rows[0]["comparison"]["engine_changes"][0], versions, "{rows:#?}");
    // The third is the same release as the second, so its engine is there already.
    let calls = |folder: &str| fs::read_to_string(s.path(format!("{folder}/calls"))).expect("calls");
    assert!(["old", "same"].iter().all(|release| calls(release).contains("--saveEngine=")));
}
