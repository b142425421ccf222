//! Sessions: the order of the stages, which no other module knows. First the engines, then the measuring processes,
//! then the record and the comparison. A case that fails is a row of the result; the others go on.

mod alternation;
pub mod calibrate;
pub mod check;
mod context;
pub mod details;
pub mod discover;
pub mod expected;
mod history;
pub mod keep;
pub mod kept;
mod kernels;
mod lanes;
pub mod layers;
mod lock;
pub mod looks;
mod machine;
pub mod memory;
mod models;
mod pairs;
pub mod past;
mod pilot;
mod pin;
pub mod profile;
pub mod samples;
mod source;
mod stages;

pub use context::{Events, Setup};
pub use history::sessions_for;
pub use lanes::Lane;
pub use machine::{Machine, host, machine_of, machines_of, only_kind};
pub use models::declared_inputs;
pub use source::source_of_revision;

use crate::baseline::Store;
use crate::case::{self, Case, CasePart, Effort};
use crate::compare::{Sessions, many::correct};
use crate::engine::Built;
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use crate::git::Repo;
use crate::outcome::{Event, RunOutcome};
use crate::record::{CaseRecord, Record, wire};
use context::Session;
use stages::{build_all, measure_case, new_record};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Builds the engines of `cases` and measures nothing. Cases that share an engine find it in the cache, so each is built
/// once.
pub fn build(setup: &Setup, cases: &[Case]) -> Result<BTreeMap<String, Result<Built>>> {
    let session = Session::begin(setup, cases, Some(0))?;
    Ok(build_all(&session, cases))
}

/// The SHA-256 of a `.npy` file, by which paired cases tell whether they feed the same; `None` where it cannot be read.
fn tensor_sha256(path: &Path) -> Option<String> {
    file::read(path, &file::NPY).ok().map(|bytes| case::sha256_hex(&bytes))
}

/// That no commit has a file's bytes, in words, whatever leads to it; `None` where one may.
fn outside(repo: &Repo, file: &Path) -> Option<String> {
    let lies = format!("{} lies outside of the repository: git keeps no earlier state of it", file.display());
    repo.relative(file).is_err().then_some(lies)
}

/// The case with one build of its engine.
fn built_once(case: &Case) -> Case {
    Case { effort: Effort { builds: 1, ..case.effort }, ..case.clone() }
}

/// Fails for the first case with builds that no process would load.
fn ensure_processes(cases: &[Case]) -> Result<()> {
    let short = |case: &&Case| case.effort.processes < case.effort.builds;
    cases.iter().find(short).map_or(Ok(()), |case| {
        let Effort { processes, builds, .. } = case.effort;
        Err(Failure::usage(format!("{}: {processes} processes are fewer than {builds} builds", case.id))
            .next(format!(
                "set processes = {} or more: two for each build tell how much processes differ",
                2 * builds
            ))
            .context(&case.place))
    })
}

/// Builds, measures, records and compares `cases`. `session_sd_frac` is how much sessions are said to differ, if somebody
/// says so; `base` the record to compare with, if somebody names one; `part` what `cases` are a part of, if they are one.
pub fn run(
    setup: &Setup,
    cases: &[Case],
    session_sd_frac: Option<f64>,
    base: Option<(PathBuf, Record)>,
    part: Option<CasePart>,
) -> Result<RunOutcome> {
    ensure_processes(cases)?;
    let processes = cases.iter().map(|c| c.effort.processes).sum();
    let mut session = Session::open(setup, cases, Some(processes))?;
    session.say_disturbed();
    session.history.given = session_sd_frac.map(Sessions::given);
    let (cases, pins) = session.pinned(cases);
    base.into_iter().for_each(|base| session.history.choose(setup.project, base));
    let engines = build_all(&session, &cases);
    ensure_some_make_sense(&engines)?;
    let outcome = Mutex::new(RunOutcome {
        record: Record { part, ..new_record(&session, session.source.clone()) },
        written: None,
        compared: BTreeMap::new(),
        interrupted: false,
        no_base: None,
    });
    let done = session.in_lanes(
        &cases,
        |case| &case.id,
        |case| {
            let built =
                engines.get(&case.id).cloned().unwrap_or_else(|| Err(crate::worker::interrupted()))?;
            let measured = measure_case(&session, case, &built, &session.samples())?;
            let discovery = pins.get(&case.id).cloned();
            let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
            let measured = wire::as_stored(&CaseRecord { discovery, ..measured });
            outcome.record.cases.insert(case.id.clone(), measured);
            finish_case(&session, case, &mut outcome);
            Ok(())
        },
    );
    let mut outcome = outcome.into_inner().unwrap_or_else(PoisonError::into_inner);
    for (case, failure) in done.into_iter().filter_map(|(case, found)| Some((case, found.err()?))) {
        match failure.kind {
            FailureKind::Interrupted => outcome.interrupted = true,
            _ => drop(outcome.record.failed.insert(case.id.clone(), failure)),
        }
    }
    correct_all(&session, &mut outcome);
    session.say_unreadable();
    outcome.no_base = session.history.why_none(&outcome);
    if !(outcome.record.cases.is_empty() && outcome.interrupted) {
        let store = Store::results(session.folders.results());
        outcome.written = Some(store.save(&mut outcome.record));
    }
    Ok(outcome)
}

/// Fails where there is nothing but mistakes in what is asked of the models. Only a worker reads models, so that is found late;
/// each mistake is told once, and nothing is stored, as where it is found at once. Beside cases that can be measured a
/// mistake is a row.
fn ensure_some_make_sense(engines: &BTreeMap<String, Result<Built>>) -> Result<()> {
    ensure_not_all_mistakes(engines.values().map(|engine| engine.as_ref().err()))
}

/// The same for why each case failed; `None`: it did not.
fn ensure_not_all_mistakes<'a>(failures: impl IntoIterator<Item = Option<&'a Failure>>) -> Result<()> {
    let mut told: Vec<&Failure> = Vec::new();
    for failure in failures {
        let Some(mistake) = failure.filter(|f| f.kind == FailureKind::Usage) else { return Ok(()) };
        if !told.iter().any(|known| known.message == mistake.message) {
            told.push(mistake);
        }
    }
    let in_a_line = |f: &Failure| match &f.next[..] {
        "" => f.message.clone(),
        next => format!("{}; {next}", f.message),
    };
    match told[..] {
        [] => Ok(()),
        [one] => Err(one.clone()),
        _ => Err(Failure::usage(format!("{} mistakes in what is asked of the models:", told.len()))
            .parts(told.into_iter().map(in_a_line).collect())),
    }
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
