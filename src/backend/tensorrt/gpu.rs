//! Names the GPU that an engine is built on, because it is part of the engine's inputs.

use crate::backend::cuda::{describe, driver_present};
use crate::error::{Failure, FailureKind, Result};

/// Name and compute capability, such as `NVIDIA H200, compute capability 9.0`.
pub fn identity(device: u32) -> Result<String> {
    let next = "build on a machine with an NVIDIA GPU and its driver, or with TensorRT-RTX, which needs none";
    if !driver_present() {
        let what = "TensorRT builds for the GPU that is here, and there is no CUDA driver (no libcuda)";
        return Err(Failure::new(FailureKind::Build, what).next(next));
    }
    let gpu = describe(device).map_err(|e| {
        let what = format!("the CUDA driver does not tell about GPU {device}: {}", e.message);
        Failure::new(FailureKind::Build, what).next(next)
    })?;
    Ok(format!("{}, compute capability {}", gpu.name, gpu.compute_capability))
}
