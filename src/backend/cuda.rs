//! The CUDA driver, opened at run time through cudarc. So far only whether it is there.

/// Whether the driver's library (libcuda) can be opened here. Nothing else of cudarc may be called where it cannot.
pub fn driver_present() -> bool {
    // SAFETY: only tries to open the library; its initialisers are the driver's own and run in any CUDA program.
    unsafe { cudarc::driver::sys::is_culib_present() }
}
