//! Memory of the driver for libraries that allocate through us, and what the driver says of the process: for memory
//! runs.

use super::driver::{GpuContext, describe};
use crate::backend::LoadSetup;
use crate::backend::tensorrt::sys::abi::StreamHandle;
use crate::backend::tensorrt::sys::allocator::DeviceMemory;
use crate::backend::trace::{AskProcess, MemoryTrace};
use crate::device::Monitor;
use crate::error::Result;
use crate::memory::{MemoryPhase, ProcessSource};
use cudarc::driver::{CudaContext, result};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
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
        let ordered = self.ordered().remove(&address);
        match stream.filter(|_| ordered) {
            // SAFETY: given by `malloc_async`, and not given back yet; the stream is the library's, and live.
            Some(stream) => unsafe { result::free_async(address, stream.cast()) }.is_ok(),
            // SAFETY: given by one of the two, and not given back yet; the library promises that no work uses it.
            None => unsafe { result::free_sync(address) }.is_ok(),
        }
    }
}

/// In a memory run: the driver's context is about to be made, and NVML says what the process has at the end of each phase.
pub(crate) fn watch(setup: &LoadSetup, device: u32) -> Result<()> {
    let Some(trace) = &setup.memory else { return Ok(()) };
    ask_nvml(trace, device)?;
    trace.begin(MemoryPhase::Driver);
    Ok(())
}

/// NVML is asked what the process has on this GPU, where it has no context yet.
pub(crate) fn ask_nvml(trace: &MemoryTrace, device: u32) -> Result<()> {
    if let Some(ask) = ask_process(device)? {
        trace.ask(ask);
    }
    Ok(())
}

/// Asks NVML what this process has on a GPU: of the process, or where NVML does not tell that, by how much the whole
/// GPU's used memory grew since now. Called before the process has a context on the GPU.
fn ask_process(device: u32) -> Result<Option<AskProcess>> {
    let Some(monitor) = Monitor::open(&describe(device)?.id) else { return Ok(None) };
    let before = monitor.used_bytes();
    let others: Vec<u32> = monitor.processes().unwrap_or_default().into_iter().map(|(pid, _)| pid).collect();
    let seen = AtomicBool::new(false);
    Ok(Some(Box::new(move || {
        let ours = monitor.processes().and_then(|all| ours(&all, &others, std::process::id()));
        if ours.is_some() || seen.load(Ordering::Relaxed) {
            seen.store(true, Ordering::Relaxed);
            // Once its context is gone, it is no longer among them.
            return Some((ours.unwrap_or(0), ProcessSource::Nvml));
        }
        let grown = monitor.used_bytes()?.saturating_sub(before?);
        Some((grown, ProcessSource::WholeGpu))
    })))
}

/// What this process has among all on the GPU: that with its number, or the only one that was not there before, because
/// a container numbers processes otherwise than NVML does.
fn ours(all: &[(u32, Option<u64>)], others: &[u32], own: u32) -> Option<u64> {
    if let Some((_, bytes)) = all.iter().find(|(pid, _)| *pid == own && !others.contains(pid)) {
        return *bytes;
    }
    let mut new = all.iter().filter(|(pid, _)| !others.contains(pid));
    let (_, bytes) = new.next()?;
    if new.next().is_some() { None } else { *bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_process_is_told_from_others_also_in_a_container() {
        let (own, others) = (7, [100, 200]);
        let before = [(100, Some(5)), (200, Some(6))];
        assert_eq!(ours(&before, &others, own), None, "it has no context any more, or not yet");
        let numbered = [(7, Some(9)), (100, Some(5)), (300, Some(1))];
        assert_eq!(ours(&numbered, &others, own), Some(9));
        let in_a_container = [(100, Some(5)), (41_000, Some(9))];
        assert_eq!(ours(&in_a_container, &others, own), Some(9));
        let two_are_new = [(41_000, Some(9)), (41_001, Some(3))];
        assert_eq!(ours(&two_are_new, &others, own), None, "nobody knows which");
        assert_eq!(ours(&[(7, Some(5))], &[7], own), None, "another with that number was there before");
        assert_eq!(ours(&[(7, None)], &others, own), None, "NVML may not tell how much");
    }
}
