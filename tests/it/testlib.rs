//! Our side of TensorRT's binary interface, driven through the real program with a library that implements NVIDIA's
//! tables (`tests/testlib/`): every family, every option, and everything that can go wrong, without NVIDIA's library and
//! without a GPU. What needs a GPU is in `gpu::testlib`.

mod builds;
mod layers;
mod memory;
mod plans;
mod runs;
mod upgrade;
mod values;

use crate::support::installed::{Calls, Installed, RELEASES};
use crate::support::{Ran, Sandbox, sample};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use trt_perf::backend::tensorrt::sys::abi::{Family, ObjectPointer};
use trt_perf::backend::tensorrt::sys::library::{self, Need};
use trt_perf::backend::tensorrt::sys::tables::{v_builder, v_builder_config};

/// Kind, message and next step of the one case that failed.
#[track_caller]
fn failure(ran: &Ran) -> (String, String, String) {
    let all = ran.messages("case-failed");
    assert_eq!(all.len(), 1, "{ran}");
    ran.silent_on(&["panicked"]);
    let text = |key: &str| all[0][key].as_str().expect("text").to_owned();
    (text("kind"), text("message"), text("next"))
}

fn program(installed: &Installed, s: &Sandbox, args: &[&str], fault: &str) -> Command {
    let mut command = s.command(".", args);
    command.env_remove("LD_LIBRARY_PATH");
    installed.tell(&mut command, fault);
    command
}

/// Builds the engine of a model with more arguments, in an empty cache.
fn build(installed: &Installed, model: &str, more: &[&str], fault: &str) -> Ran {
    build_in(&Sandbox::new(), installed, model, more, fault)
}

/// The same in a sandbox that is still needed.
fn build_in(s: &Sandbox, installed: &Installed, model: &str, more: &[&str], fault: &str) -> Ran {
    let (model, folder) = (sample(model).display().to_string(), installed.folder().display().to_string());
    let mut args = vec!["build", &model, "--backend", "tensorrt", "--tensorrt", &folder];
    args.extend(["--message-format", "json"]);
    args.extend(more);
    Ran::of(program(installed, s, &args, fault))
}

/// Builds the MLP with build options, which must work.
#[track_caller]
fn with_options(file: &str, options: &[&str]) -> Calls {
    let installed = Installed::new(file);
    let more: Vec<&str> = options.iter().flat_map(|o| ["--build", o]).collect();
    let done = build(&installed, "mlp.onnx", &more, "");
    assert_eq!(done.code, Some(0), "{file} {options:?}: {}\n{}", done.out, done.err);
    let calls = installed.calls();
    calls.check_lifecycle();
    calls
}

fn has_driver() -> bool {
    trt_perf::backend::cuda::driver_present()
}

#[test]
fn every_release_builds_every_model_and_leaves_nothing() {
    let releases = ["libnvinfer.so.10.0.0", "libnvinfer.so.11.0.0", "libtensorrt_rtx.so.1.5.0"];
    for file in RELEASES.into_iter().chain(releases) {
        for (model, shapes) in [
            ("mlp.onnx", &[][..]),
            ("cnn.onnx", &["--shape", "image:4x3x32x32"]),
            ("encoder.onnx", &["--shape", "token_ids:1x12", "--shape", "attention_mask:1x12"]),
        ] {
            let installed = Installed::new(file);
            let done = build(&installed, model, shapes, "");
            assert_eq!(done.code, Some(0), "{file} {model}: {}\n{}", done.out, done.err);
            let calls = installed.calls();
            calls.check_lifecycle();
            let profiles = calls.of("config").iter().filter(|c| **c == "addOptimizationProfile").count();
            assert_eq!(profiles, usize::from(model != "mlp.onnx"), "{file} {model}: {calls:#?}");
            if model == "cnn.onnx" {
                for which in 0..3 {
                    let call = format!("setDimensions(image, {which}, [4, 3, 32, 32])");
                    assert!(calls.has(&call), "{call}: {calls:#?}");
                }
            }
        }
    }
}

#[test]
fn the_library_is_named_as_what_it_is() {
    for (file, name) in RELEASES.into_iter().zip([
        "test library in the shape of TensorRT 10.13.3",
        "test library in the shape of TensorRT 11.4.0",
        "test library in the shape of TensorRT-RTX 1.7.1",
    ]) {
        let installed = Installed::new(file);
        let s = Sandbox::new();
        let folder = installed.folder().display().to_string();
        let args = ["doctor", "--tensorrt", &folder, "--message-format", "json"];
        let report: Value = serde_json::from_str(&Ran::of(program(&installed, &s, &args, "")).out).unwrap();
        let detail = report["backends"][1]["detail"].as_str().expect("text");
        assert!(detail.starts_with(name), "{detail}");
    }
}

#[test]
fn the_gpus_of_a_machine_without_nvml_are_those_of_cuda() {
    if has_driver() || trt_perf::device::gpus().is_ok() {
        return;
    }
    let (installed, s) = (Installed::new(RELEASES[0]), Sandbox::new());
    let folder = installed.folder().display().to_string();
    let args = ["doctor", "--tensorrt", &folder, "--message-format", "json"];
    let mut command = program(&installed, &s, &args, "");
    installed.with_driver(&mut command);
    let report: Value = serde_json::from_str(&Ran::of(command).says(0, &[]).out).unwrap();
    let gpus = report["device"]["gpus"].as_array().expect("GPUs");
    let said: Vec<_> = gpus.iter().map(|gpu| (gpu["key"].as_str(), gpu["cuda_driver"].as_str())).collect();
    assert_eq!(said, [(Some("gpu-stand-in-gpu-8g"), Some("11.4")); 2], "{report}");
    assert!(report.get("no_gpu_because").is_none(), "{report}");
    let all = report.to_string();
    assert!(!all.contains("no GPU to run them on") && !all.contains("libcuda"), "{report}");
}

#[test]
fn it_is_never_used_unless_its_folder_is_named() {
    let installed = Installed::new(RELEASES[1]);
    let s = Sandbox::new();
    let model = sample("mlp.onnx").display().to_string();
    let found = |args: &[&str]| {
        let mut command = program(&installed, &s, args, "");
        command.env("LD_LIBRARY_PATH", installed.folder());
        Ran::of(command)
    };
    let built = found(&["build", &model, "--backend", "tensorrt", "--message-format", "json"]);
    let (_, message, next) = failure(&built);
    assert!(message.contains("it is never used unless its folder is named"), "{message}");
    assert!(next.contains("--tensorrt DIR"), "{next}");
    let report: Value = serde_json::from_str(&found(&["doctor", "--message-format", "json"]).out).unwrap();
    let tensorrt = &report["backends"][1];
    assert_eq!(tensorrt["usable"], false, "{tensorrt}");
    assert!(tensorrt["detail"].as_str().is_some_and(|d| d.contains("test library")), "{tensorrt}");
    assert!(!installed.calls().0.iter().any(|(_, c)| c.starts_with("create")), "it was used");
}

#[test]
fn options_reach_the_setter_of_each_family() {
    let common = ["workspace=1MiB", "builder-optimization-level=5", "max-aux-streams=2", "max-threads=3"];
    for (file, version_compatible) in RELEASES.into_iter().zip([13, 12, 12]) {
        let more = ["version-compatible=true", "tf32=false", "profiling-verbosity=detailed", "max-tactics=7"];
        let calls = with_options(file, &[&common[..], &more].concat());
        for call in [
            "setMemoryPoolLimit(0, 1048576)",
            "setBuilderOptimizationLevel(5)",
            "setMaxAuxStreams(2)",
            "setMaxThreads(3)",
            "clearFlag(6)",
            "setProfilingVerbosity(2)",
            "setMaxNbTactics(7)",
        ] {
            assert!(calls.has(call), "{file}: no {call} in {calls:#?}");
        }
        assert!(calls.has(&format!("setFlag({version_compatible})")), "{file}: {calls:#?}");
    }
    let calls = with_options(RELEASES[0], &["precisions=[\"fp16\", \"int8\"]", "strongly-typed=false"]);
    assert!(
        calls.has("setFlag(0)") && calls.has("setFlag(1)") && calls.has("createNetworkV2(0)"),
        "{calls:#?}"
    );
    let calls = with_options(RELEASES[2], &["compute-capabilities=[8.6, 12.0]"]);
    assert!(
        calls.has("setNbComputeCapabilities(2)") && calls.has("setComputeCapability(120, 0)"),
        "{calls:#?}"
    );
    assert!(calls.has("createNetworkV2(1)"), "{calls:#?}");
}

#[test]
fn a_function_newer_than_the_release_is_an_error_and_no_call() {
    for (file, option, says) in [
        ("libnvinfer.so.10.0.0", "max-tactics=1", "it needs TensorRT 10.4 or later"),
        ("libnvinfer.so.10.7.0", "tiling-optimization-level=fast", "it needs TensorRT 10.8 or later"),
        ("libnvinfer.so.10.13.3", "compute-capabilities=8.6", "it needs TensorRT-RTX 1.5"),
    ] {
        let installed = Installed::new(file);
        let (kind, message, _) = failure(&build(&installed, "mlp.onnx", &["--build", option], ""));
        assert_eq!(kind, "build", "{message}");
        assert!(message.contains(says), "{message}");
        installed.calls().check_lifecycle();
    }
}

#[test]
fn a_refusal_by_a_message_alone_is_a_failure() {
    let installed = Installed::new(RELEASES[1]);
    let (_, message, _) = failure(&build(&installed, "mlp.onnx", &["--build", "flags=safety-scope"], ""));
    assert!(message.contains("build option `flags`") && message.contains("not supported here"), "{message}");
    installed.calls().check_lifecycle();
}

#[test]
fn progress_and_warnings_arrive() {
    let installed = Installed::new(RELEASES[0]);
    let done = build(&installed, "mlp.onnx", &[], "");
    let progress = done.messages("progress");
    // Not every step is told: they come by the thousand.
    assert!(progress.iter().any(|p| p["doing"] == "Building"), "{}", done.out);
    let s = Sandbox::new();
    let (model, folder) =
        (sample("mlp.onnx").display().to_string(), installed.folder().display().to_string());
    let args = ["build", &model, "--backend", "tensorrt", "--tensorrt", &folder, "--verbose"];
    let done = Ran::of(program(&installed, &s, &args, ""));
    let said = done.out + &done.err;
    assert!(said.contains("the test library builds nothing"), "{said}");
    assert!(!said.contains("nobody needs to know"), "{said}");
}

#[test]
fn what_goes_wrong_is_one_row_with_its_kind_and_a_next_step() {
    for (fault, kind, says) in [
        ("wrong-version", "usage", "which does not work here"),
        ("builder-null", "build", "createInferBuilder gave nothing"),
        ("parser-null", "build", "createNvOnnxParser gave nothing"),
        ("parser-error", "build", "[UNSUPPORTED_NODE]"),
        ("plan-null", "build", "could not find any implementation"),
        ("empty-plan", "build", "it is empty"),
        ("lying-plan-size", "out-of-memory", "ran out of memory"),
        ("crash-in-build", "crash", "SIGSEGV"),
        ("abort-in-build", "crash", "SIGABRT"),
        ("hang-in-build", "timed-out", "did not finish within"),
    ] {
        let installed = Installed::new(RELEASES[0]);
        let done = build(&installed, "mlp.onnx", &["--time-limit", "3s"], fault);
        let (found, message, next) = failure(&done);
        assert_eq!(found, kind, "{fault}: {message}");
        assert!(message.contains(says), "{fault}: {message}");
        assert!(!next.is_empty(), "{fault}: {message}");
        assert_eq!(done.code, Some(101), "{fault}: {message}");
        let calls = installed.calls();
        if matches!(kind, "build" | "usage") && !calls.0.is_empty() {
            calls.check_lifecycle();
        } else {
            calls.check();
        }
    }
}

#[test]
fn the_parsers_complaint_names_the_node_and_its_operator() {
    let installed = Installed::new(RELEASES[1]);
    let (_, message, _) = failure(&build(&installed, "mlp.onnx", &[], "parser-error"));
    assert!(message.contains("node `") && message.contains("told to refuse it"), "{message}");
}

#[test]
fn a_flood_of_messages_stops_nothing() {
    let installed = Installed::new(RELEASES[0]);
    let done = build(&installed, "mlp.onnx", &[], "log-flood");
    assert_eq!(done.code, Some(0), "{}", done.out);
    assert!(done.out.len() < 1 << 20, "{} bytes", done.out.len());
    installed.calls().check_lifecycle();
}

#[test]
fn other_cases_go_on_after_one_that_crashed() {
    for fault in ["crash-in-build", "hang-in-build", "plan-null"] {
        let installed = Installed::new(RELEASES[2]);
        let s = Sandbox::new();
        let (bad, good) =
            (sample("mlp.onnx").display().to_string(), sample("types.onnx").display().to_string());
        let folder = installed.folder().display().to_string();
        let args = ["build", &bad, &good, "--backend", "tensorrt", "--tensorrt", &folder];
        let args = [&args[..], &["--time-limit", "3s", "--message-format", "json"]].concat();
        let mut command = program(&installed, &s, &args, fault);
        command.env("TRT_PERF_TESTLIB_ONLY", "features");
        let done = Ran::of(command);
        failure(&done);
        assert_eq!(done.messages("engine").len(), 1, "{fault}: {}", done.out);
        installed.calls().check();
    }
}

#[test]
fn without_a_driver_running_is_one_clear_error() {
    if has_driver() {
        eprintln!("skipped: there is a CUDA driver here; gpu::testlib runs these engines");
        return;
    }
    let installed = Installed::new(RELEASES[0]);
    let s = Sandbox::new();
    let (model, folder) =
        (sample("mlp.onnx").display().to_string(), installed.folder().display().to_string());
    let args = ["run", &model, "--backend", "tensorrt", "--tensorrt", &folder, "--message-format", "json"];
    let done = Ran::of(program(&installed, &s, &args, ""));
    assert_eq!(done.code, Some(101), "{}", done.out);
    assert!(
        done.err.contains("CUDA driver") || done.out.contains("CUDA driver"),
        "{}\n{}",
        done.out,
        done.err
    );
    assert!(!done.err.contains("panicked"), "{}", done.err);
    installed.calls().check();
}

/// A function in a slot of an object's table.
///
/// # Safety
/// As for a virtual call without arguments: the object is alive, and has that slot.
unsafe fn call_slot(object: ObjectPointer, slot: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let table = *object.cast::<*const extern "C" fn(ObjectPointer)>();
        (*table.add(slot))(object);
    }
}

/// What the test library must catch; run by the test below in a process of its own, which it ends.
#[test]
fn misuse() {
    let Ok(what) = std::env::var("TRT_PERF_TEST_MISUSE") else { return };
    let folder = std::env::var("TRT_PERF_TEST_FOLDER").expect("a folder");
    let api = library::open(Some(Path::new(&folder)), Need::Build).expect("the test library");
    let builder = api.builder().expect("a builder");
    let (create, this) = builder.function(&v_builder::CREATE_BUILDER_CONFIG).expect("a function");
    // SAFETY: a builder's function, called on it.
    let config = unsafe { create(this) };
    // SAFETY: a wrapper is two pointers.
    let implementation = unsafe { *config.cast::<ObjectPointer>().add(1) };
    // SAFETY: it is not, and that is what the library is to tell.
    unsafe {
        match what.as_str() {
            "order" => drop(builder),
            "twice" => (0..2).for_each(|_| call_slot(config, 1)),
            "afterwards" => {
                call_slot(config, 1);
                call_slot(
                    implementation,
                    v_builder_config::GET_MAX_AUX_STREAMS.index(Family::Trt10).unwrap(),
                );
            }
            "newer" => {
                call_slot(implementation, v_builder_config::GET_MAX_NB_TACTICS.index(Family::Trt10).unwrap());
            }
            other => panic!("{other}?"),
        }
    }
}

#[test]
fn the_library_tells_misuse() {
    for (what, says) in [
        ("order", "builder#1 is deleted while objects that need it live"),
        ("twice", "config#2 is deleted twice"),
        ("afterwards", "config#2 is called after it was deleted"),
        ("newer", "config#2: slot 61, which the test library in the shape of TensorRT 10.0.0 does not have"),
    ] {
        let installed = Installed::new("libnvinfer.so.10.0.0");
        let mut command = Command::new(std::env::current_exe().expect("this test"));
        command.args(["--exact", "testlib::misuse", "--nocapture"]);
        command.env("TRT_PERF_TEST_MISUSE", what).env("TRT_PERF_TEST_FOLDER", installed.folder());
        installed.tell(&mut command, "");
        let done = Ran::of(command);
        assert_eq!(done.code, None, "{what}: {}\n{}", done.out, done.err);
        assert!(done.err.contains(says), "{what}: {}", done.err);
        assert!(installed.calls().0.iter().any(|(_, c)| c.contains(&format!("VIOLATION: {says}"))), "{what}");
    }
}
