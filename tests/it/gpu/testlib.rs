//! The TensorRT backend on a GPU, with the test library (`tests/testlib/`) in TensorRT's place: loading, contexts,
//! streams, graphs and outputs are real; what is computed is only a copy of the first input.

use super::{Bench, estimate, gpu, npy};
use crate::support::installed::{Calls, Installed, RELEASES};
use crate::support::{Ran, sample};
use serde_json::Value;
use trt_perf::tensor::{DType, Tensor, read_npy, write_npy};

/// A folder to work in, and the library.
pub(super) struct Lab {
    bench: Bench,
    pub installed: Installed,
}

impl Lab {
    pub fn new(file: &str) -> Self {
        Self { bench: Bench::new(), installed: Installed::new(file) }
    }

    /// Runs models with more arguments and something that goes wrong (nothing, where that is empty).
    pub fn run(&self, models: &[&str], more: &[&str], fault: &str) -> Ran {
        let models: Vec<String> = models.iter().map(|m| sample(m).display().to_string()).collect();
        let folder = self.installed.folder().display().to_string();
        let mut args = vec!["run"];
        args.extend(models.iter().map(String::as_str));
        args.extend(["--backend", "tensorrt", "--tensorrt", &folder]);
        args.extend(["--warm-up", "20ms", "--measure", "100ms"]);
        args.extend(more);
        let mut command = self.bench.0.command(".", &args);
        self.installed.tell(&mut command, fault);
        if models.len() > 1 {
            command.env("TRT_PERF_TESTLIB_ONLY", "features");
        }
        Ran::of(command)
    }

    /// Runs one model to its end, and returns the finished case and the calls, which must be without fault.
    #[track_caller]
    fn measure(&self, model: &str, more: &[&str]) -> (Value, Calls) {
        let more = [&["--processes", "1", "--message-format", "json"], more].concat();
        let said = self.run(&[model], &more, "");
        let calls = self.installed.calls();
        assert_eq!(said.code, Some(0), "{more:?}\n{}\n{}\n{calls:#?}", said.out, said.err);
        let case = said.message("case-finished");
        assert_eq!(case["test_library"], true, "{case}");
        calls.check_lifecycle();
        (case, calls)
    }

    /// The MLP's input and what the test library makes of it: `--input` and `--expect`.
    fn files(&self) -> [String; 4] {
        let input = sample("reference/mlp/in_features.npy");
        let bytes = std::fs::read(&input).expect("the sample's input");
        // 64 floats after the header; the output takes the first 16 of them.
        let features = bytes.get(bytes.len() - 256..).expect("64 floats");
        let expected = self.bench.path("expected.npy");
        std::fs::write(&expected, npy(&features[..64], "(1, 16)")).expect("a file");
        ["--input".into(), format!("features={}", input.display())]
            .into_iter()
            .chain(["--expect".into(), format!("scores={}", expected.display())])
            .collect::<Vec<_>>()
            .try_into()
            .expect("four")
    }
}

/// How often each context of the measuring process was enqueued. A process before it compiles TensorRT-RTX's kernels, with
/// a context of its own.
fn enqueued(calls: &Calls, file: &str) -> Vec<u64> {
    let count = |c: &str| c.strip_prefix("enqueued ")?.strip_suffix(" times")?.parse().ok();
    let compiling = usize::from(file.contains("rtx"));
    calls.of("context").into_iter().filter_map(count).skip(compiling).collect()
}

#[test]
fn every_mode_answers_what_the_library_computes() {
    if !gpu() {
        return;
    }
    let modes: [&[&str]; 6] = [
        &[],
        &["--cuda-graph"],
        &["--no-transfers"],
        &["--wait", "block"],
        &["--streams", "2", "--in-flight", "3", "--no-transfers"],
        &["--streams", "2", "--in-flight", "2", "--cuda-graph"],
    ];
    for (number, file) in RELEASES.into_iter().enumerate() {
        // The modes are no matter of the family; each runs with one of them, and the two that differ most with all.
        for (at, mode) in modes.iter().enumerate().filter(|(at, _)| at % 3 == number || *at == 5) {
            for scenario in ["latency", "throughput"] {
                let lab = Lab::new(file);
                let files = lab.files();
                let mut more: Vec<&str> = files.iter().map(String::as_str).collect();
                more.extend(["--scenario", scenario]);
                more.extend(*mode);
                let (case, calls) = lab.measure("mlp.onnx", &more);
                let latency = scenario == "latency";
                assert_eq!(case["gpu"]["compute_p50_ns"].is_null(), !latency, "{file} {mode:?} {scenario}");
                if latency {
                    // It fills a megabyte and copies: more than nothing, less than a millisecond.
                    let compute = estimate(&case, "/gpu/compute_p50_ns");
                    assert!(compute > 500.0 && compute < 1e6, "{file} {mode:?}: {compute}");
                }
                let counts = enqueued(&calls, file);
                let streams = if latency || at < 4 { None } else { Some(2) };
                assert!(streams.is_none_or(|s| counts.len() == s), "{file} {mode:?} {scenario}: {counts:?}");
                let graph = mode.contains(&"--cuda-graph");
                // With a graph: once to get ready, once to capture, for each request in flight that copies. Else each
                // request.
                let captured = if latency { 2 } else { 4 };
                assert!(
                    counts.iter().all(|n| if graph { *n == captured } else { *n > 10 }),
                    "{file} {mode:?} {scenario}: {counts:?}"
                );
            }
        }
    }
}

#[test]
fn a_capacity_is_found_with_every_family() {
    if !gpu() {
        return;
    }
    let open = ["--scenario", "capacity", "--max-latency", "5ms", "--percentile", "95"];
    let modes: [&[&str]; 3] = [
        &["--streams", "1"],
        &["--streams", "2", "--in-flight", "2", "--cuda-graph"],
        &["--streams", "2", "--no-transfers", "--budget", "2ms"],
    ];
    for (file, mode) in RELEASES.into_iter().zip(modes) {
        let lab = Lab::new(file);
        let files = lab.files();
        let mut more: Vec<&str> = files.iter().map(String::as_str).collect();
        more.extend(open.iter().chain(mode));
        let (case, calls) = lab.measure("mlp.onnx", &more);
        let closed = estimate(&case, "/capacity/closed_per_s");
        let points = case["capacity"]["points"].as_array().expect("a rate for each budget");
        assert_eq!(points.len(), if mode.contains(&"2ms") { 2 } else { 1 }, "{file} {mode:?}: {case}");
        // Budgets of hundreds of requests. Requests of 25 µs are as fast as the host is, and that was up to a quarter
        // faster in the open loop than in the closed one before it (H100, H200).
        for rate in points.iter().map(|p| estimate(p, "/inferences_per_s")) {
            assert!(rate < 1.5 * closed && rate > 0.2 * closed, "{file} {mode:?}: {case}");
        }
        let streams = if mode.contains(&"1") { 1 } else { 2 };
        assert_eq!(enqueued(&calls, file).len(), streams, "{file} {mode:?}: {calls:#?}");
    }
}

#[test]
fn arrivals_that_wait_for_each_other_share_requests() {
    if !gpu() {
        return;
    }
    let lab = Lab::new(RELEASES[1]);
    let open = ["--scenario", "capacity", "--streams", "1", "--max-latency", "5ms", "--percentile", "95"];
    let more = [&open[..], &["--batch", "4", "--batch-delay", "200us"]].concat();
    let (case, calls) = lab.measure("cnn.onnx", &more);
    // The closed loop has full batches, and so has a queue that is never empty; requests are as fast as the host is.
    let (closed, rate) = (
        estimate(&case, "/capacity/closed_per_s"),
        estimate(&case["capacity"]["points"][0], "/inferences_per_s"),
    );
    assert!(rate < 1.5 * closed && rate > 0.2 * closed, "{case}");
    assert!(calls.has("setInputShape(image, [4, 3, 32, 32])"), "{calls:#?}");
}

#[test]
fn dynamic_shapes_reach_the_context() {
    if !gpu() {
        return;
    }
    for file in RELEASES {
        let lab = Lab::new(file);
        let (_, calls) = lab.measure("cnn.onnx", &["--shape", "image:4x3x32x32", "--scenario", "latency"]);
        assert!(calls.has("setInputShape(image, [4, 3, 32, 32])"), "{calls:#?}");
        let eager = calls.has("setDynamicShapesKernelSpecializationStrategy(1)");
        assert_eq!(eager, file.contains("rtx"), "{calls:#?}");
        let lab = Lab::new(file);
        let shapes = ["--shape", "token_ids:2x12", "--shape", "attention_mask:2x12", "--scenario", "latency"];
        let (_, calls) = lab.measure("encoder.onnx", &shapes);
        assert!(calls.has("setInputShape(token_ids, [2, 12])"), "{calls:#?}");
    }
}

#[test]
fn everything_is_loaded_in_order_and_only_once() {
    if !gpu() {
        return;
    }
    let lab = Lab::new(RELEASES[1]);
    let (case, calls) = lab.measure("mlp.onnx", &["--scenario", "throughput", "--streams", "3"]);
    assert!(estimate(&case, "/inferences_per_s") > 0.0, "{case}");
    let made = |class: &str| calls.of(class).iter().filter(|c| **c == "+").count();
    // One engine for all streams, a context for each.
    assert_eq!((made("runtime"), made("engine"), made("context")), (1, 1, 3), "{calls:#?}");
    let run = calls.0.iter().position(|(_, c)| c.starts_with("createInferRuntime")).expect("a runtime");
    assert!(
        calls
            .0
            .iter()
            .skip(run)
            .all(|(_, c)| !c.starts_with("createInferBuilder") && !c.starts_with("builder#")),
        "nothing builds in the run phase: {calls:#?}"
    );
    let processes: Vec<u32> = calls.0.iter().map(|(process, _)| *process).collect();
    assert_ne!(processes.first(), processes.last(), "the two phases are processes of their own");
}

#[test]
fn what_goes_wrong_while_running_is_one_row_and_other_cases_go_on() {
    if !gpu() {
        return;
    }
    for (fault, kind, says) in [
        ("deserialize-null", "measure", "told not to load it"),
        ("crash-in-deserialize", "crash", "SIGSEGV"),
        ("no-context", "out-of-memory", "no context was made"),
        ("lying-io-count", "measure", "the engine has no input `features`"),
        ("lying-shape", "measure", "which no memory holds"),
        ("enqueue-fails", "measure", "an illegal memory access was encountered"),
        ("enqueue-fails:100", "measure", "an illegal memory access was encountered"),
        ("crash-in-enqueue:100", "crash", "SIGSEGV"),
        ("hang-in-enqueue:100", "timed-out", "did not finish within"),
    ] {
        let lab = Lab::new(RELEASES[0]);
        let more = ["--processes", "1", "--scenario", "latency", "--time-limit", "30s"];
        let more = [&more[..], &["--message-format", "json"]].concat();
        let said = lab.run(&["mlp.onnx", "types.onnx"], &more, fault);
        assert_eq!(said.code, Some(101), "{fault}: {}\n{}", said.out, said.err);
        let failed = said.message("case-failed");
        let text = |key: &str| failed[key].as_str().unwrap_or_default().to_owned();
        assert_eq!(text("kind"), kind, "{fault}: {failed}");
        assert!(text("message").contains(says), "{fault}: {failed}");
        assert!(!text("next").is_empty(), "{fault}: {failed}");
        assert!(text("case").contains("mlp"), "{fault}: {failed}");
        let finished = said.message("case-finished");
        assert!(finished["case"].as_str().is_some_and(|c| c.contains("types")), "{fault}: {finished}");
        lab.installed.calls().check();
    }
}

#[test]
fn without_a_runtime_there_is_one_failure() {
    if !gpu() {
        return;
    }
    let lab = Lab::new(RELEASES[1]);
    let more = ["--processes", "1", "--scenario", "latency", "--message-format", "json"];
    let said = lab.run(&["mlp.onnx"], &more, "runtime-null");
    let failed = said.message("case-failed");
    assert_eq!((said.code, &failed["kind"]), (Some(101), &"measure".into()), "{failed}");
    assert!(
        failed["message"].as_str().is_some_and(|m| m.contains("createInferRuntime gave nothing")),
        "{failed}"
    );
}

#[test]
fn memory_that_leaks_stops_nothing_and_shows() {
    if !gpu() {
        return;
    }
    let peak = |fault: &str| {
        let lab = Lab::new(RELEASES[0]);
        let more = ["--processes", "2", "--scenario", "latency", "--message-format", "json"];
        let said = lab.run(&["mlp.onnx"], &more, fault);
        assert_eq!(said.code, Some(0), "{fault}: {}\n{}", said.out, said.err);
        lab.installed.calls().check();
        estimate(&said.message("case-finished"), "/peak_host_bytes")
    };
    let (sound, leaking) = (peak(""), peak("leak-in-enqueue"));
    // A hundred requests of 64 KiB at the very least.
    assert!(leaking > sound + 6e6, "{sound} {leaking}");
    peak("leak-context");
}

#[test]
fn every_report_says_that_it_is_no_result() {
    if !gpu() {
        return;
    }
    let lab = Lab::new(RELEASES[1]);
    let said = lab.run(&["mlp.onnx"], &["--processes", "2", "--scenario", "latency"], "");
    assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
    let line = "NOT A REAL RESULT: the test library in the shape of TensorRT 11.4.0 computed nothing";
    assert!(said.out.contains(line), "{}", said.out);
    // Two engines that differ in an option that changes nothing.
    let engine = |option: &str| {
        let more =
            ["--processes", "1", "--scenario", "latency", "--message-format", "json", "--build", option];
        let said = lab.run(&["mlp.onnx"], &more, "");
        assert_eq!(said.code, Some(0), "{}\n{}", said.out, said.err);
        said.message("engine")["engine"].as_str().expect("a path").to_owned()
    };
    let (base, head) = (engine("max-threads=1"), engine("max-threads=2"));
    let folder = lab.installed.folder().display().to_string();
    let mut args = vec!["check", "--base-engine", &base, "--head-engine", &head, "--pairs", "5"];
    args.extend(["--scenario", "latency", "--warm-up", "20ms", "--measure", "50ms"]);
    args.extend(["--tensorrt", &folder, "--message-format", "json"]);
    let mut command = lab.bench.0.command(".", &args);
    lab.installed.tell(&mut command, "");
    let said = Ran::of(command);
    let row = said.message("checked");
    assert_eq!(row["comparison"]["test_library"], true, "{row}");
}

#[test]
fn values_decide_shapes_and_outputs_have_the_shape_that_values_gave_them() {
    if !gpu() {
        return;
    }
    for file in RELEASES {
        for (model, input, output) in [("resize.onnx", "image", "y"), ("found.onnx", "x", "places")] {
            let lab = Lab::new(file);
            let reference =
                |name: &str| sample(&format!("reference/{}/{name}", model.trim_end_matches(".onnx")));
            // The first input, and zeros behind it; as many elements of `places` as values that are not zero.
            let x = read_npy(&reference(&format!("in_{input}.npy"))).expect("the sample's input");
            let found = x.values().filter(|v| *v != 0.0).count();
            let (dtype, shape) = match output {
                "y" => (x.dtype, vec![1, 3, 16, 24]),
                _ => (DType::I64, vec![2, found]),
            };
            let mut data = x.data.clone();
            data.resize(shape.iter().product::<usize>() * dtype.size(), 0);
            let expected = lab.bench.path("expected.npy");
            write_npy(&expected, &Tensor { dtype, shape, data }).expect("a file");
            let sizes = ["--shape", "sizes:[1,3,16,24]"];
            let files = [
                format!("{input}={}", reference(&format!("in_{input}.npy")).display()),
                format!("{output}={}", expected.display()),
            ];
            let mut more = vec!["--input", &files[0], "--expect", &files[1]];
            more.extend(sizes.iter().filter(|_| output == "y"));
            for mode in [&["--scenario", "latency"][..], &["--scenario", "throughput", "--in-flight", "3"]] {
                lab.measure(model, &[&more[..], mode].concat());
            }
            if output == "places" {
                lab.measure(model, &[&more[..], &["--scenario", "latency", "--no-transfers"]].concat());
                let said = lab.run(&[model], &["--cuda-graph", "--message-format", "json"], "");
                said.says(101, &["depends on the values of the inputs, and a CUDA graph has fixed sizes"]);
            }
        }
    }
}

#[test]
fn layers_are_timed_in_a_pass_of_their_own_and_kept_beside_a_record() {
    if !gpu() {
        return;
    }
    for file in RELEASES {
        for graph in [&[][..], &["--cuda-graph"]] {
            let lab = Lab::new(file);
            let layers = |more: &[&str]| {
                let (model, folder) =
                    (sample("mlp.onnx").display().to_string(), lab.installed.folder().display().to_string());
                let mut args = vec!["layers", &model, "--backend", "tensorrt", "--tensorrt", &folder];
                args.extend(["--build", "profiling-verbosity=detailed", "--scenario", "latency"]);
                args.extend(["--warm-up", "20ms", "--measure", "100ms", "--processes", "2"]);
                args.extend(["--message-format", "json"].iter().chain(graph).chain(more));
                let mut command = lab.bench.0.command(".", &args);
                lab.installed.tell(&mut command, "");
                let ran = Ran::of(command);
                assert_eq!(ran.code, Some(0), "{file} {graph:?} {ran}");
                ran
            };
            let ran = layers(&[]);
            let said = ran.message("layers");
            // The library invents a hundredth of a millisecond more for each.
            let all = said["layers"].as_array().expect("a list");
            for (number, layer) in all.iter().rev().enumerate() {
                let ns = estimate(layer, "/time_ns");
                assert!((ns - 1e4 * (number + 1) as f64).abs() < 2.0, "{file} {graph:?}: {layer}");
            }
            assert!(all.len() > 2 && said["detailed"] == true && !said["tactics_sha256"].is_null(), "{said}");
            assert_eq!(said["processes"], 2);
            let whole = estimate(&said, "/gpu_ns");
            assert!(
                (estimate(&said, "/sum_ns") + estimate(&said, "/residual_ns") - whole).abs() < 1e-6,
                "{said}"
            );
            let record = ran.message("session-finished");
            let again =
                layers(&["--compare", record["record"].as_str().expect("a path")]).message("layer-changes");
            assert_eq!(
                (&again["same_tactics"], &again["aligned"]),
                (&true.into(), &again["computing"]),
                "{again}"
            );
            let calls = lab.installed.calls();
            calls.check_lifecycle();
            assert!(calls.has("setEnqueueEmitsProfile(false)"), "{file} {graph:?}: {calls:#?}");
        }
    }
}
