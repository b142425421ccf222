//! `calibrate` end to end: what it stores, what it refuses, and that check, run and doctor use what it stored.
//! Durations are tiny and no time or verdict is asserted: what is tested is what is kept and said.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const SHORT: [&str; 4] = ["--measure", "20ms", "--warm-up", "5ms"];
const FEW: [&str; 4] = ["--sessions", "5", "--pairs", "3"];

/// A Cargo project with one model, in a repository with one commit.
struct Sandbox {
    dir: tempfile::TempDir,
}

impl Sandbox {
    fn new() -> Self {
        let sandbox = Self { dir: tempfile::tempdir().unwrap() };
        let manifest = "[package]\nname = \"demo\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n\
            [[package.metadata.trt-perf.model]]\nname = \"mlp\"\npath = \"mlp.onnx\"\nscenarios = [\"latency\"]\n";
        let write = |name: &str, text: &str| {
            let path = sandbox.path(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("Cargo.toml", manifest);
        write("src/lib.rs", "");
        write(".gitignore", "/target\n");
        std::fs::copy(model(), sandbox.path("mlp.onnx")).unwrap();
        git2::Repository::init(sandbox.dir.path()).unwrap();
        sandbox.commit();
        sandbox
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn commit(&self) {
        let repo = git2::Repository::open(self.dir.path()).unwrap();
        let mut index = repo.index().unwrap();
        index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).unwrap();
        index.write().unwrap();
        let tree = repo.find_tree(index.write_tree().unwrap()).unwrap();
        let me = git2::Signature::now("test", "test@example.com").unwrap();
        let parent = repo.head().ok().map(|h| h.peel_to_commit().unwrap());
        repo.commit(Some("HEAD"), &me, &me, "commit", &tree, &parent.iter().collect::<Vec<_>>()).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-trt-perf"));
        command.arg("trt-perf").args(args).current_dir(self.dir.path());
        for var in ["CARGO_TARGET_DIR", "GITHUB_ACTIONS", "GITHUB_EVENT_NAME", "GITHUB_STEP_SUMMARY"] {
            command.env_remove(var);
        }
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::from(self.command(args).output().unwrap())
    }

    /// The one stored calibration.
    fn stored(&self) -> Option<PathBuf> {
        let devices = std::fs::read_dir(self.path("baselines")).ok()?;
        let mut files = devices.map(|d| d.unwrap().path().join("calibration.json")).filter(|p| p.is_file());
        let first = files.next();
        assert_eq!(files.next(), None);
        first
    }
}

struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Ran {
    fn from(o: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Self { code: o.status.code(), out: text(o.stdout), err: text(o.stderr) }
    }
}

impl Ran {
    #[track_caller]
    fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }

    #[track_caller]
    fn says(&self, text: &str) {
        assert!(self.out.contains(text) || self.err.contains(text), "{text}\n{}\n{}", self.out, self.err);
    }
}

fn model() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/mlp.onnx")
}

fn args<'a>(verb: &'a str, lists: &[&[&'a str]]) -> Vec<&'a str> {
    std::iter::once(verb).chain(lists.concat()).collect()
}

#[test]
fn a_calibration_is_stored_and_used_by_check_run_and_doctor() {
    let sandbox = Sandbox::new();
    sandbox.run(&["doctor"]).ended(0).says("not yet");
    let ran = sandbox.run(&args("calibrate", &[&SHORT, &FEW])).ended(0);
    ran.says("5 sessions, 15 pairs");
    ran.says("false verdicts");
    ran.says("calibration.json (commit it");
    let text = std::fs::read_to_string(sandbox.stored().unwrap()).unwrap();
    let file: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(file["schema"], "trt-perf/calibration@1");
    let case = &file["cases"]["demo/mlp/default/latency"];
    assert_eq!((case["sessions"].as_u64(), case["pairs"].as_u64()), (Some(5), Some(15)));
    assert_eq!(case["metrics"]["mean"]["pair"]["df"], 10.0);

    sandbox.run(&["doctor"]).ended(0).says("calibrated ");
    let listed = sandbox.run(&["baseline", "list"]).ended(0);
    assert_eq!(listed.out, "", "a calibration is no record");
    sandbox.run(&["baseline", "prune", "--keep", "0"]).ended(0);
    sandbox.commit();

    let processes = ["--processes", "3"];
    sandbox.run(&args("run", &[&SHORT, &processes, &["--save-baseline"]])).ended(0);
    let again = sandbox.run(&args("run", &[&SHORT, &processes])).ended(0);
    let line = again.out.lines().find(|l| l.contains("sessions differ by")).unwrap_or_default();
    assert!(line.contains("(calibrated 2"), "{}", again.out);
    let compared = sandbox.run(&["compare", "HEAD", "HEAD"]).ended(0);
    assert!(compared.out.contains("(calibrated 2"), "{}", compared.out);

    let settings = ["--head-config", "build.prepack-weights=false", "--pairs", "3"];
    let checked = sandbox.run(&args("check", &[&SHORT, &settings]));
    assert!(matches!(checked.code, Some(0 | 100)), "{}\n{}", checked.out, checked.err);
    checked.says("(calibrated 2");

    let second = sandbox.run(&args("calibrate", &[&SHORT, &FEW, &["mlp"]])).ended(0);
    second.says("this replaces the calibration of");
    assert_ne!(std::fs::read_to_string(sandbox.stored().unwrap()).unwrap(), text);
}

#[test]
fn without_a_calibration_the_difference_between_sessions_is_said_to_be_assumed() {
    let sandbox = Sandbox::new();
    let processes = ["--processes", "3"];
    sandbox.run(&args("run", &[&SHORT, &processes, &["--save-baseline"]])).ended(0);
    let again = sandbox.run(&args("run", &[&SHORT, &processes])).ended(0);
    again.says("sessions differ by an assumed 2.0%");
}

#[test]
fn a_dry_run_stores_nothing_and_json_says_everything() {
    let dir = tempfile::tempdir().unwrap();
    let model = model();
    let lists: [&[&str]; 4] =
        [&SHORT, &FEW, &["--dry-run", "--message-format", "json"], &[model.to_str().unwrap()]];
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-trt-perf"));
    command.arg("trt-perf").args(args("calibrate", &lists)).current_dir(dir.path());
    let ran = Ran::from(command.env_remove("CARGO_TARGET_DIR").output().unwrap()).ended(0);
    assert!(!dir.path().join("baselines").exists());
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
    let sandbox = Sandbox::new();
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
        sandbox.run(&all).ended(2).says(says);
        assert_eq!(sandbox.stored(), None);
    }
    sandbox.run(&args("calibrate", &[&["no-such-case"]])).ended(4);
}

#[test]
fn a_damaged_calibration_is_named_and_the_run_goes_on() {
    let sandbox = Sandbox::new();
    sandbox.run(&args("calibrate", &[&SHORT, &FEW])).ended(0);
    let path = sandbox.stored().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("demo/mlp", "demo/xlp")).unwrap();
    let ran = sandbox.run(&args("run", &[&SHORT, &["--processes", "2"]])).ended(0);
    ran.says("calibration.json was changed after it was written");
    sandbox.run(&["doctor"]).ended(0).says("was changed after it was written");
    sandbox.run(&args("calibrate", &[&SHORT, &FEW])).ended(0).says("could not be read");
}

#[test]
fn ctrl_c_keeps_five_complete_sessions_and_nothing_less() {
    for (until, kept) in [("session 1 of", false), ("session 5 of", true)] {
        let sandbox = Sandbox::new();
        let lists: [&[&str]; 2] = [&SHORT, &["--sessions", "500", "--pairs", "3"]];
        let mut child = sandbox
            .command(&args("calibrate", &lists))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut err = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains(until) && err.read_line(&mut said).unwrap() > 0 {}
        assert!(said.contains(until), "{said}");
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        while err.read_line(&mut said).unwrap() > 0 {}
        let ran = Ran::from(child.wait_with_output().unwrap()).ended(130);
        assert_eq!(sandbox.stored().is_some(), kept, "{said}");
        assert!(said.contains(if kept { "stopped: kept the" } else { "so nothing is stored" }), "{said}");
        assert_eq!(ran.out.contains("false verdicts"), kept);
    }
}
