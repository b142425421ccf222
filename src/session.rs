//! Sessions: the order of the stages, which no other module knows. First the engines, then the measuring processes,
//! then the record and the comparison. A case that fails is a row of the result; the others go on.

mod alternation;
pub mod calibrate;
pub mod check;
mod context;
pub mod details;
pub mod discover;
mod history;
pub mod keep;
mod kernels;
mod lock;
pub mod looks;
mod machine;
mod models;
mod pairs;
mod pilot;
mod pin;
mod source;
mod stages;

pub use context::{Events, Setup};
pub use history::sessions_for;
pub use machine::{host, machine_of};
pub use models::declared_inputs;
pub use source::source_of_revision;

use crate::baseline::Store;
use crate::case::Case;
use crate::compare::{Sessions, many::correct};
use crate::engine::Built;
use crate::error::{FailureKind, Result};
use crate::outcome::{Event, RunOutcome};
use context::Session;
use stages::{build_all, measure_case, new_record};
use std::collections::BTreeMap;

/// Builds the engines of `cases` and measures nothing. Cases that share an engine find it in the cache.
pub fn build(setup: &Setup, cases: &[Case]) -> Result<BTreeMap<String, Result<Built>>> {
    let session = Session::begin(setup, cases, Some(0))?;
    Ok(build_all(&session, cases))
}

/// Builds, measures, records and compares `cases`. `session_sd_frac` is how much sessions are said to differ, if somebody
/// says so.
pub fn run(setup: &Setup, cases: &[Case], session_sd_frac: Option<f64>) -> Result<RunOutcome> {
    let processes = cases.iter().map(|c| c.effort.processes).sum();
    let mut session = Session::open(setup, cases, Some(processes))?;
    session.history.given = session_sd_frac.map(Sessions::given);
    let (cases, pins) = session.pinned(cases);
    let engines = build_all(&session, &cases);
    let mut outcome = RunOutcome {
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
    correct_all(&session, &mut outcome);
    session.say_unreadable();
    outcome.no_base = session.history.why_none(&outcome);
    if !(outcome.record.cases.is_empty() && outcome.interrupted) {
        let store = Store::new(session.folders.results());
        outcome.written = Some(store.save(&mut outcome.record));
    }
    Ok(outcome)
}

/// Withholds what chance alone would produce among so many cases. Each was shown when it was done: what is withheld now
/// is said again.
fn correct_all(session: &Session, outcome: &mut RunOutcome) {
    let mut all: Vec<_> = outcome.compared.values_mut().map(|c| &mut c.comparison).collect();
    let Ok(stayed) = correct(&mut all) else { return };
    for (c, _) in all.iter().zip(stayed).filter(|(_, stayed)| !stayed) {
        let why = c.verdict.reason().unwrap_or_default();
        session.note(&format!("{}: {} after all: {why}", c.id, c.verdict.word()));
    }
}

fn finish_case(session: &Session, case: &Case, outcome: &mut RunOutcome) {
    let compared = session.history.compare(&case.id, &outcome.record, case.margins);
    let Some(record) = outcome.record.cases.get(&case.id) else { return };
    session.tell(Event::Case { id: &case.id, case: record, comparison: compared.as_ref() });
    if let Some(compared) = compared {
        outcome.compared.insert(case.id.clone(), compared);
    }
}
