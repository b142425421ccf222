//! What every job says that loads an engine: which one, how it is run, and with which inputs.

use super::tensors;
use crate::backend::{CompiledKernels, LoadSetup};
use crate::case::{Mode, OperatingPoint, Target};
use crate::engine::{self, EngineHeader, KernelFile};
use crate::error::{Failure, FailureKind, Result};
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// An engine to load.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LoadJob {
    /// The backend, and where it runs.
    pub target: Target,
    /// The engine's file.
    pub engine: PathBuf,
    /// The engine file must hold exactly this payload.
    pub payload_sha256: String,
    /// The operating point.
    pub point: OperatingPoint,
    /// Which transfers are part of a request, and how the host waits.
    pub mode: Mode,
    /// What an earlier process compiled for the engine; `None`: it is compiled while loading, or there is nothing to.
    pub kernels: Option<KernelFile>,
    /// Seed of random inputs and arrivals.
    pub seed: u64,
    /// Files of input tensors, by the input's name; other inputs are random.
    pub inputs: BTreeMap<String, PathBuf>,
}

impl LoadJob {
    /// The engine in its file, which must be the one with this payload.
    pub(super) fn read(&self) -> Result<(EngineHeader, Vec<Vec<u8>>)> {
        let (header, parts) = engine::read(&self.engine)?;
        if header.payload_sha256 == self.payload_sha256 {
            return Ok((header, parts));
        }
        let what = format!("the engine {} is not the one that was built for this run", self.engine.display());
        Err(Failure::new(FailureKind::Format, what)
            .next("run again; do not change engine files while it runs"))
    }

    /// The inputs that the engine is fed.
    pub(super) fn feeds(&self, header: &EngineHeader) -> Result<Vec<(String, Tensor)>> {
        tensors::feeds(&self.inputs, self.seed, header)
    }

    /// How it is loaded, with no memory traced.
    pub(super) fn setup(&self) -> Result<LoadSetup> {
        let kernels = match &self.kernels {
            Some(file) => CompiledKernels::Kept(file.kernels()?),
            None => CompiledKernels::Compile,
        };
        Ok(LoadSetup { point: self.point, mode: self.mode, kernels, memory: None })
    }
}
