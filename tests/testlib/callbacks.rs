//! Calls to the caller's objects through their tables: the logger, the progress monitor, the profiler, the allocators.

use crate::told::{release, tell, violation};
use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicPtr, Ordering};
use trt_perf::backend::tensorrt::sys::abi::{
    Bytes, Dims, Method, ObjectPointer as Pointer, StreamHandle, Text, This,
};
use trt_perf::backend::tensorrt::sys::tables::{
    i_gpu_allocator, i_logger, i_output_allocator as i_output, i_profiler, i_progress_monitor,
    i_versioned_interface,
};

/// `ILogger::Severity`, the same in every family.
pub const ERROR: i32 = 1;
pub const WARNING: i32 = 2;
pub const INFO: i32 = 3;

static LOGGER: AtomicPtr<std::ffi::c_void> = AtomicPtr::new(std::ptr::null_mut());

/// Takes the logger. The version must be the one this library says it has: NVIDIA's refuses another.
pub fn begin(logger: Pointer, version: i32, own: i32) -> bool {
    if logger.is_null() {
        violation("no logger was given");
    }
    LOGGER.store(logger, Ordering::SeqCst);
    if version != own {
        log(ERROR, &format!("the caller is made for version {version}, this library is {own}"));
        tell(&format!("VIOLATION: made for version {version}"));
    }
    version == own
}

/// The function of one of the caller's objects.
///
/// # Safety
/// `object` is alive and of the class that has `method`.
unsafe fn function<F: Copy>(object: Pointer, method: &Method<F>) -> F {
    let slot = method.index(release().family).unwrap_or_else(|| violation("a callback without a slot"));
    // SAFETY: the caller's promise; tables hold function pointers, which is what `F` is.
    unsafe {
        let table = *object.cast::<*const *const ()>();
        std::mem::transmute_copy(&*table.add(slot))
    }
}

fn text(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}

pub fn log(severity: i32, message: &str) {
    let logger: This = LOGGER.load(Ordering::SeqCst);
    let message = text(message);
    // SAFETY: the logger must live as long as anything this library made, which is what calls this.
    unsafe { function(logger, &i_logger::LOG)(logger, severity, message.as_ptr()) };
}

/// An `IProgressMonitor`; null: nobody wants to know.
#[derive(Clone, Copy)]
pub struct Monitor(pub Pointer);

impl Monitor {
    pub fn start(self, phase: &str, parent: Option<&str>, steps: i32) {
        let (phase, parent) = (text(phase), parent.map(text));
        let parent: Text = parent.as_ref().map_or(std::ptr::null(), |p| p.as_ptr());
        if !self.0.is_null() {
            // SAFETY: the monitor that the configuration was given must live while the engine is built.
            unsafe {
                function(self.0, &i_progress_monitor::PHASE_START)(self.0, phase.as_ptr(), parent, steps);
            };
        }
    }

    /// Whether to go on.
    pub fn step(self, phase: &str, step: i32) -> bool {
        let phase = text(phase);
        // SAFETY: as above.
        self.0.is_null()
            || unsafe { function(self.0, &i_progress_monitor::STEP_COMPLETE)(self.0, phase.as_ptr(), step) }
    }

    pub fn finish(self, phase: &str) {
        let phase = text(phase);
        if !self.0.is_null() {
            // SAFETY: as above.
            unsafe { function(self.0, &i_progress_monitor::PHASE_FINISH)(self.0, phase.as_ptr()) };
        }
    }
}

/// Tells an `IProfiler` a layer's time.
pub fn layer_time(profiler: Pointer, layer: &str, ms: f32) {
    let layer = text(layer);
    // SAFETY: the profiler that a context was given must live as long as it.
    unsafe { function(profiler, &i_profiler::REPORT_LAYER_TIME)(profiler, layer.as_ptr(), ms) };
}

/// Memory of an `IGpuAllocator`, in the order of the default stream or at once; null where it gives none.
pub fn allocate(allocator: Pointer, bytes: usize, ordered: bool) -> Bytes {
    let size = bytes as u64;
    if ordered {
        tell(&format!("allocator allocateAsync({bytes})"));
        let allocate_async = &i_gpu_allocator::ALLOCATE_ASYNC;
        // SAFETY: the allocator that a runtime or builder was given must live as long as it.
        return unsafe { function(allocator, allocate_async)(allocator, size, 256, 0, std::ptr::null_mut()) };
    }
    tell(&format!("allocator allocate({bytes})"));
    // SAFETY: as above.
    unsafe { function(allocator, &i_gpu_allocator::ALLOCATE)(allocator, size, 256, 0) }
}

pub fn deallocate(allocator: Pointer, memory: Bytes, ordered: bool) -> bool {
    if ordered {
        tell("allocator deallocateAsync");
        let deallocate_async = &i_gpu_allocator::DEALLOCATE_ASYNC;
        // SAFETY: as above; the memory is the allocator's own.
        return unsafe { function(allocator, deallocate_async)(allocator, memory, std::ptr::null_mut()) };
    }
    tell("allocator deallocate");
    // SAFETY: as above.
    unsafe { function(allocator, &i_gpu_allocator::DEALLOCATE)(allocator, memory) }
}

/// Whether an allocator says what it is, as a library may ask any object of the caller's.
pub fn is_allocator(allocator: Pointer) -> bool {
    // SAFETY: as above; the text lives as long as the process.
    let kind = unsafe {
        let info = function(allocator, &i_versioned_interface::GET_INTERFACE_INFO)(allocator);
        CStr::from_ptr(info.kind)
    };
    kind == c"IGpuAllocator"
}

/// Memory of an `IOutputAllocator` for an output; null where it gives none. The first releases of TensorRT 10 ask without
/// the stream.
pub fn reallocate_output(allocator: Pointer, output: &CStr, bytes: usize, stream: StreamHandle) -> Bytes {
    tell(&format!("output allocator reallocate({}, {bytes})", output.to_string_lossy()));
    let (bytes, none) = (bytes as u64, std::ptr::null_mut());
    let old = i_output::REALLOCATE_OUTPUT.slot(release()).is_ok() && release().version.minor == 0;
    // SAFETY: the allocator that a context was given for an output must live as long as it.
    unsafe {
        if old {
            return function(allocator, &i_output::REALLOCATE_OUTPUT)(
                allocator,
                output.as_ptr(),
                none,
                bytes,
                256,
            );
        }
        let ask = function(allocator, &i_output::REALLOCATE_OUTPUT_ASYNC);
        ask(allocator, output.as_ptr(), none, bytes, 256, stream)
    }
}

/// Tells an `IOutputAllocator` the shape that an output has.
pub fn notify_shape(allocator: Pointer, output: &CStr, shape: &Dims) {
    // SAFETY: as above; the shape lives through the call.
    unsafe { function(allocator, &i_output::NOTIFY_SHAPE)(allocator, output.as_ptr(), shape) };
}
