//! CUDA's driver with two GPUs that do nothing: installed as `libcuda.so.1` too, this library is what the program finds in
//! the driver's place. What is newer than CUDA 11.4 is not here, because older drivers do not have it.

use cudarc::driver::sys::{CUcontext, CUdevice, CUdevice_attribute as Attribute, CUresult, CUuuid};
use std::cell::Cell;
use std::ffi::{c_char, c_int, c_uint};

const GPUS: c_int = 2;
const NAME: &[u8] = b"stand-in GPU\0";
/// The context of the first GPU; nothing is there.
const FIRST: usize = 0x1000;

thread_local! {
    /// The GPU of the calling thread.
    static CURRENT: Cell<Option<CUdevice>> = const { Cell::new(None) };
}

/// Fills a place of the caller's.
///
/// # Safety
/// There is room for a `T` at `place`.
unsafe fn give<T>(place: *mut T, value: T) -> CUresult {
    // SAFETY: the caller's promise.
    unsafe { place.write(value) };
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn cuInit(_flags: c_uint) -> CUresult {
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDriverGetVersion(version: *mut c_int) -> CUresult {
    // SAFETY: the driver's interface; the same below.
    unsafe { give(version, 11_040) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetCount(count: *mut c_int) -> CUresult {
    // SAFETY: as above.
    unsafe { give(count, GPUS) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGet(gpu: *mut CUdevice, number: c_int) -> CUresult {
    if !(0..GPUS).contains(&number) {
        return CUresult::CUDA_ERROR_INVALID_DEVICE;
    }
    // SAFETY: as above.
    unsafe { give(gpu, number) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetAttribute(value: *mut c_int, which: Attribute, _: CUdevice) -> CUresult {
    let found = match which {
        Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR => 9,
        Attribute::CU_DEVICE_ATTRIBUTE_CLOCK_RATE => 1_000_000,
        _ => 0,
    };
    // SAFETY: as above.
    unsafe { give(value, found) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetName(name: *mut c_char, room: c_int, _: CUdevice) -> CUresult {
    let length = NAME.len().min(usize::try_from(room).unwrap_or(0));
    // SAFETY: as above: there is that much room.
    unsafe { name.cast::<u8>().copy_from(NAME.as_ptr(), length) };
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceTotalMem_v2(bytes: *mut usize, _: CUdevice) -> CUresult {
    // SAFETY: as above.
    unsafe { give(bytes, 8 << 30) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDeviceGetUuid_v2(uuid: *mut CUuuid, gpu: CUdevice) -> CUresult {
    // SAFETY: as above.
    unsafe { give(uuid, CUuuid { bytes: [c_char::try_from(gpu).unwrap_or(0); 16] }) }
}

/// As since CUDA 11.0: also while there is a context.
#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxSetFlags_v2(_: CUdevice, _flags: c_uint) -> CUresult {
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuDevicePrimaryCtxRetain(context: *mut CUcontext, gpu: CUdevice) -> CUresult {
    // SAFETY: as above.
    unsafe { give(context, context_of(gpu)) }
}

#[unsafe(no_mangle)]
extern "C" fn cuDevicePrimaryCtxRelease_v2(_: CUdevice) -> CUresult {
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
extern "C" fn cuCtxSetCurrent(context: CUcontext) -> CUresult {
    CURRENT.set((0..GPUS).find(|gpu| context_of(*gpu) == context));
    CUresult::CUDA_SUCCESS
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuCtxGetCurrent(context: *mut CUcontext) -> CUresult {
    // SAFETY: as above.
    unsafe { give(context, CURRENT.get().map_or(std::ptr::null_mut(), context_of)) }
}

#[unsafe(no_mangle)]
unsafe extern "C" fn cuCtxGetDevice(gpu: *mut CUdevice) -> CUresult {
    let Some(current) = CURRENT.get() else { return CUresult::CUDA_ERROR_INVALID_CONTEXT };
    // SAFETY: as above.
    unsafe { give(gpu, current) }
}

fn context_of(gpu: CUdevice) -> CUcontext {
    std::ptr::without_provenance_mut(FIRST + usize::try_from(gpu).unwrap_or(0))
}
