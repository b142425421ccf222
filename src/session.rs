//! The order of the stages, and nothing else knows it: engines first, then measuring processes, then the record
//! and the comparison. A case that fails is a row; the others go on.

pub mod accept;
mod added;
pub mod calibrate;
pub mod check;
pub mod discover;
mod history;
mod lock;
mod machine;
pub mod pairs;
mod pin;
mod stages;

pub use added::Added;
pub use history::{Base, Compared, sessions_for, verdict};
pub use machine::{host, machine_of};
pub use stages::source;

use crate::baseline::Store;
use crate::build::Built;
use crate::case::Case;
use crate::config::Project;
use crate::device::Device;
use crate::discover::Cell;
use crate::error::{Failure, FailureKind, Result};
use crate::progress::Stage;
use crate::record::{CaseRecord, Record};
use crate::summarize::Summary;
use crate::units::Nanos;
use history::History;
use lock::lock;
use stages::{build_all, measure_case, new_record, source_or_none};
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
pub fn build(
    project: &Project,
    cases: &[Case],
    device: &Device,
    on_event: &mut dyn FnMut(Event),
) -> Result<BTreeMap<String, Result<Built>>> {
    let _lock = lock(&project.target, device, on_event)?;
    let (backend, why) = backend_of(cases);
    on_event(Event::Started { cases, device, backend, why, processes: Some(0) });
    Ok(build_all(&project.target.join("engines"), cases, on_event))
}

/// Builds, measures, records and compares `cases`.
pub fn run(
    project: &Project,
    cases: &[Case],
    device: &Device,
    now_s: i64,
    on_event: &mut dyn FnMut(Event),
) -> Result<Outcome> {
    let _lock = lock(&project.target, device, on_event)?;
    let source = source_or_none(project, on_event);
    let processes = Some(cases.iter().map(|c| c.effort.processes).sum());
    let (backend, why) = backend_of(cases);
    on_event(Event::Started { cases, device, backend, why, processes });
    machine::say_confidential(device, on_event);
    let history = History::open(project, &project.baselines(), source.as_ref(), device, on_event);
    let (cases, pins) = pin::pinned(cases, &history, on_event);
    let engines = build_all(&project.target.join("engines"), &cases, on_event);
    let mut outcome = Outcome {
        record: new_record(source, device, now_s),
        written: None,
        compared: BTreeMap::new(),
        interrupted: false,
        no_base: None,
    };
    let samples = project.target.join("samples").join(format!("{now_s}-{}", std::process::id()));
    for case in &cases {
        let measured = match engines.get(&case.id) {
            Some(Ok(built)) => measure_case(case, built, &samples, on_event),
            Some(Err(failure)) => Err(failure.clone()),
            None => Err(crate::worker::interrupted()),
        };
        match measured {
            Ok(mut record) => {
                record.discovery = pins.get(&case.id).cloned();
                outcome.record.cases.insert(case.id.clone(), record);
                finish_case(case, &history, &mut outcome, on_event);
            }
            Err(f) if f.kind == FailureKind::Interrupted => {
                outcome.interrupted = true;
                break;
            }
            Err(failure) => {
                on_event(Event::Failed { id: &case.id, failure: &failure });
                outcome.record.failed.insert(case.id.clone(), failure);
            }
        }
    }
    history.say_unreadable(on_event);
    outcome.no_base = history.why_none(&outcome);
    if !(outcome.record.cases.is_empty() && outcome.interrupted) {
        let store = Store::new(project.target.join("results"));
        outcome.written = Some(store.save(&mut outcome.record));
    }
    Ok(outcome)
}

/// The backend that a session's cases share, and why that one.
fn backend_of(cases: &[Case]) -> (&'static str, &'static str) {
    cases.first().map_or(("no backend", "no case"), |c| (c.target.kind.word(), c.target_why))
}

fn finish_case(case: &Case, history: &History, outcome: &mut Outcome, on_event: &mut dyn FnMut(Event)) {
    let compared = history.compare(&case.id, &outcome.record, case.margins);
    let Some(record) = outcome.record.cases.get(&case.id) else { return };
    on_event(Event::Case { id: &case.id, case: record, comparison: compared.as_ref() });
    if let Some(compared) = compared {
        outcome.compared.insert(case.id.clone(), compared);
    }
}
