//! Tells what machine this is: a [`Device`] with the key under which its numbers compare, from what the kernel and NVML
//! say.
//!
//! [`warnings`] tells what about the machine right now spoils a measurement.
//!
//! The key is a folder name that outlives reboots and upgrades, so it holds no hostname, UUID, driver or kernel; what
//! changes between two runs on one machine is in the other fields. What could not be read is `None`, not a guess.
//! Inference libraries and CUDA are not opened here.
//!
//! Invariant: keys are stable and made of names and sizes alone (the tests of `cpu` and `gpu`), and nothing is warned
//! about that was not read (`a_quiet_machine_and_a_silent_one_give_no_warning`).

mod conditions;
mod cpu;
mod disturbance;
mod gpu;
#[cfg(feature = "tensorrt")]
mod monitor;
#[cfg(feature = "tensorrt")]
mod nvml;
#[cfg(not(feature = "tensorrt"))]
#[path = "device/no_nvml.rs"]
mod nvml;
mod shared;
mod timer;

pub use conditions::{BoostSwitch, Conditions, Warning, judge};
pub use disturbance::{GpuConditions, GpuDisturbance, Throttle};
pub use gpu::{Gpu, GpuState, cuda_version, key as gpu_key};
#[cfg(feature = "tensorrt")]
pub use monitor::Monitor;
pub use nvml::gpus;
pub use shared::{LEAST_SHARED, short_of_memory};
pub use timer::{Timer, measure_timer};

use serde::{Deserialize, Serialize};
use std::fs;
use std::path::Path;

/// The longest key: it is a folder name that people read and type.
const KEY_LIMIT: usize = 64;

/// What machine this is: the comparable part (`key`) and the soft facts, which are shown when they differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// The key under which numbers compare: that of the CPU, such as `cpu-amd-epyc-9r14-2c`, or of the GPU measured on.
    pub key: String,
    /// The GPU that is measured on; `None` for the `cpu` backend.
    #[serde(skip)]
    pub measured_gpu: Option<Gpu>,
    /// The CPU's model name as the kernel gives it, or what its identification registers say.
    pub cpu: String,
    /// How many CPUs this process may use: see [`usable_cpus`].
    pub cpus: u64,
    /// The machine's memory; a container's limit is not applied.
    pub memory_bytes: u64,
    /// The kernel's release.
    pub kernel: String,
    /// The frequency governor; several, comma-separated, where CPUs differ; `None` where the kernel controls none.
    pub governor: Option<String>,
    /// The cgroup's CPU quota, in CPUs; `None` where there is none.
    pub cpu_quota: Option<f64>,
    /// The GPUs NVML shows, in its order (which need not be CUDA's); empty where there are none or [`gpus`] failed, but
    /// that `doctor` then asks CUDA.
    pub gpus: Vec<Gpu>,
}

impl Device {
    /// The machine this process runs on. A caller that wants to say why there is no GPU uses [`Device::with_gpus`].
    pub fn here() -> Self {
        Self::with_gpus(gpus().unwrap_or_default())
    }

    /// The machine this process runs on, with GPUs asked for before: opening NVML can take a second.
    pub fn with_gpus(gpus: Vec<Gpu>) -> Self {
        let identity = cpu::Identity::read();
        let cpus = usable_cpus();
        Self {
            key: cpu::key(&identity, cpus),
            cpu: identity.name.unwrap_or_else(|| format!("unknown {}", std::env::consts::ARCH)),
            cpus,
            memory_bytes: read(Path::new("/proc/meminfo"))
                .and_then(|text| cpu::kib_field(&text, "MemTotal"))
                .unwrap_or(0),
            kernel: read(Path::new("/proc/sys/kernel/osrelease"))
                .map_or_else(|| "unknown".to_owned(), |text| text.trim().to_owned()),
            governor: cpu::governor(&cpu::read_governors()),
            cpu_quota: cpu::Cgroup::read().and_then(|group| group.quota),
            gpus,
            measured_gpu: None,
        }
    }

    /// The same machine, measured on its GPU.
    #[must_use]
    pub fn on_gpu(self, gpu: Gpu) -> Self {
        Self { key: gpu.key.clone(), measured_gpu: Some(gpu), ..self }
    }

    /// What the key stands for: the CPU's name, or the GPU's.
    pub fn name(&self) -> &str {
        self.measured_gpu.as_ref().map_or(&self.cpu, |gpu| &gpu.name)
    }
}

/// How many CPUs this process may use at once, at least 1: scheduler affinity (so also cpusets) and the cgroup's quota,
/// rounded down, whichever is less.
pub fn usable_cpus() -> u64 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u64)
}

/// The most memory this process has had resident so far, in bytes; `None` where /proc does not say.
pub fn peak_host_bytes() -> Option<u64> {
    cpu::kib_field(&read(Path::new("/proc/self/status"))?, "VmHWM")
}

/// The memory that this process has resident now, in bytes; `None` where /proc does not say.
pub fn resident_host_bytes() -> Option<u64> {
    cpu::kib_field(&read(Path::new("/proc/self/status"))?, "VmRSS")
}

/// The warning that a GPU which shares the host's memory, with `needed` bytes needed at once, may not get them now.
pub fn short_of_shared_memory(needed: u64) -> Option<Warning> {
    short_of_memory(&read(Path::new("/proc/meminfo"))?, needed)
}

/// How often the kernel stopped this container for using up its CPU quota; `None` without a quota.
pub fn throttle_count() -> Option<u64> {
    cpu::Cgroup::read().and_then(|group| group.throttled)
}

/// What about this machine, right now, spoils a measurement. Ask while no worker runs, or its own load is warned about.
pub fn warnings(device: &Device) -> Vec<Warning> {
    judge(device, &Conditions::now())
}

/// A small kernel file as text; `None` where it is absent, unreadable or not text, which are all "the kernel does not say".
fn read(path: &Path) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// Lower-case words of letters and digits joined by single hyphens: what a key is made of.
fn slug(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    out.truncate(out.trim_end_matches('-').len());
    out
}

/// `prefix-name-suffix` within [`KEY_LIMIT`]: the name gives way, because the suffix is what tells two machines apart.
fn join_key(prefix: &str, name: &str, suffix: &str) -> String {
    let room = KEY_LIMIT.saturating_sub(prefix.len() + suffix.len() + 2);
    let name: String = name.chars().take(room).collect();
    let parts = [prefix, name.trim_end_matches('-'), suffix];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_folder_names() {
        for (text, expected) in [
            ("AMD EPYC 9R14", "amd-epyc-9r14"),
            ("  Kunpeng/920 (TSV110)  ", "kunpeng-920-tsv110"),
            ("Ärger", "rger"),
            ("../..", ""),
            ("", ""),
        ] {
            assert_eq!(slug(text), expected, "{text}");
        }
    }

    #[test]
    fn a_long_name_gives_way_to_the_suffix() {
        let key = join_key("cpu", &"abc-".repeat(40), "128c");
        assert!(key.len() <= KEY_LIMIT && key.ends_with("-128c") && !key.contains("--"), "{key}");
        assert_eq!(join_key("gpu", "nvidia-gb10", ""), "gpu-nvidia-gb10");
    }

    #[test]
    fn this_machine_has_a_usable_stable_key() {
        let device = Device::here();
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(device.key.chars().all(allowed) && device.key.len() <= KEY_LIMIT, "{}", device.key);
        assert!(device.key.ends_with(&format!("-{}c", device.cpus)), "{}", device.key);
        assert_eq!(device.key, Device::with_gpus(Vec::new()).key);
        assert!(!device.cpu.is_empty() && device.cpus >= 1 && device.memory_bytes > 0);
        let text = serde_json::to_string(&device).unwrap();
        assert_eq!(serde_json::from_str::<Device>(&text).unwrap(), device);
    }

    #[test]
    fn the_peak_is_at_least_what_was_just_used() {
        let block = vec![1_u8; 8 << 20];
        let peak = peak_host_bytes();
        assert!(block.iter().all(|b| *b == 1));
        assert!(peak.is_some_and(|bytes| bytes > 8 << 20), "{peak:?}");
    }
}
