//! What can make an engine and answer requests. Two object-safe traits and the only match on [`BackendKind`].
//!
//! `build` and `open` run in workers only: the parent never opens a native inference library.

mod cpu;
mod cuda;

use crate::case::OperatingPoint;
use crate::config::{BackendChoice, BuildOptions};
use crate::engine::EngineHeader;
use crate::error::Result;
use crate::onnx::ModelFile;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// A backend that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackendKind {
    Cpu,
}

/// Makes engines and opens them.
pub trait Backend {
    /// As it stands in records and reports.
    fn name(&self) -> &'static str;

    /// Library and version, such as `rten 0.27.0`; part of the engine inputs.
    fn library(&self) -> String;

    /// Turns a checked model into the named parts of an engine's payload. Fails where the backend cannot run
    /// the model, and names the node.
    fn build(&self, model: ModelFile, options: &BuildOptions) -> Result<Vec<(String, Vec<u8>)>>;

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
pub fn backend(kind: BackendKind) -> Box<dyn Backend> {
    match kind {
        BackendKind::Cpu => Box::new(cpu::Cpu),
    }
}

/// Every backend with what it is, or why it cannot be used here.
pub fn known() -> Vec<(String, std::result::Result<String, String>)> {
    let cpu = backend(BackendKind::Cpu);
    vec![
        (cpu.name().to_owned(), Ok(format!("{} (embedded)", cpu.library()))),
        (
            "tensorrt".to_owned(),
            Err(format!(
                "not part of this version; the CUDA driver (libcuda) is {}",
                if cuda::driver_present() { "here" } else { "not installed" }
            )),
        ),
    ]
}

/// Which backend a choice means here, and why.
pub fn resolve(choice: BackendChoice) -> (BackendKind, &'static str) {
    match choice {
        BackendChoice::Cpu => (BackendKind::Cpu, "asked for"),
        // The TensorRT backend is not part of this version, so nothing else can be found.
        BackendChoice::Auto => (BackendKind::Cpu, "auto: the only backend of this version"),
    }
}
