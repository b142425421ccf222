//! Measures what each layer takes: each process is measured as ever, and then looked into.

use super::context::{Session, Setup};
use super::stages::{Destination, build_all, case_record, measure_passes, new_record, outputs_of};
use crate::baseline::{Store, keep_layers};
use crate::case::Case;
use crate::config::{BackendKind, Scenario};
use crate::engine::Built;
use crate::error::{Failure, FailureKind, Result};
use crate::layers::{Breakdown, EngineLayers, LayerRun};
use crate::measure::Pass;
use crate::record::{CaseRecord, Record, Source};
use crate::summarize::Summary;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Layers of several cases.
pub struct LayersOutcome {
    /// By the case's id, and why there are none.
    pub cases: BTreeMap<String, Result<Breakdown>>,
    /// What was measured beside them.
    pub record: Record,
    /// Where that is; `None` where nothing was measured, or an engine that this commit does not build.
    pub written: Option<PathBuf>,
    /// The user stopped it.
    pub interrupted: bool,
}

/// Builds and measures `cases`, and looks into each of their processes.
pub fn run(setup: &Setup, cases: &[Case]) -> Result<LayersOutcome> {
    let processes = cases.iter().map(|c| c.effort.processes).sum();
    let session = Session::open(setup, cases, Some(processes))?;
    look_into(&session, cases, session.source.clone())
}

/// The same within a session; `source` is what the cases are built from.
pub(super) fn look_into(session: &Session, cases: &[Case], source: Option<Source>) -> Result<LayersOutcome> {
    let (cases, pins) = session.pinned(cases);
    let able: Vec<Case> = cases.iter().filter(|case| can_look_into(case).is_ok()).cloned().collect();
    let mut engines = build_all(session, &able);
    let record = new_record(session, source);
    let mut outcome = LayersOutcome { cases: BTreeMap::new(), record, written: None, interrupted: false };
    for case in &cases {
        let built = match can_look_into(case) {
            Ok(()) => engines.remove(&case.id).unwrap_or_else(|| Err(crate::worker::interrupted())),
            Err(why) => Err(why),
        };
        match built.and_then(|built| of_case(session, case, built)) {
            Ok((measured, found)) => {
                let discovery = pins.get(&case.id).cloned();
                outcome.record.cases.insert(case.id.clone(), CaseRecord { discovery, ..measured });
                outcome.cases.insert(case.id.clone(), Ok(found));
            }
            Err(f) if f.kind == FailureKind::Interrupted => {
                outcome.interrupted = true;
                break;
            }
            Err(failure) => {
                session.failed(&case.id, &failure);
                outcome.record.failed.insert(case.id.clone(), failure.clone());
                outcome.cases.insert(case.id.clone(), Err(failure));
            }
        }
    }
    // A record says what a commit builds; an engine that was named is another.
    if !cases.iter().any(|case| case.engine.is_some()) && !outcome.record.cases.is_empty() {
        outcome.written = Some(Store::new(session.folders.results()).save(&mut outcome.record)?);
    }
    Ok(outcome)
}

/// The layers of one case, and the record of its processes, which names the file that has them.
fn of_case(session: &Session, case: &Case, built: Built) -> Result<(CaseRecord, Breakdown)> {
    let mut looking = Looking::into(case, built, &session.samples())?;
    for process in 1..=case.effort.processes {
        looking.process(session, process)?;
    }
    looking.finish(session)
}

/// A case that is looked into, process by process.
pub(super) struct Looking<'a> {
    case: &'a Case,
    built: Built,
    /// For the samples.
    folder: PathBuf,
    /// What the engine tells; the same in every process.
    engine: EngineLayers,
    runs: Vec<LayerRun>,
    summaries: Vec<Summary>,
    outputs: BTreeMap<String, String>,
}

impl<'a> Looking<'a> {
    /// Fails where the case has no layers that can be timed.
    pub(super) fn into(case: &'a Case, built: Built, samples: &Path) -> Result<Self> {
        can_look_into(case)?;
        Ok(Self {
            case,
            built,
            folder: samples.join("layers").join(case.id.replace('/', "__")),
            engine: EngineLayers::default(),
            runs: Vec::new(),
            summaries: Vec::new(),
            outputs: BTreeMap::new(),
        })
    }

    /// One process: measured as ever, then looked into.
    pub(super) fn process(&mut self, session: &Session, process: u64) -> Result<()> {
        let to = Destination { folder: &self.folder, outputs: None };
        let passes = [Pass::HostClock, Pass::GpuClock, Pass::Layers];
        let (summary, measured) = measure_passes(session, self.case, &self.built, process, &to, &passes)?;
        if self.runs.is_empty() {
            self.outputs = outputs_of(&measured);
        }
        let gpu_ns = measured.gpu.and_then(|gpu| gpu.times).map(|times| times.compute_ns as f64);
        let layers = measured.layers.ok_or_else(|| {
            Failure::new(FailureKind::Measure, "the worker measured no layers").next("report this")
        })?;
        self.engine = layers.engine;
        self.runs.push(LayerRun { times: layers.times, gpu_ns });
        self.summaries.push(summary);
        Ok(())
    }

    /// Keeps the file of the layers.
    pub(super) fn finish(self, session: &Session) -> Result<(CaseRecord, Breakdown)> {
        let found = Breakdown::of(Some(&self.engine), &self.runs).map_err(|why| {
            Failure::new(FailureKind::Measure, format!("the profile {why}")).next("run again")
        })?;
        let layers_sha256 = Some(keep_layers(session.folders, &self.engine, &self.runs)?);
        let record = case_record(self.case, &self.built, self.outputs, self.summaries)?;
        Ok((CaseRecord { layers_sha256, ..record }, found))
    }
}

/// Which cases have layers that can be timed, and why another has none.
pub(super) fn can_look_into(case: &Case) -> Result<()> {
    let kind = case.target.kind;
    if kind != BackendKind::Tensorrt {
        let next = match kind {
            BackendKind::Trtexec => {
                "let trtexec write --exportProfile and --exportLayerInfo into a folder: `cargo trt-perf layers FOLDER`"
            }
            _ => "use --backend tensorrt",
        };
        return Err(
            Failure::usage(format!("the {} backend gives no times of layers", kind.word())).next(next)
        );
    }
    if case.scenario == Scenario::Capacity {
        return Err(Failure::usage(
            "an open loop has requests that wait; layers are timed of requests that run alone",
        )
        .next("name the latency or the throughput case of the same model"));
    }
    Ok(())
}
