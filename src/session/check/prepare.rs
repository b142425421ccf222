//! Runs the command that a project wants to be run in a source tree before its models are there.

use crate::config::Project;
use crate::error::{Failure, FailureKind, Result};
use crate::session::{Event, Events};
use std::process::{Command, Stdio};

/// Runs the configured `prepare` command, if there is one, in the tree of `arm`; its output goes to standard error.
pub(super) fn prepare(project: &Project, arm: &str, events: Events) -> Result<()> {
    let Some(command) = project.prepare()? else { return Ok(()) };
    let Some((program, rest)) = command.split_first() else { return Ok(()) };
    let shown = command.join(" ");
    events(Event::Note { text: &format!("preparing {arm}: {shown}") });
    let fail = |what: String| {
        Failure::new(FailureKind::Build, format!("the prepare command of {arm} ({shown}) {what}"))
            .next(format!("run it by hand in {}", project.root.display()))
    };
    let status = Command::new(program)
        .args(rest)
        .current_dir(&project.root)
        .env("TRT_PERF_ARM", arm)
        .stdin(Stdio::null())
        .stdout(std::io::stderr())
        .status()
        .map_err(|e| fail(format!("cannot be started: {e}")))?;
    if status.success() { Ok(()) } else { Err(fail(format!("failed: {status}"))) }
}
