//! Programs while they run, and the worker processes that they start.

use super::program::Ran;
use super::sandbox::message;
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// How long anything is waited for before a test fails; far beyond what it takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// The program while it runs. Killed when dropped, so that a failing test leaves nothing behind.
pub struct Running {
    pub child: Child,
    pub out: BufReader<ChildStdout>,
    pub err: BufReader<ChildStderr>,
}

impl Running {
    /// Starts a program in a process group of its own, so that a test can signal all of it.
    pub fn start(mut command: Command) -> Self {
        command.process_group(0);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let out = BufReader::new(child.stdout.take().expect("its output"));
        let err = BufReader::new(child.stderr.take().expect("its errors"));
        Self { child, out, err }
    }

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
