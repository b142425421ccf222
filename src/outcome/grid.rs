//! The result of a discovery: each grid after its rounds, and the record of the winners.

use crate::discover::{Grid, Out, Ranking, TrialEntry, Trials};
use crate::error::Result;
use crate::record::{Record, Unreal};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A grid after its rounds.
pub struct Explored {
    /// The grid.
    pub grid: Grid,
    /// Every trial of its cells.
    pub trials: Trials,
    /// The front and the winner.
    pub ranking: Ranking,
    /// By case id: that another point won than the pinned one.
    pub moved: BTreeMap<String, String>,
    /// Why the numbers say nothing about a model.
    pub unreal: Option<Unreal>,
}

/// How many cells were dropped before the last round, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// Cells over the budget.
    pub over_budget: usize,
    /// Cells that another cell beats.
    pub dominated: usize,
}

impl Explored {
    /// Whether no cell could be built and measured.
    pub fn all_failed(&self) -> bool {
        self.trials.entries.iter().all(|e| matches!(e.out, Some(Out::Failed(_))))
    }

    /// Counts the cells that went no further.
    pub fn dropped(&self) -> Dropped {
        let count = |out: &Out| self.trials.entries.iter().filter(|e| e.out.as_ref() == Some(out)).count();
        Dropped { over_budget: count(&Out::OverBudget), dominated: count(&Out::Dominated) }
    }

    /// Whether some cell that got to the end had too few requests to judge the budget's percentile.
    pub fn has_thin_cell(&self) -> bool {
        let thin = |e: &TrialEntry| e.score.as_ref().is_some_and(|s| s.is_thin(self.trials.budget));
        self.trials.entries.iter().any(|e| thin(e) && e.out.is_none())
    }

    /// The cells by index, the least latency first; those without a measurement last.
    pub fn by_latency(&self) -> Vec<usize> {
        let entries = &self.trials.entries;
        let tail = |i: usize| entries[i].score.as_ref().map_or(f64::MAX, |s| s.tail_ns(self.trials.budget));
        let mut order: Vec<usize> = (0..entries.len()).collect();
        order.sort_by(|a, b| tail(*a).total_cmp(&tail(*b)));
        order
    }
}

/// What a discovery leaves.
pub struct Discovered {
    /// Those that are complete.
    pub grids: Vec<Explored>,
    /// The winner of each case.
    pub record: Record,
    /// Where the record was written, or why it could not be; `None` without a winner.
    pub written: Option<Result<PathBuf>>,
    /// Whether Ctrl-C ended it early.
    pub interrupted: bool,
}
