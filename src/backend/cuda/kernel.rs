//! The calibration kernel: loads it on a GPU and launches it.
//!
//! It is PTX text that the driver compiles, so no CUDA toolkit is needed. A kernel lasts a number of clock cycles, as a
//! real one does: at a lower clock it takes longer.

use super::driver::{GpuContext, failed};
use crate::error::Result;
use cudarc::driver::result::{self, launch_kernel};
use cudarc::driver::{CudaSlice, CudaStream, sys};
use std::ffi::c_void;
use std::sync::Arc;

const PTX: &[u8] = concat!(include_str!("kernel.ptx"), "\0").as_bytes();
const ENTRY: &std::ffi::CStr = c"trt_perf_spin";
const GATE: &std::ffi::CStr = c"trt_perf_gate";
/// Threads of a block that copies or moves memory.
pub(super) const THREADS: u32 = 256;
/// Threads of a block that only waits.
const WARP: u32 = 32;

/// The compiled kernels. Never unloaded: a worker ends with what it loaded.
pub(crate) struct Kernels {
    spin: sys::CUfunction,
    /// Holds the GPU up until the host lets it go on; see `gate`.
    pub(super) gate: sys::CUfunction,
}

// SAFETY: a function handle is an address that the driver allows to be used from any thread of its context.
unsafe impl Send for Kernels {}
// SAFETY: as above; launching does not change it.
unsafe impl Sync for Kernels {}

impl Kernels {
    /// Compiles the kernels for the GPU. Fails where the driver does not accept them.
    pub fn load(gpu: &GpuContext) -> Result<Self> {
        let bind = gpu.context.bind_to_thread();
        bind.map_err(|e| failed("use the GPU's context", &e))?;
        // SAFETY: PTX is text that ends in a zero byte, which is how the driver tells its end.
        let module = unsafe { result::module::load_data(PTX.as_ptr().cast()) }
            .map_err(|e| failed("compile the calibration kernel", &e))?;
        let find = |name: &std::ffi::CStr| {
            // SAFETY: the module was loaded above and is never unloaded.
            unsafe { result::module::get_function(module, name.to_owned()) }
                .map_err(|e| failed("find a kernel", &e))
        };
        Ok(Self { spin: find(ENTRY)?, gate: find(GATE)? })
    }
}

/// The arguments of one launch, as addresses on the GPU.
#[derive(Clone, Copy)]
pub(super) struct Launch {
    /// Blocks of the grid.
    pub blocks: u32,
    /// Threads of each block.
    pub threads: u32,
    /// How long each block runs, in clock cycles.
    pub cycles: u64,
    /// Address of memory that the kernel moves while it runs.
    pub scratch: u64,
    /// How much of it.
    pub scratch_units: u64,
    /// Address of the input.
    pub input: u64,
    /// Address of the output.
    pub output: u64,
    /// How many words are copied from input to output.
    pub words: u64,
    /// Room for four 64-bit numbers.
    pub stamps: u64,
}

impl Launch {
    /// One thread block that only waits and leaves its stamps.
    pub fn waiting(cycles: u64, stamps: u64) -> Self {
        Self {
            blocks: 1,
            threads: WARP,
            cycles,
            scratch: 0,
            scratch_units: 0,
            input: 0,
            output: 0,
            words: 0,
            stamps,
        }
    }

    /// Puts the kernel on `stream`.
    ///
    /// # Safety
    /// The addresses must be of buffers of that context, at least as long as said here, that live until the kernel ran.
    pub unsafe fn enqueue(mut self, kernels: &Kernels, stream: sys::CUstream) -> Result<()> {
        let mut arguments: [*mut c_void; 7] = [
            (&raw mut self.cycles).cast(),
            (&raw mut self.scratch).cast(),
            (&raw mut self.scratch_units).cast(),
            (&raw mut self.input).cast(),
            (&raw mut self.output).cast(),
            (&raw mut self.words).cast(),
            (&raw mut self.stamps).cast(),
        ];
        let (grid, block) = ((self.blocks, 1, 1), (self.threads, 1, 1));
        // SAFETY: seven 64-bit parameters, as the kernel declares; the driver copies them before it returns. The rest
        // is the caller's promise.
        unsafe { launch_kernel(kernels.spin, grid, block, 0, stream, &mut arguments) }
            .map_err(|e| failed("launch the calibration kernel", &e))
    }
}

/// The address of a buffer on the GPU.
pub(super) fn address(buffer: &CudaSlice<u8>, stream: &Arc<CudaStream>) -> u64 {
    use cudarc::driver::DevicePtr;
    // The guard orders work of several streams; each buffer here has one.
    let (address, _guard) = buffer.device_ptr(stream);
    address
}

/// The four numbers of the last kernel, after everything on the stream has run.
pub(super) fn read_stamps(stamps: &CudaSlice<u8>, stream: &Arc<CudaStream>) -> Result<[u64; 4]> {
    let ask = |e| failed("read the kernel's time stamps", &e);
    stream.synchronize().map_err(ask)?;
    let bytes = stream.clone_dtoh(stamps).map_err(ask)?;
    let mut numbers = bytes.chunks_exact(8).map(|c| c.try_into().map_or(0, u64::from_ne_bytes));
    Ok(std::array::from_fn(|_| numbers.next().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernels_take_as_many_parameters_as_are_passed() {
        let ptx = include_str!("kernel.ptx");
        assert_eq!(ptx.matches("\t.param .u64").count(), 7 + 3);
        assert!(super::PTX.ends_with(b"\0"));
        assert!([super::ENTRY, super::GATE].iter().all(|name| ptx.contains(name.to_str().unwrap())));
    }
}
