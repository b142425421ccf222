//! The backends: each builds engines and loads them. A loaded engine is either a set of streams, to which we send
//! requests and time them, or a program that measures itself.
//!
//! [`backend`] is the only place that turns a [`BackendKind`] into a backend. [`Backend::build`] and [`Backend::load`]
//! run in workers only: the parent does not open a native inference library.

#[cfg(not(feature = "tensorrt"))]
mod absent;
mod command;
pub mod counting;
#[cfg(feature = "cpu")]
mod cpu;
#[cfg(feature = "tensorrt")]
pub mod cuda;
#[cfg(feature = "tensorrt")]
pub mod tensorrt;
pub mod trace;
#[cfg(feature = "tensorrt")]
mod trtexec;

#[cfg(not(feature = "tensorrt"))]
use absent as cuda;
#[cfg(not(feature = "tensorrt"))]
pub use absent::{nvtx, probe_tensorrt, tensorrt_is_here, trtexec_found};
#[cfg(feature = "tensorrt")]
pub use cuda::nvtx;
#[cfg(feature = "tensorrt")]
pub use tensorrt::{is_here as tensorrt_is_here, probe as probe_tensorrt};
#[cfg(feature = "tensorrt")]
pub use trtexec::found as trtexec_found;

use crate::case::{BackendKind, Mode, OperatingPoint, Target};
use crate::config::BuildOptions;
use crate::device::{Gpu, GpuConditions};
use crate::engine::{EngineHeader, InputSpec};
use crate::error::{Failure, Result};
use crate::layers::EngineLayers;
use crate::measured::GpuTimes;
use crate::onnx::{self, ModelFile};
use crate::progress::Progress;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use trace::MemoryTrace;

/// What an engine is to be made from.
pub struct BuildRequest<'a> {
    /// The checked model.
    pub model: ModelFile,
    /// Where the model is, for libraries and programs that read it, or its external weights, themselves.
    pub path: &'a Path,
    /// The model's inputs with their shapes.
    pub inputs: &'a [InputSpec],
    /// The build options of the case.
    pub options: &'a BuildOptions,
    /// A folder for files that are needed while building.
    pub scratch: &'a Path,
    /// What is told of memory, where the build is traced.
    pub memory: Option<Arc<MemoryTrace>>,
    /// Is told what is being done, from any thread.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// A built engine's payload.
pub struct Payload {
    /// Named parts, in order.
    pub parts: Vec<(String, Vec<u8>)>,
    /// What else is worth keeping about the build, in words: hashes of caches, sizes.
    pub facts: BTreeMap<String, String>,
}

/// Builds engines and loads them.
pub trait Backend {
    /// Library and version, such as `rten 0.27.0`; part of the engine inputs. Fails where it cannot be opened.
    fn library(&self) -> Result<String>;

    /// Reads and checks a model's file; what has to be loaded for that is loaded with these options.
    fn read(&self, path: &Path, _options: &BuildOptions) -> Result<ModelFile> {
        onnx::read(path)
    }

    /// The GPUs it can run on, in the order in which it numbers them.
    fn gpus(&self) -> Result<Vec<Gpu>> {
        cuda::gpus()
    }

    /// The hardware an engine with these options is for, where it works on no other; part of the engine inputs.
    fn hardware(&self, _options: &BuildOptions) -> Result<Option<String>> {
        Ok(None)
    }

    /// Turns a checked model into an engine's payload. Fails where the backend cannot run the model, and names the
    /// node; and where it does not have an option that is set.
    fn build(&self, request: BuildRequest) -> Result<Payload>;

    /// Loads an engine, with the inputs bound.
    fn load(
        &self,
        engine: &EngineHeader,
        parts: Vec<Vec<u8>>,
        setup: &LoadSetup,
        inputs: &[(String, Tensor)],
    ) -> Result<Loaded>;
}

/// How an engine is to be run.
#[derive(Clone, Debug)]
pub struct LoadSetup {
    /// The operating point: batch, streams, requests in flight, CUDA graph.
    pub point: OperatingPoint,
    /// Which transfers are timed, and how the host waits.
    pub mode: Mode,
    /// Where the kernels come from that a library compiles while it loads.
    pub kernels: CompiledKernels,
    /// What is told of memory, in a memory run; `None`: nothing is traced.
    pub memory: Option<Arc<MemoryTrace>>,
}

impl LoadSetup {
    /// In a memory run: the next phase begins.
    #[cfg(any(feature = "cpu", feature = "tensorrt"))]
    fn phase(&self, phase: crate::memory::MemoryPhase) {
        if let Some(trace) = &self.memory {
            trace.begin(phase);
        }
    }
}

/// TensorRT-RTX finishes compiling an engine's kernels in every process that loads it, unless it is given those of an
/// earlier one. Other libraries compile nothing then.
#[derive(Clone, Debug, Default)]
pub enum CompiledKernels {
    /// Compiled now, for this process only.
    #[default]
    Compile,
    /// Compiled now, and given back in [`Opened::kernels`].
    Keep,
    /// Those of an earlier process.
    Kept(Vec<u8>),
}

/// A loaded engine.
pub enum Loaded {
    /// We offer the requests and time them.
    Streams(Box<Opened>),
    /// A program offers its requests and times them itself.
    Program(Box<dyn Program>),
}

/// A loaded engine that offers and times its requests itself.
pub trait Program {
    /// One process's worth.
    fn measure(&self, run: &ProgramRun) -> Result<ProgramMeasured>;
}

/// What a program that measures itself is to do.
pub struct ProgramRun<'a> {
    /// How long to warm up, in nanoseconds.
    pub warm_up_ns: u64,
    /// How long to measure, in nanoseconds.
    pub measure_ns: u64,
    /// It goes on until it answered so many requests; 0 where only the time counts.
    pub least_requests: u64,
    /// But not longer than this, in nanoseconds.
    pub most_ns: u64,
    /// The case's seed.
    pub seed: u64,
    /// A folder for files that are needed while measuring.
    pub scratch: &'a Path,
}

/// What such a program says it measured.
pub struct ProgramMeasured {
    /// In nanoseconds, in time order.
    pub latencies: Vec<u64>,
    /// Time the GPU computed, of the same requests.
    pub compute: Vec<u64>,
    /// Medians of the parts of a request; `None` where it does not say.
    pub times: Option<GpuTimes>,
    /// The GPU before and after; `None` where there is none.
    pub gpu: Option<[GpuConditions; 2]>,
    /// Requests per second over all streams.
    pub requests_per_s: f64,
    /// 0 where it does not say.
    pub load_ns: u64,
    /// Latencies while warming up; empty where it does not say.
    pub warm_up: Vec<u64>,
}

/// The streams of a loaded engine.
pub struct Opened {
    /// As many as the operating point has.
    pub streams: Vec<Box<dyn Stream>>,
    /// From the engine's bytes in memory to a stream that can answer.
    pub load_ns: u64,
    /// What `load_ns` and getting ready were spent on, in order: name and nanoseconds.
    pub steps: Vec<(String, u64)>,
    /// What the first stream answered before its graph was captured; `None` where it replays none.
    pub plain: Option<Vec<Tensor>>,
    /// The GPU it runs on; `None` for `cpu`.
    pub gpu: Option<cuda::GpuProbe>,
    /// What was compiled, where the library compiles while it loads and was to keep it ([`CompiledKernels::Keep`]).
    pub kernels: Option<Vec<u8>>,
    /// What is to be said of the loading.
    pub note: Option<String>,
}

/// One stream of requests. A request begins with [`Stream::submit`] and ends when [`Stream::complete`] returns:
/// inputs in host memory to outputs in host memory. Requests complete in the order in which they were submitted.
pub trait Stream: Send {
    /// Starts a request. At most the operating point's `in_flight` may be open.
    fn submit(&mut self) -> Result<()>;

    /// Waits for the oldest open request.
    fn complete(&mut self) -> Result<()>;

    /// Whether the oldest open request is done, without waiting; if so, it counts as completed. Only where one is open.
    /// As it stands here it completes the request, which is right where [`Stream::submit`] is all of it.
    fn poll(&mut self) -> Result<bool> {
        self.complete().map(|()| true)
    }

    /// One request whose parts the GPU times by itself, with no other in flight; `None` where there is no GPU. Never
    /// in the pass that the host times: events and the wait for a complete launch would be part of the latency.
    fn timed(&mut self) -> Result<Option<GpuTimes>> {
        Ok(None)
    }

    /// From now on the library marks nothing for profilers; as it stands here, it never does.
    fn mark_nothing(&mut self) -> Result<()> {
        Ok(())
    }

    /// Captures the work as a CUDA graph, which the requests that follow replay. Only where none is in flight.
    fn capture(&mut self) -> Result<()> {
        Err(Failure::usage("a CUDA graph needs a GPU"))
    }

    /// Lets the library time each layer of the requests of [`Stream::layers`]; what the engine tells of them. That makes
    /// requests slower, so no other pass follows. `None` where the library times none.
    fn look_into(&mut self) -> Result<Option<EngineLayers>> {
        Ok(None)
    }

    /// From now on requests enqueue their work, where they replayed a CUDA graph; whether they did.
    fn forget_graph(&mut self) -> bool {
        false
    }

    /// One request, with no other in flight: name of each layer that ran and its time in milliseconds, as the library
    /// tells them. Only after [`Stream::look_into`].
    fn layers(&mut self) -> Result<Vec<(String, f32)>> {
        Ok(Vec::new())
    }

    /// The outputs of the last completed request, in the order of the engine's output names.
    fn outputs(&self) -> Result<Vec<Tensor>>;
}

/// One request from start to end.
pub fn infer(stream: &mut dyn Stream) -> Result<()> {
    stream.submit()?;
    stream.complete()
}

/// The facts of a built engine that hold what the builder warned of have this name.
pub const WARNINGS: &str = "warnings";

/// A place that was looked at, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// The folder, or how the loader was asked.
    pub place: String,
    /// What is there.
    pub found: String,
}

/// The backend of a target. Fails where this program was built without it.
pub fn backend(target: &Target) -> Result<Box<dyn Backend>> {
    match target.kind {
        #[cfg(feature = "cpu")]
        BackendKind::Cpu => Ok(Box::new(cpu::Cpu)),
        #[cfg(feature = "tensorrt")]
        BackendKind::Cuda => Ok(Box::new(cuda::Cuda { gpu: target.gpu })),
        #[cfg(feature = "tensorrt")]
        BackendKind::Tensorrt => Ok(Box::new(tensorrt::Tensorrt::new(target))),
        #[cfg(feature = "tensorrt")]
        BackendKind::Trtexec => Ok(Box::new(trtexec::Trtexec::new(target))),
        BackendKind::Command | BackendKind::GpuCommand => Ok(Box::new(command::Command::new(target))),
        #[cfg(not(all(feature = "cpu", feature = "tensorrt")))]
        other => Err(not_in_this_build(other)),
    }
}

/// The failure of a backend that the features of this program leave out.
#[cfg(not(all(feature = "cpu", feature = "tensorrt")))]
fn not_in_this_build(kind: BackendKind) -> Failure {
    let feature = if kind == BackendKind::Cpu { "cpu" } else { "tensorrt" };
    Failure::usage(format!(
        "the {} backend is not in this program: it was built without the feature `{feature}`",
        kind.word()
    ))
    .next(format!("install it with `cargo install cargo-trt-perf --features {feature}`"))
}

/// Options of the build that only another backend has are never dropped silently.
fn refuse_options_of_others(backend: BackendKind, options: &BuildOptions) -> Result<()> {
    let tensorrt = options.tensorrt.keys().first().copied().map(|key| (key, BackendKind::Tensorrt));
    let trtexec = (!options.trtexec_args.is_empty()).then_some(("trtexec-args", BackendKind::Trtexec));
    match tensorrt.into_iter().chain(trtexec).find(|(_, of)| *of != backend) {
        None => Ok(()),
        Some((key, of)) => {
            let next = match backend.is_command() {
                true => "take it out; how a program is built is a command: build = [\"make\"]".to_owned(),
                false => format!("take it out, or build with --backend {}", of.word()),
            };
            Err(Failure::usage(format!("the {} backend has no build option `{key}`", backend.word()))
                .next(next))
        }
    }
}

/// For `doctor`: the embedded library and its version; opens nothing.
pub fn embedded() -> std::result::Result<String, String> {
    #[cfg(feature = "cpu")]
    return Ok(format!("{} (embedded)", cpu::LIBRARY));
    #[cfg(not(feature = "cpu"))]
    return Err(not_in_this_build(BackendKind::Cpu).message);
}
