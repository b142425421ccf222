//! Plans that somebody else made: what is refused before anything looks into them, and what becomes of a trusted one.
//! What is beyond reading them needs a GPU.

use super::{build_in, program};
use crate::support::installed::{Calls, Installed, RELEASES};
use crate::support::{Ran, Sandbox};
use std::fs;
use std::path::PathBuf;
use trt_perf::config::Values;
use trt_perf::engine::{self, PlanHeader};

/// A plan of each of two profiles, as `trtexec --saveEngine` would keep it, and the release that it is of.
fn plan(s: &Sandbox, file: &str) -> PathBuf {
    plan_of(s, file, "half.onnx", "x:4x16")
}

fn plan_of(s: &Sandbox, file: &str, model: &str, shape: &str) -> PathBuf {
    let ran = build_in(s, &Installed::new(file), model, &["--shape", shape], "");
    let path = ran.message("engine")["engine"].as_str().expect("a path").to_owned();
    let (_, mut parts) = engine::read(&s.path(path)).expect("an engine");
    let plan = s.path("model.plan");
    fs::write(&plan, parts.remove(0)).expect("a plan");
    plan
}

/// Reads the plan in a sandbox, in memory of the host.
fn build(s: &Sandbox, installed: &Installed, more: &[&str]) -> Ran {
    let folder = installed.folder().display().to_string();
    let args = ["build", "model.plan", "--tensorrt", &folder, "--message-format", "json"];
    let mut command = program(installed, s, &[&args, more].concat(), "");
    command.env("TRT_PERF_TESTLIB_HOST", "1");
    Ran::of(command)
}

/// What the library was asked to do with plans.
fn loads(calls: &Calls) -> usize {
    calls.0.iter().filter(|(_, c)| c.contains("deserializeCudaEngine")).count()
}

#[test]
fn a_plan_is_loaded_only_where_somebody_says_that_it_is_trusted() {
    let s = Sandbox::new();
    plan(&s, RELEASES[0]);
    let installed = Installed::new(RELEASES[0]);
    let refused = build(&s, &installed, &[]);
    assert_ne!(refused.code, Some(0), "{refused}");
    assert!(refused.out.contains("executable content") && refused.out.contains("--trust-plan"), "{refused}");
    assert_eq!(loads(&installed.calls()), 0, "nothing looked into it");
}

#[test]
fn a_trusted_plan_is_the_engine_and_tells_its_own_inputs() {
    for file in RELEASES {
        let s = Sandbox::new();
        let bytes = fs::read(plan(&s, file)).expect("a plan");
        let installed = Installed::new(file);
        let ran = build(&s, &installed, &["--trust-plan"]);
        assert_eq!(ran.code, Some(0), "{file}: {ran}");
        let path = ran.message("engine")["engine"].as_str().expect("a path").to_owned();
        let (header, parts) = engine::read(&s.path(path)).expect("an engine");
        assert_eq!(parts, [bytes], "{file}: as it is");
        let made = &header.made_from;
        assert_eq!((made.inputs.len(), made.inputs[0].name.as_str()), (1, "x"), "{file}");
        assert_eq!((made.inputs[0].shape.opt.as_slice(), header.outputs.len()), (&[4, 16][..], 1), "{file}");
        assert!(header.facts["made elsewhere"].starts_with("by TensorRT"), "{:?}", header.facts);
        let calls = installed.calls();
        calls.check_lifecycle();
        assert_eq!(loads(&calls), 2, "{file}: for its inputs, and for its tactics: {calls:#?}");
        assert!(!calls.has("createInferBuilder"), "{file}: {calls:#?}");
        let outside = build(&s, &installed, &["--trust-plan", "--shape", "x:5x16"]);
        let says = "the shape 5x16 given for input `x` does not fit the model, which declares [4–4, 16]";
        assert!(outside.out.contains(says), "{file}: {outside}");
    }
}

#[test]
fn a_plan_tells_the_values_that_decide_its_shapes() {
    for file in RELEASES.into_iter().chain(["libnvinfer.so.10.0.0"]) {
        let s = Sandbox::new();
        plan_of(&s, file, "resize.onnx", "sizes:[1,3,16,24]");
        let installed = Installed::new(file);
        let ran = build(&s, &installed, &["--trust-plan"]);
        assert_eq!(ran.code, Some(0), "{file}: {ran}");
        let path = ran.message("engine")["engine"].as_str().expect("a path").to_owned();
        let (header, _) = engine::read(&s.path(path)).expect("an engine");
        let sizes = header.made_from.inputs.iter().find(|i| i.name == "sizes").expect("an input");
        assert_eq!(sizes.shape.values, Some(Values::fixed(vec![1, 3, 16, 24])), "{file}");
        let outside = build(&s, &installed, &["--trust-plan", "--shape", "sizes:[1,3,16,25]"]);
        let says =
            "the values [1, 3, 16, 25] of input `sizes` are outside of [1, 3, 16, 24] to [1, 3, 16, 24]";
        assert!(outside.out.contains(says), "{file}: {outside}");
    }
}

#[test]
fn what_cannot_load_is_told_with_both_versions_before_it_is_tried() {
    let s = Sandbox::new();
    let path = plan(&s, "libnvinfer.so.11.0.0");
    for (file, here) in
        [("libnvinfer.so.10.0.0", "TensorRT 10.0.0"), ("libtensorrt_rtx.so.1.5.0", "TensorRT-RTX 1.5.0")]
    {
        let installed = Installed::new(file);
        let ran = build(&s, &installed, &["--trust-plan"]);
        let says = ["was built by TensorRT 11.0.0.0, and you have ", here, "--tensorrt"];
        assert!(says.iter().all(|s| ran.out.contains(s)), "{ran}");
        assert_eq!(loads(&installed.calls()), 0, "{file}");
    }
    // A later release may load it; this one does not, and says so in its own words.
    let installed = Installed::new("libnvinfer.so.11.4.0");
    let ran = build(&s, &installed, &["--trust-plan"]);
    let says = ["was built by TensorRT 11.0.0.0, and you have ", "the plan is of", "version-compatible=true"];
    assert!(says.iter().all(|s| ran.out.contains(s)), "{ran}");
    for (bytes, says) in [
        (&b"ftrt"[..], "is cut off"),
        (b"onnx", "is no plan of TensorRT"),
        (b"TRTPERF\n", "is an engine file of this tool"),
    ] {
        fs::write(&path, bytes).expect("written");
        let ran = build(&s, &installed, &["--trust-plan"]);
        assert!(ran.out.contains(says), "{ran}");
    }
}

#[test]
fn doctor_says_which_library_built_a_plan_and_loads_nothing() {
    let s = Sandbox::new();
    plan(&s, RELEASES[2]);
    let installed = Installed::new(RELEASES[2]);
    let folder = installed.folder().display().to_string();
    let doctor = |more: &[&str]| {
        let args = [&["doctor", "model.plan", "--tensorrt", &folder][..], more].concat();
        Ran::of(program(&installed, &s, &args, ""))
    };
    doctor(&[]).says(0, &["model.plan was built by TensorRT-RTX 1.7.1.0"]);
    doctor(&["--message-format", "json"])
        .says(0, &["\"plan\":\"model.plan was built by TensorRT-RTX 1.7.1.0\""]);
    assert_eq!(loads(&installed.calls()), 0);
    fs::write(s.path("model.plan"), "onnx").expect("written");
    doctor(&[]).says(2, &["model.plan is no plan of TensorRT"]);
}

#[test]
fn options_that_would_do_nothing_to_a_plan_are_refused() {
    let s = Sandbox::new();
    let path = plan(&s, RELEASES[1]);
    let header = PlanHeader::of(&fs::read(path).expect("a plan"));
    assert_eq!(header.map(|h| h.version), Ok([11, 4, 0, 0]));
    let installed = Installed::new(RELEASES[1]);
    let more = ["--trust-plan", "--shape", "x:4x16", "--build", "tf32=false"];
    let ran = build(&s, &installed, &more);
    assert!(ran.out.contains("`tf32` does nothing to a plan"), "{ran}");
    let ran = build(&s, &installed, &["--trust-plan", "--backend", "cpu"]);
    assert!(ran.out.contains("the backend cpu does not load plans"), "{ran}");
}
