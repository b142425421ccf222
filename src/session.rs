//! The order of the stages, and nothing else knows it: engines first, then measuring processes, then the record
//! and the comparison. A case that fails is a row; the others go on.

pub mod calibrate;
pub mod check;
mod context;
pub mod discover;
mod history;
pub mod keep;
mod lock;
mod machine;
pub mod pairs;
mod pin;
mod source;
mod stages;

pub use check::added::Added;
pub use context::{Events, Setup};
pub use history::{Base, Compared, sessions_for, verdict};
pub use machine::{host, machine_of};
pub use source::source_of_revision;

use crate::baseline::Store;
use crate::build::Built;
use crate::case::Case;
use crate::device::Device;
use crate::discover::Cell;
use crate::error::{Failure, FailureKind, Result};
use crate::progress::Stage;
use crate::record::{CaseRecord, Record};
use crate::summarize::Summary;
use crate::units::Nanos;
use context::Session;
use stages::{build_all, measure_case, new_record};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What happens, as it happens. The command line shows it; nothing here prints.
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

/// What a session leaves.
pub struct Outcome {
    pub record: Record,
    /// Where the record was written, or why it could not be; `None` if nothing was measured.
    pub written: Option<Result<PathBuf>>,
    pub compared: BTreeMap<String, Compared>,
    /// Ctrl-C: the record holds what was complete by then.
    pub interrupted: bool,
    /// Why there is nothing to compare with, where that is so.
    pub no_base: Option<String>,
}

/// Builds the engines of `cases` and measures nothing. Cases that share an engine find it in the cache.
pub fn build(setup: &Setup, cases: &[Case]) -> Result<BTreeMap<String, Result<Built>>> {
    let session = Session::begin(setup, cases, Some(0))?;
    Ok(build_all(&session, cases))
}

/// Builds, measures, records and compares `cases`.
pub fn run(setup: &Setup, cases: &[Case]) -> Result<Outcome> {
    let processes = cases.iter().map(|c| c.effort.processes).sum();
    let session = Session::open(setup, cases, Some(processes))?;
    let (cases, pins) = session.pinned(cases);
    let engines = build_all(&session, &cases);
    let mut outcome = Outcome {
        record: new_record(&session, session.source.clone()),
        written: None,
        compared: BTreeMap::new(),
        interrupted: false,
        no_base: None,
    };
    for case in &cases {
        let measured = match engines.get(&case.id) {
            Some(Ok(built)) => measure_case(&session, case, built, &session.samples()),
            Some(Err(failure)) => Err(failure.clone()),
            None => Err(crate::worker::interrupted()),
        };
        match measured {
            Ok(mut record) => {
                record.discovery = pins.get(&case.id).cloned();
                outcome.record.cases.insert(case.id.clone(), record);
                finish_case(&session, case, &mut outcome);
            }
            Err(f) if f.kind == FailureKind::Interrupted => {
                outcome.interrupted = true;
                break;
            }
            Err(failure) => {
                session.failed(&case.id, &failure);
                outcome.record.failed.insert(case.id.clone(), failure);
            }
        }
    }
    session.say_unreadable();
    outcome.no_base = session.history.why_none(&outcome);
    if !(outcome.record.cases.is_empty() && outcome.interrupted) {
        let store = Store::new(session.folders.results());
        outcome.written = Some(store.save(&mut outcome.record));
    }
    Ok(outcome)
}

fn finish_case(session: &Session, case: &Case, outcome: &mut Outcome) {
    let compared = session.history.compare(&case.id, &outcome.record, case.margins);
    let Some(record) = outcome.record.cases.get(&case.id) else { return };
    session.tell(Event::Case { id: &case.id, case: record, comparison: compared.as_ref() });
    if let Some(compared) = compared {
        outcome.compared.insert(case.id.clone(), compared);
    }
}
