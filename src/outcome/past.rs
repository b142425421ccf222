//! The results of measuring commits of the past: all of a range, or as few as it takes to find a change.

use crate::bisect::{FoundChange, Narrowed, Side, Step};
use crate::compare::CaseComparison;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A commit, as far as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastCommit {
    /// Full id.
    pub id: String,
    /// When its author wrote it, seconds since 1970.
    pub authored_s: i64,
    /// The first line of its message.
    pub subject: String,
}

/// What became of a commit of a range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitDone {
    /// It has a new record.
    Measured {
        /// The record's file.
        record: PathBuf,
        /// Measured cases.
        cases: usize,
        /// Why other cases were not, by id.
        failed: BTreeMap<String, String>,
    },
    /// A record of this device answered the same questions before.
    Recorded,
    /// None of its cases could be measured; with the reason.
    Skipped(String),
}

/// What measuring a range of commits leaves.
#[derive(Clone, Debug)]
pub struct Backfilled {
    /// Newest first; those that an interrupt left out are not among them.
    pub commits: Vec<(PastCommit, CommitDone)>,
    /// How many commits were asked for.
    pub asked: usize,
    /// Baselines that were stored.
    pub baselines: Vec<PathBuf>,
    /// Whether Ctrl-C ended it early.
    pub interrupted: bool,
}

impl Backfilled {
    /// How many commits have a new record, had one before, and have none.
    pub fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for (_, done) in &self.commits {
            counts[match done {
                CommitDone::Measured { .. } => 0,
                CommitDone::Recorded => 1,
                CommitDone::Skipped(_) => 2,
            }] += 1;
        }
        counts
    }
}

/// What a bisection comes to.
#[derive(Clone, Debug)]
pub enum BisectAnswer {
    /// The ends were not told apart; the comparison of the ends says why.
    NoChange,
    /// One commit made the change.
    Found {
        /// It against the commit before, by pairs of their own.
        comparison: Box<CaseComparison>,
        /// Pairs of that comparison.
        pairs: usize,
        /// Whether those pairs show the change, too.
        confirmed: bool,
        /// The change is less than that between the ends: another commit made the rest.
        partial: bool,
    },
    /// It lies between two commits: those between could not be measured, or the noise hides to which end they belong; or the
    /// one that is left could not be measured again.
    Range,
    /// Ctrl-C ended it early.
    Interrupted,
}

/// What a bisection leaves.
#[derive(Clone, Debug)]
pub struct Bisected {
    /// The case's id.
    pub case: String,
    /// The commits between the ends and both of them, from the good end.
    pub commits: Vec<PastCommit>,
    /// The bad end against the good one.
    pub ends: CaseComparison,
    /// Pairs of that comparison.
    pub end_pairs: usize,
    /// How far the search came.
    pub narrowed: Narrowed,
    /// Why commits could not be measured.
    pub unmeasurable: BTreeMap<usize, String>,
    /// What it came to.
    pub answer: BisectAnswer,
    /// Measuring processes in all.
    pub processes: usize,
    /// The change, where its commit was found and confirmed.
    pub found: Option<FoundChange>,
    /// Files of the records of the ends, and of the change.
    pub written: Vec<PathBuf>,
}

impl Bisected {
    /// Processes that a check of each commit against the one before would have measured, with as many pairs as the ends took.
    pub fn all_would_take(&self) -> usize {
        2 * self.end_pairs * (self.commits.len() - 1)
    }

    /// The commits that may have made the change, where it is not one.
    pub fn suspects(&self) -> &[PastCommit] {
        &self.commits[self.narrowed.good + 1..=self.narrowed.bad]
    }

    /// What a commit was found to be, in words; `unmeasurable`: why commits could not be measured.
    pub fn words(step: &Step, unmeasurable: &BTreeMap<usize, String>) -> String {
        match &step.side {
            Side::Good { measured: true } => "as the good end".into(),
            Side::Bad { measured: true } => "as the bad end".into(),
            Side::Good { measured: false } => "the engine of the good end".into(),
            Side::Bad { measured: false } => "the engine of the bad end".into(),
            Side::Between { share } => {
                format!("like neither end: it has {:.0} % of the change", share * 100.0)
            }
            Side::Open => "not told apart: the noise is too large".into(),
            Side::Unmeasurable => {
                format!("stepped over: {}", unmeasurable.get(&step.at).map_or("", String::as_str))
            }
        }
    }
}
