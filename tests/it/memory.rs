//! The verb `memory` and the budget `max-memory` on the `cpu` backend, whose allocations are counted: the same each time.

use crate::support::{QUICK_ARGS, Sandbox, files_below, sample, with};
use serde_json::Value;
use trt_perf::memory::wire::{MemoryEvents, MemoryRecord};

const CPU: [&str; 4] = ["--backend", "cpu", "--scenario", "latency"];

/// The memory of one model with more arguments.
fn memory(s: &Sandbox, more: &[&str]) -> Value {
    let (ran, messages) = s.run_json(".", &[&["memory"], more, &CPU].concat());
    ran.says(0, &[]);
    let found = with(&messages, "memory");
    assert_eq!(found.len(), 1, "{ran}");
    found[0].clone()
}

#[test]
fn phases_are_counted_and_kept_apart_from_what_the_process_has() {
    let s = Sandbox::committed_mlp();
    let found = memory(&s, &["--trace-build"]);
    let phases = |of: &str| -> Vec<String> {
        let all = found[of]["phases"].as_array().expect("phases");
        all.iter().map(|p| p["phase"].as_str().expect("text").to_owned()).collect()
    };
    assert_eq!(phases("build"), ["build", "end"]);
    assert_eq!(phases("run"), ["load", "context", "inference", "end"]);
    for phase in found["run"]["phases"].as_array().expect("phases") {
        let bytes = |key: &str| phase[key].as_u64().unwrap_or_else(|| panic!("{key}: {phase}"));
        assert!(bytes("traced_peak_bytes") >= bytes("traced_end_bytes"), "{phase}");
        assert_eq!(bytes("unexplained_bytes"), bytes("process_bytes") - bytes("traced_end_bytes"), "{phase}");
    }
    let plan = found["engine"]["plan_bytes"].as_u64().expect("a size");
    let peak = found["run"]["traced_peak_bytes"].as_u64().expect("a size");
    assert!(peak > plan, "the plan of {plan} bytes is in memory: {peak}");
    assert_eq!(found["judged_bytes"], peak, "on a CPU what is allocated is judged");
    let kept = files_below(&s.path("target/trt-perf/memory"));
    let events: Vec<_> = kept.iter().filter(|p| !p.ends_with("memory.json")).collect();
    assert_eq!(events.len(), 2, "{kept:?}");
    for path in events {
        let events = MemoryEvents::read(&std::fs::read_to_string(path).unwrap()).expect("events");
        assert!(events.events.is_empty() && !events.spans.is_empty(), "{events:?}");
    }
}

#[test]
fn the_same_engine_takes_the_same_memory_to_the_byte_and_another_does_not() {
    let s = Sandbox::committed_mlp();
    memory(&s, &[]);
    let kept = files_below(&s.path("target/trt-perf/memory"));
    let record = kept.iter().find(|p| p.ends_with("memory.json")).expect("a record");
    let read = MemoryRecord::read(&std::fs::read_to_string(record).unwrap()).expect("a record");
    assert!(!read.dirty && read.commit.is_some() && read.cases.contains_key("demo/mlp/default/latency"));
    let (file, folder) = (record.display().to_string(), record.parent().unwrap().display().to_string());
    for base in [&file, &folder, "HEAD"] {
        let again = memory(&s, &["--compare", base]);
        assert_eq!(again["differences"], serde_json::json!([]), "{base}: {again}");
    }
    s.copy("types.onnx", "mlp.onnx");
    for base in [&file, "HEAD"] {
        let other = memory(&s, &["--compare", base]);
        let figures: Vec<_> = other["differences"].as_array().expect("differences").clone();
        assert_eq!(figures[0]["figure"], "plan", "{base}: {other}");
        assert_ne!(figures[0]["base_bytes"], figures[0]["head_bytes"], "{base}: {other}");
    }
    let text = s.run(".", &["memory", "--compare", &file, "--backend", "cpu"]);
    text.says(0, &["plan 170.2 KiB → 848 B (-173478 bytes", "traced peak ", "base: "]);
}

#[test]
fn a_broken_budget_ends_with_100_and_is_said() {
    let s = Sandbox::committed_mlp();
    let page = ["memory", "--max-memory", "1GiB", "--html", "memory.html"];
    let kept = s.run(".", &[&page, &CPU[..]].concat());
    kept.says(0, &["within the budget: ", " of 1.00 GiB"]);
    let page = std::fs::read_to_string(s.path("memory.html")).expect("a page");
    for said in ["1 case measured", "within the budget", "Memory by phase", ">inference</text>"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let broken = s.run(".", &[&["memory", "--max-memory", "1KiB"], &CPU[..]].concat());
    broken.says(100, &["the budget is broken: it takes ", "over the budget of 1.0 KiB"]);
}

#[test]
fn a_check_fails_where_head_breaks_the_budget_that_the_base_kept() {
    let s = Sandbox::committed_mlp();
    let judged = |more: &[&str]| memory(&s, more)["judged_bytes"].as_u64().expect("a size");
    // What the library optimises takes memory while it loads.
    let [plain, optimised] = ["build.optimize=false", "build.optimize=true"];
    let (base, head) = (judged(&["--config", plain]), judged(&["--config", optimised]));
    assert!(head > base, "{head} and {base}");
    let budget = format!("max-memory={base}");
    let arms = ["--base-config", plain, "--head-config", optimised];
    // Times on a busy machine may change in either direction: not what is asked here.
    let wide = ["--margin", "99%", "--tail-margin", "99%", "--pairs", "5", "--config"];
    let page = ["check", "--html", "check.html"];
    let ran = s.run(".", &[&page, &arms[..], &wide, &[&budget], &QUICK_ARGS[2..]].concat());
    ran.says(100, &["the budget is broken: it takes ", "which the base kept with"]);
    let page = std::fs::read_to_string(s.path("check.html")).expect("a page");
    assert!(page.contains("Memory by phase") && page.contains("head most"), "{page}");
    let enough = format!("max-memory={head}");
    let ran = s.run(".", &[&["check"], &arms[..], &wide, &[&enough], &QUICK_ARGS[2..]].concat());
    ran.silent_on(&["the budget is broken"]);
    let neither = s.run(".", &[&["check"], &arms[..], &wide, &["max-memory=1"], &QUICK_ARGS[2..]].concat());
    neither
        .silent_on(&["the budget is broken"])
        .says(neither.code.unwrap_or(-1), &["the base does not keep it either"]);
}

#[test]
fn what_cannot_be_compared_is_named() {
    let s = Sandbox::committed_mlp();
    s.write("damaged.json", "{\"schema\": \"trt-perf/memory@1\"}");
    s.write("newer.json", "{\"schema\": \"trt-perf/memory@7\"}");
    for (base, code, says) in [
        ("damaged.json", 2, "damaged.json is damaged (missing field"),
        ("newer.json", 2, "newer version of this tool (memory@7"),
        ("Cargo.toml", 2, "is not readable"),
        ("no-such-revision", 2, "no-such-revision"),
    ] {
        s.run(".", &["memory", "--compare", base]).says(code, &[says]);
    }
    let model = sample("mlp.onnx").display().to_string();
    let file = s.run(".", &["memory", &model, "--compare", "HEAD"]);
    // A file outside of the repository is the same at every revision.
    file.says(0, &["to the byte"]);
}
