//! The messages about comparisons, and about a whole check.

use super::Range;
use crate::record::ChangeKind;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// One case, base against head.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ComparedCase {
    /// The case's id.
    pub case: String,
    /// The verdict in a word, such as `regressed`.
    pub verdict: String,
    /// Why, in words; null where the verdict needs no reason.
    pub verdict_reason: Option<String>,
    /// A regression that fails no gate, because how much sessions differ is not known.
    pub advisory: bool,
    /// Its metrics.
    pub metrics: Vec<ComparedMetric>,
    /// What changed in the engine.
    pub engine_changes: Vec<String>,
    /// Outputs are not bit-identical.
    pub outputs_changed: bool,
    /// How far they are apart, in words; null where they are the same, or where only their hashes are at hand.
    pub output_difference: Option<String>,
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
    /// The stored record it was compared with; null where it was measured together with its base.
    pub base: Option<ComparedBase>,
}

/// One metric of a case, base against head.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct ComparedMetric {
    /// The metric's name, such as `p50`.
    pub metric: String,
    /// Geometric mean over processes.
    pub base: Option<f64>,
    /// Geometric mean over processes.
    pub head: Option<f64>,
    /// Relative: +0.05 is 5 % more.
    pub change: Option<Range>,
    /// The p-value of the hypothesis that nothing changed.
    pub p: Option<f64>,
    /// The smallest change that could have been seen.
    pub mde_frac: Option<f64>,
    /// Whether it counts for the verdict.
    pub judged: bool,
    /// Why it was not judged.
    pub why: Option<String>,
    /// Where the idea of the noise comes from beside the processes, in words.
    pub basis: Option<String>,
}

/// The stored record that a case was compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ComparedBase {
    /// What reports call it.
    pub label: String,
    /// Its file.
    pub path: String,
    /// Commits between it and HEAD; null where somebody named it.
    pub steps: Option<usize>,
}

/// A case of a check.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CheckedCase {
    /// The case's id.
    pub case: String,
    /// Its verdict may fail the check.
    pub gates: bool,
    /// How it came about: `pairs`, `same-engine`, `stored`, `no-base`, `new`, `removed` or `not-measured`.
    pub origin: String,
    /// What it misses before it can be said that nothing regressed: `removed`, `redefined`, `not-comparable` or `no-base`.
    pub gap: Option<String>,
    /// That gap fails the check.
    pub gap_fails: bool,
    /// Null without a gap that an added acceptance is about.
    pub gap_acceptance: Option<AcceptanceSaid>,
    /// What head asks otherwise; both arms were asked what the base asks.
    pub redefined: Vec<ChangedSetting>,
    /// How head would be judged otherwise; the base's settings judged.
    pub settings_changed: Vec<ChangedSetting>,
    /// How it was measured, in words.
    pub how: String,
    /// Null unless it was measured as pairs.
    pub pairs: Option<usize>,
    /// Pairs that were thrown away; null unless it was measured as pairs.
    pub discarded: Option<usize>,
    /// Null unless it was measured a second time.
    pub confirmed: Option<bool>,
    /// Null without a regression that an added acceptance is about.
    pub acceptance: Option<AcceptanceSaid>,
    /// Head against base.
    pub comparison: ComparedCase,
}

/// A setting that differs between base and head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChangedSetting {
    /// The setting, as the configuration calls it.
    pub setting: String,
    /// What it is in the base, in words.
    pub base: String,
    /// What it is in head, in words.
    pub head: String,
}

/// The same, with the cases that it concerns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChangedSettingOfCases {
    #[serde(flatten)]
    /// The setting.
    pub changed: ChangedSetting,
    /// Ids of the cases that it concerns.
    pub cases: Vec<String>,
}

/// Whether an added acceptance covers a regression or a gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AcceptanceSaid {
    /// Whether it covers the regression.
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
    /// The case's id.
    pub case: String,
    /// That record, in words.
    pub base: String,
    /// Head against that record.
    pub comparison: ComparedCase,
}

/// A record or a calibration that head adds to the baselines.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AddedBaseline {
    /// Its file.
    pub path: String,
    /// `record` or `calibration`.
    pub kind: String,
    /// Null where it is not committed, or git cannot tell.
    pub added_by: Option<AddedByCommit>,
    /// False: it is not committed.
    pub committed: Option<bool>,
    /// Its id; null if it cannot be read.
    pub record: Option<String>,
    /// The device key.
    pub device: Option<String>,
    /// Ids.
    pub cases: Option<Vec<String>>,
    /// The change that it accepts; null if it accepts none.
    pub acceptance: Option<AddedAcceptance>,
    /// Why it cannot be read.
    pub problem: Option<String>,
}

/// The commit that added a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AddedByCommit {
    /// As git knows them.
    pub author: String,
    /// `2026-11-22`
    pub date: String,
    /// Full id.
    pub commit: String,
}

/// A change that an added record accepts.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct AddedAcceptance {
    /// The case's id.
    pub case: String,
    /// Regression or improvement.
    pub kind: ChangeKind,
    /// Why it was accepted.
    pub reason: String,
    /// Who accepted it.
    pub by: String,
    /// The commit that it was compared with.
    pub base_commit: String,
    /// Of a redefinition: what is asked otherwise, or why it does not compare, in words.
    pub redefined: Vec<String>,
    /// By metric.
    pub changes: BTreeMap<String, Range>,
}

/// The end of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CheckFinished {
    /// What the base is called, such as its commit and how it was found.
    pub base: String,
    /// What the head is called.
    pub head: String,
    /// The device key.
    pub device: String,
    /// Paths.
    pub records: Vec<String>,
    /// The file with all that was found, which `merge` and `rejudge` read; null where none was written.
    pub result: Option<String>,
    /// Cases.
    pub failed: usize,
    /// Cases that became worse.
    pub regressed: usize,
    /// Cases that became worse, and whose change is accepted.
    pub accepted: usize,
    /// Cases whose numbers do not decide.
    pub inconclusive: usize,
    /// Cases whose numbers cannot be trusted.
    pub invalid: usize,
    /// How the commands that prepare the arms differ, in words.
    pub prepare_differs: Option<String>,
    /// Cases that only the base has, without those that are accepted.
    pub removed: usize,
    /// Cases that head asks otherwise, without those that are accepted; they also count by their verdict.
    pub redefined: usize,
    /// Cases without an answer for another reason, without those that are accepted.
    pub not_compared: usize,
    /// Of the three before, those that are accepted.
    pub gaps_accepted: usize,
    /// Cases that only head has.
    pub new: usize,
    /// How head would be judged otherwise.
    pub settings_changed: Vec<ChangedSettingOfCases>,
    /// Whether Ctrl-C ended it early.
    pub interrupted: bool,
    /// The program's exit code.
    pub exit_code: u8,
}
