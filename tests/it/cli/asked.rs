//! What is asked of models on the command line and in tables, and mistakes that only the model shows.

use crate::support::{QUICK_ARGS, Sandbox, files_below, model};

#[test]
fn files_of_the_same_stem_are_named_by_their_paths() {
    let s = Sandbox::new();
    for to in ["a/mlp.onnx", "b/mlp.onnx", "cnn.onnx"] {
        s.copy(to.rsplit('/').next().expect("a name"), to);
    }
    let list = |args: &[&str]| s.run(".", &[&["run", "--list", "--scenario", "latency"], args].concat());
    list(&["a/mlp.onnx", "b/mlp.onnx", "cnn.onnx"])
        .says(0, &["files/a.mlp/default/latency\nfiles/b.mlp/default/latency\nfiles/cnn/default/latency\n"]);
    list(&["a/mlp.onnx"]).says(0, &["files/mlp/default/latency\n"]);
    let twice = ["a/mlp.onnx", "--scenario", "latency", "--batch", "4", "--batch", "4"];
    assert_eq!(list(&twice).out, "files/mlp/b4/latency\n");
    list(&["a/mlp.onnx", "./a/mlp.onnx"]).says(2, &["two cases have the id files/a.mlp/default/latency"]);
}

#[test]
fn a_shape_may_be_for_one_of_several_models() {
    let s = Sandbox::new();
    s.copy("cnn.onnx", "cnn.onnx");
    s.copy("cnn.onnx", "other.onnx");
    let shapes = ["--shape", "cnn:image:2x3x32x32", "--shape", "other:image:3x3x32x32"];
    s.run(".", &[&["run", "cnn.onnx", "other.onnx"], &shapes[..], &QUICK_ARGS].concat()).says(0, &[]);
    let record = s.record("target");
    let shape = |id: &str| record.cases[id].shapes["image"].clone();
    assert_eq!(shape("files/cnn/default/latency"), "2x3x32x32");
    assert_eq!(shape("files/other/default/latency"), "3x3x32x32");
    // Configured ones, too, in whichever packages they stand.
    let s = Sandbox::new();
    s.write("Cargo.toml", "[workspace]\nmembers = [\"p\", \"q\"]\nresolver = \"3\"\n");
    for package in ["p", "q"] {
        s.add_package(package, package, &model(&format!("of_{package}"), "cnn.onnx"));
        s.copy("cnn.onnx", &format!("{package}/cnn.onnx"));
    }
    let shapes = ["--shape", "of_p:image:2x3x32x32", "--shape", "of_q:image:3x3x32x32"];
    s.run(".", &[&["run", "--scenario", "latency"], &shapes[..], &QUICK_ARGS].concat()).says(0, &[]);
    let record = s.record("target");
    let shape = |id: &str| record.cases[id].shapes["image"].clone();
    assert_eq!(shape("p/of_p/default/latency"), "2x3x32x32");
    assert_eq!(shape("q/of_q/default/latency"), "3x3x32x32");
    // A model that only head has, or a file beside, is a model all the same, and no input of the others.
    s.init_git(".");
    s.write(".gitignore", "/target\n");
    s.commit(".", "two models");
    s.copy("mlp.onnx", "cnn2.onnx");
    s.write("p/src/more.rs", "// head");
    s.edit(
        "p/Cargo.toml",
        "[[package.metadata",
        "[[package.metadata.trt-perf.model]]\nname = \"new\"\npath = \"cnn.onnx\"\n[[package.metadata",
    );
    let shapes = [&shapes[..], &["--shape", "new:image:4x3x32x32", "--scenario", "latency"]].concat();
    let check = s.run(".", &[&["check", "--base", "HEAD", "--on-missing", "warn"][..], &shapes].concat());
    check.says(0, &["p/of_p/default/latency", "same engine"]).silent_on(&["redefined"]);
    let beside = ["run", "cnn2.onnx", "of_p", "--shape", "of_p:image:2x3x32x32"];
    s.run(".", &[&beside[..], &QUICK_ARGS].concat())
        .says(0, &["files/cnn2/default/latency", "p/of_p/default/latency"]);
}

#[test]
fn an_input_may_be_a_number_or_a_list() {
    let s = Sandbox::new();
    s.copy("resize.onnx", "resize.onnx");
    let quick = [&["run", "resize.onnx"], &QUICK_ARGS[..]].concat();
    s.run(".", &[&quick[..], &["--input", "sizes=[1,3,16,24]"]].concat())
        .says(0, &["files/resize/default/latency"]);
    s.run(".", &[&quick[..], &["--input", "sizes=[1.5]"]].concat()).says(2, &["--input", "input `sizes`"]);
    let table = "[[model]]\nname = \"r\"\npath = \"resize.onnx\"\ninputs = { sizes = [1, 3, 16, 24] }\n";
    s.write("trt-perf.toml", table);
    s.run(".", &[&["run"], &QUICK_ARGS[..]].concat()).says(0, &["project/r/default/latency"]);
}

#[test]
fn mistakes_that_only_the_model_shows_are_told_once_and_nothing_is_measured() {
    let s = Sandbox::package(&model("a", "cnn.onnx"));
    s.copy("cnn.onnx", "cnn.onnx");
    let ran = s.run(".", &["run", "--scenario", "latency", "--scenario", "throughput"]);
    ran.says(2, &["input `image` has the dynamic dimension `batch`", "next: give its shape"]);
    assert_eq!(ran.err.matches("dynamic dimension").count(), 1, "{ran}");
    assert!(
        files_below(&s.path("target/trt-perf/results")).is_empty() && !ran.err.contains("measuring demo"),
        "{ran}"
    );
}

#[test]
fn a_precision_written_as_trtexec_has_it_says_what_to_write() {
    let s = Sandbox::package(&(model("a", "mlp.onnx") + "build = { fp16 = true }\n"));
    s.copy("mlp.onnx", "mlp.onnx");
    s.run(".", &["run"]).says(
        2,
        &[
            "key `fp16`: is no key; write precisions = [\"fp16\"] for TensorRT 10",
            "export the model in that precision",
        ],
    );
}
