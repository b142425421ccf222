//! TensorRT through the real binary. What needs a library runs with TensorRT-RTX, which builds without a GPU: its folder
//! is in `TRT_PERF_TENSORRT`; where that is not set each test says that it skips, and with `TRT_PERF_REQUIRE_TENSORRT=1`
//! it fails instead. `.ci/tensorrt-rtx` fetches a pinned library and requires it.

use crate::support::{Ran, Sandbox, sample};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use trt_perf::backend::tensorrt::runtime::Runtime;
use trt_perf::backend::tensorrt::sys::library::{self, Need};
use trt_perf::engine::{self, EngineHeader};

/// The folder of the library under test.
fn tensorrt() -> Option<PathBuf> {
    let folder = std::env::var_os("TRT_PERF_TENSORRT").filter(|f| !f.is_empty()).map(PathBuf::from);
    if folder.is_none() {
        let required = std::env::var_os("TRT_PERF_REQUIRE_TENSORRT").is_some_and(|v| v == "1");
        assert!(!required, "TRT_PERF_REQUIRE_TENSORRT=1, but TRT_PERF_TENSORRT names no folder");
        eprintln!("skipped: TRT_PERF_TENSORRT names no folder with TensorRT's libraries");
    }
    folder
}

fn run(s: &Sandbox, args: &[&str], tensorrt: Option<&Path>) -> Ran {
    let mut command = s.command(".", args);
    if let Some(folder) = tensorrt {
        command.env("TRT_PERF_TENSORRT", folder);
    }
    Ran::of(command)
}

fn build(s: &Sandbox, model: &str, more: &[&str], folder: &Path) -> Ran {
    let model = sample(model).display().to_string();
    let mut args = vec!["build", &model, "--backend", "tensorrt", "--message-format", "json"];
    args.extend(more);
    run(s, &args, Some(folder))
}

/// A build of the MLP with options.
fn with(s: &Sandbox, options: &[&str], folder: &Path) -> Ran {
    let more: Vec<&str> = options.iter().flat_map(|o| ["--build", o]).collect();
    build(s, "mlp.onnx", &more, folder)
}

/// The one engine that was built.
#[track_caller]
fn engine(s: &Sandbox, ran: &Ran) -> (EngineHeader, Vec<u8>) {
    let messages = ran.messages("engine");
    assert_eq!((ran.code, messages.len()), (Some(0), 1), "{ran}");
    let (header, mut parts) = engine::read(&s.path(messages[0]["engine"].as_str().unwrap())).unwrap();
    (header, parts.remove(0))
}

/// The engine of the MLP with options, built in an empty cache.
#[track_caller]
fn engine_with(options: &[&str], folder: &Path) -> (EngineHeader, Vec<u8>) {
    let s = Sandbox::new();
    engine(&s, &with(&s, options, folder))
}

/// The message of the first case that failed.
#[track_caller]
fn failure(ran: &Ran) -> String {
    let messages = ran.messages("case-failed");
    assert!(!messages.is_empty(), "{ran}");
    format!("{} {}", messages[0]["message"].as_str().unwrap(), messages[0]["next"].as_str().unwrap())
}

const CNN: [&str; 2] = ["--shape", "image:1x3x32x32"];

#[test]
fn every_sample_model_is_built_without_a_gpu_and_twice_the_same() {
    let Some(folder) = tensorrt() else { return };
    let models: [(&str, &[&str], &str); 8] = [
        ("mlp.onnx", &[], "0"),
        ("mlp_slow.onnx", &[], "0"),
        ("types.onnx", &[], "0"),
        ("cnn.onnx", &CNN, "1"),
        ("encoder.onnx", &["--shape", "token_ids:1x12", "--shape", "attention_mask:1x12"], "1"),
        ("half.onnx", &["--shape", "x:1x16"], "1"),
        ("external.onnx", &["--shape", "x:1x64"], "1"),
        ("resize.onnx", &["--shape", "sizes:[1,3,16,24]"], "1"),
    ];
    for (model, shapes, profiles) in models {
        let s = Sandbox::new();
        let (header, plan) = engine(&s, &build(&s, model, shapes, &folder));
        assert!(header.made_from.library.starts_with("TensorRT"), "{}", header.made_from.library);
        assert!(plan.len() > 10_000, "{model}: {}", plan.len());
        assert_eq!(header.facts["profiles"], profiles, "{model}");
        let again = build(&s, model, shapes, &folder);
        assert_eq!(again.messages("engine")[0]["cached"], true, "{model}");
        let s = Sandbox::new();
        let (_, other) = engine(&s, &build(&s, model, shapes, &folder));
        assert!(plan == other, "{model}: two builds gave two plans");
    }
}

#[test]
fn an_option_changes_the_engine_inputs_and_the_plan() {
    let Some(folder) = tensorrt() else { return };
    let (plain, plan) = engine_with(&[], &folder);
    for option in [
        "workspace=1MiB",
        "profiling-verbosity=detailed",
        "profiling-verbosity=none",
        "tf32=false",
        "weight-streaming=true",
        "compute-capabilities=8.6",
        "compute-capabilities=[8.6, 12.0]",
        "flags=require-user-allocation",
    ] {
        let (header, other) = engine_with(&[option], &folder);
        assert_ne!(header.inputs_hash, plain.inputs_hash, "{option}");
        assert!(other != plan, "{option} changed nothing in the plan");
    }
    // Those that only steer the search need not change the plan of a small model, but are taken.
    for option in [
        "builder-optimization-level=5",
        "max-aux-streams=2",
        "max-tactics=1",
        "max-threads=1",
        "avg-timing-iterations=4",
        "sparsity=true",
        "strongly-typed=true",
        "tactic-dram=1GiB",
        "tactic-shared-memory=16KiB",
        "tactic-sources=jit-convolutions",
        "tiling-optimization-level=fast",
        "l2-limit-for-tiling=1MiB",
        "preview-features=runtime-activation-resize-10-10",
        "gpu-fallback=true",
        "error-on-timing-cache-miss=true",
        "flags=[\"strict-nans\", \"direct-io\"]",
    ] {
        let (header, _) = engine_with(&[option], &folder);
        assert_ne!(header.inputs_hash, plain.inputs_hash, "{option}");
    }
}

#[test]
fn an_option_that_the_library_does_not_have_is_a_failure_that_names_it() {
    let Some(folder) = tensorrt() else { return };
    for (option, says) in [
        ("precisions=fp16", "is strongly typed: the model's own types decide"),
        ("precision-constraints=obey", "is strongly typed"),
        ("strongly-typed=false", "always strongly typed"),
        ("hardware-compatibility=ampere-plus", "unsupported"),
        ("runtime-platform=windows-amd64", "does not support building"),
        ("dla-core=0", "this machine has 0"),
        ("dla-managed-sram=1MiB", "DLA"),
        ("tactic-sources=cublas", "has no TacticSource cublas"),
        ("compute-capabilities=9.0", "has no ComputeCapability sm90"),
        ("preview-features=profile-sharing-0806", "has no PreviewFeature"),
        ("flags=exclude-lean-runtime", "can only be set if kVERSION_COMPATIBLE is set"),
        ("optimize=false", "the tensorrt backend has no build option `optimize`"),
        ("plugins=no.so", "there is no plugin"),
    ] {
        let done = with(&Sandbox::new(), &[option], &folder);
        let (key, _) = option.split_once('=').unwrap();
        let text = failure(&done);
        assert!(text.contains(says), "{option}: {text}");
        assert!(key == "plugins" || text.contains(&format!("build option `{key}`")), "{option}: {text}");
        assert_ne!(done.code, Some(0));
    }
}

#[test]
fn broken_models_are_told_with_the_parsers_own_words_and_the_node() {
    let Some(folder) = tensorrt() else { return };
    // Which code an error has differs between releases.
    let codes = ["[INVALID_NODE]", "[UNSUPPORTED_NODE]", "[INTERNAL_ERROR]"];
    for (model, node) in [
        ("unsupported_op.onnx", "node `bad_node` (NoSuchOp)"),
        ("bad_permutation.onnx", "node `transpose_node` (Transpose)"),
        ("wrong_shape.onnx", "node `product_node` (MatMul)"),
    ] {
        let done = build(&Sandbox::new(), &format!("broken/{model}"), &[], &folder);
        let text = failure(&done);
        assert!(text.contains(node) && codes.iter().any(|c| text.contains(c)), "{text}");
        assert_eq!(done.code, Some(101));
    }
}

#[test]
fn further_profiles_become_part_of_the_plan() {
    let Some(folder) = tensorrt() else { return };
    let option = "profiles=[{image={min=[1,3,32,32],opt=[8,3,32,32],max=[16,3,32,32]}}]";
    let more: Vec<&str> = CNN.into_iter().chain(["--build", option]).collect();
    let s = Sandbox::new();
    let (header, _) = engine(&s, &build(&s, "cnn.onnx", &more, &folder));
    assert_eq!(header.facts["profiles"], "2");
    let option = "profiles=[{other=[1,3,32,32]}]";
    let more: Vec<&str> = CNN.into_iter().chain(["--build", option]).collect();
    let text = failure(&build(&s, "cnn.onnx", &more, &folder));
    assert!(text.contains("profile 1 has no shape for the dynamic input `image`"), "{text}");
}

#[test]
fn a_timing_cache_is_written_and_read_and_its_hashes_kept() {
    let Some(folder) = tensorrt() else { return };
    let cache = tempfile::tempdir().unwrap();
    let option = format!("timing-cache={}", cache.path().join("cache").display());
    let (first, _) = engine_with(&[&option], &folder);
    assert_eq!(first.facts["timing cache before"], "none");
    let (second, _) = engine_with(&[&option], &folder);
    assert_eq!(second.facts["timing cache before"], first.facts["timing cache after"]);
    // A path is no engine input where the file is written; its content is, where it is only read.
    assert_eq!(first.inputs_hash, second.inputs_hash);
    let (read, _) = engine_with(&[&option, "timing-cache-write=false"], &folder);
    assert_ne!(read.inputs_hash, first.inputs_hash);
    assert!(!read.facts.contains_key("timing cache after"));
    // TensorRT-RTX times nothing while it builds, so a cache of nonsense is not refused by it.
}

#[test]
fn progress_is_told_while_it_builds() {
    let Some(folder) = tensorrt() else { return };
    let done = with(&Sandbox::new(), &[], &folder);
    let progress = done.messages("progress");
    assert!(!progress.is_empty() && progress.iter().all(|p| p["doing"].is_string()), "{}", done.out);
}

#[test]
fn without_a_driver_an_engine_is_refused_in_one_sentence() {
    let Some(folder) = tensorrt() else { return };
    if Command::new("sh")
        .args(["-c", "ldconfig -p | grep -q libcuda.so.1"])
        .status()
        .is_ok_and(|s| s.success())
    {
        eprintln!("skipped: there is a CUDA driver here");
        return;
    }
    let s = Sandbox::new();
    let model = sample("mlp.onnx").display().to_string();
    let done = run(&s, &["run", &model, "--backend", "tensorrt", "--message-format", "json"], Some(&folder));
    assert!(
        done.err.contains("there is no usable CUDA driver") && done.err.contains("next: "),
        "{}",
        done.err
    );
    assert_eq!((done.code, done.out.as_str()), (Some(101), ""));
    // The library itself says no to the plan, and nothing crashes.
    let (_, plan) = engine(&s, &build(&s, "mlp.onnx", &[], &folder));
    let api = library::open(Some(&folder), Need::Run).unwrap();
    let runtime = Runtime::new(&api).map(Arc::new);
    let failure = runtime.and_then(|r| r.deserialize(&plan)).err().expect("no engine without a driver");
    assert!(failure.message.contains("cuda") || failure.message.contains("CUDA"), "{failure}");
    assert!(failure.next.contains("no CUDA driver"), "{failure}");
}

/// The only libraries of TensorRT 10 and 11 that are small enough to fetch: their loggers and runtimes are called here.
#[test]
fn lean_runtimes_of_tensorrt_10_and_11_are_opened_and_say_why_they_load_nothing() {
    let Some(folders) = std::env::var_os("TRT_PERF_TENSORRT_LEAN") else {
        let required = std::env::var_os("TRT_PERF_REQUIRE_TENSORRT").is_some_and(|v| v == "1");
        assert!(!required, "TRT_PERF_REQUIRE_TENSORRT=1, but TRT_PERF_TENSORRT_LEAN names no folders");
        eprintln!("skipped: TRT_PERF_TENSORRT_LEAN names no folders of lean runtimes");
        return;
    };
    for folder in std::env::split_paths(&folders) {
        let refused = library::open(Some(&folder), Need::Build).err().expect("a lean runtime builds nothing");
        assert!(refused.message.contains("cannot build engines"), "{refused}");
        let api = library::open(Some(&folder), Need::Run).unwrap();
        assert!(api.release.lean && api.release.to_string().starts_with("TensorRT lean runtime 1"));
        let runtime = Runtime::new(&api).map(Arc::new);
        let failure = runtime.and_then(|r| r.deserialize(b"no plan")).err().expect("nonsense loads nowhere");
        // What it says comes through our logger.
        assert!(failure.message.contains("Error Code"), "{failure}");
        let done = run(&Sandbox::new(), &["doctor"], Some(&folder));
        assert!(done.out.contains("loads version-compatible plans, builds none"), "{}", done.out);
    }
}

#[test]
fn doctor_names_the_library_its_version_and_where_it_looked() {
    let Some(folder) = tensorrt() else { return };
    let done = run(&Sandbox::new(), &["doctor", "--message-format", "json"], Some(&folder));
    let report: Value = serde_json::from_str(&done.out).unwrap();
    let tensorrt = &report["backends"][1];
    assert_eq!((&tensorrt["name"], &tensorrt["usable"]), (&"tensorrt".into(), &true.into()));
    assert!(tensorrt["detail"].as_str().unwrap().starts_with("TensorRT"), "{tensorrt}");
    assert_eq!(tensorrt["looked"][0]["place"], folder.display().to_string());
}

#[test]
fn a_real_plan_says_in_its_header_who_made_it() {
    let Some(folder) = tensorrt() else { return };
    let (header, plan) = engine_with(&[], &folder);
    let made = engine::PlanHeader::of(&plan).expect("a plan");
    assert_eq!(made.to_string(), header.made_from.library);
    let cut = engine::PlanHeader::of(&plan[..plan.len() - 1]);
    assert_eq!(cut.is_err(), made.rtx, "only plans of TensorRT-RTX are known to tell their length");
}

// What needs no TensorRT.

#[test]
fn the_cpu_backend_refuses_options_that_are_not_its_own() {
    let done = run(
        &Sandbox::new(),
        &[
            "build",
            &sample("mlp.onnx").display().to_string(),
            "--backend",
            "cpu",
            "--build",
            "workspace=1GiB",
            "--message-format",
            "json",
        ],
        None,
    );
    assert!(failure(&done).contains("the cpu backend has no build option `workspace`"), "{}", done.out);
}

#[test]
fn effective_options_are_printed_and_mistakes_in_them_named() {
    let s = Sandbox::new();
    let model = sample("mlp.onnx").display().to_string();
    let options =
        ["--build", "workspace=1GiB", "--build", "compute-capabilities=8.6", "--tensorrt", "/opt/x"];
    let mut args = vec!["build", &model, "--print-options", "--backend", "tensorrt", "--scenario", "latency"];
    args.extend(options);
    let done = run(&s, &args, None);
    let expected = "files/mlp/default/latency\n  backend = \"tensorrt\"\n  tensorrt = \"/opt/x\"\n  \
                    build.compute-capabilities = [\"8.6\"]\n  build.workspace = 1073741824\n";
    assert_eq!((done.code, done.out.as_str()), (Some(0), expected));
    for (option, says) in [
        ("worksapce=1GiB", "did you mean `workspace`"),
        ("workspace=huge", "is not a size"),
        ("profiling-verbosity=detail", "did you mean \"detailed\""),
        ("builder-optimization-level=6", "at most 5"),
        ("compute-capabilities=hopper", "a compute capability such as 8.6"),
        ("flags=fast", "one of debug"),
        ("profiles=[{x=[\"batch\",3]}]", "the word batch"),
    ] {
        let done = run(&s, &["build", &model, "--print-options", "--build", option], None);
        assert_eq!(done.code, Some(2), "{option}");
        assert!(done.err.contains(says), "{option}: {}", done.err);
    }
}

/// A shared library with this source, under this name; `None`, said, where there is no C compiler.
fn shared_library(folder: &Path, name: &str, source: &str) -> Option<()> {
    let file = folder.join("library.c");
    fs::write(&file, source).expect("a file");
    let status =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(folder.join(name)).arg(&file).status();
    match status {
        Ok(status) => {
            assert!(status.success());
            Some(())
        }
        Err(e) => {
            eprintln!("skipped: no C compiler ({e})");
            None
        }
    }
}

#[test]
fn a_library_that_is_damaged_of_another_version_or_deadly_is_only_a_message() {
    let version = |n: u32| format!("int getInferLibVersion(void) {{ return {n}; }}");
    let deadly = "#include <stdlib.h>\n__attribute__((constructor)) static void die(void) { abort(); }";
    for (name, source, says) in [
        ("libnvinfer.so.11", version(120_000), "is TensorRT 12.0.0.0, which does not work here"),
        ("libnvinfer.so.10", version(8601), "is TensorRT 8.6.1.0, which does not work here"),
        ("libtensorrt_rtx.so.1", version(10_400), "is TensorRT-RTX 1.4.0.0, which does not work here"),
        ("libnvinfer.so.10", String::from("int x;"), "does not tell its version"),
        ("libnvinfer.so.10", deadly.to_owned(), "SIGABRT"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        if shared_library(folder.path(), name, &source).is_none() {
            return;
        }
        let done = run(&Sandbox::new(), &["doctor"], Some(folder.path()));
        assert_eq!(done.code, Some(0), "{}", done.err);
        assert!(done.out.contains(says), "{says}: {}", done.out);
        let model = sample("mlp.onnx").display().to_string();
        let args = ["build", &model, "--backend", "tensorrt", "--message-format", "json"];
        let built = run(&Sandbox::new(), &args, Some(folder.path()));
        assert!(failure(&built).contains(says), "{says}: {}", built.out);
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("libnvinfer.so.11"), "not an ELF file").unwrap();
    let done = run(&Sandbox::new(), &["doctor", "--tensorrt", folder.path().to_str().unwrap()], None);
    assert!(done.out.contains("cannot be opened"), "{}", done.out);
}
