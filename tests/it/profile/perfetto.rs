//! `export perfetto`: files that Perfetto opens, of profiles and of records.

use super::driven::SMALL;
use crate::support::{Sandbox, files_below, model};
use serde_json::Value;
use std::collections::BTreeMap;
use trt_perf::memory::wire::{MemoryEvents, PhaseSpan};
use trt_perf::memory::{MemoryAction, MemoryEvent, MemoryPhase};

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
                let key = if name.ends_with("_name") { "name" } else { "sort_index" };
                assert!(known.contains(&name.as_str()) && !event["args"][key].is_null(), "{event}");
            }
            "X" => {
                let line = lines.entry((process, event["tid"].as_u64().expect("a thread"))).or_default();
                assert!(number("ts") >= 0.0 && number("dur") >= 0.0, "{event}");
                // In whole nanoseconds, which is what they were.
                let [start, length] = ["ts", "dur"].map(|key| (number(key) * 1000.0).round() as i64);
                line.push((start, start + length, name));
            }
            "C" => {
                // A line for each number in `args`; nothing else can be drawn.
                let values = event["args"].as_object().expect("values");
                assert!(number("ts") >= 0.0 && !values.is_empty(), "{event}");
                assert!(values.values().all(|v| v.as_f64().is_some_and(|v| v >= 0.0)), "{event}");
                assert!(event.get("dur").is_none(), "{event}");
            }
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

/// The points of a counter, in the order of the file.
fn counter(text: &str, name: &str) -> Vec<(f64, f64)> {
    let trace: Value = serde_json::from_str(text).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("events").iter();
    let named = events.filter(|event| event["ph"] == "C" && event["name"] == name);
    named
        .map(|e| (e["ts"].as_f64().expect("a time"), e["args"]["value"].as_f64().expect("a value")))
        .collect()
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
    s.run(".", &["export", "perfetto", "not-there.sqlite"]).says(2, &["there is no", "not-there.sqlite"]);
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

#[test]
fn memory_is_a_timeline_of_phases_alone_and_beside_the_requests() {
    let s = Sandbox::committed_mlp();
    let cpu = ["--backend", "cpu", "--scenario", "latency"];
    let ran = s.run_json(".", &[&["run"], &cpu[..]].concat());
    let record = ran.1.last().expect("the end")["id"].as_str().expect("an id").to_owned();
    s.run(".", &[&["memory", "--trace-build"], &cpu[..]].concat()).says(0, &["events beside it"]);
    let kept = files_below(&s.path("target/trt-perf/memory"));
    let session =
        kept.iter().find(|p| p.ends_with("memory.json")).and_then(|p| p.parent()).expect("a session");
    let session = session.display().to_string();
    let phases = |text: &str| -> Vec<String> {
        let lines = check(text);
        let of = lines.into_values().filter(|names| names.iter().any(|name| name == "inference"));
        of.flatten().collect()
    };
    let alone = s.run(".", &["export", "perfetto", &session]);
    assert_eq!(
        phases(&alone.says(0, &["latency · memory, head, build"]).out),
        ["load", "context", "inference", "end"]
    );
    let process = counter(&alone.out, "process bytes");
    assert_eq!(process.len(), 6, "two phases of the build, four of loading: {process:?}");
    let both = s.run(".", &["export", "perfetto", &record]);
    both.says(0, &["memory of the same commit: ", "\"request\""]);
    assert_eq!(phases(&both.out).len(), 4, "the record has its memory");
    let without = s.run(".", &["export", "perfetto", &session, "--case", "nothing"]);
    without.says(4, &["holds nothing that has a time"]);
    s.run(".", &["export", "perfetto", "target"]).says(4, &["target holds no events of a memory run"]);
}

#[test]
fn every_call_of_an_allocator_is_a_step() {
    let s = Sandbox::new();
    let event = |at_ns, action| MemoryEvent { at_ns, phase: MemoryPhase::Load, action };
    let found = MemoryEvents {
        spans: vec![PhaseSpan { phase: MemoryPhase::Load, begin_ns: 0, end_ns: 9000, process_bytes: None }],
        events: vec![
            event(1500, MemoryAction::Allocated { address: 16, bytes: 4096 }),
            event(2000, MemoryAction::Refused { bytes: 1 << 40 }),
            event(8000, MemoryAction::Freed { address: 16 }),
        ],
        left_out: 3,
    };
    s.write("p__m__v__latency.run.json", found.write());
    let ran = s.run(".", &["export", "perfetto", "p__m__v__latency.run.json"]);
    ran.says(0, &["p/m/v/latency · memory, run", "3 later events were not kept"]);
    let names: Vec<String> = check(&ran.out).into_values().flatten().collect();
    assert_eq!(names, ["load", "refused: 1024.00 GiB"]);
    assert_eq!(counter(&ran.out, "traced bytes"), [(1.5, 4096.0), (2.0, 4096.0), (8.0, 0.0)]);
    s.write("cut.json", &found.write()[..60]);
    s.run(".", &["export", "perfetto", "cut.json"]).says(2, &["cut.json"]);
}
