//! The events of a session while it runs, in the order in which they happen.

use super::Compared;
use crate::build::Built;
use crate::case::Case;
use crate::device::Device;
use crate::discover::Cell;
use crate::error::Failure;
use crate::progress::Stage;
use crate::record::CaseRecord;
use crate::summarize::Summary;
use crate::units::Nanos;
use std::path::Path;
use std::time::Duration;

/// One thing that a session has to say. The command line shows it.
pub enum Event<'a> {
    Started {
        cases: &'a [Case],
        device: &'a Device,
        backend: &'a str,
        why: &'a str,
        /// Measuring processes in all; `None` where looks decide how many.
        processes: Option<u64>,
    },
    /// Another session has the target folder; this one waits.
    Waiting {
        folder: &'a Path,
    },
    /// A stage of a worker begins. `process` counts from 1, 0 while building.
    Stage {
        id: &'a str,
        process: u64,
        stage: Stage,
        expected: Duration,
    },
    /// What the library is doing in the build stage; `steps` is 0 where nobody knows.
    Progress {
        id: &'a str,
        doing: &'a str,
        step: u32,
        steps: u32,
    },
    /// A round of trials of a grid begins.
    Round {
        grid: &'a str,
        round: usize,
        cells: usize,
        /// Of each cell.
        processes: u64,
        /// Of each process.
        measure: Nanos,
    },
    /// A trial of one cell begins; the stages and processes that follow are its.
    Trial {
        id: &'a str,
        cell: Cell,
        round: usize,
    },
    Engine {
        id: &'a str,
        built: &'a Built,
    },
    Process {
        id: &'a str,
        process: u64,
        summary: &'a Summary,
    },
    Case {
        id: &'a str,
        case: &'a CaseRecord,
        comparison: Option<&'a Compared>,
    },
    Failed {
        id: &'a str,
        failure: &'a Failure,
    },
    Note {
        text: &'a str,
    },
}
