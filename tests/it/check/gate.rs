//! The gate, end to end: the real program, real models, two commits.

mod outputs;

use crate::support::{Ran, Running, Sandbox, model};
use std::process::Command;

/// An improvement needs a tail that is judged. The slow model has few requests in so short a time: enough for p50.
const WITH_TAIL: [&str; 8] =
    ["--pairs", "8", "--max-latency", "10s", "--percentile", "50", "--measure", "400ms"];

/// A project with one small model in a repository with one commit.
struct Gate(Sandbox);

const SETTINGS: &str = "processes = 2\nwarm-up = \"5ms\"\nmeasure = \"30ms\"\nscenarios = [\"latency\"]\n";

impl Gate {
    fn new() -> Self {
        let gate = Self(Sandbox::with_repo());
        gate.0.write("repo/.gitignore", "/target\n/Cargo.lock\n");
        gate.0.write("repo/src/lib.rs", "");
        gate.model("mlp.onnx");
        gate.manifest("", "small");
        gate.0.commit("repo", "first");
        gate
    }

    fn model(&self, name: &str) {
        self.0.copy(name, "repo/model.onnx");
    }

    fn manifest(&self, extra: &str, model: &str) {
        let text = format!(
            "[package]\nname = \"shop\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[package.metadata.trt-perf]\n{SETTINGS}{extra}\n\
             [[package.metadata.trt-perf.model]]\nname = \"{model}\"\npath = \"model.onnx\"\n"
        );
        self.0.write("repo/Cargo.toml", text);
    }

    fn command(&self, args: &[&str]) -> Command {
        self.0.command("repo", args)
    }

    fn check(&self, args: &[&str]) -> (i32, String) {
        self.said(self.command(&[&["check"], args].concat()))
    }

    fn said(&self, command: Command) -> (i32, String) {
        let ran = Ran::of(command);
        (ran.code.unwrap_or(-1), ran.out + &ran.err)
    }
}

#[test]
fn an_unchanged_engine_is_not_measured() {
    let gate = Gate::new();
    gate.0.write("repo/src/lib.rs", "// a change that is no model\n");
    gate.0.commit("repo", "second");
    let (code, text) = gate.check(&[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("same engine, not measured") && text.contains("1 commit before HEAD"), "{text}");
    assert!(!gate.0.path("repo/target/trt-perf/samples").exists(), "nothing was measured");
}

#[test]
fn a_much_slower_model_fails_the_gate_after_confirmation_and_the_way_back_does_not() {
    let gate = Gate::new();
    gate.model("mlp_slow.onnx");
    gate.0.commit("repo", "slower");
    let (code, text) = gate.check(&["--pairs", "5"]);
    assert_eq!(code, 100, "{text}");
    assert!(
        text.contains("regressed") && text.contains("confirmed") && text.contains("what changed: the model"),
        "{text}"
    );
    let apart = "the outputs are not the same as the base's; they differ most in element";
    assert!(text.contains(apart) && text.contains("of `scores`: "), "{text}");
    gate.model("mlp.onnx");
    gate.0.commit("repo", "back");
    let (code, text) = gate.check(&["--pairs", "5"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("Inconclusive: p99: needs 8 pairs, has 5 (`check --pairs 8`"), "{text}");
    let (code, text) = gate.check(&WITH_TAIL);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("Performance has improved") && text.contains(", confirmed"), "{text}");
}

#[test]
fn the_work_tree_is_checked_as_it_is_and_stays_as_it_is() {
    let gate = Gate::new();
    gate.model("mlp_slow.onnx");
    let (code, text) = gate.check(&["--pairs", "5"]);
    assert_eq!(code, 100, "{text}");
    assert!(text.contains("what the work tree was changed from"), "{text}");
    assert_eq!(gate.0.git("repo", &["status", "--short"]), " M model.onnx", "git's own view is untouched");
}

#[test]
fn settings_of_one_arm_are_compared_on_the_same_sources_and_extra_work_is_named_loudly() {
    let gate = Gate::new();
    let report = gate.0.path("report.md");
    let args = [
        "--pairs",
        "5",
        "--head-config",
        "debug-extra-work=300%",
        "--markdown",
        report.to_str().expect("UTF-8"),
    ];
    let (code, text) = gate.check(&args);
    assert_eq!(code, 100, "{text}");
    assert!(text.contains("not a real result"), "{text}");
    let markdown = std::fs::read_to_string(report).expect("a report");
    assert!(
        markdown.contains("1 regressed") && markdown.contains("**not a real result: debug-extra-work**"),
        "{markdown}"
    );
}

#[test]
fn an_experiment_with_settings_is_no_result_of_the_commit() {
    let gate = Gate::new();
    let page = gate.0.path("page.html");
    let args = ["--pairs", "3", "--head-config", "build.optimize=false", "--html"];
    let (code, text) = gate.check(&[&args[..], &[page.to_str().expect("UTF-8")]].concat());
    assert!(code == 0 || code == 100, "{text}");
    let page = std::fs::read_to_string(page).expect("a page");
    assert!(page.contains("base median") && page.contains("head median"), "{page}");
    gate.0.run("repo", &["export", "csv"]).says(0, &["shop/small/default/latency"]);
    for args in [&["baseline", "save"][..], &["compare", "HEAD", "HEAD"], &["report", "HEAD", "-o", "p.html"]]
    {
        gate.0.run("repo", args).says(4, &["of HEAD"]);
    }
    gate.0.run("repo", &["history", "small"]).says(4, &[]);
    gate.0.run("repo", &["run", "--quiet"]).says(0, &[]);
    gate.0.run("repo", &["history", "small", "--message-format", "json"]).says(0, &["\"commit\""]);
    gate.0.run("repo", &["compare", "HEAD", "HEAD"]).says(0, &[]);
}

#[test]
fn two_engine_files_are_compared_as_they_are() {
    let gate = Gate::new();
    let engine = |model: &str| {
        gate.model(model);
        let (code, text) = gate.said(gate.command(&["run", "--processes", "1", "--message-format", "json"]));
        assert_eq!(code, 0, "{text}");
        let line = text.lines().find(|l| l.contains("\"reason\":\"engine\"")).expect("an engine");
        let message: serde_json::Value = serde_json::from_str(line).expect("JSON");
        message["engine"].as_str().expect("a path").to_owned()
    };
    let (slow, fast) = (engine("mlp_slow.onnx"), engine("mlp.onnx"));
    let quick = [&WITH_TAIL[..], &["--warm-up", "5ms", "--scenario", "latency"]].concat();
    let (code, text) = gate.check(&[&["--base-engine", &slow, "--head-engine", &fast], &quick[..]].concat());
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("improved"), "{text}");
    let (code, text) = gate.check(&[&["--base-engine", &fast, "--head-engine", &slow], &quick[..]].concat());
    assert_eq!(code, 100, "{text}");
    let (code, text) = gate.check(&[&["--base-engine", &fast, "--head-engine", &fast], &quick[..]].concat());
    assert_eq!((code, text.contains("same engine")), (0, true), "{text}");
    // Its header says which backend to use, so it is read, and refused, before anything starts.
    let (code, text) = gate.check(&["--base-engine", &fast, "--head-engine", "model.onnx"]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("is not an engine file"), "{text}");
}

#[test]
fn a_new_case_is_said_and_does_not_fail_and_a_renamed_one_is_gone() {
    let gate = Gate::new();
    let second = "\n[[package.metadata.trt-perf.model]]\nname = \"second\"\npath = \"model.onnx\"\n";
    let text = std::fs::read_to_string(gate.0.path("repo/Cargo.toml")).expect("a manifest");
    gate.0.write("repo/Cargo.toml", text + second);
    gate.0.commit("repo", "one more");
    let (code, text) = gate.check(&[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("the base has no such case") && text.contains("1 new"), "{text}");
    gate.manifest("", "renamed");
    gate.0.commit("repo", "renamed");
    let (code, text) = gate.check(&["--base", "HEAD~2"]);
    assert_eq!(code, 4, "{text}");
    assert!(
        text.contains("the base has no such case")
            && text.contains("shop/small/default/latency: removed: only the base has it")
            && text.contains("is it shop/renamed/default/latency now?"),
        "{text}"
    );
}

#[test]
fn a_base_that_does_not_build_falls_back_to_stored_numbers_or_fails() {
    let gate = Gate::new();
    gate.0.write("repo/model.onnx", "this is no model");
    gate.0.commit("repo", "broken");
    gate.model("mlp.onnx");
    gate.0.commit("repo", "mended");
    let (code, text) = gate.check(&[]);
    assert_eq!(code, 4, "never a silent pass: {text}");
    assert!(text.contains("no base") && text.contains("the base's model.onnx is not"), "{text}");
    let (code, text) = gate.check(&["--on-missing", "warn"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = gate.check(&["--on-missing", "measure", "--message-format", "json"]);
    assert_eq!(code, 0, "{text}");
    let finished: serde_json::Value =
        serde_json::from_str(text.lines().rfind(|l| l.contains("check-finished")).expect("a last message"))
            .expect("JSON");
    assert_eq!(finished["records"].as_array().map(Vec::len), Some(1), "head was measured and recorded");
}

#[test]
fn stored_numbers_of_the_base_are_advice() {
    let gate = Gate::new();
    let (code, text) = gate.said(gate.command(&["run", "--save-baseline", "--processes", "3"]));
    assert_eq!(code, 0, "{text}");
    gate.0.write("repo/model.onnx", "this is no model");
    gate.0.commit("repo", "baseline, and a model that broke");
    gate.model("mlp_slow.onnx");
    gate.0.commit("repo", "mended, and slower");
    let (code, text) = gate.check(&["--base", "HEAD~1"]);
    assert_eq!(code, 4, "advice never fails the gate as a regression, nor is it a pass: {text}");
    assert!(text.contains("advisory, against stored numbers"), "{text}");
    let (code, text) = gate.check(&["--base", "HEAD~1", "--on-missing", "warn"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("advisory, against stored numbers"), "{text}");
    assert!(!text.contains("say --on-missing warn") && text.contains("say --on-missing measure"), "{text}");
}

#[test]
fn prepare_runs_in_both_trees() {
    let gate = Gate::new();
    // The model is not committed: each tree makes it.
    std::fs::rename(gate.0.path("repo/model.onnx"), gate.0.path("repo/seed.bin")).expect("a move");
    gate.0.write("repo/.gitignore", "/target\n/Cargo.lock\n/model.onnx\n");
    gate.manifest("prepare = [\"cp\", \"seed.bin\", \"model.onnx\"]\n", "small");
    gate.0.commit("repo", "export instead of commit");
    gate.0.write("repo/src/lib.rs", "// other\n");
    gate.0.commit("repo", "next");
    let (code, text) = gate.check(&[]);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains("preparing head") && text.contains("preparing base") && text.contains("same engine"),
        "{text}"
    );
    gate.manifest("prepare = [\"false\"]\n", "small");
    let (code, text) = gate.check(&[]);
    assert_eq!(code, 101, "{text}");
    assert!(text.contains("prepare command of head"), "{text}");
    assert!(text.contains("next: run it by hand in "), "{text}");
    // What only the checkout has; and where the base's tree lies is gone when somebody reads this.
    gate.0.write("repo/.gitignore", "/target\n/Cargo.lock\n/model.onnx\n/tool.sh\n");
    gate.0.write("repo/tool.sh", "cp seed.bin model.onnx\n");
    gate.manifest("prepare = [\"sh\", \"tool.sh\"]\n", "small");
    gate.0.commit("repo", "a tool that is not committed");
    let (code, text) = gate.check(&["--base", "HEAD"]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("prepare command of base (sh tool.sh) failed"), "{text}");
    assert!(text.contains("failed: exit status: 2, in a tree of only what git holds"), "{text}");
}

#[test]
fn prepare_waits_for_a_session_that_may_measure_what_it_writes() {
    let gate = Gate::new();
    gate.manifest("prepare = [\"touch\", \"prepared\"]\n", "small");
    gate.0.write("repo/target/trt-perf/lock", "");
    let lock = std::fs::File::open(gate.0.path("repo/target/trt-perf/lock")).expect("a file");
    lock.lock().expect("a lock");
    let mut running = Running::start(gate.command(&["check", "--base", "HEAD"]));
    running.err_until("waiting: another session is measuring in ");
    let prepared = gate.0.path("repo/prepared");
    assert!(!prepared.exists());
    drop(lock);
    running.finish().says(0, &["same engine"]);
    assert!(prepared.exists());
}

#[test]
fn in_github_actions_the_summary_and_annotations_appear() {
    let gate = Gate::new();
    let base = gate.0.git("repo", &["rev-parse", "HEAD"]);
    gate.0.git("repo", &["checkout", "--quiet", "-b", "topic"]);
    gate.model("mlp_slow.onnx");
    let head = gate.0.commit("repo", "slower");
    let payload = serde_json::json!({ "pull_request": { "base": { "sha": base }, "head": { "sha": head } } });
    gate.0.write("event.json", payload.to_string());
    gate.0.write("summary.md", "before\n");
    let mut command = gate.command(&["check", "--pairs", "5"]);
    command.envs([("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "pull_request")]);
    command
        .env("GITHUB_EVENT_PATH", gate.0.path("event.json"))
        .env("GITHUB_STEP_SUMMARY", gate.0.path("summary.md"));
    let (code, text) = gate.said(command);
    assert_eq!(code, 100, "{text}");
    assert!(text.contains("merge base with the pull request's target"), "{text}");
    assert!(text.contains("::error file=Cargo.toml,title=shop/small/default/latency::regressed"), "{text}");
    let summary = std::fs::read_to_string(gate.0.path("summary.md")).expect("a summary");
    assert!(summary.starts_with("before\n## Inference performance: 1 regressed"), "{summary}");
}

#[test]
fn annotations_name_files_as_the_repository_has_them_and_a_summary_that_cannot_be_written_is_said() {
    let s = Sandbox::new();
    s.add_package(
        "sub/shop",
        "shop",
        &format!("[workspace]\n[package.metadata.trt-perf]\n{}", model("mlp", "m.onnx")),
    );
    s.copy("mlp.onnx", "sub/shop/m.onnx");
    s.init_git(".");
    s.commit(".", "first");
    s.write("sub/shop/m.onnx", "this is no model");
    let mut command = s.command("sub/shop", &["check", "--base", "HEAD"]);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", s.path("not/there.md"));
    let ran = Ran::of(command);
    ran.says(101, &["::error file=sub/shop/Cargo.toml,title=shop/mlp/", "note: the summary is not in "]);
}

#[test]
fn nonsense_is_refused_before_anything_is_measured() {
    let gate = Gate::new();
    let (code, text) = gate.check(&[]);
    assert_eq!(code, 4, "a first commit has nothing before it: {text}");
    gate.0.commit("repo", "second");
    for (args, code, says) in [
        (&["--alpha", "0.2"][..], 2, "use --alpha 0.05 or 0.01"),
        (&["--pairs", "1"], 2, "at least 3"),
        (&["--base", "nowhere"], 2, "nowhere"),
        (&["--head-config", "thraeds=2"], 2, "did you mean `threads`"),
        (&["nothing-like-it"], 4, "no case"),
    ] {
        let (got, text) = gate.check(args);
        assert_eq!(got, code, "{args:?}: {text}");
        assert!(text.contains(says), "{args:?}: {text}");
    }
}

#[test]
fn time_that_does_not_suffice_for_three_pairs_decides_nothing() {
    let gate = Gate::new();
    gate.model("mlp_slow.onnx");
    gate.0.commit("repo", "slower");
    let (code, text) = gate.check(&["--max-time", "1ms", "--strict"]);
    assert_eq!(code, 102, "{text}");
    assert!(text.contains("time ran out (--max-time): 1 of 5 pairs"), "{text}");
}

#[test]
fn a_pair_that_lacks_requests_is_left_out_and_where_all_do_the_tail_is_not_judged() {
    let gate = Gate::new();
    gate.manifest("", "small");
    let args =
        ["--head-config", "build.optimize=false", "--pairs", "8", "--measure", "1ms", "--time-limit", "5s"];
    let (code, text) = gate.check(&args);
    assert_eq!(code, 0, "{text}");
    assert!(
        text.contains(": pair 1 is discarded: base's process has ") && text.contains("p99 needs 1000"),
        "{text}"
    );
    assert!(
        text.contains("so many pairs lack requests that they count, and the tail is not judged"),
        "{text}"
    );
    assert!(!text.contains("No change"), "{text}");
}

#[test]
fn several_changes_are_confirmed_together() {
    let gate = Gate::new();
    let model = |name: &str| {
        format!("\n[[package.metadata.trt-perf.model]]\nname = \"{name}\"\npath = \"model.onnx\"\n")
    };
    gate.manifest(&(model("one") + &model("two")), "small");
    gate.0.commit("repo", "three cases");
    gate.model("mlp_slow.onnx");
    gate.0.commit("repo", "slower");
    let (code, text) = gate.check(&["--max-latency", "10s", "--percentile", "50"]);
    assert_eq!(code, 100, "{text}");
    assert_eq!(text.matches("regressed; measuring ").count(), 3, "{text}");
    assert!(text.contains("3 regressed") && text.contains(", confirmed"), "{text}");
}

#[test]
fn a_look_that_does_not_decide_says_how_many_pairs_there_can_be() {
    let gate = Gate::new();
    // Another engine that is as good as equally fast: its tail is looked at after eight pairs, not after five.
    let args = ["--head-config", "debug-extra-work=0.1%", "--max-latency", "10s", "--percentile", "50"];
    let (code, text) = gate.check(&args);
    assert!([0, 100].contains(&code), "{text}");
    assert!(text.contains("not decided after 5 of at most 20 pairs"), "{text}");
}
