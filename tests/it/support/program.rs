//! The one way to start the program under test, and what it did. Shared by the tests and the benches.

#![allow(dead_code, reason = "the tests and each bench use different parts")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program: `TRT_PERF_BIN` on a machine without Rust, else what cargo built.
pub fn program() -> PathBuf {
    std::env::var_os("TRT_PERF_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_cargo-trt-perf").into(), PathBuf::from)
}

/// The program with `args`, in `folder`, cut off from this machine's settings.
pub fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(program());
    // As cargo starts it, so that it calls itself as the guide does.
    command.arg("trt-perf").args(args);
    shield(&mut command, folder);
    command
}

/// Gives a command its working folder, and takes away what would change its answer: the repository of a git hook, the
/// event of a CI job, cargo's own variables, colours, and settings of this tool.
pub fn shield(command: &mut Command, folder: &Path) {
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours = ["GIT_", "GITHUB_", "CARGO_", "CLICOLOR", "TRT_PERF_"].iter().any(|p| text.starts_with(p));
        if ours && text != "CARGO_HOME"
            || matches!(
                &*text,
                "NO_COLOR" | "COLUMNS" | "RUST_BACKTRACE" | "RUST_LIB_BACKTRACE" | "FORCE_COLOR"
            )
        {
            command.env_remove(name);
        }
    }
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

    /// Its JSON lines with this reason.
    #[track_caller]
    pub fn messages(&self, reason: &str) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}\n{self}"));
        self.out.lines().map(parse).filter(|m: &Value| m["reason"] == reason).collect()
    }

    /// The last of them, which must be there.
    #[track_caller]
    pub fn message(&self, reason: &str) -> Value {
        self.messages(reason).pop().unwrap_or_else(|| panic!("no {reason} in\n{self}"))
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit {:?}\n--- out\n{}\n--- err\n{}", self.code, self.out, self.err)
    }
}
