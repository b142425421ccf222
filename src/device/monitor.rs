//! Reads one GPU's state before and after a measurement, through NVML.
//!
//! Nothing is asked while something is timed: a query takes up to a millisecond, and some wake the GPU's firmware.

use super::disturbance::GpuConditions;
use super::nvml::{open, throttled};
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use nvml_wrapper::{Device, Nvml};

/// NVML's view of the GPU that this process computes on.
pub struct Monitor {
    nvml: Nvml,
    uuid: String,
}

impl Monitor {
    /// `id` is the UUID without `GPU-`, or `MIG-` for an instance of a split GPU; `None` where NVML does not know it.
    pub fn open(id: &str) -> Option<Self> {
        let nvml = open().ok()?;
        let uuid = ["GPU", "MIG"]
            .map(|kind| format!("{kind}-{id}"))
            .into_iter()
            .find(|uuid| nvml.device_by_uuid(uuid.as_str()).is_ok())?;
        Some(Self { nvml, uuid })
    }

    fn device(&self) -> Option<Device<'_>> {
        self.nvml.device_by_uuid(self.uuid.as_str()).ok()
    }

    /// The state now. Called while this process has a context on the GPU; clocks of the multiprocessors are left to CUDA.
    pub fn conditions(&self) -> GpuConditions {
        let Some(gpu) = self.device() else { return GpuConditions::default() };
        GpuConditions {
            sm_mhz: None,
            max_sm_mhz: None,
            memory_mhz: gpu.clock_info(Clock::Memory).ok(),
            temperature_c: gpu.temperature(TemperatureSensor::Gpu).ok(),
            power_w: gpu.power_usage().ok().map(|mw| f64::from(mw) / 1000.0),
            throttled: gpu.current_throttle_reasons().map(throttled).unwrap_or_default(),
            // Process ids are the host's, which a container cannot tell from its own; but one of them is ours.
            others: gpu.running_compute_processes().ok().map(|all| (all.len() as u64).saturating_sub(1)),
        }
    }

    /// The processes that compute on the GPU, with the memory that each has; `None` where NVML does not say.
    pub fn processes(&self) -> Option<Vec<(u32, Option<u64>)>> {
        let all = self.device()?.running_compute_processes().ok()?;
        let memory = |process: ProcessInfo| match process.used_gpu_memory {
            UsedGpuMemory::Used(bytes) => (process.pid, Some(bytes)),
            UsedGpuMemory::Unavailable => (process.pid, None),
        };
        Some(all.into_iter().map(memory).collect())
    }

    /// Used memory of the whole GPU; `None` where NVML does not say, as on boards that share the host's memory.
    pub fn used_bytes(&self) -> Option<u64> {
        Some(self.device()?.memory_info().ok()?.used)
    }

    /// Energy since the driver was loaded, in joules.
    pub fn energy_j(&self) -> Option<f64> {
        Some(self.device()?.total_energy_consumption().ok()? as f64 / 1000.0)
    }
}
