//! Runs a discovery: the engines of a grid, then round after round of trials, then the record of the winners.
//!
//! A cell that fails is a row of the result; the others go on. Which cells survive, `crate::discover` decides.

use super::context::Session;
use super::history::History;
use super::stages::{build_case, measure_case, new_record};
use super::{Event, Setup, built_once, ensure_not_all_mistakes};
use crate::baseline::Store;
use crate::case::{Case, TimeFrom};
use crate::discover::{Cell, Discovery, Grid, Out, ROUNDS, Score, Trials, Tried, TriedScore, moved};
use crate::engine::Built;
use crate::error::{Failure, FailureKind, Result};
use crate::outcome::{Discovered, Explored};
use crate::record::{CaseRecord, Record};
use crate::units::Nanos;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How much shorter the trials of the first round are.
const FIRST_SHARE: u64 = 4;

/// Tries the cells of `grids` and records the winners.
pub fn discover(setup: &Setup, grids: Vec<Grid>) -> Result<Discovered> {
    let session = Session::open(setup, &one_per_id(&grids), None)?;
    let mut discovered = Discovered {
        grids: Vec::new(),
        record: new_record(&session, session.source.clone()),
        written: None,
        interrupted: false,
    };
    for grid in grids {
        match explore(&session, grid) {
            Ok((mut explored, records)) => {
                explored.keep(records, &mut discovered.record);
                explored.say_moved(&session.history);
                session.tell(Event::Done { id: &explored.grid.name });
                discovered.grids.push(explored);
            }
            Err(f) if f.kind == FailureKind::Interrupted => {
                discovered.interrupted = true;
                break;
            }
            Err(f) => return Err(f),
        }
    }
    let entries = discovered.grids.iter().flat_map(|explored| &explored.trials.entries);
    ensure_not_all_mistakes(entries.map(|entry| match &entry.out {
        Some(Out::Failed(failure)) => Some(failure),
        _ => None,
    }))?;
    session.say_unreadable();
    if !discovered.record.cases.is_empty() {
        let store = Store::results(session.folders.results());
        discovered.written = Some(store.save(&mut discovered.record));
    }
    Ok(discovered)
}

/// Cells of one batch are one case.
fn one_per_id(grids: &[Grid]) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for case in grids.iter().flat_map(|g| &g.cells) {
        if cases.last().is_none_or(|last| last.id != case.id) {
            cases.push(case.clone());
        }
    }
    cases
}

/// All rounds of one grid, and the records of the cells that got to the last. Fails only when it is interrupted.
fn explore(session: &Session, grid: Grid) -> Result<(Explored, BTreeMap<usize, CaseRecord>)> {
    let cells = grid.cells.iter().map(|c| (c.id.clone(), Cell::of(c)));
    let mut trials = Trials::new(cells, grid.cells.first().and_then(|c| c.budget));
    let engines = engines(session, &grid, &mut trials)?;
    let (mut records, mut unreal) = (BTreeMap::new(), None);
    for round in 1..=ROUNDS {
        let due = trials.due();
        let Some(first) = due.first() else { break };
        let (processes, measure) = effort(&grid.cells[*first], round);
        session.tell(Event::Round { grid: &grid.name, round, cells: due.len(), processes, measure });
        for index in due {
            let mut case = grid.cells[index].clone();
            let cell = Cell::of(&case);
            (case.effort.processes, case.effort.measure) = effort(&case, round);
            // Only what is kept has to be judged by its tail.
            if round < ROUNDS {
                case.effort.measure_from = TimeFrom::Asked;
            }
            let Some(built) = engines.get(&(case.id.clone(), case.threads)) else { continue };
            session.tell(Event::Trial { id: &case.id, cell, round });
            match measure_case(session, &case, built, &session.samples().join(trial_folder(cell, round))) {
                Ok(record) => {
                    unreal = record.engine.unreal();
                    let score = Score::of(&record.processes).ok_or_else(no_numbers);
                    match score {
                        Ok(score) => trials.measured(index, round, score),
                        Err(f) => trials.failed(index, f),
                    }
                    if round == ROUNDS {
                        records.insert(index, record);
                    }
                }
                Err(f) if f.kind == FailureKind::Interrupted => return Err(f),
                Err(f) => trials.failed(index, f),
            }
        }
        trials.close(round);
    }
    let ranking = trials.ranking();
    Ok((Explored { grid, trials, ranking, moved: BTreeMap::new(), unreal }, records))
}

fn no_numbers() -> Failure {
    Failure::new(FailureKind::Measure, "the trial has a latency or a throughput of zero")
        .next("measure longer, with --measure")
}

/// Processes, and how long each measures.
pub(super) fn effort(case: &Case, round: usize) -> (u64, Nanos) {
    let measure = case.effort.measure;
    match round {
        1 => (1, Nanos((measure.0 / FIRST_SHARE).max(1))),
        ROUNDS => (case.effort.processes, measure),
        _ => (1, measure),
    }
}

/// A folder per cell and round below that of the session's samples; below it each case has its own.
pub(super) fn trial_folder(cell: Cell, round: usize) -> PathBuf {
    let p = cell.point;
    let graph = if p.cuda_graph { "-graph" } else { "" };
    let round = PathBuf::from(format!("round-{round}"));
    round.join(format!("s{}-f{}{graph}-t{}", p.streams, p.in_flight, cell.threads))
}

/// The engines of a grid, by case and threads: nothing else of a cell has a say in its engine. Cells whose engine
/// cannot be built are out.
fn engines(session: &Session, grid: &Grid, trials: &mut Trials) -> Result<BTreeMap<(String, u64), Built>> {
    let mut all: BTreeMap<(String, u64), Result<Built>> = BTreeMap::new();
    for (index, case) in grid.cells.iter().enumerate() {
        let key = (case.id.clone(), case.threads);
        if !all.contains_key(&key) {
            let built = build_case(session, &built_once(case));
            match &built {
                Ok(built) => session.tell(Event::Engine { id: &case.id, built }),
                Err(f) if f.kind == FailureKind::Interrupted => return Err(f.clone()),
                Err(_) => {}
            }
            all.insert(key.clone(), built);
        }
        if let Some(Err(failure)) = all.get(&key) {
            trials.failed(index, failure.clone());
        }
    }
    Ok(all.into_iter().filter_map(|(key, built)| Some((key, built.ok()?))).collect())
}

impl Explored {
    /// Puts the winner of each case into `into`, with the grid that chose it.
    fn keep(&self, mut records: BTreeMap<usize, CaseRecord>, into: &mut Record) {
        for index in &self.ranking.best {
            let Some(mut record) = records.remove(index) else { continue };
            let entry = &self.trials.entries[*index];
            record.discovery = Some(self.discovery(&entry.id, self.ranking.winner == Some(*index)));
            into.cases.insert(entry.id.clone(), record);
        }
    }

    fn discovery(&self, id: &str, overall: bool) -> Discovery {
        let budget = self.trials.budget;
        let of_case = self.trials.entries.iter().zip(&self.ranking.front).filter(|(e, _)| e.id == id);
        let cells = of_case.map(|(entry, front)| Tried {
            cell: entry.cell,
            score: entry
                .score
                .as_ref()
                .map(|s| TriedScore { inferences_per_s: s.inferences_per_s, tail_ns: s.tail_ns(budget) }),
            front: *front,
        });
        Discovery { axes: self.grid.axes.clone(), cells: cells.collect(), overall }
    }

    /// Notes where the winner is not the pinned point.
    fn say_moved(&mut self, history: &History) {
        for index in &self.ranking.best {
            let pin = history.pin(&self.grid.cells[*index]);
            let text = pin.and_then(|pin| {
                let text = moved(pin.cell, self.trials.entries[*index].cell)?;
                Some(format!("{text}; pinned by {}", pin.place()))
            });
            let id = self.trials.entries[*index].id.clone();
            self.moved.extend(text.map(|text| (id, text)));
        }
    }
}
