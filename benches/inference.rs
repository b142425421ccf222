//! Latency of one inference in our cpu backend against ONNX Runtime's on the sample models: the median request of a
//! fresh process each, in turns, on the same inputs.
//!
//! ```text
//! python3 -m venv .venv
//! .venv/bin/pip install -r tests/models/requirements.txt
//! TRT_PERF_PYTHON=.venv/bin/python cargo bench --bench inference
//! ```
//!
//! Ours is `cargo trt-perf run` itself: engine built in one process, loaded and measured in another. Without
//! ONNX Runtime only ours is shown. `cargo bench --bench inference -- cnn` measures models whose name contains `cnn`.

use serde_json::Value;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use trt_perf::tensor::read_npy;
use trt_perf::units::time;

/// Of ours and theirs; who goes first alternates, so that drift of the machine is no advantage to either.
const ROUNDS: usize = 4;
const THREADS: [usize; 2] = [1, 2];
/// Options of criterion that take a value: `cargo bench -- OPTION VALUE` reaches this target too.
const WITH_VALUE: [&str; 7] = [
    "--save-baseline",
    "--baseline",
    "--load-baseline",
    "--sample-size",
    "--warm-up-time",
    "--measurement-time",
    "--color",
];

/// A sample model at the shapes of a reference case.
struct Sample {
    name: &'static str,
    model: PathBuf,
    inputs: Vec<(&'static str, PathBuf)>,
}

fn samples() -> [Sample; 4] {
    let sample = |name, model: &str, reference: &str, inputs: &[&'static str]| {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models");
        let file = |input: &&'static str| {
            (*input, models.join("reference").join(reference).join(format!("in_{input}.npy")))
        };
        Sample { name, model: models.join(model), inputs: inputs.iter().map(file).collect() }
    };
    [
        sample("mlp", "mlp.onnx", "mlp", &["features"]),
        sample("cnn, batch 1", "cnn.onnx", "cnn", &["image"]),
        sample("cnn, batch 4", "cnn.onnx", "cnn_batch4", &["image"]),
        sample("encoder", "encoder.onnx", "encoder", &["token_ids", "attention_mask"]),
    ]
}

/// How long a process measures.
struct Effort {
    rounds: usize,
    threads: &'static [usize],
    warm_up: &'static str,
    measure_s: f64,
}

const FULL: Effort = Effort { rounds: ROUNDS, threads: &THREADS, warm_up: "300ms", measure_s: 0.5 };
const SMOKE_TEST: Effort = Effort { rounds: 1, threads: &[1], warm_up: "0ms", measure_s: 0.02 };

/// The command's standard output, or what it said instead.
fn output_of(command: &mut Command) -> Result<String, Box<dyn Error>> {
    let output = command.output().map_err(|e| format!("{}: {e}", command.get_program().to_string_lossy()))?;
    if output.status.success() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        let said =
            String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
        Err(said.trim().into())
    }
}

/// Nanoseconds of the median request in one fresh measuring process, started from `folder`.
fn ours(sample: &Sample, threads: usize, effort: &Effort, folder: &Path) -> Result<f64, Box<dyn Error>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cargo-trt-perf"));
    // Outside of any Cargo project the target folder is the current one's.
    command.current_dir(folder).env_remove("CARGO_TARGET_DIR").arg("run").arg(&sample.model);
    for (name, path) in &sample.inputs {
        let dims: Vec<String> = read_npy(path)?.shape.iter().map(ToString::to_string).collect();
        command.arg("--shape").arg(format!("{name}:{}", dims.join("x")));
        command.arg("--input").arg(format!("{name}={}", path.display()));
    }
    command.args([
        "--backend",
        "cpu",
        "--scenario",
        "latency",
        "--processes",
        "1",
        "--message-format",
        "json",
    ]);
    command.args(["--warm-up", effort.warm_up, "--measure", &format!("{}ms", effort.measure_s * 1e3)]);
    command.args(["--threads", &threads.to_string()]);
    let lines = output_of(&mut command)?;
    lines
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|message| message["reason"] == "process")
        .and_then(|message| message["p50_ns"].as_f64())
        .ok_or_else(|| "no measured process".into())
}

struct OnnxRuntime {
    python: PathBuf,
    version: String,
}

impl OnnxRuntime {
    fn find() -> Result<Self, Box<dyn Error>> {
        let python: PathBuf = std::env::var_os("TRT_PERF_PYTHON").unwrap_or_else(|| "python3".into()).into();
        let mut command = Command::new(&python);
        let version =
            output_of(command.args(["-c", "import numpy, onnxruntime; print(onnxruntime.__version__)"]))?;
        Ok(Self { version: version.trim().to_owned(), python })
    }

    /// Nanoseconds of the median inference in one fresh process.
    fn theirs(&self, sample: &Sample, threads: usize, effort: &Effort) -> Result<f64, Box<dyn Error>> {
        let mut command = Command::new(&self.python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/ort_latency.py"));
        command.args(["--threads", &threads.to_string(), "--seconds", &effort.measure_s.to_string()]);
        command.arg(&sample.model);
        for (name, path) in &sample.inputs {
            command.arg("--input").arg(format!("{name}={}", path.display()));
        }
        let answer: Value = serde_json::from_str(&output_of(&mut command)?)?;
        answer["p50_ns"].as_f64().ok_or_else(|| "no p50_ns".into())
    }
}

/// The row of one model: each round's times, and their ratio, which has the machine of one moment.
fn row(
    sample: &Sample,
    threads: usize,
    effort: &Effort,
    runtime: Option<&OnnxRuntime>,
    folder: &Path,
) -> Result<String, Box<dyn Error>> {
    let (mut all_ours, mut all_theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..effort.rounds {
        let run_theirs = || runtime.map(|r| r.theirs(sample, threads, effort)).transpose();
        let theirs_first = round % 2 == 1;
        let before = if theirs_first { run_theirs()? } else { None };
        let ours = ours(sample, threads, effort, folder)?;
        let theirs = if theirs_first { before } else { run_theirs()? };
        all_ours.push(ours);
        all_theirs.extend(theirs);
        ratios.extend(theirs.map(|t| ours / t));
    }
    let shown = |times: Vec<f64>| median(times).map_or_else(|| "–".to_owned(), time);
    let (low, high) = (ratios.iter().copied().reduce(f64::min), ratios.iter().copied().reduce(f64::max));
    let ratio = match (median(ratios), low, high) {
        (Some(ratio), Some(low), Some(high)) => format!("{ratio:.2} ({low:.2}–{high:.2})"),
        _ => "–".to_owned(),
    };
    Ok(line(sample.name, &threads.to_string(), &shown(all_ours), &shown(all_theirs), &ratio))
}

fn line(model: &str, threads: &str, ours: &str, theirs: &str, ratio: &str) -> String {
    format!("{model:<14} {threads:>7}  {ours:>12}  {theirs:>16}  {ratio}")
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    let lower = (values.len().checked_sub(1)?) / 2;
    Some((values.get(lower)? + values.get(upper)?) / 2.0)
}

/// Names asked for on the command line.
fn filters() -> Vec<String> {
    let mut args = std::env::args().skip(1);
    let mut filters = Vec::new();
    while let Some(arg) = args.next() {
        if WITH_VALUE.contains(&arg.as_str()) {
            args.next();
        } else if !arg.starts_with('-') {
            filters.push(arg);
        }
    }
    filters
}

fn main() -> ExitCode {
    let has = |option: &str| std::env::args().any(|arg| arg == option);
    let filters = filters();
    let mut samples = Vec::from(samples());
    samples.retain(|s| filters.is_empty() || filters.iter().any(|f| s.name.contains(f.as_str())));
    if has("--list") {
        samples.iter().for_each(|s| println!("inference {}: benchmark", s.name));
        return ExitCode::SUCCESS;
    }
    if samples.is_empty() {
        return ExitCode::SUCCESS;
    }
    // As criterion: `cargo bench` says --bench, everything else only wants to know that it runs.
    let effort = if has("--test") || !has("--bench") { SMOKE_TEST } else { FULL };
    match table(&samples, &effort) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("inference: {e}");
            ExitCode::FAILURE
        }
    }
}

fn table(samples: &[Sample], effort: &Effort) -> Result<(), Box<dyn Error>> {
    let runtime = match OnnxRuntime::find() {
        Ok(runtime) => Some(runtime),
        Err(e) => {
            let last = e.to_string().lines().last().unwrap_or_default().to_owned();
            println!("SKIPPED: the ratio to ONNX Runtime, which cannot be imported ({last});");
            println!(
                "         set TRT_PERF_PYTHON to a Python that has tests/models/requirements.txt installed"
            );
            None
        }
    };
    let folder = tempfile::tempdir()?;
    let theirs = runtime.as_ref().map_or_else(|| "ORT p50".to_owned(), |r| format!("ORT {} p50", r.version));
    println!("{}", line("model", "threads", "ours p50", &theirs, "ratio (lowest–highest of the rounds)"));
    for sample in samples {
        for threads in effort.threads {
            println!("{}", row(sample, *threads, effort, runtime.as_ref(), folder.path())?);
        }
    }
    Ok(())
}
