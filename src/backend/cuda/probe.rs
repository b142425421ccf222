//! Asks the GPU for its state, its clock and its energy around the measured phase, and marks the phase for profilers.
//!
//! Nothing here is called while requests are timed.

use super::driver::{GpuContext, failed};
use super::kernel::{Kernels, Launch, address, read_stamps};
use crate::device::{GpuConditions, Monitor};
use crate::error::Result;
use cudarc::driver::{CudaSlice, CudaStream, profiler_start, profiler_stop};
use std::sync::Arc;

/// How long the clock is measured, in milliseconds at the highest clock: 10⁶ ns against a timer that ticks at least
/// every microsecond.
const CLOCK_MS: u64 = 1;

/// Asks one GPU about itself, and marks the measured phase for profilers.
pub struct GpuProbe {
    kernels: Arc<Kernels>,
    stream: Arc<CudaStream>,
    stamps: CudaSlice<u8>,
    /// The highest clock of the multiprocessors, in kHz.
    max_khz: u64,
    /// `None` where NVML does not know this GPU.
    monitor: Option<Monitor>,
}

impl GpuProbe {
    pub(crate) fn new(gpu: &GpuContext, kernels: &Arc<Kernels>) -> Result<Self> {
        let stream = gpu.stream()?;
        let stamps = stream.alloc_zeros::<u8>(32).map_err(|e| failed("allocate memory on the GPU", &e))?;
        stream.synchronize().map_err(|e| failed("wait for the GPU", &e))?;
        Ok(Self {
            kernels: Arc::clone(kernels),
            stream,
            stamps,
            max_khz: gpu.max_khz,
            monitor: Monitor::open(&gpu.id),
        })
    }

    /// The state now, with the clock as the GPU itself measures it.
    pub fn conditions(&mut self) -> Result<GpuConditions> {
        let sm_mhz = self.clock_mhz()?;
        // This process is among those on the GPU: it has a context there.
        let rest = self.monitor.as_ref().map(|monitor| monitor.conditions(1)).unwrap_or_default();
        let max_sm_mhz = Some(self.max_khz as f64 / 1000.0).filter(|mhz| *mhz > 0.0);
        Ok(GpuConditions { sm_mhz, max_sm_mhz, ..rest })
    }

    /// Energy since the driver was loaded, in joules.
    pub fn energy_j(&self) -> Option<f64> {
        self.monitor.as_ref()?.energy_j()
    }

    /// Nsight Systems and Nsight Compute record from here, if they were told to.
    pub fn start_profilers(&self) -> Result<()> {
        profiler_start().map_err(|e| failed("tell profilers that the measured phase begins", &e))
    }

    /// Tells profilers that the measured phase has ended.
    pub fn stop_profilers(&self) -> Result<()> {
        profiler_stop().map_err(|e| failed("tell profilers that the measured phase ends", &e))
    }

    /// Cycles over nanoseconds, both counted by the GPU during the same kernel.
    fn clock_mhz(&mut self) -> Result<Option<f64>> {
        let launch = Launch::waiting(self.max_khz * CLOCK_MS, address(&self.stamps, &self.stream));
        // SAFETY: the stamps are a buffer of 32 bytes of this context, and it is waited for below.
        unsafe { launch.enqueue(&self.kernels, self.stream.cu_stream())? };
        let [t0, c0, t1, c1] = read_stamps(&self.stamps, &self.stream)?;
        let (ns, cycles) = (t1.saturating_sub(t0), c1.saturating_sub(c0));
        Ok((ns > 0).then(|| cycles as f64 * 1000.0 / ns as f64))
    }
}
