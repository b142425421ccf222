//! What a comparison comes to: the verdicts, their sentences and their exit codes.

use crate::support::{Sandbox, model, with};
use std::fs;
use std::path::PathBuf;
use trt_perf::baseline::{Store, load};
use trt_perf::record::{CaseRecord, Record};

const ID: &str = "demo/mlp/default/latency";

/// A case whose model is swapped between commits. The one has several hundred times the other's work, and there are
/// eight processes, so that noise of any other load cannot hide it; the tail is p75, for which few requests are enough.
fn swappable(first: &str) -> Sandbox {
    let s = Sandbox::package(
        &(model("mlp", "m.onnx") + "max-latency = \"10s\"\npercentile = 75\nmeasure = \"400ms\"\n"),
    );
    s.edit("Cargo.toml", "processes = 2", "processes = 8");
    s.copy(first, "m.onnx");
    s.init_git(".");
    s.commit(".", first);
    s.run(".", &["run", "--save-baseline"]).says(0, &[]);
    s
}

#[test]
fn a_slower_model_is_a_regression() {
    let s = swappable("mlp.onnx");
    let base = s.git(".", &["rev-parse", "HEAD"]);
    s.copy("mlp_slow.onnx", "m.onnx");
    let head = s.commit(".", "slower");
    let says = [
        "change:",
        "Performance has regressed: ",
        "what changed: the model",
        "the outputs are not the same as the base's",
        ", 1 commit before HEAD",
    ];
    // Nobody knows how much sessions differ here: advice, unless somebody says it.
    let ran = s.run(".", &["run", "--fail-on-regression"]);
    ran.says(0, &says).says(0, &["advisory, fails nothing", "--assume-session-sd"]);
    assert!(ran.row(ID).ends_with("regressed (advisory)"), "{ran}");
    const FAILING: [&str; 3] = ["--fail-on-regression", "--assume-session-sd", "2%"];
    let ran = s.run(".", &[&["run"], &FAILING[..]].concat());
    ran.says(100, &says).silent_on(&["advisory, fails"]);
    assert!(ran.row(ID).ends_with("regressed"), "{ran}");
    // The same from what is stored, by revision, in both directions.
    let said = &["Performance has regressed: ", "what changed: the model", &base[..12], &head[..12]];
    let ran = s.run(".", &["compare", "HEAD~1", "HEAD"]);
    ran.says(0, said);
    // It ends with the table of a check: the metric that decided, both arms, the change.
    assert!(ran.row(ID).ends_with("regressed (advisory)") && ran.out.contains(" metric "), "{ran}");
    s.run(".", &[&["compare", &base, &head[..10]], &FAILING[..]].concat()).says(100, said);
    s.run(".", &["compare", "HEAD", "HEAD~1", "--fail-on-regression"])
        .says(0, &["Performance has improved: "]);
    let (ran, messages) = s.run_json(".", &["compare", "HEAD~1", "HEAD", "--fail-on-regression"]);
    ran.says(0, &[]);
    let comparison = with(&messages, "comparison")[0];
    assert_eq!(comparison["advisory"], true);
    assert_eq!((&comparison["verdict"], &comparison["case"]), (&"regressed".into(), &ID.into()));
    let mean = &comparison["metrics"][0];
    assert_eq!((&mean["metric"], &mean["judged"]), (&"mean".into(), &true.into()), "{mean}");
    let lo = mean["change"]["lo"].as_f64().expect("a bound");
    assert!(lo > 0.01 && mean["p"].as_f64() < Some(0.05), "{mean}");
    assert_eq!(comparison["outputs_changed"], true);
    let last = s.run_json(".", &[&["run"], &FAILING[..]].concat()).1.pop().unwrap();
    assert_eq!((&last["regressed"], &last["exit_code"]), (&1.into(), &100.into()), "{last}");
    // Back again: the base is the same model.
    s.copy("mlp.onnx", "m.onnx");
    s.commit(".", "swapped back");
    let ran = s.run(".", &["run"]);
    ran.says(0, &["base: "]).silent_on(&["what changed", "the outputs are not"]);
}

#[test]
fn a_faster_model_is_an_improvement() {
    let s = swappable("mlp_slow.onnx");
    s.copy("mlp.onnx", "m.onnx");
    s.commit(".", "faster");
    let ran = s.run(".", &["run", "--fail-on-regression"]);
    ran.says(0, &["Performance has improved: ", "what changed: the model"]);
    assert!(ran.row(ID).ends_with("improved") && ran.row(ID).contains(" -"), "{ran}");
}

#[test]
fn what_answers_may_change_and_what_is_asked_may_not() {
    let s = Sandbox::package(&(model("mlp", "mlp.onnx") + "max-latency = \"50ms\"\n"));
    s.copy("mlp.onnx", "mlp.onnx");
    s.init_git(".");
    s.commit(".", "first");
    s.run(".", &["run", "--save-baseline"]).says(0, &[]);
    let not = "Not compared: another definition: ";
    for (args, says) in [
        (&["--threads", "2"][..], "what changed: threads 1 → 2"),
        (&["--config", "build.optimize=false"], "what changed: build options"),
        (&["--processes", "3", "--measure", "20ms", "--warm-up", "5ms"], ", this commit"),
        (&["--rtol", "0.5", "--time-limit", "5min"], ", this commit"),
    ] {
        s.run(".", &[&["run"], args].concat()).says(0, &["change:", says]).silent_on(&[not]);
    }
    for (args, says) in [
        (&["--max-latency", "40ms"][..], "budget changed"),
        (&["--percentile", "95"], "budget changed"),
        (&["--seed", "2"], "inputs, seed, how a program is run, or measuring protocol changed"),
    ] {
        let ran = s.run(".", &[&["run"], args].concat());
        ran.says(0, &[&format!("{not}{says}")]).silent_on(&["change:", "Performance has"]);
        assert!(ran.row(ID).ends_with("not comparable"), "{ran}");
    }
}

#[test]
fn another_shape_or_operating_point_is_another_question() {
    let s = Sandbox::package(
        &(model("half", "half.onnx")
            + "shapes = { x = [1, 16] }\nscenarios = [\"throughput\"]\nstreams = 2\n"),
    );
    s.copy("half.onnx", "half.onnx");
    s.init_git(".");
    s.commit(".", "first");
    s.run(".", &["run", "--save-baseline"]).says(0, &[]);
    s.run(".", &["run", "--shape", "x:3x16"]).says(0, &["Not compared: another definition: shapes changed"]);
    s.run(".", &["run", "--streams", "1"]).says(0, &["another definition: operating point changed"]);
    s.run(".", &["run"]).says(0, &["throughput:"]).silent_on(&["Not compared"]);
}

/// A baseline of two cases and a result of one of them.
fn two_records() -> (Sandbox, PathBuf, PathBuf) {
    let s = Sandbox::package(&(model("a", "mlp.onnx") + &model("b", "mlp.onnx")));
    s.copy("mlp.onnx", "mlp.onnx");
    s.init_git(".");
    s.commit(".", "first");
    s.run(".", &["run", "demo/a"]).says(0, &[]);
    s.run(".", &["run", "demo/b"]).says(0, &[]);
    let mut results = s.results("target");
    let second = results.pop().unwrap();
    (s, results.pop().unwrap(), second)
}

#[test]
fn records_with_nothing_in_common_do_not_compare() {
    let (s, a, b) = two_records();
    let (id_a, id_b) = (load(&a).unwrap().id, load(&b).unwrap().id);
    s.run(".", &["compare", &id_a, &id_b]).says(4, &["have no case in common", &id_a, &id_b, "next: "]);
    s.run(".", &["compare", &id_a, &id_a[..8]]).says(0, &["demo/a/default/latency", "base: ", "head: "]);
    s.run(".", &["compare", &a.display().to_string(), &id_a]).says(0, &["demo/a/default/latency"]);
    s.run(".", &["compare", &id_a, "HEAD~7"]).says(4, &["HEAD~7"]);
    s.run(".", &["compare", &id_a]).says(2, &["<HEAD>"]);
}

#[test]
fn where_no_case_compares_there_is_no_verdict_and_what_only_the_base_holds_is_said() {
    let (s, a, _) = two_records();
    let whole = load(&a).unwrap();
    let case = whole.cases.values().next().expect("a case").clone();
    let stored = |cases: &[(&str, &str)]| {
        let of = |(id, definition): &(&str, &str)| {
            let case = CaseRecord { definition_hash: (*definition).to_owned(), ..case.clone() };
            ((*id).to_owned(), case)
        };
        let mut record = Record { cases: cases.iter().map(of).collect(), ..whole.clone() };
        Store::results(s.path("records")).save(&mut record).unwrap().display().to_string()
    };
    let (base, other) = (stored(&[("demo/a/d/latency", "x"), ("demo/b/d/latency", "x")]), "y");
    let one = stored(&[("demo/a/d/latency", other), ("demo/b/d/latency", "x")]);
    let none = stored(&[("demo/a/d/latency", other)]);
    s.run(".", &["compare", &base, &one]).says(0, &["another definition"]).silent_on(&["only the base"]);
    let ran = s.run(".", &["compare", &base, &none]);
    ran.says(4, &["another definition", "only the base holds demo/b/d/latency"]);
    let (ran, messages) = s.run_json(".", &["compare", &base, &none]);
    ran.says(4, &[]);
    assert_eq!(with(&messages, "note")[0]["text"], "only the base holds demo/b/d/latency");
}

#[test]
fn records_of_two_devices_do_not_compare() {
    let (s, a, _) = two_records();
    let mut other = load(&a).unwrap();
    other.device.key = "cpu-some-other-64c".into();
    // As if that machine's record had come with the repository.
    let other = Store::new(s.path("baselines")).save(&mut other).unwrap();
    let (a, other) = (a.display().to_string(), other.display().to_string());
    for (base, head) in [(&a, &other), (&other, &a)] {
        s.run(".", &["compare", base, head])
            .says(4, &["do not compare: measured on cpu-", "cpu-some-other-64c"]);
    }
    // Nor does a run take it for its base.
    s.run(".", &["run", "demo/a"]).says(0, &["nothing to compare with: no baseline"]);
}

#[test]
fn a_soft_difference_is_advisory() {
    let s = Sandbox::committed_mlp();
    s.run(".", &["run"]).says(0, &[]);
    let mut record = load(&s.results("target")[0]).unwrap();
    record.device.soft.insert("kernel".into(), "1.2.3".into());
    let baseline = Store::new(s.path("baselines")).save(&mut record).unwrap();
    s.run(".", &["run"]).says(0, &["change:", "advisory: since the base kernel: 1.2.3 → "]);
    let result = s.results("target").pop().unwrap();
    s.run(".", &["compare", &baseline.display().to_string(), &result.display().to_string()])
        .says(0, &["change:", "advisory: between the two kernel: 1.2.3 → "]);
}

#[test]
fn strict_makes_doubt_an_exit_code() {
    let s = Sandbox::committed_mlp();
    s.run(".", &["run", "--save-baseline"]).says(0, &[]);
    // Two processes are too few to judge by; that does not pass for "no change".
    let said = &["Inconclusive: ", "processes"];
    s.run(".", &["run"]).says(0, said);
    s.run(".", &["run", "--strict"]).says(102, said);
    s.run(".", &["compare", "HEAD", "HEAD", "--strict"]).says(102, &["Inconclusive: "]);
}

#[test]
fn a_case_that_is_new_has_no_base_and_the_others_do() {
    let s = Sandbox::committed_mlp();
    s.run(".", &["run", "--save-baseline"]).says(0, &[]);
    let tables = fs::read_to_string(s.path("Cargo.toml")).unwrap() + &model("new", "mlp.onnx");
    s.write("Cargo.toml", tables);
    s.commit(".", "a new case");
    let (ran, messages) = s.run_json(".", &["run"]);
    ran.says(0, &[]);
    for case in with(&messages, "case-finished") {
        assert_eq!(case["comparison"].is_null(), case["case"] == "demo/new/default/latency", "{case}");
    }
    s.run(".", &["run", "demo/new"])
        .says(0, &["nothing to compare with: no baseline holds one of these cases yet"]);
}
