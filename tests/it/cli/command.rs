//! Programs in a model's place: they time themselves, or each run is a request.

use crate::support::{Sandbox, files_below, state, wait_for};
use std::fs;
use std::process::Command;

const QUICK: &str = "processes = 2\nwarm-up = \"5ms\"\nmeasure = \"30ms\"\n";

/// A repository whose only model is a program, with the rest of its table.
pub(super) fn program(run: &str, more: &str) -> Sandbox {
    let s = Sandbox::with_repo();
    s.write("repo/trt-perf.toml", format!("{QUICK}\n[[model]]\nname = \"p\"\nrun = {run}\n{more}\n"));
    s
}

/// Prints latencies of 20 µs and a little more.
pub(super) const PRINTS: &str =
    r#"i=0; while [ $i -lt 1500 ]; do echo "20.$((i % 7))us"; i=$((i + 1)); done"#;

#[test]
fn a_program_prints_its_latencies_and_is_checked_like_a_model() {
    let s = program(r#"["sh", "infer.sh"]"#, "backend = \"command\"");
    s.write("repo/infer.sh", PRINTS);
    s.commit("repo", "first");
    s.run("repo", &["run", "--save-baseline"]).says(0, &["project/p/default/latency", "p50 20.", "p99 20."]);
    s.write("repo/infer.sh", PRINTS.replace("20.", "22."));
    s.run("repo", &["check", "--base", "HEAD", "--pairs", "8"])
        .says(100, &["project/p/default/latency", "Performance has regressed"]);
    // The very same sources are measured too: nobody knows what they call.
    s.write("repo/infer.sh", PRINTS);
    let same = s.run("repo", &["check", "--base", "HEAD", "--pairs", "5"]);
    assert!(same.code != Some(100) && same.err.contains("measuring"), "{same}");
}

#[test]
fn whole_runs_are_timed_by_us_and_have_no_tail() {
    let s =
        program(r#"["sh", "-c", "sleep 0.005; echo 5ms; echo 6ms"]"#, "whole = true\nbackend = \"command\"");
    let ran = s.run("repo", &["run"]);
    ran.says(0, &["project/p/default/latency"]);
    let records = files_below(&s.path("repo/.trt-perf/results"));
    let record = trt_perf::baseline::load(&records[0]).expect("a record");
    let case = &record.cases["project/p/default/latency"];
    assert!(case.processes.iter().all(|p| p.requests >= 5 && p.mean_ns > 5e6), "{ran}");
    s.commit("repo", "first");
    s.edit("repo/trt-perf.toml", "0.005", "0.030");
    s.run("repo", &["check", "--base", "HEAD", "--pairs", "8"]).says(100, &["Performance has regressed"]);
    // To let the program time itself is another question.
    s.edit("repo/trt-perf.toml", "whole = true", "whole = false");
    s.run("repo", &["check", "--base", "HEAD", "--pairs", "5"]).says(4, &["not comparable"]);
}

#[test]
fn what_a_program_does_wrong_is_one_row_with_its_last_words() {
    for (script, code, says) in [
        ("echo warming up", 101, "line 1 of its standard output is \\\"warming up\\\", which is no latency"),
        ("echo 0", 101, "a latency is 0 ns"),
        ("true", 101, "it left no latency"),
        ("echo no weights >&2; exit 3", 101, "`sh infer.sh` failed (exit code 3); it said: no weights"),
        ("kill -SEGV $$", 101, "was ended by signal 11"),
        ("echo no >\"$TRT_PERF_SAMPLES\"", 101, "samples.npy"),
        ("sleep 60", 101, "the worker did not finish within 2 s"),
    ] {
        let s = program(r#"["sh", "infer.sh"]"#, "time-limit = \"2s\"");
        s.write("repo/infer.sh", script);
        let ran = s.run("repo", &["run"]);
        let said = says.replace("\\\"", "\"");
        assert!(ran.code == Some(code) && ran.out.contains(&said), "{script}: {ran}");
    }
    let s = program(r#"["no-such-program"]"#, "");
    s.run("repo", &["run"])
        .says(101, &["cannot start `no-such-program`", "next: name a program on the PATH"]);
    let s = program(r#"["true"]"#, "build = [\"sh\", \"-c\", \"echo no compiler >&2; exit 1\"]");
    s.run("repo", &["run"]).says(101, &["failed (exit code 1); it said: no compiler"]);
}

#[test]
fn a_program_and_what_it_started_do_not_outlive_the_tool() {
    let s = program(r#"["sh", "infer.sh"]"#, "");
    s.write("repo/infer.sh", "sleep 300 &\necho $! >../child\necho $$ >../program\nwait\n");
    let running = s.start("repo", &["run"]);
    let pid = |name: &str| -> i32 {
        wait_for("the program", || fs::read_to_string(s.path(name)).ok()?.trim().parse().ok())
    };
    let pids = [pid("program"), pid("child")];
    running.signal("KILL");
    for pid in pids {
        wait_for("its end", || {
            state(pid).is_none_or(|(letter, _)| matches!(letter, 'Z' | 'X')).then_some(())
        });
    }
}

#[test]
fn a_table_that_makes_no_sense_is_refused() {
    for (more, says) in [
        (
            "scenarios = [\"capacity\"]\nmax-latency = \"1ms\"",
            "a program answers one request after the other",
        ),
        ("shapes = { x = [1] }", "a program has inputs and outputs of its own"),
        ("build = [1]", "key `build`"),
        ("whole = 3", "key `whole`"),
        ("path = \"model.onnx\"", "key `path`: stands beside `run`"),
    ] {
        program(r#"["true"]"#, more).run("repo", &["run"]).says(2, &[says]);
    }
    let s = Sandbox::with_repo();
    s.copy("mlp.onnx", "repo/mlp.onnx");
    s.write("repo/trt-perf.toml", "[[model]]\nname = \"m\"\npath = \"mlp.onnx\"\nbackend = \"command\"\n");
    s.run("repo", &["run"]).says(2, &["the backends command and gpu-command measure programs"]);
    program("\"true\"", "").run("repo", &["run"]).says(2, &["is meant to be a list"]);
}

#[test]
fn the_examples_in_cpp_and_python_run() {
    let s = program(r#"["./infer"]"#, "build = [\"c++\", \"-O2\", \"-o\", \"infer\", \"infer.cpp\"]");
    s.copy("../programs/infer.cpp", "repo/infer.cpp");
    s.run("repo", &["run"]).says(0, &["project/p/default/latency", "p50 "]);
    let numpy = Command::new("python3").args(["-c", "import numpy"]).output();
    if !numpy.is_ok_and(|ran| ran.status.success()) {
        eprintln!("skipped the example in Python: python3 has no numpy here");
        return;
    }
    let s = program(r#"["python3", "infer.py"]"#, "");
    s.copy("../programs/infer.py", "repo/infer.py");
    s.run("repo", &["run"]).says(0, &["project/p/default/latency", "p50 "]);
}

#[test]
fn what_a_program_allocates_is_not_ours_to_trace() {
    let s = program(r#"["true"]"#, "backend = \"command\"");
    let says = ["the program runs its requests in a process of its own", "next: leave this case out"];
    s.run("repo", &["memory"]).says(2, &says);
}

#[test]
fn tolerances_of_outputs_that_nobody_keeps_are_refused() {
    let s = program(r#"["sh", "infer.sh"]"#, "backend = \"command\"\noutputs = { rtol = 1e-2 }");
    s.write("repo/infer.sh", PRINTS);
    s.run("repo", &["run"]).says(
        2,
        &["outputs means nothing to a program, which runs its requests itself", "take `outputs` out"],
    );
}

/// As README shows it: a model on the CPU and a program in one file.
#[test]
fn a_model_and_a_program_are_measured_in_one_session() {
    let s = Sandbox::with_repo();
    s.copy("mlp.onnx", "repo/mlp.onnx");
    let model = "[[model]]\nname = \"m\"\npath = \"mlp.onnx\"\nbackend = \"cpu\"\n";
    let program = "[[model]]\nname = \"p\"\nrun = [\"sh\", \"infer.sh\"]\nbackend = \"command\"\n";
    s.write("repo/trt-perf.toml", format!("{QUICK}scenarios = [\"latency\"]\n{model}{program}"));
    s.write("repo/infer.sh", PRINTS);
    s.commit("repo", "first");
    let both = ["project/m/default/latency", "project/p/default/latency"];
    let ran = s.run("repo", &["run", "--save-baseline", "--message-format", "json"]);
    ran.says(0, &both);
    let started = ran.message("session-started");
    assert_eq!(
        (&started["backend"], &started["backend_reason"]),
        (&"cpu, command".into(), &"asked for; asked for".into())
    );
    let records = files_below(&s.path("repo/.trt-perf/results"));
    let record = trt_perf::baseline::load(&records[0]).expect("a record");
    let backends = both.map(|id| record.cases[id].engine.backend.as_str());
    assert_eq!(backends, ["cpu", "command"]);
    s.commit("repo", "baseline");
    s.run("repo", &["compare", "HEAD", "HEAD"]).says(0, &both);
    s.write("repo/infer.sh", PRINTS.replace("20.", "22."));
    s.run("repo", &["check", "--base", "HEAD", "--pairs", "8"])
        .says(100, &["project/m/default/latency", "same engine", "project/p/default/latency", "regressed"]);
    // A search is about requests side by side, which a program has not.
    s.run("repo", &["discover"])
        .says(2, &["project/p/default/throughput: a program answers one request", "--skip"]);
    let listed = s.run("repo", &["discover", "--list", "--skip", "/p/"]);
    listed.says(0, &["project/m/default/throughput"]).silent_on(&["project/p/"]);
}

#[test]
fn what_a_project_sets_for_its_models_is_not_meant_for_programs() {
    let s = Sandbox::with_repo();
    let project = "scenarios = [\"latency\", \"throughput\"]\nbatches = [1, 8]\nmax-memory = \"1KiB\"\n\
                   build = { workspace = \"1GiB\", trtexec-args = [\"--fp16\"] }\n";
    let table = "[[model]]\nname = \"p\"\nrun = [\"sh\", \"infer.sh\"]\nbackend = \"command\"\n";
    s.write("repo/trt-perf.toml", format!("{QUICK}{project}{table}"));
    s.write("repo/infer.sh", PRINTS);
    s.commit("repo", "first");
    let ran = s.run("repo", &["run", "--list"]);
    assert_eq!((ran.code, &*ran.out), (Some(0), "project/p/default/latency\n"), "{ran}");
    s.run("repo", &["run"]).says(0, &["project/p/default/latency", "p50 20."]);
    for (own, says) in [
        ("batches = [1]", "p/b1/latency: batches means nothing to a program"),
        ("max-memory = \"1GiB\"", "max-memory means nothing to a program"),
        ("cuda-graph = true", "take `cuda-graph` out of its table"),
        ("builds = 3", "builds means nothing to a program"),
        ("scenarios = [\"throughput\"]", "and has the scenario latency alone"),
        ("build = { workspace = \"1GiB\" }", "how a program is built is a command"),
    ] {
        s.write("repo/trt-perf.toml", format!("{QUICK}{project}{table}{own}\n"));
        s.run("repo", &["run"]).says(2, &[says]);
    }
    s.write("repo/trt-perf.toml", format!("{QUICK}{project}{table}"));
    s.run("repo", &["run", "--scenario", "throughput"]).says(2, &["next: leave it out with --skip"]);
    s.run("repo", &["check", "--base", "HEAD", "--cuda-graph"])
        .says(2, &["cuda-graph means nothing to a program", "next: leave the program out with --skip"]);
}
