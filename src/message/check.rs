//! The messages about comparisons, and about a whole check.

use super::Range;
use crate::record::ChangeKind;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// One case, base against head.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ComparedCase {
    pub case: String,
    pub verdict: String,
    pub verdict_reason: Option<String>,
    pub metrics: Vec<ComparedMetric>,
    /// What changed in the engine.
    pub engine_changes: Vec<String>,
    /// Outputs are not bit-identical.
    pub outputs_changed: bool,
    /// How head breaks the budget that the base kept.
    pub broken_budget: Option<String>,
    /// An arm did extra work for a test: no result of a model.
    pub debug_extra_work: bool,
    /// An arm ran the library of our own tests: no result of a model.
    pub test_library: bool,
    /// An arm is a workload with set durations: no result of a model.
    pub workload: bool,
    /// Two grids had different winners: no verdict.
    pub moved: Option<String>,
    pub base: Option<ComparedBase>,
}

/// One metric of a case, base against head.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ComparedMetric {
    pub metric: String,
    /// Geometric mean over processes.
    pub base: Option<f64>,
    /// Geometric mean over processes.
    pub head: Option<f64>,
    /// Relative: +0.05 is 5 % more.
    pub change: Option<Range>,
    /// Of no change at all.
    pub p: Option<f64>,
    /// The smallest change that could have been seen.
    pub mde_frac: Option<f64>,
    pub judged: bool,
    /// Why it was not judged.
    pub why: Option<String>,
    /// Where the idea of the noise comes from beside the processes, in words.
    pub basis: Option<String>,
}

/// The stored record that a case was compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ComparedBase {
    pub label: String,
    pub path: String,
    /// Commits between it and HEAD.
    pub steps: usize,
}

/// A case of a check.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CheckedCase {
    pub case: String,
    /// Its verdict may fail the check.
    pub gates: bool,
    /// How it was measured, in words.
    pub how: String,
    /// Null unless it was measured as pairs.
    pub pairs: Option<usize>,
    pub discarded: Option<usize>,
    /// Null unless it was measured a second time.
    pub confirmed: Option<bool>,
    /// Null without a regression that an added acceptance is about.
    pub acceptance: Option<AcceptanceSaid>,
    pub comparison: ComparedCase,
}

/// Whether an added acceptance covers a regression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AcceptanceSaid {
    pub honoured: bool,
    /// Null unless it is honoured.
    pub reason: Option<String>,
    /// Null unless it is honoured.
    pub by: Option<String>,
    /// Why it is not honoured.
    pub why: Option<String>,
}

/// A case that is slower than the oldest stored record.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Drift {
    pub case: String,
    /// That record, in words.
    pub base: String,
    pub comparison: ComparedCase,
}

/// A record that head adds to the baselines.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AddedBaseline {
    pub path: String,
    /// Its id; null if it cannot be read.
    pub record: Option<String>,
    /// The device key.
    pub device: Option<String>,
    /// Ids.
    pub cases: Option<Vec<String>>,
    pub acceptance: Option<AddedAcceptance>,
    /// Why it cannot be read.
    pub problem: Option<String>,
}

/// A change that an added record accepts.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AddedAcceptance {
    pub case: String,
    pub kind: ChangeKind,
    pub reason: String,
    pub by: String,
    pub base_commit: String,
    /// By metric.
    pub changes: BTreeMap<String, Range>,
}

/// The end of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CheckFinished {
    /// Paths.
    pub records: Vec<String>,
    /// Cases.
    pub failed: usize,
    pub regressed: usize,
    pub accepted: usize,
    pub inconclusive: usize,
    pub invalid: usize,
    pub interrupted: bool,
    pub exit_code: u8,
}
