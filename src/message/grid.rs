//! The messages of a discovery: what it tries, and the result.

use super::FailureSaid;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// A round of trials of a grid begins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RoundBegun {
    /// The model and variant that the grid is of.
    pub grid: String,
    /// From 1.
    pub round: usize,
    /// How many cells take part.
    pub cells: usize,
    /// Processes of each cell.
    pub processes: u64,
    /// How long each process measures.
    pub measure_ns: u64,
}

/// Where in the grid a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GridPoint {
    /// Inferences per request.
    pub batch: u64,
    /// Streams of requests.
    pub streams: u64,
    /// Requests in flight per stream.
    pub in_flight: u64,
    /// Whether requests run as a CUDA graph.
    pub cuda_graph: bool,
    /// Threads of the CPU backend.
    pub threads: u64,
}

/// A cell is about to be measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TrialBegun {
    /// The case's id.
    pub case: String,
    /// The round, from 1.
    pub round: usize,
    /// Which cell it is.
    #[serde(flatten)]
    pub point: GridPoint,
}

/// A cell that is done.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct GridCell {
    /// The model and variant that the grid is of.
    pub grid: String,
    /// The case's id.
    pub case: String,
    /// Which cell it is.
    #[serde(flatten)]
    pub point: GridPoint,
    /// The last it was measured in, of 3; 0: none.
    pub round: usize,
    /// Null where it failed.
    pub inferences_per_s: Option<f64>,
    /// Null where it failed.
    pub tail_ns: Option<f64>,
    /// The quantile of `tail_ns`, such as 0.99.
    pub tail_quantile: f64,
    /// There were requests enough for that quantile.
    pub judged: bool,
    /// Relative to the budget: +0.05 is 5 % over it; null without one.
    pub over_frac: Option<f64>,
    /// Why it went no further.
    pub out: Option<CellOut>,
    /// Why it failed; null where it did not.
    pub failure: Option<FailureSaid>,
    /// It is on the Pareto front.
    pub front: bool,
    /// It is the winner of its case.
    pub best: bool,
}

/// Why a cell went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CellOut {
    /// Its latency is over the budget.
    OverBudget,
    /// By another cell of the same batch.
    Dominated,
    /// It could not be built or measured.
    Failed,
}

/// What a grid came to.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct GridWinner {
    /// The model and variant that the grid is of.
    pub grid: String,
    /// Rounds in all.
    pub rounds: usize,
    /// The budget; null without one.
    pub budget: Option<GridBudget>,
    /// Null without a budget, or where no cell is within it.
    pub winner: Option<GridCell>,
    /// Where no cell is within the budget: the one that came nearest.
    pub nearest: Option<GridCell>,
    /// By case: that another point won than the pinned one; no verdict.
    pub moved: BTreeMap<String, String>,
    /// Why the numbers are no result.
    pub unreal: Option<String>,
}

/// The budget of a grid.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct GridBudget {
    /// The time that the percentile may take.
    pub max_ns: u64,
    /// The percentile as a fraction, such as 0.99.
    pub quantile: f64,
}

/// The end of a discovery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DiscoverFinished {
    /// The path of the record; null without a winner.
    pub record: Option<String>,
    /// The id of the record.
    pub id: String,
    /// The manifest that was written.
    pub written: Option<String>,
    /// Whether Ctrl-C ended it early.
    pub interrupted: bool,
    /// The program's exit code.
    pub exit_code: u8,
}
