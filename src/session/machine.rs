//! Finds the device that a session's numbers belong to: the CPU, or the one GPU that its cases run on.

use super::{Event, Events};
use crate::backend::tensorrt_is_here;
use crate::case::{Case, Host, Target};
use crate::device::{self, Device, Gpu, LEAST_SHARED, short_of_shared_memory};
use crate::error::{Failure, FailureKind, Result};
use crate::worker::protocol::{Job, WorkerMessage};
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

/// The machine as these cases see it. A record never mixes backends or devices, so nor may its cases.
pub fn machine_of(cases: &[Case]) -> Result<Device> {
    // The cpu backend needs no GPU, and asking for one can take a second.
    let machine = Device::with_gpus(Vec::new());
    let Some(first) = cases.first() else { return Ok(machine) };
    if let Some(other) = cases.iter().find(|c| c.target != first.target) {
        let named = |c: &Case| match c.target.kind.on_gpu() {
            true => format!("{} ({} on GPU {})", c.id, c.target.kind.word(), c.target.gpu),
            false => format!("{} ({})", c.id, c.target.kind.word()),
        };
        return Err(Failure::usage(format!(
            "{} and {} cannot be in one session: a record holds one backend and one device",
            named(first),
            named(other)
        ))
        .next("name cases of one backend, or choose one for all with --backend"));
    }
    if !first.target.kind.on_gpu() {
        return Ok(machine);
    }
    let gpus = gpus(&first.target)?;
    let count = gpus.len();
    match gpus.into_iter().nth(first.target.gpu as usize) {
        Some(gpu) => Ok(machine.on_gpu(gpu)),
        None => Err(Failure::usage(format!("there is no GPU {}: CUDA has {count} here", first.target.gpu))
            .next("number them from 0 with --device; CUDA_VISIBLE_DEVICES hides some")),
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
