//! What stands where NVML would be where the feature `tensorrt` is off: no GPU, and the reason.

use super::gpu::{Gpu, GpuState};

/// Why no GPU is known.
pub fn gpus() -> Result<Vec<Gpu>, String> {
    Err("this program was built without the feature `tensorrt`, so it asks for no GPU".to_owned())
}

/// No GPU can be asked.
pub(super) fn states() -> Vec<GpuState> {
    Vec::new()
}
