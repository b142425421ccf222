//! The guard of an upgrade as far as it goes without a GPU: a model and no project, and two releases of the library that
//! both build it. `gpu::upgrade` loads and measures them, and explains the change.

use super::{build_in, program};
use crate::support::installed::Installed;
use crate::support::{Ran, Sandbox, sample};

/// The GPU that this machine may have is none of this test's.
const NO_GPU: (&str, &str) = ("CUDA_VISIBLE_DEVICES", "");

#[test]
fn both_releases_build_a_model_and_a_check_of_them_needs_a_gpu() {
    let releases = ["libnvinfer.so.10.13.3", "libnvinfer.so.11.4.0"].map(Installed::new);
    for (installed, version) in releases.iter().zip(["10.13.3", "11.4.0"]) {
        let s = Sandbox::new();
        let built = build_in(&s, installed, "mlp.onnx", &[], "");
        assert_eq!(built.code, Some(0), "{built}");
        let engine = built.message("engine")["engine"].as_str().expect("a path").to_owned();
        let (header, _) = trt_perf::engine::read(engine.as_ref()).expect("an engine file");
        assert!(header.made_from.library.ends_with(version), "{:?}", header.made_from);
    }
    let [base, head] = releases.each_ref().map(|one| format!("tensorrt={}", one.folder().display()));
    let (s, model) = (Sandbox::new(), sample("mlp.onnx").display().to_string());
    let args = [
        "check",
        &model,
        "--backend",
        "tensorrt",
        "--base-config",
        &base,
        "--head-config",
        &head,
        "--explain",
    ];
    let mut command = program(&releases[0], &s, &args, "");
    command.env(NO_GPU.0, NO_GPU.1);
    let ran = Ran::of(command);
    assert!(ran.code == Some(101) && ran.err.contains("CUDA") && ran.err.contains("next: "), "{ran}");
    // Nothing was built that could not be measured.
    assert!(crate::support::files_below(&s.path(".trt-perf/engines")).is_empty(), "{ran}");
}
