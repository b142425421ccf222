//! Sends a worker's messages to its parent, on what was standard output; nothing else writes there.

use super::protocol::WorkerMessage;
use crate::error::{Failure, Result};
use crate::progress::{Progress, Stage, Tell};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// The messages' way back to the parent.
pub struct Reply(File);

impl Reply {
    /// Keeps standard output for messages, and sends everything native libraries print to standard error.
    pub fn take_stdout() -> Result<Self> {
        let fail = |e: rustix::io::Errno| Failure::io("duplicate", "standard output".as_ref(), &e.into());
        let kept = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdout(), 3).map_err(fail)?;
        rustix::stdio::dup2_stdout(rustix::stdio::stderr()).map_err(fail)?;
        Ok(Self(File::from(kept)))
    }

    /// Sends messages to a file instead.
    pub fn to_file(path: &Path) -> Result<Self> {
        File::create(path).map(Self).map_err(|e| Failure::io("create", path, &e))
    }

    /// A parent that is gone reads nothing; the worker is about to be killed anyway, so errors are dropped.
    pub fn send(&mut self, message: &WorkerMessage) {
        if let Ok(mut line) = serde_json::to_vec(message) {
            line.push(b'\n');
            let _ = self.0.write_all(&line);
        }
    }
}

impl Tell for Reply {
    fn stage(&mut self, stage: Stage, expected_ns: u64) {
        self.send(&WorkerMessage::Stage { stage, expected_ns });
    }

    fn progress(&mut self, Progress { doing, step, steps }: Progress) {
        self.send(&WorkerMessage::Progress { doing, step, steps });
    }
}
