//! Names the folders that sessions write to: everything below the target folder gets its name here.

use std::path::{Path, PathBuf};

/// `target/trt-perf` and what is below it.
#[derive(Clone, Debug)]
pub struct Folders {
    target: PathBuf,
}

impl Folders {
    /// The folders below `target`, which is the `trt-perf` folder itself.
    pub fn below(target: PathBuf) -> Self {
        Self { target }
    }

    /// The folder that all others are in.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// The file that a session locks.
    pub fn lock(&self) -> PathBuf {
        self.target.join("lock")
    }

    /// The cache of built engines.
    pub fn engines(&self) -> PathBuf {
        self.target.join("engines")
    }

    /// The raw samples of all sessions.
    pub fn samples(&self) -> PathBuf {
        self.target.join("samples")
    }

    /// The raw samples of the session of this process that began at `now_s`.
    pub fn samples_since(&self, now_s: i64) -> PathBuf {
        self.samples().join(format!("{now_s}-{}", std::process::id()))
    }

    /// The records of all sessions.
    pub fn results(&self) -> PathBuf {
        self.target.join("results")
    }

    /// What checks of the sources with this tree hash measured.
    pub fn check_of(&self, src_tree: &str) -> PathBuf {
        self.checks().join(format!("{src_tree}.json"))
    }

    /// What the layers of engines take.
    pub fn layers(&self) -> PathBuf {
        self.target.join("layers")
    }

    /// Every folder of ours directly below the target folder.
    pub fn all(&self) -> [PathBuf; 5] {
        [self.engines(), self.samples(), self.results(), self.layers(), self.checks()]
    }

    fn checks(&self) -> PathBuf {
        self.target.join("checks")
    }
}
