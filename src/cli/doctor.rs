//! `cargo trt-perf doctor`: whether this machine can measure, and what would spoil it. Makes, from a device, the backends
//! and the clock, one [`DoctorReport`], rendered as text or JSON.
//!
//! Both renderings show the same report. Must never change anything on the machine, only say which command would.

use super::args::MessageFormat;
use super::exit::Exit;
use super::out;
use crate::device::{self, Device, Gpu, Warning};
use crate::error::{Failure, FailureKind, Result};
use crate::units::{self, Nanos};
use serde::Serialize;
use std::fmt::Write;
use std::time::Instant;

/// How often the clock is read to learn what reading it costs.
const CLOCK_READS: usize = 10_000;
/// The longest label of ours and a space; a longer name of a backend still gets a space after it.
const LABEL_WIDTH: usize = 11;

/// A backend by name: what it is where it can be used, or why it cannot.
pub type Backend = (String, Result<String, String>);

/// What reading the clock costs and resolves; latencies near these are not worth comparing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Timer {
    /// The smallest step seen between two reads, which is at least the clock's tick and, where no two reads saw the same
    /// time, the cost of a read; `None` where all saw the same.
    #[serde(rename = "resolution_ns")]
    pub resolution: Option<Nanos>,
    #[serde(rename = "read_min_ns")]
    pub min: Nanos,
    #[serde(rename = "read_median_ns")]
    pub median: Nanos,
}

/// Everything doctor found out, as `--message-format json` writes it.
#[derive(Clone, Debug, Serialize)]
pub struct DoctorReport {
    /// Changes when a field changes its meaning or goes away.
    pub schema: &'static str,
    pub device: Device,
    /// Why `device.gpus` is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_gpu_because: Option<String>,
    pub backends: Vec<BackendReport>,
    pub clock: Timer,
    pub warnings: Vec<Warning>,
}

/// One backend in a [`DoctorReport`].
#[derive(Clone, Debug, Serialize)]
pub struct BackendReport {
    pub name: String,
    pub usable: bool,
    /// What it is, or why it is not usable.
    pub detail: String,
}

impl DoctorReport {
    pub fn new(
        device: &Device,
        gpus: &Result<Vec<Gpu>, String>,
        backends: &[Backend],
        timer: Timer,
        warnings: &[Warning],
    ) -> Self {
        let backend = |(name, state): &Backend| BackendReport {
            name: name.clone(),
            usable: state.is_ok(),
            detail: state.as_ref().map_or_else(Clone::clone, Clone::clone),
        };
        Self {
            schema: "trt-perf/doctor@1",
            device: Device { gpus: gpus.clone().unwrap_or_default(), ..device.clone() },
            no_gpu_because: gpus.as_ref().err().cloned(),
            backends: backends.iter().map(backend).collect(),
            clock: timer,
            warnings: warnings.to_vec(),
        }
    }
}

/// What this machine is, which backends are usable, and what would disturb a measurement.
#[derive(clap::Args)]
pub struct DoctorArgs {
    /// What goes to standard output; json: one object, trt-perf/doctor@1
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
}

pub fn run(args: &DoctorArgs) -> Result<Exit> {
    let gpus = device::gpus();
    let device = Device::with_gpus(gpus.clone().unwrap_or_default());
    let warnings = device::warnings(&device);
    let backends = crate::backend::known();
    let timer = measure_timer();
    match args.message_format {
        MessageFormat::Human => out(&render(&device, &gpus, &backends, timer, &warnings)),
        MessageFormat::Json => {
            let json = render_json(&device, &gpus, &backends, timer, &warnings);
            out(&format!(
                "{}\n",
                json.map_err(|e| Failure::new(
                    FailureKind::Io,
                    format!("cannot write the report as JSON: {e}")
                ))?
            ));
        }
    }
    Ok(Exit::Ok)
}

/// The report as text, without colour, ending in a newline.
pub fn render(
    device: &Device,
    gpus: &Result<Vec<Gpu>, String>,
    backends: &[Backend],
    timer: Timer,
    warnings: &[Warning],
) -> String {
    let report = DoctorReport::new(device, gpus, backends, timer, warnings);
    let mut out = String::new();
    machine(&mut out, &report.device);
    graphics(&mut out, &report);
    section(&mut out, "backends");
    for BackendReport { name, usable, detail } in &report.backends {
        line(&mut out, name, &format!("{}: {detail}", if *usable { "usable" } else { "not usable" }));
    }
    clock(&mut out, report.clock);
    advice(&mut out, &report.warnings);
    out
}

/// The same report as one line of JSON, without a newline.
pub fn render_json(
    device: &Device,
    gpus: &Result<Vec<Gpu>, String>,
    backends: &[Backend],
    timer: Timer,
    warnings: &[Warning],
) -> serde_json::Result<String> {
    serde_json::to_string(&DoctorReport::new(device, gpus, backends, timer, warnings))
}

/// Reads the clock 10,000 times in a row, which takes well under a millisecond.
pub fn measure_timer() -> Timer {
    let mut steps = Vec::with_capacity(CLOCK_READS);
    let mut last = Instant::now();
    for _ in 0..CLOCK_READS {
        let now = Instant::now();
        steps.push(Nanos::from(now.duration_since(last)));
        last = now;
    }
    timer_of(&mut steps)
}

/// From the steps between reads; none give zeros.
fn timer_of(steps: &mut [Nanos]) -> Timer {
    steps.sort_unstable();
    let at = |index: usize| steps.get(index).copied().unwrap_or_default();
    Timer {
        resolution: steps.iter().find(|step| step.0 > 0).copied(),
        min: at(0),
        median: at(steps.len() / 2),
    }
}

fn machine(out: &mut String, device: &Device) {
    section(out, "machine");
    let plural = if device.cpus == 1 { "" } else { "s" };
    line(out, "CPU", &format!("{}, {} usable CPU{plural}", device.cpu, device.cpus));
    line(out, "memory", &units::bytes(device.memory_bytes));
    line(out, "kernel", &device.kernel);
    line(
        out,
        "governor",
        device.governor.as_deref().unwrap_or("none: this kernel does not control the clocks"),
    );
    line(out, "CPU quota", &device.cpu_quota.map_or("none".to_owned(), |cpus| format!("{cpus:.2} CPUs")));
    line(out, "key", &device.key);
}

fn graphics(out: &mut String, report: &DoctorReport) {
    section(out, "GPUs");
    if let Some(why) = &report.no_gpu_because {
        line(out, "none", why);
    }
    for gpu in &report.device.gpus {
        let memory = gpu.memory_bytes.map_or("memory size not reported".to_owned(), units::bytes);
        line(out, &format!("GPU {}", gpu.index), &format!("{}, {memory}", gpu.name));
        let cuda = gpu.cuda_driver.as_ref().map_or("no libcuda".to_owned(), |v| format!("CUDA {v}"));
        line(out, "driver", &format!("{}, {cuda}", gpu.driver));
        let on =
            |what: &str, is: Option<bool>| is.map(|on| format!("{what} {}", if on { "on" } else { "off" }));
        let facts: Vec<String> = [
            gpu.compute_capability.as_ref().map(|cc| format!("compute capability {cc}")),
            gpu.power_limit_w.map(|watts| format!("power limit {watts:.0} W")),
            on("ECC", gpu.ecc),
            on("MIG", gpu.mig),
            on("persistence", gpu.persistence),
        ]
        .into_iter()
        .flatten()
        .collect();
        if !facts.is_empty() {
            line(out, "state", &facts.join(", "));
        }
        line(out, "key", &gpu.key);
    }
}

fn clock(out: &mut String, timer: Timer) {
    section(out, "clock");
    let resolution = match timer.resolution {
        // Where no two reads saw the same time, the step is the cost of reading: ticks may be shorter.
        Some(step) if timer.min.0 > 0 => format!("{step} or finer"),
        Some(step) => step.to_string(),
        None => "coarser than could be measured".to_owned(),
    };
    line(out, "resolution", &resolution);
    line(out, "one read", &format!("{} (median), {} (least)", timer.median, timer.min));
}

fn advice(out: &mut String, warnings: &[Warning]) {
    section(out, "warnings");
    if warnings.is_empty() {
        out.push_str("  none: nothing was found that would spoil a measurement\n");
    }
    for (i, warning) in warnings.iter().enumerate() {
        let number = format!("{}.", i + 1);
        let _ = writeln!(out, "  {number:<3} {}\n      {}", warning.what, warning.advice);
    }
}

fn section(out: &mut String, title: &str) {
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(title);
    out.push('\n');
}

fn line(out: &mut String, label: &str, value: &str) {
    // Writing into a String cannot fail.
    let _ = writeln!(out, "  {label:<LABEL_WIDTH$} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMER: Timer = Timer { resolution: Some(Nanos(19)), min: Nanos(19), median: Nanos(21) };

    fn device() -> Device {
        Device {
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

    fn backends() -> Vec<Backend> {
        vec![
            ("cpu".to_owned(), Ok("rten 0.27.0".to_owned())),
            ("tensorrt".to_owned(), Err("not in this version".to_owned())),
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
            driver: "570.86.15".to_owned(),
            cuda_driver: Some("12.8".to_owned()),
            compute_capability: Some("9.0".to_owned()),
            mig: Some(false),
            ecc: Some(true),
            persistence: Some(true),
            power_limit_w: Some(700.0),
            key: "gpu-nvidia-h200-141g".to_owned(),
        }
    }

    #[test]
    fn a_machine_without_gpu() {
        let gpus = Err("no NVIDIA GPU or driver on this machine".to_owned());
        insta::assert_snapshot!(render(&device(), &gpus, &backends(), TIMER, &[warning()]), @"
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
          tensorrt    not usable: not in this version

        clock
          resolution  19 ns or finer
          one read    21 ns (median), 19 ns (least)

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
        insta::assert_snapshot!(render(&device(), &Ok(vec![gpu(), bare]), &backends(), TIMER, &[]), @"
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
          tensorrt    not usable: not in this version

        clock
          resolution  19 ns or finer
          one read    21 ns (median), 19 ns (least)

        warnings
          none: nothing was found that would spoil a measurement
        ");
    }

    #[test]
    fn json_holds_the_same() {
        let text = render_json(&device(), &Ok(vec![gpu()]), &backends(), TIMER, &[warning()]).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(!text.contains('\n'));
        assert_eq!(json["schema"], "trt-perf/doctor@1");
        assert_eq!(json["device"]["gpus"][0]["key"], "gpu-nvidia-h200-141g");
        assert_eq!(json["backends"][1]["usable"], false);
        assert_eq!(json["backends"][1]["detail"], "not in this version");
        assert_eq!(json["clock"]["read_median_ns"], 21);
        assert_eq!(json["warnings"][0]["what"], "SMT is on");
        assert!(json.get("no_gpu_because").is_none());
    }

    #[test]
    fn a_coarse_clock_has_no_resolution_but_no_panic() {
        let steps = |list: &[u64]| timer_of(&mut list.iter().map(|ns| Nanos(*ns)).collect::<Vec<_>>());
        assert_eq!(steps(&[]), Timer { resolution: None, min: Nanos(0), median: Nanos(0) });
        assert_eq!(steps(&[0, 0, 0]).resolution, None);
        let timer = Timer { resolution: Some(Nanos(20)), min: Nanos(0), median: Nanos(20) };
        assert_eq!(steps(&[40, 0, 20]), timer);
        let here = measure_timer();
        assert!(here.min <= here.median, "{here:?}");
    }
}
