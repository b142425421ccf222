//! Records as they are written in files: `trt-perf/record@1`, in the form of [`document`], with five significant
//! digits.
//!
//! Fields that were added within a version are optional and left out where they say nothing, so that older files keep
//! their text and id.

pub mod acceptance;
mod capacity;
mod discovery;
pub mod document;
mod gpu;
mod summary;
mod within;

use self::acceptance::AcceptanceV1;
use self::discovery::DiscoveryV1;
use self::summary::SummaryV1;
use super::{
    CaseRecord, EngineBuild, EngineRecord, KeptKernels, Record, RecordDevice, Source, created_seconds,
    rfc3339,
};
use crate::case::{Budget, CasePart, Mode, OpenIdentity, OperatingPoint};
use crate::config::{BuildOptions, ProgramOptions, Scenario, TensorrtOptions};
use crate::error::{Failure, FailureKind, Result};
use crate::units::round5;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A record, version 1. Times are nanoseconds, shares are fractions of one.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(title = "trt-perf/record@1")]
pub struct RecordV1 {
    /// Always `trt-perf/record@1`.
    schema: String,
    /// First 16 digits of the SHA-256 of this text with the id taken out.
    id: String,
    /// RFC 3339, UTC.
    created: String,
    /// Version of cargo-trt-perf that measured.
    tool: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<SourceV1>,
    device: DeviceV1,
    /// Ids of the records that this one replaces as the reference of its cases.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    supersedes: Vec<String>,
    /// The change that this record accepts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acceptance: Option<AcceptanceV1>,
    /// By case id: package/model/variant/scenario.
    cases: BTreeMap<String, CaseV1>,
    /// Cases that could not be built or measured, with the reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    failed: BTreeMap<String, FailureV1>,
    /// Which part of its cases was measured, where several machines share them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    part: Option<CasePart>,
    /// It is an arm of a comparison of settings or of engine files, and of no commit.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    experiment: bool,
}

/// Sources as files hold them.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct SourceV1 {
    commit: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    /// Tree id of the commit without `baselines/`.
    src_tree: String,
    dirty: bool,
}

/// A device as files hold it.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct DeviceV1 {
    /// Records compare only where it is the same.
    key: String,
    name: String,
    /// What may change without making numbers incomparable: kernel, governor, driver.
    soft: BTreeMap<String, String>,
}

/// A measured case as files hold it.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct CaseV1 {
    /// SHA-256 over everything that is asked; cases compare only where it is the same.
    definition: String,
    scenario: Scenario,
    batch: u64,
    streams: u64,
    in_flight: u64,
    cuda_graph: bool,
    /// How the requests ran on a GPU, where it is not with transfers and spinning.
    #[serde(default, skip_serializing_if = "Mode::is_default")]
    mode: Mode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    budget: Option<BudgetV1>,
    /// How an open loop offered its requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    open: Option<OpenIdentity>,
    shapes: BTreeMap<String, String>,
    /// The grid that chose this point, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    discovery: Option<DiscoveryV1>,
    engine: EngineV1,
    /// SHA-256 of each output after warming up.
    outputs: BTreeMap<String, String>,
    /// One summary per fresh process.
    processes: Vec<SummaryV1>,
    /// SHA-256 of the file with what each layer takes, where that was measured, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    layers_sha256: Option<String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct BudgetV1 {
    max_ns: u64,
    quantile: f64,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct EngineV1 {
    /// SHA-256 over everything the engine was made from.
    inputs: String,
    payload_sha256: String,
    model_sha256: String,
    backend: String,
    library: String,
    optimize: bool,
    prepack_weights: bool,
    /// Test only: not a real result. Extra work as a fraction of the inference time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    debug_extra_work_frac: Option<f64>,
    /// Options of TensorRT's builder.
    #[serde(default, skip_serializing_if = "TensorrtOptions::is_default")]
    tensorrt: TensorrtOptions,
    /// Further arguments that trtexec built with; of an imported run, what its log says of the build.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    trtexec_args: Vec<String>,
    /// The program that was measured, where it is no model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    program: Option<ProgramOptions>,
    threads: u64,
    /// Fingerprint of the layers: equal where the tactics are, though the bytes differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tactics_sha256: Option<String>,
    build_ns: u64,
    bytes: u64,
    /// Kernels that were compiled once for all processes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kernels: Option<KeptKernels>,
    /// Each of several builds; its processes say which they loaded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    builds: Vec<EngineBuild>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct FailureV1 {
    /// What kind of failure, such as `timed-out`.
    kind: String,
    message: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    next: String,
}

/// The JSON Schema of a record file.
pub fn schema() -> Value {
    serde_json::to_value(schemars::schema_for!(RecordV1)).unwrap_or_default()
}

/// Gives the record its id and returns the text of its file.
pub fn write(record: &mut Record) -> String {
    let (text, id) = document::write(&document::RECORD, &to_wire(record));
    record.id = id;
    text
}

/// The case as its record will be read: what is shown of it now is what is shown of it later.
pub fn as_stored(case: &CaseRecord) -> CaseRecord {
    case_from_wire(case_to_wire(case, round5))
}

/// The record in the text of a file.
pub fn read(text: &str) -> Result<Record> {
    let contents = document::read(text, &document::RECORD, from_wire)?;
    Ok(Record { unknown: contents.unknown, crlf: contents.crlf, ..contents.body })
}

/// When a record was made, by a part of its text that holds the line which says so.
pub fn created_s(part: &str) -> Option<i64> {
    // A text within the record has no raw line ends, so a line that begins like this is the record's own.
    let (_, rest) = part.rsplit_once("\n \"created\": \"")?;
    let created: jiff::Timestamp = rest.split('"').next()?.parse().ok()?;
    Some(created.as_second())
}

fn to_wire(r: &Record) -> RecordV1 {
    RecordV1 {
        schema: document::RECORD.schema(),
        id: r.id.clone(),
        created: rfc3339(r.created_s),
        tool: r.tool.clone(),
        source: r.source.clone().map(SourceV1::from),
        device: device_to_wire(&r.device),
        supersedes: r.supersedes.clone(),
        acceptance: r.acceptance.as_ref().map(acceptance::to_wire),
        cases: r.cases.iter().map(|(id, c)| (id.clone(), case_to_wire(c, round5))).collect(),
        failed: r.failed.iter().map(|(id, f)| (id.clone(), failure_to_wire(f))).collect(),
        part: r.part.clone(),
        experiment: r.experiment,
    }
}

/// A device as files hold it.
pub fn device_to_wire(d: &RecordDevice) -> DeviceV1 {
    DeviceV1 { key: d.key.clone(), name: d.name.clone(), soft: d.soft.clone() }
}

/// The device that a file holds; refuses a key that cannot be the name of a folder.
pub fn device_from_wire(d: DeviceV1) -> Result<RecordDevice, String> {
    let key_ok =
        !d.key.is_empty() && d.key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if !key_ok {
        // The key becomes a folder name.
        return Err(format!("device key {:?}", d.key));
    }
    Ok(RecordDevice { key: d.key, name: d.name, soft: d.soft })
}

impl From<Source> for SourceV1 {
    fn from(s: Source) -> Self {
        Self { commit: s.commit, branch: s.branch, src_tree: s.src_tree, dirty: s.dirty }
    }
}

impl From<SourceV1> for Source {
    fn from(s: SourceV1) -> Self {
        Self { commit: s.commit, branch: s.branch, src_tree: s.src_tree, dirty: s.dirty }
    }
}

/// `round` is how many digits numbers keep.
fn case_to_wire(c: &CaseRecord, round: fn(f64) -> f64) -> CaseV1 {
    let e = c.engine.clone();
    CaseV1 {
        definition: c.definition_hash.clone(),
        scenario: c.scenario,
        batch: c.point.batch,
        streams: c.point.streams,
        in_flight: c.point.in_flight,
        cuda_graph: c.point.cuda_graph,
        mode: c.mode,
        budget: c.budget.map(|b| BudgetV1 { max_ns: b.max_ns, quantile: b.quantile }),
        open: c.open.clone(),
        shapes: c.shapes.clone(),
        discovery: c.discovery.as_ref().map(discovery::to_wire),
        engine: EngineV1 {
            inputs: e.inputs_hash,
            payload_sha256: e.payload_sha256,
            model_sha256: e.model_sha256,
            backend: e.backend,
            library: e.library,
            optimize: e.build.optimize,
            prepack_weights: e.build.prepack_weights,
            debug_extra_work_frac: e.build.debug_extra_work_frac,
            tensorrt: e.build.tensorrt,
            trtexec_args: e.build.trtexec_args,
            program: e.build.program,
            threads: e.threads,
            tactics_sha256: e.tactics_sha256,
            build_ns: e.build_ns,
            bytes: e.engine_bytes,
            kernels: e.kernels,
            builds: e.builds,
        },
        outputs: c.outputs.clone(),
        processes: c.processes.iter().map(|s| summary::to_wire(s, round)).collect(),
        layers_sha256: c.layers_sha256.clone(),
    }
}

fn failure_to_wire(f: &Failure) -> FailureV1 {
    let kind =
        serde_json::to_value(f.kind).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
    FailureV1 { kind, message: f.message.clone(), next: f.next.clone() }
}

fn from_wire(w: RecordV1) -> Result<Record, String> {
    Ok(Record {
        id: w.id,
        created_s: created_seconds(&w.created)?,
        tool: w.tool,
        source: w.source.map(Source::from),
        device: device_from_wire(w.device)?,
        supersedes: w.supersedes,
        acceptance: w.acceptance.map(acceptance::from_wire).transpose()?,
        cases: w.cases.into_iter().map(|(id, c)| (id, case_from_wire(c))).collect(),
        failed: w.failed.into_iter().map(|(id, f)| (id, failure_from_wire(f))).collect(),
        part: w.part,
        experiment: w.experiment,
        unknown: Vec::new(),
        crlf: false,
    })
}

fn case_from_wire(c: CaseV1) -> CaseRecord {
    CaseRecord {
        definition_hash: c.definition,
        scenario: c.scenario,
        point: OperatingPoint {
            batch: c.batch,
            streams: c.streams,
            in_flight: c.in_flight,
            cuda_graph: c.cuda_graph,
        },
        mode: c.mode,
        budget: c.budget.map(|b| Budget { max_ns: b.max_ns, quantile: b.quantile }),
        open: c.open,
        shapes: c.shapes,
        discovery: c.discovery.map(|d| discovery::from_wire(d, c.batch)),
        engine: EngineRecord {
            inputs_hash: c.engine.inputs,
            payload_sha256: c.engine.payload_sha256,
            model_sha256: c.engine.model_sha256,
            backend: c.engine.backend,
            library: c.engine.library,
            build: BuildOptions {
                optimize: c.engine.optimize,
                prepack_weights: c.engine.prepack_weights,
                debug_extra_work_frac: c.engine.debug_extra_work_frac,
                tensorrt: c.engine.tensorrt,
                trtexec_args: c.engine.trtexec_args,
                program: c.engine.program,
            },
            threads: c.engine.threads,
            tactics_sha256: c.engine.tactics_sha256,
            build_ns: c.engine.build_ns,
            engine_bytes: c.engine.bytes,
            kernels: c.engine.kernels,
            builds: c.engine.builds,
        },
        outputs: c.outputs,
        processes: c.processes.into_iter().map(summary::from_wire).collect(),
        layers_sha256: c.layers_sha256,
    }
}

fn failure_from_wire(f: FailureV1) -> Failure {
    // A kind this version does not know still is a failure to measure.
    let kind = serde_json::from_value(Value::from(f.kind)).unwrap_or(FailureKind::Measure);
    Failure { kind, message: f.message, parts: Vec::new(), next: f.next }
}
