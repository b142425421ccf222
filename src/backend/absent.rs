//! What stands where the NVIDIA backends would be in a program that was built without the feature `tensorrt`.

use super::{Looked, not_in_this_build};
use crate::case::BackendKind;
use crate::device::{Gpu, GpuConditions};
use crate::error::Result;
use std::path::Path;

/// No GPU is measured on without these backends, so there is no value of this type.
pub enum GpuProbe {}

impl GpuProbe {
    /// The state now.
    pub fn conditions(&mut self) -> Result<GpuConditions> {
        match *self {}
    }

    /// Energy since the driver was loaded, in joules.
    pub fn energy_j(&self) -> Option<f64> {
        match *self {}
    }

    /// Says that the measured phase begins.
    pub fn start_profilers(&self) -> Result<()> {
        match *self {}
    }

    /// Says that the measured phase ends.
    pub fn stop_profilers(&self) -> Result<()> {
        match *self {}
    }
}

/// No profiler is looked for without these backends.
pub mod nvtx {
    /// This program cannot mark ranges.
    pub const IS_HERE: bool = false;

    /// There is no value of this type.
    pub enum Nvtx {}

    impl Nvtx {
        /// Begins a range.
        pub fn start(&self, _: &str) -> u64 {
            match *self {}
        }

        /// Ends a range.
        pub fn end(&self, _: u64) {
            match *self {}
        }
    }

    /// No profiler.
    pub fn profiler() -> Option<&'static Nvtx> {
        None
    }
}

/// Why there are no GPUs.
pub fn gpus() -> Result<Vec<Gpu>> {
    Err(not_in_this_build(BackendKind::Cuda))
}

/// What `auto` is decided by.
pub fn tensorrt_is_here() -> bool {
    false
}

/// Nothing is looked for.
pub fn probe_tensorrt(_: Option<&Path>) -> (Vec<Looked>, Result<String>) {
    (Vec::new(), Err(not_in_this_build(BackendKind::Tensorrt)))
}

/// Why no trtexec would be used.
pub fn trtexec_found(_: Option<&Path>) -> Result<String, String> {
    Err(not_in_this_build(BackendKind::Trtexec).message)
}
