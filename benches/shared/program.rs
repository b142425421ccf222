//! The program as a bench runs it: where it is, and what it says as JSON.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// `TRT_PERF_BIN` on a machine without Rust, else what cargo built.
pub fn program() -> PathBuf {
    std::env::var_os("TRT_PERF_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_cargo-trt-perf").into(), PathBuf::from)
}

/// The last message of a command with this reason.
pub fn message(command: &mut Command, reason: &str) -> serde_json::Value {
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().rfind(|l| l.contains(&format!("\"reason\":\"{reason}\"")));
    let line =
        line.unwrap_or_else(|| panic!("no {reason} in: {text}{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(line).expect("messages are JSON")
}
