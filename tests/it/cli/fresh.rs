//! Fresh repositories, from `init` to a check that fails: a C++ project, a Cargo workspace. One of Python is in `own_file`.

use crate::support::{QUICK, Sandbox};
use std::process::Command;

#[test]
fn a_cpp_project_goes_from_init_to_a_check_that_fails() {
    if Command::new("c++").arg("--version").output().is_err() {
        eprintln!("skipped: there is no c++ here");
        return;
    }
    let s = Sandbox::with_repo();
    s.copy("../programs/infer.cpp", "repo/src/infer.cpp");
    s.write("repo/.gitignore", "/build\n");
    s.write("repo/build.sh", "mkdir -p build && c++ -O1 -o build/infer src/infer.cpp\n");
    s.run("repo/src", &["init"]).says(0, &["trt-perf.toml: created, with an example of a model"]);
    s.run("repo", &["run"])
        .says(4, &["no model is configured", "next: write a first table", "fill in its [[model]]"]);

    // What `init` says of programs, filled in.
    let config = "repo/trt-perf.toml";
    s.edit(config, "#[[model]]\n#name = \"pipeline\"\n", "[[model]]\nname = \"pipeline\"\n");
    s.edit(config, "#run = [\"python3\", \"infer.py\"]", "run = [\"build/infer\"]");
    s.edit(config, "#build = [\"make\"]", "build = [\"sh\", \"build.sh\"]");
    s.edit(config, "#warm-up = \"200ms\"", "warm-up = \"10ms\"");
    s.edit(config, "#measure = \"1s\"", "measure = \"50ms\"");
    s.edit(config, "#processes = 8", "processes = 2");
    s.commit("repo", "configured");
    s.run("repo/src", &["run", "--save-baseline"])
        .says(0, &["project/pipeline/default/latency", "p50 ", "baseline: "]);
    s.commit("repo", "baseline");

    // Sixteen times the work.
    s.edit("repo/src/infer.cpp", "1 << 14", "1 << 18");
    s.commit("repo", "slower");
    s.run("repo/src", &["check", "--pairs", "7"]).says(
        100,
        &["project/pipeline/default/latency", "Performance has regressed", "2 commits before HEAD"],
    );
    assert_eq!(s.git("repo", &["status", "--porcelain", "--untracked-files=all"]), "");
}

#[test]
fn a_workspace_of_two_packages_goes_from_init_to_a_check_that_fails() {
    let s = Sandbox::with_repo();
    let mine = "[[workspace.metadata.trt-perf.model]]\nname = \"shared\"\npath = \"models/shared.onnx\"\n";
    let members = "[workspace]\nresolver = \"3\"\nmembers = [\"text\", \"vision\"]\n";
    s.write("repo/Cargo.toml", format!("{members}\n[workspace.metadata.trt-perf]\n{QUICK}\n{mine}"));
    s.copy("mlp.onnx", "repo/models/shared.onnx");
    for package in ["text", "vision"] {
        s.add_package(&format!("repo/{package}"), package, "");
        s.copy("mlp.onnx", &format!("repo/{package}/net.onnx"));
    }
    for package in ["text", "vision"] {
        s.run(&format!("repo/{package}"), &["init"])
            .says(0, &["Cargo.toml: added [package.metadata.trt-perf], with net.onnx"]);
    }
    let cases = ["project/shared", "text/net", "vision/net"].map(|case| format!("{case}/default/latency"));
    s.run("repo/vision", &["run", "--list"]).says(0, &cases.each_ref().map(String::as_str));
    s.commit("repo", "configured");
    s.run("repo", &["run", "--save-baseline"]).says(0, &["baseline: "]);
    s.commit("repo", "baseline");

    s.copy("mlp_slow.onnx", "repo/vision/net.onnx");
    s.commit("repo", "slower");
    let check = s.run("repo/text", &["check", "--pairs", "7"]);
    check.says(100, &["1 regressed", "2 unchanged", "Performance has regressed"]);
    for case in &cases[..2] {
        assert!(check.row(case).contains("same engine, not measured"), "{check}");
    }
    assert!(check.row(&cases[2]).contains("regressed"), "{check}");
    assert_eq!(s.git("repo", &["status", "--porcelain", "--untracked-files=all"]), "");
}
