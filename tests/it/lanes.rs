//! `--devices`: several devices of one host side by side. Programs in the place of models say in a log when they run, and on
//! which device; the order of its lines is what happened.

use crate::support::{Ran, Running, Sandbox, files_below, program, wait_for};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use trt_perf::baseline;
use trt_perf::record::Record;

/// Says that it begins, waits until a program of each device did once, and says that it ends: what is measured side by side
/// then overlaps, however slow this machine is.
const INFER: &str = r#"
echo "start $CUDA_VISIBLE_DEVICES $1" >>"$LOG"
until grep -q "^start 0 " "$LOG" && grep -q "^start 1 " "$LOG"; do sleep 0.01; done
[ "$1" != bad ] || kill -KILL $PPID
[ "${1#hang}" = "$1" ] || sleep 60
i=0; while [ $i -lt 60 ]; do echo "20.$((i % 7))us"; i=$((i + 1)); done
echo "end $CUDA_VISIBLE_DEVICES $1" >>"$LOG"
"#;

/// A repository whose models are programs, and what they write.
struct Host(Sandbox);

impl Host {
    fn new(models: &[&str]) -> Self {
        let s = Sandbox::with_repo();
        let table =
            |name: &&str| format!("[[model]]\nname = \"{name}\"\nrun = [\"sh\", \"infer.sh\", \"{name}\"]\n");
        let tables: String = models.iter().map(table).collect();
        // What a program does on such a machine is not watched from outside.
        let settings = "processes = 2\nmeasure = \"5ms\"\nbackend = \"command\"\ntime-limit = \"40s\"\n";
        s.write("repo/trt-perf.toml", format!("{settings}{tables}"));
        s.write("repo/infer.sh", INFER);
        s.write("tmp/.keep", "");
        s.commit("repo", "first");
        Self(s)
    }

    /// The program in a folder; its locks are none of this machine's.
    fn command(&self, folder: &str, args: &[&str]) -> Command {
        let mut command = self.0.command(folder, args);
        command.env("TMPDIR", self.0.path("tmp")).env("LOG", self.0.path("log"));
        command.env_remove("CUDA_VISIBLE_DEVICES");
        command
    }

    fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command("repo", args))
    }

    /// What the programs said: begin or end, device, model.
    fn log(&self) -> Vec<[String; 3]> {
        let text = std::fs::read_to_string(self.0.path("log")).unwrap_or_default();
        let words = |line: &str| -> [String; 3] {
            line.split(' ').map(str::to_owned).collect::<Vec<_>>().try_into().expect("three words")
        };
        text.lines().map(words).collect()
    }

    fn record(&self) -> Record {
        let records = files_below(&self.0.path("repo/.trt-perf/results"));
        assert_eq!(records.len(), 1, "{records:?}");
        baseline::load(&records[0]).expect("a record")
    }
}

/// No device did two things at once, and both did things at the same time. Returns the devices of each model.
#[track_caller]
fn side_by_side(log: &[[String; 3]]) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut running = BTreeMap::new();
    let mut devices: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut most = 0;
    for [what, device, model] in log {
        devices.entry(model.as_str()).or_default().insert(device.as_str());
        match (what.as_str(), running.remove(device)) {
            ("start", None) => drop(running.insert(device, model)),
            ("end", Some(begun)) if begun == model => {}
            (_, other) => panic!("{what} {model} on {device}, where {other:?} runs: {log:#?}"),
        }
        most = most.max(running.len());
    }
    assert_eq!((most, running.len()), (2, 0), "{log:#?}");
    devices
}

/// The same, and each model stayed on one device.
#[track_caller]
fn each_on_one(log: &[[String; 3]]) -> BTreeMap<&str, &str> {
    let mut found = BTreeMap::new();
    for (model, devices) in side_by_side(log) {
        assert_eq!(devices.len(), 1, "{model} was on {devices:?}: {log:#?}");
        found.extend(devices.first().map(|device| (model, *device)));
    }
    found
}

#[test]
fn cases_wait_in_one_queue_and_stay_on_the_device_that_takes_them() {
    let host = Host::new(&["a", "b", "c", "d", "e"]);
    let ran = host.run(&["run", "--devices", "0,1", "--message-format", "json"]);
    ran.says(0, &["whether the devices disturb each other is not known", "calibrate --devices 0,1"]);
    let log = host.log();
    let devices = each_on_one(&log);
    assert_eq!(log.len(), 5 * 2 * 2, "two processes of each: {log:#?}");
    assert_eq!(devices.values().collect::<BTreeSet<_>>(), BTreeSet::from([&"0", &"1"]));
    assert_eq!(ran.message("session-started")["devices"], serde_json::json!([0, 1]));
    let told: BTreeMap<String, u64> = ran.messages("lane").iter().map(lane).collect();
    for (model, device) in devices {
        assert_eq!(told[&format!("project/{model}/default/latency")].to_string(), device, "{ran}");
    }
    let record = host.record();
    assert!(record.cases.len() == 5 && record.failed.is_empty(), "{ran}");
    assert!(record.cases.values().all(|case| case.processes.len() == 2));

    let ran = host.run(&["run", "--devices", "0,1"]);
    ran.says(0, &["(devices 0, 1)", "device 0: measuring project/", "device 1: measuring project/"]);
}

#[test]
fn other_users_may_wait_for_a_lock_that_was_made_under_a_strict_umask() {
    let host = Host::new(&["a", "b"]);
    let run = host.command("repo", &["run", "--devices", "0,1"]);
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077; exec \"$0\" \"$@\""]).arg(program()).args(run.get_args());
    host.0.shield(&mut command, "repo");
    run.get_envs().for_each(|(name, value)| match value {
        Some(value) => drop(command.env(name, value)),
        None => drop(command.env_remove(name)),
    });
    Ran::of(command).says(0, &["project/b/default/latency"]);
    let locks: Vec<_> =
        files_below(&host.0.path("tmp")).into_iter().filter(|p| p.extension().is_some()).collect();
    assert_eq!(locks.len(), 2, "{locks:?}");
    for lock in locks {
        let mode = std::fs::metadata(&lock).expect("a lock").permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "{}", lock.display());
    }
}

fn lane(message: &Value) -> (String, u64) {
    (message["case"].as_str().expect("a case").to_owned(), message["device"].as_u64().expect("a number"))
}

#[test]
fn a_worker_that_is_killed_costs_its_case_and_nothing_of_the_other_device() {
    let host = Host::new(&["a", "bad", "c", "d"]);
    let ran = host.run(&["run", "--devices", "0,1"]);
    ran.says(101, &["project/bad/default/latency", "signal 9 (SIGKILL)"]);
    let record = host.record();
    let id = |name: &str| format!("project/{name}/default/latency");
    assert_eq!(record.cases.keys().cloned().collect::<Vec<_>>(), ["a", "c", "d"].map(id));
    assert_eq!(record.failed.keys().cloned().collect::<Vec<_>>(), [id("bad")]);
    assert!(record.cases.values().all(|case| case.processes.len() == 2), "{ran}");
    // The device goes on with the next case.
    let log = host.log();
    let place = log.iter().position(|[_, _, model]| model == "bad").expect("it was begun");
    assert!(log[place + 1..].iter().any(|[what, device, _]| what == "start" && *device == log[place][1]));
}

#[test]
fn ctrl_c_ends_all_lanes_and_keeps_what_is_complete() {
    let host = Host::new(&["a", "hang1", "hang2", "z"]);
    let running = Running::start(host.command("repo", &["run", "--devices", "0,1"]));
    wait_for("both lanes to hang", || {
        let begun = |name: &str| host.log().iter().any(|[what, _, model]| what == "start" && model == name);
        (begun("hang1") && begun("hang2")).then_some(())
    });
    running.signal("INT");
    let ran = running.finish();
    ran.says(130, &["project/a/default/latency"]);
    let record = host.record();
    assert_eq!(record.cases.keys().collect::<Vec<_>>(), ["project/a/default/latency"], "{ran}");
    assert!(record.failed.is_empty(), "nothing failed: {ran}");
    assert!(!host.log().iter().any(|[_, _, model]| model == "z"), "no lane went on: {ran}");
}

#[test]
fn a_check_measures_and_confirms_each_case_on_one_device() {
    let host = Host::new(&["a", "b", "c"]);
    host.0.edit("repo/infer.sh", "\"20.", "\"23.");
    let check = ["check", "--base", "HEAD", "--pairs", "5", "--devices", "0,1"];
    let ran = host.run(&check);
    ran.says(100, &["to confirm it", "Performance has regressed"]);
    let log = host.log();
    assert_eq!(each_on_one(&log).len(), 3);
    assert!(log.len() > 3 * 5 * 2 * 2, "more than the first pairs: {ran}");
    let records = files_below(&host.0.path("repo/.trt-perf/results"));
    assert_eq!(records.len(), 2, "one of each arm");
    assert!(records.iter().all(|path| baseline::load(path).is_ok_and(|r| r.cases.len() == 3)));
}

#[test]
fn a_device_belongs_to_one_session_at_a_time_whatever_its_project() {
    let host = Host::new(&["a", "b"]);
    // Waits for a program of device 1, which is only begun once this session is done: until somebody writes its line.
    host.0.write("other/infer.sh", INFER);
    let manifest = std::fs::read(host.0.path("repo/trt-perf.toml")).expect("a manifest");
    host.0.write("other/trt-perf.toml", manifest);
    let mut first = Running::start(host.command("repo", &["run", "a", "--devices", "0,2"]));
    first.err_until("measuring");
    let started = || host.log().into_iter().find(|[what, device, _]| what == "start" && device == "0");
    wait_for("the first session's program", started);
    let mut second = Running::start(host.command("other", &["run", "a", "--devices", "3,2"]));
    second.err_until("waiting: another session");
    host.0.write("log", "start 0 a\nstart 1 a\n");
    assert_eq!(first.finish().code, Some(0));
    assert_eq!(second.finish().code, Some(0));
}

#[test]
fn devices_that_make_no_sense_are_refused() {
    let host = Host::new(&["a"]);
    for (args, says) in [
        (&["run", "--devices", "0,0"][..], "--devices names a device twice"),
        (&["run", "--devices", "0", "--device", "1"], "cannot be used with"),
        (&["run", "--devices", "one"], "invalid value"),
        (&["run", "--discover", "--devices", "0,1"], "cannot be used with"),
    ] {
        host.run(args).says(2, &[says]);
    }
    host.0.copy("mlp.onnx", "repo/mlp.onnx");
    host.run(&["run", "mlp.onnx", "--backend", "cpu", "--devices", "0,1"])
        .says(2, &["is measured on the CPU, which is one device", "next: take --devices out"]);
    let mut hidden = host.command("repo", &["run", "--devices", "1"]);
    hidden.env("CUDA_VISIBLE_DEVICES", "4");
    Ran::of(hidden).says(101, &["CUDA_VISIBLE_DEVICES=4 names no device 1"]);
}

#[test]
fn a_calibration_of_two_devices_says_whether_they_disturb_each_other() {
    let host = Host::new(&["a"]);
    let calibrate = ["calibrate", "--devices", "0,1", "--sessions", "5", "--pairs", "3"];
    // No device is alone for long enough to wait for the other one.
    host.0.write("log", "start 0 a\nend 0 a\nstart 1 a\nend 1 a\n");
    let ran = host.run(&[&calibrate[..], &["--message-format", "json"]].concat());
    ran.says(0, &[]);
    let said = ran.message("calibration");
    assert_eq!(said["cases"]["project/a/default/latency"]["sessions"], 10, "five on each device: {ran}");
    let effects = said["lanes"]["cases"]["project/a/default/latency"].as_array().expect("numbers").clone();
    for device in [0, 1] {
        let of = |e: &&Value| e["device"] == device;
        let names: Vec<&str> = effects.iter().filter(of).filter_map(|e| e["name"].as_str()).collect();
        assert_eq!(names, ["mean", "p50", "spread"], "sixty requests have no p99: {ran}");
    }
    assert!(effects.iter().all(|e| e["sessions"] == 5 && e["change_lo"].as_f64() <= e["change_hi"].as_f64()));
    assert_eq!(side_by_side(&host.log())["a"].len(), 2);

    let ran = host.run(&["run", "--devices", "0,1"]);
    ran.says(0, &[]).silent_on(&["is not known"]);
    host.run(&["run", "--devices", "0,2"]).says(0, &["is not known", "calibrate --devices 0,2"]);
}
