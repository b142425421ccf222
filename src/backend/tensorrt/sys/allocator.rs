//! Our `IGpuAllocator`: it gives the library memory of the driver and tells a trace of every call. Only in memory runs.
//!
//! The table has the functions of `IGpuAsyncAllocator` in the same slots, so one object is both: what is asked in the
//! order of a stream is given in the order of that stream.

use super::abi::{Bytes, Family, InterfaceInfo, ObjectPointer, StreamHandle, This};
use super::callbacks::{Implementation, Word, language, state};
use super::tables::{i_gpu_allocator, i_versioned_interface};
use crate::backend::trace::MemoryTrace;
use std::sync::Arc;

/// Where memory comes from. A stream where it is asked for, or given back, in the order of one.
pub trait DeviceMemory: Send + Sync {
    /// The address of new memory; `None` where there is not so much.
    fn allocate(&self, bytes: u64, stream: Option<StreamHandle>) -> Option<u64>;

    /// Takes back what [`DeviceMemory::allocate`] gave; whether that worked.
    fn free(&self, address: u64, stream: Option<StreamHandle>) -> bool;
}

struct Traced {
    trace: Arc<MemoryTrace>,
    memory: Box<dyn DeviceMemory>,
}

/// An allocator that the library calls.
pub struct GpuAllocator(Implementation<Traced>);

impl GpuAllocator {
    /// An allocator for the libraries of one family.
    pub fn new(family: Family, trace: &Arc<MemoryTrace>, memory: Box<dyn DeviceMemory>) -> Self {
        let functions = [
            (i_versioned_interface::GET_API_LANGUAGE.index(family), language as Word),
            (i_versioned_interface::GET_INTERFACE_INFO.index(family), allocator_info as Word),
            (i_gpu_allocator::ALLOCATE.index(family), allocate as Word),
            (i_gpu_allocator::REALLOCATE.index(family), reallocate as Word),
            (i_gpu_allocator::DEALLOCATE.index(family), deallocate as Word),
            (i_gpu_allocator::ALLOCATE_ASYNC.index(family), allocate_async as Word),
            (i_gpu_allocator::DEALLOCATE_ASYNC.index(family), deallocate_async as Word),
        ];
        let slots = i_gpu_allocator::COUNTS.into_iter().max().unwrap_or(0);
        trace.expect_calls();
        let traced = Traced { trace: Arc::clone(trace), memory };
        Self(Implementation::new(c"N8nvinfer15v_1_013IGpuAllocatorE", slots, &functions, traced))
    }

    /// What the library is given.
    pub fn pointer(&self) -> ObjectPointer {
        self.0.pointer()
    }
}

impl Traced {
    fn give(&self, bytes: u64, alignment: u64, stream: Option<StreamHandle>) -> Bytes {
        if bytes == 0 {
            return std::ptr::null_mut();
        }
        // The driver aligns more strictly than it promises, and more so what is large.
        let is_aligned = |address: &u64| address.is_multiple_of(alignment.max(1));
        let address = self.memory.allocate(bytes, stream).filter(|address| {
            is_aligned(address) || {
                self.memory.free(*address, stream);
                false
            }
        });
        self.trace.asked(bytes, address);
        address
            .map_or(std::ptr::null_mut(), |address| std::ptr::with_exposed_provenance_mut(address as usize))
    }

    /// What was never given, or was given back before, is told and goes no further: the driver would fail, or take
    /// memory of somebody else.
    fn take(&self, memory: Bytes, stream: Option<StreamHandle>) -> bool {
        if memory.is_null() {
            return true;
        }
        let address = memory.addr() as u64;
        self.trace.given_back(address) && self.memory.free(address, stream)
    }
}

extern "C" fn allocator_info(_: This) -> InterfaceInfo {
    InterfaceInfo { kind: c"IGpuAllocator".as_ptr(), major: 1, minor: 0 }
}

extern "C" fn allocate(this: This, bytes: u64, alignment: u64, _flags: u32) -> Bytes {
    // SAFETY: only allocators have this function in their table; the same below.
    unsafe { state::<Traced>(this) }.give(bytes, alignment, None)
}

/// Memory is never made larger in its place: the library allocates anew then.
extern "C" fn reallocate(_: This, _memory: Bytes, _alignment: u64, _bytes: u64) -> Bytes {
    std::ptr::null_mut()
}

extern "C" fn deallocate(this: This, memory: Bytes) -> bool {
    // SAFETY: as above.
    unsafe { state::<Traced>(this) }.take(memory, None)
}

extern "C" fn allocate_async(
    this: This,
    bytes: u64,
    alignment: u64,
    _flags: u32,
    stream: StreamHandle,
) -> Bytes {
    // SAFETY: as above.
    unsafe { state::<Traced>(this) }.give(bytes, alignment, Some(stream))
}

extern "C" fn deallocate_async(this: This, memory: Bytes, stream: StreamHandle) -> bool {
    // SAFETY: as above.
    unsafe { state::<Traced>(this) }.take(memory, Some(stream))
}
