//! Layers of real engines: TensorRT 8 on an A100 and an RTX 3090, TensorRT-RTX 1.6 on an H100. The files are not part of
//! this repository (see `real_data`).

use crate::support::{QUICK_ARGS, Ran, Sandbox, sample, shared};
use trt_perf::case::sha256_hex;
use trt_perf::layers::{
    Breakdown, Correspondence, EngineLayers, LayerRole, LayerRun, LayerTime, LayerTimes, attribute, inspect,
    profile,
};
use trt_perf::record;

const A100_FP32: &str = "trtexec/pytorch-resnet-A100-fp32/graph.json";
const A100_FP16: &str = "trtexec/pytorch-resnet-A100-fp16/graph.json";
const RTX_3090: &str = "trtexec/tensorflow-resnet-RTX-3090-fp16/graph.json";
const H100: &str = "rtx-h100/layers.json";

/// What the engine tells, and what its profile says; `None`, with the reason printed, where the files are not there.
fn real(layers: &str) -> Option<(EngineLayers, LayerTimes)> {
    let path = shared(&format!("data/{layers}"))?;
    let read = |path: &std::path::Path| std::fs::read_to_string(path).expect("readable");
    let times = profile(&read(&path.with_file_name("profile.json"))).expect("a profile");
    Some((inspect(&read(&path)).expect("layers"), times))
}

#[test]
fn real_engines_tell_their_layers_and_no_two_are_the_same() {
    let mut seen = Vec::new();
    for (name, count) in [(A100_FP32, 32), (A100_FP16, 36), (RTX_3090, 86), (H100, 70)] {
        let Some((engine, times)) = real(name) else { return };
        assert_eq!(engine.layers.len(), count, "{name}");
        let names: Vec<&str> = engine.layers.iter().map(|l| l.name.as_str()).collect();
        assert!(times.layers.iter().all(|l| names.contains(&l.name.as_str())), "{name}: one name for both");
        let computing = engine.layers.iter().filter(|l| l.role == LayerRole::Compute);
        let unknown: Vec<&str> = computing
            .filter(|l| l.nodes.is_empty() || l.precision().is_empty())
            .map(|l| l.name.as_str())
            .collect();
        // Two generated moves of the H100's belong to no node.
        assert!(unknown.len() <= 1, "{name}: {unknown:?}");
        let fingerprint = engine.fingerprint.expect("details");
        assert!(!seen.contains(&fingerprint), "{name}");
        seen.push(fingerprint);
    }
}

fn breakdown((engine, times): &(EngineLayers, LayerTimes), gpu_ns: f64) -> Breakdown {
    let run = LayerRun { times: times.clone(), gpu_ns: Some(gpu_ns) };
    Breakdown::of(Some(engine), &[run]).expect("one engine")
}

#[test]
fn fp16_against_fp32_is_explained_by_its_layers_to_the_nanosecond() {
    let (Some(fp32), Some(fp16)) = (real(A100_FP32), real(A100_FP16)) else { return };
    let found = attribute(&breakdown(&fp32, 2_000_000.0), &breakdown(&fp16, 1_000_000.0));
    let parts: i64 = found.groups.iter().map(|g| g.time.ns()).sum();
    assert_eq!(parts + found.residual.expect("both wholes are known").ns(), found.whole.ns());
    assert_eq!(found.whole.ns(), -1_000_000);
    let share = found.aligned as f64 / found.computing as f64;
    assert!(share >= 0.9, "{} of {}", found.aligned, found.computing);
    // The base is timed in fp32 throughout.
    let convolutions = found.groups.iter().filter(|g| g.base.iter().any(|l| l.kind == "CaskConvolution"));
    assert!(
        convolutions
            .clone()
            .all(|g| g.changes.iter().any(|c| c == "types fp32 to fp16" || c.contains("fp16")))
    );
    let added: Vec<&str> = found
        .groups
        .iter()
        .filter(|g| g.correspondence == Correspondence::Added)
        .flat_map(|g| g.head.iter().map(|l| l.name.as_str()))
        .collect();
    assert!(added.contains(&"Reformatting CopyNode for Input Tensor 0 to Conv_0 + Relu_1"), "{added:?}");
    assert!(added.iter().all(|name| name.starts_with("Reformatting CopyNode")), "{added:?}");
}

#[test]
fn an_engine_against_itself_has_nothing_to_explain() {
    for name in [A100_FP32, RTX_3090, H100] {
        let Some(one) = real(name) else { return };
        let found = attribute(&breakdown(&one, 1e6), &breakdown(&one, 1e6));
        assert!(
            found.groups.iter().all(|g| g.correspondence == Correspondence::Same && g.time.ns() == 0),
            "{name}"
        );
        assert_eq!((found.aligned, found.same_tactics), (found.computing, Some(true)), "{name}");
    }
}

const PROFILE: &str = r#"[ { "count" : 2 }
, { "name" : "a + b", "timeMs" : 3, "averageMs" : 1.5, "medianMs" : 1.5, "percentage" : 75 }
, { "name" : "c", "timeMs" : 1, "averageMs" : 0.5, "medianMs" : 0.5, "percentage" : 25 } ]"#;
const LAYERS: &str = r#"{"Layers": [
    {"Name": "a + b", "LayerType": "CaskConvolution", "TacticName": "big", "Outputs": [{"Format/Datatype": "Row major linear FP32"}]},
    {"Name": "c", "LayerType": "SoftMax", "TacticName": "s", "Outputs": [{"Format/Datatype": "Row major linear FP32"}]}]}"#;

/// The exports of an engine in a folder.
fn exported(sandbox: &Sandbox, folder: &str, profile: &str, layers: &str) {
    sandbox.write(format!("{folder}/profile.json"), profile);
    sandbox.write(format!("{folder}/graph.json"), layers);
}

fn layers(sandbox: &Sandbox, args: &[&str]) -> Ran {
    Ran::of(sandbox.command(".", &[&["layers"], args].concat()))
}

#[test]
fn exports_are_shown_slowest_first_and_need_no_project() {
    let s = Sandbox::new();
    exported(&s, "one", PROFILE, LAYERS);
    exported(&s, "two", &PROFILE.replace("1.5", "1.7"), LAYERS);
    let one = layers(&s, &["one"]);
    one.says(
        0,
        &[
            "2 layers, slowest first",
            "1.5000 ms",
            "75%",
            "fp32",
            "CaskConvolution",
            "a + b",
            "sum of the layers: 2.0000 ms",
        ],
    );
    one.silent_on(&["residual", "±"]);
    layers(&s, &["one", "two"]).says(0, &["2 processes", "1.6000 ms", "±"]);
    layers(&s, &["one/profile.json"])
        .says(0, &["types, shapes and tactics are not known", "profiling-verbosity=detailed"]);
    layers(&s, &["one", "--limit", "1"]).says(0, &["the slowest 1 of 2 layers"]).silent_on(&["SoftMax"]);
    let said = layers(&s, &["one", "--message-format", "json"]).message("layers");
    assert_eq!((&said["layers"][0]["name"], &said["sum_ns"]["est"]), (&"a + b".into(), &2e6.into()));
    assert_eq!(
        (said["layers"][0]["nodes"].as_array().map(Vec::len), said["detailed"].as_bool()),
        (Some(2), Some(true))
    );
}

#[test]
fn two_exports_are_compared_layer_by_layer() {
    let s = Sandbox::new();
    exported(&s, "base", PROFILE, LAYERS);
    let split = PROFILE.replace(r#""name" : "a + b""#, r#""name" : "a""#).replace(
        " ]",
        r#", { "name" : "b", "averageMs" : 0.25 }, { "name" : "Reformatting CopyNode for Input Tensor 0 to a", "averageMs" : 0.1 } ]"#,
    );
    let layer = |name: &str| format!(r#"{{"Name": "{name}", "LayerType": "x", "TacticName": "{name}"}}"#);
    let names = ["a", "b", "c", "Reformatting CopyNode for Input Tensor 0 to a"];
    let head = format!("{{\"Layers\": [{}]}}", names.map(layer).join(","));
    exported(&s, "head", &split, &head);
    let ran = layers(&s, &["head", "--compare", "base"]);
    ran.says(
        0,
        &[
            "split: a + b → a, b",
            "+250.00 µs",
            "added: Reformatting CopyNode for Input Tensor 0 to a",
            "other tactic",
        ],
    );
    ran.says(
        0,
        &["= sum of the layers", "+350.00 µs", "5 of 5 layers that compute were found in both engines"],
    );
    layers(&s, &["base", "--compare", "base"]).says(0, &["both engines run the same tactics"]);
    let said =
        layers(&s, &["head", "--compare", "base", "--message-format", "json"]).message("layer-changes");
    let groups = said["groups"].as_array().expect("a list");
    let sum: f64 = groups.iter().map(|g| g["time"]["change_ns"]["est"].as_f64().expect("a number")).sum();
    assert!((sum - said["whole"]["change_ns"]["est"].as_f64().expect("a number")).abs() < 1e-6, "{said}");
    assert_eq!((groups[0]["correspondence"].as_str(), said["residual"].is_null()), (Some("split"), true));
}

#[test]
fn what_is_no_export_of_layers_is_refused_with_a_next_step() {
    let s = Sandbox::new();
    exported(&s, "good", PROFILE, LAYERS);
    exported(&s, "cut", &PROFILE[..60], LAYERS);
    exported(&s, "cutlayers", PROFILE, &LAYERS[..90]);
    exported(&s, "none", r#"[ { "count" : 2 } ]"#, LAYERS);
    exported(&s, "foreign", PROFILE, r#"{"Layers": ["x", "y"]}"#);
    s.write("empty/readme.txt", "");
    s.write("notes.json", "{\"name\": 1}");
    for (args, says) in [
        (&["cut"][..], "is cut off"),
        (&["cutlayers"], "is cut off"),
        (&["none"], "has no layer"),
        (&["foreign"], "another engine's"),
        (&["empty"], "holds no layer profile"),
        (&["notes.json"], "is no export of trtexec"),
        (&["good", "--compare", "nothing"], "nothing is no folder and no .json file"),
        (&["good", "mlp.onnx"], "mlp.onnx is no folder"),
    ] {
        let ran = layers(&s, args);
        assert!(
            ran.code != Some(0) && ran.err.contains(says) && ran.err.contains("next:"),
            "{args:?}: {ran}"
        );
        ran.silent_on(&["panicked"]);
    }
}

#[test]
fn names_from_an_engine_steer_no_terminal() {
    let s = Sandbox::new();
    let evil = |text: &str| text.replace("\"c\"", "\"\\u001b[31mred\\u001b]0;x\\u0007\"");
    exported(&s, "evil", &evil(PROFILE), &evil(LAYERS));
    let ran = layers(&s, &["evil"]);
    ran.says(0, &["red"]);
    assert!(!ran.out.contains('\u{1b}') && !ran.out.contains('\u{7}'), "{ran}");
}

#[test]
fn real_exports_show_what_the_layers_leave() {
    let (Some(fp32), Some(fp16)) =
        (shared("data/trtexec/pytorch-resnet-A100-fp32"), shared("data/trtexec/pytorch-resnet-A100-fp16"))
    else {
        return;
    };
    let s = Sandbox::new();
    let (fp32, fp16) = (fp32.display().to_string(), fp16.display().to_string());
    layers(&s, &[&fp16]).says(0, &["fp32 → fp16", "GPU time of a whole request", "residual: -"]);
    let ran = layers(&s, &[&fp16, "--compare", &fp32]);
    ran.says(
        0,
        &["types fp32 to fp16, other tactic", "added: Reformatting CopyNode", "48 of 48 layers", "(residual"],
    );
    let Some(h100) = shared("data/rtx-h100") else { return };
    let ran = layers(&s, &[&h100.display().to_string(), "--limit", "70"]);
    ran.says(0, &["sync", "/conv1/Conv_myl0_1", "70 layers"]);
}

#[test]
fn a_backend_that_times_no_layers_says_so_and_what_does() {
    let s = Sandbox::new();
    let model = sample("mlp.onnx").display().to_string();
    let ran = layers(&s, &[&[model.as_str(), "--backend", "cpu"], &QUICK_ARGS[..]].concat());
    ran.says(2, &["the cpu backend gives no times of layers", "use --backend tensorrt"]);
}

#[test]
fn a_base_without_layers_is_refused_before_anything_is_measured() {
    let s = Sandbox::new();
    let model = sample("mlp.onnx").display().to_string();
    let run =
        [&["run", model.as_str(), "--backend", "cpu", "--message-format", "json"], &QUICK_ARGS[..]].concat();
    let record = Ran::of(s.command(".", &run)).message("session-finished");
    let path = record["record"].as_str().expect("a path");
    let ran = layers(&s, &[&model, "--backend", "cpu", "--compare", path]);
    assert!(ran.code == Some(4) && ran.err.contains("no layers were measured with"), "{ran}");
    let twice = layers(&s, &[&model, "--backend", "cpu", "--compare", path, "--compare", path]);
    assert!(twice.code == Some(2) && twice.err.contains("is a second base"), "{twice}");
}

#[test]
fn check_says_where_nothing_can_explain_a_change_and_judges_all_the_same() {
    let s = Sandbox::new();
    let model = sample("mlp.onnx").display().to_string();
    let engine = |option: &str| {
        let args = ["build", &model, "--backend", "cpu", "--build", option, "--message-format", "json"];
        Ran::of(s.command(".", &args)).message("engine")["engine"].as_str().expect("a path").to_owned()
    };
    let (base, head) = (engine("optimize=true"), engine("optimize=false"));
    let args = ["check", "--base-engine", &base, "--head-engine", &head, "--pairs", "3", "--explain"];
    let ran = Ran::of(s.command(".", &[&args, &QUICK_ARGS[2..]].concat()));
    assert!(ran.err.contains("no layers explain it: the cpu backend gives no times of layers"), "{ran}");
    assert!(ran.out.contains("3 pairs") && !ran.out.contains("of which"), "{ran}");
}

#[test]
fn a_revision_is_built_and_measured_beside_the_work_tree() {
    let s = Sandbox::with_repo();
    std::fs::create_dir_all(s.path("repo/src")).expect("a folder");
    std::fs::copy(sample("mlp.onnx"), s.path("repo/model.onnx")).expect("the model");
    s.write("repo/src/lib.rs", "");
    s.write(
        "repo/Cargo.toml",
        "[package]\nname = \"shop\"\nversion = \"0.1.0\"\n[[package.metadata.trt-perf.model]]\nname = \"small\"\npath = \"model.onnx\"\n",
    );
    s.commit("repo", "a model");
    let layers = |rev: &str| {
        let args = [&["layers", "--compare", rev, "--backend", "cpu"], &QUICK_ARGS[..]].concat();
        Ran::of(s.command("repo", &args))
    };
    let ran = layers("HEAD");
    // Both arms were found, and this backend looks into neither: a mistake, told once.
    assert_eq!(
        (ran.code, ran.err.matches("the cpu backend gives no times of layers").count()),
        (Some(2), 1),
        "{ran}"
    );
    assert!(ran.err.contains("4 processes"), "{ran}");
    let gone = layers("no-such-revision");
    assert!(gone.code == Some(4) && gone.err.contains("no-such-revision"), "{gone}");
}

/// A record with the layers of one case, as a session keeps both; returns the record's path.
fn kept(s: &Sandbox, ns: [f64; 2]) -> String {
    let model = sample("mlp.onnx").display().to_string();
    let run =
        [&["run", model.as_str(), "--backend", "cpu", "--message-format", "json"], &QUICK_ARGS[..]].concat();
    let path = Ran::of(s.command(".", &run)).message("session-finished")["record"]
        .as_str()
        .expect("a path")
        .to_owned();
    let mut record =
        record::wire::read(&std::fs::read_to_string(s.path(&path)).expect("a file")).expect("a record");
    let engine = inspect(LAYERS).expect("layers");
    let times = ["a + b", "c"].iter().zip(ns);
    let layers = times.map(|(name, ns)| LayerTime { name: (*name).into(), median_ns: ns, calls: 1 });
    let times = LayerTimes { requests: 1, layers: layers.collect(), ..LayerTimes::default() };
    let text = trt_perf::layers::wire::write(
        &engine,
        &[LayerRun { times, gpu_ns: Some(ns[0] + ns[1] + 100.0) }],
        None,
    );
    let sha256 = sha256_hex(text.as_bytes());
    s.write(format!(".trt-perf/layers/{sha256}.json"), text);
    record.cases.values_mut().for_each(|case| case.layers_sha256 = Some(sha256.clone()));
    let written = format!("{}.json", ns[0]);
    s.write(&written, record::wire::write(&mut record));
    written
}

#[test]
fn records_with_layers_are_shown_and_compared_without_measuring() {
    let s = Sandbox::new();
    let (base, head) = (kept(&s, [1000.0, 500.0]), kept(&s, [1300.0, 500.0]));
    layers(&s, &[&head]).says(0, &["files/mlp/default/latency", "1.3000 µs", "residual: 100.00 ns"]);
    let ran = layers(&s, &[&head, "--compare", &base]);
    ran.says(0, &["+300.00 ns", "a + b", "= whole request on the GPU", "both engines run the same tactics"]);
    s.run(".", &["report", &head, &base, "-o", "page.html"]).says(0, &["page:"]);
    let page = std::fs::read_to_string(s.path("page.html")).expect("a page");
    assert!(
        page.contains("Layers that differ") && page.contains("1.0000 µs → 1.3000 µs  +300.00 ns"),
        "{page}"
    );
    let ours = layers(&s, &[&head, "--compare", "HEAD"]);
    assert!(ours.code != Some(0) && ours.err.contains("next:"), "{ours}");
    exported(&s, "exports", PROFILE, LAYERS);
    layers(&s, &[&head, "--compare", "exports"]).says(0, &["= sum of the layers"]);
    let file = std::fs::read_dir(s.path(".trt-perf/layers"))
        .expect("a folder")
        .next()
        .expect("a file")
        .expect("one");
    std::fs::write(file.path(), "{}").expect("a file");
    let changed = [layers(&s, &[&base]), layers(&s, &[&head])];
    assert!(
        changed.iter().any(|r| r.err.contains("was changed after it was written")),
        "{} {}",
        changed[0],
        changed[1]
    );
}

#[test]
fn the_arithmetic_of_real_engines_is_what_their_papers_say() {
    // "Deep Residual Learning": 1.8 and 3.8 G multiplications an image; torchvision's 50 layers with the stride in another
    // place have 4.09 G. Each has an addition.
    for (name, images, giga, unknown) in [
        (A100_FP32, 32.0, 1.81, 0),
        (A100_FP16, 32.0, 1.81, 0),
        (RTX_3090, 32.0, 3.86, 0),
        (H100, 1.0, 4.09, 0),
    ] {
        let Some(one) = real(name) else { return };
        let found = breakdown(&one, 1e6).roofline().expect("details");
        let share = found.flops / (2e9 * giga * images);
        assert!((0.9..1.1).contains(&share), "{name}: {share} of {giga} G, {found:?}");
        assert_eq!((found.unknown, found.allowed_ns), (unknown, None), "{name}: {found:?}");
        // Weights alone: 11.7 M and 25.6 M numbers of at least two bytes.
        assert!(found.bytes > 23e6, "{name}: {found:?}");
    }
}

#[test]
fn the_roofline_stands_below_the_layers_where_the_gpu_is_known() {
    let Some(folder) = shared("data/trtexec/pytorch-resnet-A100-fp16") else { return };
    let (s, folder) = (Sandbox::new(), folder.display().to_string());
    let plain = layers(&s, &[&folder]);
    plain.says(0, &["estimate: the roofline allows ", " of the measured GPU time; every layer is in it"]);
    plain.silent_on(&["FLOP"]);
    layers(&s, &[&folder, "--roofline"]).says(0, &["FLOP", "roofline"]);
    let said = layers(&s, &[&folder, "--message-format", "json"]).message("layers");
    let share = said["roofline"]["share_frac"].as_f64().expect("a share");
    assert!((0.05..1.0).contains(&share), "{said}");
    // Of a profile that nobody printed anything beside, the work is known and no time.
    let Some(graph) = shared(&format!("data/{A100_FP16}")) else { return };
    let files = [graph.clone(), graph.with_file_name("profile.json")].map(|path| path.display().to_string());
    let files = files.each_ref().map(String::as_str);
    layers(&s, &files).silent_on(&["estimate"]);
    let asked = layers(&s, &[&files[..], &["--roofline"]].concat());
    asked.says(0, &["GFLOP and ", "nothing tells what the GPU can do at most"]);
}
