//! Which GPU an engine is built on, as part of its inputs.

use crate::error::{Failure, FailureKind, Result};
use cudarc::driver::result;
use cudarc::driver::sys::CUdevice_attribute as Attribute;

/// Name and compute capability, such as `NVIDIA H200, compute capability 9.0`.
pub fn identity(device: u32) -> Result<String> {
    let fail = |what: String| {
        Failure::new(FailureKind::Build, what).next(
            "build on a machine with an NVIDIA GPU and its driver, or with TensorRT-RTX, which needs none",
        )
    };
    if !crate::backend::cuda::driver_present() {
        return Err(fail(
            "TensorRT builds for the GPU that is here, and there is no CUDA driver (no libcuda)".into(),
        ));
    }
    let read = || -> std::result::Result<String, result::DriverError> {
        result::init()?;
        let gpu = result::device::get(i32::try_from(device).unwrap_or(i32::MAX))?;
        let name = result::device::get_name(gpu)?;
        // SAFETY: the device is one that the driver just gave.
        let attribute = |which| unsafe { result::device::get_attribute(gpu, which) };
        let major = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        let minor = attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        Ok(format!("{name}, compute capability {major}.{minor}"))
    };
    read().map_err(|e| fail(format!("the CUDA driver does not tell about GPU {device}: {e}")))
}
