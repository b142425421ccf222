//! Runs one job in a fresh child process: starts this program again, passes the job, reads messages, limits the time,
//! and tells how the process ended. A crash, a hang or a lack of memory is a [`Failure`]; the session goes on.

pub mod protocol;
pub mod reply;

use crate::error::{Failure, FailureKind, Result};
use protocol::{Job, PROTOCOL, WorkerMessage};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, waitid};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// The hidden first argument of a worker; the second is the parent's process id.
pub const WORKER_ARG: &str = "__worker";
/// This program itself, also where its file was replaced or removed since it was started: another build of it may not
/// understand our jobs, and would be measured as if it was this one.
const OURSELVES: &str = "/proc/self/exe";
/// How much of a worker's standard error is kept for the report.
const STDERR_KEPT: usize = 4096;
/// How often the parent looks for Ctrl-C and the time limit while a worker is silent.
const POLL: Duration = Duration::from_millis(20);

/// Set once by the signal handler; everything that waits looks at it.
pub static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The failure of a session that was told to stop.
pub fn interrupted() -> Failure {
    Failure::new(FailureKind::Interrupted, "stopped by the user")
}

/// Fails once the user asked to stop.
pub fn check_interrupt() -> Result<()> {
    if INTERRUPTED.load(Ordering::SeqCst) { Err(interrupted()) } else { Ok(()) }
}

/// Runs `job` in a fresh process and returns its last message. `on_message` sees every message before that.
pub fn run(job: &Job, limit: Duration, on_message: &mut dyn FnMut(&WorkerMessage)) -> Result<WorkerMessage> {
    check_interrupt()?;
    let text = serde_json::to_vec(job).map_err(|e| {
        Failure::usage(format!("a path of this project is not UTF-8, and no worker can be told it ({e})"))
            .next("rename that folder or file, or move the project")
    })?;
    let oom_before = oom_kills();
    let mut child = spawn(job)?;
    let (messages, stderr) = (pump_stdout(&mut child), pump_stderr(&mut child));
    if let Some(mut stdin) = child.stdin.take() {
        // A worker that is already dead cannot take its job; how it died is read off below.
        let _ = stdin.write_all(&text);
    }
    let waited = wait(&messages, limit, on_message);
    end(&mut child, waited.is_err());
    let status = child.wait().map_err(|e| Failure::io("wait for", "the worker".as_ref(), &e))?;
    let tail = stderr.recv().unwrap_or_default();
    match waited? {
        Some(WorkerMessage::Failed(failure)) => Err(failure),
        Some(last) if status.success() => Ok(last),
        _ => Err(classify(status, &tail, oom_kills() > oom_before)),
    }
}

/// Ends what is left of a worker, and every program it started, which are in its group. `now`: it was too slow, or the
/// user asked; otherwise it comes to its own end first.
fn end(child: &mut Child, now: bool) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        if !now {
            // Not asked for its status yet, so that its number stays its own until the group is gone.
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            let _ = rustix::io::retry_on_intr(|| waitid(WaitId::Pid(group), options));
        }
        // Nothing is left where this fails.
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    if now {
        let _ = child.kill();
    }
}

/// The file of this program, for others that start it by its path; the one that took its place, where it was replaced
/// since it was started.
pub fn executable() -> Result<PathBuf> {
    let exe = std::env::current_exe().map_err(|e| Failure::io("find", "this executable".as_ref(), &e))?;
    in_place_of(&exe).ok_or_else(|| {
        Failure::new(FailureKind::Io, format!("{} was removed while it runs", exe.display()))
            .next("install it again, and run again")
    })
}

/// The file at `exe`, or at what the kernel calls so now that its first file is gone.
fn in_place_of(exe: &Path) -> Option<PathBuf> {
    let bytes = exe.as_os_str().as_bytes();
    let replaced = bytes.strip_suffix(b" (deleted)").map(|path| Path::new(OsStr::from_bytes(path)));
    [Some(exe), replaced].into_iter().flatten().find(|path| path.is_file()).map(Path::to_owned)
}

fn spawn(job: &Job) -> Result<Child> {
    // What a project's own command says is for the user.
    let stderr = if matches!(job, Job::Prepare(_)) { Stdio::inherit() } else { Stdio::piped() };
    let mut command = Command::new(OURSELVES);
    if let Some(name) = std::env::args_os().next() {
        command.arg0(name);
    }
    command
        .arg(WORKER_ARG)
        .arg(std::process::id().to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr)
        // These would make the cpu backend print or choose its own threads.
        .env_remove("RTEN_TIMING")
        .env_remove("RTEN_NUM_THREADS")
        // Of what a dying worker says only the end is shown, and that must be the reason, not a backtrace.
        .env("RUST_BACKTRACE", "0")
        .env_remove("RUST_LIB_BACKTRACE")
        // Ctrl-C goes to the parent alone, which then decides what is kept.
        .process_group(0);
    // Several threads that load a model allocate in another order each time, and so have another peak.
    let counted = match job {
        Job::Memory(_) => true,
        Job::Build(job) => job.memory.is_some(),
        _ => false,
    };
    if counted {
        command.env("RTEN_NUM_THREADS", "1");
    }
    command.spawn().map_err(|e| Failure::io("start a worker from", OURSELVES.as_ref(), &e))
}

/// Messages as they come; the channel closes when the worker's output does.
fn pump_stdout(child: &mut Child) -> Receiver<Result<WorkerMessage, String>> {
    let (send, receive) = channel();
    if let Some(out) = child.stdout.take() {
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines() {
                let message = line
                    .map_err(|e| e.to_string())
                    .and_then(|l| serde_json::from_str(&l).map_err(|e| format!("{e}: {l:.80}")));
                if send.send(message).is_err() {
                    return;
                }
            }
        });
    }
    receive
}

/// The last few kilobytes of standard error, once it is closed.
fn pump_stderr(child: &mut Child) -> Receiver<String> {
    let (send, receive) = channel();
    if let Some(mut err) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut kept: VecDeque<u8> = VecDeque::new();
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = err.read(&mut buffer) {
                kept.extend(&buffer[..n]);
                let surplus = kept.len().saturating_sub(STDERR_KEPT);
                kept.drain(..surplus);
            }
            let bytes: Vec<u8> = kept.into();
            let _ = send.send(String::from_utf8_lossy(&bytes).trim().to_owned());
        });
    }
    receive
}

/// The last message before the worker closed its output; an error when the parent should end it.
fn wait(
    messages: &Receiver<Result<WorkerMessage, String>>,
    limit: Duration,
    on_message: &mut dyn FnMut(&WorkerMessage),
) -> Result<Option<WorkerMessage>> {
    let deadline = Instant::now() + limit;
    let mut last = None;
    loop {
        check_interrupt()?;
        let now = Instant::now();
        if now >= deadline {
            return Err(Failure::new(
                FailureKind::TimedOut,
                format!(
                    "the worker did not finish within {}",
                    crate::units::plain_time(limit.as_nanos() as f64)
                ),
            )
            .next("give it more with time-limit = \"30min\" or --time-limit 30min"));
        }
        match messages.recv_timeout(POLL.min(deadline - now)) {
            Ok(Ok(WorkerMessage::Hello { protocol, .. })) if protocol != PROTOCOL => {
                return Err(Failure::new(
                    FailureKind::Crash,
                    format!("the worker speaks protocol {protocol}, this process {PROTOCOL}"),
                )
                .next("the executable was replaced while it ran; run again"));
            }
            Ok(Ok(message)) => {
                on_message(&message);
                last = Some(message);
            }
            Ok(Err(bad)) => {
                return Err(Failure::new(
                    FailureKind::Crash,
                    format!("the worker sent something that is no message ({bad})"),
                ));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(last),
        }
    }
}

/// How a worker that sent no result ended.
fn classify(status: ExitStatus, stderr: &str, oom_kill: bool) -> Failure {
    let memory = stderr.contains("memory allocation of")
        || stderr.contains("std::bad_alloc")
        || stderr.contains("out of memory");
    let said = if stderr.is_empty() { String::new() } else { format!("; it said: {}", last_lines(stderr)) };
    if memory || (status.signal() == Some(9) && oom_kill) {
        return Failure::new(FailureKind::OutOfMemory, format!("the worker ran out of memory{said}"))
            .next("use a smaller batch, fewer streams, or a machine (or container) with more memory");
    }
    let how = match (status.signal(), status.code()) {
        (Some(signal), _) => format!("the worker was ended by {}", signal_name(signal)),
        (None, Some(0)) => "the worker ended without a result".into(),
        (None, code) => format!("the worker ended with exit code {}", code.unwrap_or(-1)),
    };
    let next = match status.signal() {
        Some(9) => "something outside killed it; look at `dmesg` for the out-of-memory killer",
        _ => "run it again with --verbose; if it repeats, the model or the inference library is at fault",
    };
    Failure::new(FailureKind::Crash, format!("{how}{said}")).next(next)
}

fn last_lines(text: &str) -> String {
    let hint = |l: &str| l.starts_with("note: run with `RUST_BACKTRACE=");
    let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty() && !hint(l)).collect();
    lines[lines.len().saturating_sub(3)..].join(" / ")
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        _ => return format!("signal {signal}"),
    };
    format!("signal {signal} ({name})")
}

/// How many processes the kernel killed for lack of memory, in this container if it counts there.
fn oom_kills() -> u64 {
    let count = |path: &str| {
        let text = std::fs::read_to_string(path).ok()?;
        text.lines().find_map(|l| l.strip_prefix("oom_kill ")?.trim().parse::<u64>().ok())
    };
    count("/sys/fs/cgroup/memory.events").or_else(|| count("/proc/vmstat")).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn a_path_that_no_job_can_hold_is_named_as_what_is_wrong() {
        let path = std::ffi::OsString::from_vec(b"models\xff/m.onnx".to_vec());
        let failure = run(&Job::Inputs(path.into()), Duration::ZERO, &mut |_| {}).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Usage);
        assert!(failure.message.starts_with("a path of this project is not UTF-8"), "{failure}");
    }

    #[test]
    fn what_took_the_place_of_a_file_is_found_under_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let (new, gone) = (dir.path().join("tool"), dir.path().join("tool (deleted)"));
        assert_eq!(in_place_of(&gone), None);
        std::fs::write(&new, "").unwrap();
        assert_eq!(in_place_of(&gone), Some(new.clone()));
        assert_eq!(in_place_of(&new), Some(new));
        std::fs::write(&gone, "").unwrap();
        assert_eq!(in_place_of(&gone), Some(gone), "a file may be called so");
    }

    #[test]
    fn ends_are_told_apart() {
        let signal = ExitStatus::from_raw;
        let exit = |code: i32| ExitStatus::from_raw(code << 8);
        for (status, stderr, oom, kind, says) in [
            (signal(11), "", false, FailureKind::Crash, "SIGSEGV"),
            (signal(9), "", false, FailureKind::Crash, "SIGKILL"),
            (signal(9), "", true, FailureKind::OutOfMemory, "out of memory"),
            (signal(6), "memory allocation of 4096 bytes failed", false, FailureKind::OutOfMemory, "4096"),
            (
                signal(6),
                "terminate called after throwing 'std::bad_alloc'",
                false,
                FailureKind::OutOfMemory,
                "bad_alloc",
            ),
            (
                exit(101),
                "thread 'main' panicked\nat x.rs",
                false,
                FailureKind::Crash,
                "exit code 101; it said: thread 'main' panicked / at x.rs",
            ),
            (exit(0), "", false, FailureKind::Crash, "without a result"),
        ] {
            let f = classify(status, stderr, oom);
            assert_eq!(f.kind, kind, "{f}");
            assert!(f.message.contains(says), "{f}");
        }
    }
}
