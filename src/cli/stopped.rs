//! On GitHub, lines of a log that begin with `::` are commands. While text for people is printed, GitHub is told to obey
//! none: names from models, records and git are in it, and so is what a `prepare` command prints.
//!
//! Our own annotations are printed outside. Standard output and standard error are read by two threads over there, in no
//! order: each stream stops commands before its first line and ends that after its last, by the same token.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::Write;
use std::sync::{Mutex, OnceLock, PoisonError};

#[derive(Clone, Copy)]
pub enum LogStream {
    Out,
    Err,
}

/// In which streams commands are stopped now.
static STOPPED: Mutex<[bool; 2]> = Mutex::new([false; 2]);

/// Nobody who writes a model or a commit can guess it. `None` elsewhere than on GitHub.
fn token() -> Option<&'static str> {
    static TOKEN: OnceLock<Option<String>> = OnceLock::new();
    let made = || {
        std::env::var_os("GITHUB_ACTIONS").filter(|value| !value.is_empty())?;
        // The standard library's hashers have 128 random bits from the operating system.
        let random = || RandomState::new().build_hasher().finish();
        Some(format!("{:016x}{:016x}", random(), random()))
    };
    TOKEN.get_or_init(made).as_deref()
}

/// Stops commands in `stream`, before text for people is printed there.
pub fn at(stream: LogStream) {
    let Some(token) = token() else { return };
    let mut stopped = STOPPED.lock().unwrap_or_else(PoisonError::into_inner);
    if !std::mem::replace(&mut stopped[stream as usize], true) {
        say(stream, &format!("::stop-commands::{token}\n"));
    }
}

/// Lets commands be commands again: at the end, and for our own.
pub fn end() {
    let Some(token) = token() else { return };
    let mut stopped = STOPPED.lock().unwrap_or_else(PoisonError::into_inner);
    for stream in [LogStream::Out, LogStream::Err] {
        if std::mem::take(&mut stopped[stream as usize]) {
            say(stream, &format!("::{token}::\n"));
        }
    }
}

/// Prints our own commands.
pub fn commands(text: &str) {
    end();
    say(LogStream::Out, text);
}

fn say(stream: LogStream, text: &str) {
    // A reader that went away wants no more.
    let _ = match stream {
        LogStream::Out => std::io::stdout().write_all(text.as_bytes()),
        LogStream::Err => std::io::stderr().write_all(text.as_bytes()),
    };
}
