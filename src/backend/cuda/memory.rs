//! Memory of the driver for libraries that allocate through us, and what the driver says of the process: for memory
//! runs.

use super::driver::{GpuContext, describe};
use crate::backend::LoadSetup;
use crate::backend::tensorrt::sys::abi::StreamHandle;
use crate::backend::tensorrt::sys::allocator::DeviceMemory;
use crate::backend::trace::AskProcess;
use crate::device::Monitor;
use crate::error::Result;
use crate::memory::{MemoryPhase, ProcessSource};
use cudarc::driver::{CudaContext, result};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// `cuMemAlloc` and `cuMemFree`, and their forms in the order of a stream.
pub(crate) struct DriverMemory {
    context: Arc<CudaContext>,
    /// Addresses that were given in the order of a stream: they are given back in the order of one.
    ordered: Mutex<HashSet<u64>>,
}

impl DriverMemory {
    /// Memory of this GPU.
    pub fn new(gpu: &GpuContext) -> Self {
        Self { context: Arc::clone(&gpu.context), ordered: Mutex::default() }
    }

    fn ordered(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.ordered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DeviceMemory for DriverMemory {
    fn allocate(&self, bytes: u64, stream: Option<StreamHandle>) -> Option<u64> {
        let bytes = usize::try_from(bytes).ok()?;
        // A library may call from a thread of its own, which has no GPU yet.
        self.context.bind_to_thread().ok()?;
        if let Some(stream) = stream {
            // SAFETY: the library gives a live stream, or null, which is the default one. It fills the memory itself.
            if let Ok(address) = unsafe { result::malloc_async(stream.cast(), bytes) } {
                self.ordered().insert(address);
                return Some(address);
            }
        }
        // GPUs without memory pools have no other. SAFETY: the library fills the memory itself.
        unsafe { result::malloc_sync(bytes) }.ok()
    }

    fn free(&self, address: u64, stream: Option<StreamHandle>) -> bool {
        if self.context.bind_to_thread().is_err() {
            return false;
        }
        if self.ordered().remove(&address) {
            let stream = stream.unwrap_or(std::ptr::null_mut());
            // SAFETY: given by `malloc_async`, and not given back yet; the library promises that no later work uses it.
            return unsafe { result::free_async(address, stream.cast()) }.is_ok();
        }
        // SAFETY: given by `malloc_sync`, and not given back yet.
        unsafe { result::free_sync(address) }.is_ok()
    }
}

/// In a memory run: the driver's context is about to be made, and NVML says what the process has at the end of each phase.
pub(crate) fn watch(setup: &LoadSetup, device: u32) -> Result<()> {
    let Some(trace) = &setup.memory else { return Ok(()) };
    if let Some(ask) = ask_process(device)? {
        trace.ask(ask);
    }
    trace.begin(MemoryPhase::Driver);
    Ok(())
}

/// Asks NVML what this process has on a GPU: of the process, or where NVML does not tell that, by how much the whole
/// GPU's used memory grew since now. Called before the process has a context on the GPU.
fn ask_process(device: u32) -> Result<Option<AskProcess>> {
    let Some(monitor) = Monitor::open(&describe(device)?.id) else { return Ok(None) };
    let before = monitor.used_bytes();
    Ok(Some(Box::new(move || {
        let ours = monitor.process_bytes().map(|bytes| (bytes, ProcessSource::Nvml));
        ours.or_else(|| {
            let grown = monitor.used_bytes()?.saturating_sub(before?);
            Some((grown, ProcessSource::WholeGpu))
        })
    })))
}
