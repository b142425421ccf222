//! Loads a new engine once in a process of its own and keeps the kernels that the library compiled for it, so that the
//! measuring processes load what is compiled. The last step of the build phase; nothing is measured but the loading.

use super::load::LoadJob;
use crate::backend::{CompiledKernels, LoadSetup, Loaded, backend};
use crate::case::OperatingPoint;
use crate::engine::KernelFile;
use crate::error::Result;
use crate::progress::{Stage, Tell};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Load an engine and keep what is compiled for it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct WarmJob {
    /// The engine.
    pub load: LoadJob,
    /// Where the kernels go.
    pub kernels: PathBuf,
}

/// The kernels; `None` where the library compiles none.
pub fn run(job: &WarmJob, tell: &mut dyn Tell) -> Result<Option<KernelFile>> {
    let (header, parts) = job.load.read()?;
    let feeds = job.load.feeds(&header)?;
    tell.stage(Stage::Load, 0);
    // All contexts of an engine compile the same, and a graph replays it.
    let point = OperatingPoint { streams: 1, cuda_graph: false, ..job.load.point };
    let setup = LoadSetup { point, mode: job.load.mode, kernels: CompiledKernels::Keep, memory: None };
    let loaded = backend(&job.load.target)?.load(&header, parts, &setup, &feeds)?;
    let Loaded::Streams(opened) = loaded else { return Ok(None) };
    let Some(kernels) = &opened.kernels else { return Ok(None) };
    KernelFile::write(&job.kernels, kernels, opened.load_ns).map(Some)
}
