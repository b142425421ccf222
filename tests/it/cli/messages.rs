//! The messages of every verb: each line of the real program is as the schema of the messages says.

use crate::support::{Sandbox, model, schema, with};
use std::collections::BTreeSet;

/// A repository whose model became slower, with a stored record before and after.
fn slower() -> Sandbox {
    let s = Sandbox::committed_mlp();
    s.run(".", &["run", "--save-baseline"]).says(0, &["baseline: "]);
    s.copy("mlp_slow.onnx", "mlp.onnx");
    s.commit(".", "slower");
    s.run(".", &["run", "--save-baseline"]).says(0, &["baseline: "]);
    s.commit(".", "a record of it");
    s
}

#[test]
fn every_verb_prints_what_is_documented() {
    let s = slower();
    let records: Vec<String> = s.baselines(".").iter().map(|p| p.display().to_string()).collect();
    assert_eq!(records.len(), 2, "{records:?}");
    let mut seen = BTreeSet::new();
    for (args, last) in [
        (&["run"][..], "session-finished"),
        (&["check", "--base", "HEAD~2", "--pairs", "3"], "check-finished"),
        (&["compare", &records[0], &records[1]], "comparison"),
        (&["history", "mlp"], "history"),
        (&["baseline", "list"], "baseline-stored"),
        (&["calibrate", "--dry-run", "--sessions", "5", "--pairs", "3"], "calibration"),
        (&["build", "--print-options"], "build-options"),
        (&["build"], "build-finished"),
    ] {
        let (ran, messages) = s.run_json(".", args);
        let end = messages.last().unwrap_or_else(|| panic!("{args:?} said nothing: {ran}"));
        assert_eq!(end["reason"], last, "{ran}");
        seen.extend(messages.iter().filter_map(|m| m["reason"].as_str().map(str::to_owned)));
    }
    for reason in
        ["session-started", "stage", "engine", "process", "case-finished", "checked", "added-baseline"]
    {
        assert!(seen.contains(reason), "no {reason} among {seen:?}");
    }
}

#[test]
#[should_panic(expected = "does not know note.more")]
fn a_field_that_is_not_documented_is_noticed() {
    let schema = trt_perf::message::schema();
    let line = serde_json::json!({ "schema": "x", "reason": "note", "text": "x", "more": 1 });
    schema::check(&line, &schema, &schema, "note");
}

#[test]
#[should_panic(expected = "does not know the reason")]
fn a_reason_that_is_not_documented_is_noticed() {
    let schema = trt_perf::message::schema();
    schema::check(&serde_json::json!({ "schema": "x", "reason": "other" }), &schema, &schema, "other");
}

/// A number has one text, wherever and whenever it is read: what a run says of a case is what its record holds.
#[test]
fn what_is_said_of_a_case_is_what_its_record_tells_later() {
    let s = Sandbox::package(&model("mlp", "mlp.onnx"));
    s.copy("mlp.onnx", "mlp.onnx");
    let (ran, messages) = s.run_json(".", &["run", "--scenario", "latency", "--processes", "4"]);
    let said = with(&messages, "case-finished").pop().unwrap_or_else(|| panic!("{ran}"));
    let stored = s.record("target").cases["demo/mlp/default/latency"].clone();
    let figures = trt_perf::outcome::Figures::of(&stored);
    for (key, figure) in [
        ("mean_ns", figures.mean_ns),
        ("p50_ns", figures.p50_ns),
        ("inferences_per_s", figures.inferences_per_s),
        ("load_ns", figures.load_ns),
    ] {
        let figure = figure.expect("four processes have it").estimate();
        assert_eq!(said[key]["est"].as_f64(), Some(figure), "{key}: {said}");
    }
}
