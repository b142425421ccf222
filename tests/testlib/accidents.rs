//! Accidents that the environment asks for: the process ends, hangs or leaks, or a call fails.

use crate::told::{fault, fault_after};
use std::time::Duration;

/// What goes wrong in a build.
pub fn in_build() {
    if fault("crash-in-build") {
        crash();
    }
    if fault("abort-in-build") {
        std::process::abort();
    }
    if fault("hang-in-build") {
        hang();
    }
}

/// A jump to where no code is.
pub fn crash() {
    let nowhere = std::hint::black_box(64_usize);
    // SAFETY: it is not, and that is the point: the process is to end by SIGSEGV, as when a library is broken.
    let function: extern "C" fn() = unsafe { std::mem::transmute(nowhere) };
    function();
}

pub fn hang() -> ! {
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}

/// What goes wrong in an inference that so many went before.
pub fn in_enqueue(before: u64) -> Result<(), String> {
    if fault_after("crash-in-enqueue", before) {
        crash();
    }
    if fault_after("hang-in-enqueue", before) {
        hang();
    }
    if fault_after("leak-in-enqueue", before) {
        // Touched, so that it counts.
        std::mem::forget(std::hint::black_box(vec![1_u8; 1 << 16]));
    }
    if fault_after("enqueue-fails", before) {
        return Err("Error Code 1: Cuda Runtime (an illegal memory access was encountered)".to_owned());
    }
    Ok(())
}
