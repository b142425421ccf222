//! Names the folders that sessions write to: everything below the target folder gets its name here.

use std::path::{Path, PathBuf};

/// `target/trt-perf`, or `.trt-perf` where there is no Cargo, and what is below it.
#[derive(Clone, Debug)]
pub struct Folders {
    target: PathBuf,
    ignores_itself: bool,
}

impl Folders {
    /// The folders below `target`, which is the `trt-perf` folder itself.
    pub fn below(target: PathBuf) -> Self {
        Self { target, ignores_itself: false }
    }

    /// The folders of a project without Cargo, whose root is `root`: nobody ignores them yet.
    pub(super) fn without_cargo(root: &Path) -> Self {
        match std::env::var_os("CARGO_TARGET_DIR") {
            Some(target) => Self::below(root.join(target).join("trt-perf")),
            None => Self { target: root.join(".trt-perf"), ignores_itself: true },
        }
    }

    /// The file that keeps git from seeing the folder, where no other does.
    pub fn ignore_file(&self) -> Option<PathBuf> {
        self.ignores_itself.then(|| self.target.join(".gitignore"))
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

    /// The page that `report` writes where no file is named.
    pub fn page(&self) -> PathBuf {
        self.target.join("report.html")
    }

    /// The records of all sessions.
    pub fn results(&self) -> PathBuf {
        self.target.join("results")
    }

    /// What the memory run of this process that began at `now_s` found.
    pub fn memory_since(&self, now_s: i64) -> PathBuf {
        self.memory().join(format!("{now_s}-{}", std::process::id()))
    }

    /// What the profiler of this process that began at `now_s` wrote.
    pub fn profile_since(&self, now_s: i64) -> PathBuf {
        self.profiles().join(format!("{now_s}-{}", std::process::id()))
    }

    /// What checks of the sources with this tree hash measured.
    pub fn check_of(&self, src_tree: &str) -> PathBuf {
        self.checks().join(format!("{src_tree}.json"))
    }

    /// What checks found, before anyone judged.
    pub fn evidence(&self) -> PathBuf {
        self.target.join("evidence")
    }

    /// What profilers wrote.
    pub fn profiles(&self) -> PathBuf {
        self.target.join("profiles")
    }

    /// What the layers of engines take.
    pub fn layers(&self) -> PathBuf {
        self.target.join("layers")
    }

    /// The changes whose commits bisections found.
    pub fn bisects(&self) -> PathBuf {
        self.target.join("bisects")
    }

    /// Every folder of ours directly below the target folder.
    pub fn all(&self) -> [PathBuf; 9] {
        [
            self.bisects(),
            self.engines(),
            self.samples(),
            self.results(),
            self.layers(),
            self.checks(),
            self.evidence(),
            self.memory(),
            self.profiles(),
        ]
    }

    /// What all memory runs found.
    pub fn memory(&self) -> PathBuf {
        self.target.join("memory")
    }

    fn checks(&self) -> PathBuf {
        self.target.join("checks")
    }
}

/// What the folder, or the file, of a case is called.
pub fn case_folder(id: &str) -> String {
    id.replace('/', "__")
}
