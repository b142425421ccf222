//! The single stages of a session: build an engine, run one measuring process, make the record of a case.

use super::Event;
use super::context::Session;
use super::kernels;
use crate::build::BuildJob;
use crate::case::{Case, InputIdentity, OpenLoop, TimeFrom, sha256_hex};
use crate::config::{Scenario, case_folder};
use crate::device::Device;
use crate::engine;
use crate::engine::Built;
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use crate::measure::{LoadJob, MeasureJob, OpenJob, Pass};
use crate::measured::Measured;
use crate::record::{CaseRecord, EngineBuild, EngineRecord, Record, RecordDevice, Source};
use crate::summarize::{Summary, summarize};
use crate::tensor::read_samples;
use crate::worker::protocol::{Job, WorkerMessage};
use crate::worker::run as run_worker;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// An engine that was built, or why it was not.
pub(super) type Engines = BTreeMap<String, Result<Built>>;

pub(super) fn record_device(device: &Device) -> RecordDevice {
    let mut soft = BTreeMap::from([("kernel".to_owned(), device.kernel.clone())]);
    soft.extend(device.governor.clone().map(|g| ("governor".to_owned(), g)));
    soft.extend(device.cpu_quota.map(|q| ("cpu quota".to_owned(), format!("{q}"))));
    if let Some(gpu) = &device.measured_gpu {
        soft.insert("CPU".into(), device.cpu.clone());
        soft.insert("driver".into(), gpu.driver.clone());
        soft.extend(gpu.power_limit_w.map(|w| ("power limit".to_owned(), format!("{w:.0} W"))));
        // Said where it is on; a machine where it cannot be is none the wiser for reading that it is off.
        soft.extend(
            gpu.confidential.filter(|on| *on).map(|_| ("confidential computing".to_owned(), "on".into())),
        );
        soft.extend(gpu.ecc.map(|on| ("ECC".to_owned(), if on { "on".into() } else { "off".into() })));
    }
    RecordDevice { key: device.key.clone(), name: device.name().to_owned(), soft }
}

/// A record of `source` with nothing measured yet.
pub(super) fn new_record(session: &Session, source: Option<Source>) -> Record {
    Record { source, ..Record::empty(session.now_s, record_device(session.device)) }
}

/// The build phase: every engine, before anything is measured.
pub(super) fn build_all(session: &Session, cases: &[Case]) -> Engines {
    let mut engines = Engines::new();
    for case in cases {
        let built = build_case(session, case);
        if let Ok(built) = &built {
            built.builds().for_each(|built| session.tell(Event::Engine { id: &case.id, built }));
            built.cache_trouble.iter().for_each(|why| session.note(&format!("{}: {why}", case.id)));
        }
        let stop = built.as_ref().is_err_and(|f| f.kind == FailureKind::Interrupted);
        engines.insert(case.id.clone(), built);
        if stop {
            break;
        }
    }
    engines
}

/// The engine of a case, and what is compiled for it; where several builds are asked for, each is built anew.
pub(super) fn build_case(session: &Session, case: &Case) -> Result<Built> {
    let mut first = build_one(session, case)?;
    for _ in 1..case.effort.builds {
        first.others.push(build_one(session, case)?);
    }
    Ok(first)
}

/// One build, with what the library compiles while loading it.
fn build_one(session: &Session, case: &Case) -> Result<Built> {
    kernels::for_all_lanes(session, case, engine_of(session, case, None)?)
}

/// Builds the engine of a case anew, and keeps what its allocator was asked for in `events`.
pub(super) fn build_traced(session: &Session, case: &Case, events: PathBuf) -> Result<Built> {
    kernels::for_all_lanes(session, case, engine_of(session, case, Some(events))?)
}

/// The engine alone. Several builds of one case are several only where none is taken from a cache.
fn engine_of(session: &Session, case: &Case, memory: Option<PathBuf>) -> Result<Built> {
    let fresh = case.effort.builds > 1;
    if let Some(path) = &case.engine {
        if fresh {
            let what = format!(
                "{} is one engine, and builds = {} asks for several",
                path.display(),
                case.effort.builds
            );
            return Err(Failure::usage(what).next("name the model instead, or take `builds` out"));
        }
        return given_engine(path);
    }
    let job = Job::Build(BuildJob {
        target: session.target(case),
        model: case.model.clone(),
        trust_plan: case.trust_plan,
        shapes: case.shapes.clone(),
        inputs: case.inputs.clone(),
        batch: case.batch_asked.then_some(case.point.batch),
        batch_in_shapes: case.batch_in_shapes,
        build: case.build.clone(),
        threads: case.threads,
        engines: if fresh { session.afresh() } else { session.engines.clone() },
        cache: session.cache.clone().filter(|_| !fresh),
        memory,
        fresh,
    });
    let reply = run_worker(&job, case.effort.time_limit.duration(), &mut |m| stage(session, case, 0, m))
        .map_err(|f| with_config_location(case, f))?;
    match reply {
        WorkerMessage::Built(built) => Ok(*built),
        other => Err(Failure::new(FailureKind::Crash, format!("the build worker answered {other:?}"))),
    }
}

/// An engine file that was named instead of built. Only its hashes are checked here; workers load it.
fn given_engine(path: &Path) -> Result<Built> {
    let (header, _) = engine::read(path)
        .map_err(|f| f.next("name an engine file, as `cargo trt-perf build` writes and names them"))?;
    Ok(Built::new(path.to_owned(), header, true))
}

/// Mistakes in the configuration are shown with the table they are made in.
fn with_config_location(case: &Case, failure: Failure) -> Failure {
    if failure.kind == FailureKind::Usage { failure.context(&case.place) } else { failure }
}

pub(super) fn stage(session: &Session, case: &Case, process: u64, message: &WorkerMessage) {
    match message {
        WorkerMessage::Stage { stage, expected_ns } => session.tell(Event::Stage {
            id: &case.id,
            process,
            stage: *stage,
            expected: Duration::from_nanos(*expected_ns),
        }),
        WorkerMessage::Progress { doing, step, steps } => {
            session.tell(Event::Progress { id: &case.id, doing, step: *step, steps: *steps });
        }
        _ => {}
    }
}

/// Every measuring process of one case, one after the other.
pub(super) fn measure_case(
    session: &Session,
    case: &Case,
    built: &Built,
    samples: &Path,
) -> Result<CaseRecord> {
    let built = &kernels::on_its_lane(session, case, built);
    let folder = samples.join(case_folder(&case.id));
    let mut processes = Vec::new();
    let mut outputs = BTreeMap::new();
    for process in 1..=case.effort.processes {
        let to = Destination { folder: &folder, outputs: None };
        let (summary, found) = measure_process(session, case, built, process, &to)?;
        processes.push(summary);
        outputs = if process == 1 { found } else { outputs };
    }
    case_record(case, built, outputs, processes)
}

/// Where the files of a measuring process go.
pub(super) struct Destination<'a> {
    /// For the samples.
    pub folder: &'a Path,
    /// For the outputs, where they are wanted.
    pub outputs: Option<PathBuf>,
}

/// One measuring process: its summary, and the hash of each output.
pub(super) fn measure_process(
    session: &Session,
    case: &Case,
    built: &Built,
    process: u64,
    to: &Destination,
) -> Result<(Summary, BTreeMap<String, String>)> {
    let passes: &[Pass] = match case.scenario {
        Scenario::Latency if case.target.kind.on_gpu() => &[Pass::HostClock, Pass::GpuClock],
        _ => &[Pass::HostClock],
    };
    let (summary, measured) = measure_passes(session, case, built, process, to, passes)?;
    Ok((summary, outputs_of(&measured)))
}

/// The hash of each output.
pub(super) fn outputs_of(measured: &Measured) -> BTreeMap<String, String> {
    measured.outputs.iter().map(|o| (o.name.clone(), o.sha256.clone())).collect()
}

/// One measuring process with these passes: its summary, and all that it found.
pub(super) fn measure_passes(
    session: &Session,
    case: &Case,
    built: &Built,
    process: u64,
    to: &Destination,
    passes: &[Pass],
) -> Result<(Summary, Measured)> {
    let Destination { folder, outputs } = to;
    let (build, built) = built.of_process(process);
    std::fs::create_dir_all(folder).map_err(|e| Failure::io("create the folder", folder, &e))?;
    let file = folder.join(format!("{process}.npy"));
    let gpu_file = beside(&file, "gpu");
    let measured = measure_once(session, case, built, process, passes, (&file, &gpu_file, outputs.clone()))
        .map_err(|f| {
        // A worker that was ended while it wrote leaves half a file, which nobody must take for samples.
        let _ = std::fs::remove_file(&file);
        let _ = std::fs::remove_file(&gpu_file);
        let _ = std::fs::remove_file(warm_up_file(&file));
        with_config_location(case, f)
    })?;
    // What is wrong with one is wrong with all: the first says it.
    for note in measured.notes.iter().filter(|_| process == 1) {
        session.note(&format!("{}: {note}", case.id));
    }
    let timed = measured.gpu.as_ref().is_some_and(|g| g.times.is_some());
    let compute = if timed { read_samples(&gpu_file)? } else { Vec::new() };
    let summary = Summary {
        measure_ns: Some(case.effort.measure.0),
        build,
        ..summarize(&read_samples(&file)?, &compute, &measured, case.budget)?
    };
    session.tell(Event::Process { id: &case.id, process, summary: &summary });
    Ok((summary, measured))
}

/// In a folder of its own: every file beside the latencies would be taken for latencies too.
fn beside(samples: &Path, folder: &str) -> PathBuf {
    samples.parent().unwrap_or(samples).join(folder).join(samples.file_name().unwrap_or_default())
}

/// Where the latencies of the warm-up before these samples are.
pub(super) fn warm_up_file(samples: &Path) -> PathBuf {
    beside(samples, "warm-up")
}

/// The engine of a case as its workers load it.
pub(super) fn load_job(session: &Session, case: &Case, built: &Built) -> LoadJob {
    LoadJob {
        target: session.target(case),
        engine: built.engine.clone(),
        payload_sha256: built.header.payload_sha256.clone(),
        point: case.point,
        mode: case.mode,
        kernels: built.kernels.clone(),
        seed: case.seed,
        inputs: case.inputs.clone(),
    }
}

fn measure_once(
    session: &Session,
    case: &Case,
    built: &Built,
    process: u64,
    passes: &[Pass],
    (file, gpu_file, outputs): (&Path, &Path, Option<PathBuf>),
) -> Result<Measured> {
    let job = Job::Measure(MeasureJob {
        load: load_job(session, case, built),
        passes: passes.to_vec(),
        expect: case.expect.clone(),
        rtol: case.rtol,
        atol: case.atol,
        allow_non_finite: case.allow_non_finite,
        warm_up_ns: case.effort.warm_up.0,
        measure_ns: case.effort.measure.0,
        least_requests: case
            .tail_requests()
            .filter(|_| case.effort.measure_from != TimeFrom::Asked)
            .unwrap_or(0),
        // The rest of the limit is left for the GPU's clock, and for ending.
        most_ns: case.effort.time_limit.0 / 4 * 3,
        open: case.open.clone().zip(case.budget).map(|(how, budget)| OpenJob {
            how,
            budget,
            process: process as u32,
        }),
        samples: file.to_owned(),
        outputs,
        judges_outputs: case.outputs.is_some(),
        gpu_samples: gpu_file.to_owned(),
        warm_up_samples: warm_up_file(file),
    });
    match run_worker(&job, case.effort.time_limit.duration(), &mut |m| stage(session, case, process, m))? {
        WorkerMessage::Measured(measured) => Ok(*measured),
        other => Err(Failure::new(FailureKind::Crash, format!("the measure worker answered {other:?}"))),
    }
}

/// What there is to keep of one of several builds.
fn facts(built: &Built) -> EngineBuild {
    EngineBuild {
        payload_sha256: built.header.payload_sha256.clone(),
        build_ns: built.header.build_ns,
        engine_bytes: built.engine_bytes,
    }
}

pub(super) fn case_record(
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
            let source = match (case.inputs.get(&spec.name), &spec.shape.values) {
                (Some(path), _) => sha256_hex(&file::read(path, &file::NPY)?),
                (None, Some(values)) => values.to_string(),
                (None, None) => "seeded".into(),
            };
            Ok(InputIdentity {
                name: spec.name.clone(),
                dtype: spec.dtype,
                shape: spec.shape.opt.clone(),
                source,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let open = case.open.as_ref().map(OpenLoop::identity).transpose()?;
    Ok(CaseRecord {
        definition_hash: case.definition_hash(&identities, open.as_ref()),
        scenario: case.scenario,
        point: case.point,
        mode: case.mode,
        budget: case.budget,
        open,
        shapes: made.inputs.iter().map(|s| (s.name.clone(), s.shape.to_string())).collect(),
        discovery: None,
        layers_sha256: None,
        engine: EngineRecord {
            inputs_hash: built.header.inputs_hash.clone(),
            payload_sha256: built.header.payload_sha256.clone(),
            model_sha256: made.model_sha256.clone(),
            backend: made.backend.clone(),
            library: made.library.clone(),
            build: made.build.clone(),
            threads: made.threads,
            tactics_sha256: built.header.facts.get(engine::TACTICS).cloned(),
            build_ns: built.header.build_ns,
            engine_bytes: built.engine_bytes,
            kernels: built.kernels.as_ref().map(|file| file.kept.clone()),
            builds: if built.others.is_empty() { Vec::new() } else { built.builds().map(facts).collect() },
        },
        outputs,
        processes,
    })
}
