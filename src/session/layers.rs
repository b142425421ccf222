//! Measures what each layer takes: each process is measured as ever, and then looked into.

use super::context::{Session, Setup};
use super::ensure_not_all_mistakes;
use super::pin::Pins;
use super::stages::{Destination, build_all, case_record, measure_passes, new_record, outputs_of};
use crate::baseline::{Store, keep_layers};
use crate::case::Case;
use crate::config::{BackendKind, Scenario, case_folder};
use crate::discover::Discovery;
use crate::engine::Built;
use crate::error::{Failure, FailureKind, Result};
use crate::layers::{Breakdown, EngineLayers, LayerRun};
use crate::measure::Pass;
use crate::record::{CaseRecord, Record, Source};
use crate::summarize::Summary;
use std::collections::{BTreeMap, BTreeSet};
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
    let arm = LayerArm::of(&session, "", cases, session.source.clone());
    let [outcome] = look_into(&session, &[arm])?;
    Ok(outcome)
}

/// Cases to look into, and what they are built from.
pub(super) struct LayerArm {
    /// The folder of its samples.
    name: &'static str,
    cases: Vec<Case>,
    pins: Pins,
    source: Option<Source>,
}

impl LayerArm {
    /// At the points that stored records pin.
    pub(super) fn of(session: &Session, name: &'static str, cases: &[Case], source: Option<Source>) -> Self {
        let (cases, pins) = session.pinned(cases);
        Self { name, cases, pins, source }
    }

    fn case(&self, id: &str) -> Option<&Case> {
        self.cases.iter().find(|case| case.id == id)
    }
}

/// Looks into every case of all arms; those of one id alternately.
pub(super) fn look_into<const N: usize>(
    session: &Session,
    arms: &[LayerArm; N],
) -> Result<[LayersOutcome; N]> {
    let mut engines = arms.each_ref().map(|arm| {
        let able = |case: &&Case| can_look_into(case).is_ok();
        build_all(session, &arm.cases.iter().filter(able).cloned().collect::<Vec<_>>())
    });
    let failures = arms.iter().zip(&engines).flat_map(|(arm, engines)| {
        arm.cases.iter().map(|case| match can_look_into(case) {
            Err(failure) => Some(failure),
            Ok(()) => engines.get(&case.id)?.as_ref().err().cloned(),
        })
    });
    ensure_not_all_mistakes(failures.collect::<Vec<_>>().iter().map(Option::as_ref))?;
    let mut outcomes = arms.each_ref().map(|arm| LayersOutcome {
        cases: BTreeMap::new(),
        record: new_record(session, arm.source.clone()),
        written: None,
        interrupted: false,
    });
    let ids: BTreeSet<&str> = arms.iter().flat_map(|arm| &arm.cases).map(|case| case.id.as_str()).collect();
    for id in ids {
        let mut places = Vec::new();
        let mut looking = Vec::new();
        for (place, arm) in arms.iter().enumerate() {
            let Some(case) = arm.case(id) else { continue };
            let built = engines[place].remove(id).unwrap_or_else(|| Err(crate::worker::interrupted()));
            places.push(place);
            looking.push(
                can_look_into(case)
                    .and(built)
                    .and_then(|built| Looking::into(case, built, &session.samples().join(arm.name))),
            );
        }
        alternate(session, &mut looking);
        for (place, looking) in places.into_iter().zip(looking) {
            let found = looking.and_then(|looking| looking.finish(session));
            outcomes[place].take(session, id, found, arms[place].pins.get(id));
        }
        if outcomes.iter().any(|outcome| outcome.interrupted) {
            break;
        }
    }
    for (outcome, arm) in outcomes.iter_mut().zip(arms) {
        outcome.write(session, arm)?;
    }
    Ok(outcomes)
}

/// Processes of each in turn, every second time the other way round: what drifts is in all of them.
pub(super) fn alternate(session: &Session, all: &mut [Result<Looking>]) {
    let processes = all.iter().flatten().map(|looking| looking.case.effort.processes).max().unwrap_or(0);
    for process in 1..=processes {
        for step in 0..all.len() {
            let one = &mut all[if process % 2 == 0 { all.len() - 1 - step } else { step }];
            let failed = one.as_mut().ok().and_then(|looking| looking.process(session, process).err());
            if let Some(failure) = failed {
                *one = Err(failure);
            }
        }
    }
}

impl LayersOutcome {
    fn take(
        &mut self,
        session: &Session,
        id: &str,
        found: Result<(CaseRecord, Breakdown)>,
        discovery: Option<&Discovery>,
    ) {
        match found {
            Ok((measured, found)) => {
                let discovery = discovery.cloned();
                self.record.cases.insert(id.to_owned(), CaseRecord { discovery, ..measured });
                self.cases.insert(id.to_owned(), Ok(found));
            }
            Err(f) if f.kind == FailureKind::Interrupted => self.interrupted = true,
            Err(failure) => {
                session.failed(id, &failure);
                self.record.failed.insert(id.to_owned(), failure.clone());
                self.cases.insert(id.to_owned(), Err(failure));
            }
        }
    }

    /// A record says what a commit builds; an engine that was named is another.
    fn write(&mut self, session: &Session, arm: &LayerArm) -> Result<()> {
        if !arm.cases.iter().any(|case| case.engine.is_some()) && !self.record.cases.is_empty() {
            self.written = Some(Store::results(session.folders.results()).save(&mut self.record)?);
        }
        Ok(())
    }
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
            folder: samples.join("layers").join(case_folder(&case.id)),
            engine: EngineLayers::default(),
            runs: Vec::new(),
            summaries: Vec::new(),
            outputs: BTreeMap::new(),
        })
    }

    /// One process: measured as ever, then looked into.
    fn process(&mut self, session: &Session, process: u64) -> Result<()> {
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
        let limits = session.device.measured_gpu.as_ref().and_then(|gpu| gpu.limits.clone());
        let layers_sha256 = Some(keep_layers(session.folders, &self.engine, &self.runs, limits.as_ref())?);
        let found = Breakdown { limits, ..found };
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
