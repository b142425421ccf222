//! A gate in front of a request: the GPU waits at it until the host has submitted the whole request.
//!
//! Events behind the gate therefore measure only what the GPU does. Without it, they would also measure how fast the
//! host launches kernels, which for short kernels is most of the time (NVBench's blocking kernel is the same idea).

use super::driver::{GpuContext, failed};
use super::kernel::Kernels;
use crate::error::Result;
use cudarc::driver::result::launch_kernel;
use cudarc::driver::{CudaStream, PinnedHostSlice, sys};
use std::ffi::c_void;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The GPU does not wait longer: a request of more kernels than the launch queue holds (about a thousand) cannot be
/// submitted whole before the first of them ran.
const LIMIT: Duration = Duration::from_millis(100);

pub(super) struct Gate {
    kernels: Arc<Kernels>,
    /// How many requests the gate was opened for; read by the GPU.
    opened: PinnedHostSlice<u64>,
    address: *mut u64,
    count: u64,
    closed_at: Instant,
}

// SAFETY: the address is that of the pinned memory beside it, which belongs to this gate alone.
unsafe impl Send for Gate {}

impl Gate {
    /// A closed gate. Fails where the GPU gives no memory for it.
    pub fn new(gpu: &GpuContext, kernels: &Arc<Kernels>) -> Result<Self> {
        // SAFETY: written below, before anything reads it.
        let memory = unsafe { gpu.context.alloc_pinned_with_flags::<u64>(1, sys::CU_MEMHOSTALLOC_DEVICEMAP) };
        let mut opened = memory.map_err(|e| failed("allocate pinned memory", &e))?;
        let address = opened.as_mut_ptr().map_err(|e| failed("use pinned memory", &e))?;
        // SAFETY: one number, just allocated, which no kernel reads yet.
        unsafe { address.write_volatile(0) };
        Ok(Self { kernels: Arc::clone(kernels), opened, address, count: 0, closed_at: Instant::now() })
    }

    /// Puts a closed gate on the stream.
    pub fn close(&mut self, stream: &CudaStream) -> Result<()> {
        self.count += 1;
        self.closed_at = Instant::now();
        self.launch(stream)
    }

    /// Puts the gate on the stream as it is: closed, or already open for this request.
    pub fn launch(&self, stream: &CudaStream) -> Result<()> {
        // Pinned memory has the same address on the GPU (unified addressing, on every 64-bit Linux).
        let (mut flag, mut value) = (self.address as u64, self.count);
        let mut limit = LIMIT.as_nanos() as u64;
        let mut arguments: [*mut c_void; 3] =
            [(&raw mut flag).cast(), (&raw mut value).cast(), (&raw mut limit).cast()];
        let one = (1, 1, 1);
        // SAFETY: three 64-bit parameters, as the kernel declares, copied before the call returns; the flag lives as
        // long as this gate, whose owner waits for the CUDA stream before it is dropped.
        unsafe { launch_kernel(self.kernels.gate, one, one, 0, stream.cu_stream(), &mut arguments) }
            .map_err(|e| failed("launch the gate", &e))
    }

    /// Lets the GPU through. Returns whether it can only have waited for this, and not run into the limit.
    pub fn open(&mut self) -> bool {
        debug_assert_eq!(self.opened.len(), 1);
        // SAFETY: an aligned number that the GPU only reads; it reads either the old or the new one.
        unsafe { self.address.write_volatile(self.count) };
        self.closed_at.elapsed() < LIMIT
    }
}
