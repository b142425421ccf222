//! The backends `command` and `gpu-command`: a program of the project's own is measured, as a fresh process each time. It
//! times its requests itself, or each of its runs is one request. `src/guide/command.md` is its protocol.
//!
//! Nobody knows what such a program is made from, so no two builds of one are the same engine: it is always measured.

mod samples;
mod started;

use super::{
    Backend, BuildRequest, LoadSetup, Loaded, Payload, Program, ProgramMeasured, ProgramRun, cuda,
    refuse_options_of_others,
};
use crate::case::{BackendKind, Target, sha256_hex};
use crate::config::{BuildOptions, ProgramOptions};
use crate::device::{Gpu, GpuConditions};
use crate::engine::EngineHeader;
use crate::error::{Failure, FailureKind, Result};
use crate::onnx::ModelFile;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use started::Started;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Fewer whole runs have no median.
const LEAST_RUNS: u64 = 5;

/// Measures programs.
pub struct Command {
    kind: BackendKind,
    gpu: u32,
    lane: bool,
}

/// The payload: how the program is started.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Start {
    folder: PathBuf,
    program: ProgramOptions,
}

impl Command {
    /// The backend of a target; starts nothing yet.
    pub fn new(target: &Target) -> Self {
        Self { kind: target.kind, gpu: target.gpu, lane: target.lane }
    }
}

impl Backend for Command {
    fn library(&self) -> Result<String> {
        Ok("a program".into())
    }

    /// A manifest in the place of a model, with a mark of this build.
    fn read(&self, path: &Path, options: &BuildOptions) -> Result<ModelFile> {
        let folder = path.parent().unwrap_or(Path::new(".")).to_owned();
        let bytes = serde_json::to_vec(&Start { folder, program: program(options)?.clone() })
            .map_err(|e| Failure::new(FailureKind::Format, format!("cannot write down the command: {e}")))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_nanos());
        let once = [&bytes[..], &now.to_le_bytes(), &std::process::id().to_le_bytes()].concat();
        Ok(ModelFile {
            sha256: sha256_hex(&once),
            bytes,
            external: BTreeMap::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            operators: BTreeMap::new(),
        })
    }

    /// Runs what makes the program ready, if anything does.
    fn build(&self, request: BuildRequest) -> Result<Payload> {
        refuse_options_of_others(self.kind, request.options)?;
        let program = program(request.options)?;
        if !program.build.is_empty() {
            let folder = request.path.parent().unwrap_or(Path::new("."));
            Started::run(&program.build, folder, &[])?.ensure_success(FailureKind::Build)?;
        }
        Ok(Payload { parts: vec![("start.json".into(), request.model.bytes)], facts: BTreeMap::new() })
    }

    /// Nothing is loaded: the program does that itself.
    fn load(
        &self,
        _: &EngineHeader,
        parts: Vec<Vec<u8>>,
        _: &LoadSetup,
        _: &[(String, Tensor)],
    ) -> Result<Loaded> {
        let bytes = parts.into_iter().next().unwrap_or_default();
        let start: Start = serde_json::from_slice(&bytes)
            .map_err(|e| Failure::new(FailureKind::Format, format!("the engine holds no command: {e}")))?;
        let gpu = match self.kind.on_gpu() {
            true => cuda::gpus()?.into_iter().nth(self.gpu as usize),
            false => None,
        };
        let visible = std::env::var(VISIBLE).ok();
        let only = self.lane.then(|| numbered(visible.as_deref(), self.gpu)).transpose()?;
        Ok(Loaded::Program(Box::new(Ready { start, gpu, only })))
    }
}

/// The program that the options name.
fn program(options: &BuildOptions) -> Result<&ProgramOptions> {
    options.program.as_ref().ok_or_else(|| {
        Failure::usage("this backend measures a program, and none is configured")
            .next("write how it is started into the model's table: run = [\"python3\", \"infer.py\"]")
    })
}

/// What CUDA reads which GPUs a program may use from.
const VISIBLE: &str = "CUDA_VISIBLE_DEVICES";

/// What names one device in [`VISIBLE`]: of those that `visible` names, if it is set, the one at this place.
fn numbered(visible: Option<&str>, number: u32) -> Result<String> {
    let Some(visible) = visible.filter(|text| !text.trim().is_empty()) else { return Ok(number.to_string()) };
    visible.split(',').nth(number as usize).map(|name| name.trim().to_owned()).ok_or_else(|| {
        Failure::usage(format!("{VISIBLE}={visible} names no device {number}; they are counted from 0"))
            .next("name others with --devices")
    })
}

/// A program that is ready to be started.
struct Ready {
    start: Start,
    gpu: Option<Gpu>,
    /// The one device that it may use, as [`VISIBLE`] names it; all where it is no lane.
    only: Option<String>,
}

impl Program for Ready {
    fn measure(&self, run: &ProgramRun) -> Result<ProgramMeasured> {
        let before = self.conditions();
        let measured = if self.start.program.whole { self.whole(run)? } else { self.timing_itself(run)? };
        Ok(ProgramMeasured { gpu: before.zip(self.conditions()).map(<[GpuConditions; 2]>::from), ..measured })
    }
}

impl Ready {
    /// The GPU's state, from outside; `None` where the program is not said to use one. It is not running, and this
    /// process has nothing on the GPU: whoever computes there is another.
    fn conditions(&self) -> Option<GpuConditions> {
        let gpu = self.gpu.as_ref()?;
        #[cfg(feature = "tensorrt")]
        let seen = gpu.uuid.as_deref().and_then(crate::device::Monitor::open).map(|m| m.conditions(0));
        #[cfg(not(feature = "tensorrt"))]
        let seen = gpu.uuid.as_ref().and(None);
        Some(seen.unwrap_or_default())
    }

    /// Runs the program to a good end, with these variables.
    fn run(&self, mut variables: Vec<(&str, String)>) -> Result<Started> {
        variables.extend(self.only.iter().map(|only| (VISIBLE, only.clone())));
        let ran = Started::run(&self.start.program.run, &self.start.folder, &variables)?;
        ran.ensure_success(FailureKind::Measure)?;
        Ok(ran)
    }

    /// One process, which leaves its latencies.
    fn timing_itself(&self, run: &ProgramRun) -> Result<ProgramMeasured> {
        std::fs::create_dir_all(run.scratch)
            .map_err(|e| Failure::io("create the folder", run.scratch, &e))?;
        let folder = tempfile::Builder::new()
            .prefix(".tmp-program")
            .tempdir_in(run.scratch)
            .map_err(|e| Failure::io("create a folder in", run.scratch, &e))?;
        let file = std::path::absolute(folder.path().join("samples.npy"))
            .map_err(|e| Failure::io("find", folder.path(), &e))?;
        let ran = self.run(vec![
            ("TRT_PERF_SAMPLES", file.display().to_string()),
            ("TRT_PERF_WARM_UP_NS", run.warm_up_ns.to_string()),
            ("TRT_PERF_MEASURE_NS", run.measure_ns.to_string()),
            ("TRT_PERF_LEAST_REQUESTS", run.least_requests.to_string()),
            ("TRT_PERF_MOST_NS", run.most_ns.to_string()),
            ("TRT_PERF_SEED", run.seed.to_string()),
        ])?;
        let latencies = samples::of(&file, &ran.out, &ran.name())?;
        Ok(measured(latencies, Vec::new()))
    }

    /// One process after the other, each of them a request.
    fn whole(&self, run: &ProgramRun) -> Result<ProgramMeasured> {
        let warm_up = self.runs(run.warm_up_ns, 1, run)?;
        let latencies = self.runs(run.measure_ns, run.least_requests.max(LEAST_RUNS), run)?;
        Ok(measured(latencies, warm_up))
    }

    /// As many runs as fit in the time, at least so many.
    fn runs(&self, time_ns: u64, least: u64, run: &ProgramRun) -> Result<Vec<u64>> {
        let began = Instant::now();
        let (time, most) = (Duration::from_nanos(time_ns), Duration::from_nanos(run.most_ns));
        let mut latencies = Vec::new();
        while began.elapsed() < time || ((latencies.len() as u64) < least && began.elapsed() < most) {
            latencies.push(self.run(vec![("TRT_PERF_SEED", run.seed.to_string())])?.ns);
        }
        Ok(latencies)
    }
}

/// Requests that followed each other.
fn measured(latencies: Vec<u64>, warm_up: Vec<u64>) -> ProgramMeasured {
    let total: f64 = latencies.iter().map(|ns| *ns as f64).sum();
    ProgramMeasured {
        requests_per_s: latencies.len() as f64 * 1e9 / total.max(1.0),
        latencies,
        compute: Vec::new(),
        times: None,
        gpu: None,
        load_ns: 0,
        warm_up,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_one_of_the_devices_that_are_visible() {
        assert_eq!(numbered(None, 3), Ok("3".to_owned()));
        assert_eq!(numbered(Some("5, GPU-8a7c"), 1), Ok("GPU-8a7c".to_owned()));
        let refused = numbered(Some("5"), 1).unwrap_err().to_string();
        assert!(refused.contains("CUDA_VISIBLE_DEVICES=5 names no device 1"), "{refused}");
    }
}
