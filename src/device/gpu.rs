//! What a GPU is, what may spoil a measurement on it, and under which key its numbers compare.

use super::{Throttle, join_key, slug};
use crate::layers::GpuLimits;
use serde::{Deserialize, Serialize};

/// One GPU, or one MIG instance of one; `None` is what NVML does not say of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    /// NVML's index of the physical GPU, as `nvidia-smi -i` takes it; CUDA may number GPUs differently.
    pub index: u32,
    /// Its name, as NVML gives it.
    pub name: String,
    /// All of its memory; `None` where NVML does not say, as for GPUs that share the host's (GB10, Jetson).
    pub memory_bytes: Option<u64>,
    /// Whether it has no memory of its own and uses the host's, as CUDA says; `None` where only NVML was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrated: Option<bool>,
    /// The version of the NVIDIA driver.
    pub driver: String,
    /// The newest CUDA version the driver supports, such as `12.8`; `None` where libcuda cannot be opened, so CUDA does
    /// not work here.
    pub cuda_driver: Option<String>,
    /// What its multiprocessors can do, such as `9.0`.
    pub compute_capability: Option<String>,
    /// Whether MIG mode is on; `None` where the GPU has none.
    pub mig: Option<bool>,
    /// Whether its memory corrects errors.
    pub ecc: Option<bool>,
    /// Whether the driver stays loaded while nobody uses the GPU.
    pub persistence: Option<bool>,
    /// The power limit in force, in watts.
    pub power_limit_w: Option<f64>,
    /// Whether it computes confidentially, where times between CUDA events are not to be relied on.
    #[serde(default)]
    pub confidential: Option<bool>,
    /// What it can do at most, as CUDA says; `None` where only NVML was asked, and where its memory is not its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<GpuLimits>,
    /// The key under which its numbers compare, such as `gpu-nvidia-h200-141g`.
    pub key: String,
    /// The id by which CUDA and NVML mean the same GPU. It is neither shown nor stored.
    #[serde(skip)]
    pub uuid: Option<String>,
}

impl Gpu {
    /// Whether it uses the host's memory. NVML knows no memory of such a GPU.
    pub fn shares_memory(&self) -> bool {
        self.integrated.unwrap_or(self.memory_bytes.is_none())
    }

    /// A GPU that only CUDA knows, as on boards without NVML.
    pub fn without_nvml(index: u32, name: &str, memory_bytes: u64, compute_capability: String) -> Self {
        Self {
            index,
            name: name.to_owned(),
            memory_bytes: Some(memory_bytes),
            integrated: None,
            driver: "unknown".into(),
            cuda_driver: None,
            compute_capability: Some(compute_capability),
            mig: None,
            ecc: None,
            persistence: None,
            power_limit_w: None,
            confidential: None,
            limits: None,
            key: key(name, Some(memory_bytes), None),
            uuid: None,
        }
    }
}

/// What may spoil a measurement on one GPU right now.
#[derive(Clone, Debug, PartialEq)]
pub struct GpuState {
    /// NVML's index of the physical GPU.
    pub index: u32,
    /// Why its clocks are held down; empty where they are not or NVML does not say.
    pub throttled: Vec<Throttle>,
    /// Other processes that compute on it; `None` where NVML does not say. A container may be shown none.
    pub processes: Option<u64>,
}

/// A version of CUDA as people write it, from the driver's number.
pub fn cuda_version(number: i32) -> String {
    format!("{}.{}", number / 1000, number % 1000 / 10)
}

/// The key of a GPU. Memory is in whole GiB, rounded up: drivers keep a little back, and not always the same.
pub fn key(name: &str, memory_bytes: Option<u64>, profile: Option<&str>) -> String {
    let mut name = slug(name);
    if name.is_empty() {
        name = "unknown".to_owned();
    }
    let memory = memory_bytes.map(|bytes| format!("{}g", bytes.div_ceil(1 << 30)));
    let profile = profile.map(|profile| format!("mig-{}", slug(profile)));
    let suffix: Vec<String> = memory.into_iter().chain(profile).collect();
    join_key("gpu", &name, &suffix.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_nvidia_writes_them() {
        assert_eq!(cuda_version(12_080), "12.8");
        assert_eq!(cuda_version(13_000), "13.0");
    }

    #[test]
    fn keys_of_gpus() {
        const MIB: u64 = 1 << 20;
        for (name, memory_mib, profile, expected) in [
            ("NVIDIA H200", Some(143_771), None, "gpu-nvidia-h200-141g"),
            ("NVIDIA H100 80GB HBM3", Some(81_559), None, "gpu-nvidia-h100-80gb-hbm3-80g"),
            ("NVIDIA A100-SXM4-40GB", Some(40_960), None, "gpu-nvidia-a100-sxm4-40gb-40g"),
            ("NVIDIA A100-SXM4-40GB", Some(40_536), None, "gpu-nvidia-a100-sxm4-40gb-40g"),
            ("NVIDIA GeForce RTX 4090", Some(24_564), None, "gpu-nvidia-geforce-rtx-4090-24g"),
            ("NVIDIA H200", Some(143_771), Some("1g.18gb"), "gpu-nvidia-h200-141g-mig-1g-18gb"),
            ("NVIDIA GB10", None, None, "gpu-nvidia-gb10"),
            ("", None, None, "gpu-unknown"),
        ] {
            assert_eq!(key(name, memory_mib.map(|m| m * MIB), profile), expected);
        }
        let long = key(&"NVIDIA Something ".repeat(9), Some(80 << 30), Some("1c.2g.35gb"));
        assert!(long.len() <= 64 && long.ends_with("-80g-mig-1c-2g-35gb"), "{long}");
    }
}
