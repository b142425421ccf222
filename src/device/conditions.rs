//! Warns of what spoils a measurement on this machine right now, each time with the command that helps.
//!
//! [`Conditions::now`] reads, [`judge`] judges; they are apart, so that the judgement is pure. Nothing is changed here.
//!
//! Invariant: what was not read gives no warning (`a_quiet_machine_and_a_silent_one_give_no_warning`).

use super::shared::{self, LEAST_SHARED};
use super::{Device, Gpu, GpuState, cpu, nvml, read};
use crate::units;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Load above this share of the online CPUs is somebody else's work: ours is not running yet.
const BUSY_LOAD_FRAC: f64 = 0.25;
/// Below this load a single short-lived process explains it, however few CPUs there are.
const BUSY_LOAD_MIN: f64 = 0.5;
/// Steal below one in a thousand is within what interrupts of the guest itself cost.
const STEAL_FRAC: f64 = 0.001;
/// Pages that were swapped out long ago do no harm; this share of memory in swap means that memory is or was short.
const SWAP_USED_FRAC: f64 = 0.01;
/// With less available, the page cache gives up the model's file between processes.
const LOW_MEMORY_FRAC: f64 = 0.1;
const CLOCK_SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
/// Clock sources that are read through a bus or a system call: a microsecond or more each time.
const SLOW_CLOCKS: [&str; 4] = ["hpet", "acpi_pm", "jiffies", "refined-jiffies"];

/// One thing that makes numbers from this machine less steady or less comparable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// What was read, and what it does to a measurement.
    pub what: String,
    /// What to do about it, with the command where there is one.
    pub advice: String,
}

/// What changes from minute to minute; `None` is what the kernel does not say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conditions {
    /// Load average over the last minute.
    pub load_1min: Option<f64>,
    /// CPUs of the whole machine that are switched on.
    pub online_cpus: Option<u64>,
    /// How often this cgroup ran into its CPU quota.
    pub throttled: Option<u64>,
    /// Whether CPUs may exceed their base clock, and the file that says so.
    pub boost: Option<(bool, BoostSwitch)>,
    /// Whether two threads may share a core.
    pub smt: Option<bool>,
    /// What the kernel reads the time from, such as `tsc`.
    pub clock_source: Option<String>,
    /// Swap in use.
    pub swap_used_bytes: Option<u64>,
    /// Swap that is free.
    pub swap_free_bytes: Option<u64>,
    /// Memory that processes can still get without swapping.
    pub available_bytes: Option<u64>,
    /// Whether this is a virtual machine.
    pub hypervisor: Option<bool>,
    /// Share of CPU time since boot that the hypervisor gave to others.
    pub steal_frac: Option<f64>,
    /// What may spoil a measurement on each GPU.
    pub gpus: Vec<GpuState>,
}

/// Which of the two files of sysfs controls boosting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoostSwitch {
    /// `cpufreq/boost`, 1 is on.
    Cpufreq,
    /// `intel_pstate/no_turbo`, 0 is on.
    IntelPstate,
}

impl Conditions {
    /// The conditions now. GPUs are only asked where there is a driver, because asking takes time.
    pub fn now() -> Self {
        let proc = |name: &str| read(&Path::new("/proc").join(name)).unwrap_or_default();
        let sys = |name: &str| read(&Path::new("/sys/devices/system/cpu").join(name));
        let meminfo = proc("meminfo");
        let swap = |key| cpu::kib_field(&meminfo, key);
        let boost = switch(sys("intel_pstate/no_turbo"))
            .map(|off| (!off, BoostSwitch::IntelPstate))
            .or_else(|| switch(sys("cpufreq/boost")).map(|on| (on, BoostSwitch::Cpufreq)));
        Self {
            load_1min: cpu::load_1min(&proc("loadavg")),
            online_cpus: sys("online").and_then(|list| cpu::list_len(&list)),
            throttled: cpu::Cgroup::read().and_then(|group| group.throttled),
            boost,
            smt: switch(sys("smt/active")),
            clock_source: read(Path::new(CLOCK_SOURCE)).map(|name| name.trim().to_owned()),
            swap_used_bytes: swap("SwapTotal")
                .zip(swap("SwapFree"))
                .map(|(all, free)| all.saturating_sub(free)),
            swap_free_bytes: swap("SwapFree"),
            available_bytes: cpu::kib_field(&meminfo, "MemAvailable"),
            hypervisor: cpu::hypervisor(&proc("cpuinfo")),
            steal_frac: cpu::steal_frac(&proc("stat")),
            gpus: nvml::states(),
        }
    }
}

/// A kernel switch: `1` or `0`.
fn switch(text: Option<String>) -> Option<bool> {
    match text?.trim() {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    }
}

/// Every warning these conditions give rise to, the ones that spoil most first.
pub fn judge(device: &Device, now: &Conditions) -> Vec<Warning> {
    let mut out = Vec::new();
    let mut warn = |what: String, advice: &str| out.push(Warning { what, advice: advice.to_owned() });
    others(device, now, &mut warn);
    limits(device, now, &mut warn);
    clocks(device, now, &mut warn);
    memory(device, now, &mut warn);
    if let Some(available) = now.available_bytes.filter(|_| device.gpus.iter().any(Gpu::shares_memory))
        && let Some(short) = shared::short(available, now.swap_free_bytes, LEAST_SHARED)
    {
        warn(short.what, &short.advice);
    }
    graphics(device, now, &mut warn);
    out
}

type Warn<'a> = &'a mut dyn FnMut(String, &str);

/// Who else uses the machine.
fn others(device: &Device, now: &Conditions, warn: Warn) {
    let cpus = now.online_cpus.unwrap_or(device.cpus);
    if let Some(load) = now.load_1min
        && load > (cpus as f64 * BUSY_LOAD_FRAC).max(BUSY_LOAD_MIN)
    {
        warn(
            format!("load average {load:.2} on {cpus} CPUs: something else is using this machine"),
            "see who with `top -o %CPU`, and measure once `uptime` shows it idle (a build that just ended still counts \
             for a minute)",
        );
    }
    match (now.hypervisor, now.steal_frac.filter(|steal| *steal >= STEAL_FRAC)) {
        (_, Some(steal)) => warn(
            format!(
                "virtual machine, and {} of its CPU time since boot went to others (steal)",
                units::share(round(steal))
            ),
            "measure both arms in the same session (`cargo trt-perf check`), or use a dedicated host; watch `vmstat 1`, \
             column st",
        ),
        (Some(true), None) => warn(
            "virtual machine: neighbours and the hypervisor's clock policy are out of sight".to_owned(),
            "measure both arms in the same session (`cargo trt-perf check`) rather than against a stored baseline",
        ),
        (Some(false) | None, None) => {}
    }
}

/// What the container or the shell lets this process use.
fn limits(device: &Device, now: &Conditions, warn: Warn) {
    if let Some(quota) = device.cpu_quota {
        let hit = match now.throttled {
            Some(0) => ", not hit so far".to_owned(),
            Some(n) => format!(", hit {} times so far", units::count(n)),
            None => String::new(),
        };
        warn(
            format!(
                "CPU quota of {quota:.2} CPUs{hit}: tail latencies contain the pauses in which it stops this process"
            ),
            "pin instead of limiting: `docker run --cpuset-cpus 0-3` in place of `--cpus`; in Kubernetes whole CPUs with \
             the static CPU manager policy",
        );
    }
    if let Some(online) = now.online_cpus.filter(|online| device.cpus < *online) {
        warn(
            format!("{} of {online} CPUs usable, which is part of the device key", device.cpus),
            "keep the same limit for every measurement; see it with `taskset -pc $$` and the container's settings",
        );
    }
}

/// What makes the clock rate depend on what ran before.
fn clocks(device: &Device, now: &Conditions, warn: Warn) {
    if let Some(governor) = device.governor.as_deref().filter(|governor| *governor != "performance") {
        warn(
            format!("CPU frequency governor `{governor}`: clocks follow the load, so short runs are slower"),
            "`sudo cpupower frequency-set -g performance`",
        );
    }
    match now.boost {
        Some((true, BoostSwitch::Cpufreq)) => warn(
            "boost is on: clocks depend on temperature and on how many cores are busy".to_owned(),
            "for the steadiest numbers `echo 0 | sudo tee /sys/devices/system/cpu/cpufreq/boost`",
        ),
        Some((true, BoostSwitch::IntelPstate)) => warn(
            "turbo is on: clocks depend on temperature and on how many cores are busy".to_owned(),
            "for the steadiest numbers `echo 1 | sudo tee /sys/devices/system/cpu/intel_pstate/no_turbo`",
        ),
        Some((false, _)) | None => {}
    }
    if now.smt == Some(true) {
        warn(
            "SMT is on: two threads on one core share its units".to_owned(),
            "run on one thread per core (`lscpu -e` shows which, `taskset -c` pins), or \
             `echo off | sudo tee /sys/devices/system/cpu/smt/control`",
        );
    }
    if let Some(name) = now.clock_source.as_deref().filter(|name| SLOW_CLOCKS.contains(name)) {
        warn(
            format!("clock source `{name}`: reading the time takes a microsecond or more"),
            "see available_clocksource in /sys/devices/system/clocksource/clocksource0, and write a faster one (tsc, \
             kvm-clock) to current_clocksource there",
        );
    }
}

fn memory(device: &Device, now: &Conditions, warn: Warn) {
    let share = |bytes: Option<u64>| {
        bytes.filter(|_| device.memory_bytes > 0).map(|b| (b, b as f64 / device.memory_bytes as f64))
    };
    if let Some((bytes, _)) = share(now.swap_used_bytes).filter(|(_, frac)| *frac >= SWAP_USED_FRAC) {
        warn(
            format!("{} of swap in use: a page fault costs more than an inference", units::bytes(bytes)),
            "close what uses the memory (`top -o %MEM`), then `sudo swapoff -a && sudo swapon -a`",
        );
    }
    if let Some((bytes, _)) = share(now.available_bytes).filter(|(_, frac)| *frac < LOW_MEMORY_FRAC) {
        warn(
            format!("only {} of {} memory available", units::bytes(bytes), units::bytes(device.memory_bytes)),
            "close what uses it (`top -o %MEM`)",
        );
    }
}

fn graphics(device: &Device, now: &Conditions, warn: Warn) {
    for state in &now.gpus {
        let index = state.index;
        let reasons: Vec<String> = state.throttled.iter().map(ToString::to_string).collect();
        if !reasons.is_empty() {
            warn(
                format!("GPU {index} is throttled: {}", reasons.join(", ")),
                "see `nvidia-smi -q -d PERFORMANCE,TEMPERATURE,POWER`; locked clocks below the limit stay steady: \
                 `sudo nvidia-smi -lgc MHZ`",
            );
        }
        if let Some(n) = state.processes.filter(|n| *n > 0) {
            warn(
                format!("{n} other process(es) compute on GPU {index}"),
                "see `nvidia-smi --query-compute-apps=pid,name,used_memory --format=csv`, and measure once they ended",
            );
        }
    }
    if device.gpus.iter().any(|gpu| gpu.persistence == Some(false)) {
        warn(
            "GPU persistence mode is off: between processes the driver unloads and forgets locked clocks"
                .to_owned(),
            "`sudo nvidia-smi -pm 1`, or enable the nvidia-persistenced service",
        );
    }
    if device.gpus.iter().any(|gpu| gpu.cuda_driver.is_none()) {
        warn(
            "NVML shows a GPU, but libcuda cannot be opened: nothing can run on it".to_owned(),
            "in a container add `-e NVIDIA_DRIVER_CAPABILITIES=compute,utility`; else install the driver's libcuda",
        );
    }
    if device.gpus.iter().any(|gpu| gpu.confidential == Some(true)) {
        warn(
            "the GPU computes confidentially: times between CUDA events (GPU p50) are not to be relied on there"
                .to_owned(),
            "judge by the host's times, or measure with confidential computing off",
        );
    }
    // An instance's own name says so; a GPU in MIG mode without one cannot run anything.
    if let Some(gpu) = device.gpus.iter().find(|gpu| gpu.mig == Some(true) && !gpu.key.contains("-mig-")) {
        warn(
            format!("GPU {} is in MIG mode but has no instance: nothing can run on it", gpu.index),
            "make one with `sudo nvidia-smi mig -cgi 0 -C`, or turn the mode off with `sudo nvidia-smi -mig 0`",
        );
    }
}

/// Rounds to a hundredth of a percent: more digits of a share since boot say nothing.
fn round(frac: f64) -> f64 {
    (frac * 1e4).round() / 1e4
}

#[cfg(test)]
mod tests;
