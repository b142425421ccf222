//! Searches a grid of operating points: which points are tried, which survive short trials, and which one wins. Pure.
//!
//! A cell is an ordinary throughput case at one point. Short trials come first and long ones last, so that time goes
//! where it decides something (successive halving: Jamieson & Talwalkar 2016, with thresholds instead of halves: a cell
//! goes when it is clearly out, however many others are). Whoever calls this measures the cells. The winner of a grid
//! is no verdict.

mod front;
mod grid;
mod trials;

pub use front::front;
pub use grid::{AskedAxes, Axes, Grid, MAX_CELLS, grids};
pub use trials::{Out, ROUNDS, Ranking, Score, TrialEntry, Trials};

use crate::case::{Case, OperatingPoint};
use crate::units::plural;
use std::fmt;

/// A point of a grid. Threads are no part of the operating point: they belong to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Batch, streams, requests in flight, CUDA graph.
    pub point: OperatingPoint,
    /// Intra-op threads per session.
    pub threads: u64,
}

impl Cell {
    /// The point and the threads of a case.
    pub fn of(case: &Case) -> Self {
        Self { point: case.point, threads: case.threads }
    }

    /// An order that no measurement has a say in.
    fn key(&self) -> (u64, u64, u64, bool, u64) {
        let p = self.point;
        (p.batch, p.streams, p.in_flight, p.cuda_graph, self.threads)
    }

    /// `batch 8, 2 streams, 2 in flight, CUDA graph, 4 threads`; what is usual is left out.
    pub fn words(&self) -> String {
        let p = self.point;
        let mut words = format!("batch {}, {}", p.batch, plural(p.streams as usize, "stream"));
        if p.in_flight > 1 {
            words += &format!(", {} in flight", p.in_flight);
        }
        if p.cuda_graph {
            words += ", CUDA graph";
        }
        if self.threads > 1 {
            words += &format!(", {}", plural(self.threads as usize, "thread"));
        }
        words
    }
}

/// How the point of a case was chosen: kept in its record, and in later ones that are measured at that point.
#[derive(Clone, Debug, PartialEq)]
pub struct Discovery {
    /// The values of the whole grid, which may span several cases (one per batch).
    pub axes: Axes,
    /// The cells of this case.
    pub cells: Vec<Tried>,
    /// Whether no other batch of the grid was faster within the budget.
    pub overall: bool,
}

/// A cell of a stored grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tried {
    /// Which one.
    pub cell: Cell,
    /// `None` where it failed.
    pub score: Option<TriedScore>,
    /// Whether no other cell of the whole grid was both faster and at least as quick to answer.
    pub front: bool,
}

/// What the last trial of the cell came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TriedScore {
    /// Inferences per second over all streams.
    pub inferences_per_s: f64,
    /// Latency at the budget's percentile, or at p99, in nanoseconds.
    pub tail_ns: f64,
}

/// Two grids of a case came to different winners. This is information and no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The winner of the earlier grid.
    pub before: Cell,
    /// The winner of this grid.
    pub now: Cell,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (now, before) = (self.now.words(), self.before.words());
        write!(f, "the grid has another winner: {now} (before: {before}); information, no verdict")
    }
}

/// Whether the winner is another one.
pub fn moved(before: Cell, now: Cell) -> Option<Moved> {
    (before != now).then_some(Moved { before, now })
}
