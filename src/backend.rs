//! What can make an engine and answer requests. Two object-safe traits and the only match on [`BackendKind`].
//!
//! `build` and `open` run in workers only: the parent never opens a native inference library.

mod cpu;
mod cuda;
pub mod tensorrt;

use crate::case::OperatingPoint;
use crate::config::{BackendChoice, BuildOptions};
use crate::engine::{EngineHeader, InputSpec};
use crate::error::Result;
use crate::onnx::ModelFile;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A backend that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendKind {
    Cpu,
    Tensorrt,
}

/// What a worker is to use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    pub kind: BackendKind,
    /// The folder of TensorRT's libraries; `None`: searched for.
    pub tensorrt: Option<PathBuf>,
    /// The GPU, by its index.
    pub device: u32,
}

/// What an engine is to be made from.
pub struct BuildRequest<'a> {
    pub model: ModelFile,
    /// Where the model is, for libraries that read its external weights themselves.
    pub path: &'a Path,
    /// The model's inputs with their shapes.
    pub inputs: &'a [InputSpec],
    pub options: &'a BuildOptions,
    /// Is told what is being done, from any thread.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

/// How far a build is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub doing: String,
    pub step: u32,
    /// 0 where nobody knows.
    pub steps: u32,
}

/// A built engine's payload.
pub struct Payload {
    /// Named parts, in order.
    pub parts: Vec<(String, Vec<u8>)>,
    /// What else is worth keeping about the build, in words: hashes of caches, sizes.
    pub facts: BTreeMap<String, String>,
}

/// Makes engines and opens them.
pub trait Backend {
    /// As it stands in records and reports.
    fn name(&self) -> &'static str;

    /// Library and version, such as `rten 0.27.0`; part of the engine inputs.
    fn library(&self) -> Result<String>;

    /// The hardware an engine with these options is for, where it works on no other; part of the engine inputs.
    fn hardware(&self, _options: &BuildOptions) -> Result<Option<String>> {
        Ok(None)
    }

    /// Turns a checked model into an engine's payload. Fails where the backend cannot run the model, and names the
    /// node; and where it does not have an option that is set.
    fn build(&self, request: BuildRequest) -> Result<Payload>;

    /// Loads an engine and prepares one session per stream, with the inputs bound.
    fn open(
        &self,
        engine: &EngineHeader,
        parts: Vec<Vec<u8>>,
        point: &OperatingPoint,
        inputs: &[(String, Tensor)],
    ) -> Result<Opened>;
}

/// A loaded engine.
pub struct Opened {
    /// One per stream.
    pub sessions: Vec<Box<dyn Session>>,
    /// From the engine's bytes in memory to a session that can answer.
    pub load_ns: u64,
}

/// One stream of requests. A request is the whole of [`Session::infer`]: inputs in host memory to outputs in
/// host memory.
pub trait Session: Send {
    fn infer(&mut self) -> Result<()>;

    /// The outputs of the last request, in the order of the engine's output names.
    fn outputs(&self) -> Result<Vec<Tensor>>;
}

/// The backend of this kind.
pub fn backend(target: &Target) -> Box<dyn Backend> {
    match target.kind {
        BackendKind::Cpu => Box::new(cpu::Cpu),
        BackendKind::Tensorrt => Box::new(tensorrt::Tensorrt::new(target)),
    }
}

impl BackendKind {
    /// As it stands in records and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Tensorrt => "tensorrt",
        }
    }
}

/// The embedded library and its version; opens nothing.
pub fn embedded() -> String {
    cpu::library()
}

/// Which backend a choice means here, and why.
pub fn resolve(choice: BackendChoice) -> (BackendKind, &'static str) {
    match choice {
        BackendChoice::Cpu => (BackendKind::Cpu, "asked for"),
        BackendChoice::Tensorrt => (BackendKind::Tensorrt, "asked for"),
        // This version builds with TensorRT, but does not measure with it.
        BackendChoice::Auto => (BackendKind::Cpu, "auto: the only backend that measures"),
    }
}
