//! Starts trtexec, waits until it ends, and says how it ended. No other file starts it.
//!
//! Its output goes to a file, because a full pipe would stop it. It and what it starts belong to the worker's process
//! group, which the parent ends at the time limit and after the worker, and which the worker ends where the parent is gone.

use crate::error::{Failure, FailureKind, Result, last_words};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use tempfile::TempDir;

/// How much of what it prints is read: settings are said at the start, errors at the end.
const KEPT: u64 = 4 << 20;

/// How it ended.
pub(super) struct Ran {
    program: PathBuf,
    status: ExitStatus,
    /// What it printed, to both outputs in order.
    pub text: String,
}

/// A folder that is gone when this is dropped; what a killed worker leaves, the next session tidies up.
pub(super) fn scratch(below: &Path) -> Result<TempDir> {
    std::fs::create_dir_all(below).map_err(|e| Failure::io("create the folder", below, &e))?;
    // Absolute: the program may run elsewhere.
    let below = std::path::absolute(below).map_err(|e| Failure::io("find", below, &e))?;
    tempfile::Builder::new()
        .prefix(".tmp-trtexec")
        .tempdir_in(&below)
        .map_err(|e| Failure::io("create a folder in", &below, &e))
}

/// Runs it with `args`; `folder` holds what it prints.
pub(super) fn run(program: &Path, args: &[String], folder: &Path) -> Result<Ran> {
    let io = |e: std::io::Error| Failure::io("write the output of trtexec in", folder, &e);
    let mut printed = tempfile::tempfile_in(folder).map_err(io)?;
    let (out, err) = (printed.try_clone().map_err(io)?, printed.try_clone().map_err(io)?);
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(out).stderr(err);
    let status = command.status().map_err(|e| Failure::io("start", program, &e))?;
    Ok(Ran { program: program.to_owned(), status, text: text(&mut printed).map_err(io)? })
}

/// The beginning and the end of a file.
fn text(file: &mut File) -> std::io::Result<String> {
    let len = file.seek(SeekFrom::End(0))?;
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.take(KEPT).read_to_end(&mut bytes)?;
    if len > KEPT {
        file.seek(SeekFrom::Start(KEPT.max(len - KEPT)))?;
        file.take(KEPT).read_to_end(&mut bytes)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl Ran {
    /// Fails unless it ended well and said so; `doing` is a verb phrase such as "build an engine".
    pub fn check(&self, kind: FailureKind, doing: &str) -> Result<()> {
        let name = self.program.display();
        if let Some(signal) = self.status.signal() {
            return Err(Failure::new(
                FailureKind::Crash,
                format!(
                    "{name} was ended by signal {signal} when it was to {doing}; it said: {}",
                    self.complaint()
                ),
            )
            .next("run it by hand with --verbose; if it repeats, TensorRT or the driver is at fault"));
        }
        if self.status.success() && !self.text.contains("&&&& FAILED") {
            return Ok(());
        }
        let code = self.status.code().unwrap_or(-1);
        let kind = if self.text.contains("out of memory") { FailureKind::OutOfMemory } else { kind };
        Err(Failure::new(kind, format!("{name} failed to {doing} (exit code {code}): {}", self.complaint()))
            .next("run it by hand with --verbose to see more"))
    }

    /// Its own error lines, the last of them; failing those, the last lines of all.
    pub fn complaint(&self) -> String {
        let errors = || self.text.lines().filter_map(|l| l.split_once("[E] ").map(|(_, rest)| rest));
        match errors().next() {
            Some(_) => last_words(errors()),
            None => last_words(self.text.lines()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Ran {
        let dir = tempfile::tempdir().unwrap();
        run(Path::new("/bin/sh"), &["-c".into(), script.into()], dir.path()).unwrap()
    }

    #[test]
    fn both_outputs_are_kept_in_order_and_never_block() {
        let ran = sh(
            "echo one; echo two >&2; i=0; while [ $i -lt 30000 ]; do echo 0123456789; i=$((i+1)); done; echo last",
        );
        assert!(ran.text.starts_with("one\ntwo\n") && ran.text.ends_with("last\n"));
        ran.check(FailureKind::Build, "x").unwrap();
    }

    #[test]
    fn how_it_ended_is_said_in_its_own_words() {
        for (script, kind, says) in [
            ("echo '[1] [E] no such op'; echo bye; exit 1", FailureKind::Build, "(exit code 1): no such op"),
            ("echo '&&&& FAILED TensorRT.trtexec'", FailureKind::Build, "&&&& FAILED"),
            ("echo a; echo b; exit 7", FailureKind::Build, "(exit code 7): a / b"),
            ("exit 1", FailureKind::Build, "nothing"),
            ("echo '[E] out of memory'; exit 1", FailureKind::OutOfMemory, "out of memory"),
            ("kill -SEGV $$", FailureKind::Crash, "signal 11"),
        ] {
            let f = sh(script).check(FailureKind::Build, "build an engine").unwrap_err();
            assert_eq!(f.kind, kind, "{f}");
            assert!(f.message.contains(says), "{f}");
        }
    }
}
