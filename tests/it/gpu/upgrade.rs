//! The guard of an upgrade with two releases of the test library (`tests/testlib/`) in TensorRT's place: both arms are
//! built, loaded and measured as pairs, the report names both, and their layers are set against each other.

use super::{Bench, gpu};
use crate::support::installed::Installed;
use crate::support::{Ran, sample};

#[test]
fn two_releases_are_compared_and_their_layers_explain_it() {
    if !gpu() {
        return;
    }
    let releases = ["libnvinfer.so.10.13.3", "libnvinfer.so.11.4.0"].map(Installed::new);
    let [base, head] = releases.each_ref().map(|one| format!("tensorrt={}", one.folder().display()));
    let (bench, model) = (Bench::new(), sample("mlp.onnx").display().to_string());
    let arms = ["check", &model, "--backend", "tensorrt", "--base-config", &base, "--head-config", &head];
    let quick = ["--pairs", "8", "--warm-up", "20ms", "--measure", "50ms", "--scenario", "latency"];
    let details = ["--build", "profiling-verbosity=detailed", "--explain", "--message-format", "json"];
    let mut command = bench.0.command(".", &[&arms[..], &quick, &details].concat());
    releases[0].tell(&mut command, "");
    let ran = Ran::of(command);
    // Which of them is faster is this machine's to say.
    assert!(matches!(ran.code, Some(0 | 100)), "{ran}");
    let changes = ran.message("checked")["comparison"]["engine_changes"].to_string();
    assert!(changes.contains("10.13.3 → ") && changes.contains("11.4.0"), "{changes}");
    let layers = ran.message("layer-changes");
    assert_eq!(layers["case"], "files/mlp/default/latency", "{layers}");
    assert!(layers["groups"].as_array().is_some_and(|groups| !groups.is_empty()), "{layers}");
    releases[0].calls().check();
}
