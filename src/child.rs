//! The worker's side: reads one job, does it, sends messages, and exits. No other process runs inference libraries.

use crate::backend::{backend, probe_tensorrt};
use crate::error::{Failure, FailureKind, Result};
use crate::worker::protocol::{Job, PROTOCOL, Probed, WorkerMessage};
use crate::worker::reply::Reply;
use crate::{build, measure, onnx, prepare, tool};
use rustix::process::Signal;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How a worker gets its job and says what became of it.
pub enum Way {
    /// The job on standard input, messages on standard output; with the process id of who started us.
    Pipes(Option<u32>),
    /// Both in files: for a worker that a profiler starts, which has its own use for what programs print, and is told to end
    /// it. The kernel would do that already when the profiler's thread ends that started it.
    Files {
        /// The job.
        job: PathBuf,
        /// Where the messages go.
        reply: PathBuf,
    },
}

/// Runs the job.
pub fn run(way: &Way) -> Result<()> {
    if let Way::Pipes(parent) = way {
        die_with(*parent, Signal::KILL)?;
    }
    let mut reply = match way {
        Way::Pipes(_) => Reply::take_stdout()?,
        Way::Files { reply, .. } => Reply::to_file(reply)?,
    };
    reply.send(&WorkerMessage::Hello { protocol: PROTOCOL, pid: std::process::id() });
    let mut text = String::new();
    match way {
        Way::Pipes(_) => std::io::stdin()
            .read_to_string(&mut text)
            .map_err(|e| Failure::io("read the job from", "standard input".as_ref(), &e))?,
        Way::Files { job, .. } => File::open(job)
            .and_then(|mut file| file.read_to_string(&mut text))
            .map_err(|e| Failure::io("read the job from", job, &e))?,
    };
    let job: Job = serde_json::from_str(&text).map_err(|e| {
        Failure::usage(format!("this is no job: {e}"))
            .next("workers are started by `cargo trt-perf run`, not by hand")
    })?;
    if let Way::Pipes(parent) = way
        && job.starts_programs()
    {
        group_dies_with(*parent)?;
    }
    let outcome = match &job {
        Job::Gpus(target) => backend(target).and_then(|b| b.gpus()).map(WorkerMessage::Gpus),
        Job::Build(job) => build::run(job, &mut reply).map(|b| WorkerMessage::Built(Box::new(b))),
        Job::Warm(job) => measure::warm(job, &mut reply).map(WorkerMessage::Warmed),
        Job::Measure(job) => measure::run(job, &mut reply).map(|m| WorkerMessage::Measured(Box::new(m))),
        Job::Memory(job) => measure::memory(job, &mut reply).map(|m| WorkerMessage::Memory(Box::new(m))),
        Job::Inputs(path) => onnx::read(path).map(|model| WorkerMessage::Inputs(model.inputs)),
        Job::Profile(job) => measure::profile(job, &mut reply).map(WorkerMessage::Profiled),
        Job::Tool(job) => tool::run(job).map(|()| WorkerMessage::ToolEnded),
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

/// A worker must not outlive its parent, however the parent ends: the kernel then sends it this signal.
fn die_with(parent: Option<u32>, signal: Signal) -> Result<()> {
    rustix::process::set_parent_process_death_signal(Some(signal))
        .map_err(|e| fail(&format!("cannot tie itself to its parent: {e}")))?;
    // The parent may have died before the line above took effect.
    let now = rustix::process::getppid().map(rustix::process::Pid::as_raw_pid);
    if parent.is_some() && now != parent.and_then(|p| i32::try_from(p).ok()) {
        return Err(fail("lost its parent"));
    }
    Ok(())
}

/// Nor may the programs that it starts: SIGKILL from the kernel would end this worker alone, SIGTERM it hands on to its
/// whole group.
fn group_dies_with(parent: Option<u32>) -> Result<()> {
    ctrlc::set_handler(|| {
        let _ = rustix::process::kill_process_group(rustix::process::getpgrp(), Signal::KILL);
    })
    .map_err(|e| fail(&format!("cannot tie its programs to its parent: {e}")))?;
    die_with(parent, Signal::TERM)
}

fn fail(what: &str) -> Failure {
    Failure::new(FailureKind::Crash, format!("the worker {what}"))
}
