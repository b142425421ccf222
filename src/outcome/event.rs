//! The events of a session while it runs, in the order in which they happen.

use super::{Compared, MemoryRow};
use crate::case::Case;
use crate::device::Device;
use crate::discover::Cell;
use crate::engine::Built;
use crate::error::Failure;
use crate::progress::Stage;
use crate::record::CaseRecord;
use crate::summarize::Summary;
use crate::units::Nanos;
use std::path::Path;
use std::time::Duration;

/// One thing that a session has to say. The command line shows it.
pub enum Event<'a> {
    /// A session begins.
    Started {
        /// The cases it is about.
        cases: &'a [Case],
        /// Where it runs.
        device: &'a Device,
        /// The numbers of the devices that measure side by side; empty where there is but one.
        devices: &'a [u32],
        /// The backend's name; of several, each, with commas between them.
        backend: &'a str,
        /// Why those, in words.
        why: &'a str,
        /// Measuring processes in all; `None` where looks decide how many.
        processes: Option<u64>,
    },
    /// Another session has the target folder; this one waits.
    Waiting {
        /// The target folder.
        folder: &'a Path,
    },
    /// A lane takes a case: what is said of it from now on happens on its device.
    Lane {
        /// The case.
        id: &'a str,
        /// The device's number.
        device: u32,
    },
    /// A stage of a worker begins. `process` counts from 1, 0 while building.
    Stage {
        /// The case.
        id: &'a str,
        /// The process, from 1.
        process: u64,
        /// The stage that begins.
        stage: Stage,
        /// How long it takes at least; zero where nobody knows.
        expected: Duration,
    },
    /// What the library is doing in the build stage; `steps` is 0 where nobody knows.
    Progress {
        /// The case.
        id: &'a str,
        /// What is being done.
        doing: &'a str,
        /// Steps done.
        step: u32,
        /// Steps in all.
        steps: u32,
    },
    /// A look at the pairs of a case did not decide it, and more pairs are measured.
    Look {
        /// The case.
        id: &'a str,
        /// Pairs that count so far.
        pairs: usize,
        /// Pairs at the next look.
        until: usize,
        /// Pairs at the last look.
        most: usize,
        /// How long the pairs up to the next look will take, by those so far.
        expected: Duration,
    },
    /// A round of trials of a grid begins.
    Round {
        /// The model and variant that the grid is of.
        grid: &'a str,
        /// The round, from 1.
        round: usize,
        /// How many cells take part.
        cells: usize,
        /// Processes of each cell.
        processes: u64,
        /// How long each process measures.
        measure: Nanos,
    },
    /// A trial of one cell begins; the stages and processes that follow are its.
    Trial {
        /// The case of the cell.
        id: &'a str,
        /// The cell.
        cell: Cell,
        /// The round, from 1.
        round: usize,
    },
    /// An engine is ready.
    Engine {
        /// The case.
        id: &'a str,
        /// The engine.
        built: &'a Built,
    },
    /// A measuring process has ended.
    Process {
        /// The case.
        id: &'a str,
        /// The process, from 1.
        process: u64,
        /// What it measured.
        summary: &'a Summary,
    },
    /// A case is done.
    Case {
        /// The case.
        id: &'a str,
        /// Everything that was measured of it.
        case: &'a CaseRecord,
        /// The comparison with a stored record; `None` without one.
        comparison: Option<&'a Compared>,
    },
    /// Nothing more of a case, or of a grid, is measured, unless a change has to be confirmed. A case of `run` ends with
    /// [`Event::Case`] or [`Event::Failed`].
    Done {
        /// The case or the grid.
        id: &'a str,
    },
    /// What a case takes of memory.
    Memory {
        /// The case.
        row: &'a MemoryRow,
    },
    /// A case could not be built or measured.
    Failed {
        /// The case.
        id: &'a str,
        /// Why.
        failure: &'a Failure,
    },
    /// Something worth knowing.
    Note {
        /// The remark.
        text: &'a str,
    },
}
