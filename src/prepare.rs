//! The command that a project wants to be run in a tree before its models are there. Runs in a worker of its own.
//!
//! The worker leads a process group: whoever ends it ends what the command started, too. Invariant: nothing of that
//! group is left when the parent is gone, however it ended.

use crate::error::{Failure, FailureKind, Result};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Run a command in a tree.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PrepareJob {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Where it runs.
    pub folder: PathBuf,
    /// `base`, `head` or, of the past, a commit's id, which it is told as `TRT_PERF_ARM`.
    pub arm: String,
}

/// Runs the command to its end. What it prints goes to standard error, as everything does that a worker did not say.
pub fn run(job: &PrepareJob) -> Result<()> {
    let fail = |what: String| Failure::new(FailureKind::Build, what);
    let Some((program, rest)) = job.command.split_first() else { return Ok(()) };
    end_the_group_with_the_parent().map_err(|e| fail(format!("cannot be tied to its parent: {e}")))?;
    let status = Command::new(program)
        .args(rest)
        .current_dir(&job.folder)
        .env("TRT_PERF_ARM", &job.arm)
        .stdin(Stdio::null())
        .status()
        .map_err(|e| fail(format!("cannot be started: {e}")))?;
    if status.success() { Ok(()) } else { Err(fail(format!("failed: {status}"))) }
}

/// SIGKILL from the kernel would end this worker alone; SIGTERM it hands on to its whole group.
pub fn end_the_group_with_the_parent() -> Result<(), Box<dyn std::error::Error>> {
    let parent = rustix::process::getppid();
    ctrlc::set_handler(|| {
        let _ = rustix::process::kill_process_group(rustix::process::getpgrp(), Signal::KILL);
    })?;
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
    // Its end may have come before the line above took effect.
    if rustix::process::getppid() == parent { Ok(()) } else { Err("the parent is gone".into()) }
}
