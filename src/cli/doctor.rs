//! The `doctor` verb: says whether this machine can measure, and what would disturb the measurements.
//!
//! Text and JSON show the same [`DoctorReport`]. It changes nothing on the machine.

mod backends;

pub use backends::KnownBackend;

use super::args::{MessageFormat, tensorrt_folder};
use super::exit::Exit;
use super::{out, out_json, project};
use crate::backend::Looked;
use crate::baseline::load_calibration;
use crate::device::{self, Device, Gpu, Timer, Warning};
use crate::engine::PlanHeader;
use crate::error::{Failure, FailureKind, Result};
use crate::printable;
use crate::profile::ProfilerTool;
use crate::report::calibration::state;
use crate::session::profile::installed;
use crate::units;
use serde::Serialize;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The longest label of ours and a space; a longer name of a backend still gets a space after it.
const LABEL_WIDTH: usize = 11;

/// Everything doctor found out, as `--message-format json` writes it.
#[derive(Clone, Debug, Serialize)]
pub struct DoctorReport {
    /// Changes when a field changes its meaning or goes away.
    pub schema: &'static str,
    /// What the plan that was named says of itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// This machine.
    pub device: Device,
    /// Why `device.gpus` is empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_gpu_because: Option<String>,
    /// Every backend, usable or not.
    pub backends: Vec<BackendReport>,
    /// NVIDIA's profilers, which `profile` runs.
    pub profilers: Vec<ProfilerReport>,
    /// The clock that requests are timed with.
    pub clock: Timer,
    /// Whether this device is calibrated, and how old that is, in words.
    pub calibration: String,
    /// What would disturb measurements.
    pub warnings: Vec<Warning>,
}

/// One backend in a [`DoctorReport`].
#[derive(Clone, Debug, Serialize)]
pub struct BackendReport {
    /// The backend's name.
    pub name: String,
    /// Whether it works here.
    pub usable: bool,
    /// What it is, or why it is not usable.
    pub detail: String,
    /// Where its library was looked for, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub looked: Vec<Looked>,
}

/// One profiler in a [`DoctorReport`].
#[derive(Clone, Debug, Serialize)]
pub struct ProfilerReport {
    /// The program's name.
    pub name: String,
    /// Whether it works here.
    pub usable: bool,
    /// Where it is and which version; or why it is not usable, and what to do.
    pub detail: String,
}

impl ProfilerReport {
    /// What this machine has.
    fn of(tool: ProfilerTool) -> Self {
        let found = installed(tool);
        let detail = match &found {
            Ok((program, version)) => format!("{version}, {}", program.display()),
            // A program that somebody named; otherwise the places are many.
            Err(why) if why.parts.len() == 1 => format!("{} ({}); {}", why.message, why.parts[0], why.next),
            Err(why) => format!("{}; {}", why.message, why.next),
        };
        Self { name: tool.program().to_owned(), usable: found.is_ok(), detail }
    }
}

impl DoctorReport {
    /// Puts the report together.
    pub fn new(
        device: &Device,
        gpus: &Result<Vec<Gpu>, String>,
        backends: &[KnownBackend],
        timer: Timer,
        calibration: &str,
        warnings: &[Warning],
    ) -> Self {
        let backend = |b: &KnownBackend| BackendReport {
            name: b.name.clone(),
            usable: b.state.is_ok(),
            detail: b.state.as_ref().map_or_else(Clone::clone, Clone::clone),
            looked: b.looked.clone(),
        };
        Self {
            schema: "trt-perf/doctor@1",
            plan: None,
            device: Device { gpus: gpus.clone().unwrap_or_default(), ..device.clone() },
            no_gpu_because: gpus.as_ref().err().cloned(),
            backends: backends.iter().map(backend).collect(),
            profilers: Vec::new(),
            clock: timer,
            calibration: calibration.to_owned(),
            warnings: warnings.to_vec(),
        }
    }
}

/// What this machine is, what can be measured here, and what would disturb it
#[derive(clap::Args)]
pub struct DoctorArgs {
    /// A plan of TensorRT: says which version built it. It is not loaded for that
    #[arg(value_name = "MODEL.plan")]
    plan: Option<PathBuf>,
    /// What goes to standard output; json: one object, trt-perf/doctor@1
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    message_format: MessageFormat,
    /// Folder of TensorRT's libraries (default: TRT_PERF_TENSORRT, then the usual places)
    #[arg(long, value_name = "DIR")]
    tensorrt: Option<PathBuf>,
}

/// Runs the verb.
pub fn run(args: &DoctorArgs, manifest: Option<&Path>) -> Result<Exit> {
    let plan = args.plan.as_deref().map(made_by).transpose()?;
    let cuda = backends::gpus_of_cuda();
    let gpus = either(device::gpus(), &cuda);
    let device = Device::with_gpus(gpus.clone().unwrap_or_default());
    let warnings = device::warnings(&device);
    let backends = backends::known(tensorrt_folder(args.tensorrt.as_deref()), &cuda, gpus.as_ref().err());
    let timer = device::measure_timer();
    // A manifest that cannot be read is no reason to say nothing about the machine.
    let found = project(manifest).and_then(|p| load_calibration(&p.baselines(), &device.key));
    let calibration = state(&found.map_err(|f| f.message), jiff::Timestamp::now().as_second());
    let report = DoctorReport::new(&device, &gpus, &backends, timer, &calibration, &warnings);
    let profilers = [ProfilerTool::Nsys, ProfilerTool::Ncu].map(ProfilerReport::of).into();
    let report = DoctorReport { plan, profilers, ..report };
    match args.message_format {
        MessageFormat::Human => out(&render(&report)),
        MessageFormat::Json => {
            out_json(&render_json(&report).map_err(|e| {
                Failure::new(FailureKind::Io, format!("cannot write the report as JSON: {e}"))
            })?);
        }
    }
    Ok(Exit::Ok)
}

/// The GPUs that NVML knows; where it knows none, as on boards that have no NVML, those of CUDA.
fn either(nvml: Result<Vec<Gpu>, String>, cuda: &Result<Vec<Gpu>, String>) -> Result<Vec<Gpu>, String> {
    match (nvml, cuda) {
        (Err(_), Ok(gpus)) if !gpus.is_empty() => Ok(gpus.clone()),
        (nvml, _) => nvml,
    }
}

/// Which library made a plan.
fn made_by(path: &Path) -> Result<String> {
    let (header, _) = PlanHeader::read(path)?;
    Ok(format!("{} was built by {header}", path.display()))
}

/// The report as text, without colour, ending in a newline.
pub fn render(report: &DoctorReport) -> String {
    let mut out = String::new();
    if let Some(plan) = &report.plan {
        section(&mut out, "plan");
        line(&mut out, "made by", plan);
    }
    machine(&mut out, &report.device);
    graphics(&mut out, report);
    section(&mut out, "backends");
    for BackendReport { name, usable, detail, looked } in &report.backends {
        line(&mut out, name, &format!("{}: {detail}", if *usable { "usable" } else { "not usable" }));
        for (i, Looked { place, found }) in looked.iter().enumerate() {
            line(&mut out, if i == 0 { "looked in" } else { "" }, &format!("{place}: {found}"));
        }
    }
    profilers(&mut out, &report.profilers);
    clock(&mut out, report.clock);
    section(&mut out, "calibration");
    line(&mut out, "this device", &report.calibration);
    advice(&mut out, &report.warnings);
    out
}

/// The same report as one line of JSON, without a newline.
pub fn render_json(report: &DoctorReport) -> serde_json::Result<String> {
    serde_json::to_string(report).map(|text| printable::json(&text))
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

fn profilers(out: &mut String, found: &[ProfilerReport]) {
    if found.is_empty() {
        return;
    }
    section(out, "profilers");
    for ProfilerReport { name, usable, detail } in found {
        line(out, name, &format!("{}: {detail}", if *usable { "usable" } else { "not usable" }));
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
        let [what, advice] = [&warning.what, &warning.advice].map(|text| printable::line(text));
        let _ = writeln!(out, "  {number:<3} {what}\n      {advice}");
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
    let _ = writeln!(out, "  {label:<LABEL_WIDTH$} {}", printable::message(value));
}

#[cfg(test)]
mod tests;
