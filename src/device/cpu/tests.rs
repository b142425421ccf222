//! Tests what is made of the texts that kernels of several machines give.

use super::*;

const EPYC: &str = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\n\
    model name\t: AMD EPYC 9R14\nstepping\t: 1\nflags\t\t: fpu vme sse2 hypervisor avx512f\n\n\
    processor\t: 1\nmodel name\t: AMD EPYC 9R14\n";

const HIDDEN_XEON: &str = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n\
    model name\t: Intel(R) Xeon(R) Processor @ 2.50GHz\nstepping\t: 7\nflags\t\t: fpu sse2\n";

const GRAVITON3: &str = "processor\t: 0\nBogoMIPS\t: 2100.00\nFeatures\t: fp asimd sve\nCPU implementer\t: 0x41\n\
    CPU architecture: 8\nCPU variant\t: 0x1\nCPU part\t: 0xd40\nCPU revision\t: 1\n\n\
    processor\t: 1\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n";

const ORIN: &str = "processor\t: 0\nmodel name\t: ARMv8 Processor rev 1 (v8l)\nCPU implementer\t: 0x41\n\
    CPU part\t: 0xd42\nCPU revision\t: 1\n";

const TWO_KINDS: &str = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd87\n\n\
    processor\t: 1\nCPU implementer\t: 0x41\nCPU part\t: 0xd85\n\n\
    processor\t: 2\nCPU implementer\t: 0x41\nCPU part\t: 0xd87\n";

fn key_of(name: &str) -> String {
    key(&Identity { name: Some(name.to_owned()), generation: Some("f6m1s2".to_owned()) }, 4)
}

#[test]
fn names_and_keys_of_machines() {
    for (cpuinfo, board, name, expected) in [
        (EPYC, None, Some("AMD EPYC 9R14"), "cpu-amd-epyc-9r14-2c"),
        (HIDDEN_XEON, None, Some("Intel(R) Xeon(R) Processor @ 2.50GHz"), "cpu-intel-xeon-f6m85s7-2c"),
        (GRAVITON3, None, Some("Neoverse-V1"), "cpu-neoverse-v1-2c"),
        (GRAVITON3, Some("linux,dummy-virt\0"), Some("Neoverse-V1"), "cpu-neoverse-v1-2c"),
        (
            ORIN,
            Some("NVIDIA Jetson AGX Orin Developer Kit\0"),
            Some("Cortex-A78AE (NVIDIA Jetson AGX Orin Developer Kit)"),
            "cpu-cortex-a78ae-nvidia-jetson-agx-orin-developer-kit-2c",
        ),
        (TWO_KINDS, None, Some("Cortex-A725 + Cortex-X925"), "cpu-cortex-a725-cortex-x925-2c"),
        (
            "CPU implementer\t: 0x99\nCPU part\t: 0x123\n",
            None,
            Some("Arm implementer 0x99 part 0x123"),
            "cpu-arm-implementer-0x99-part-0x123-2c",
        ),
        (
            "CPU implementer\t: 0x41\nCPU part\t: 0xfff\n",
            None,
            Some("Arm part 0xfff"),
            "cpu-arm-part-0xfff-2c",
        ),
        ("uarch\t: sifive,u74-mc\n", None, Some("sifive,u74-mc"), "cpu-sifive-u74-mc-2c"),
    ] {
        let identity = Identity::parse(cpuinfo, board);
        assert_eq!(identity.name.as_deref(), name);
        assert_eq!(key(&identity, 2), expected);
    }
}

#[test]
fn a_silent_kernel_still_gives_a_key() {
    for cpuinfo in ["", "model name\t:\n", "garbage", "::::\n", "model name : @@@\n"] {
        let key = key(&Identity::parse(cpuinfo, None), 2);
        let arch = std::env::consts::ARCH.replace('_', "-");
        assert_eq!(key, format!("cpu-unknown-{arch}-2c"), "{cpuinfo}");
    }
}

#[test]
fn keys_drop_what_names_no_cpu() {
    for (name, expected) in [
        ("Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz", "cpu-intel-xeon-platinum-8481c-4c"),
        ("AMD EPYC 7763 64-Core Processor", "cpu-amd-epyc-7763-4c"),
        ("AMD Ryzen 7 PRO 4750U with Radeon Graphics", "cpu-amd-ryzen-7-pro-4750u-4c"),
        ("13th Gen Intel(R) Core(TM) i7-13700K", "cpu-13th-gen-intel-core-i7-13700k-4c"),
        ("AMD FX(tm)-8350 Eight-Core Processor", "cpu-amd-fx-8350-4c"),
        ("AMD EPYC-Rome Processor", "cpu-amd-epyc-rome-f6m1s2-4c"),
        ("QEMU Virtual CPU version 2.5+", "cpu-qemu-virtual-version-2-5-4c"),
    ] {
        assert_eq!(key_of(name), expected, "{name}");
    }
}

#[test]
fn counters_of_the_kernel() {
    assert_eq!(
        kib_field("MemFree: 1 kB\nMemTotal:       24684096 kB\n", "MemTotal"),
        Some(24_684_096 * 1024)
    );
    assert_eq!(kib_field("VmHWM:\t    1924 kB\n", "VmHWM"), Some(1924 * 1024));
    assert_eq!(kib_field("VmHWM:\t 99999999999999999999 kB\n", "VmHWM"), None);
    assert_eq!(kib_field("VmHWM:\t 18446744073709551615 kB\n", "VmHWM"), None);
    assert_eq!(load_1min("0.61 0.76 0.88 1/84 13181\n"), Some(0.61));
    assert_eq!(load_1min("nan 1 1"), None);
    assert_eq!(load_1min(""), None);
    assert_eq!(steal_frac("cpu  50 0 20 20 0 0 0 10 7 0\ncpu0 1 2 3\n"), Some(0.1));
    assert_eq!(steal_frac("cpu  0 0 0 0 0 0 0 0 0 0\n"), None);
    assert_eq!(steal_frac("cpu  1 2 3\n"), None);
    assert_eq!(list_len("0-3,8,10-11\n"), Some(7));
    assert_eq!(list_len("0\n"), Some(1));
    for bad in ["", "3-0", "a-b", "0-18446744073709551615"] {
        assert_eq!(list_len(bad), None, "{bad}");
    }
    assert_eq!(hypervisor(EPYC), Some(true));
    assert_eq!(hypervisor(HIDDEN_XEON), Some(false));
    assert_eq!(hypervisor(GRAVITON3), None);
}

#[test]
fn governors_of_all_cpus() {
    let of = |words: &[&str]| governor(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>());
    assert_eq!(of(&["performance\n", "performance\n"]).as_deref(), Some("performance"));
    assert_eq!(
        of(&["powersave\n", "performance\n", "powersave\n"]).as_deref(),
        Some("performance,powersave")
    );
    assert_eq!(of(&[]), None);
    assert_eq!(of(&["\n"]), None);
}

#[test]
fn quotas_of_both_cgroup_versions() {
    assert_eq!(quota_v2("max 100000\n"), None);
    assert_eq!(quota_v2("150000 100000\n"), Some(1.5));
    assert_eq!(quota_v2("150000"), None);
    assert_eq!(quota_v2("150000 0"), None);
    assert_eq!(quota_v1("-1\n", "100000\n"), None);
    assert_eq!(quota_v1("50000\n", "100000\n"), Some(0.5));
    assert_eq!(throttled("nr_periods 10\nnr_throttled 3\nthrottled_usec 99\n"), Some(3));
    assert_eq!(throttled("usage_usec 1\n"), None);
}

#[test]
fn where_a_cgroup_limit_can_stand() {
    let folders = |text| {
        cgroup_folders(text).map(|(folders, is_v2)| {
            (
                folders.iter().map(|f| f.display().to_string().trim_end_matches('/').to_owned()).collect(),
                is_v2,
            )
        })
    };
    let expected =
        |list: &[&str], is_v2| Some((list.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>(), is_v2));
    assert_eq!(
        folders("0::/user.slice/app\n"),
        expected(&["/sys/fs/cgroup/user.slice/app", "/sys/fs/cgroup/user.slice", "/sys/fs/cgroup"], true)
    );
    assert_eq!(
        folders("4:memory:/x\n3:cpu,cpuacct:/docker/abc\n0::/\n"),
        expected(
            &[
                "/sys/fs/cgroup/cpu,cpuacct/docker/abc",
                "/sys/fs/cgroup/cpu,cpuacct/docker",
                "/sys/fs/cgroup/cpu,cpuacct"
            ],
            false
        )
    );
    assert_eq!(folders("0::/../../etc\n"), expected(&["/sys/fs/cgroup"], true));
    assert_eq!(folders("garbage"), None);
}
