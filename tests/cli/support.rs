//! A temporary folder with projects, models and repositories in it, and what the program did there.

#[path = "support/schema.rs"]
pub mod schema;

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use trt_perf::record::Record;

pub const BINARY: &str = env!("CARGO_BIN_EXE_cargo-trt-perf");
/// How long anything is waited for before a test fails; far beyond what it takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

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

/// Where this repository's sample models are.
pub fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models").join(name)
}

pub struct Sandbox {
    dir: TempDir,
    /// Seconds since 1970; each command of git is a minute later, so that the order of commits is known.
    clock: AtomicI64,
}

impl Sandbox {
    /// An empty folder.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        Self { dir, clock: AtomicI64::new(1_700_000_000) }
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
        let mut command = Command::new(BINARY);
        self.shield(&mut command, folder);
        command.args(args);
        command
    }

    /// The working folder and environment that every program here gets.
    pub fn shield(&self, command: &mut Command, folder: &str) {
        command.current_dir(self.path(folder)).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let ours = text.starts_with("GIT_") || text.starts_with("CARGO_") || text.starts_with("CLICOLOR");
            if ours && text != "CARGO_HOME"
                || matches!(&*text, "NO_COLOR" | "RUST_BACKTRACE" | "RUST_LIB_BACKTRACE" | "FORCE_COLOR")
            {
                command.env_remove(name);
            }
        }
        // Whatever repository the temporary folder may lie in is none of the test's.
        command.env("GIT_CEILING_DIRECTORIES", self.path("").parent().expect("a parent"));
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
        let mut command = self.command(folder, args);
        use std::os::unix::process::CommandExt;
        // A group of its own, so that a test can signal all of it.
        command.process_group(0);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        let err = BufReader::new(child.stderr.take().expect("its errors"));
        Running { child, out, err }
    }

    /// The result files below a target folder, oldest first by their time of change.
    pub fn results(&self, target: &str) -> Vec<PathBuf> {
        by_age(files_below(&self.path(target).join("trt-perf/results")))
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

    pub fn init_git(&self, folder: &str) {
        self.git(folder, &["init", "--quiet", "--initial-branch=main"]);
    }

    /// Runs `git` in a folder of the sandbox; it must succeed. Returns its standard output without the last line end.
    pub fn git(&self, folder: &str, args: &[&str]) -> String {
        let date = format!("{} +0000", self.clock.fetch_add(60, Ordering::Relaxed));
        let mut command = Command::new("git");
        self.shield(&mut command, folder);
        command.envs([
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_AUTHOR_NAME", "A"),
            ("GIT_AUTHOR_EMAIL", "a@example.com"),
            ("GIT_COMMITTER_NAME", "C"),
            ("GIT_COMMITTER_EMAIL", "c@example.com"),
            ("GIT_AUTHOR_DATE", &date),
            ("GIT_COMMITTER_DATE", &date),
        ]);
        command.args(["-c", "protocol.file.allow=always", "-c", "gc.auto=0"]).args(args);
        let ran = Ran::of(command);
        assert_eq!(ran.code, Some(0), "git {args:?}: {}", ran.err);
        ran.out.trim_end().to_owned()
    }

    /// Adds everything in `folder` and commits it; the new commit's id.
    pub fn commit(&self, folder: &str, message: &str) -> String {
        self.git(folder, &["add", "--all"]);
        self.git(folder, &["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(folder, &["rev-parse", "HEAD"])
    }

    /// Fails if anything below a target folder or baselines/ is temporary, cut off or damaged.
    pub fn check_nothing_half_written(&self, folder: &str) {
        let root = self.path(folder);
        let target = root.join("target/trt-perf");
        for path in files_below(&target).into_iter().chain(files_below(&root.join("baselines"))) {
            let extension = path.extension().unwrap_or_default().to_string_lossy().into_owned();
            match extension.as_str() {
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

/// What a program did.
#[derive(Debug)]
pub struct Ran {
    /// `None`: ended by a signal.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn of(mut command: Command) -> Self {
        let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("text"),
            err: String::from_utf8(output.stderr).expect("text"),
        }
    }

    /// The exit code is `code`, and each of `texts` is in what it said.
    #[track_caller]
    pub fn says(&self, code: i32, texts: &[&str]) -> &Self {
        self.silent_on(&["panicked", "RUST_BACKTRACE=1"]);
        assert_eq!(self.code, Some(code), "{self}");
        for text in texts {
            assert!(self.out.contains(text) || self.err.contains(text), "no {text:?} in\n{self}");
        }
        self
    }

    /// None of `texts` is in what it said.
    #[track_caller]
    pub fn silent_on(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(!self.out.contains(text) && !self.err.contains(text), "{text:?} in\n{self}");
        }
        self
    }

    /// The row of the final table that begins with `id`.
    #[track_caller]
    pub fn row(&self, id: &str) -> &str {
        let is_row = |l: &&str| l.split_whitespace().next() == Some(id);
        self.out.lines().rfind(is_row).unwrap_or_else(|| panic!("no row {id} in\n{self}"))
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n--- out\n{}\n--- err\n{}", self.code, self.out, self.err)
    }
}

/// The program while it runs. Killed when dropped, so that a failing test leaves nothing behind.
pub struct Running {
    pub child: Child,
    pub out: BufReader<ChildStdout>,
    pub err: BufReader<ChildStderr>,
}

impl Running {
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).expect("a process id")
    }

    /// Reads JSON lines up to the first one that fits; returns all of them.
    pub fn messages_until(&mut self, fits: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut seen = Vec::new();
        loop {
            let mut line = String::new();
            assert!(self.out.read_line(&mut line).expect("its output") > 0, "it ended before: {seen:#?}");
            seen.push(message(line.trim_end()));
            if fits(&seen[seen.len() - 1]) {
                return seen;
            }
        }
    }

    /// Reads standard error up to a line that contains `text`.
    pub fn err_until(&mut self, text: &str) {
        let mut seen = String::new();
        while !seen.contains(text) {
            assert!(
                self.err.read_line(&mut seen).expect("its errors") > 0,
                "it ended before {text:?}: {seen}"
            );
        }
    }

    /// The process id of the worker that runs now.
    pub fn worker(&self) -> i32 {
        let parent = self.pid();
        wait_for("a worker", || {
            let pids = fs::read_dir("/proc").expect("/proc").flatten();
            let mut pids = pids.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
            pids.find(|pid| state(*pid).is_some_and(|(_, of)| of == parent) && is_worker(*pid))
        })
    }

    pub fn signal(&self, signal: &str) {
        kill(signal, &self.pid().to_string());
    }

    /// Waits for its end, and returns the rest of what it said.
    pub fn finish(mut self) -> Ran {
        let code = wait_for("the program's end", || self.child.try_wait().expect("its status")).code();
        let (mut out, mut err) = (String::new(), String::new());
        self.out.read_to_string(&mut out).expect("text");
        self.err.read_to_string(&mut err).expect("text");
        Ran { code, out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a message says that `id` is being measured.
pub fn measuring(id: &str) -> impl Fn(&Value) -> bool {
    move |m| m["reason"] == "stage" && m["stage"] == "measure" && m["case"] == id
}

/// State letter and parent of a process; `None` where there is no such process.
pub fn state(pid: i32) -> Option<(char, i32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = text.rsplit(')').next()?.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Whether a process has ended, even if nobody has asked for its status yet.
pub fn is_gone(pid: i32) -> bool {
    state(pid).is_none_or(|(letter, _)| matches!(letter, 'Z' | 'X')) || !is_worker(pid)
}

fn is_worker(pid: i32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c.split(|b| *b == 0).any(|a| a == b"__worker"))
}

/// Sends a signal by name to a process, or to a group if `whom` begins with a minus sign.
pub fn kill(signal: &str, whom: &str) {
    let status = Command::new("kill").args(["-s", signal, "--", whom]).status().expect("kill runs");
    assert!(status.success(), "kill -s {signal} {whom}");
}

/// Ends a worker with a signal. It may take two: Rust's runtime lets a first SIGSEGV that is no real fault pass.
pub fn end(signal: &str, worker: i32) {
    wait_for("a worker's end", || {
        let _ = Command::new("kill").args(["-s", signal, &worker.to_string()]).stderr(Stdio::null()).status();
        is_gone(worker).then_some(())
    });
}

/// Asks again and again until there is an answer.
#[track_caller]
pub fn wait_for<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
