//! A simple loop to compare our measurements with: it launches the same work back to back, with nothing around it.

use super::buffers::Buffers;
use super::driver::GpuContext;
use super::kernel::Kernels;
use super::spin::Spin;
use super::stream::GpuStream;
use super::workload::Workload;
use crate::backend::LoadSetup;
use crate::error::Result;
use crate::tensor::Tensor;
use std::sync::Arc;

/// Back-to-back execution of a workload.
#[derive(Clone, Copy, Debug)]
pub struct BackToBack {
    /// Per request, from the first launch to the end of the last.
    pub request_ns: f64,
    /// The last kernel's length by the GPU's own timer.
    pub kernel_ns: u64,
}

/// Runs `requests` of a workload on GPU `gpu`: without transfers, as a graph where `setup` says so.
pub fn back_to_back(gpu: u32, workload: &Workload, setup: &LoadSetup, requests: u64) -> Result<BackToBack> {
    let gpu = GpuContext::open(gpu, setup.mode.wait)?;
    let kernels = Arc::new(Kernels::load(&gpu)?);
    let cuda_stream = gpu.stream()?;
    let words = usize::try_from(workload.tensor_bytes / 4).unwrap_or(1);
    let x = Tensor::from_f32(vec![words], &vec![1.0; words]);
    let buffers = Buffers::all(&gpu, &cuda_stream, &[("x".into(), x.clone())], &[x.into()], setup)?;
    let spin = Spin::new(&gpu, &kernels, workload, &cuda_stream, &buffers)?;
    let mut stream = GpuStream::new(&gpu, &kernels, cuda_stream, buffers, spin, setup)?;
    if setup.point.cuda_graph {
        stream.capture_all()?;
    }
    let request_ns = stream.back_to_back(requests)?;
    Ok(BackToBack { request_ns, kernel_ns: stream.work().last_kernel_ns()? })
}
