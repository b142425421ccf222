//! What went wrong, as plain data: a kind, a message that names the thing, and the next step.
//!
//! One type serves the whole product, because a failure travels: from the worker through the pipe to the parent, into
//! the report as a row, and to the one place that chooses the exit code (`cli::exit`).

use crate::printable;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// The result type of everything that can fail with a [`Failure`].
pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// What kind of failure it is; decides the exit code and the word in the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The command line or the configuration asks for something that makes no sense.
    Usage,
    /// Nothing to do: no case selected, or nothing to compare with.
    Nothing,
    /// The model cannot be turned into an engine.
    Build,
    /// The engine cannot be loaded, run, or gives wrong outputs.
    Measure,
    /// The worker process died from a signal.
    Crash,
    /// The worker process did not finish within its time limit.
    TimedOut,
    /// The worker process ran out of memory.
    OutOfMemory,
    /// A file could not be read or written.
    Io,
    /// A file is not what it should be (record, engine, sample file).
    Format,
    /// The user asked to stop.
    Interrupted,
}

impl FailureKind {
    /// The word that a report shows for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Usage => "usage",
            Self::Nothing => "nothing to do",
            Self::Build => "build failed",
            Self::Measure => "measuring failed",
            Self::Crash => "crashed",
            Self::TimedOut => "timed out",
            Self::OutOfMemory => "out of memory",
            Self::Io => "I/O error",
            Self::Format => "bad file",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A failure: what, where, and what to do next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Failure {
    /// Decides the exit code and the word in the report.
    pub kind: FailureKind,
    /// Names the file, case or key, and says what is wrong with it.
    pub message: String,
    /// What belongs to the message, one thing each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<String>,
    /// The next step for the reader; empty where the message says it all.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub next: String,
}

impl Failure {
    /// A failure without a next step; [`Failure::next`] adds one.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), parts: Vec::new(), next: String::new() }
    }

    /// The command line or the configuration asks for something that makes no sense.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Usage, message)
    }

    /// The GPU has less memory than was asked of it.
    pub fn gpu_out_of_memory(message: impl Into<String>) -> Self {
        Self::new(FailureKind::OutOfMemory, message).next(
            "use a smaller batch, fewer streams or a smaller --build workspace, or end what else uses the GPU (nvidia-smi lists it)",
        )
    }

    /// An operating-system error on a path: `doing` is a verb phrase such as "read".
    pub fn io(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        let failure = Self::new(FailureKind::Io, format!("cannot {doing} {}: {error}", path.display()));
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                failure.next("free some space, or write to another disk (CARGO_TARGET_DIR says where the target folder is)")
            }
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => failure.next(
                "check the permissions of that folder, or write to another (CARGO_TARGET_DIR says where the target folder is)",
            ),
            _ => failure,
        }
    }

    /// The same failure with the next step the reader should take.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }

    /// The same failure with `parts`, each of which gets a line of its own.
    #[must_use]
    pub fn parts(mut self, parts: Vec<String>) -> Self {
        self.parts = parts;
        self
    }

    /// The same failure with `prefix: ` before its message.
    #[must_use]
    pub fn context(mut self, prefix: impl fmt::Display) -> Self {
        self.message = format!("{prefix}: {}", self.message);
        self
    }
}

/// What people read: whatever it names is made printable, so that only our own lines are lines.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable::message(&self.message))?;
        for part in &self.parts {
            write!(f, "\n  {}", printable::message(part))?;
        }
        if !self.next.is_empty() {
            write!(f, "\n  next: {}", printable::message(&self.next))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// The nearest of `known` to `word`, close enough to be meant.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    // Two letters that changed places make another word of a short one, by their likeness alone.
    let swapped = |k: &str| strsim::osa_distance(&word, k) == 1 && strsim::levenshtein(&word, k) == 2;
    let score = |k: &str| if swapped(k) { 0.95 } else { strsim::jaro_winkler(&word, k) };
    known
        .into_iter()
        .map(|k| (score(&k.to_lowercase()), k))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

/// The last lines of what a program said, on one line; `nothing` where there are none.
pub fn last_words<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let lines: Vec<&str> = lines.map(str::trim).filter(|line| !line.is_empty()).collect();
    match &lines[lines.len().saturating_sub(3)..] {
        [] => "nothing".into(),
        last => last.join(" / "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_prints_its_next_step_on_a_line_of_its_own() {
        let f = Failure::usage("no such case").next("list them with --list");
        assert_eq!(f.to_string(), "no such case\n  next: list them with --list");
        assert_eq!(Failure::usage("x").context("key `a`").to_string(), "key `a`: x");
        let parts = Failure::usage("two:").parts(vec!["a".into(), "b".into()]).next("c");
        assert_eq!(parts.to_string(), "two:\n  a\n  b\n  next: c");
    }

    #[test]
    fn what_a_failure_names_cannot_make_lines_of_its_own() {
        let f = Failure::usage("node `a\n::error::b\x1b]0;c\x07\u{202e}`").next("d\ne");
        assert_eq!(
            f.to_string(),
            r"node `a\n::error::b\u{1b}]0;c\u{7}\u{202e}`".to_owned() + "\n  next: d\\ne"
        );
    }

    #[test]
    fn suggestions_are_near_or_absent() {
        let known = ["max-latency", "processes", "percentile"];
        assert_eq!(did_you_mean("max-latncy", known), Some("max-latency"));
        assert_eq!(did_you_mean("Proceses", known), Some("processes"));
        assert_eq!(did_you_mean("zzz", known), None);
        assert_eq!(did_you_mean("rnu", ["run", "report"]), Some("run"));
        assert_eq!(did_you_mean("tpu", ["cpu"]), None);
    }
}
