//! What is printed where, and with which decorations.

use crate::support::{QUICK_ARGS, Ran, Sandbox, model, with};
use std::io::{BufRead, BufReader};
use std::process::Stdio;

const ESCAPE: &str = "\u{1b}[";

fn mlp() -> Sandbox {
    let s = Sandbox::package(&model("mlp", "mlp.onnx"));
    s.copy("mlp.onnx", "mlp.onnx");
    s
}

#[test]
fn colours_are_for_terminals_or_on_demand() {
    let s = mlp();
    for (variables, coloured) in [
        (&[][..], false),
        (&[("CLICOLOR_FORCE", "1")], true),
        (&[("NO_COLOR", "1")], false),
        (&[("NO_COLOR", "1"), ("TERM", "xterm-256color")], false),
    ] {
        let mut command = s.command(".", &["run"]);
        command.envs(variables.iter().copied());
        let ran = Ran::of(command);
        ran.says(0, &["mlp"]);
        assert_eq!(ran.out.contains(ESCAPE), coloured, "{variables:?}");
        // An error too.
        let mut command = s.command(".", &["run", "-p", "none"]);
        command.envs(variables.iter().copied());
        assert_eq!(Ran::of(command).err.contains(ESCAPE), coloured, "{variables:?}");
    }
    let mut command = s.command(".", &["run", "--message-format", "json"]);
    command.env("CLICOLOR_FORCE", "1");
    Ran::of(command).silent_on(&[ESCAPE]);
}

#[test]
fn quiet_prints_only_the_table_and_verbose_every_process() {
    let s = mlp();
    let quiet = s.run(".", &["run", "--quiet"]);
    quiet.says(0, &[]);
    assert_eq!(quiet.err, "");
    let lines: Vec<&str> = quiet.out.lines().collect();
    assert_eq!(lines.len(), 2, "{quiet}");
    assert!(
        lines[0].trim_start().starts_with("case ") && lines[1].contains("demo/mlp/default/latency"),
        "{quiet}"
    );
    let plain = s.run(".", &["run"]);
    plain.says(0, &["time:"]).silent_on(&["#1 ", "engine:"]);
    let verbose = s.run(".", &["run", "--verbose"]);
    verbose.says(
        0,
        &["#1 ", "#2 ", "engine: cpu (rten ", "point:  features 1x64, batch 1, 1 stream", "from the cache, "],
    );
    assert!(!verbose.out.contains("#3 "), "{verbose}");
    // A failure is printed even so.
    s.write("mlp.onnx", "");
    s.run(".", &["run", "--quiet"]).says(101, &["build failed: ", "the file is empty"]);
}

#[test]
fn results_go_to_standard_output_and_remarks_to_standard_error() {
    let s = mlp();
    let ran = s.run(".", &["run"]);
    ran.says(0, &[]);
    for text in ["time:", "thrpt:", "verdict"] {
        assert!(ran.out.contains(text) && !ran.err.contains(text), "{text} in\n{ran}");
    }
    for text in ["1 case on", "measuring ", "record: ", "nothing to compare with"] {
        assert!(ran.err.contains(text) && !ran.out.contains(text), "{text} in\n{ran}");
    }
}

#[test]
fn json_lines_tell_the_whole_session() {
    let s =
        Sandbox::package(&(model("mlp", "mlp.onnx") + "max-latency = \"1s\"\n" + &model("bad", "bad.onnx")));
    s.copy("mlp.onnx", "mlp.onnx");
    s.copy("broken/cycle.onnx", "bad.onnx");
    let (ran, messages) = s.run_json(".", &["run"]);
    ran.says(101, &[]);
    assert_eq!(ran.err, "", "everything is in the messages");
    let reasons: Vec<&str> = messages.iter().map(|m| m["reason"].as_str().unwrap()).collect();
    assert_eq!((reasons[0], reasons[reasons.len() - 1]), ("session-started", "session-finished"));
    let count = |reason: &str| with(&messages, reason).len();
    assert_eq!(
        [count("engine"), count("process"), count("case-finished"), count("case-failed")],
        [1, 2, 1, 1],
        "{reasons:?}"
    );
    let started = &messages[0];
    assert_eq!(started["backend"], "cpu");
    assert_eq!(started["cases"], serde_json::json!(["demo/mlp/default/latency", "demo/bad/default/latency"]));
    let case = with(&messages, "case-finished")[0];
    for key in ["mean_ns", "p50_ns", "inferences_per_s", "load_ns", "first_ns", "peak_host_bytes"] {
        let part = |name: &str| case[key][name].as_f64().unwrap_or_else(|| panic!("{key}.{name}: {case}"));
        assert!(part("lo") <= part("est") && part("est") <= part("hi") && part("lo") > 0.0, "{case}");
    }
    assert_eq!((&case["budget"]["holds"], &case["budget"]["max_ns"]), (&true.into(), &1_000_000_000.into()));
    assert!(case["comparison"].is_null());
    let finished = &messages[messages.len() - 1];
    let record = trt_perf::baseline::load(finished["record"].as_str().unwrap().as_ref()).unwrap();
    assert_eq!(finished["id"], record.id);
    assert_eq!([&finished["measured"], &finished["failed"], &finished["exit_code"]], [1, 1, 101]);
}

#[test]
fn one_process_has_no_interval() {
    let s = mlp();
    s.run(".", &["run", "--processes", "1"]).says(0, &["(one process: no interval)"]);
}

#[test]
fn a_budget_is_judged() {
    let s = mlp();
    let run = |budget: &str| s.run(".", &["run", "--max-latency", budget]);
    // At the default percentile, 99, both processes together make enough requests.
    run("10s").says(0, &["budget: 99% within 10 s: "]).silent_on(&["does not hold", "MISSED"]);
    run("1ns").says(0, &["budget: 99% within 1 ns: ", "100% over"]).silent_on(&[": holds"]);
    run("0s").says(2, &["must be above zero"]);
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let s = mlp();
    for args in [&["run"][..], &["run", "--message-format", "json"], &["run", "--list"], &["run", "--help"]] {
        let mut command = s.command(".", args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert!(!first.is_empty(), "{args:?}");
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
        assert!(!said.contains("panicked"), "{args:?}: {said}");
    }
    // Nor is a standard error that nobody reads.
    let mut command = s.command(".", &["run", "--verbose"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(s.run(".", &[&["run"], &QUICK_ARGS[..]].concat()).code, Some(0));
}
