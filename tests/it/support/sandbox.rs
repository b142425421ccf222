//! A temporary folder with projects, models and repositories in it, and the program at work there. What it does with
//! `git` is in `repository`.

use super::processes::Running;
use super::program::{self, Ran};
use super::schema;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicI64;
use tempfile::TempDir;
use trt_perf::record::Record;

/// Settings that measure little and quickly, for a `[package.metadata.trt-perf]` table.
pub const QUICK: &str = r#"
processes = 2
warm-up = "10ms"
measure = "30ms"
scenarios = ["latency"]
"#;

/// The same on the command line, for models that are named there.
pub const QUICK_ARGS: [&str; 8] =
    ["--processes", "2", "--warm-up", "10ms", "--measure", "30ms", "--scenario", "latency"];

/// A sample model; `TRT_PERF_MODELS` says where they are on a machine without the sources.
pub fn sample(name: &str) -> PathBuf {
    let models = std::env::var_os("TRT_PERF_MODELS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models"), PathBuf::from);
    models.join(name)
}

/// Public data that is not part of this repository, read in place from `../shared` beside it or from `TRT_PERF_SHARED`;
/// `None`, with the reason printed, where it is not there.
pub fn shared(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("TRT_PERF_SHARED")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")), PathBuf::from);
    let whole = folder.join(path).canonicalize().ok();
    if whole.is_none() {
        eprintln!("skipped: {} is not there; TRT_PERF_SHARED names its folder", folder.join(path).display());
    }
    whole
}

pub struct Sandbox {
    dir: TempDir,
    /// Where the program keeps what outlives a project.
    caches: TempDir,
    /// Seconds since 1970; each command of git is a minute later, so that the order of commits is known.
    pub(super) clock: AtomicI64,
}

impl Sandbox {
    /// An empty folder.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let caches = tempfile::tempdir().expect("a temporary folder");
        Self { dir, caches, clock: AtomicI64::new(1_700_000_000) }
    }

    /// A package `demo` in the folder itself, with the quick settings and the tables in `models`.
    pub fn package(models: &str) -> Self {
        let sandbox = Self::new();
        sandbox.add_package(
            ".",
            "demo",
            &format!("[workspace]\n[package.metadata.trt-perf]\n{QUICK}\n{models}"),
        );
        sandbox
    }

    /// A package whose only model is the MLP, in a git repository with one commit.
    pub fn committed_mlp() -> Self {
        let sandbox = Self::package(&model("mlp", "mlp.onnx"));
        sandbox.copy("mlp.onnx", "mlp.onnx");
        sandbox.init_git(".");
        sandbox.commit(".", "first");
        sandbox
    }

    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        let path = self.dir.path().canonicalize().expect("the temporary folder").join(relative);
        // Without the `.` that a folder may be called by.
        path.components().collect()
    }

    pub fn write(&self, relative: impl AsRef<Path>, contents: impl AsRef<[u8]>) {
        let path = self.path(relative);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, contents).expect("a file");
    }

    /// Copies a sample model (or another file beside it) into the sandbox.
    pub fn copy(&self, from: &str, to: &str) {
        self.write(to, fs::read(sample(from)).expect("a sample file"));
    }

    pub fn add_package(&self, folder: &str, name: &str, rest: &str) {
        let head = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
        self.write(Path::new(folder).join("Cargo.toml"), head + rest);
        self.write(Path::new(folder).join("src/lib.rs"), "");
        self.write(Path::new(folder).join(".gitignore"), "target/\n");
    }

    /// Changes a text in a file that must be there.
    pub fn edit(&self, relative: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(relative)).expect("a text file");
        assert!(text.contains(from), "{relative} has no {from:?}");
        self.write(relative, text.replace(from, to));
    }

    /// The program with `args`, in a folder of the sandbox, cut off from this machine's settings.
    pub fn command(&self, folder: &str, args: &[&str]) -> Command {
        let mut command = program::command(&self.path(folder), args);
        self.confine(&mut command);
        command
    }

    /// The same for a program that is not the one under test.
    pub fn shield(&self, command: &mut Command, folder: &str) {
        program::shield(command, &self.path(folder));
        self.confine(command);
    }

    /// The folder that the program is told to keep caches in.
    pub fn caches(&self) -> &Path {
        self.caches.path()
    }

    /// Whatever repository the temporary folder may lie in is none of the test's, and the user's caches are not.
    fn confine(&self, command: &mut Command) {
        command.env("GIT_CEILING_DIRECTORIES", self.path("").parent().expect("a parent"));
        command.env("XDG_CACHE_HOME", self.caches.path());
    }

    /// Runs the program to its end.
    pub fn run(&self, folder: &str, args: &[&str]) -> Ran {
        Ran::of(self.command(folder, args))
    }

    /// Runs the program with JSON lines, which must all be as documented.
    pub fn run_json(&self, folder: &str, args: &[&str]) -> (Ran, Vec<Value>) {
        let ran = self.run(folder, &[args, &["--message-format", "json"]].concat());
        let messages = ran.out.lines().map(message).collect();
        (ran, messages)
    }

    /// Starts the program and leaves it running, with its outputs open to read.
    pub fn start(&self, folder: &str, args: &[&str]) -> Running {
        Running::start(self.command(folder, args))
    }

    /// The result files below a target folder, oldest first by their time of change.
    pub fn results(&self, target: &str) -> Vec<PathBuf> {
        by_age(files_below(&self.work_folder(target).join("results")))
    }

    /// Where the program works: in a target folder of cargo's, or, without cargo, in a folder of its own.
    pub fn work_folder(&self, target: &str) -> PathBuf {
        let own = self.path(".trt-perf");
        if target == "target" && own.exists() { own } else { self.path(target).join("trt-perf") }
    }

    /// The one record that was written.
    pub fn record(&self, target: &str) -> Record {
        let results = self.results(target);
        assert_eq!(results.len(), 1, "{results:?}");
        trt_perf::baseline::load(&results[0]).expect("a readable record")
    }

    /// The files in baselines/ of a folder.
    pub fn baselines(&self, folder: &str) -> Vec<PathBuf> {
        let all = files_below(&self.path(folder).join("baselines"));
        by_age(all.into_iter().filter(|p| p.extension().is_some_and(|e| e == "json")).collect())
    }

    /// Fails if anything below a target folder or baselines/ is temporary, cut off or damaged.
    pub fn check_nothing_half_written(&self, folder: &str) {
        let root = self.path(folder);
        let target = [root.join("target/trt-perf"), root.join(".trt-perf")].into_iter().find(|t| t.exists());
        let target = target.unwrap_or_default();
        for path in files_below(&target).into_iter().chain(files_below(&root.join("baselines"))) {
            let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            match extension.as_str() {
                "json" if path.starts_with(target.join("evidence")) => {
                    drop(trt_perf::session::kept::load(&path).expect("a whole result"));
                }
                "json" => drop(trt_perf::baseline::load(&path).expect("a whole record")),
                "engine" => drop(trt_perf::engine::read(&path).expect("a whole engine")),
                "npy" => drop(trt_perf::tensor::read_samples(&path).expect("whole samples")),
                _ => assert_eq!(path, target.join("lock"), "a file that should not be left"),
            }
        }
    }
}

/// A `[[package.metadata.trt-perf.model]]` table.
pub fn model(name: &str, path: &str) -> String {
    format!("[[package.metadata.trt-perf.model]]\nname = \"{name}\"\npath = \"{path}\"\n")
}

/// Every file below `root`; none where there is no such folder.
pub fn files_below(root: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

fn by_age(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    files.sort_by_key(|p| fs::metadata(p).and_then(|m| m.modified()).expect("a time of change"));
    files
}

/// One line of `--message-format json`, which must be as its schema says.
#[track_caller]
pub fn message(line: &str) -> Value {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    assert_eq!(value["schema"], "trt-perf/message@1", "{line}");
    let schema = trt_perf::message::schema();
    schema::check(&value, &schema, &schema, value["reason"].as_str().unwrap_or("a message"));
    value
}

/// The messages with this reason.
pub fn with<'a>(messages: &'a [Value], reason: &str) -> Vec<&'a Value> {
    messages.iter().filter(|m| m["reason"] == reason).collect()
}

/// Whether a message says that `id` is being measured.
pub fn measuring(id: &str) -> impl Fn(&Value) -> bool {
    move |m| m["reason"] == "stage" && m["stage"] == "measure" && m["case"] == id
}
