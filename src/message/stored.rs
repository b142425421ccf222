//! The messages about stored data: a calibration, the list of baselines, and one case over its records.

use super::FoundSaid;
use crate::calibration::lanes::LaneCalibration;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// A record in the list of baselines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BaselineStored {
    /// The id of the record; its first 8 digits, as far as they are known, where its file cannot be read.
    pub id: String,
    /// Its name; null where it is stored as its commit's.
    pub name: Option<String>,
    /// Its file.
    pub path: String,
    /// The device key.
    pub device: String,
    /// Seconds since 1970-01-01 UTC; null where the file cannot be read.
    pub created_s: Option<i64>,
    /// The full id of the commit; null where there was none.
    pub commit: Option<String>,
    /// Whether there were changes beside the commit; null where there was none.
    pub dirty: Option<bool>,
    /// The ids of its cases; null where the file cannot be read.
    pub cases: Option<Vec<String>>,
    /// The change that it accepts, in words; null for most.
    pub accepts: Option<String>,
    /// Why its file cannot be read; null where it can.
    pub unreadable: Option<String>,
}

/// A stored record that `prune` keeps or deletes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RecordPruned {
    /// Its file.
    pub path: String,
    /// The device key.
    pub device: String,
    /// Whether it stays.
    pub kept: bool,
    /// Why it stays: each reason. Empty where it goes.
    pub why: Vec<PruneReason>,
}

/// A reason to keep a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PruneReason {
    /// `newest`, `oldest`, `pin`, `level`, `recent`, `accepts`, `replaces` or `unreadable`.
    pub kind: String,
    /// The ids of the cases that it is about; empty where it is about the whole record.
    pub cases: Vec<String>,
    /// The same in words.
    pub text: String,
}

/// The end of `prune`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PruneFinished {
    /// Whether nothing was deleted, as it was only asked what would be.
    pub dry_run: bool,
    /// Records that stay.
    pub kept: usize,
    /// Their size.
    pub kept_bytes: u64,
    /// Records that were deleted, or would be.
    pub deleted: usize,
    /// Their size.
    pub deleted_bytes: u64,
}

/// The size of what is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BaselinesSize {
    /// All files below the folder of the baselines, whoever wrote them.
    pub all: FilesSize,
    /// Records of commits, by device key and year (UTC).
    pub devices: BTreeMap<String, BTreeMap<String, FilesSize>>,
    /// Records with a name.
    pub named: FilesSize,
    /// Records of commits that were made within the last 30 days.
    pub last_30_days: FilesSize,
    /// The largest records of commits, largest first.
    pub largest: Vec<LargeFile>,
    /// What the history of HEAD holds of that folder beside its files, such as deleted records: it is fetched with every
    /// whole clone. Bytes as they were in files; git compresses them. Null where there is no repository, no commit, or where
    /// the history cannot be read or is cut off.
    pub only_in_history: Option<FilesSize>,
}

/// So many files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FilesSize {
    /// How many.
    pub files: usize,
    /// Their size together.
    pub bytes: u64,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LargeFile {
    /// Where it is.
    pub path: String,
    /// Its size.
    pub bytes: u64,
}

/// A case in several records.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SeveralCompared {
    /// The case's id.
    pub case: String,
    /// The name of the number that is compared; nanoseconds, or inferences per second.
    pub metric: String,
    /// In the order of the command line.
    pub records: Vec<SeveralValue>,
}

/// A case in one of several records.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct SeveralValue {
    /// The id of the record.
    pub record: String,
    /// Null where the record does not have it.
    pub value: Option<f64>,
    /// By which factor it is worse than the best: 1 or more. Null where there is no value, or where the case asks something
    /// else than in the first record that holds it.
    pub ratio: Option<f64>,
}

/// The end of a calibration.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CalibrationFinished {
    /// Null if it was not stored.
    pub path: Option<String>,
    /// Complete ones.
    pub sessions: usize,
    /// Cases.
    pub failed: usize,
    /// Whether Ctrl-C ended it early.
    pub interrupted: bool,
    /// The program's exit code.
    pub exit_code: u8,
    /// These fields are left out where no case could be calibrated.
    #[serde(flatten)]
    pub calibration: Option<StoredCalibration>,
}

/// How much numbers vary on a device when nothing changed.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StoredCalibration {
    /// The calibration's id.
    pub id: String,
    /// The device key.
    pub device: String,
    /// The date.
    pub created: String,
    /// The clock that requests were timed with.
    pub clock: Clock,
    /// Over all cases.
    pub false_verdicts: FalseVerdicts,
    /// Sentences.
    pub advice: Vec<String>,
    /// By id.
    pub cases: BTreeMap<String, StoredCase>,
    /// What devices of one host do to each other; null where that was not measured.
    pub lanes: Option<LaneCalibration>,
}

/// What the clock resolves, and what reading it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Clock {
    /// Null: too coarse to measure.
    pub resolution_ns: Option<u64>,
    /// The fastest reading of the clock.
    pub read_min_ns: u64,
    /// The median reading of the clock.
    pub read_median_ns: u64,
}

/// How often a change was seen where nothing had changed, with the exact interval of the share at 95 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct FalseVerdicts {
    /// How often.
    pub count: usize,
    /// Out of how many.
    pub of: usize,
    /// Lower end of the interval.
    pub lo: f64,
    /// Upper end of the interval.
    pub hi: f64,
}

/// One case of a calibration.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StoredCase {
    /// Complete sessions.
    pub sessions: usize,
    /// Pairs that were kept.
    pub pairs: usize,
    /// Pairs that were thrown away.
    pub discarded: usize,
    /// What a pair takes, start-up included.
    pub per_pair_ns: u64,
    /// Standard deviation of the requests of one process, as a share of their mean.
    pub within_sd_frac: f64,
    /// Correlation of each request with the one before it.
    pub lag1: f64,
    /// Verdicts on the case.
    pub false_verdicts: FalseVerdicts,
    /// By name.
    pub metrics: BTreeMap<String, StoredMetric>,
    /// Sentences.
    pub advice: Vec<String>,
}

/// One metric of a case of a calibration.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StoredMetric {
    /// Geometric mean over all processes: nanoseconds, or inferences per second.
    pub typical: f64,
    /// Between processes of one session.
    pub process: StoredSpread,
    /// Between pairs of one session.
    pub pair: StoredSpread,
    /// Between sessions.
    pub session: StoredSpread,
    /// By minutes, "1", "5" and "15"; null: not reachable.
    pub detectable_frac_in_minutes: BTreeMap<String, Option<f64>>,
    /// Decisions on this metric.
    pub false_verdicts: FalseVerdicts,
}

/// A standard deviation of logarithms and its degrees of freedom.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct StoredSpread {
    /// The standard deviation.
    pub sd: f64,
    /// Null: it is known exactly.
    pub df: Option<f64>,
}

/// One case over its records.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct CaseHistory {
    /// The case's id.
    pub case: String,
    /// The device key.
    pub device: String,
    /// The metric's name.
    pub metric: String,
    /// The definition hash that all points share.
    pub definition: String,
    /// Records that are not among the points.
    pub left_out: HistoryLeftOut,
    /// Oldest first.
    pub points: Vec<HistoryPoint>,
    /// Null if they were not searched for.
    pub changes: Option<Vec<HistoryChange>>,
    /// Changes whose commits `bisect` found.
    pub found: Vec<FoundSaid>,
    /// Why changes were not searched for.
    pub no_changes_because: Option<String>,
    /// The seed of the search for changes.
    pub seed: u64,
    /// How many permutations the search used.
    pub permutations: usize,
}

/// How many records are no points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HistoryLeftOut {
    /// Records of another definition.
    pub other_definition: usize,
    /// How many other definitions they have.
    pub definitions: usize,
    /// Records with too few requests.
    pub without_value: usize,
    /// Records beyond what is searched.
    pub too_old: usize,
}

/// One record of the case.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct HistoryPoint {
    /// Its id.
    pub record: String,
    /// Its commit; null if it has none.
    pub commit: Option<String>,
    /// Its branch; null if it has none.
    pub branch: Option<String>,
    /// There were changes beside the commit.
    pub dirty: bool,
    /// Seconds since 1970-01-01 UTC.
    pub created_s: i64,
    /// HEAD descends from the commit.
    pub in_history: bool,
    /// How many processes it has.
    pub processes: usize,
    /// The metric: nanoseconds, or inferences per second.
    pub est: f64,
    /// Null for one process.
    pub lo: Option<f64>,
    /// Null for one process.
    pub hi: Option<f64>,
    /// From the point before; null for the first.
    pub change: Option<f64>,
    /// Since the point before.
    pub engine_changes: Vec<String>,
    /// It did extra work for a test: no result of a model.
    pub debug_extra_work: bool,
}

/// A place where the case changed; no verdict.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct HistoryChange {
    /// Index into `points`: the first after the change.
    pub point: usize,
    /// Relative: +0.05 is 5 % more.
    pub change: f64,
    /// Whether the change is for the worse.
    pub worse: bool,
    /// How likely so large a change is by chance.
    pub p: f64,
    /// The commit of the first point after the change.
    pub first_commit: Option<String>,
    /// The record of the first point after the change.
    pub first_record: Option<String>,
    /// The commit of the last point before the change.
    pub last_commit: Option<String>,
    /// The record of the last point before the change.
    pub last_record: Option<String>,
}
