//! Starts a program and waits for its end. No other file of this backend starts one.
//!
//! It and what it starts belong to the worker's process group, which the parent ends at the time limit and after the
//! worker, and which the worker ends where the parent is gone.

use crate::error::{Failure, FailureKind, Result, last_words};
use crate::units::nanos;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

/// How much of its standard output is read.
const MOST_OUT: u64 = 256 << 20;
/// How much of its standard error is looked at, from the end.
const MOST_ERR: u64 = 64 << 10;

/// Why a program that starts in the checkout may not start for a base.
const COMMITTED: &str = "a commit's own tree has only what git holds, and no .venv or build outputs";

/// A program that came to its end.
pub(super) struct Started {
    command: Vec<String>,
    status: ExitStatus,
    /// From before it was started until its end was seen.
    pub ns: u64,
    /// Its standard output.
    pub out: String,
    err: String,
}

impl Started {
    /// Runs `command` in `folder`, with these variables on top of the environment.
    pub fn run(command: &[String], folder: &Path, variables: &[(&str, String)]) -> Result<Self> {
        let file = || tempfile::tempfile().map_err(|e| Failure::io("write", &std::env::temp_dir(), &e));
        let (mut out, mut err) = (file()?, file()?);
        let copy = |f: &File| f.try_clone().map_err(|e| Failure::io("write", &std::env::temp_dir(), &e));
        let (program, args) = command.split_first().ok_or_else(|| Failure::usage("the command is empty"))?;
        let mut ready = Command::new(program);
        ready.args(args).current_dir(folder).stdin(Stdio::null()).stdout(copy(&out)?).stderr(copy(&err)?);
        ready.envs(variables.iter().map(|(name, value)| (name, value)));
        let begin = Instant::now();
        let status = ready.status().map_err(|e| {
            Failure::new(FailureKind::Usage, format!("cannot start `{program}` in {}: {e}", folder.display()))
                .next(format!(
                    "name a program on the PATH, or with a slash one relative to that folder; {COMMITTED}"
                ))
        })?;
        let ns = nanos(begin.elapsed());
        let text = |file: &mut File, most, from_end| {
            kept(file, most, from_end).map_err(|e| Failure::io("read", &std::env::temp_dir(), &e))
        };
        let (out, err) = (text(&mut out, MOST_OUT, false)?, text(&mut err, MOST_ERR, true)?);
        Ok(Self { command: command.to_vec(), status, ns, out, err })
    }

    /// The command as somebody would type it.
    pub fn name(&self) -> String {
        format!("`{}`", self.command.join(" "))
    }

    /// Fails unless it ended well, with its last words.
    pub fn ensure_success(&self, kind: FailureKind) -> Result<()> {
        if self.status.success() {
            return Ok(());
        }
        let said = last_words(if self.err.trim().is_empty() { &self.out } else { &self.err }.lines());
        let (kind, how) = match self.status.signal() {
            Some(signal) => (FailureKind::Crash, format!("was ended by signal {signal}")),
            None => (kind, format!("failed (exit code {})", self.status.code().unwrap_or(-1))),
        };
        Err(Failure::new(kind, format!("{} {how}; it said: {said}", self.name()))
            .next(format!("run it by hand in the folder of the configuration; {COMMITTED}")))
    }
}

/// So much of a file's text, from its beginning or its end.
fn kept(file: &mut File, most: u64, from_end: bool) -> std::io::Result<String> {
    let len = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(if from_end { len.saturating_sub(most) } else { 0 }))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
