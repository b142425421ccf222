//! Turns another program's measurements into a [`Record`]: the files of `trtexec`. Pure.
//!
//! The device, the settings and the engine are what the files say they were; nothing is taken from this machine. What
//! is asked is hashed from the settings that were in force, so that numbers with different meanings do not compare.

use crate::case::{BackendKind, MEASURING_PROTOCOL, Mode, OperatingPoint, sha256_hex, sha256_json};
use crate::config::{BuildOptions, MARGIN_FRAC, Scenario, Wait};
use crate::device::{GpuConditions, gpu_key};
use crate::error::{Failure, FailureKind, Result};
use crate::measured::{GpuTimes, Measured, MeasuredGpu};
use crate::record::{CaseRecord, EngineRecord, Record, RecordDevice, Source};
use crate::steady;
use crate::summarize::{InvalidReason, Summary, summarize};
use crate::trtexec::{self, RunSettings, TimedRequest, Times, TrtexecOutput};
use crate::units::{plain_time, plural};
use serde::Serialize;
use std::collections::BTreeMap;

/// The backend that records name: the same as that of the backend which runs trtexec.
const BACKEND: BackendKind = BackendKind::Trtexec;
/// A run measures from the end of its warm-up on for as long as it was told: between its first start and its last end
/// one request may be missing at either side. In a few requests more than this share, the file is of another run.
const SPAN_FRAC: f64 = 0.02;
/// The same for very short runs: scheduling alone takes so long.
const SPAN_MS: f64 = 20.0;

/// Runs of `trtexec` to be recorded.
#[derive(Debug)]
pub struct Runs {
    /// `package/model/variant/scenario`.
    pub case: String,
    /// What the runs are filed as; trtexec itself knows no scenarios.
    pub scenario: Scenario,
    /// Inferences per request.
    pub batch: u64,
    /// The number of blocks that each run is cut into, each of which stands for a process; 1: a run is a process.
    pub blocks: usize,
    /// Name and text of each export of times, a process each.
    pub times: Vec<(String, String)>,
    /// What trtexec printed.
    pub output: TrtexecOutput,
    /// SHA-256 and size of the plan, where it is there.
    pub plan: Option<(String, u64)>,
    /// SHA-256 of the layer information, where it is there.
    pub layers: Option<String>,
    /// The fingerprint of the layers, where that file tells their tactics.
    pub tactics: Option<String>,
    /// The commit that the engine was built from, where it is known.
    pub source: Option<Source>,
    /// The time to record, in seconds since 1970.
    pub now_s: i64,
}

/// The record, and what the reader should know of it.
pub fn record(runs: &Runs) -> Result<(Record, Vec<String>)> {
    let settings = runs.output.run.as_ref().ok_or_else(|| {
        Failure::usage("nothing says how these times were taken: streams, transfers, CUDA graph, warm-up").next(
            "give what trtexec printed with --log: `trtexec … --exportTimes=times.json | tee trtexec.log`",
        )
    })?;
    let mut times = Vec::new();
    for (name, text) in &runs.times {
        let run = trtexec::times(text, settings.warm_up_ms).map_err(|why| bad(name, &why))?;
        times.push((name.as_str(), run));
    }
    if times.is_empty() {
        return Err(
            Failure::usage("no export of times is named").next("name a file of trtexec --exportTimes")
        );
    }
    times.iter().try_for_each(|(name, run)| as_long_as_told(name, run, settings))?;
    let cut = runs.blocks.max(1);
    let point = OperatingPoint {
        batch: runs.batch,
        streams: settings.streams,
        in_flight: if settings.overlap { 2 } else { 1 },
        cuda_graph: settings.cuda_graph,
    };
    let mut processes = Vec::new();
    for (name, run) in &times {
        for block in blocks(&run.requests, cut) {
            let summary = summary(run, block, &point, runs.output.load_ns.unwrap_or(0));
            processes.push(summary.map_err(|f| f.context(name))?);
        }
    }
    let notes = notes(runs, &times, cut);
    let case = case_record(runs, settings, point, processes);
    let mut device = device(&runs.output)?;
    device.soft.insert("imported".into(), provenance(times.len(), cut));
    let record = Record {
        id: String::new(),
        created_s: runs.now_s,
        tool: env!("CARGO_PKG_VERSION").into(),
        source: runs.source.clone(),
        device,
        supersedes: Vec::new(),
        acceptance: None,
        cases: BTreeMap::from([(runs.case.clone(), case)]),
        failed: BTreeMap::new(),
        part: None,
        experiment: false,
        unknown: Vec::new(),
        crlf: false,
    };
    Ok((record, notes))
}

fn bad(name: &str, why: &str) -> Failure {
    Failure::new(FailureKind::Format, format!("{name} {why}"))
        .next("export it again with `trtexec --loadEngine=… --exportTimes=times.json`")
}

/// Runs of one record were all told what the log says; one that was told another `--duration` was not.
fn as_long_as_told(name: &str, run: &Times, settings: &RunSettings) -> Result<()> {
    let Some(told_ms) = settings.duration_ms else { return Ok(()) };
    let start = run.requests.iter().fold(f64::INFINITY, |t, r| t.min(r.start_ms));
    let end = run.requests.iter().fold(0.0_f64, |t, r| t.max(r.end_ms));
    let longest = run.requests.iter().fold(0.0_f64, |t, r| t.max(r.latency_ms));
    let (span_ms, slack_ms) = (end - start, SPAN_FRAC * told_ms + SPAN_MS + 2.0 * longest);
    // It goes on until it has both, so a longer run may have been told more requests.
    let for_requests = settings.iterations.is_none_or(|n| run.requests.len() as u64 <= n + settings.streams);
    if span_ms >= told_ms - slack_ms && (span_ms <= told_ms + slack_ms || for_requests) {
        return Ok(());
    }
    Err(Failure::new(
        FailureKind::Format,
        format!(
            "{name} holds requests of {}, and the log says that trtexec was told to measure for {}",
            plain_time(span_ms * 1e6),
            plain_time(told_ms * 1e6)
        ),
    )
    .next("import runs with the same --duration as one record, with the log of one of them"))
}

/// `n` consecutive blocks of about the same length.
fn blocks(requests: &[TimedRequest], n: usize) -> impl Iterator<Item = &[TimedRequest]> {
    let len = requests.len();
    let n = n.clamp(1, len.max(1));
    (0..n).map(move |i| &requests[i * len / n..(i + 1) * len / n])
}

fn summary(run: &Times, block: &[TimedRequest], point: &OperatingPoint, load_ns: u64) -> Result<Summary> {
    let warm_up = trtexec::latencies_ns(&run.warm_up);
    let parts = trtexec::parts(block);
    let gpu = MeasuredGpu {
        times: Some(GpuTimes {
            enqueue_ns: parts.enqueue_ns,
            h2d_ns: parts.h2d_ns,
            compute_ns: parts.compute_ns,
            d2h_ns: parts.d2h_ns,
            isolated: false,
        }),
        before: GpuConditions::default(),
        after: GpuConditions::default(),
        energy: None,
    };
    let measured = Measured {
        layers: None,
        load_ns,
        first_ns: 0,
        warm_up_requests: warm_up.len() as u64,
        warm_up_ns: 0,
        // Where the warm-up was not exported, nothing is known against it.
        steady: warm_up.is_empty() || steady::is_steady(&warm_up),
        requests: block.len() as u64,
        requests_per_s: trtexec::requests_per_s(block),
        inferences_per_request: point.batch as f64,
        throttled: false,
        peak_host_bytes: None,
        outputs: Vec::new(),
        notes: Vec::new(),
        steps: Vec::new(),
        gpu: Some(gpu),
        capacity: None,
    };
    let latencies = trtexec::latencies_ns(block);
    let mut summary = summarize(&latencies, &trtexec::compute_ns(block), &measured, None)?;
    if let Some(gpu) = &mut summary.gpu {
        gpu.invalid_reason = run.too_coarse(block, MARGIN_FRAC).map(InvalidReason::from);
    }
    Ok(summary)
}

/// What was asked: the text that the definition hash is taken of. Apart from the definitions of measured cases, because
/// neither seed nor types of the inputs are known.
#[derive(Serialize)]
struct ImportedDefinition<'a> {
    protocol: u32,
    imported: &'a str,
    scenario: Scenario,
    point: OperatingPoint,
    mode: Mode,
    shapes: &'a BTreeMap<String, String>,
    others: &'a BTreeMap<String, String>,
}

fn case_record(
    runs: &Runs,
    settings: &RunSettings,
    point: OperatingPoint,
    processes: Vec<Summary>,
) -> CaseRecord {
    let mode =
        Mode { transfers: settings.transfers, wait: if settings.spin { Wait::Spin } else { Wait::Block } };
    let definition = ImportedDefinition {
        protocol: MEASURING_PROTOCOL,
        imported: BACKEND.word(),
        scenario: runs.scenario,
        point,
        mode,
        shapes: &settings.shapes,
        others: &settings.others,
    };
    CaseRecord {
        definition_hash: sha256_json(&definition),
        scenario: runs.scenario,
        point,
        mode,
        budget: None,
        open: None,
        shapes: settings.shapes.clone(),
        discovery: None,
        layers_sha256: None,
        engine: engine(runs),
        outputs: BTreeMap::new(),
        processes,
    }
}

fn engine(runs: &Runs) -> EngineRecord {
    let output = &runs.output;
    let library = match output.version {
        Some(version) if output.rtx => format!("TensorRT-RTX {version}"),
        Some(version) => format!("TensorRT {version}"),
        None => "TensorRT of unknown version".into(),
    };
    let unknown = runs.plan.is_none() && runs.layers.is_none() && output.build.is_empty();
    let texts = runs.times.iter().map(|(_, text)| sha256_hex(text.as_bytes()));
    // An engine of which nothing is known is like no other.
    let only: Vec<String> = if unknown { texts.collect() } else { Vec::new() };
    let (payload_sha256, engine_bytes) = runs.plan.clone().unwrap_or_default();
    EngineRecord {
        inputs_hash: sha256_json(&(
            &library,
            &output.model,
            &output.build,
            &payload_sha256,
            &runs.layers,
            only,
        )),
        payload_sha256,
        // Its name is known at most.
        model_sha256: String::new(),
        backend: BACKEND.word().into(),
        library,
        build: BuildOptions {
            trtexec_args: output.build.iter().map(|(k, v)| format!("{k}: {v}")).collect(),
            ..BuildOptions::default()
        },
        threads: 1,
        tactics_sha256: runs.tactics.clone(),
        build_ns: 0,
        engine_bytes,
        kernels: None,
        builds: Vec::new(),
    }
}

/// The GPU that the files name.
fn device(output: &TrtexecOutput) -> Result<RecordDevice> {
    let name = output.gpu.as_ref().ok_or_else(|| {
        Failure::usage("nothing says which GPU these times are of").next(
            "give what trtexec printed with --log, or the GPU's name as nvidia-smi gives it: --gpu \"NVIDIA A100 80GB PCIe\" --gpu-memory 81920",
        )
    })?;
    let memory = output.gpu_memory_mib.and_then(|mib| mib.checked_mul(1 << 20));
    Ok(RecordDevice { key: gpu_key(name, memory, None), name: name.clone(), soft: output.gpu_facts.clone() })
}

fn provenance(runs: usize, cut: usize) -> String {
    match cut {
        1 => format!("{} of trtexec", plural(runs, "run")),
        n => format!("{} of trtexec, cut into {n} blocks", plural(runs, "run")),
    }
}

fn notes(runs: &Runs, times: &[(&str, Times)], cut: usize) -> Vec<String> {
    let sum = |part: fn(&Times) -> usize| times.iter().map(|(_, t)| part(t)).sum::<usize>();
    let resolution = times.iter().fold(0.0_f64, |r, (_, t)| r.max(t.resolution_ns));
    let mut notes = vec![format!(
        "{} in {}, {} of the warm-up left out; trtexec resolved durations to {} (32-bit milliseconds since the start)",
        plural(sum(|t| t.requests.len()), "request"),
        plural(times.len(), "run"),
        sum(|t| t.warm_up.len()),
        plain_time(resolution)
    )];
    if cut > 1 {
        notes.push(format!(
            "each run is cut into {cut} blocks that stand for processes: what differs between processes is not in the spread; import several runs for that"
        ));
    }
    if cut == 1 && times.len() == 1 {
        notes.push(
            "one run is one process: it says nothing of how much processes differ; import several, or cut it with --blocks".into(),
        );
    }
    if runs.output.version.is_none() {
        notes.push("which TensorRT it was is not said; what trtexec printed (--log) tells".into());
    }
    notes
}
