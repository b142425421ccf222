//! The backend `trtexec`, with a script in the program's place: options by version, and everything that goes wrong.

use super::fixtures::times;
use crate::profile::driven::stand_in;
use crate::support::{QUICK_ARGS, Ran, Sandbox, kill, state, wait_for};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use trt_perf::config::Wait;
use trt_perf::record::Record;

/// A sandbox with the sample models and one version of the stand-in.
struct Bench {
    sandbox: Sandbox,
    program: PathBuf,
    log: PathBuf,
}

impl Bench {
    fn new(version: &str) -> Self {
        let sandbox = Sandbox::new();
        sandbox.copy("mlp.onnx", "mlp.onnx");
        sandbox.copy("encoder.onnx", "encoder.onnx");
        let bench = Self { program: sandbox.path("trtexec"), log: sandbox.path("calls"), sandbox };
        bench.answers_in(0.5);
        bench.install(version);
        bench
    }

    /// What it will measure, a little different from process to process.
    fn answers_in(&self, latency_ms: f64) {
        for (i, factor) in [1.0, 1.001, 0.999].into_iter().enumerate() {
            self.sandbox.write(format!("times.json.{i}"), times(1.0, 400, latency_ms * factor));
        }
    }

    fn install(&self, version: &str) {
        let script = include_str!("standin.sh")
            .replace("@VERSION@", version)
            .replace("@LOG@", self.log.to_str().expect("text"))
            .replace("@TIMES@", self.sandbox.path("times.json").to_str().expect("text"));
        fs::write(&self.program, script).expect("the stand-in");
        fs::set_permissions(&self.program, fs::Permissions::from_mode(0o755)).expect("it can be run");
    }

    fn run(&self, standin: &str, args: &[&str]) -> Ran {
        self.run_plain(standin, &[args, &QUICK_ARGS[..]].concat())
    }

    fn run_plain(&self, standin: &str, args: &[&str]) -> Ran {
        let all = [&["run"], args, &["--backend", "trtexec"]].concat();
        let mut command = self.sandbox.command(".", &all);
        command.env("TRT_PERF_TRTEXEC", &self.program).env("STANDIN", standin);
        Ran::of(command)
    }

    /// The arguments of each call so far.
    fn calls(&self) -> Vec<String> {
        fs::read_to_string(&self.log).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    fn newest(&self) -> Record {
        let results = self.sandbox.results("target");
        trt_perf::baseline::load(results.last().expect("a record")).expect("a readable record")
    }

    /// Nothing is left of files that were needed in between.
    fn check_tidy(&self) {
        let left = crate::support::files_below(&self.sandbox.path("target"));
        assert!(!left.iter().any(|p| p.to_string_lossy().contains(".tmp-trtexec")), "{left:?}");
    }
}

#[test]
fn the_memory_of_a_program_is_nobodys_to_trace() {
    let bench = Bench::new("101600");
    let mut command =
        bench.sandbox.command(".", &["memory", MLP, "--backend", "trtexec", "--scenario", "latency"]);
    command.env("TRT_PERF_TRTEXEC", &bench.program).env("STANDIN", "");
    let says = ["trtexec runs its requests in a process of its own", "next: use --backend tensorrt"];
    Ran::of(command).says(2, &says);
}

const MLP: &str = "mlp.onnx";
const ID: &str = "files/mlp/default/latency";

#[test]
fn each_version_is_asked_in_its_own_words() {
    for (version, name, build, run) in [
        ("8501", "8.5.1", "--buildOnly", "--exposeDMA --useSpinWait"),
        ("8601", "8.6.1", "--skipInference", "--exposeDMA --useSpinWait"),
        ("101303", "10.13.3", "--skipInference", "--exposeDMA --useSpinWait"),
        ("110000", "11.0.0", "--skipInference", "--exposeDMA --includeDataTransfers --noCudaGraph"),
    ] {
        let bench = Bench::new(version);
        bench.run("", &[MLP]).says(0, &[ID]);
        let record = bench.newest();
        assert_eq!(record.device.key, "gpu-nvidia-test-gpu-24g");
        let case = &record.cases[ID];
        assert_eq!(
            (case.engine.backend.as_str(), case.engine.library.clone()),
            ("trtexec", format!("TensorRT {name}"))
        );
        assert_eq!((case.point.in_flight, case.point.cuda_graph), (1, false));
        assert_eq!((case.mode.transfers, case.mode.wait), (true, Wait::Spin));
        assert_eq!(case.processes.len(), 2);
        let process = &case.processes[0];
        assert!((process.mean_ns / 5e5 - 1.0).abs() < 0.01, "{process:?}");
        assert_eq!(process.load_ns, 12_500_000);
        let calls = bench.calls();
        // Which GPU; version and GPU for the build, the build; and one call for each process.
        assert_eq!(calls.len(), 5, "{calls:#?}");
        assert!(calls[2].contains(build) && !calls[2].contains("Shapes="), "{}", calls[2]);
        for call in &calls[3..] {
            assert!(call.contains(&format!(" {run} --exportTimes=")), "{call}");
            assert!(
                call.contains("--warmUp=10 --duration=0.03 ") && call.contains("--loadInputs='features':"),
                "{call}"
            );
        }
        bench.check_tidy();
    }
}

#[test]
fn settings_are_passed_and_recorded() {
    let bench = Bench::new("110000");
    let args = [
        MLP,
        "--scenario",
        "throughput",
        "--streams",
        "3",
        "--cuda-graph",
        "--no-transfers",
        "--wait",
        "block",
    ];
    bench.run("", &args).says(0, &["files/mlp/default/throughput"]);
    let calls = bench.calls();
    let call = calls.iter().find(|c| c.contains("--infStreams=3")).expect("a call");
    assert!(!call.contains("--exposeDMA") && call.contains("--noSpinWait --exportTimes"), "{call}");
    let case = &bench.newest().cases["files/mlp/default/throughput"];
    assert_eq!((case.point.streams, case.point.in_flight, case.point.cuda_graph), (3, 2, true));
    assert_eq!((case.mode.transfers, case.mode.wait), (false, Wait::Block));
}

#[test]
fn an_engine_is_built_once_and_for_one_version() {
    let bench = Bench::new("101303");
    bench.run("", &[MLP]).says(0, &[]);
    bench.run("", &[MLP]).says(0, &[]);
    let builds = || bench.calls().iter().filter(|c| c.contains("--skipInference")).count();
    assert_eq!(builds(), 1);
    bench.run("", &[MLP, "--config", "build.trtexec-args=[\"--fp16\"]"]).says(0, &[]);
    assert_eq!(builds(), 2, "other options are another engine");
    let args = bench.newest().cases[ID].engine.build.trtexec_args.clone();
    assert_eq!(args, ["--fp16"]);
    bench.install("110000");
    bench.run("", &[MLP]).says(0, &[]);
    assert_eq!(builds(), 3, "another version is another engine");
}

#[test]
fn options_of_a_run_are_passed_when_it_runs_and_are_part_of_what_is_asked() {
    let bench = Bench::new("110400");
    let definition = |options: &[&str]| {
        let args = format!("build.trtexec-args={options:?}");
        let with: &[&str] = if options.is_empty() { &[] } else { &["--config", &args] };
        bench.run("", &[&[MLP], with].concat()).says(0, &[ID]);
        bench.newest().cases[ID].definition_hash.clone()
    };
    let plain = definition(&[]);
    let green = definition(&["--greenContext=sm:64", "--useDLACore=0"]);
    assert_ne!(plain, green, "a share of the GPU is another question");
    assert_eq!(plain, definition(&["--useDLACore=0"]), "where an engine runs is how it answers");
    let calls = bench.calls();
    let with = |option: &str| -> Vec<bool> {
        calls.iter().filter(|c| c.contains(option)).map(|c| c.contains("--skipInference")).collect()
    };
    assert_eq!(with("--greenContext=sm:64"), [false, false], "only while measuring");
    // Twice: it is built with it, and run with it in two processes.
    assert_eq!(with("--useDLACore=0"), [true, false, false, true, false, false]);
    bench
        .run("", &[MLP, "--config", "build.trtexec-args=[\"--tuneBuildRoutes=-a=[1|2]\"]"])
        .says(2, &["--tuneBuildRoutes", "--setBuildRoute"]);
}

#[test]
fn dynamic_shapes_are_given_when_building_and_running() {
    let bench = Bench::new("101303");
    bench
        .run("", &["encoder.onnx", "--shape", "token_ids:1x12", "--shape", "attention_mask:1x12"])
        .says(0, &[]);
    let calls = bench.calls();
    let build = calls.iter().find(|c| c.contains("--skipInference")).expect("a build");
    for option in ["--minShapes=", "--optShapes=", "--maxShapes="] {
        assert!(build.contains(&format!("{option}'")) && build.contains("'token_ids':1x12"), "{build}");
    }
    assert!(calls.last().expect("a call").contains("--shapes='"), "{calls:#?}");
}

#[test]
fn everything_that_goes_wrong_is_a_row_with_a_reason() {
    let bench = Bench::new("101303");
    for (standin, says) in [
        ("build-fails", &["failed to build an engine (exit code 1)", "no such operator"][..]),
        ("no-plan", &["said that it built an engine and wrote none"]),
        ("crash", &["was ended by signal 11"]),
        ("no-export", &["ended well and exported no times"]),
        ("bad-json", &["export of times is cut off"]),
        ("other-settings", &["ran with another setting than asked for: CUDA graph"]),
    ] {
        bench.run(standin, &[MLP]).says(101, says);
        bench.check_tidy();
    }
    bench.run("no-graph", &[MLP, "--cuda-graph"]).says(101, &["the CUDA graph could not be captured"]);
    bench.run("loud", &[MLP]).says(0, &[ID]);
}

#[test]
fn a_version_that_is_not_known_is_refused() {
    let bench = Bench::new("101303");
    bench.run("no-version", &[MLP]).says(101, &["does not say which TensorRT it is", "usage: trtexec"]);
    bench.run("old", &[MLP]).says(101, &["this is trtexec 8.4.1", "8.5.0 to 11.x"]);
    bench.run("new", &[MLP]).says(101, &["this is trtexec 12.0.0"]);
    fs::remove_file(&bench.program).expect("removed");
    bench.run("", &[MLP]).says(2, &["there is no trtexec", "TRT_PERF_TRTEXEC"]);
}

#[test]
fn what_a_version_cannot_do_is_refused() {
    let bench = Bench::new("110000");
    let fp16 = ["--config", "build.trtexec-args=[\"--fp16\"]"];
    bench
        .run("", &[&[MLP], &fp16[..]].concat())
        .says(2, &["trtexec 11.0.0 has no --fp16", "since 11.0 the types"]);
    bench
        .run("", &[MLP, "--config", "build.trtexec-args=[\"--useCudaGraph\"]"])
        .says(2, &["which this tool sets itself"]);
    bench
        .run("", &[MLP, "--scenario", "throughput", "--in-flight", "3"])
        .says(101, &["keeps one or two requests in flight"]);
    bench.sandbox.copy("reference/mlp/out_scores.npy", "scores.npy");
    bench.run("", &[MLP, "--expect", "scores=scores.npy"]).says(101, &["expect compares outputs"]);
    let on_cpu = [&["run", MLP, "--backend", "cpu"], &fp16[..], &QUICK_ARGS].concat();
    bench
        .sandbox
        .run(".", &on_cpu)
        .says(2, &["the cpu backend has no build option `trtexec-args`", "--backend trtexec"]);
}

fn pid(bench: &Bench, which: &str) -> i32 {
    wait_for("the stand-in", || {
        let path = bench.sandbox.path(format!("calls.{which}"));
        fs::read_to_string(path).ok()?.trim().parse::<i32>().ok()
    })
}

fn ended(pid: i32) {
    wait_for("its end", || state(pid).is_none_or(|(letter, _)| matches!(letter, 'Z' | 'X')).then_some(()));
}

#[test]
fn the_time_limit_ends_the_program_and_what_it_started() {
    let bench = Bench::new("101303");
    bench.run("", &[MLP]).says(0, &[]);
    bench.run("hang", &[MLP, "--time-limit", "500ms"]).says(101, &["did not finish within 500 ms"]);
    ended(pid(&bench, "pid"));
    ended(pid(&bench, "child"));
}

#[test]
fn the_program_and_what_it_started_do_not_outlive_the_tool() {
    let bench = Bench::new("101303");
    let all = [&["run", MLP, "--backend", "trtexec"], &QUICK_ARGS[..]].concat();
    let mut command = bench.sandbox.command(".", &all);
    let mut tool = command
        .env("TRT_PERF_TRTEXEC", &bench.program)
        .env("STANDIN", "hang")
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    let pids = [pid(&bench, "pid"), pid(&bench, "child")];
    kill("KILL", &tool.id().to_string());
    tool.wait().expect("its end");
    pids.into_iter().for_each(ended);
}

#[test]
fn records_of_two_builds_compare() {
    let bench = Bench::new("101303");
    let args = [MLP, "--processes", "5", "--warm-up", "10ms", "--scenario", "latency"];
    bench.run_plain("", &args).says(0, &[]);
    bench.answers_in(0.7);
    // Another engine: one and the same in two sessions is never judged.
    let other = [&args[..], &["--build", "trtexec-args=[\"--fp16\"]"]].concat();
    bench.run_plain("", &other).says(0, &[]);
    let results = bench.sandbox.results("target");
    let [base, head] = [&results[0], &results[1]].map(|p| p.to_str().expect("text"));
    let args = ["compare", base, head, "--fail-on-regression", "--assume-session-sd", "2%"];
    bench.sandbox.run(".", &args).says(100, &["has regressed"]);
}

#[test]
fn two_build_options_are_checked_in_pairs() {
    let bench = Bench::new("101303");
    let model = crate::support::model("mlp", "mlp.onnx");
    bench.sandbox.add_package(".", "demo", &format!("[workspace]\n{model}"));
    let settings = [
        "check",
        "--backend",
        "trtexec",
        "--scenario",
        "latency",
        "--warm-up",
        "10ms",
        "--base-config",
        "seed=1",
        "--head-config",
        "build.trtexec-args=[\"--fp16\"]",
    ];
    let mut command = bench.sandbox.command(".", &settings);
    command.env("TRT_PERF_TRTEXEC", &bench.program).env("STANDIN", "");
    let ran = Ran::of(command);
    ran.says(0, &["what changed: build options"]).silent_on(&["has regressed", "has improved"]);
    let runs = bench.calls().iter().filter(|c| c.contains("--exportTimes")).count();
    assert!(runs >= 6 && runs.is_multiple_of(2), "{runs} runs\n{ran}");
}

#[test]
fn a_gpu_grid_goes_on_without_the_cells_whose_graph_is_refused() {
    let bench = Bench::new("101303");
    let args = ["discover", MLP, "--backend", "trtexec", "--max-latency", "5ms", "--grid", "streams=1,4"];
    let mut command = bench.sandbox.command(".", &[&args[..], &QUICK_ARGS].concat());
    command.env("TRT_PERF_TRTEXEC", &bench.program).env("STANDIN", "no-graph").env("LC_ALL", "C");
    let ran = Ran::of(command);
    ran.says(
        0,
        &[
            "files/mlp  8 cells: streams 1 4 x in flight 1 2 x CUDA graph off on",
            "round 2 of 3: files/mlp, 4 cells",
            "measuring failed (batch 1, 1 stream, CUDA graph and 3 other cells): the CUDA graph could not be captured",
            "winner: batch 1, ",
        ],
    );
    let calls = bench.calls();
    assert!(
        calls.iter().any(|c| c.contains("--infStreams=4") && !c.contains("--exposeDMA")),
        "two in flight"
    );
    assert!(calls.iter().any(|c| c.contains("--useCudaGraph")));
    assert_eq!(calls.iter().filter(|c| c.contains("--saveEngine=")).count(), 1, "one engine for all cells");
    let record = bench.newest();
    let case = &record.cases["files/mlp/default/throughput"];
    let cells = &case.discovery.as_ref().expect("the grid").cells;
    assert!(cells.iter().all(|c| c.score.is_none() == c.cell.point.cuda_graph), "{cells:?}");
    bench.check_tidy();
}

#[test]
fn a_profiler_is_not_put_around_a_program_that_marks_no_requests() {
    let bench = Bench::new("101300");
    stand_in(&bench.sandbox, "good");
    let args = ["profile", MLP, "--scenario", "latency", "--backend", "trtexec"];
    let mut command = bench.sandbox.command(".", &args);
    command.env("TRT_PERF_TRTEXEC", &bench.program).env("NSYS", bench.sandbox.path("bin/nsys"));
    Ran::of(command).says(2, &["trtexec runs its requests itself", "--backend tensorrt"]);
    assert!(bench.calls().iter().all(|call| !call.contains("--saveEngine")), "nothing was built");
}
