//! The worker's side: reads one job, does it, sends messages, and exits. No other process runs inference libraries.

use crate::backend::{backend, probe_tensorrt};
use crate::error::{Failure, FailureKind, Result};
use crate::worker::protocol::{Job, PROTOCOL, Probed, WorkerMessage};
use crate::worker::reply::Reply;
use crate::{build, measure, onnx, prepare};
use rustix::process::Signal;
use std::io::Read;
use std::path::Path;

/// Runs the job on standard input. `parent` is the process id that started us.
pub fn run(parent: Option<u32>) -> Result<()> {
    die_with(parent)?;
    let mut reply = Reply::take_stdout()?;
    reply.send(&WorkerMessage::Hello { protocol: PROTOCOL, pid: std::process::id() });
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|e| Failure::io("read the job from", "standard input".as_ref(), &e))?;
    let job: Job = serde_json::from_str(&text).map_err(|e| {
        Failure::usage(format!("this is no job: {e}"))
            .next("workers are started by `cargo trt-perf run`, not by hand")
    })?;
    let outcome = match &job {
        Job::Gpus(target) => backend(target).and_then(|b| b.gpus()).map(WorkerMessage::Gpus),
        Job::Build(job) => build::run(job, &mut reply).map(|b| WorkerMessage::Built(Box::new(b))),
        Job::Warm(job) => measure::warm(job, &mut reply).map(WorkerMessage::Warmed),
        Job::Measure(job) => measure::run(job, &mut reply).map(|m| WorkerMessage::Measured(Box::new(m))),
        Job::Memory(job) => measure::memory(job, &mut reply).map(|m| WorkerMessage::Memory(Box::new(m))),
        Job::Inputs(path) => onnx::read(path).map(|model| WorkerMessage::Inputs(model.inputs)),
        Job::Prepare(job) => prepare::run(job).map(|()| WorkerMessage::Prepared),
        Job::Probe(folder) => Ok(WorkerMessage::Probed(probe(folder.as_deref()))),
    };
    reply.send(&outcome.unwrap_or_else(WorkerMessage::Failed));
    Ok(())
}

/// A library that cannot be opened is an answer too; one that kills the process is one for the parent to tell.
fn probe(folder: Option<&Path>) -> Probed {
    let (looked, library) = probe_tensorrt(folder);
    Probed { looked, library }
}

/// A worker must not outlive its parent, however the parent ends.
fn die_with(parent: Option<u32>) -> Result<()> {
    let fail = |what: &str| Failure::new(FailureKind::Crash, format!("the worker {what}"));
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|e| fail(&format!("cannot tie itself to its parent: {e}")))?;
    // The parent may have died before the line above took effect.
    let now = rustix::process::getppid().map(rustix::process::Pid::as_raw_pid);
    if parent.is_some() && now != parent.and_then(|p| i32::try_from(p).ok()) {
        return Err(fail("lost its parent"));
    }
    Ok(())
}
