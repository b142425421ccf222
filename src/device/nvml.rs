//! Reads the GPU side of a device through NVML, which is opened at run time; machines without it get a reason instead.
//!
//! libcuda is not opened here: whether it is present is asked of NVML, which answers without panicking or leaving a
//! CUDA context behind. Settings of a GPU are read and not changed.

use super::gpu::{Gpu, GpuState, cuda_version, key};
use super::{Throttle, read};
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};
use std::path::Path;

/// The GPUs of this machine, MIG instances in place of a GPU that is split into them, or why there are none, in words a
/// user can act on.
pub fn gpus() -> Result<Vec<Gpu>, String> {
    let nvml = open()?;
    let driver = nvml.sys_driver_version().map_err(|e| failed(&e))?;
    // NVML reads this version from libcuda, and fails where there is none.
    let cuda_driver = nvml.sys_cuda_driver_version().ok().map(cuda_version);
    let mut gpus = Vec::new();
    for (index, part, whole) in handles(&nvml)? {
        let named = |e: NvmlError| format!("GPU {index}: {}", failed(&e));
        let name = part.name().map_err(named)?;
        let memory_bytes = memory(&part);
        let is_instance = part.mig_is_mig_device_handle().unwrap_or(false);
        let key = if is_instance {
            let whole_bytes = memory(&whole);
            key(&whole.name().map_err(named)?, whole_bytes, Some(&profile(&name, &part, whole_bytes)))
        } else {
            key(&name, memory_bytes, None)
        };
        gpus.push(Gpu {
            index,
            name,
            memory_bytes,
            integrated: None,
            driver: driver.clone(),
            cuda_driver: cuda_driver.clone(),
            // An instance has no say in these: they are the physical GPU's.
            compute_capability: whole
                .cuda_compute_capability()
                .ok()
                .map(|version| format!("{}.{}", version.major, version.minor)),
            mig: whole.mig_mode().ok().map(|mode| mode.current == 1),
            ecc: whole.is_ecc_enabled().ok().map(|ecc| ecc.currently_enabled),
            persistence: whole.is_in_persistent_mode().ok(),
            power_limit_w: whole.enforced_power_limit().ok().map(|mw| f64::from(mw) / 1000.0),
            confidential: whole.check_confidential_compute_status().ok(),
            limits: None,
            key,
            uuid: part.uuid().ok(),
        });
    }
    Ok(gpus)
}

/// The state of each GPU now; empty where NVML cannot be asked.
pub(super) fn states() -> Vec<GpuState> {
    let Ok(nvml) = open() else { return Vec::new() };
    let Ok(handles) = handles(&nvml) else { return Vec::new() };
    let own = std::process::id();
    let state = |(index, part, whole): (u32, Device, Device)| GpuState {
        index,
        throttled: whole.current_throttle_reasons().map(throttled).unwrap_or_default(),
        processes: part
            .running_compute_processes()
            .ok()
            .map(|all| all.iter().filter(|process| process.pid != own).count() as u64),
    };
    handles.into_iter().map(state).collect()
}

pub(super) fn open() -> Result<Nvml, String> {
    Nvml::init().map_err(|error| match error {
        NvmlError::LibloadingError(_) => {
            no_library(Path::new("/proc/driver/nvidia/version").exists(), pci_has_nvidia_gpu())
        }
        other => failed(&other),
    })
}

/// Index, the GPU or its instance, and the physical GPU, for each that this process may use.
fn handles(nvml: &Nvml) -> Result<Vec<(u32, Device<'_>, Device<'_>)>, String> {
    let mut out = Vec::new();
    let mut hidden = 0;
    for index in 0..nvml.device_count().map_err(|e| failed(&e))? {
        let named = |e: NvmlError| format!("GPU {index}: {}", failed(&e));
        let whole = match nvml.device_by_index(index) {
            Ok(gpu) => gpu,
            // The count takes in GPUs that this container or user was not given.
            Err(NvmlError::NoPermission) => {
                hidden += 1;
                continue;
            }
            Err(error) => return Err(named(error)),
        };
        let mut instances = Vec::new();
        if whole.mig_mode().is_ok_and(|mode| mode.current == 1) {
            for instance in 0..whole.mig_device_count().unwrap_or(0) {
                // The count is the most there can be; free places have no handle.
                if let Ok(part) = whole.mig_device_by_index(instance) {
                    instances.push((index, part, nvml.device_by_index(index).map_err(named)?));
                }
            }
        }
        if instances.is_empty() {
            instances.push((index, nvml.device_by_index(index).map_err(named)?, whole));
        }
        out.append(&mut instances);
    }
    match (out.is_empty(), hidden) {
        (false, _) => Ok(out),
        (true, 0) => Err(
            "the NVIDIA driver works but shows no GPU; see what `nvidia-smi -L` lists, and in a container \
                          start it with `--gpus all`"
                .to_owned(),
        ),
        (true, _) => Err(format!(
            "{hidden} NVIDIA GPU(s) present, but this user may open none; check the permissions of /dev/nvidia*, and in \
             a container start it with `--gpus all`"
        )),
    }
}

fn memory(gpu: &Device) -> Option<u64> {
    gpu.memory_info().ok().map(|memory| memory.total).filter(|total| *total > 0)
}

/// The MIG profile: from the name where it is part of it, else put together as NVIDIA names them.
fn profile(name: &str, part: &Device, whole_bytes: Option<u64>) -> String {
    if let Some((_, profile)) = name.split_once(" MIG ") {
        return profile.to_owned();
    }
    match (part.attributes(), whole_bytes) {
        (Ok(has), Some(whole)) => profile_of(
            has.gpu_instance_slice_count,
            has.compute_instance_slice_count,
            has.memory_size_mb.saturating_mul(1 << 20),
            whole,
        ),
        _ => "unknown".to_owned(),
    }
}

/// `1g.18gb`, or `1c.2g.35gb` for a compute instance that has only some of its GPU instance's slices. The memory in a
/// profile's name is not what an instance reports but its share of the whole, in eighths, of the whole's GB.
fn profile_of(gpu_slices: u32, compute_slices: u32, bytes: u64, whole_bytes: u64) -> String {
    let eighths = bytes.saturating_mul(8).div_ceil(whole_bytes.max(1));
    let memory_gb = eighths.saturating_mul(whole_bytes.div_ceil(1 << 30)).saturating_add(4) / 8;
    let compute = if compute_slices == gpu_slices { String::new() } else { format!("{compute_slices}c.") };
    format!("{compute}{gpu_slices}g.{memory_gb}gb")
}

/// The reasons that make a GPU slower than it would be; being idle and clocks the user has set are none.
pub(super) fn throttled(reasons: ThrottleReasons) -> Vec<Throttle> {
    [
        (ThrottleReasons::HW_THERMAL_SLOWDOWN, Throttle::HardwareThermal),
        (ThrottleReasons::SW_THERMAL_SLOWDOWN, Throttle::DriverThermal),
        (ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN, Throttle::PowerBrake),
        (ThrottleReasons::HW_SLOWDOWN, Throttle::Hardware),
        (ThrottleReasons::SW_POWER_CAP, Throttle::PowerLimit),
        (ThrottleReasons::SYNC_BOOST, Throttle::SyncBoost),
    ]
    .into_iter()
    .filter_map(|(reason, why)| reasons.contains(reason).then_some(why))
    .collect()
}

/// Why the NVML library is missing, by what else of NVIDIA is there.
fn no_library(kernel_driver: bool, card: bool) -> String {
    match (kernel_driver, card) {
        (true, _) => "the NVIDIA kernel driver is loaded, but libnvidia-ml.so.1 cannot be opened; in a container, start \
                      it with `--gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility`, else reinstall the driver's \
                      libraries"
            .to_owned(),
        (false, true) => "an NVIDIA GPU is on the PCI bus, but no NVIDIA driver is installed; install it, then check \
                          with `nvidia-smi`"
            .to_owned(),
        (false, false) => "no NVIDIA GPU or driver on this machine".to_owned(),
    }
}

fn failed(error: &NvmlError) -> String {
    let advice = match error {
        NvmlError::DriverNotLoaded => "load it with `sudo modprobe nvidia`, then check with `nvidia-smi`",
        NvmlError::LibRmVersionMismatch => {
            "the driver was upgraded while loaded: reboot, or reload the nvidia kernel modules"
        }
        NvmlError::NoPermission | NvmlError::OperatingSystem => {
            "check the permissions of /dev/nvidia*, and in a container start it with `--gpus all`"
        }
        NvmlError::GpuLost | NvmlError::ResetRequired => {
            "see `dmesg | grep NVRM`; it needs a reset or a reboot"
        }
        NvmlError::FailedToLoadSymbol(_) | NvmlError::FunctionNotFound => {
            "the driver is too old for this query: R510 or later is needed"
        }
        _ => "check what `nvidia-smi` says",
    };
    format!("NVML: {error}; {advice}")
}

/// Whether the PCI bus has a display or 3D controller (class 03) of vendor 10de.
fn pci_has_nvidia_gpu() -> bool {
    let Ok(devices) = std::fs::read_dir("/sys/bus/pci/devices") else { return false };
    let is = |folder: &Path, file: &str, start: &str| {
        read(&folder.join(file)).is_some_and(|text| text.trim().starts_with(start))
    };
    devices
        .flatten()
        .map(|device| device.path())
        .any(|path| is(&path, "vendor", "0x10de") && is(&path, "class", "0x03"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_as_nvidia_writes_them() {
        const MIB: u64 = 1 << 20;
        assert_eq!(profile_of(1, 1, 16_384 * MIB, 143_771 * MIB), "1g.18gb");
        assert_eq!(profile_of(2, 1, 33_280 * MIB, 143_771 * MIB), "1c.2g.35gb");
        assert_eq!(profile_of(1, 1, 4_864 * MIB, 40_960 * MIB), "1g.5gb");
        assert_eq!(profile_of(1, 1, u64::MAX, 0), "1g.0gb");
    }

    #[test]
    fn idle_and_set_clocks_are_no_throttling() {
        let harmless = ThrottleReasons::GPU_IDLE | ThrottleReasons::APPLICATIONS_CLOCKS_SETTING;
        assert!(throttled(harmless).is_empty());
        let hot = harmless | ThrottleReasons::HW_THERMAL_SLOWDOWN | ThrottleReasons::HW_SLOWDOWN;
        assert_eq!(throttled(hot), [Throttle::HardwareThermal, Throttle::Hardware]);
    }

    #[test]
    fn a_missing_gpu_says_what_to_do() {
        assert!(no_library(true, true).contains("--gpus all"));
        assert!(no_library(false, true).contains("install"));
        assert_eq!(no_library(false, false), "no NVIDIA GPU or driver on this machine");
        assert!(failed(&NvmlError::DriverNotLoaded).contains("modprobe"));
        assert!(failed(&NvmlError::LibRmVersionMismatch).contains("reboot"));
    }

    #[test]
    fn asking_never_panics_and_never_answers_nothing() {
        match gpus() {
            Ok(gpus) => assert!(gpus.iter().all(|gpu| gpu.key.starts_with("gpu-")) && !gpus.is_empty()),
            Err(why) => assert!(!why.is_empty() && !why.contains('\n'), "{why}"),
        }
    }
}
