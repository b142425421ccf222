//! Tests which warnings machines get that are described in words.

use super::*;
use crate::device::{Gpu, Throttle};

fn quiet() -> (Device, Conditions) {
    let device = Device {
        key: "cpu-amd-epyc-9r14-8c".to_owned(),
        measured_gpu: None,
        cpu: "AMD EPYC 9R14".to_owned(),
        cpus: 8,
        memory_bytes: 32 << 30,
        kernel: "6.1.0".to_owned(),
        governor: Some("performance".to_owned()),
        cpu_quota: None,
        gpus: vec![gpu()],
    };
    let now = Conditions {
        load_1min: Some(0.1),
        online_cpus: Some(8),
        throttled: Some(0),
        boost: Some((false, BoostSwitch::Cpufreq)),
        smt: Some(false),
        clock_source: Some("tsc".to_owned()),
        swap_used_bytes: Some(0),
        swap_free_bytes: Some(0),
        available_bytes: Some(30 << 30),
        hypervisor: Some(false),
        steal_frac: Some(0.0),
        gpus: vec![GpuState { index: 0, throttled: Vec::new(), processes: Some(0) }],
    };
    (device, now)
}

fn gpu() -> Gpu {
    Gpu {
        limits: None,
        uuid: None,
        index: 0,
        name: "NVIDIA H200".to_owned(),
        memory_bytes: Some(143_771 << 20),
        integrated: None,
        driver: "570.86.15".to_owned(),
        cuda_driver: Some("12.8".to_owned()),
        compute_capability: Some("9.0".to_owned()),
        mig: Some(false),
        ecc: Some(true),
        persistence: Some(true),
        power_limit_w: Some(700.0),
        confidential: Some(false),
        key: "gpu-nvidia-h200-141g".to_owned(),
    }
}

/// The warnings after `spoil` has changed one thing about a quiet machine.
fn after(spoil: impl FnOnce(&mut Device, &mut Conditions)) -> Vec<String> {
    let (mut device, mut now) = quiet();
    spoil(&mut device, &mut now);
    judge(&device, &now)
        .into_iter()
        .map(|warning| {
            assert!(!warning.advice.is_empty(), "{}", warning.what);
            warning.what
        })
        .collect()
}

#[test]
fn a_quiet_machine_and_a_silent_one_give_no_warning() {
    assert_eq!(after(|_, _| {}), Vec::<String>::new());
    assert_eq!(after(|_, now| *now = Conditions::default()), Vec::<String>::new());
    let silent = |device: &mut Device, now: &mut Conditions| {
        *now = Conditions::default();
        (device.governor, device.memory_bytes) = (None, 0);
        (device.gpus[0].persistence, device.gpus[0].mig) = (None, None);
    };
    assert_eq!(after(silent), Vec::<String>::new());
}

#[test]
fn each_trouble_is_named_once() {
    type Spoil = fn(&mut Device, &mut Conditions);
    let cases: [(Spoil, &str); 22] = [
        (
            |device, now| {
                device.gpus[0].memory_bytes = None;
                (device.memory_bytes, now.available_bytes) = (0, Some(1 << 30));
            },
            "the GPU shares the host's memory, of which 1.00 GiB are available and 0 B of swap",
        ),
        (
            |device, now| {
                device.gpus[0].integrated = Some(true);
                (device.memory_bytes, now.available_bytes) = (0, Some(1 << 30));
            },
            "the GPU shares the host's memory",
        ),
        (|_, now| now.load_1min = Some(2.5), "load average 2.50 on 8 CPUs"),
        (|_, now| now.steal_frac = Some(0.0135), "1.35% of its CPU time"),
        (|_, now| now.hypervisor = Some(true), "virtual machine: neighbours"),
        (|device, _| device.cpu_quota = Some(1.5), "CPU quota of 1.50 CPUs, not hit so far"),
        (
            |device, now| {
                device.cpu_quota = Some(2.0);
                now.throttled = Some(12_345);
            },
            "hit 12,345 times",
        ),
        (|_, now| now.online_cpus = Some(64), "8 of 64 CPUs usable"),
        (|device, _| device.governor = Some("powersave".to_owned()), "governor `powersave`"),
        (
            |device, _| device.governor = Some("performance,powersave".to_owned()),
            "governor `performance,powersave`",
        ),
        (|_, now| now.boost = Some((true, BoostSwitch::Cpufreq)), "boost is on"),
        (|_, now| now.boost = Some((true, BoostSwitch::IntelPstate)), "turbo is on"),
        (|_, now| now.smt = Some(true), "SMT is on"),
        (|_, now| now.clock_source = Some("hpet".to_owned()), "clock source `hpet`"),
        (|_, now| now.swap_used_bytes = Some(1 << 30), "1.00 GiB of swap in use"),
        (|_, now| now.available_bytes = Some(1 << 30), "only 1.00 GiB of 32.00 GiB memory available"),
        (|_, now| now.gpus[0].throttled = vec![Throttle::PowerLimit], "GPU 0 is throttled: power limit"),
        (|_, now| now.gpus[0].processes = Some(2), "2 other process(es) compute on GPU 0"),
        (|device, _| device.gpus[0].persistence = Some(false), "persistence mode is off"),
        (|device, _| device.gpus[0].cuda_driver = None, "libcuda cannot be opened"),
        (|device, _| device.gpus[0].mig = Some(true), "MIG mode but has no instance"),
        (|device, _| device.gpus[0].confidential = Some(true), "computes confidentially"),
    ];
    for (spoil, expected) in cases {
        let warnings = after(spoil);
        assert!(warnings.len() == 1 && warnings[0].contains(expected), "{expected}: {warnings:?}");
    }
}

#[test]
fn what_is_too_little_to_matter_is_left_out() {
    // The load of the whole host counts against the whole host, not against a container's two CPUs.
    let container = |device: &mut Device, now: &mut Conditions| {
        (device.cpus, device.cpu_quota) = (2, Some(2.0));
        (now.online_cpus, now.load_1min) = (Some(128), Some(20.0));
    };
    assert!(!after(container).iter().any(|what| what.contains("load average")));
    assert_eq!(after(|_, now| now.swap_used_bytes = Some(10 << 20)), Vec::<String>::new());
    assert_eq!(after(|_, now| now.steal_frac = Some(0.0001)), Vec::<String>::new());
    let instance = |device: &mut Device, _: &mut Conditions| {
        device.gpus[0].mig = Some(true);
        device.gpus[0].key = "gpu-nvidia-h200-141g-mig-1g-18gb".to_owned();
    };
    assert_eq!(after(instance), Vec::<String>::new());
}

#[test]
fn this_machine_can_be_asked() {
    let now = Conditions::now();
    assert!(now.load_1min.is_some() && now.online_cpus.is_some_and(|n| n >= 1), "{now:?}");
}
