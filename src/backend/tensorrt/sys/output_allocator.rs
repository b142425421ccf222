//! Our object that TensorRT asks for the memory of an output whose size it knows only while an inference is enqueued, and
//! tells the shape of.

use super::abi::{Bytes, Dims, Family, InterfaceInfo, ObjectPointer, StreamHandle, Text, This};
use super::callbacks::{Implementation, Word, language, state};
use super::tables::{i_output_allocator as v, i_versioned_interface};
use std::ffi::c_void;
use std::sync::Arc;

/// Addresses of whatever gives memory on a GPU are multiples of this; TensorRT asks for no more.
const ALIGNMENT: u64 = 256;

/// The memory of one output.
pub trait OutputMemory: Send + Sync {
    /// At least so many bytes, at a multiple of 256; null where there are none. What was given before is not used any more.
    fn room(&self, bytes: u64) -> *mut c_void;

    /// The dimensions of the output in the inference that is being enqueued.
    fn has_shape(&self, dims: &[i64]);
}

/// An `IOutputAllocator` for one output.
pub struct OutputAllocator(Implementation<Arc<dyn OutputMemory>>);

impl OutputAllocator {
    /// One that gives the library this memory.
    pub fn new(family: Family, memory: Arc<dyn OutputMemory>) -> Self {
        let functions = [
            (i_versioned_interface::GET_API_LANGUAGE.index(family), language as Word),
            (i_versioned_interface::GET_INTERFACE_INFO.index(family), info as Word),
            // Older releases call the first, later ones the second; TensorRT-RTX has the second alone.
            (v::REALLOCATE_OUTPUT.index(family), reallocate as Word),
            (v::REALLOCATE_OUTPUT_ASYNC.index(family), reallocate_async as Word),
            (v::NOTIFY_SHAPE.index(family), notify_shape as Word),
        ];
        let slots = v::COUNTS.into_iter().max().unwrap_or(0);
        Self(Implementation::new(c"N8nvinfer116IOutputAllocatorE", slots, &functions, memory))
    }

    /// What the library is given.
    pub fn pointer(&self) -> ObjectPointer {
        self.0.pointer()
    }
}

extern "C" fn info(_: This) -> InterfaceInfo {
    InterfaceInfo { kind: c"IOutputAllocator".as_ptr(), major: 1, minor: 0 }
}

extern "C" fn reallocate(this: This, _: Text, _: Bytes, bytes: u64, alignment: u64) -> Bytes {
    if alignment > ALIGNMENT {
        return std::ptr::null_mut();
    }
    // SAFETY: only output allocators have this function in their table.
    unsafe { state::<Arc<dyn OutputMemory>>(this) }.room(bytes)
}

/// The memory is given by the time that the call returns, so the stream does not matter.
extern "C" fn reallocate_async(
    this: This,
    name: Text,
    current: Bytes,
    bytes: u64,
    alignment: u64,
    _: StreamHandle,
) -> Bytes {
    reallocate(this, name, current, bytes, alignment)
}

extern "C" fn notify_shape(this: This, _: Text, dims: *const Dims) {
    // SAFETY: only output allocators have this function in their table; the library gives the address of dimensions
    // that live until we return.
    unsafe { state::<Arc<dyn OutputMemory>>(this).has_shape((*dims).as_slice()) };
}
