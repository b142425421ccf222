//! The messages about commits of the past.

use super::{ComparedCase, Range};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CommitSaid {
    /// Full id.
    pub id: String,
    /// When its author wrote it, seconds since 1970-01-01 UTC.
    pub authored_s: i64,
    /// The first line of its message.
    pub subject: String,
}

/// What became of a commit of a range.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CommitBackfilled {
    /// The commit.
    pub commit: CommitSaid,
    /// `measured`, `recorded` (before) or `skipped`.
    pub done: String,
    /// The path of its new record; null without one.
    pub record: Option<String>,
    /// Why none of its cases could be measured; null where one was.
    pub why: Option<String>,
    /// Why further cases could not be measured, by id.
    pub failed: BTreeMap<String, String>,
}

/// The end of `backfill`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BackfillFinished {
    /// Newest first.
    pub commits: Vec<CommitBackfilled>,
    /// Commits with a new record.
    pub measured: usize,
    /// Commits that had one.
    pub recorded: usize,
    /// Commits that could not be measured.
    pub skipped: usize,
    /// Baselines that were stored.
    pub baselines: Vec<String>,
    /// Whether Ctrl-C ended it early.
    pub interrupted: bool,
    /// The program's exit code.
    pub exit_code: u8,
}

/// A change whose commit was found.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FoundSaid {
    /// The commit that made it.
    pub commit: CommitSaid,
    /// The id of the commit before.
    pub before: String,
    /// The metric's name.
    pub metric: String,
    /// Relative: +0.05 is 5 % more.
    pub change: Range,
    /// Whether the change is for the worse.
    pub worse: bool,
}

/// A commit that a bisection looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BisectStep {
    /// The commit.
    pub commit: CommitSaid,
    /// Whether the change is in it; null where that could not be told.
    pub bad: Option<bool>,
    /// What it was found to be, in words.
    pub found: String,
    /// Pairs that it took.
    pub pairs: usize,
}

/// The end of `bisect`.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct BisectFinished {
    /// The case's id.
    pub case: String,
    /// `found`, `unconfirmed`, `range`, `no-change` or `interrupted`.
    pub answer: String,
    /// The last commit that is known to be without the change.
    pub good: CommitSaid,
    /// The first commit that is known to have it.
    pub bad: CommitSaid,
    /// The bad end against the good one.
    pub ends: ComparedCase,
    /// Pairs of that comparison.
    pub end_pairs: usize,
    /// What was looked at, in order.
    pub steps: Vec<BisectStep>,
    /// The commit against the one before it; null where the commit is not found.
    pub comparison: Option<ComparedCase>,
    /// Whether another commit made a part of the change.
    pub several: bool,
    /// Measuring processes in all.
    pub processes: usize,
    /// Those of a check of each commit with as many pairs as the ends took.
    pub all_would_take: usize,
    /// Paths.
    pub records: Vec<String>,
    /// The program's exit code.
    pub exit_code: u8,
}
