//! Loads a new engine once in a process of its own and keeps the kernels that the library compiled for it, so that the
//! measuring processes load what is compiled. The last step of the build phase; nothing is measured but the loading.

use super::read_engine;
use super::tensors::feeds;
use crate::backend::{CompiledKernels, LoadSetup, Loaded, backend};
use crate::case::{Mode, OperatingPoint, Target};
use crate::engine::KernelFile;
use crate::error::Result;
use crate::progress::{Stage, Tell};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Load an engine and keep what is compiled for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WarmJob {
    /// The backend, and where it runs.
    pub target: Target,
    /// The engine's file.
    pub engine: PathBuf,
    /// The engine file must hold exactly this payload.
    pub payload_sha256: String,
    /// The operating point.
    pub point: OperatingPoint,
    /// Which transfers are timed, and how the host waits.
    pub mode: Mode,
    /// Seed of random inputs.
    pub seed: u64,
    /// Files of input tensors, by the input's name; other inputs are random.
    pub inputs: BTreeMap<String, PathBuf>,
    /// Where the kernels go.
    pub kernels: PathBuf,
}

/// The kernels; `None` where the library compiles none.
pub fn run(job: &WarmJob, tell: &mut dyn Tell) -> Result<Option<KernelFile>> {
    let (header, parts) = read_engine(&job.engine, &job.payload_sha256)?;
    let feeds = feeds(&job.inputs, job.seed, &header)?;
    tell.stage(Stage::Load, 0);
    // All contexts of an engine compile the same, and a graph replays it.
    let point = OperatingPoint { streams: 1, cuda_graph: false, ..job.point };
    let setup = LoadSetup { point, mode: job.mode, kernels: CompiledKernels::Keep, memory: None };
    let loaded = backend(&job.target)?.load(&header, parts, &setup, &feeds)?;
    let Loaded::Streams(opened) = loaded else { return Ok(None) };
    let Some(kernels) = &opened.kernels else { return Ok(None) };
    KernelFile::write(&job.kernels, kernels, opened.load_ns).map(Some)
}
