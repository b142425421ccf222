//! `calibrate` end to end: what it stores, what it refuses, and that check, run and doctor use what it stored.
//! Durations are tiny and no time or verdict is asserted: what is tested is what is kept and said.

use crate::support::{Ran, Sandbox, model, sample, wait_for};
use serde_json::Value;
use std::io::BufRead;
use std::path::PathBuf;

const SHORT: [&str; 4] = ["--measure", "20ms", "--warm-up", "5ms"];
const FEW: [&str; 4] = ["--sessions", "5", "--pairs", "3"];

/// A Cargo project with one model, in a repository with one commit.
fn project() -> Sandbox {
    let s = Sandbox::new();
    s.add_package(".", "demo", &(model("mlp", "mlp.onnx") + "scenarios = [\"latency\"]\n"));
    s.copy("mlp.onnx", "mlp.onnx");
    s.init_git(".");
    s.commit(".", "first");
    s
}

fn run(s: &Sandbox, args: &[&str]) -> Ran {
    s.run(".", args)
}

/// The one stored calibration.
fn stored(s: &Sandbox) -> Option<PathBuf> {
    let devices = std::fs::read_dir(s.path("baselines")).ok()?;
    let mut files = devices.map(|d| d.unwrap().path().join("calibration.json")).filter(|p| p.is_file());
    let first = files.next();
    assert_eq!(files.next(), None);
    first
}

fn args<'a>(verb: &'a str, lists: &[&[&'a str]]) -> Vec<&'a str> {
    std::iter::once(verb).chain(lists.concat()).collect()
}

#[test]
fn a_calibration_is_stored_and_used_by_check_run_and_doctor() {
    let sandbox = project();
    run(&sandbox, &["doctor"]).says(0, &["not yet"]);
    run(&sandbox, &args("calibrate", &[&SHORT, &FEW]))
        .says(0, &["5 sessions, 15 pairs", "false verdicts", "calibration.json (commit it"]);
    let text = std::fs::read_to_string(stored(&sandbox).unwrap()).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(file["schema"], "trt-perf/calibration@1");
    let case = &file["cases"]["demo/mlp/default/latency"];
    assert_eq!((case["sessions"].as_u64(), case["pairs"].as_u64()), (Some(5), Some(15)));
    assert_eq!(case["metrics"]["mean"]["pair"]["df"], 10.0);

    run(&sandbox, &["doctor"]).says(0, &["calibrated "]);
    let listed = run(&sandbox, &["baseline", "list"]);
    listed.says(0, &[]);
    assert_eq!(listed.out, "", "a calibration is no record");
    run(&sandbox, &["baseline", "prune", "--keep", "0"]).says(0, &[]);
    sandbox.commit(".", "calibrated");

    let processes = ["--processes", "3"];
    run(&sandbox, &args("run", &[&SHORT, &processes, &["--save-baseline"]])).says(0, &[]);
    let again = run(&sandbox, &args("run", &[&SHORT, &processes]));
    again.says(0, &[]);
    let line = again.out.lines().find(|l| l.contains("sessions differ by")).unwrap_or_default();
    assert!(line.contains("(calibrated 2"), "{}", again.out);
    let compared = run(&sandbox, &["compare", "HEAD", "HEAD"]);
    compared.says(0, &[]);
    assert!(compared.out.contains("(calibrated 2"), "{}", compared.out);

    let settings = ["--head-config", "build.prepack-weights=false", "--pairs", "3"];
    let checked = run(&sandbox, &args("check", &[&SHORT, &settings]));
    let code = checked.code.filter(|code| matches!(code, 0 | 100)).unwrap_or_else(|| panic!("{checked}"));
    checked.says(code, &["(calibrated 2"]);

    run(&sandbox, &args("calibrate", &[&SHORT, &FEW, &["mlp"]]))
        .says(0, &["this replaces the calibration of"]);
    assert_ne!(std::fs::read_to_string(stored(&sandbox).unwrap()).unwrap(), text);
}

#[test]
fn a_calibration_of_some_cases_keeps_what_is_known_of_the_others() {
    let s = Sandbox::new();
    s.add_package(".", "demo", &(model("a", "mlp.onnx") + &model("b", "mlp.onnx")));
    s.copy("mlp.onnx", "mlp.onnx");
    s.init_git(".");
    s.commit(".", "first");
    let cases = || -> Value {
        let text = std::fs::read_to_string(stored(&s).unwrap()).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()["cases"].take()
    };
    let words = |more: &[&'static str]| args("calibrate", &[&SHORT, &FEW, &["--scenario", "latency"], more]);
    run(&s, &words(&["demo/a"])).says(0, &[]);
    let first = cases()["demo/a/default/latency"].take();
    let kept = run(&s, &words(&["demo/b"]));
    kept.says(0, &["of the calibration of 20", "this keeps demo/a/default/latency"]);
    assert!(!kept.out.contains("demo/a/default"), "what was not measured now is not shown: {kept}");
    let mut both = cases();
    let created = both["demo/a/default/latency"]["created"].take();
    assert!(created.as_str().is_some_and(|t| t.starts_with("20")), "an older case says when: {both}");
    both["demo/a/default/latency"].as_object_mut().unwrap().remove("created");
    assert_eq!(both["demo/a/default/latency"], first);
    assert!(both["demo/b/default/latency"]["created"].is_null());
    // The message goes by the id of the file. A scenario is a part of the cases, too.
    let json = run(&s, &words(&["demo/b", "--message-format", "json"]));
    let text = std::fs::read_to_string(stored(&s).unwrap()).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json.message("calibration")["id"], file["id"], "{json}");
    run(&s, &args("calibrate", &[&SHORT, &FEW, &["--scenario", "throughput"]]))
        .says(0, &["this keeps demo/a/default/latency, demo/b/default/latency"]);
    // All that is configured is measured: what is no longer there goes.
    s.edit("Cargo.toml", "name = \"a\"", "name = \"c\"");
    run(&s, &words(&[])).says(0, &["this keeps demo/b/default/throughput, and not demo/a/default/latency"]);
    assert!(cases()["demo/a/default/latency"].is_null() && cases()["demo/c/default/latency"].is_object());
}

#[test]
fn without_a_calibration_the_difference_between_sessions_is_said_to_be_assumed() {
    let sandbox = project();
    let processes = ["--processes", "3"];
    run(&sandbox, &args("run", &[&SHORT, &processes, &["--save-baseline"]])).says(0, &[]);
    run(&sandbox, &args("run", &[&SHORT, &processes])).says(0, &["sessions differ by an assumed 2.0%"]);
}

#[test]
fn a_dry_run_stores_nothing_and_json_says_everything() {
    let sandbox = Sandbox::new();
    let model = sample("mlp.onnx");
    let lists: [&[&str]; 4] =
        [&SHORT, &FEW, &["--dry-run", "--message-format", "json"], &[model.to_str().unwrap()]];
    let ran = run(&sandbox, &args("calibrate", &lists));
    ran.says(0, &[]);
    assert!(!sandbox.path("baselines").exists());
    let lines: Vec<Value> = ran.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let last = lines.last().unwrap();
    assert_eq!((&last["schema"], &last["reason"]), (&"trt-perf/message@1".into(), &"calibration".into()));
    assert_eq!((&last["path"], &last["exit_code"], &last["sessions"]), (&Value::Null, &0.into(), &5.into()));
    let case = &last["cases"]["files/mlp/default/latency"];
    assert_eq!(case["metrics"]["p50"]["false_verdicts"]["of"], 5);
    assert!(case["advice"].as_array().is_some_and(|a| a.len() >= 3), "{case}");
}

#[test]
fn what_would_be_measured_in_vain_is_refused() {
    let sandbox = project();
    for (extra, says) in [
        (&["--sessions", "4"][..], "4 sessions do not tell"),
        (&["--pairs", "2"], "2 pairs do not tell"),
        (&["--max-time", "1ms"], "--max-time 1 ms is too short"),
        (&["--measure", "nonsense"], "measure"),
    ] {
        let mut all = vec!["calibrate", "--warm-up", "5ms"];
        if !extra.contains(&"--measure") {
            all.extend(["--measure", "20ms"]);
        }
        all.extend(extra);
        run(&sandbox, &all).says(2, &[says]);
        assert_eq!(stored(&sandbox), None);
    }
    run(&sandbox, &args("calibrate", &[&["no-such-case"]])).says(4, &[]);
}

#[test]
fn a_damaged_calibration_is_named_and_the_run_goes_on() {
    let sandbox = project();
    run(&sandbox, &args("calibrate", &[&SHORT, &FEW])).says(0, &[]);
    let path = stored(&sandbox).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("demo/mlp", "demo/xlp")).unwrap();
    run(&sandbox, &args("run", &[&SHORT, &["--processes", "2"]]))
        .says(0, &["calibration.json was changed after it was written"]);
    run(&sandbox, &["doctor"]).says(0, &["was changed after it was written"]);
    run(&sandbox, &args("calibrate", &[&SHORT, &FEW])).says(0, &["could not be read"]);
}

#[test]
fn ctrl_c_keeps_five_complete_sessions_and_nothing_less() {
    for (until, kept) in [("session 1 of", false), ("session 5 of", true)] {
        let sandbox = project();
        let lists: [&[&str]; 2] = [&SHORT, &["--sessions", "500", "--pairs", "3"]];
        let mut running = sandbox.start(".", &args("calibrate", &lists));
        let mut said = String::new();
        while !said.contains(until) && running.err.read_line(&mut said).unwrap() > 0 {}
        assert!(said.contains(until), "{said}");
        running.signal("INT");
        while running.err.read_line(&mut said).unwrap() > 0 {}
        let ran = running.finish();
        ran.says(130, &[]);
        assert_eq!(stored(&sandbox).is_some(), kept, "{said}");
        assert!(said.contains(if kept { "stopped: kept the" } else { "so nothing is stored" }), "{said}");
        assert_eq!(ran.out.contains("false verdicts"), kept);
    }
}

#[test]
fn ctrl_c_within_a_session_stores_no_calibration_of_a_part_of_the_cases() {
    let s = Sandbox::with_repo();
    let prints = "for i in $(seq 300); do echo \"20.$((i % 7))us\"; done\n";
    s.write("repo/a.sh", prints);
    // Four sessions are 24 processes: in the fifth it hangs.
    let hangs = "echo >>../runs\n[ $(wc -l <../runs) -le 24 ] || { touch ../hangs; sleep 300; }\n";
    s.write("repo/b.sh", [hangs, prints].concat());
    let table = |name: &str| format!("[[model]]\nname = \"{name}\"\nrun = [\"sh\", \"{name}.sh\"]\n");
    s.write("repo/trt-perf.toml", format!("backend = \"command\"\n{}{}", table("a"), table("b")));
    s.commit("repo", "two programs");
    let few = ["--sessions", "6", "--pairs", "3", "--measure", "5ms"];
    let running = s.start("repo", &args("calibrate", &[&few]));
    wait_for("the second case to hang", || s.path("hangs").exists().then_some(()));
    running.signal("INT");
    running.finish().says(130, &["stopped with 4 complete sessions; 5 are needed, so nothing is stored"]);
    assert_eq!(s.baselines("repo"), Vec::<PathBuf>::new());
}
