//! `export perfetto`: files that Perfetto opens, of profiles and of records.

use super::driven::SMALL;
use crate::support::{Sandbox, model};
use serde_json::Value;
use std::collections::BTreeMap;

/// Start and end in nanoseconds, and the name.
type Placed = (i64, i64, String);

/// Fails where an event has not what the Trace Event Format asks of its kind; the names of the complete ones by line.
#[track_caller]
pub fn check(text: &str) -> BTreeMap<(u64, u64), Vec<String>> {
    let trace: Value = serde_json::from_str(text).expect("JSON");
    assert!(["ms", "ns"].contains(&trace["displayTimeUnit"].as_str().expect("a unit")));
    let mut lines: BTreeMap<(u64, u64), Vec<Placed>> = BTreeMap::new();
    for event in trace["traceEvents"].as_array().expect("events") {
        let number = |key: &str| event[key].as_f64().unwrap_or_else(|| panic!("no {key} in {event}"));
        let process = event["pid"].as_u64().expect("a process");
        let name = event["name"].as_str().expect("a name").to_owned();
        match event["ph"].as_str().expect("a phase") {
            "M" => {
                let known = ["process_name", "thread_name", "process_sort_index", "thread_sort_index"];
                assert!(known.contains(&name.as_str()) && event["args"].is_object(), "{event}");
            }
            "X" => {
                let line = lines.entry((process, event["tid"].as_u64().expect("a thread"))).or_default();
                assert!(number("ts") >= 0.0 && number("dur") >= 0.0, "{event}");
                // In whole nanoseconds, which is what they were.
                let [start, length] = ["ts", "dur"].map(|key| (number(key) * 1000.0).round() as i64);
                line.push((start, start + length, name));
            }
            "C" => assert!(number("ts") >= 0.0 && event["args"].is_object(), "{event}"),
            other => panic!("a phase {other:?} that nothing writes"),
        }
    }
    for spans in lines.values() {
        let apart = |a: &Placed, b: &Placed| {
            a.1 <= b.0 || b.1 <= a.0 || (a.0 <= b.0 && b.1 <= a.1) || (b.0 <= a.0 && a.1 <= b.1)
        };
        for (i, a) in spans.iter().enumerate() {
            assert!(spans[i + 1..].iter().all(|b| apart(a, b)), "{a:?} crosses another");
        }
    }
    lines.into_iter().map(|(line, spans)| (line, spans.into_iter().map(|s| s.2).collect())).collect()
}

#[test]
fn a_profile_is_a_timeline() {
    let s = Sandbox::new();
    s.write("report.sqlite", SMALL);
    let args = ["export", "perfetto", "report.sqlite", "--output", "t.json"];
    s.run(".", &args).says(0, &["timeline: t.json", "ui.perfetto.dev"]);
    let lines = check(&std::fs::read_to_string(s.path("t.json")).expect("a file"));
    let names: Vec<&String> = lines.values().flatten().collect();
    for name in ["/fc1/Gemm", "request", "gemm", "copy to the GPU"] {
        assert!(names.iter().any(|n| *n == name), "no {name} in {names:?}");
    }
    // Without a file it goes to standard output, and nothing else does.
    let ran = s.run(".", &args[..3]);
    check(&ran.says(0, &[]).out);
    s.run(".", &["export", "perfetto", "not-there.sqlite"]).says(101, &["not-there.sqlite"]);
}

#[test]
fn a_record_is_a_timeline_of_loading_and_requests() {
    let s = Sandbox::package(&model("mlp", "mlp.onnx"));
    s.copy("mlp.onnx", "mlp.onnx");
    let record =
        s.run_json(".", &["run"]).1.pop().expect("the end")["id"].as_str().expect("an id").to_owned();
    let ran = s.run(".", &["export", "perfetto", &record, "--case", "mlp"]);
    let lines = check(&ran.says(0, &[]).out);
    let phases = lines.values().filter(|names| **names == ["load", "first request"]).count();
    assert_eq!(phases, 2, "one for each process");
    let requests = lines.values().filter(|names| names.iter().all(|name| name == "request"));
    assert!(requests.clone().count() == 2 && requests.clone().all(|names| names.len() >= 10), "{lines:?}");
    std::fs::remove_dir_all(s.path("target/trt-perf/samples")).expect("removed");
    let ran = s.run(".", &["export", "perfetto", &record]);
    ran.says(0, &["the samples of this session are not kept here"]);
    assert!(!check(&ran.out).values().flatten().any(|name| name == "request"));
    s.run(".", &["export", "perfetto", &record, "--case", "other"])
        .says(4, &["holds nothing that has a time"]);
}
