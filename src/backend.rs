//! What can make an engine and answer requests. Two object-safe traits and the only match on [`BackendKind`].
//!
//! `build` and `open` run in workers only: the parent never opens a native inference library.

mod cpu;
pub mod cuda;
mod trtexec;

use crate::case::{BackendKind, Mode, OperatingPoint, Target};
use crate::config::BuildOptions;
use crate::device::Gpu;
use crate::engine::{EngineHeader, InputSpec};
use crate::error::{Failure, Result};
use crate::onnx::{self, ModelFile};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// What an engine is to be made from.
pub struct BuildRequest<'a> {
    pub model: ModelFile,
    /// Where the model is, for programs that read it themselves.
    pub path: &'a Path,
    /// The model's inputs with their shapes.
    pub inputs: &'a [InputSpec],
    pub options: &'a BuildOptions,
    /// A folder for files that are needed while building.
    pub scratch: &'a Path,
}

/// Makes engines and opens them.
pub trait Backend {
    /// As it stands in records and reports.
    fn name(&self) -> &'static str;

    /// Library and version, such as `rten 0.27.0`; part of the engine inputs. Fails where it cannot be opened.
    fn library(&self) -> Result<String>;

    /// Reads and checks a model's file.
    fn read(&self, path: &Path) -> Result<ModelFile> {
        onnx::read(path)
    }

    /// The GPUs it can run on, in the order in which it numbers them.
    fn gpus(&self) -> Result<Vec<Gpu>> {
        cuda::gpus()
    }

    /// The hardware an engine with these options is for, where it works on no other; part of the engine inputs.
    fn hardware(&self, _: &BuildOptions) -> Result<Option<String>> {
        Ok(None)
    }

    /// Turns a checked model into the named parts of an engine's payload. Fails where the backend cannot run
    /// the model, and names the node.
    fn build(&self, request: BuildRequest) -> Result<Vec<(String, Vec<u8>)>>;

    /// Itself, where it is a program that measures itself; [`Backend::open`] is not asked then.
    fn program(&self) -> Option<&dyn Program> {
        None
    }

    /// Loads an engine and prepares one session per stream, with the inputs bound.
    fn open(
        &self,
        engine: &EngineHeader,
        parts: Vec<Vec<u8>>,
        setup: &Setup,
        inputs: &[(String, Tensor)],
    ) -> Result<Opened>;
}

/// How an engine is to be run.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub point: OperatingPoint,
    pub mode: Mode,
    /// Whether the GPU times each request with events. Costs host time, so `throughput` goes without.
    pub timed: bool,
}

/// A backend that offers and times its requests itself.
pub trait Program {
    /// One process's worth.
    fn measure(&self, run: &ProgramRun) -> Result<ProgramMeasured>;
}

/// What a program that measures itself is to do.
pub struct ProgramRun<'a> {
    pub engine: &'a EngineHeader,
    pub parts: &'a [Vec<u8>],
    pub setup: &'a Setup,
    pub inputs: &'a [(String, Tensor)],
    pub warm_up_ns: u64,
    pub measure_ns: u64,
    /// A folder for files that are needed while measuring.
    pub scratch: &'a Path,
}

/// What such a program says it measured.
pub struct ProgramMeasured {
    /// In nanoseconds, in time order.
    pub latencies: Vec<u64>,
    /// Time the GPU computed, of the same requests.
    pub compute: Vec<u64>,
    pub times: GpuTimes,
    pub requests_per_s: f64,
    /// 0 where it does not say.
    pub load_ns: u64,
    /// Latencies while warming up; empty where it does not say.
    pub warm_up: Vec<u64>,
}

/// A loaded engine.
pub struct Opened {
    /// One per stream.
    pub sessions: Vec<Box<dyn Session>>,
    /// From the engine's bytes in memory to a session that can answer.
    pub load_ns: u64,
    /// What `load_ns` and getting ready were spent on, in order: name and nanoseconds.
    pub steps: Vec<(String, u64)>,
    /// The GPU it runs on; `None` for `cpu`.
    pub gpu: Option<cuda::Probe>,
}

/// One stream of requests. A request begins with [`Session::submit`] and ends when [`Session::complete`] returns:
/// inputs in host memory to outputs in host memory. Requests complete in the order in which they were submitted.
pub trait Session: Send {
    /// Starts a request. At most the operating point's `in_flight` may be open.
    fn submit(&mut self) -> Result<()>;

    /// Waits for the oldest open request.
    fn complete(&mut self) -> Result<()>;

    /// What the GPU measured of the last completed request, where that was asked for. Apart from
    /// [`Session::complete`], so that asking is not part of the request.
    fn times(&self) -> Result<Option<GpuTimes>> {
        Ok(None)
    }

    /// The outputs of the last completed request, in the order of the engine's output names.
    fn outputs(&self) -> Result<Vec<Tensor>>;
}

/// One request from start to end.
pub fn infer(session: &mut dyn Session) -> Result<()> {
    session.submit()?;
    session.complete()
}

/// The parts of one request, in nanoseconds. All but `enqueue_ns` are differences of two events on the GPU, which
/// resolves about half a microsecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuTimes {
    /// Host time of handing the request to the driver.
    pub enqueue_ns: u64,
    pub h2d_ns: u64,
    pub compute_ns: u64,
    pub d2h_ns: u64,
}

/// The backend of a target.
pub fn backend(target: &Target) -> Box<dyn Backend> {
    match target.kind {
        BackendKind::Cpu => Box::new(cpu::Cpu),
        BackendKind::Cuda => Box::new(cuda::Cuda { gpu: target.gpu }),
        BackendKind::Trtexec => Box::new(trtexec::Trtexec::new(target.gpu)),
    }
}

/// Options that a backend does not have are refused: a number must never claim to be what it is not.
fn no_trtexec_args(options: &BuildOptions, backend: &str) -> Result<()> {
    match options.trtexec_args.first() {
        None => Ok(()),
        Some(arg) => {
            Err(Failure::usage(format!("build.trtexec-args holds {arg}, but the backend is {backend}"))
                .next("take it out, or build with --backend trtexec"))
        }
    }
}

/// Every backend with what it is, or why it cannot be used here.
pub fn known() -> Vec<(String, std::result::Result<String, String>)> {
    let driver = if cuda::driver_present() { "here" } else { "not installed" };
    vec![
        ("cpu".to_owned(), Ok(format!("{} (embedded)", cpu::LIBRARY))),
        (
            "cuda".to_owned(),
            if cuda::driver_present() {
                Ok("a calibration workload of kernels with a set duration, no models".to_owned())
            } else {
                Err("the CUDA driver (libcuda.so.1) is not installed".to_owned())
            },
        ),
        ("trtexec".to_owned(), trtexec::found()),
        (
            "tensorrt".to_owned(),
            Err(format!("not part of this version; the CUDA driver (libcuda) is {driver}")),
        ),
    ]
}
