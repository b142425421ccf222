//! The work of one `cuda` request: it launches the calibration kernels of a workload.

use super::buffers::Buffers;
use super::driver::{GpuContext, failed};
use super::kernel::{Kernels, Launch, THREADS, address, read_stamps};
use super::stream::Work;
use super::workload::Workload;
use crate::error::{Failure, FailureKind, Result};
use cudarc::driver::{CudaSlice, CudaStream};
use std::sync::Arc;

/// A workload's kernels: the work of one request.
pub(super) struct Spin {
    kernels: Arc<Kernels>,
    /// One for each of the stream's buffers.
    kernel: Vec<Launch>,
    launches: u64,
    /// Lives as long as kernels may run that write to it.
    _scratch: CudaSlice<u8>,
    stamps: CudaSlice<u8>,
    stream: Arc<CudaStream>,
}

impl Spin {
    /// The work of one stream on this GPU.
    pub fn new(
        gpu: &GpuContext,
        kernels: &Arc<Kernels>,
        workload: &Workload,
        stream: &Arc<CudaStream>,
        buffers: &[Buffers],
    ) -> Result<Self> {
        let bytes = usize::try_from(workload.traffic_bytes / 2).unwrap_or(usize::MAX);
        let allocate = |n: usize| {
            stream.alloc_zeros::<u8>(n.max(32)).map_err(|e| failed("allocate memory on the GPU", &e))
        };
        let (scratch, stamps) = (allocate(bytes)?, allocate(32)?);
        let moves = workload.traffic_bytes > 0;
        let one = |side: &[u64]| {
            side.first().copied().ok_or_else(|| {
                Failure::new(FailureKind::Measure, "the workload's input or output has no buffer")
            })
        };
        let launch = |buffers: &Buffers| -> Result<Launch> {
            Ok(Launch {
                blocks: if moves { gpu.multiprocessors } else { 1 },
                threads: THREADS,
                // kHz × ns = 10⁻⁶ cycles.
                cycles: (workload.duration.0 as u128 * u128::from(gpu.max_khz) / 1_000_000) as u64,
                scratch: address(&scratch, stream),
                // Each unit is read and written: half the traffic each.
                scratch_units: (bytes / 16) as u64,
                input: one(&buffers.inputs())?,
                output: one(&buffers.outputs())?,
                words: buffers.input_bytes() / 4,
                stamps: address(&stamps, stream),
            })
        };
        let kernel = buffers.iter().map(launch).collect::<Result<_>>()?;
        Ok(Self {
            kernels: Arc::clone(kernels),
            kernel,
            launches: workload.launches,
            _scratch: scratch,
            stamps,
            stream: Arc::clone(stream),
        })
    }

    /// What block 0 of the last kernel noted: its length by the GPU's own timer, in nanoseconds.
    pub fn last_kernel_ns(&self) -> Result<u64> {
        let [t0, _, t1, _] = read_stamps(&self.stamps, &self.stream)?;
        Ok(t1.saturating_sub(t0))
    }
}

impl Work for Spin {
    fn enqueue(&mut self, stream: &CudaStream, buffers: usize) -> Result<()> {
        for _ in 0..self.launches {
            // SAFETY: all buffers belong to this stream of requests, are as long as said, and outlive what the GPU
            // does with them, because the stream waits for it before it is dropped.
            unsafe { self.kernel[buffers].enqueue(&self.kernels, stream.cu_stream())? };
        }
        Ok(())
    }
}
