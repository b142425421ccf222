//! What `doctor` shows of machines that are not here.

use super::*;
use crate::units::Nanos;

const TIMER: Timer = Timer { resolution: Some(Nanos(19)), min: Nanos(19), median: Nanos(21) };

const CALIBRATION: &str = "calibrated 2026-11-22 (3 days ago), 4 cases";

fn device() -> Device {
    Device {
        measured_gpu: None,
        key: "cpu-amd-epyc-9r14-2c".to_owned(),
        cpu: "AMD EPYC 9R14".to_owned(),
        cpus: 2,
        memory_bytes: 8 << 30,
        kernel: "6.1.0-28-amd64".to_owned(),
        governor: None,
        cpu_quota: Some(2.0),
        gpus: Vec::new(),
    }
}

fn backends() -> Vec<KnownBackend> {
    vec![
        KnownBackend { name: "cpu".to_owned(), state: Ok("rten 0.27.0".to_owned()), looked: Vec::new() },
        KnownBackend {
            name: "tensorrt".to_owned(),
            state: Err("there is no TensorRT library".to_owned()),
            looked: vec![
                Looked { place: "the loader's own search".to_owned(), found: "nothing".to_owned() },
                Looked { place: "/usr/lib".to_owned(), found: "no such folder".to_owned() },
            ],
        },
    ]
}

fn warning() -> Warning {
    Warning { what: "SMT is on".to_owned(), advice: "pin with `taskset -c`".to_owned() }
}

fn gpu() -> Gpu {
    Gpu {
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
        limits: None,
        uuid: None,
        key: "gpu-nvidia-h200-141g".to_owned(),
    }
}

#[test]
fn a_machine_without_gpu() {
    let gpus = Err("no NVIDIA GPU or driver on this machine".to_owned());
    insta::assert_snapshot!(render(&DoctorReport::new(&device(), &gpus, &backends(), TIMER, CALIBRATION, &[warning()])), @"
    machine
      CPU         AMD EPYC 9R14, 2 usable CPUs
      memory      8.00 GiB
      kernel      6.1.0-28-amd64
      governor    none: this kernel does not control the clocks
      CPU quota   2.00 CPUs
      key         cpu-amd-epyc-9r14-2c

    GPUs
      none        no NVIDIA GPU or driver on this machine

    backends
      cpu         usable: rten 0.27.0
      tensorrt    not usable: there is no TensorRT library
      looked in   the loader's own search: nothing
                  /usr/lib: no such folder

    clock
      resolution  19 ns or finer
      one read    21 ns (median), 19 ns (least)

    calibration
      this device calibrated 2026-11-22 (3 days ago), 4 cases

    warnings
      1.  SMT is on
          pin with `taskset -c`
    ");
}

#[test]
fn a_machine_with_gpus() {
    let bare = Gpu {
        index: 1,
        name: "NVIDIA GB10".to_owned(),
        key: "gpu-nvidia-gb10".to_owned(),
        memory_bytes: None,
        cuda_driver: None,
        compute_capability: None,
        mig: None,
        ecc: None,
        persistence: None,
        power_limit_w: None,
        ..gpu()
    };
    insta::assert_snapshot!(render(&DoctorReport::new(&device(), &Ok(vec![gpu(), bare]), &backends(), TIMER, CALIBRATION, &[])), @"
    machine
      CPU         AMD EPYC 9R14, 2 usable CPUs
      memory      8.00 GiB
      kernel      6.1.0-28-amd64
      governor    none: this kernel does not control the clocks
      CPU quota   2.00 CPUs
      key         cpu-amd-epyc-9r14-2c

    GPUs
      GPU 0       NVIDIA H200, 140.40 GiB
      driver      570.86.15, CUDA 12.8
      state       compute capability 9.0, power limit 700 W, ECC on, MIG off, persistence on
      key         gpu-nvidia-h200-141g
      GPU 1       NVIDIA GB10, memory size not reported
      driver      570.86.15, no libcuda
      key         gpu-nvidia-gb10

    backends
      cpu         usable: rten 0.27.0
      tensorrt    not usable: there is no TensorRT library
      looked in   the loader's own search: nothing
                  /usr/lib: no such folder

    clock
      resolution  19 ns or finer
      one read    21 ns (median), 19 ns (least)

    calibration
      this device calibrated 2026-11-22 (3 days ago), 4 cases

    warnings
      none: nothing was found that would spoil a measurement
    ");
}

#[test]
fn there_is_no_gpu_only_where_neither_library_knows_one() {
    let (none, why) = (Err("no libcuda".to_owned()), Err("no NVML".to_owned()));
    let (one, other) = (Ok(vec![gpu()]), Ok(vec![gpu(), gpu()]));
    assert_eq!(either(why.clone(), &one), one);
    assert_eq!(either(other.clone(), &one), other);
    assert_eq!(either(why.clone(), &none), why);
    assert_eq!(either(why.clone(), &Ok(Vec::new())), why);
}

#[test]
fn profilers_are_named_with_what_to_install() {
    let row = |name: &str, usable, detail: &str| ProfilerReport {
        name: name.to_owned(),
        usable,
        detail: detail.to_owned(),
    };
    let gpus = Err("none".to_owned());
    let report = DoctorReport::new(&device(), &gpus, &backends(), TIMER, CALIBRATION, &[]);
    let found = vec![row("nsys", true, "Nsight 2025.1, /usr/bin/nsys"), row("ncu", false, "there is no ncu")];
    let text = render(&DoctorReport { profilers: found, ..report });
    assert!(text.contains("profilers\n  nsys        usable: Nsight 2025.1, /usr/bin/nsys\n"), "{text}");
    assert!(text.contains("  ncu         not usable: there is no ncu\n"), "{text}");
}

#[test]
fn json_holds_the_same() {
    let text = render_json(&DoctorReport::new(
        &device(),
        &Ok(vec![gpu()]),
        &backends(),
        TIMER,
        CALIBRATION,
        &[warning()],
    ))
    .unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(!text.contains('\n'));
    assert_eq!(json["schema"], "trt-perf/doctor@1");
    assert_eq!(json["device"]["gpus"][0]["key"], "gpu-nvidia-h200-141g");
    assert_eq!(json["backends"][1]["usable"], false);
    assert_eq!(json["backends"][1]["detail"], "there is no TensorRT library");
    assert_eq!(json["calibration"], CALIBRATION);
    assert_eq!(json["clock"]["read_median_ns"], 21);
    assert_eq!(json["warnings"][0]["what"], "SMT is on");
    assert!(json.get("no_gpu_because").is_none());
}
