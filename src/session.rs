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

pub use history::sessions_for;
pub use machine::{host, machine_of};
pub use stages::source;

use crate::baseline::Store;
use crate::build::Built;
use crate::case::Case;
use crate::config::Project;
use crate::device::Device;
use crate::error::{FailureKind, Result};
use crate::outcome::{Event, RunOutcome};
use history::History;
use lock::lock;
use stages::{build_all, measure_case, new_record, source_or_none};
use std::collections::BTreeMap;

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
) -> Result<RunOutcome> {
    let _lock = lock(&project.target, device, on_event)?;
    let source = source_or_none(project, on_event);
    let processes = Some(cases.iter().map(|c| c.effort.processes).sum());
    let (backend, why) = backend_of(cases);
    on_event(Event::Started { cases, device, backend, why, processes });
    machine::say_confidential(device, on_event);
    let history = History::open(project, &project.baselines(), source.as_ref(), device, on_event);
    let (cases, pins) = pin::pinned(cases, &history, on_event);
    let engines = build_all(&project.target.join("engines"), &cases, on_event);
    let mut outcome = RunOutcome {
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

fn finish_case(case: &Case, history: &History, outcome: &mut RunOutcome, on_event: &mut dyn FnMut(Event)) {
    let compared = history.compare(&case.id, &outcome.record, case.margins);
    let Some(record) = outcome.record.cases.get(&case.id) else { return };
    on_event(Event::Case { id: &case.id, case: record, comparison: compared.as_ref() });
    if let Some(compared) = compared {
        outcome.compared.insert(case.id.clone(), compared);
    }
}
