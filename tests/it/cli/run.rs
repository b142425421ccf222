//! `run`, end to end.

use crate::support::{QUICK, QUICK_ARGS, Sandbox, files_below, model, sample, with};
use std::fs;
use trt_perf::config::Scenario;
use trt_perf::tensor::{read_npy, read_samples};

#[test]
fn it_does_the_main_job_with_and_without_building() {
    let s = Sandbox::package(&model("mlp", "mlp.onnx"));
    s.copy("mlp.onnx", "mlp.onnx");
    for first in ["building demo/mlp/default/latency", ""] {
        let ran = s.run(".", &["run"]);
        ran.says(
            0,
            &[
                "1 case on cpu-",
                first,
                "measuring demo/mlp/default/latency",
                "demo/mlp/default/latency\n",
                "time:   [",
                "thrpt:  [",
                "phases: load ",
                "(2 processes, ",
                "record: target/trt-perf/results/cpu-",
                "nothing to compare with: there is no commit",
            ],
        );
        assert!(ran.row("demo/mlp/default/latency").contains("inf/s"), "{ran}");
    }
    assert_eq!(s.results("target").len(), 2);
}

/// Two packages; the first with two scenarios, the second with two batches and two named shapes.
fn workspace() -> Sandbox {
    let s = Sandbox::new();
    s.write(
        "Cargo.toml",
        format!(
            "[workspace]\nresolver = \"3\"\nmembers = [\"a\", \"b\"]\n[workspace.metadata.trt-perf]\n{QUICK}"
        ),
    );
    let a = model("mlp", "models/mlp.onnx") + "scenarios = [\"latency\", \"throughput\"]\nstreams = 2\n";
    let b = model("cnn", "cnn.onnx")
        + "batches = [1, 2]\n"
        + &model("encoder", "../shared models/encoder.onnx")
        + "[[package.metadata.trt-perf.model.variant]]\nname = \"short\"\nshapes = { token_ids = [1, 8], attention_mask = [1, 8] }\n"
        + "[[package.metadata.trt-perf.model.variant]]\nname = \"long\"\nshapes = { token_ids = \"1x32\", attention_mask = \"1x32\" }\n";
    s.add_package("a", "a", &a);
    s.add_package("b", "b", &b);
    s.copy("mlp.onnx", "a/models/mlp.onnx");
    s.copy("cnn.onnx", "b/cnn.onnx");
    s.copy("encoder.onnx", "shared models/encoder.onnx");
    s
}

#[test]
fn cases_are_found_and_selected_from_anywhere_in_a_workspace() {
    let s = workspace();
    let all = "a/mlp/default/latency\na/mlp/default/throughput\nb/cnn/b1/latency\nb/cnn/b2/latency\n\
               b/encoder/short/latency\nb/encoder/long/latency\n";
    for (folder, args, listed) in [
        (".", &[][..], all),
        ("a/src", &[], all),
        ("shared models", &[], all),
        (".", &["-p", "a"], "a/mlp/default/latency\na/mlp/default/throughput\n"),
        ("a", &["-p", "b", "cnn"], "b/cnn/b1/latency\nb/cnn/b2/latency\n"),
        (".", &["b2", "long"], "b/cnn/b2/latency\nb/encoder/long/latency\n"),
        (".", &["--exact", "b/cnn/b1/latency"], "b/cnn/b1/latency\n"),
        (".", &["-p", "a", "--scenario", "throughput"], "a/mlp/default/throughput\n"),
        (".", &["-p", "b", "cnn", "--batch", "8"], "b/cnn/b8/latency\n"),
    ] {
        let ran = s.run(folder, &[&["run", "--list"], args].concat());
        ran.says(0, &[]);
        assert_eq!(ran.out, listed, "{args:?} in {folder}");
    }
    s.run(".", &["run", "--list", "--exact", "cnn"]).says(4, &["no case of 6 matches cnn"]);
    s.run(".", &["run", "encodr"]).says(4, &["matches encodr", "did you mean `encoder`?", "--list"]);
    s.run(".", &["run", "-p", "c"]).says(2, &["there is no package `c`"]);
    assert!(!s.path("target").exists(), "listing leaves no traces");
}

#[test]
fn a_run_from_a_sub_folder_measures_into_the_workspace() {
    let s = workspace();
    s.run("b/src", &["run"]).says(0, &["6 cases on cpu-", "record: "]);
    let record = s.record("target");
    assert_eq!(record.cases.len(), 6);
    assert!(record.failed.is_empty() && record.source.is_none());
    let point = |id: &str| record.cases[id].point;
    assert_eq!((point("a/mlp/default/throughput").streams, point("a/mlp/default/latency").streams), (2, 1));
    assert_eq!(record.cases["a/mlp/default/throughput"].scenario, Scenario::Throughput);
    assert_eq!((point("b/cnn/b1/latency").batch, point("b/cnn/b2/latency").batch), (1, 2));
    assert_eq!(record.cases["b/cnn/b2/latency"].shapes["image"], "2x3x32x32");
    assert_eq!(record.cases["b/encoder/long/latency"].shapes["token_ids"], "1x32");
    for (id, case) in &record.cases {
        assert_eq!(case.processes.len(), 2, "{id}");
        assert_eq!(case.outputs.values().filter(|h| h.len() == 64).count(), case.outputs.len(), "{id}");
        let folder = format!("/{}/", id.replace('/', "__"));
        let samples = files_below(&s.path("target/trt-perf/samples"));
        let of_case = samples.iter().filter(|p| p.to_string_lossy().contains(&folder));
        let (warm_up, samples): (Vec<_>, Vec<_>) =
            of_case.partition(|p| p.parent().is_some_and(|folder| folder.ends_with("warm-up")));
        assert_eq!((samples.len(), warm_up.len()), (2, 2), "{id}");
        let requests = read_samples(warm_up[0]).expect("samples").len() as u64;
        assert_eq!(requests, case.processes[0].warm_up_requests, "{id}");
        for (file, summary) in samples.iter().zip(&case.processes) {
            let values = read_samples(file).expect("samples");
            assert_eq!(values.len() as u64, summary.requests + summary.dropped, "{id}");
            let (least, most) = (values.iter().min(), values.iter().max());
            assert!(least <= Some(&summary.min_ns) && most >= Some(&summary.max_ns), "{id}");
            assert!(summary.load_ns > 0 && summary.first_ns > 0 && summary.inferences_per_s > 0.0, "{id}");
            assert!(summary.peak_host_bytes.is_some_and(|b| b > 1 << 20), "{id}");
        }
    }
    s.check_nothing_half_written(".");
}

#[test]
fn a_model_needs_no_cargo_project() {
    let s = Sandbox::new();
    s.copy("cnn.onnx", "cnn.onnx");
    let run = |args: &[&str]| s.run(".", &[&["run", "cnn.onnx"], args, &QUICK_ARGS].concat());
    run(&["--shape", "image:2x3x32x32"]).says(0, &["files/cnn/default/latency", "record: .trt-perf/results"]);
    assert_eq!(s.record("target").cases["files/cnn/default/latency"].shapes["image"], "2x3x32x32");
    run(&[]).says(
        2,
        &[
            "input `image` has the dynamic dimension `batch`",
            "next: give its shape",
            "--shape image:1x3x32x32",
        ],
    );
    run(&["--shape", "imagee:1x3x32x32"]).says(2, &["`imagee`, which is no input", "did you mean `image`?"]);
    run(&["--shape", "image:1x4x32x32"])
        .says(2, &["1x4x32x32 given for input `image` does not fit", "[batch, 3, 32, 32]"]);
    run(&["--shape", "image"]).says(2, &["--shape", "`image` is not NAME:SHAPE"]);
    s.run(".", &["run"]).says(4, &["no Cargo project", "cargo trt-perf run model.onnx --shape"]);
    s.run(".", &["run", "cn.onnx"]).says(2, &["there is no file", "cn.onnx", "did you mean cnn.onnx?"]);
}

#[test]
fn an_engine_is_built_once_per_set_of_inputs() {
    let s = Sandbox::new();
    s.copy("external.onnx", "external.onnx");
    s.copy("external.onnx.data", "external.onnx.data");
    let engine = |more: &[&str]| {
        let args = [&["run", "external.onnx", "--shape", "x:1x64"], more, &QUICK_ARGS].concat();
        let (ran, messages) = s.run_json(".", &args);
        ran.says(0, &[]);
        let found = with(&messages, "engine")[0].clone();
        let building = with(&messages, "stage").iter().any(|m| m["stage"] == "build");
        assert_ne!(found["cached"], building, "it is either built or found");
        (found["cached"] == true, found["inputs"].clone(), found["bytes"].as_u64())
    };
    let first = engine(&[]);
    assert!(!first.0);
    // Both files, without what is between them and the engine's header.
    let (model, data) = (fs::metadata(sample("external.onnx")), fs::metadata(sample("external.onnx.data")));
    assert_eq!(first.2, Some(model.unwrap().len() + data.unwrap().len()));
    assert_eq!(engine(&[]), (true, first.1.clone(), first.2));
    // What is asked of an engine does not change it.
    assert_eq!(engine(&["--max-latency", "5ms", "--seed", "7"]), (true, first.1.clone(), first.2));
    for more in [&["--threads", "2"][..], &["--config", "build.optimize=false"]] {
        let other = engine(more);
        assert!(!other.0 && other.1 != first.1, "{more:?}");
    }
    let mut weights = fs::read(s.path("external.onnx.data")).unwrap();
    weights[2] ^= 1;
    s.write("external.onnx.data", &weights);
    let other = engine(&[]);
    assert!(!other.0 && other.1 != first.1, "other weights, another engine");
}

/// Every reference case with the shapes it needs.
const REFERENCES: [(&str, &str, &[&str]); 11] = [
    ("cnn", "cnn", &["image:1x3x32x32"]),
    ("cnn_batch4", "cnn", &["image:4x3x32x32"]),
    ("mlp", "mlp", &[]),
    ("mlp_slow", "mlp_slow", &[]),
    ("encoder", "encoder", &["token_ids:1x12", "attention_mask:1x12"]),
    ("encoder_batch2", "encoder", &["token_ids:2x7", "attention_mask:2x7"]),
    ("types", "types", &["scale:scalar"]),
    ("half", "half", &["x:1x16"]),
    ("external", "external", &["x:1x64"]),
    ("resize", "resize", &[]),
    ("found", "found", &[]),
];

/// The arguments that feed and check one reference case.
fn reference_args(case: &str, model: &str, shapes: &[&str]) -> Vec<String> {
    let mut args = vec!["run".to_owned(), sample(&format!("{model}.onnx")).display().to_string()];
    args.extend(shapes.iter().flat_map(|s| ["--shape".to_owned(), (*s).to_owned()]));
    for file in files_below(&sample("reference").join(case)) {
        let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
        let (option, name) = match stem.split_once('_').expect("in_… or out_…") {
            ("in", name) => ("--input", name),
            (_, name) => ("--expect", name),
        };
        args.extend([option.to_owned(), format!("{name}={}", file.display())]);
    }
    args.extend(QUICK_ARGS.map(str::to_owned));
    args
}

#[test]
fn outputs_are_those_of_the_reference() {
    let tested: Vec<&str> = REFERENCES.iter().map(|(case, ..)| *case).collect();
    for entry in fs::read_dir(sample("reference")).unwrap().flatten() {
        assert!(tested.contains(&&*entry.file_name().to_string_lossy()), "{entry:?} is not tested");
    }
    let s = Sandbox::new();
    for (case, model, shapes) in REFERENCES {
        let mut args = reference_args(case, model, shapes);
        if case == "half" {
            // Kernels for 16-bit floats round differently.
            args.extend(["--rtol".into(), "4e-3".into(), "--atol".into(), "4e-3".into()]);
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        s.run(".", &args).says(0, &[&format!("files/{model}/default/latency")]);
    }
}

#[test]
fn values_that_are_given_are_fed() {
    let s = Sandbox::new();
    let reference = |name: &str| sample("reference/resize").join(name).display().to_string();
    let run = |sizes: &str| {
        let model = sample("resize.onnx").display().to_string();
        let (image, y) =
            (format!("image={}", reference("in_image.npy")), format!("y={}", reference("out_y.npy")));
        let args = ["run", &model, "--shape", sizes, "--input", &image, "--expect", &y];
        s.run(".", &[&args[..], &QUICK_ARGS].concat())
    };
    run("sizes:[1,3,16,24]").says(0, &["files/resize/default/latency"]);
    run("sizes:[1,3,16,16]").says(101, &["output `y` is not what was expected: its shape is [1, 3, 16, 16]"]);
    run("sizes:[1,3]")
        .says(2, &["the shape 2 given for input `sizes` does not fit the model, which declares [4]"]);
}

#[test]
fn a_wrong_output_is_named_with_its_element() {
    let s = Sandbox::new();
    let mut wrong = fs::read(sample("reference/mlp/out_scores.npy")).unwrap();
    let last = wrong.len() - 4;
    let value = f32::from_le_bytes(wrong[last..].try_into().unwrap());
    wrong[last..].copy_from_slice(&(value + 1.0).to_le_bytes());
    s.write("wrong.npy", &wrong);
    let elements = read_npy(&s.path("wrong.npy")).unwrap().len();
    let base = reference_args("mlp", "mlp", &[]);
    let run = |more: &[&str]| {
        let args: Vec<&str> = base.iter().map(String::as_str).chain(more.iter().copied()).collect();
        s.run(".", &args)
    };
    let expect = ["--expect", "scores=wrong.npy"];
    run(&expect).says(
        101,
        &[
            "measuring failed: output `scores` is not what was expected",
            &format!("element {} is", elements - 1),
            "(rtol 0.001, atol 0.0001)",
            "next: check the inputs",
        ],
    );
    run(&[&expect[..], &["--atol", "1.01"]].concat()).says(0, &[]);
    run(&[&expect[..], &["--atol", "0", "--rtol", "1e9"]].concat()).says(0, &[]);
    run(&["--expect", "score=wrong.npy"])
        .says(101, &["`score`, which is no output", "its outputs are scores"]);
    run(&["--input", "features=wrong.npy"]).says(101, &["input `features` from", "its shape is"]);
    run(&["--input", "features=none.npy"]).says(2, &["there is no file", "none.npy for tensor `features`"]);
    s.write("text.npy", "not an array");
    run(&["--input", "features=text.npy"]).says(101, &["text.npy is not a usable .npy file"]);
}

#[test]
fn paths_may_hold_spaces_and_any_letters() {
    let s = Sandbox::new();
    let folder = "mein Projekt – ü/日本語 'q'";
    let tables = model("modèle", "modèles à mesurer/é \u{1f980}.onnx");
    s.add_package(folder, "demo", &format!("[workspace]\n[package.metadata.trt-perf]\n{QUICK}\n{tables}"));
    s.copy("mlp.onnx", &format!("{folder}/modèles à mesurer/é \u{1f980}.onnx"));
    s.init_git(folder);
    s.commit(folder, "ünïcode");
    let mut command = s.command(folder, &["run", "--save-baseline"]);
    command.env("CARGO_TARGET_DIR", s.path("Ziel ordner ß"));
    crate::support::Ran::of(command).says(0, &["demo/modèle/default/latency", "baseline: baselines/cpu-"]);
    assert_eq!(s.record("Ziel ordner ß").cases.len(), 1);
    assert_eq!(s.baselines(folder).len(), 1);
    assert!(!s.path(folder).join("target").exists());
    let file = format!("{folder}/modèles à mesurer/é \u{1f980}.onnx");
    let inputs = s.path(&file).display().to_string();
    s.run(".", &[&["run", &inputs], &QUICK_ARGS[..]].concat())
        .says(0, &["files/é \u{1f980}/default/latency"]);
}
