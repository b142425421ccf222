//! `trt-perf.toml`: repositories without Cargo, from `init` to a check that fails.

use crate::support::{QUICK, Sandbox};

/// A repository of Python people: two models, and no Cargo.
fn python() -> Sandbox {
    let s = Sandbox::with_repo();
    s.copy("mlp.onnx", "repo/models/mlp.onnx");
    s.copy("cnn.onnx", "repo/models/cnn.onnx");
    s.write("repo/infer/train.py", "print('trained')\n");
    s
}

/// A configuration that measures the MLP quickly.
fn configured(s: &Sandbox, more: &str) {
    let model = "[[model]]\nname = \"mlp\"\npath = \"models/mlp.onnx\"\n";
    s.write("repo/trt-perf.toml", format!("{QUICK}\n{more}\n{model}"));
}

#[test]
fn a_repository_without_cargo_goes_from_init_to_a_check_that_fails() {
    let s = python();
    s.run("repo/infer", &["init"])
        .says(0, &["trt-perf.toml: created, with models/cnn.onnx, models/mlp.onnx"]);
    let text = std::fs::read_to_string(s.path("repo/trt-perf.toml")).expect("the file");
    for line in [
        "\n[[model]]\nname = \"cnn\"\npath = \"models/cnn.onnx\"\n# Input \"image\": f32 [batch, 3, 32, 32]\n",
        "\nshapes = { \"image\" = [\"batch\", 3, 32, 32] }\n",
        "#processes = ",
        "#[[model.variant]]\n",
    ] {
        assert!(text.contains(line), "no {line:?} in\n{text}");
    }
    assert!(!text.contains("metadata"), "{text}");
    s.run("repo", &["init"]).says(2, &["there is ", "trt-perf.toml already; nothing was changed"]);
    s.run("repo/infer", &["run", "--list"])
        .says(0, &["project/cnn/default/latency", "project/mlp/default/latency"]);

    configured(&s, "");
    s.commit("repo", "configured");
    s.run("repo/infer", &["run", "--save-baseline"]).says(0, &["project/mlp/default/latency", "baseline: "]);
    let dirty = s.git("repo", &["status", "--porcelain", "--untracked-files=all"]);
    assert!(dirty.lines().all(|line| line.contains("baselines/")), "{dirty}");
    s.commit("repo", "baseline");

    s.copy("mlp_slow.onnx", "repo/models/mlp.onnx");
    s.run("repo/infer", &["check", "--base", "HEAD", "--pairs", "7"])
        .says(100, &["project/mlp/default/latency", "regressed"]);
}

#[test]
fn open_dimensions_are_left_to_fill_in() {
    let s = Sandbox::with_repo();
    s.copy("encoder.onnx", "repo/encoder.onnx");
    s.run("repo", &["init"]).says(0, &["created, with encoder.onnx"]);
    let text = std::fs::read_to_string(s.path("repo/trt-perf.toml")).expect("the file");
    let line = "#shapes = { \"token_ids\" = [\"batch\", ?], \"attention_mask\" = [\"batch\", ?] }\n";
    assert!(text.contains(line), "no {line:?} in\n{text}");
    s.run("repo", &["run", "--scenario", "latency"]).says(
        2,
        &[
            "trt-perf.toml, [[model]] \"encoder\"",
            "input `token_ids` has the dynamic dimension `batch`",
            "next: give its shape",
        ],
    );
    s.edit(
        "repo/trt-perf.toml",
        "#shapes = { \"token_ids\" = [\"batch\", ?], \"attention_mask\" = [\"batch\", ?]",
        "shapes = { \"token_ids\" = [\"batch\", 8], \"attention_mask\" = [\"batch\", 8]",
    );
    s.run("repo", &["run", "--scenario", "latency", "--processes", "1", "--measure", "30ms"])
        .says(0, &["project/encoder/default/latency"]);
}

#[test]
fn mistakes_name_the_file_and_the_line() {
    let s = python();
    configured(&s, "meazure = \"1s\"");
    s.run("repo", &["run"]).says(2, &["trt-perf.toml, top level, key `meazure`", "did you mean `measure`?"]);
    s.write("repo/trt-perf.toml", "processes = 2\nwarm-up = \n");
    s.run("repo", &["run"]).says(2, &["trt-perf.toml, line 2: "]);
    configured(&s, "");
    s.add_package("repo", "demo", "[package.metadata.trt-perf]\nprocesses = 2\n");
    s.run("repo", &["run"]).says(2, &["models are configured twice: in ", "next: move them into one"]);
}

#[test]
fn the_nearest_file_counts_and_a_pull_request_cannot_put_one_before_it() {
    let s = python();
    configured(&s, "");
    s.commit("repo", "configured");
    // Head's own file, nearer to where the check runs, asks for nothing.
    s.write("repo/infer/trt-perf.toml", "");
    s.run("repo/infer", &["check", "--base", "HEAD"]).says(4, &["next: "]);
}

#[test]
fn a_workspace_may_have_models_itself() {
    let s = Sandbox::new();
    s.copy("mlp.onnx", "mlp.onnx");
    s.write("Cargo.toml", format!("[workspace]\nmembers = [\"a\"]\n[workspace.metadata.trt-perf]\n{QUICK}\n[[workspace.metadata.trt-perf.model]]\nname = \"mlp\"\npath = \"mlp.onnx\"\n"));
    s.add_package("a", "a", "");
    s.run("a", &["run", "--list"]).says(0, &["project/mlp/default/latency"]);
}

#[test]
fn a_model_file_is_checked_without_any_configuration() {
    let s = python();
    s.commit("repo", "models");
    let quick = ["--pairs", "8", "--warm-up", "5ms", "--measure", "20ms", "--scenario", "latency"];
    let check = |args: &[&str]| s.run("repo/infer", &[&["check"], args, &quick].concat());
    check(&["../models/mlp.onnx", "--base", "HEAD"])
        .says(0, &["files/mlp/default/latency", "same engine in both arms"]);
    // The base's file is the base's.
    s.copy("mlp_slow.onnx", "repo/models/mlp.onnx");
    check(&["../models/mlp.onnx", "--base", "HEAD"])
        .says(100, &["files/mlp/default/latency", "Performance has regressed"]);
    check(&["../models/none.onnx", "--base", "HEAD"]).says(2, &["there is no file"]);
    let two = check(&["../models/cnn.onnx", "--head-config", "threads=2", "--shape", "image:1x3x32x32"]);
    // Whether it helps is the machine's to say.
    assert!(matches!(two.code, Some(0 | 100)) && two.out.contains("files/cnn/default/latency"), "{two}");
    assert!(two.err.contains("head: this work tree with threads=2"), "{two}");
    check(&["--base", "HEAD"]).says(4, &["next: write a trt-perf.toml"]);
}

#[test]
fn patterns_select_and_skip() {
    let s = python();
    let models = ["mlp", "cnn"]
        .map(|m| format!("[[model]]\nname = \"{m}\"\npath = \"models/{m}.onnx\"\nbatches = [1]\n"));
    s.write("repo/trt-perf.toml", models.concat());
    let list = |args: &[&str]| s.run("repo", &[&["run", "--list"], args].concat());
    list(&["*/cnn/*"]).says(0, &["project/cnn/b1/latency\nproject/cnn/b1/throughput\n"]);
    list(&["--skip", "*throughput", "--skip", "mlp"]).says(0, &["project/cnn/b1/latency\n"]);
    list(&["--skip", "*"]).says(4, &["no case of 4 matches --skip *"]);
}

#[test]
fn a_file_is_the_bases_own_by_whatever_path_it_is_named_and_a_new_one_is_new() {
    let s = python();
    s.commit("repo", "models");
    let quick =
        ["--base", "HEAD", "--pairs", "8", "--warm-up", "5ms", "--measure", "20ms", "--scenario", "latency"];
    let check = |files: &[&str]| s.run("repo", &[&["check"], files, &quick].concat());
    s.copy("mlp_slow.onnx", "repo/models/mlp.onnx");
    std::os::unix::fs::symlink(s.path("repo"), s.path("link")).expect("a link");
    let by_link = s.path("link/models/mlp.onnx").display().to_string();
    check(&[&by_link]).says(100, &["files/mlp/default/latency", "Performance has regressed"]);
    s.copy("cnn.onnx", "repo/models/new.onnx");
    check(&["models/mlp.onnx", "models/new.onnx", "--shape", "new:image:1x3x32x32"])
        .says(100, &["files/mlp/default/latency", "regressed", "files/new/default/latency", "1 new"]);
    // What lies elsewhere has no earlier state.
    s.copy("mlp.onnx", "elsewhere/mlp.onnx");
    check(&["../elsewhere/mlp.onnx"]).says(0, &["mlp.onnx lies outside of the repository", "same engine"]);
    check(&["../elsewhere/mlp.onnx", "--skip", "mlp"]).says(4, &["no case of 1 matches --skip mlp"]);
}

#[test]
fn a_cargo_manifest_is_left_alone_where_there_is_no_cargo() {
    let s = python();
    s.add_package("repo", "demo", "");
    s.commit("repo", "models");
    let quick = ["--pairs", "5", "--warm-up", "5ms", "--measure", "20ms", "--scenario", "latency"];
    let without_cargo = |args: &[&str]| {
        let mut command = s.command("repo", args);
        command.env("PATH", s.path("nothing")).env_remove("CARGO");
        crate::support::Ran::of(command)
    };
    without_cargo(&[&["check", "models/mlp.onnx", "--base", "HEAD"], &quick[..]].concat())
        .says(0, &["files/mlp/default/latency", "same engine in both arms"]);
    without_cargo(&["init"]).says(0, &["trt-perf.toml: created, with models/cnn.onnx, models/mlp.onnx"]);
    without_cargo(&["run", "--list"]).says(0, &["project/cnn/default/latency"]);
    without_cargo(&["run", "--manifest-path", "Cargo.toml"]).says(2, &["there is no cargo to read it"]);
}
