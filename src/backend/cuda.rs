//! Opens the CUDA driver at run time (through cudarc), and has the `cuda` backend, which runs kernels of a set duration
//! so that the tool itself can be measured on any NVIDIA GPU. It runs no model, and says so wherever it is named.
//!
//! `stream` sends requests whose work can be put on a CUDA stream. What that work is, each backend defines.

pub(crate) mod buffers;
mod driver;
mod gate;
pub(crate) mod growing;
mod kernel;
pub(crate) mod memory;
pub mod nvtx;
pub mod peer;
mod probe;
mod spin;
pub(crate) mod stream;
pub mod workload;

pub(crate) use driver::{GpuContext, describe};
pub use driver::{driver_present, gpus};
pub(crate) use kernel::Kernels;
pub use probe::GpuProbe;

use super::{Backend, BuildRequest, LoadSetup, Loaded, Opened, Payload, Stream, refuse_options_of_others};
use crate::case::BackendKind;
use crate::config::BuildOptions;
use crate::engine::EngineHeader;
use crate::error::{Failure, FailureKind, Result};
use crate::memory::MemoryPhase;
use crate::onnx::ModelFile;
use crate::tensor::Tensor;
use crate::units::nanos;
use buffers::Buffers;
use spin::Spin;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use stream::GpuStream;
use workload::Workload;

/// The version of the kernel: numbers of different kernels are not of the same engine.
pub(super) const LIBRARY: &str = "calibration kernel 1";

/// The calibration workload on one GPU.
pub struct Cuda {
    /// The number of the GPU, as the driver counts.
    pub gpu: u32,
}

impl Backend for Cuda {
    fn library(&self) -> Result<String> {
        Ok(LIBRARY.into())
    }

    fn read(&self, path: &Path, _: &BuildOptions) -> Result<ModelFile> {
        workload::read(path)
    }

    /// The engine is the description itself: there is nothing to translate, and no GPU is needed.
    fn build(&self, request: BuildRequest) -> Result<Payload> {
        refuse_options_of_others(BackendKind::Cuda, request.options)?;
        let parts = vec![("workload.toml".into(), request.model.bytes)];
        Ok(Payload { parts, facts: BTreeMap::new() })
    }

    fn load(
        &self,
        _: &EngineHeader,
        parts: Vec<Vec<u8>>,
        setup: &LoadSetup,
        inputs: &[(String, Tensor)],
    ) -> Result<Loaded> {
        let text = parts.first().map_or(&b""[..], |p| p.as_slice());
        let workload = Workload::parse(text)
            .map_err(|why| Failure::new(FailureKind::Format, format!("the engine's workload {why}")))?;
        memory::watch(setup, self.gpu)?;
        let start = Instant::now();
        let gpu = GpuContext::open(self.gpu, setup.mode.wait)?;
        let context_ns = nanos(start.elapsed());
        setup.phase(MemoryPhase::Load);
        let start = Instant::now();
        let kernels = Arc::new(Kernels::load(&gpu)?);
        let kernel_ns = nanos(start.elapsed());
        setup.phase(MemoryPhase::Inference);
        let start = Instant::now();
        let mut capture_ns = 0;
        let streams = (0..setup.point.streams)
            .map(|_| {
                let (stream, ns) = stream(&gpu, &kernels, &workload, setup, inputs)?;
                capture_ns += ns;
                Ok(stream)
            })
            .collect::<Result<Vec<_>>>()?;
        let streams_ns = nanos(start.elapsed()) - capture_ns;
        let mut steps = vec![
            ("CUDA context".to_owned(), context_ns),
            ("kernel".to_owned(), kernel_ns),
            ("buffers and first request".to_owned(), streams_ns),
        ];
        if setup.point.cuda_graph {
            steps.push(("graph capture".into(), capture_ns));
        }
        let load_ns = steps.iter().map(|(_, ns)| ns).sum();
        let gpu = Some(GpuProbe::new(&gpu, &kernels)?);
        Ok(Loaded::Streams(Box::new(Opened {
            streams,
            load_ns,
            steps,
            plain: None,
            gpu,
            kernels: None,
            note: None,
        })))
    }
}

/// One stream of requests, and how long its graph took to capture.
fn stream(
    gpu: &GpuContext,
    kernels: &Arc<Kernels>,
    workload: &Workload,
    setup: &LoadSetup,
    inputs: &[(String, Tensor)],
) -> Result<(Box<dyn Stream>, u64)> {
    let input = &inputs.first().ok_or_else(|| Failure::usage("a workload has one input"))?.1;
    let output = Tensor { dtype: input.dtype, shape: input.shape.clone(), data: vec![0; input.data.len()] };
    let cuda_stream = gpu.stream()?;
    let buffers = Buffers::all(gpu, &cuda_stream, inputs, &[output.into()], setup)?;
    let spin = Spin::new(gpu, kernels, workload, &cuda_stream, &buffers)?;
    let mut stream = GpuStream::new(gpu, kernels, cuda_stream, buffers, spin, setup)?;
    let capture_ns = if setup.point.cuda_graph { stream.capture_all()? } else { 0 };
    Ok((Box::new(stream), capture_ns))
}
