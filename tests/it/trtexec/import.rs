//! `import trtexec`: what becomes a record, what compares, and what is refused.

use super::fixtures::{log, times};
use crate::support::{Ran, Sandbox, shared};
use proptest::prelude::*;
use trt_perf::config::Wait;
use trt_perf::layers;
use trt_perf::record::Record;
use trt_perf::trtexec;

/// A folder with a log and these exports.
fn session(sandbox: &Sandbox, folder: &str, log: &str, exports: &[String]) {
    sandbox.write(format!("{folder}/trtexec.log"), log);
    for (i, text) in exports.iter().enumerate() {
        sandbox.write(format!("{folder}/times{i}.json"), text);
    }
}

fn import(sandbox: &Sandbox, args: &[&str]) -> Ran {
    sandbox.run(".", &[&["import", "trtexec"], args, &["--case", "p/m/default/latency"]].concat())
}

/// The record a run said it wrote.
fn written(sandbox: &Sandbox, ran: &Ran) -> (String, Record) {
    ran.says(0, &["record: "]);
    let path = ran.err.lines().find_map(|l| l.strip_prefix("record: ")).expect("a path").to_owned();
    let record = trt_perf::baseline::load(&sandbox.path(&path)).expect("a readable record");
    (path, record)
}

fn usual() -> String {
    log("8601", "Disabled", "Enabled", "Enabled")
}

#[test]
fn a_folder_becomes_a_record_of_the_gpu_it_names() {
    let sandbox = Sandbox::new();
    let warm = times(1.0, 100, 2.0);
    let whole = times(1.0, 1600, 2.0);
    assert!(whole.starts_with(&warm[..100]));
    session(&sandbox, "s", &usual(), &[whole.clone(), whole.clone(), whole]);
    let (_, record) = written(&sandbox, &import(&sandbox, &["s", "--batch", "4"]));
    assert_eq!(record.device.key, "gpu-nvidia-test-gpu-24g");
    assert_eq!((record.source, record.device.soft["Compute Capability"].as_str()), (None, "8.6"));
    let case = &record.cases["p/m/default/latency"];
    assert_eq!((case.point.batch, case.point.in_flight, case.point.cuda_graph), (4, 2, true));
    assert_eq!((case.mode.transfers, case.mode.wait), (false, Wait::Spin));
    assert_eq!((case.engine.backend.as_str(), case.engine.library.as_str()), ("trtexec", "TensorRT 8.6.1"));
    assert_eq!(case.shapes["x"], "1x3x8x8");
    assert_eq!(case.processes.len(), 3);
    let process = &case.processes[0];
    assert!((process.mean_ns / 2e6 - 1.0).abs() < 1e-3, "{process:?}");
    assert_eq!((process.load_ns, process.first_ns), (12_500_000, 0));
    // 200 ms at 2.02 ms a request.
    assert_eq!(process.warm_up_requests, 99);
    assert!((process.inferences_per_s / (4.0 * 1000.0 / 2.02) - 1.0).abs() < 0.01, "{process:?}");
    let gpu = process.gpu.as_ref().expect("a GPU");
    assert!(
        gpu.invalid_reason.is_none() && gpu.times.is_some_and(|t| (4_900..5_100).contains(&t.enqueue_ns))
    );
}

#[test]
fn slower_faster_and_the_same_are_told_apart() {
    let sandbox = Sandbox::new();
    for (folder, latency) in [("base", 2.0), ("slow", 2.4), ("same", 2.0)] {
        let runs: Vec<String> =
            (0..8).map(|i| times(1.0 + f64::from(i), (3200.0 / latency) as usize, latency)).collect();
        session(&sandbox, folder, &usual(), &runs);
    }
    let [base, slow, same] =
        ["base", "slow", "same"].map(|folder| written(&sandbox, &import(&sandbox, &[folder])).0);
    let said = ["--fail-on-regression", "--assume-session-sd", "2%"];
    let compare = |a: &str, b: &str| sandbox.run(".", &[&["compare", a, b], &said[..]].concat());
    compare(&base, &slow).says(100, &["Performance has regressed: "]);
    compare(&slow, &base).says(0, &["Performance has improved: "]);
    compare(&base, &same).says(0, &[]).silent_on(&["has regressed", "has improved"]);
}

#[test]
fn other_defaults_are_another_question() {
    let sandbox = Sandbox::new();
    let runs = vec![times(1.0, 1600, 2.0); 3];
    // What 10.x and 11.x do when nothing is asked for.
    session(&sandbox, "ten", &log("100300", "Enabled", "Disabled", "Disabled"), &runs);
    session(&sandbox, "eleven", &log("110000", "Disabled", "Enabled", "Enabled"), &runs);
    let [ten, eleven] = ["ten", "eleven"].map(|f| written(&sandbox, &import(&sandbox, &[f])).0);
    sandbox
        .run(".", &["compare", &ten, &eleven])
        .says(4, &["another definition", "operating point", "transfers or way of waiting"]);
    // The same settings compare, whichever version they were the default of.
    session(&sandbox, "asked", &log("100300", "Disabled", "Enabled", "Enabled"), &runs);
    let asked = written(&sandbox, &import(&sandbox, &["asked"])).0;
    sandbox
        .run(".", &["compare", &asked, &eleven])
        .says(0, &["library TensorRT 10.3.0 → TensorRT 11.0.0"])
        .silent_on(&["another definition"]);
}

#[test]
fn a_green_context_is_another_question_and_unused_weight_streaming_is_none() {
    let sandbox = Sandbox::new();
    let runs = vec![times(1.0, 1600, 2.0); 3];
    let plain = log("110400", "Disabled", "Enabled", "Enabled");
    let budget = plain.replace("Sleep time: 0ms", "Weight Streaming Budget: 100.000000%");
    let green = plain.replace("--loadEngine=x.plan", "--loadEngine=x.plan --greenContext=sm:64");
    for (folder, log) in [("plain", &plain), ("budget", &budget), ("green", &green)] {
        session(&sandbox, folder, log, &runs);
    }
    let [plain, budget, green] =
        ["plain", "budget", "green"].map(|f| written(&sandbox, &import(&sandbox, &[f])).0);
    sandbox.run(".", &["compare", &plain, &budget]).says(0, &[]).silent_on(&["another definition"]);
    sandbox.run(".", &["compare", &plain, &green]).says(4, &["another definition"]);
}

#[test]
fn a_run_of_tensorrt_rtx_is_not_taken_for_tensorrt_10() {
    let sandbox = Sandbox::new();
    let log = log("10601", "Disabled", "Enabled", "Enabled")
        .replace("TensorRT.trtexec", "TensorRT-RTX.tensorrt_rtx");
    session(&sandbox, "s", &log, &[times(1.0, 1600, 2.0)]);
    let (_, record) = written(&sandbox, &import(&sandbox, &["s"]));
    assert_eq!(record.cases["p/m/default/latency"].engine.library, "TensorRT-RTX 1.6.1");
}

#[test]
fn a_run_of_another_duration_than_the_log_says_is_refused() {
    let sandbox = Sandbox::new();
    session(&sandbox, "s", &usual(), &[times(1.0, 1600, 2.0), times(1.0, 3200, 2.0)]);
    import(&sandbox, &["s"]).says(2, &["times1.json holds requests of 6", "told to measure for 3"]);
    // Ten requests of a slow model take longer than its three seconds.
    session(&sandbox, "slow", &usual(), &[times(1.0, 11, 900.0)]);
    import(&sandbox, &["slow"]).says(0, &["10 requests in 1 run"]);
    session(
        &sandbox,
        "until-stopped",
        &usual().replace("Duration: 3s", "Duration: -1s"),
        &[times(1.0, 900, 2.0)],
    );
    import(&sandbox, &["until-stopped"]).says(0, &["1 run"]);
}

#[test]
fn one_run_is_one_process_unless_it_is_asked_to_be_cut() {
    let sandbox = Sandbox::new();
    session(&sandbox, "s", &usual(), &[times(1.0, 1600, 2.0)]);
    let ran = import(&sandbox, &["s/times0.json", "--log", "s/trtexec.log", "--blocks", "5"]);
    let (_, record) = written(&sandbox, &ran);
    ran.says(0, &["cut into 5 blocks", "1501 requests in 1 run, 99 of the warm-up left out", "244.141 ns"]);
    assert_eq!(record.cases["p/m/default/latency"].processes.len(), 5);
    assert_eq!(record.device.soft["imported"], "1 run of trtexec, cut into 5 blocks");
    let ran = import(&sandbox, &["s"]);
    let (_, whole) = written(&sandbox, &ran);
    ran.says(0, &["one run is one process"]).silent_on(&["cut into"]);
    assert_eq!(whole.cases["p/m/default/latency"].processes.len(), 1);
}

#[test]
fn a_run_that_is_too_long_for_its_floats_is_not_trusted() {
    let sandbox = Sandbox::new();
    let log = usual().replace("Duration: 3s", "Duration: 0.1s");
    session(&sandbox, "s", &log, &vec![times(600_000.0, 200, 0.5); 3]);
    let ran = import(&sandbox, &["s"]);
    ran.says(0, &["invalid: trtexec resolved times to 62.5 µs"]);
    let (_, record) = written(&sandbox, &ran);
    assert!(record.cases["p/m/default/latency"].processes.iter().all(|p| p.invalid_reason().is_some()));
}

#[test]
fn layers_are_shown_and_tell_engines_apart() {
    let sandbox = Sandbox::new();
    session(&sandbox, "s", &usual(), &vec![times(1.0, 1600, 2.0); 3]);
    let profile = r#"[ { "count" : 1 }, { "name" : "conv1", "timeMs" : 3, "averageMs" : 1.5, "medianMs" : 1.5, "percentage" : 75 },
        { "name" : "fc", "timeMs" : 1, "averageMs" : 0.5, "medianMs" : 0.5, "percentage" : 25 } ]"#;
    let layers = r#"{"Layers": [{"Name": "conv1", "LayerType": "CaskConvolution", "Outputs": [{"Format/Datatype": "FP16"}]}], "Bindings": ["x"]}"#;
    sandbox.write("s/profile.json", profile);
    sandbox.write("s/graph.json", layers);
    let ran = import(&sandbox, &["s"]);
    ran.says(0, &["1.5000 ms", "75%", "fp16   CaskConvolution", "conv1"]);
    let (_, one) = written(&sandbox, &ran);
    sandbox.write("other.json", layers.replace("FP16", "FP32"));
    let (_, two) = written(&sandbox, &import(&sandbox, &["s", "--layers", "other.json"]));
    sandbox.write("x.plan", "plan");
    let (_, three) = written(&sandbox, &import(&sandbox, &["s", "--engine", "x.plan"]));
    let engine = |r: &Record| r.cases["p/m/default/latency"].engine.clone();
    assert_ne!(engine(&one).inputs_hash, engine(&two).inputs_hash);
    assert!(
        engine(&one).tactics_sha256.is_some() && engine(&one).tactics_sha256 != engine(&two).tactics_sha256
    );
    assert_eq!((engine(&three).engine_bytes, engine(&three).payload_sha256.len()), (4, 64));
}

#[test]
fn a_baseline_belongs_to_a_commit() {
    let sandbox = Sandbox::committed_mlp();
    session(&sandbox, "../s", &usual(), &vec![times(1.0, 1600, 2.0); 3]);
    let head = sandbox.git(".", &["rev-parse", "HEAD"]);
    let ran = import(&sandbox, &["../s", "--save-baseline"]);
    assert_eq!(written(&sandbox, &ran).1.source.expect("a commit").commit, head);
    assert_eq!(sandbox.baselines(".").len(), 1, "{ran}");
    import(&sandbox, &["../s", "--commit", "nowhere"]).says(2, &["cannot tell the commit nowhere"]);
}

#[test]
fn each_mistake_is_named() {
    let sandbox = Sandbox::new();
    let good = times(1.0, 1600, 2.0);
    sandbox.write("trtexec.log", usual());
    let refused = |name: &str, text: &str, says: &[&str]| {
        sandbox.write(name, text);
        import(&sandbox, &[name, "--log", "trtexec.log"]).says(2, &[&[name], says].concat());
    };
    refused("cut.json", &good[..good.len() / 2], &["is cut off"]);
    refused(
        "nan.json",
        &good.replacen("\"latencyMs\" : 2", "\"latencyMs\" : nan, \"was\" : 2", 1),
        &["holds `nan`"],
    );
    refused(
        "negative.json",
        &good.replacen("\"computeMs\" : ", "\"computeMs\" : -", 1),
        &["which is no time", "request 1 of 1600"],
    );
    refused("other.json", "{\"a\": 1}", &["is no export of trtexec"]);
    refused("text.json", "hello", &["is not JSON"]);
    refused("warm.json", &times(1.0, 50, 2.0), &["nothing but 50 requests of the warm-up"]);
    sandbox.write("good.json", &good);
    sandbox.write("short.json", times(1.0, 500, 2.0));
    import(&sandbox, &["good.json", "short.json", "--log", "trtexec.log"])
        .says(2, &["short.json holds requests of 810", "trtexec was told to measure for 3"]);
    import(&sandbox, &["good.json"]).says(2, &["nothing says how these times were taken", "--log"]);
    import(&sandbox, &["good.json", "--log", "good.json"]).says(2, &["good.json is not what trtexec prints"]);
    import(&sandbox, &["absent.json"]).says(2, &["there is no export of trtexec absent.json", "next: "]);
    sandbox.write("no-gpu.log", usual().replace("Selected Device: ", "Chosen: "));
    let no_gpu = ["good.json", "--log", "no-gpu.log"];
    import(&sandbox, &no_gpu).says(2, &["nothing says which GPU"]);
    let named = import(&sandbox, &[&no_gpu[..], &["--gpu", "NVIDIA X1"]].concat());
    named.says(0, &["gpu-nvidia-x1-24g"]);
    import(&sandbox, &["good.json", "--log", "trtexec.log", "--gpu", "Other"]).says(2, &["NVIDIA Test GPU"]);
    sandbox.write("empty/readme.txt", "nothing");
    import(&sandbox, &["empty"]).says(2, &["holds no export of times"]);
    let odd_case = ["import", "trtexec", "good.json", "--log", "trtexec.log", "--case", "a/b"];
    sandbox.run(".", &odd_case).says(2, &["--case a/b is no id of a case"]);
}

#[test]
fn logs_of_two_sessions_are_not_mixed() {
    let sandbox = Sandbox::new();
    session(&sandbox, "s", &usual(), &[times(1.0, 1600, 2.0)]);
    sandbox.write("s/other.log", usual().replace("Test GPU", "Other GPU"));
    import(&sandbox, &["s"]).says(2, &["trtexec.log says another GPU"]);
}

#[test]
fn public_runs_on_an_a100_are_recorded_and_compared() {
    let (Some(fp32), Some(fp16)) =
        (shared("data/trtexec/pytorch-resnet-A100-fp32"), shared("data/trtexec/pytorch-resnet-A100-fp16"))
    else {
        return;
    };
    let sandbox = Sandbox::new();
    let [fp32, fp16] = [fp32, fp16].map(|dir| {
        let ran = import(&sandbox, &[dir.to_str().expect("text"), "--batch", "32", "--blocks", "5"]);
        let (path, record) = written(&sandbox, &ran);
        assert_eq!(record.device.key, "gpu-nvidia-a100-80gb-pcie-80g");
        let case = &record.cases["p/m/default/latency"];
        assert!(case.point.cuda_graph && !case.mode.transfers);
        (path, case.processes.iter().map(|p| p.requests + p.dropped).sum::<u64>())
    });
    // As trtexec's own summary has it: throughput × wall time.
    assert_eq!((fp32.1, fp16.1), (1500, 3468));
    let said = ["--fail-on-regression", "--assume-session-sd", "2%"];
    let compare = |a: &str, b: &str| sandbox.run(".", &[&["compare", a, b], &said[..]].concat());
    // So few requests say nothing of p99.
    compare(&fp32.0, &fp16.0).says(0, &["Inconclusive: p99: needs 8 processes, has 5", "p50  "]);
    compare(&fp16.0, &fp32.0).says(100, &["Performance has regressed: "]);
    compare(&fp16.0, &fp16.0).says(0, &[]).silent_on(&["has regressed", "has improved"]);
}

proptest! {
    // Whatever a file holds, reading it ends in a value or in words.
    #[test]
    fn mutated_files_never_panic(
        at in 0_usize..4000, cut in 0_usize..4000, byte in any::<u8>(), junk in ".{0,20}", warm in prop::num::f64::ANY,
    ) {
        let profile = r#"[ { "count" : 1 }, { "name" : "a", "timeMs" : 1, "averageMs" : 1, "medianMs" : 1 } ]"#.to_owned();
        for text in [times(1.0, 12, 2.0), usual(), profile] {
            let mut bytes = text.clone().into_bytes();
            let at = at % bytes.len();
            bytes[at] = byte;
            let mutated = String::from_utf8_lossy(&bytes).into_owned();
            let shorter: String = text.chars().take(cut).collect();
            let longer = format!("{}{junk}{}", &text[..at.min(text.len())], &text[at.min(text.len())..]);
            for text in [mutated, shorter, longer] {
                let _ = trtexec::kind(&text);
                let _ = trtexec::read_output(&text);
                let _ = (layers::profile(&text), layers::inspect(&text));
                if let Ok(t) = trtexec::times(&text, warm) {
                    prop_assert!(t.requests.iter().all(|r| r.latency_ms.is_finite() && r.latency_ms > 0.0));
                }
            }
        }
    }
}
