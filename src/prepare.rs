//! The command that a project wants to be run in a tree before its models are there. Runs in a worker of its own.
//!
//! The worker leads a process group: whoever ends it ends what the command started, too. Invariant: nothing of that
//! group is left when the parent is gone, however it ended (`child`).

use crate::error::{Failure, FailureKind, Result};
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
    let status = Command::new(program)
        .args(rest)
        .current_dir(&job.folder)
        .env("TRT_PERF_ARM", &job.arm)
        .stdin(Stdio::null())
        .status()
        .map_err(|e| fail(format!("cannot be started: {e}")))?;
    if status.success() { Ok(()) } else { Err(fail(format!("failed: {status}"))) }
}
