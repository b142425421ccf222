//! Memory sessions: each case's engine is loaded once in a worker of its own, with nothing timed, and what that takes of
//! memory is told phase by phase. Two arms are compared exactly.

use super::check::Arms;
use super::context::Session;
use super::stages::{build_case, build_traced, load_job, stage};
use super::{Event, Setup, ensure_not_all_mistakes, pin, tensor_sha256};
use crate::case::Case;
use crate::config::case_folder;
use crate::engine::Built;
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use crate::measure::{MemoryFound, MemoryJob};
use crate::memory::CaseMemory;
use crate::memory::wire::MemoryRecord;
use crate::outcome::{MemoryOutcome, MemoryRow};
use crate::pairing::{Pairing, pair};
use crate::record::rfc3339;
use crate::worker::protocol::{Job, WorkerMessage};
use crate::worker::run as run_worker;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Requests of each stream, where nothing says how many: what is allocated on demand is there after a few.
pub const REQUESTS: u64 = 20;

/// How memory is looked at.
#[derive(Clone, Copy, Debug)]
pub struct MemoryPlan {
    /// Requests of each stream.
    pub requests: u64,
    /// Whether engines are built anew, and what that takes is traced, too.
    pub trace_build: bool,
}

/// What a memory session compares with.
pub enum MemoryBase {
    /// Nothing.
    None,
    /// What an earlier session wrote, and what it is called.
    Record(String, Box<MemoryRecord>),
    /// Another commit, which is measured in the same session.
    Arms(Box<Arms>),
}

/// The record in a file that an earlier session wrote, or in the one of its folder.
pub fn read_record(path: &Path) -> Result<MemoryRecord> {
    let path = if path.is_dir() { path.join(RECORD) } else { path.to_owned() };
    let text = file::text(&path, &file::MEMORY)?;
    MemoryRecord::read(&text).map_err(|why| {
        Failure::new(FailureKind::Format, format!("{} {why}", path.display())).next(file::MEMORY.next)
    })
}

/// The record of a session, in the folder of its events.
const RECORD: &str = "memory.json";

/// Measures the memory of `cases`, and of the base's where it is a commit.
pub fn memory(setup: &Setup, cases: &[Case], plan: MemoryPlan, base: &MemoryBase) -> Result<MemoryOutcome> {
    let arms = if matches!(base, MemoryBase::Arms(_)) { 2 } else { 1 };
    let mut session = Session::open(setup, cases, Some(arms * cases.len() as u64))?;
    if let MemoryBase::Arms(arms) = base {
        session = session.with_engines(arms.private.engines(), arms.private.cache());
    }
    let pairs = pairs(&session, cases, base);
    let mut run = Run {
        session: &session,
        plan,
        folder: session.folders.memory_since(session.now_s),
        outcome: MemoryOutcome {
            record: empty(&session),
            rows: Vec::new(),
            failed: BTreeMap::new(),
            base: name(base),
            written: None,
            interrupted: false,
        },
    };
    for (base_case, case) in &pairs {
        if let Err(f) = run.case(base_case.as_ref(), case, base) {
            if f.kind == FailureKind::Interrupted {
                run.outcome.interrupted = true;
                break;
            }
            // Mistakes are told at the end: once, where there is nothing else.
            if f.kind != FailureKind::Usage {
                session.failed(&case.id, &f);
            }
            run.outcome.failed.insert(case.id.clone(), f);
        }
    }
    let failed = &run.outcome.failed;
    if run.outcome.rows.is_empty() && !run.outcome.interrupted {
        ensure_not_all_mistakes(failed.values().map(Some))?;
    }
    let mistakes = failed.iter().filter(|(_, f)| f.kind == FailureKind::Usage);
    mistakes.for_each(|(id, f)| session.failed(id, f));
    Ok(run.finish())
}

fn name(base: &MemoryBase) -> Option<String> {
    match base {
        MemoryBase::None => None,
        MemoryBase::Record(name, _) => Some(name.clone()),
        MemoryBase::Arms(arms) => Some(arms.base.name.clone()),
    }
}

fn empty(session: &Session) -> MemoryRecord {
    MemoryRecord {
        tool: env!("CARGO_PKG_VERSION").into(),
        created: rfc3339(session.now_s),
        device: session.device.key.clone(),
        commit: session.source.as_ref().map(|s| s.commit.clone()),
        dirty: session.source.as_ref().is_some_and(|s| s.dirty),
        cases: BTreeMap::new(),
    }
}

/// The cases at their pinned points, each with that of the base, where the base is measured: asked the same.
fn pairs(session: &Session, cases: &[Case], base: &MemoryBase) -> Vec<(Option<Case>, Case)> {
    let (cases, _) = session.pinned(cases);
    let MemoryBase::Arms(arms) = base else { return cases.into_iter().map(|c| (None, c)).collect() };
    let of_base = arms.base.cases.as_deref().unwrap_or_default();
    let (of_base, _) = pin::pinned(of_base, &session.history, &|_| {});
    let paired = |pairing| match pairing {
        Pairing::Both(both) => Some((both.apart.is_none().then_some(both.base), both.head)),
        Pairing::New(case) => Some((None, *case)),
        Pairing::Removed { base, .. } => {
            session.note(&format!("{}: only the base has it", base.id));
            None
        }
    };
    pair(&of_base, &cases, &tensor_sha256).into_iter().filter_map(paired).collect()
}

/// A session that runs.
struct Run<'a> {
    session: &'a Session<'a>,
    plan: MemoryPlan,
    folder: PathBuf,
    outcome: MemoryOutcome,
}

impl Run<'_> {
    fn case(&mut self, base_case: Option<&Case>, case: &Case, base: &MemoryBase) -> Result<()> {
        let memory = of_case(self.session, case, self.plan, &self.folder.join("head"))?;
        let measured = match base_case.map(|c| of_case(self.session, c, self.plan, &self.folder.join("base")))
        {
            Some(Err(f)) if f.kind == FailureKind::Interrupted => return Err(f),
            Some(Err(f)) => {
                self.session.note(&format!("{}: the base cannot be measured: {}", case.id, f.message));
                None
            }
            other => other.transpose()?,
        };
        let stored = match base {
            MemoryBase::Record(_, record) => record.cases.get(&case.id),
            _ => None,
        };
        let row = MemoryRow::new(&case.id, memory, case.max_memory, measured.as_ref().or(stored));
        self.session.tell(Event::Memory { row: &row });
        self.outcome.record.cases.insert(case.id.clone(), row.memory.clone());
        self.outcome.rows.push(row);
        Ok(())
    }

    fn finish(mut self) -> MemoryOutcome {
        if !self.outcome.rows.is_empty() {
            let path = self.folder.join(RECORD);
            let written = std::fs::write(&path, self.outcome.record.write());
            self.outcome.written =
                Some(written.map_err(|e| Failure::io("write the record", &path, &e)).map(|()| path));
        }
        self.outcome
    }
}

/// The memory of one case; the events of its processes go below `folder`.
pub(super) fn of_case(session: &Session, case: &Case, plan: MemoryPlan, folder: &Path) -> Result<CaseMemory> {
    let events = |process: &str| events_file(folder, &case.id, process);
    let built = match plan.trace_build {
        true => build_traced(session, case, events("build"))?,
        false => build_case(session, case)?,
    };
    session.tell(Event::Engine { id: &case.id, built: &built });
    let found = load(session, case, &built, plan.requests, events("run"))?;
    let library = built.header.made_from.library;
    Ok(CaseMemory { library, engine: found.engine, build: built.memory, run: found.process })
}

/// The file of the events of a process of a case, below the folder of its arm.
pub(super) fn events_file(folder: &Path, id: &str, process: &str) -> PathBuf {
    folder.join(format!("{}.{process}.json", case_folder(id)))
}

/// Loads an engine in a worker of its own.
fn load(
    session: &Session,
    case: &Case,
    built: &Built,
    requests: u64,
    events: PathBuf,
) -> Result<MemoryFound> {
    let job = Job::Memory(MemoryJob { load: load_job(session, case, built), requests, events });
    match run_worker(&job, case.effort.time_limit.duration(), &mut |m| stage(session, case, 1, m))? {
        WorkerMessage::Memory(found) => Ok(*found),
        other => Err(Failure::new(FailureKind::Crash, format!("the memory worker answered {other:?}"))),
    }
}
