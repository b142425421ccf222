//! What parent and worker send to each other: one job on the worker's standard input, then one JSON message a line on
//! its duplicated standard output. Raw samples travel as files, not through the pipe.

use crate::backend::Looked;
use crate::build::BuildJob;
use crate::case::{BackendKind, Target};
use crate::device::Gpu;
use crate::engine::{Built, KernelFile};
use crate::error::Failure;
use crate::measure::{MeasureJob, MemoryFound, MemoryJob, ProfileJob, WarmJob};
use crate::measured::{Measured, ProfiledRun};
use crate::onnx::ModelInput;
use crate::prepare::PrepareJob;
use crate::progress::Stage;
use crate::tool::ToolJob;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Parent and worker are the same executable, but for one that a profiler started by its path, which may have been replaced.
pub const PROTOCOL: u32 = 1;

// There is one per process, so its size does not matter.
/// What a worker is to do; it does one job and exits.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// Which GPUs the backend has here.
    Gpus(Target),
    /// Build an engine, or find it in the cache.
    Build(BuildJob),
    /// Load an engine, and keep what is compiled for it.
    Warm(WarmJob),
    /// Measure an engine.
    Measure(MeasureJob),
    /// Load an engine and tell what memory it takes.
    Memory(MemoryJob),
    /// Which inputs an ONNX file declares.
    Inputs(PathBuf),
    /// Offer requests while a profiler watches.
    Profile(ProfileJob),
    /// Run another program.
    Tool(ToolJob),
    /// Run a project's own command.
    Prepare(PrepareJob),
    /// Look for TensorRT and open it: the folder, or `None` to search.
    Probe(Option<PathBuf>),
}

impl Job {
    /// Whether the worker starts other programs, which must end with it.
    pub fn starts_programs(&self) -> bool {
        let by_program = |target: &Target| target.kind.is_command() || target.kind == BackendKind::Trtexec;
        match self {
            Self::Build(job) => by_program(&job.target),
            Self::Measure(job) => by_program(&job.load.target),
            Self::Tool(_) | Self::Prepare(_) => true,
            Self::Gpus(_)
            | Self::Warm(_)
            | Self::Memory(_)
            | Self::Inputs(_)
            | Self::Profile(_)
            | Self::Probe(_) => false,
        }
    }
}

/// Where TensorRT was looked for, and what was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// Every place, in order.
    pub looked: Vec<Looked>,
    /// The library that would be used, with its version, or why there is none.
    pub library: Result<String, Failure>,
}

/// One line from the worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkerMessage {
    /// The first message.
    Hello {
        /// The worker's [`PROTOCOL`].
        protocol: u32,
        /// The worker's process id.
        pid: u32,
    },
    /// A stage begins; `expected_ns` is how long it will take at least, 0 where nobody knows.
    Stage {
        /// The stage that begins.
        stage: Stage,
        /// How long it takes at least, in nanoseconds.
        expected_ns: u64,
    },
    /// In the backend's order, which is CUDA's.
    Gpus(Vec<Gpu>),
    /// The answer to [`Job::Build`].
    Built(Box<Built>),
    /// The answer to [`Job::Warm`].
    Warmed(Option<KernelFile>),
    /// The answer to [`Job::Measure`].
    Measured(Box<Measured>),
    /// The answer to [`Job::Memory`].
    Memory(Box<MemoryFound>),
    /// The answer to [`Job::Inputs`].
    Inputs(Vec<ModelInput>),
    /// The answer to [`Job::Profile`].
    Profiled(ProfiledRun),
    /// The program came to a good end.
    ToolEnded,
    /// The command came to its end.
    Prepared,
    /// Within the build stage: what the library is doing, and how far it is (`steps` is 0 where nobody knows).
    Progress {
        /// What is being done.
        doing: String,
        /// Steps done.
        step: u32,
        /// Steps in all.
        steps: u32,
    },
    /// The answer to [`Job::Probe`].
    Probed(Probed),
    /// The job failed.
    Failed(Failure),
}
