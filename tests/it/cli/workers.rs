//! Worker processes that die, hang, ask for too much, or must be stopped.

use crate::support::{
    QUICK_ARGS, Ran, Running, Sandbox, end, files_below, is_gone, kill, measuring, model, program, wait_for,
    with,
};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use trt_perf::baseline;
use trt_perf::record::Record;

const SLOW: &str = "demo/slow/default/latency";

/// A quick case, one that would be measured for a minute, and another quick one.
fn one_slow_case(time_limit: &str) -> Sandbox {
    let slow = format!("measure = \"60s\"\ntime-limit = \"{time_limit}\"\n");
    let s = Sandbox::package(
        &(model("a", "mlp.onnx") + &model("slow", "mlp.onnx") + &slow + &model("z", "mlp.onnx")),
    );
    s.copy("mlp.onnx", "mlp.onnx");
    s
}

/// Starts that, and returns when the slow case is being measured, with its worker.
fn while_measuring(s: &Sandbox) -> (Running, i32) {
    let mut running = s.start(".", &["run", "--message-format", "json"]);
    running.messages_until(measuring(SLOW));
    let worker = running.worker();
    (running, worker)
}

/// The slow case failed as `kind`, the other two were measured.
fn slow_failed(s: &Sandbox, ran: &Ran, kind: &str, says: &[&str]) {
    ran.says(101, &[]);
    let messages: Vec<_> = ran.out.lines().map(crate::support::message).collect();
    let failed = with(&messages, "case-failed");
    assert_eq!(failed.len(), 1, "{ran}");
    assert_eq!((&failed[0]["case"], &failed[0]["kind"]), (&SLOW.into(), &kind.into()), "{ran}");
    let message = failed[0]["message"].as_str().expect("a message");
    assert!(says.iter().all(|text| message.contains(text)), "{message}");
    assert!(failed[0]["next"].as_str().is_some_and(|n| !n.is_empty()), "{failed:?}");
    let record = s.record("target");
    let measured: Vec<&str> = record.cases.keys().map(String::as_str).collect();
    assert_eq!(measured, ["demo/a/default/latency", "demo/z/default/latency"]);
    assert_eq!(record.failed.keys().collect::<Vec<_>>(), [SLOW]);
    s.check_nothing_half_written(".");
}

#[test]
fn a_worker_that_dies_is_a_row_with_its_signal() {
    for (signal, name) in [
        ("SEGV", "signal 11 (SIGSEGV)"),
        ("KILL", "signal 9 (SIGKILL)"),
        ("ABRT", "signal 6 (SIGABRT)"),
        ("TERM", "signal 15 (SIGTERM)"),
    ] {
        let s = one_slow_case("10min");
        let (running, worker) = while_measuring(&s);
        end(signal, worker);
        slow_failed(&s, &running.finish(), "crash", &["the worker was ended by", name]);
    }
}

#[test]
fn a_worker_that_hangs_is_ended_at_its_time_limit() {
    let s = one_slow_case("3s");
    let (running, worker) = while_measuring(&s);
    kill("STOP", &worker.to_string());
    slow_failed(&s, &running.finish(), "timed-out", &["did not finish within 3 s"]);
    assert!(is_gone(worker));
}

#[test]
fn a_lack_of_memory_is_told_apart_from_a_crash() {
    let s = Sandbox::new();
    s.copy("cnn.onnx", "large.onnx");
    s.copy("mlp.onnx", "small.onnx");
    // 400,000 images are 4.9 GB; the MLP needs a few megabytes.
    let args = ["run", "large.onnx", "--shape", "image:400000x3x32x32"];
    let mut command = Command::new("prlimit");
    s.shield(&mut command, ".");
    command.arg("--as=2000000000").arg(program()).args(args).args(QUICK_ARGS);
    if Command::new("prlimit").arg("--version").output().is_err() {
        eprintln!("skipped: there is no prlimit here");
        return;
    }
    let ran = Ran::of(command);
    ran.says(101, &["out of memory: the worker ran out of memory; it said: memory allocation of 4915200000 bytes failed"]);
    ran.says(101, &["next: use a smaller batch"]);
    assert!(ran.row("files/large/default/latency").ends_with("out of memory"), "{ran}");
    // Under the same limit, what fits is measured.
    let mut command = Command::new("prlimit");
    s.shield(&mut command, ".");
    command.arg("--as=2000000000").arg(program()).args(["run", "small.onnx"]).args(QUICK_ARGS);
    Ran::of(command).says(0, &["files/small/default/latency"]);
}

#[test]
fn a_worker_does_not_outlive_its_parent() {
    let s = one_slow_case("10min");
    let (running, worker) = while_measuring(&s);
    assert!(!is_gone(worker));
    running.signal("KILL");
    wait_for("the worker's end", || is_gone(worker).then_some(()));
    drop(running);
    // The next session finds the folder usable: the lock went with the process.
    s.run(".", &["run", "--exact", "demo/a/default/latency"]).says(0, &["record: "]);
}

/// After a stop: no process, no half-written file, and a record of what was complete.
fn kept(s: &Sandbox, worker: i32) -> Record {
    assert!(is_gone(worker), "the worker is still there");
    s.check_nothing_half_written(".");
    let record = s.record("target");
    assert_eq!(record.cases.keys().collect::<Vec<_>>(), ["demo/a/default/latency"]);
    assert!(record.failed.is_empty());
    record
}

#[test]
fn an_interrupt_keeps_what_is_complete() {
    for signal in ["INT", "TERM", "HUP"] {
        let s = one_slow_case("10min");
        let (running, worker) = while_measuring(&s);
        running.signal(signal);
        let ran = running.finish();
        ran.says(130, &["stopped: kept what was complete (1 case), in target/trt-perf/results/"]);
        let last = crate::support::message(ran.out.lines().last().expect("a last line"));
        assert_eq!((&last["interrupted"], &last["exit_code"]), (&true.into(), &130.into()), "{last}");
        let record = kept(&s, worker);
        let file = PathBuf::from(last["record"].as_str().expect("a path"));
        assert_eq!(baseline::load(&file).expect("a record").id, record.id);
        s.run(".", &["baseline", "show", &record.id]).says(0, &["demo/a/default/latency"]);
    }
}

#[test]
fn an_interrupt_of_the_whole_group_does_the_same() {
    let s = Sandbox::committed_mlp();
    s.edit("Cargo.toml", "name = \"mlp\"", "name = \"a\"");
    let tables = fs::read_to_string(s.path("Cargo.toml")).unwrap()
        + &model("slow", "mlp.onnx")
        + "measure = \"60s\"\n";
    s.write("Cargo.toml", tables);
    s.commit(".", "a slow case");
    let mut running = s.start(".", &["run", "--save-baseline"]);
    running.err_until(&format!("measuring {SLOW}"));
    let worker = running.worker();
    kill("INT", &format!("-{}", running.pid()));
    let ran = running.finish();
    ran.says(130, &["stopped: kept what was complete (1 case), in target/", "no baseline was saved"]);
    kept(&s, worker);
    assert_eq!(s.baselines("."), Vec::<PathBuf>::new());
}

#[test]
fn an_interrupt_before_anything_is_complete_keeps_nothing_and_says_so() {
    let s = one_slow_case("10min");
    let mut running = s.start(".", &["run", "slow"]);
    running.err_until(&format!("measuring {SLOW}"));
    let worker = running.worker();
    running.signal("INT");
    running.finish().says(130, &["stopped: no case was complete, so nothing is kept"]);
    assert!(is_gone(worker));
    assert_eq!(s.results("target"), Vec::<PathBuf>::new());
    s.check_nothing_half_written(".");
}

#[test]
fn a_session_goes_on_where_its_executable_is_removed_or_replaced() {
    let s = Sandbox::new();
    // What is measured removes the program that measures it, and puts another one in its place.
    s.write(
        "infer.sh",
        "rm -f tool\necho '#!/bin/false' >tool\nchmod +x tool\nfor i in $(seq 500); do echo \"20.$((i % 7))us\"; done\n",
    );
    let settings = "processes = 3\nmeasure = \"5ms\"\nbackend = \"command\"\n";
    s.write("trt-perf.toml", format!("{settings}[[model]]\nname = \"p\"\nrun = [\"sh\", \"infer.sh\"]\n"));
    let tool = s.path("tool");
    if fs::hard_link(program(), &tool).is_err() {
        // By another process: a file that is open for writing cannot be run.
        assert!(Command::new("cp").arg(program()).arg(&tool).status().unwrap().success());
    }
    let mut command = Command::new(&tool);
    s.shield(&mut command, ".");
    command.args(["trt-perf", "run"]);
    Ran::of(command).says(0, &["project/p/default/latency", "record: "]);
    assert!(fs::metadata(&tool).unwrap().len() < 100, "it was replaced");
}

#[test]
fn two_sessions_in_one_target_folder_take_turns() {
    let s = Sandbox::package(&model("mlp", "mlp.onnx"));
    s.copy("mlp.onnx", "mlp.onnx");
    // Whoever holds this lock is a session; here it is the test, so that both certainly have to wait.
    s.write("target/trt-perf/lock", "");
    let lock = fs::File::open(s.path("target/trt-perf/lock")).unwrap();
    lock.lock().unwrap();
    let mut sessions = [s.start(".", &["run"]), s.start("src", &["run"])];
    for session in &mut sessions {
        session.err_until("waiting: another session is measuring in ");
    }
    assert_eq!(s.results("target"), Vec::<PathBuf>::new());
    drop(lock);
    for session in sessions {
        session.finish().says(0, &["demo/mlp/default/latency", "record: "]);
    }
    assert_eq!(s.results("target").len(), 2);
    s.check_nothing_half_written(".");
}

#[test]
fn a_session_that_waits_can_be_stopped() {
    let s = Sandbox::package(&model("mlp", "mlp.onnx"));
    s.copy("mlp.onnx", "mlp.onnx");
    s.write("target/trt-perf/lock", "");
    let lock = fs::File::open(s.path("target/trt-perf/lock")).unwrap();
    lock.lock().unwrap();
    let mut running = s.start(".", &["run"]);
    running.err_until("waiting: ");
    running.signal("INT");
    running.finish().says(130, &["stopped by the user"]);
}

#[test]
fn a_worker_started_by_hand_says_how_workers_start() {
    let by_hand = |args: &[&str]| {
        let mut command = Command::new(program());
        command.args(args).stdin(Stdio::null());
        Ran::of(command)
    };
    by_hand(&["__worker"]).says(1, &["this is no job", "workers are started by `cargo trt-perf run`"]);
    by_hand(&["__worker", "1"]).says(1, &["the worker lost its parent"]);
}

/// A file system of its own, as small or as strict as its options say; `None` where mounting is not allowed.
struct Mount(PathBuf);

impl Mount {
    fn new(at: PathBuf, options: &str) -> Option<Self> {
        fs::create_dir_all(&at).unwrap();
        let mut command = Command::new("mount");
        command.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&at);
        match command.output() {
            Ok(o) if o.status.success() => Some(Self(at)),
            other => {
                eprintln!("skipped: a file system with {options} cannot be mounted here: {other:?}");
                None
            }
        }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// A run of the MLP into a target folder that is no good.
fn run_into(s: &Sandbox, target: &str) -> Ran {
    let mut command = s.command(".", &["run", "mlp.onnx"]);
    command.args(QUICK_ARGS).env("CARGO_TARGET_DIR", s.path(target));
    Ran::of(command)
}

#[test]
fn a_target_folder_that_cannot_be_written_is_named() {
    let s = Sandbox::new();
    s.copy("mlp.onnx", "mlp.onnx");
    s.write("file", "not a folder");
    let named = s.path("file/below/trt-perf").display().to_string();
    run_into(&s, "file/below").says(101, &[&format!("cannot create the folder {named}: Not a directory")]);
    let Some(mount) = Mount::new(s.path("read only"), "ro,size=64k") else { return };
    let named = s.path("read only/trt-perf").display().to_string();
    run_into(&s, "read only").says(
        101,
        &[&format!("cannot create the folder {named}: Read-only file system"), "next: ", "CARGO_TARGET_DIR"],
    );
    assert_eq!(files_below(&mount.0), Vec::<PathBuf>::new());
}

#[test]
fn a_full_disk_is_named_and_leaves_nothing_half_written() {
    let s = Sandbox::new();
    s.copy("mlp.onnx", "mlp.onnx");
    s.copy("half.onnx", "half.onnx");
    // Too small for the MLP's engine; what else there is fits.
    let Some(mount) = Mount::new(s.path("full"), "size=120k") else { return };
    let mut command = s.command(".", &["run", "mlp.onnx"]);
    command.args(QUICK_ARGS).env("CARGO_TARGET_DIR", &mount.0);
    let engines = mount.0.join("trt-perf/engines");
    let ran = Ran::of(command);
    ran.says(
        101,
        &[
            &format!("I/O error: cannot write the engine {}/", engines.display()),
            "No space left on device",
            "next: free some space, or write to another disk",
            "record: ",
        ],
    );
    assert_eq!(files_below(&engines), Vec::<PathBuf>::new());
    for record in files_below(&mount.0.join("trt-perf/results")) {
        baseline::load(&record).expect("a whole record");
    }
}

#[test]
fn a_disk_that_is_full_when_the_record_is_written_is_named_too() {
    let s = Sandbox::new();
    s.copy("mlp.onnx", "mlp.onnx");
    // Files and folders, not bytes, run out: the thirteenth is the folder of results.
    let Some(mount) = Mount::new(s.path("full"), "nr_inodes=13") else { return };
    let ran = run_into(&s, "full");
    let results = mount.0.join("trt-perf/results");
    ran.says(101, &[&format!("cannot write the record {}/", results.display()), "No space left on device"]);
    // What was measured was shown all the same.
    ran.says(101, &["files/mlp/default/latency", "time:   ["]);
    assert_eq!(files_below(&results), Vec::<PathBuf>::new());
}
