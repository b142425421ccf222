//! Memory on the GPU and work for it, through the driver; with `on_host`, memory of this process and work that is done
//! at once. Everything fails with words where a driver is needed and missing.

use crate::callbacks;
use crate::told::on_host;
use cudarc::driver::{DriverError, result, sys};
use std::ffi::c_void;
use std::ptr::with_exposed_provenance_mut;
use std::sync::OnceLock;
use trt_perf::backend::tensorrt::sys::abi::{ObjectPointer as Pointer, StreamHandle};

/// Memory of one object.
pub struct Memory {
    address: u64,
    pub bytes: usize,
    /// Whose it is; 0: the driver's.
    allocator: usize,
    /// Whether an allocator gave it in the order of a stream.
    ordered: bool,
}

fn words(e: DriverError) -> String {
    format!("CUDA: {e}")
}

/// The calling thread's context, as a number.
pub fn current() -> Result<usize, String> {
    if on_host() {
        // One for all threads.
        return Ok(1);
    }
    static DRIVER: OnceLock<Result<(), String>> = OnceLock::new();
    // Once: it looks for the library anew each time.
    let driver = DRIVER.get_or_init(|| {
        // SAFETY: only tries to open the driver's library, as any CUDA program does.
        if !unsafe { sys::is_culib_present() } {
            return Err("CUDA initialization failure with error: 35 (no driver)".to_owned());
        }
        result::init().map_err(words)
    });
    driver.clone()?;
    let current = result::ctx::get_current().map_err(words)?;
    current.map(|c| c as usize).ok_or_else(|| "CUDA: no context is current on this thread".to_owned())
}

/// The number of the GPU that the calling thread uses; `None` where it uses none.
pub fn gpu() -> Option<i32> {
    if on_host() || current().is_err() {
        return None;
    }
    let mut gpu = 0;
    // SAFETY: there is a driver, and it fills what it is pointed at.
    unsafe { sys::cuCtxGetDevice(&raw mut gpu) }.result().ok()?;
    Some(gpu)
}

impl Memory {
    /// `ordered`: an allocator is asked for it in the order of the default stream.
    pub fn new(bytes: usize, allocator: usize, ordered: bool) -> Result<Self, String> {
        let bytes = bytes.max(1);
        let address = if allocator == 0 && on_host() {
            Box::into_raw(vec![0_u8; bytes].into_boxed_slice()).cast::<u8>().expose_provenance() as u64
        } else if allocator == 0 {
            // SAFETY: any number of bytes may be asked for; it is filled before anything reads it.
            unsafe { result::malloc_sync(bytes) }.map_err(words)?
        } else {
            callbacks::allocate(std::ptr::with_exposed_provenance_mut(allocator), bytes, ordered) as u64
        };
        if address == 0 {
            Err("the allocator gives no memory".to_owned())
        } else {
            Ok(Self { address, bytes, allocator, ordered })
        }
    }

    pub fn address(&self) -> u64 {
        self.address
    }

    /// Gives it back. Nothing on the GPU may use it any more.
    pub fn free(self) -> Result<(), String> {
        if self.allocator == 0 && on_host() {
            let memory = std::ptr::slice_from_raw_parts_mut(host(self.address), self.bytes);
            // SAFETY: a box of that many bytes, made in `new`, which nothing else knows.
            drop(unsafe { Box::from_raw(memory) });
            return Ok(());
        }
        if self.allocator == 0 {
            // SAFETY: allocated by the driver above; the caller waited for the work that uses it.
            return unsafe { result::free_sync(self.address) }.map_err(words);
        }
        let allocator: Pointer = std::ptr::with_exposed_provenance_mut(self.allocator);
        let freed = callbacks::deallocate(allocator, self.address as *mut c_void, self.ordered);
        if freed { Ok(()) } else { Err("the allocator did not take its memory back".to_owned()) }
    }
}

/// A place in this process's memory.
fn host(address: u64) -> *mut u8 {
    with_exposed_provenance_mut(usize::try_from(address).expect("an address"))
}

/// Fills memory on the GPU, in the order of the stream.
///
/// # Safety
/// There are `bytes` bytes at `address` until the work has run, and the stream is live.
pub unsafe fn fill(address: u64, bytes: usize, stream: StreamHandle) -> Result<(), String> {
    if on_host() {
        // SAFETY: the caller's promise.
        unsafe { host(address).write_bytes(0, bytes) };
        return Ok(());
    }
    // SAFETY: the caller's promise.
    unsafe { result::memset_d8_async(address, 0, bytes, stream.cast()) }.map_err(words)
}

/// Copies on the GPU, in the order of the stream.
///
/// # Safety
/// As for [`fill`], of both places.
pub unsafe fn copy(to: u64, from: u64, bytes: usize, stream: StreamHandle) -> Result<(), String> {
    if on_host() {
        // SAFETY: the caller's promise.
        unsafe { host(from).copy_to(host(to), bytes) };
        return Ok(());
    }
    // SAFETY: the caller's promise.
    unsafe { result::memcpy_dtod_async(to, from, bytes, stream.cast()) }.map_err(words)
}

/// What is in memory on the GPU, once the stream has come so far.
///
/// # Safety
/// As for [`fill`].
pub unsafe fn read(address: u64, bytes: usize, stream: StreamHandle) -> Result<Vec<u8>, String> {
    let mut found = vec![0; bytes];
    if on_host() {
        // SAFETY: the caller's promise.
        unsafe { host(address).copy_to(found.as_mut_ptr(), bytes) };
        return Ok(found);
    }
    // SAFETY: the caller's promise; the copy has ended when the wait has.
    unsafe {
        result::memcpy_dtoh_async(&mut found, address, stream.cast()).map_err(words)?;
        wait(stream)?;
    }
    Ok(found)
}

/// Waits for a stream.
///
/// # Safety
/// The stream is live.
pub unsafe fn wait(stream: StreamHandle) -> Result<(), String> {
    if on_host() {
        return Ok(());
    }
    // SAFETY: the caller's promise.
    unsafe { result::stream::synchronize(stream.cast()) }.map_err(words)
}
