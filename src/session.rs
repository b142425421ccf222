//! The order of the stages, and nothing else knows it: engines first, then measuring processes, then the record
//! and the comparison. A case that fails is a row; the others go on.

use crate::backend::{BackendKind, resolve};
use crate::baseline::{self, Candidate, Store};
use crate::case::{Case, InputIdentity, sha256_hex};
use crate::compare::{self, CaseComparison, Metric, Sessions};
use crate::config::Project;
use crate::device::Device;
use crate::error::{Failure, FailureKind, Result};
use crate::git::Repo;
use crate::record::{CaseRecord, EngineRecord, Record, RecordDevice, Source};
use crate::summarize::{Summary, summarize};
use crate::tensor::read_samples;
use crate::worker::protocol::{BuildJob, Built, Job, MeasureJob, Measured, Message, Stage};
use crate::worker::{check_interrupt, run as run_worker};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What happens, as it happens. The command line shows it; nothing here prints.
pub enum Event<'a> {
    Started {
        cases: &'a [Case],
        device: &'a Device,
        backend: &'a str,
        why: &'a str,
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

/// A comparison and what it was made against.
#[derive(Clone, Debug)]
pub struct Compared {
    pub comparison: CaseComparison,
    pub base: Base,
}

/// A stored record as the base of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    pub label: String,
    pub path: PathBuf,
    /// Commits between it and HEAD.
    pub steps: usize,
    /// Kernel, governor, driver… that changed since.
    pub soft_differences: Vec<String>,
}

/// What a session leaves.
pub struct Outcome {
    pub record: Record,
    /// Where the record was written; `None` if nothing was measured.
    pub written: Option<PathBuf>,
    pub compared: BTreeMap<String, Compared>,
    /// Ctrl-C: the record holds what was complete by then.
    pub interrupted: bool,
    /// Why there is nothing to compare with, where that is so.
    pub no_base: Option<String>,
}

/// An engine that was built, or why it was not.
type Engines = BTreeMap<String, Result<Built>>;

/// Builds, measures, records and compares `cases`.
pub fn run(
    project: &Project,
    cases: &[Case],
    device: &Device,
    now_s: i64,
    on_event: &mut dyn FnMut(Event),
) -> Result<Outcome> {
    let _lock = lock(&project.target, on_event)?;
    let repo = repository(&project.root, on_event);
    let source = match &repo {
        Some(repo) => source(repo, &project.baselines())?,
        None => None,
    };
    let (kind, why) = resolve(cases.first().map_or(crate::config::BackendChoice::Auto, |c| c.backend));
    on_event(Event::Started { cases, device, backend: crate::backend::backend(kind).name(), why });
    let history = History::open(project, repo.as_ref(), source.as_ref(), device, on_event);
    let engines = build_all(project, cases, on_event);
    let mut outcome = Outcome {
        record: Record {
            id: String::new(),
            created_s: now_s,
            tool: env!("CARGO_PKG_VERSION").into(),
            source,
            device: record_device(device),
            cases: BTreeMap::new(),
            failed: BTreeMap::new(),
        },
        written: None,
        compared: BTreeMap::new(),
        interrupted: false,
        no_base: None,
    };
    let samples = project.target.join("samples").join(format!("{now_s}-{}", std::process::id()));
    for case in cases {
        let measured = match engines.get(&case.id) {
            Some(Ok(built)) => measure_case(case, built, &samples, on_event),
            Some(Err(failure)) => Err(failure.clone()),
            None => Err(crate::worker::interrupted()),
        };
        match measured {
            Ok(record) => {
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
    outcome.no_base = history.why_none(&outcome);
    if !(outcome.record.cases.is_empty() && outcome.interrupted) {
        let store = Store::new(project.target.join("results"));
        outcome.written = Some(store.save(&mut outcome.record)?);
    }
    Ok(outcome)
}

fn finish_case(case: &Case, history: &History, outcome: &mut Outcome, on_event: &mut dyn FnMut(Event)) {
    let compared = history.compare(&case.id, &outcome.record);
    let Some(record) = outcome.record.cases.get(&case.id) else { return };
    on_event(Event::Case { id: &case.id, case: record, comparison: compared.as_ref() });
    if let Some(compared) = compared {
        outcome.compared.insert(case.id.clone(), compared);
    }
}

/// One session at a time per target folder: two would disturb each other's numbers.
fn lock(target: &Path, on_event: &mut dyn FnMut(Event)) -> Result<File> {
    std::fs::create_dir_all(target).map_err(|e| Failure::io("create the folder", target, &e))?;
    let path = target.join("lock");
    let open = File::options().create(true).truncate(false).write(true).open(&path);
    let file = open.map_err(|e| Failure::io("open the lock", &path, &e))?;
    let mut said = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => {
                if !said {
                    on_event(Event::Waiting { folder: target });
                    said = true;
                }
                check_interrupt()?;
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(std::fs::TryLockError::Error(e)) => return Err(Failure::io("lock", &path, &e)),
        }
    }
}

/// The repository around `root`; a broken one is said and treated as none, because measuring needs no git.
fn repository(root: &Path, on_event: &mut dyn FnMut(Event)) -> Option<Repo> {
    match Repo::discover(root) {
        Ok(repo) => repo,
        Err(e) => {
            on_event(Event::Note { text: &format!("no baselines: {e}") });
            None
        }
    }
}

/// Which sources HEAD and the work tree are; `None` before the first commit.
pub fn source(repo: &Repo, baselines: &Path) -> Result<Option<Source>> {
    let git = |e: crate::git::GitError| Failure::new(FailureKind::Io, e.to_string());
    let Some(head) = repo.head().map_err(git)? else { return Ok(None) };
    let exclude = repo.relative(baselines).map_err(git)?;
    Ok(Some(Source {
        src_tree: repo.src_tree(&head.id, &exclude).map_err(git)?,
        dirty: !repo.dirty(&exclude).map_err(git)?.is_clean(),
        branch: head.branch,
        commit: head.id,
    }))
}

fn record_device(device: &Device) -> RecordDevice {
    let mut soft = BTreeMap::from([("kernel".to_owned(), device.kernel.clone())]);
    soft.extend(device.governor.clone().map(|g| ("governor".to_owned(), g)));
    soft.extend(device.cpu_quota.map(|q| ("cpu quota".to_owned(), format!("{q}"))));
    RecordDevice { key: device.key.clone(), name: device.cpu.clone(), soft }
}

/// The build phase: every engine, before anything is measured.
fn build_all(project: &Project, cases: &[Case], on_event: &mut dyn FnMut(Event)) -> Engines {
    let mut engines = Engines::new();
    for case in cases {
        let built = build_case(project, case, on_event);
        if let Ok(built) = &built {
            on_event(Event::Engine { id: &case.id, built });
        }
        let stop = built.as_ref().is_err_and(|f| f.kind == FailureKind::Interrupted);
        engines.insert(case.id.clone(), built);
        if stop {
            break;
        }
    }
    engines
}

fn build_case(project: &Project, case: &Case, on_event: &mut dyn FnMut(Event)) -> Result<Built> {
    let (backend, _) = resolve(case.backend);
    let job = Job::Build(BuildJob {
        backend,
        model: case.model.clone(),
        shapes: case.shapes.clone(),
        batch: case.batch_asked.then_some(case.point.batch),
        batch_in_shapes: case.batch_in_shapes,
        build: case.build,
        threads: case.threads,
        engines: project.target.join("engines"),
    });
    let reply = run_worker(&job, case.effort.time_limit.duration(), &mut |m| stage(case, 0, m, on_event))
        .map_err(|f| placed(case, f))?;
    match reply {
        Message::Built(built) => Ok(*built),
        other => Err(Failure::new(FailureKind::Crash, format!("the build worker answered {other:?}"))),
    }
}

/// Mistakes in the configuration are shown with the table they are made in.
fn placed(case: &Case, failure: Failure) -> Failure {
    if failure.kind == FailureKind::Usage { failure.context(&case.place) } else { failure }
}

fn stage(case: &Case, process: u64, message: &Message, on_event: &mut dyn FnMut(Event)) {
    if let Message::Stage { stage, expected_ns } = message {
        on_event(Event::Stage {
            id: &case.id,
            process,
            stage: *stage,
            expected: Duration::from_nanos(*expected_ns),
        });
    }
}

/// Every measuring process of one case.
fn measure_case(
    case: &Case,
    built: &Built,
    samples: &Path,
    on_event: &mut dyn FnMut(Event),
) -> Result<CaseRecord> {
    let (backend, _) = resolve(case.backend);
    let folder = samples.join(case.id.replace('/', "__"));
    std::fs::create_dir_all(&folder).map_err(|e| Failure::io("create the folder", &folder, &e))?;
    let mut processes = Vec::new();
    let mut outputs = BTreeMap::new();
    for process in 1..=case.effort.processes {
        let file = folder.join(format!("{process}.npy"));
        let measured =
            measure_once(case, built, backend, process, &file, on_event).map_err(|f| placed(case, f))?;
        let summary = summarize(&read_samples(&file)?, &measured, &case.point, case.budget)?;
        on_event(Event::Process { id: &case.id, process, summary: &summary });
        processes.push(summary);
        if process == 1 {
            outputs = measured.outputs.into_iter().map(|o| (o.name, o.sha256)).collect();
        }
    }
    case_record(case, built, outputs, processes)
}

fn measure_once(
    case: &Case,
    built: &Built,
    backend: BackendKind,
    process: u64,
    file: &Path,
    on_event: &mut dyn FnMut(Event),
) -> Result<Measured> {
    let job = Job::Measure(MeasureJob {
        backend,
        engine: built.engine.clone(),
        payload_sha256: built.header.payload_sha256.clone(),
        point: case.point,
        seed: case.seed,
        inputs: case.inputs.clone(),
        expect: case.expect.clone(),
        rtol: case.rtol,
        atol: case.atol,
        allow_non_finite: case.allow_non_finite,
        warm_up_ns: case.effort.warm_up.0,
        measure_ns: case.effort.measure.0,
        samples: file.to_owned(),
    });
    match run_worker(&job, case.effort.time_limit.duration(), &mut |m| stage(case, process, m, on_event))? {
        Message::Measured(measured) => Ok(measured),
        other => Err(Failure::new(FailureKind::Crash, format!("the measure worker answered {other:?}"))),
    }
}

fn case_record(
    case: &Case,
    built: &Built,
    outputs: BTreeMap<String, String>,
    processes: Vec<Summary>,
) -> Result<CaseRecord> {
    let made = &built.header.made_from;
    let identities = made
        .inputs
        .iter()
        .map(|spec| {
            let source = match case.inputs.get(&spec.name) {
                Some(path) => sha256_hex(&std::fs::read(path).map_err(|e| Failure::io("read", path, &e))?),
                None => "seeded".into(),
            };
            Ok(InputIdentity {
                name: spec.name.clone(),
                dtype: spec.dtype,
                shape: spec.shape.opt.clone(),
                source,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(CaseRecord {
        definition_hash: case.definition_hash(&identities),
        scenario: case.scenario,
        point: case.point,
        budget: case.budget,
        shapes: made.inputs.iter().map(|s| (s.name.clone(), s.shape.to_string())).collect(),
        engine: EngineRecord {
            inputs_hash: built.header.inputs_hash.clone(),
            payload_sha256: built.header.payload_sha256.clone(),
            model_sha256: made.model_sha256.clone(),
            backend: made.backend.clone(),
            library: made.library.clone(),
            build: made.build,
            threads: made.threads,
            build_ns: built.header.build_ns,
            engine_bytes: built.engine_bytes,
        },
        outputs,
        processes,
    })
}

/// What was measured before: baselines to compare with, and sessions that tell how much sessions differ.
struct History {
    candidates: Vec<Candidate>,
    sessions: Vec<Record>,
    has_commit: bool,
}

impl History {
    fn open(
        project: &Project,
        repo: Option<&Repo>,
        source: Option<&Source>,
        device: &Device,
        on_event: &mut dyn FnMut(Event),
    ) -> Self {
        let store = Store::new(project.baselines());
        let mut notes = Vec::new();
        let candidates = match repo.zip(source) {
            Some((repo, source)) => {
                baseline::candidates(&store, repo, &source.commit, &device.key, &mut notes).unwrap_or_else(
                    |e| {
                        notes.push(e.to_string());
                        Vec::new()
                    },
                )
            }
            None => Vec::new(),
        };
        notes.iter().for_each(|n| on_event(Event::Note { text: n }));
        let results = Store::new(project.target.join("results"));
        let sessions = if candidates.is_empty() {
            Vec::new()
        } else {
            baseline::recent(&[&store, &results], &device.key)
        };
        Self { candidates, sessions, has_commit: source.is_some() }
    }

    /// The nearest record that holds the case with the same definition; failing that, the nearest that holds it.
    fn compare(&self, id: &str, head: &Record) -> Option<Compared> {
        let case = head.cases.get(id)?;
        let holding = || self.candidates.iter().filter_map(|c| c.record.cases.get(id).map(|b| (c, b)));
        let (candidate, base) = holding()
            .find(|(_, b)| b.definition_hash == case.definition_hash)
            .or_else(|| holding().next())?;
        let comparison = compare::compare_case(id, base, case, &|metric| {
            sessions_for(&self.sessions, id, [base, case], metric)
        });
        Some(Compared { comparison, base: base_of(candidate, head) })
    }

    fn why_none(&self, outcome: &Outcome) -> Option<String> {
        if !outcome.compared.is_empty() || outcome.record.cases.is_empty() {
            return None;
        }
        Some(if !self.has_commit {
            "there is no commit to keep baselines for; comparing needs a git repository with one".into()
        } else if self.candidates.is_empty() {
            "no baseline of this commit or its ancestors on this device yet; make one with `cargo trt-perf run --save-baseline`, and commit it".into()
        } else {
            "no baseline holds one of these cases yet; add them with `cargo trt-perf run --save-baseline`"
                .into()
        })
    }
}

fn base_of(candidate: &Candidate, head: &Record) -> Base {
    Base {
        label: candidate.record.label(),
        path: candidate.path.clone(),
        steps: candidate.steps,
        soft_differences: compare::soft_differences(&candidate.record, head),
    }
}

/// How much sessions differ, from stored sessions of either arm's engine.
pub fn sessions_for(stored: &[Record], id: &str, arms: [&CaseRecord; 2], metric: Metric) -> Sessions {
    arms.into_iter()
        .find_map(|c| baseline::stored_spread(stored, id, &c.engine.inputs_hash, &c.definition_hash, metric))
        .map_or(Sessions::Assumed, Sessions::Known)
}
