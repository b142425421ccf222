//! Finds the device that a session's numbers belong to: the CPU, the one GPU that its cases run on, or several of one kind.

use super::lanes::Lane;
use super::{Event, Events};
use crate::backend::tensorrt_is_here;
use crate::case::{BackendKind, Case, Host, Target};
use crate::device::{self, Device, Gpu, LEAST_SHARED, short_of_shared_memory};
use crate::error::{Failure, FailureKind, Result};
use crate::worker::protocol::{Job, WorkerMessage};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// What `auto` is decided by. Only files are looked at: nothing is opened.
pub fn host() -> Host {
    let nodes = ["/dev/nvidiactl", "/dev/nvhost-ctrl-gpu", "/dev/nvgpu"];
    Host {
        cpus: device::usable_cpus(),
        gpu: nodes.iter().any(|node| Path::new(node).exists()),
        tensorrt: tensorrt_is_here(),
    }
}

/// Opening the driver takes seconds where it has to wake GPUs up first.
const LIMIT: Duration = Duration::from_secs(120);

/// The machine as these cases see it. A record is of one device, and so are its cases; which backend measures one on it is
/// the case's own.
pub fn machine_of(cases: &[Case]) -> Result<Device> {
    ensure_one_device(cases)?;
    // The cpu backend needs no GPU, and asking for one can take a second.
    let machine = Device::with_gpus(Vec::new());
    let Some(target) = knows_gpus(cases) else { return Ok(machine) };
    Ok(machine.on_gpu(of_number(gpus(target)?, target.gpu)?))
}

fn ensure_one_device(cases: &[Case]) -> Result<()> {
    let gpu = |case: &Case| case.target.kind.on_gpu().then_some(case.target.gpu);
    let Some((first, rest)) = cases.split_first() else { return Ok(()) };
    let Some(other) = rest.iter().find(|case| gpu(case) != gpu(first)) else { return Ok(()) };
    let named = |case: &Case| {
        let place = gpu(case).map_or_else(|| "the CPU".to_owned(), |number| format!("GPU {number}"));
        format!("{} ({} on {place})", case.id, case.target.kind.word())
    };
    Err(Failure::usage(format!(
        "{} and {} cannot be in one session: a record holds the numbers of one device",
        named(first),
        named(other)
    ))
    .next(
        "name the cases of one device, leave the others out with --skip, or set their `backend` and `device`: \
         a program that uses no GPU has backend = \"command\"",
    ))
}

/// Who to ask for the GPUs, where these cases run on one. trtexec tells of one GPU only, and less of it.
fn knows_gpus(cases: &[Case]) -> Option<&Target> {
    let targets = || cases.iter().map(|case| &case.target).filter(|target| target.kind.on_gpu());
    targets().find(|target| target.kind != BackendKind::Trtexec).or_else(|| targets().next())
}

fn of_number(gpus: Vec<Gpu>, number: u32) -> Result<Gpu> {
    let count = gpus.len();
    gpus.into_iter().nth(number as usize).ok_or_else(|| {
        Failure::usage(format!("there is no GPU {number}: CUDA has {count} here"))
            .next("number them from 0 with --device or --devices; CUDA_VISIBLE_DEVICES hides some")
    })
}

/// Devices of one kind, whose numbers belong together.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The first of them.
    pub device: Device,
    /// All of them, where several were asked for; each is a lane.
    pub lanes: Vec<Lane>,
}

/// The devices with these numbers, by their kind in the order in which they are named; where none is named, the one that the
/// cases say.
pub fn machines_of(cases: &[Case], devices: &[u32]) -> Result<Vec<Machine>> {
    let (Some(number), false) = (devices.first(), cases.is_empty()) else {
        return Ok(vec![Machine { device: machine_of(cases)?, lanes: Vec::new() }]);
    };
    if devices.iter().collect::<BTreeSet<_>>().len() < devices.len() {
        return Err(Failure::usage("--devices names a device twice").next("name each once: --devices 0,1"));
    }
    if let Some(case) = cases.iter().find(|case| case.target.kind == BackendKind::Cpu) {
        return Err(Failure::usage(format!("{} is measured on the CPU, which is one device", case.id)).next(
            "take --devices out, leave the case out with --skip, or choose another backend with --backend",
        ));
    }
    let here = |case: &Case| Case { target: Target { gpu: *number, ..case.target.clone() }, ..case.clone() };
    let device = machine_of(&cases.iter().map(here).collect::<Vec<_>>())?;
    let mut known = Vec::new();
    let mut lanes = Vec::new();
    for number in devices {
        let gpu = match knows_gpus(cases) {
            None => None,
            Some(target) => {
                // trtexec tells of the one that it is asked for.
                if known.is_empty() || target.kind == BackendKind::Trtexec {
                    known = gpus(&Target { gpu: *number, ..target.clone() })?;
                }
                Some(of_number(known.clone(), *number)?)
            }
        };
        lanes.push(Lane { number: *number, gpu });
    }
    Ok(by_kind(&device, lanes))
}

/// One machine for each kind of lane.
fn by_kind(device: &Device, lanes: Vec<Lane>) -> Vec<Machine> {
    let mut machines: Vec<Machine> = Vec::new();
    for lane in lanes {
        let device = match &lane.gpu {
            Some(gpu) => device.clone().on_gpu(gpu.clone()),
            None => device.clone(),
        };
        match machines.iter_mut().find(|known| known.device.key == device.key) {
            Some(known) => known.lanes.push(lane),
            None => machines.push(Machine { device, lanes: vec![lane] }),
        }
    }
    machines
}

/// Fails where there is more than one kind, and a result of one is wanted: `what` says which.
pub fn only_kind(machines: Vec<Machine>, what: &str) -> Result<Machine> {
    match <[Machine; 1]>::try_from(machines) {
        Ok([machine]) => Ok(machine),
        Err(several) => {
            let kinds: Vec<&str> = several.iter().map(|machine| machine.device.key.as_str()).collect();
            let what = format!("{what}, and --devices names GPUs of several kinds: {}", kinds.join(", "));
            Err(Failure::usage(what).next("name those of one kind, and run once for each"))
        }
    }
}

/// The GPUs the backend has, in its order. Asked in a worker, because the parent never opens the driver.
fn gpus(target: &Target) -> Result<Vec<Gpu>> {
    match crate::worker::run(&Job::Gpus(target.clone()), LIMIT, &mut |_| {})? {
        WorkerMessage::Gpus(gpus) => Ok(gpus),
        other => Err(Failure::new(FailureKind::Crash, format!("the worker answered {other:?}"))),
    }
}

/// Memory of the model's size that a build has at once: the model, the network, the plan, and weights on the GPU.
const COPIES_OF_A_MODEL: u64 = 4;

/// On a board whose GPU uses the host's memory: that there may be too little of it.
pub(super) fn say_short_of_memory(device: &Device, cases: &[Case], events: Events) {
    if !device.measured_gpu.as_ref().is_some_and(Gpu::shares_memory) {
        return;
    }
    let needs = |case: &Case| {
        let model = std::fs::metadata(&case.model).map_or(0, |file| file.len());
        model.saturating_mul(COPIES_OF_A_MODEL).saturating_add(case.build.tensorrt.workspace.unwrap_or(0))
    };
    let needed = cases.iter().map(needs).max().unwrap_or(0).max(LEAST_SHARED);
    if let Some(warning) = short_of_shared_memory(needed) {
        events(Event::Note { text: &format!("{}; {}", warning.what, warning.advice) });
    }
}

/// A GPU that computes confidentially gives times that must not pass for what they are elsewhere.
pub(super) fn say_confidential(device: &Device, events: Events) {
    if device.measured_gpu.as_ref().is_some_and(|gpu| gpu.confidential == Some(true)) {
        let text =
            "this GPU computes confidentially: do not rely on its own times (GPU p50), only on the host's";
        events(Event::Note { text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::cases;
    use crate::config::{Overrides, Project};

    /// A case of a model file for the backend, on the GPU of this number.
    fn case(backend: &str, gpu: u32) -> Case {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(format!("{backend}.onnx"));
        std::fs::write(&file, "").unwrap();
        let serde_json::Value::Object(settings) =
            serde_json::json!({ "backend": backend, "device": gpu, "scenarios": "latency" })
        else {
            panic!("a table");
        };
        let overrides = Overrides { settings, ..Overrides::default() };
        let model = Project::bare(dir.path()).ad_hoc(&file, &overrides).unwrap();
        cases(&[model], Host { cpus: 2, gpu: false, tensorrt: false }).remove(0)
    }

    #[test]
    fn one_session_is_of_one_device_by_whichever_of_its_backends() {
        let refused = |cases: &[Case]| ensure_one_device(cases).err().map(|failure| failure.message);
        assert_eq!(refused(&[case("cpu", 0), case("command", 1)]), None);
        assert_eq!(refused(&["tensorrt", "cuda", "trtexec", "gpu-command"].map(|word| case(word, 1))), None);
        assert_eq!(
            refused(&[case("cpu", 0), case("command", 0), case("gpu-command", 2)]).as_deref(),
            Some(
                "files/cpu/default/latency (cpu on the CPU) and files/gpu-command/default/latency (gpu-command \
                 on GPU 2) cannot be in one session: a record holds the numbers of one device"
            )
        );
        assert!(refused(&[case("cuda", 0), case("cuda", 1)]).is_some());
        let asked = |words: &[&str]| {
            let cases: Vec<Case> = words.iter().map(|word| case(word, 0)).collect();
            knows_gpus(&cases).map(|target| target.kind)
        };
        assert_eq!(asked(&["cpu", "command"]), None);
        assert_eq!(asked(&["trtexec", "gpu-command"]), Some(BackendKind::GpuCommand));
        assert_eq!(asked(&["trtexec"]), Some(BackendKind::Trtexec));
        let refused = machines_of(&[case("command", 0), case("cpu", 0)], &[0, 1]).unwrap_err();
        assert!(refused.message.starts_with("files/cpu/default/latency is measured on the CPU"), "{refused}");
    }

    #[test]
    fn devices_with_one_key_are_lanes_and_others_are_machines_of_their_own() {
        let lane = |number, name: &str| {
            let gpu = Gpu::without_nvml(number, name, 80 << 30, "9.0".into());
            Lane { number, gpu: Some(gpu) }
        };
        let device = Device::with_gpus(Vec::new());
        let machines = by_kind(&device, vec![lane(2, "big"), lane(0, "small"), lane(1, "big")]);
        let shown: Vec<(&str, Vec<u32>)> = machines
            .iter()
            .map(|m| (m.device.key.as_str(), m.lanes.iter().map(|lane| lane.number).collect()))
            .collect();
        assert_eq!(shown, [("gpu-big-80g", vec![2, 1]), ("gpu-small-80g", vec![0])]);
        let refused = only_kind(machines, "a check gives one verdict").unwrap_err().to_string();
        assert!(
            refused.contains("--devices names GPUs of several kinds: gpu-big-80g, gpu-small-80g"),
            "{refused}"
        );
        let numbers = |number| Lane { number, gpu: None };
        let machines = by_kind(&device, vec![numbers(0), numbers(1)]);
        assert_eq!(only_kind(machines, "").map(|m| (m.device.key, m.lanes.len())), Ok((device.key, 2)));
    }
}
