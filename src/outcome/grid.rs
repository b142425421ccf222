//! What a discovery came to: each grid after its rounds, and the record of the winners.

use crate::discover::{Grid, Ranking, Trials};
use crate::error::Result;
use crate::record::{Record, Unreal};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A grid after its rounds.
pub struct Explored {
    pub grid: Grid,
    pub trials: Trials,
    pub ranking: Ranking,
    /// By case id: that another point won than the pinned one.
    pub moved: BTreeMap<String, String>,
    /// Why the numbers say nothing about a model.
    pub unreal: Option<Unreal>,
}

/// What a discovery leaves.
pub struct Discovered {
    /// Those that are complete.
    pub grids: Vec<Explored>,
    /// The winner of each case.
    pub record: Record,
    /// Where the record was written, or why it could not be; `None` without a winner.
    pub written: Option<Result<PathBuf>>,
    pub interrupted: bool,
}
