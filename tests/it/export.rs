//! `export`: what was recorded, in the formats of other programs. `.ci/export` hands the same to their real readers.

use crate::support::{Sandbox, files_below, model};
use serde_json::Value;
use std::path::Path;
use trt_perf::baseline::load;

/// A sandbox with one record, and the record's id.
fn measured() -> (Sandbox, String) {
    let s = Sandbox::package(&model("mlp", "mlp.onnx"));
    s.copy("mlp.onnx", "mlp.onnx");
    let id = s.run_json(".", &["run"]).1.pop().expect("the end")["id"].as_str().expect("an id").to_owned();
    (s, id)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

#[test]
fn one_file_formats_go_to_standard_output_or_a_file() {
    let (s, id) = measured();
    let case = "demo/mlp/default/latency";
    let bencher = s.run(".", &["export", "bencher"]).says(0, &[]).out.clone();
    assert!(json(&bencher)[case]["latency"]["lower_value"].is_number(), "the newest result: {bencher}");
    let metrics = s.run(".", &["export", "openmetrics", &id]).says(0, &[]).out.clone();
    assert!(metrics.ends_with("# EOF\n") && metrics.contains("trt_perf_latency_seconds{"), "{metrics}");
    let csv = s.run(".", &["export", "csv", &id[..8], "--case", "mlp"]).says(0, &[]).out.clone();
    assert_eq!(csv.lines().count(), 3, "a header and two processes: {csv}");
    s.run(".", &["export", "csv", &id, "-o", "sub/t.csv"]).says(0, &["exported: sub/t.csv"]);
    let file = std::fs::read_to_string(s.path("sub/t.csv")).expect("a file");
    assert_eq!(file.lines().collect::<Vec<_>>(), csv.lines().collect::<Vec<_>>());
}

#[test]
fn folders_get_the_files_that_their_readers_look_for() {
    let (s, id) = measured();
    s.run(".", &["export", "criterion", "--baseline", "main"])
        .says(0, &["exported: 1 case as baseline main, in target/criterion", "critcmp main OTHER"]);
    let folder = s.path("target/criterion/demo__mlp__default__latency/main");
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).expect(name);
    assert_eq!(json(&text("benchmark.json"))["full_id"], "demo/mlp/default/latency");
    let estimates = json(&text("estimates.json"));
    assert!(estimates["mean"]["point_estimate"].as_f64().is_some_and(|ns| ns > 0.0), "{estimates}");
    s.run(".", &["export", "criterion", &id, "-o", "c"]).says(0, &[&format!("as baseline {}", &id[..8])]);
    s.run(".", &["export", "criterion", "--baseline", "change"]).says(2, &["critcmp skips it", "next: "]);

    s.run(".", &["export", "benchmark-action", "-o", "bench"]).says(0, &["bench/smaller-is-better.json"]);
    for name in ["smaller-is-better.json", "bigger-is-better.json"] {
        let array = json(&std::fs::read_to_string(s.path("bench").join(name)).expect(name));
        assert!(array.as_array().is_some_and(|all| !all.is_empty()), "{name}: {array}");
    }

    s.run(".", &["export", "trtexec", &id, "--output", "times"])
        .says(0, &["exported: 2 files in times", "only latencyMs"]);
    let files = files_below(&s.path("times"));
    assert_eq!(files.len(), 2, "{files:?}");
    let rows = json(&std::fs::read_to_string(&files[0]).expect("a file"));
    assert!(rows[0]["latencyMs"].as_f64().is_some_and(|ms| ms > 0.0), "{rows}");
    std::fs::remove_dir_all(s.path("target/trt-perf/samples")).expect("removed");
    s.run(".", &["export", "trtexec", &id, "-o", "t"])
        .says(4, &["no sample of record", "next: measure again"]);
}

#[test]
fn of_a_check_each_arm_has_its_samples() {
    let s = Sandbox::committed_mlp();
    let args = ["check", "--head-config", "debug-extra-work=300%", "--pairs", "3"];
    let (ran, messages) = s.run_json(".", &args);
    let records = messages.last().expect("the end")["records"].as_array().expect("records").clone();
    assert_eq!(records.len(), 2, "{ran}");
    for (at, record) in records.iter().enumerate() {
        let (record, to) = (record.as_str().expect("a path"), format!("times-{at}"));
        let trace = s.run(".", &["export", "perfetto", record]).says(0, &["\"request\""]).out.clone();
        assert!(json(&trace)["traceEvents"].is_array());
        s.run(".", &["export", "trtexec", record, "-o", &to]).says(0, &["exported: "]);
        let kept =
            load(Path::new(record)).expect("a record").cases["demo/mlp/default/latency"].processes.len();
        assert_eq!(files_below(&s.path(&to)).len(), kept, "a disturbed pair is discarded");
    }
    let first =
        |to: &str| std::fs::read(s.path(to).join("demo__mlp__default__latency/1.json")).expect("a file");
    assert_ne!(first("times-0"), first("times-1"));
}

#[test]
fn what_cannot_be_exported_is_said_with_what_can() {
    let s = Sandbox::package(&model("mlp", "mlp.onnx"));
    s.run(".", &["export", "csv"]).says(4, &["there is no result in ", "next: measure with"]);
    let (s, id) = measured();
    s.run(".", &["export", "bencher", &id, "--case", "mlpp"]).says(
        4,
        &["has no measured case that contains `mlpp`", "did you mean `mlp`?", "demo/mlp/default/latency"],
    );
    s.run(".", &["export", "bencher", "nonsense"])
        .says(4, &["`nonsense` is no record file and no record id"]);
}

#[test]
fn numbers_that_are_no_result_are_exported_with_a_warning() {
    let (s, _) = measured();
    // Loud wherever the numbers are, also where nothing but a table is.
    let words = ["run", "--config", "debug-extra-work=\"50%\"", "--quiet", "--markdown", "run.md"];
    s.run(".", &words).says(0, &["NOT A REAL RESULT: debug-extra-work (demo/mlp/default/latency"]);
    let markdown = std::fs::read_to_string(s.path("run.md")).expect("a report");
    assert!(markdown.contains("**not a real result: debug-extra-work**"), "{markdown}");
    let ran = s.run(".", &["export", "openmetrics"]);
    ran.says(0, &["warning: demo/mlp/default/latency: not a real result: debug-extra-work"]);
    let line = ran.out.lines().find(|l| l.starts_with("trt_perf_valid{")).expect("whether it is valid");
    assert!(line.ends_with(" 0"), "{line}");
}
