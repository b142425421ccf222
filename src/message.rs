//! The lines of `--message-format json`: every message there is, as one type.
//!
//! A line is one JSON object with a `reason`, which says what kind of message it is, and `"schema":
//! "trt-perf/message@1"`. Fields are added within a version; none is renamed or removed. Times are nanoseconds, shares
//! fractions of one. Texts are exact data, also names that a terminal must not be shown as they are. `null` stands where a number is not known, or where too few requests support it.
//!
//! Invariant: `tests/message.schema.json` is the JSON Schema of these types.

mod case;
mod check;
mod grid;
mod layers;
mod memory;
mod number;
mod past;
mod profile;
mod session;
mod stored;

pub use case::{BudgetNumbers, CapacityNumbers, CapacityPointNumbers, CaseFinished, GpuNumbers};
pub use check::{
    AcceptanceSaid, AddedAcceptance, AddedBaseline, AddedByCommit, ChangedSetting, ChangedSettingOfCases,
    CheckFinished, CheckedCase, ComparedBase, ComparedCase, ComparedMetric, Drift,
};
pub use grid::{
    CellOut, DiscoverFinished, GridBudget, GridCell, GridPoint, GridWinner, RoundBegun, TrialBegun,
};
pub use layers::{
    LayerChanges, LayerGroupSaid, LayerNumbers, LayerRooflineSaid, LayerSaid, NsChangeSaid, RooflineSaid,
};
pub use memory::{MemoryFinished, MemoryOfCase, MemoryOfPhase, MemoryOfProcess};
pub use number::{Number, Range, finite};
pub use past::{BackfillFinished, BisectFinished, BisectStep, CommitBackfilled, CommitSaid, FoundSaid};
pub use profile::{CaseProfiled, ProfiledCopies, ProfiledKernel, ProfiledKernels};
pub use session::{
    BudgetListed, BuildFinished, CaseBuildOptions, CaseFailed, CaseListed, EngineReady, FailureSaid,
    LaneTaken, LookTaken, Note, ProcessEnded, SessionFinished, SessionStarted, StageBegun, StageProgress,
};
pub use stored::{
    BaselineStored, BaselinesSize, CalibrationFinished, CaseHistory, Clock, FalseVerdicts, FilesSize,
    HistoryChange, HistoryLeftOut, HistoryPoint, LargeFile, PruneFinished, PruneReason, RecordPruned,
    SeveralCompared, SeveralValue, StoredCalibration, StoredCase, StoredMetric, StoredSpread,
};

use crate::printable;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

/// What the `schema` of every line says.
const SCHEMA: &str = "trt-perf/message@1";

/// A message. Its `reason` is the name of the variant.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Message {
    /// A session begins: once, first.
    SessionStarted(SessionStarted),
    /// A stage of a worker begins.
    Stage(StageBegun),
    /// The library builds an engine, at most every tenth of a second; an open loop tries a rate.
    Progress(StageProgress),
    /// From `check`: a look at the pairs of a case did not decide it, and more pairs are measured.
    Look(LookTaken),
    /// With `--devices`: a device takes a case.
    Lane(LaneTaken),
    /// An engine is ready.
    Engine(EngineReady),
    /// A measuring process ended.
    Process(ProcessEnded),
    /// All processes of a case ended.
    CaseFinished(Box<CaseFinished>),
    /// A case could not be built or measured.
    CaseFailed(CaseFailed),
    /// From `compare`: a case of both records.
    Comparison(ComparedCase),
    /// From `compare` of more than two records: a case.
    Several(SeveralCompared),
    /// From `check`: a case.
    Checked(Box<CheckedCase>),
    /// From `check`: a case is slower than the oldest stored record.
    Drift(Drift),
    /// From `check`: a record or a calibration that head adds to the baselines.
    AddedBaseline(AddedBaseline),
    /// From `check`: once, last.
    CheckFinished(CheckFinished),
    /// From `layers`: the layers of a case, or of exports.
    Layers(Box<LayerNumbers>),
    /// From `layers --compare`, and from `check` where layers explain a change.
    LayerChanges(Box<LayerChanges>),
    /// From `baseline list`: a stored record.
    BaselineStored(BaselineStored),
    /// From `baseline prune`: a stored record that stays or goes.
    Pruned(RecordPruned),
    /// From `baseline prune`: once, last.
    PruneFinished(PruneFinished),
    /// From `baseline size`: once.
    BaselinesSize(Box<BaselinesSize>),
    /// From `calibrate`: once, last; where `--devices` names GPUs of several kinds, once for each.
    Calibration(CalibrationFinished),
    /// From `backfill`: once, last.
    Backfilled(BackfillFinished),
    /// From `bisect`: once, last.
    Bisected(Box<BisectFinished>),
    /// From `history`: once.
    History(CaseHistory),
    /// From `discover`: a round of trials of a grid begins.
    Round(RoundBegun),
    /// From `discover`: a cell is about to be measured; the stages and processes that follow are its.
    Trial(TrialBegun),
    /// From `discover`: a cell of a grid that is done.
    Cell(GridCell),
    /// From `discover`: once per grid, after its cells.
    Winner(Box<GridWinner>),
    /// From `discover`: once, last.
    DiscoverFinished(DiscoverFinished),
    /// From `memory`: what a case takes.
    Memory(Box<MemoryOfCase>),
    /// From `memory`: once, last.
    MemoryFinished(MemoryFinished),
    /// From `run --list` and `discover --list`: a case that would be measured.
    CaseListed(Box<CaseListed>),
    /// From `build --print-options`: what a case would be built with.
    BuildOptions(Box<CaseBuildOptions>),
    /// From `build`: once, last.
    BuildFinished(BuildFinished),
    /// From `profile`: once, last.
    Profiled(Box<CaseProfiled>),
    /// Something worth knowing.
    Note(Note),
    /// From `run`, `import` and `layers` (of cases): once, last; where `--devices` names GPUs of several kinds, once for each.
    SessionFinished(SessionFinished),
}

/// A whole line.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "trt-perf/message@1")]
struct MessageLine<'a> {
    /// Always `trt-perf/message@1`.
    schema: &'static str,
    #[serde(flatten)]
    message: &'a Message,
}

impl Message {
    /// A remark for people.
    pub fn note(text: impl Into<String>) -> Self {
        Self::Note(Note { text: text.into() })
    }

    /// The line, without its end. Keys are sorted. Texts are as they came, whoever wrote them: what could steer a terminal
    /// or GitHub's log stands as `\u` escapes, which mean the same data.
    pub fn line(&self) -> String {
        // No map has a key that is not text, and no field can fail to be written.
        let json = serde_json::to_value(MessageLine { schema: SCHEMA, message: self }).unwrap_or_default();
        printable::json(&json.to_string())
    }
}

/// The JSON Schema of a line.
pub fn schema() -> serde_json::Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<MessageLine>().to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_it_is_and_stays_one_line() {
        let line = Message::note("two\nlines").line();
        assert_eq!(line, r#"{"reason":"note","schema":"trt-perf/message@1","text":"two\nlines"}"#);
    }

    #[test]
    fn what_is_flattened_stands_beside_the_other_fields() {
        let point = GridPoint { batch: 8, streams: 2, in_flight: 1, cuda_graph: false, threads: 4 };
        let trial = Message::Trial(TrialBegun { case: "p/m/b8/throughput".into(), round: 1, point });
        let value: serde_json::Value = serde_json::from_str(&trial.line()).expect("JSON");
        assert_eq!(
            (&value["reason"], &value["batch"], &value["threads"]),
            (&"trial".into(), &8.into(), &4.into())
        );
    }
}
