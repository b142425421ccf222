//! The files that somebody asked for.

use super::exit::Exit;
use super::report_failure;
use crate::error::{Failure, Result};
use std::path::Path;

/// Writes a file that somebody asked for; a folder that is missing is made.
pub fn write_file(path: &Path, contents: impl AsRef<[u8]>) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|e| Failure::io("create the folder", folder, &e))?;
    }
    std::fs::write(path, contents).map_err(|e| Failure::io("write", path, &e))
}

/// How a command ends that has a result and writes files about it: as the worse of the two. A file that cannot be written
/// is an error, but costs neither the other files nor the result.
pub struct Ending {
    exit: Exit,
}

impl Ending {
    /// As the result says.
    pub fn of(exit: Exit) -> Self {
        Self { exit }
    }

    /// What is lost is told at once.
    pub fn lose(&mut self, failure: &Failure) {
        self.exit = self.exit.and(report_failure(failure));
    }

    /// Writes a file, where one is asked for.
    pub fn write<T: AsRef<[u8]>>(&mut self, path: Option<&Path>, contents: impl FnOnce() -> Result<T>) {
        let Some(path) = path else { return };
        if let Err(failure) = contents().and_then(|contents| write_file(path, contents)) {
            self.lose(&failure);
        }
    }

    /// How it ends so far.
    pub fn exit(&self) -> Exit {
        self.exit
    }
}
