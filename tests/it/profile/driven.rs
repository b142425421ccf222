//! `profile` with a stand-in for nsys that notes how it was called, fails, hangs, or writes nothing.

use crate::support::installed::Installed;
use crate::support::{Ran, Running, Sandbox, files_below, model, state, wait_for};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// A report of a GPU, in few rows (`tests/nsys/small.sql`).
pub const SMALL: &[u8] = include_bytes!("../../nsys/small.sqlite");

/// A package with one model, and a profiler that behaves like this.
fn with_profiler(mode: &str) -> Sandbox {
    let s = Sandbox::package(&model("mlp", "mlp.onnx"));
    s.copy("mlp.onnx", "mlp.onnx");
    stand_in(&s, mode);
    s
}

/// `bin/nsys`, which serves as ncu, too.
pub fn stand_in(s: &Sandbox, mode: &str) {
    s.write("report.sqlite", SMALL);
    let script = include_str!("standin.sh")
        .replace("@MODE@", mode)
        .replace("@LOG@", &s.path("calls").display().to_string())
        .replace("@SQLITE@", &s.path("report.sqlite").display().to_string());
    s.write("bin/nsys", script);
    fs::set_permissions(s.path("bin/nsys"), fs::Permissions::from_mode(0o755)).expect("a program");
}

fn command(s: &Sandbox, args: &[&str]) -> Command {
    let mut command = s.command(".", &[&["profile"], args].concat());
    command.env("NSYS", s.path("bin/nsys")).env_remove("NCU");
    command
}

fn profile(s: &Sandbox, args: &[&str]) -> Ran {
    Ran::of(command(s, args))
}

fn calls(s: &Sandbox) -> Vec<String> {
    fs::read_to_string(s.path("calls")).unwrap_or_default().lines().map(str::to_owned).collect()
}

#[test]
fn a_case_is_profiled_once_and_its_kernels_are_shown_by_layer() {
    let s = with_profiler("good");
    let mut command = command(&s, &["mlp", "--iterations", "3", "--gpu-metrics"]);
    command.env("GITHUB_TOKEN", "secret").env("MY_PASSWORD", "secret").env("CUDA_VISIBLE_DEVICES", "0");
    let ran = Ran::of(command);
    ran.says(
        0,
        &["5 kernels ran in 2 requests", "/fc1/Gemm", "gemm", "around 3 requests", "report: ", "as tables: "],
    );
    let recorded: Vec<String> = calls(&s).into_iter().filter(|call| call.contains("__worker")).collect();
    let [call] = &recorded[..] else { panic!("{recorded:?}") };
    for option in [
        "--trace=nvtx ",
        "--capture-range=nvtx ",
        "--nvtx-capture=requests@trt-perf ",
        "--capture-range-end=stop ",
    ] {
        assert!(call.contains(option), "{call}");
    }
    assert!(!call.contains("gpu-metrics"), "there is no GPU to sample: {call}");
    let environment = fs::read_to_string(s.path("calls.env")).expect("its environment");
    assert!(!environment.contains("secret"), "{environment}");
    assert!(environment.contains("PATH=") && environment.contains("CUDA_VISIBLE_DEVICES=0"), "{environment}");
    // Neither a record nor samples.
    assert!(!s.path("target/trt-perf/results").exists() && !s.path("target/trt-perf/samples").exists());
}

#[test]
fn requests_are_ranges_for_a_profiler_and_each_ends() {
    let (s, installed) = (with_profiler("good"), Installed::new("libnvinfer.so.10.13.3"));
    for (scenario, streams) in [("latency", 1), ("throughput", 2)] {
        let mut command =
            command(&s, &["mlp", "--iterations", "3", "--scenario", scenario, "--config", "streams=2"]);
        installed.tell(&mut command, "");
        command.env("TRT_PERF_STANDIN_NVTX", installed.folder().join("libnvinfer.so.10.13.3"));
        Ran::of(command).says(0, &[&format!("around {} requests", 3 * streams)]);
        let calls = installed.calls();
        let process = calls.check().0.last().expect("a call").0;
        let ours: Vec<&str> = calls
            .0
            .iter()
            .filter(|(of, _)| *of == process)
            .filter_map(|(_, c)| c.strip_prefix("nvtx "))
            .collect();
        assert_eq!(ours[0], "domain trt-perf");
        let started = ours.iter().filter_map(|c| c.strip_prefix("start ")?.split_once(' '));
        let names: Vec<&str> = started.map(|(_, name)| name).collect();
        let case = format!("case demo/mlp/default/{scenario}");
        let before = ["load", "warm-up", "requests", &case];
        assert_eq!(names, [&before[..], &vec!["request"; 3 * streams]].concat());
        let ended = |id: usize| ours.contains(&format!("end {id}").as_str());
        assert!((1..=names.len()).all(ended), "{ours:?}");
    }
}

#[test]
fn machines_read_every_kernel_and_where_the_report_is() {
    let s = with_profiler("good");
    let json = profile(&s, &["mlp", "--message-format", "json", "--output", "here.nsys-rep"]);
    let said = json.says(0, &[]).message("profiled");
    assert_eq!((&said["case"], &said["kernels"]["runs"]), (&"demo/mlp/default/latency".into(), &5.into()));
    assert!(s.path("here.nsys-rep").is_file() && s.path("here.sqlite").is_file(), "{json}");
    let schema = trt_perf::message::schema();
    crate::support::schema::check(&said, &schema, &schema, "profiled");
    assert_eq!(said["kernels"]["kernels"][0]["layer"], "/fc1/Gemm");
}

#[test]
fn a_profiler_that_goes_wrong_is_named_with_what_it_said() {
    for (mode, code, says) in [
        (
            "fails",
            101,
            &[
                "failed (exit status: 3)",
                "it said: The target application is not allowed here",
                "all it said: ",
            ][..],
        ),
        ("silent", 101, &["said that all went well, and there is no ", "look at what it said: "]),
        ("no-worker", 101, &["its worker had not come to its end", "without a profiler"]),
        ("no-export", 101, &["there is no ", ".sqlite", "nsys-ui "]),
        ("bad-export", 2, &["is no SQLite database, so it is no export of Nsight Systems"]),
        ("old", 2, &["2025.1.3.140", "has no --capture-range-end", "install a newer nsight-systems-cli"]),
    ] {
        let s = with_profiler(mode);
        // What is there from before is no report of this profile.
        s.write("r.nsys-rep", "old");
        s.write("r.sqlite", "old");
        profile(&s, &["mlp", "--output", "r.nsys-rep"]).says(code, says);
    }
}

/// What the worker of the only profile said.
pub fn reply(s: &Sandbox) -> String {
    let mut files = files_below(&s.work_folder("target").join("profiles"));
    files.retain(|path| path.extension().is_some_and(|e| e == "jsonl"));
    let [file] = &files[..] else { panic!("{files:?}") };
    fs::read_to_string(file).expect("text")
}

/// Nothing that the profiler started is left, and its agent, which is in no group of ours, was told to end.
fn nothing_is_left(s: &Sandbox) {
    for file in ["calls.pid", "calls.child"] {
        let pid = fs::read_to_string(s.path(file)).expect("a process id").trim().parse().expect("a number");
        wait_for("the end of the profiler", || {
            state(pid).is_none_or(|(letter, _)| letter == 'Z').then_some(())
        });
    }
    let last = calls(s).pop().expect("a call");
    assert!(last.starts_with("shutdown --kill=sigkill --session=trt-perf-"), "{last}");
}

#[test]
fn a_profiler_that_hangs_is_ended_with_all_that_it_started() {
    let s = with_profiler("hangs");
    let ran = profile(&s, &["mlp", "--config", "time-limit=\"2s\""]);
    ran.says(101, &["did not come to its end", "time-limit", "what it said: "]);
    nothing_is_left(&s);
}

#[test]
fn an_interrupt_ends_the_profiler_too() {
    let s = with_profiler("hangs");
    let running = Running::start(command(&s, &["mlp"]));
    wait_for("the profiler", || {
        fs::read_to_string(s.path("calls.child")).ok().filter(|text| text.ends_with('\n'))
    });
    running.signal("INT");
    running.finish().says(130, &["stopped by the user"]);
    nothing_is_left(&s);
}

#[test]
fn the_printed_command_can_be_run_by_hand() {
    let s = with_profiler("good");
    let ran = profile(&s, &["mlp", "--print-command", "--quiet"]);
    ran.says(0, &["env -i ", "__worker"]);
    assert!(calls(&s).iter().all(|call| !call.contains("__worker")), "nothing was profiled");
    let by_hand = Command::new("sh").args(["-c", ran.out.trim()]).output().expect("a shell");
    assert!(by_hand.status.success(), "{by_hand:?}");
    assert!(reply(&s).contains("\"profiled\":{\"requests\":10"));
}

#[test]
fn what_cannot_be_profiled_says_what_to_do() {
    let s = with_profiler("good");
    let mut missing = command(&s, &["mlp"]);
    missing.env("NSYS", "/not/there/nsys");
    Ran::of(missing)
        .says(2, &["there is no nsys here", "/not/there/nsys", "package nsight-systems-cli", "NSYS="]);
    let mut other = command(&s, &["mlp"]);
    other.env("NSYS", "/bin/true");
    Ran::of(other).says(2, &["/bin/true is not NVIDIA's nsys", "NSYS="]);
    let mut ncu = command(&s, &["mlp", "--tool", "ncu"]);
    ncu.env("NCU", s.path("bin/nsys"));
    Ran::of(ncu)
        .says(2, &["looks at kernels of a GPU, and demo/mlp/default/latency runs on the CPU", "--tool nsys"]);
    profile(&s, &["mlp", "--config", "scenarios=[\"latency\", \"throughput\"]"])
        .says(2, &["2 cases are selected", "demo/mlp/default/throughput", "--exact"]);
    profile(&s, &["mlp", "--report", "x.sqlite"]).says(2, &["cannot be used with"]);
}

#[test]
fn an_existing_report_is_shown_and_what_is_none_is_refused() {
    let s = with_profiler("good");
    s.run(".", &["profile", "--report", "report.sqlite"])
        .says(0, &["5 kernels ran in 2 requests", "copy to the GPU: 1 ×, 4.0 KiB"]);
    s.write("empty.sqlite", "");
    s.write("short.sqlite", &SMALL[..700]);
    for (file, says) in [
        ("Cargo.toml", "is no SQLite database, so it is no export of Nsight Systems"),
        ("empty.sqlite", "is no SQLite database"),
        ("short.sqlite", "is damaged"),
        ("not-there.sqlite", "there is no export of Nsight Systems"),
    ] {
        s.run(".", &["profile", "--report", file]).says(2, &[file, says, "next: "]);
    }
}

#[test]
fn doctor_says_which_profilers_there_are_and_what_to_install() {
    let s = with_profiler("good");
    let mut command = s.command(".", &["doctor"]);
    command.env("NSYS", s.path("bin/nsys")).env("NCU", "/not/there/ncu");
    Ran::of(command).says(
        0,
        &[
            "nsys        usable: NVIDIA Nsight Systems version 2025.1.3",
            "bin/nsys",
            "ncu         not usable: there is no ncu here (/not/there/ncu); install",
            "package nsight-compute",
        ],
    );
}
