//! Reads one GPU's state before and after a measurement, through NVML.
//!
//! Nothing is asked while something is timed: a query takes up to a millisecond, and some wake the GPU's firmware.

use super::disturbance::GpuConditions;
use super::nvml::{open, throttled};
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::enums::device::UsedGpuMemory;
use nvml_wrapper::struct_wrappers::device::ProcessInfo;
use nvml_wrapper::{Device, Nvml};

/// NVML's view of the GPU that is measured on.
pub struct Monitor {
    nvml: Nvml,
    uuid: String,
}

impl Monitor {
    /// `id` is the UUID, as NVML writes it or as CUDA does; `None` where NVML does not know it.
    pub fn open(id: &str) -> Option<Self> {
        let nvml = open().ok()?;
        let uuid = names(id).into_iter().find(|uuid| nvml.device_by_uuid(uuid.as_str()).is_ok())?;
        Some(Self { nvml, uuid })
    }

    fn device(&self) -> Option<Device<'_>> {
        self.nvml.device_by_uuid(self.uuid.as_str()).ok()
    }

    /// The state now; clocks of the multiprocessors are left to CUDA. `ours` of the processes that compute on the GPU
    /// are those that are measured.
    pub fn conditions(&self, ours: u64) -> GpuConditions {
        let Some(gpu) = self.device() else { return GpuConditions::default() };
        GpuConditions {
            sm_mhz: None,
            max_sm_mhz: None,
            memory_mhz: gpu.clock_info(Clock::Memory).ok(),
            temperature_c: gpu.temperature(TemperatureSensor::Gpu).ok(),
            power_w: gpu.power_usage().ok().map(|mw| f64::from(mw) / 1000.0),
            throttled: gpu.current_throttle_reasons().map(throttled).unwrap_or_default(),
            // Counted, because process ids are the host's, which a container cannot tell from its own.
            others: gpu.running_compute_processes().ok().map(|all| (all.len() as u64).saturating_sub(ours)),
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

/// What NVML may call a GPU that has this id: CUDA leaves out the `GPU-`, or the `MIG-` of an instance of a split GPU.
fn names(id: &str) -> Vec<String> {
    let kinds = ["GPU-", "MIG-"];
    match kinds.iter().any(|kind| id.starts_with(kind)) {
        true => vec![id.to_owned()],
        false => kinds.map(|kind| format!("{kind}{id}")).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_found_by_the_id_of_either_library() {
        assert_eq!(names("8a7c-01"), ["GPU-8a7c-01", "MIG-8a7c-01"]);
        for whole in ["GPU-8a7c-01", "MIG-8a7c-01"] {
            assert_eq!(names(whole), [whole]);
        }
    }
}
