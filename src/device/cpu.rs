//! Reads the CPU side of a device from the text the kernel gives: name and key, governors, quota and counters.
//!
//! Everything but the `read…` functions at the end is pure.
//!
//! Invariant: names and keys are the same for all texts of one machine (`names_and_keys_of_machines`), also after a
//! reboot or an upgrade of the kernel.

use super::{join_key, read, slug};
use std::path::{Path, PathBuf};

/// What the CPU calls itself.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Identity {
    pub(super) name: Option<String>,
    /// Family, model and stepping, for a name that does not say which generation it is.
    pub(super) generation: Option<String>,
}

impl Identity {
    /// Reads `/proc/cpuinfo` and, on boards that have one, the device tree's model.
    pub(super) fn parse(cpuinfo: &str, board: Option<&str>) -> Self {
        // 64-bit Arm kernels give at most the architecture here ("ARMv8 Processor rev 1 (v8l)"), which names no CPU.
        let said = ["model name", "cpu model", "uarch"]
            .iter()
            .find_map(|key| field(cpuinfo, key))
            .filter(|name| !name.is_empty() && !name.starts_with("ARMv"));
        let name = match said {
            Some(name) => Some(name.split_whitespace().collect::<Vec<_>>().join(" ")),
            None => on_board(arm_cores(cpuinfo), board),
        };
        let number = |key| field(cpuinfo, key).filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        let generation = match (number("cpu family"), number("model"), number("stepping")) {
            (Some(family), Some(model), Some(stepping)) => Some(format!("f{family}m{model}s{stepping}")),
            _ => None,
        };
        Self { name, generation }
    }

    pub(super) fn read() -> Self {
        let cpuinfo = read(Path::new("/proc/cpuinfo")).unwrap_or_default();
        Self::parse(&cpuinfo, read(Path::new("/proc/device-tree/model")).as_deref())
    }
}

/// The board behind the cores: two boards with the same cores differ in cache, clocks and memory.
fn on_board(cores: Option<String>, board: Option<&str>) -> Option<String> {
    let board = board
        .map(|text| text.trim_matches(|c: char| c == '\0' || c.is_whitespace()))
        .filter(|text| !text.is_empty() && *text != "linux,dummy-virt");
    match (cores, board) {
        (Some(cores), Some(board)) => Some(format!("{cores} ({board})")),
        (cores, board) => cores.or_else(|| board.map(str::to_owned)),
    }
}

/// The key of the CPU backend on this CPU with so many usable CPUs.
pub(super) fn key(identity: &Identity, cpus: u64) -> String {
    let mut name = identity.name.as_deref().map(plain_name).unwrap_or_default();
    if name.is_empty() {
        name = slug(&format!("unknown {}", std::env::consts::ARCH));
    } else if !name.bytes().any(|b| b.is_ascii_digit())
        && let Some(generation) = &identity.generation
    {
        // Hypervisors hide the model: "Intel(R) Xeon(R) Processor @ 2.50GHz" is any of several generations.
        name = format!("{name}-{generation}");
    }
    join_key("cpu", &name, &format!("{cpus}c"))
}

/// The slug of a model name without what says nothing about which CPU it is.
fn plain_name(name: &str) -> String {
    let mut text = name.to_ascii_lowercase();
    for mark in ["(r)", "(tm)", "(c)", "®", "™"] {
        text = text.replace(mark, " ");
    }
    let text = text.split('@').next().unwrap_or_default();
    let text = text.split(" with ").next().unwrap_or_default();
    let noise = |word: &&str| {
        !matches!(*word, "cpu" | "processor" | "processors" | "technologies") && !word.ends_with("-core")
    };
    slug(&text.split_whitespace().filter(noise).collect::<Vec<_>>().join(" "))
}

/// Each different core of an Arm CPU by name, in order of first appearance: "Cortex-X925 + Cortex-A725".
fn arm_cores(cpuinfo: &str) -> Option<String> {
    let mut cores: Vec<String> = Vec::new();
    for cpu in cpuinfo.split("\n\n") {
        if let (Some(implementer), Some(part)) = (field(cpu, "CPU implementer"), field(cpu, "CPU part")) {
            let core = arm_core(implementer, part);
            if !cores.contains(&core) {
                cores.push(core);
            }
        }
    }
    (!cores.is_empty()).then(|| cores.join(" + "))
}

/// Source of the numbers: each vendor's MIDR_EL1 values, as collected in util-linux' `lscpu` and the kernel's cputype.h.
fn arm_core(implementer: &str, part: &str) -> String {
    let vendor = match implementer {
        "0x41" => "Arm",
        "0x42" => "Broadcom",
        "0x43" => "Cavium",
        "0x46" => "Fujitsu",
        "0x48" => "HiSilicon",
        "0x4e" => "NVIDIA",
        "0x51" => "Qualcomm",
        "0x61" => "Apple",
        "0x6d" => "Microsoft",
        "0xc0" => "Ampere",
        other => return format!("Arm implementer {other} part {part}"),
    };
    let known = match (implementer, part) {
        ("0x41", "0xd03") => "Cortex-A53",
        ("0x41", "0xd05") => "Cortex-A55",
        ("0x41", "0xd07") => "Cortex-A57",
        ("0x41", "0xd08") => "Cortex-A72",
        ("0x41", "0xd0b") => "Cortex-A76",
        ("0x41", "0xd0c") => "Neoverse-N1",
        ("0x41", "0xd40") => "Neoverse-V1",
        ("0x41", "0xd42") => "Cortex-A78AE",
        ("0x41", "0xd46") => "Cortex-A510",
        ("0x41", "0xd47") => "Cortex-A710",
        ("0x41", "0xd49") => "Neoverse-N2",
        ("0x41", "0xd4d") => "Cortex-A715",
        ("0x41", "0xd4f") => "Neoverse-V2",
        ("0x41", "0xd80") => "Cortex-A520",
        ("0x41", "0xd81") => "Cortex-A720",
        ("0x41", "0xd83") => "Neoverse-V3AE",
        ("0x41", "0xd84") => "Neoverse-V3",
        ("0x41", "0xd85") => "Cortex-X925",
        ("0x41", "0xd87") => "Cortex-A725",
        ("0x41", "0xd8e") => "Neoverse-N3",
        ("0x43", "0x0af") => "ThunderX2",
        ("0x46", "0x001") => "A64FX",
        ("0x48", "0xd01") => "TaiShan-v110",
        ("0x4e", "0x003") => "Denver 2",
        ("0x4e", "0x004") => "Carmel",
        ("0x51", "0x001") => "Oryon",
        ("0x6d", "0xd49") => "Azure-Cobalt-100",
        ("0xc0", "0xac3") => "Ampere-1",
        ("0xc0", "0xac4") => "Ampere-1a",
        _ => return format!("{vendor} part {part}"),
    };
    known.to_owned()
}

/// The value of the first `key : value` line; keys are compared whole, so `model` is not `model name`.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.split_once(':').filter(|(k, _)| k.trim() == key).map(|(_, v)| v.trim());
    text.lines().find_map(value)
}

/// A `Key:  1234 kB` line of meminfo or status, in bytes. The kernel's kB are KiB.
pub(super) fn kib_field(text: &str, key: &str) -> Option<u64> {
    let number = field(text, key)?.strip_suffix("kB")?.trim().parse::<u64>().ok()?;
    number.checked_mul(1024)
}

/// Whether the CPU says that it is virtual; `None` where it has no flag for it (only x86 has).
pub(super) fn hypervisor(cpuinfo: &str) -> Option<bool> {
    field(cpuinfo, "flags").map(|flags| flags.split_whitespace().any(|flag| flag == "hypervisor"))
}

/// The load average of the last minute.
pub(super) fn load_1min(loadavg: &str) -> Option<f64> {
    loadavg.split_whitespace().next()?.parse().ok().filter(|load: &f64| load.is_finite() && *load >= 0.0)
}

/// The share of all CPU time since boot that a hypervisor gave to others, from `/proc/stat`.
pub(super) fn steal_frac(stat: &str) -> Option<f64> {
    let line = stat.lines().find(|line| line.starts_with("cpu "))?;
    let numbers: Vec<u64> = line.split_whitespace().skip(1).map_while(|n| n.parse().ok()).collect();
    // user nice system idle iowait irq softirq steal; guest time after it is already within user and nice.
    let (total, steal) = (numbers.iter().take(8).sum::<u64>(), *numbers.get(7)?);
    (total > 0).then(|| steal as f64 / total as f64)
}

/// How many CPUs a kernel list such as `0-3,8,10-11` names.
pub(super) fn list_len(list: &str) -> Option<u64> {
    let mut total = 0_u64;
    for range in list.trim().split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u64>().ok()?, last.parse::<u64>().ok()?);
        total = total.checked_add(last.checked_sub(first)?.checked_add(1)?)?;
    }
    Some(total)
}

/// One word for all governors; several, sorted and comma-separated, where CPUs differ.
pub(super) fn governor(governors: &[String]) -> Option<String> {
    let mut words: Vec<&str> = governors.iter().map(|g| g.trim()).filter(|g| !g.is_empty()).collect();
    words.sort_unstable();
    words.dedup();
    (!words.is_empty()).then(|| words.join(","))
}

/// A cgroup's CPU limit, and how often it was hit.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cgroup {
    /// The quota, in CPUs.
    pub(super) quota: Option<f64>,
    /// Periods in which the group had to stop because its quota was used up, since the group was made.
    pub(super) throttled: Option<u64>,
}

/// cgroup v2 `cpu.max`: `max 100000` or `150000 100000`.
fn quota_v2(cpu_max: &str) -> Option<f64> {
    let mut words = cpu_max.split_whitespace();
    let quota: f64 = words.next()?.parse().ok()?;
    ratio(quota, words.next()?.parse().ok()?)
}

/// cgroup v1 `cpu.cfs_quota_us` (-1: no limit) and `cpu.cfs_period_us`.
fn quota_v1(quota_us: &str, period_us: &str) -> Option<f64> {
    ratio(quota_us.trim().parse().ok()?, period_us.trim().parse().ok()?)
}

fn ratio(quota: f64, period: f64) -> Option<f64> {
    (quota > 0.0 && period > 0.0 && quota.is_finite()).then(|| quota / period)
}

/// `nr_throttled` of `cpu.stat`, the same name in both versions.
fn throttled(cpu_stat: &str) -> Option<u64> {
    cpu_stat.lines().find_map(|line| line.strip_prefix("nr_throttled ")?.trim().parse().ok())
}

/// The folders that can hold this process's CPU limit, innermost first, and whether they are version 2.
fn cgroup_folders(self_cgroup: &str) -> Option<(Vec<PathBuf>, bool)> {
    let mut lines = self_cgroup.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        Some((parts.next()?, parts.next()?, parts.next()?))
    });
    // A machine with both has the controller in version 1 if it lists it there.
    let v1 = lines.clone().find(|(_, controllers, _)| controllers.split(',').any(|c| c == "cpu"));
    let (root, path, is_v2) = match v1 {
        Some((_, controllers, path)) => (Path::new("/sys/fs/cgroup").join(controllers), path, false),
        None => {
            let (_, _, path) = lines.find(|(id, controllers, _)| *id == "0" && controllers.is_empty())?;
            (PathBuf::from("/sys/fs/cgroup"), path, true)
        }
    };
    // In a container the path can be one of the host, or lead out of the namespace ("/../x"); the root is always right.
    let inner = Path::new(path.trim_start_matches('/'));
    let inside = inner.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    let inner = if inside { inner } else { Path::new("") };
    Some((inner.ancestors().map(|part| root.join(part)).collect(), is_v2))
}

impl Cgroup {
    /// The tightest limit on the way from this process's group to the root: each of them applies.
    pub(super) fn read() -> Option<Self> {
        let (folders, is_v2) = cgroup_folders(&read(Path::new("/proc/self/cgroup"))?)?;
        let limits = folders.iter().filter_map(|folder| {
            let file = |name: &str| read(&folder.join(name));
            let quota = if is_v2 {
                quota_v2(&file("cpu.max")?)?
            } else {
                quota_v1(&file("cpu.cfs_quota_us")?, &file("cpu.cfs_period_us")?)?
            };
            let throttled = file("cpu.stat").as_deref().and_then(throttled);
            Some(Self { quota: Some(quota), throttled })
        });
        limits.min_by(|a, b| a.quota.unwrap_or(f64::MAX).total_cmp(&b.quota.unwrap_or(f64::MAX)))
    }
}

/// The governor of every CPU that has one.
pub(super) fn read_governors() -> Vec<String> {
    let Ok(folders) = std::fs::read_dir("/sys/devices/system/cpu") else { return Vec::new() };
    folders.flatten().filter_map(|folder| read(&folder.path().join("cpufreq/scaling_governor"))).collect()
}

#[cfg(test)]
mod tests;
