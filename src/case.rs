//! Turns the configuration into cases: model × shapes × scenario, each with an id and a definition hash. Pure.
//!
//! The *definition hash* covers what is asked; two measurements compare when it is the same. What answers (model bytes,
//! build options, backend, library) is hashed as *engine inputs* when the engine is built.

mod asked;
mod budget;
mod filter;
mod open;
mod partition;
mod target;

pub use crate::config::BackendKind;
pub use asked::{AskedCases, AskedModels, ensure_unique_ids};
pub use budget::{Budget, tail_index, tail_quantile};
pub use filter::CaseFilter;
pub use open::{OpenIdentity, OpenLoop, check};
pub use partition::{
    CasePart, Facts, Partition, PartitionBy, ensure_all_cases, ensure_all_parts, ensure_same, join,
};
pub use target::{Host, Target};

use crate::config::{
    BuildOptions, MARGIN_FRAC, Model, Place, Scenario, Settings, Shape, ShapeSpec, TAIL_MARGIN_FRAC,
    Tolerances, Variant, Wait,
};
use crate::error::{Failure, FailureKind, Result, did_you_mean};
use crate::trtexec;
use crate::units::{Nanos, hex};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Changes whenever a change of this tool makes its numbers differ from those of the last release on the same
/// code: order of phases, what a sample spans, how inputs are made. Part of every definition hash.
pub const MEASURING_PROTOCOL: u32 = 1;

/// Where on the latency-throughput curve a case is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub struct OperatingPoint {
    /// Inferences per request.
    pub batch: u64,
    /// Contexts (for `cpu`: concurrent sessions).
    pub streams: u64,
    /// Requests in flight per stream.
    pub in_flight: u64,
    /// Whether requests replay a captured CUDA graph.
    pub cuda_graph: bool,
}

/// What a request spans on a GPU, and how the host waits for it. Both change the numbers, so both are part of what is
/// asked; `cpu` has neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub struct Mode {
    /// Inputs are copied to the GPU and outputs back in every request.
    pub transfers: bool,
    /// How the host waits for the GPU.
    pub wait: Wait,
}

impl Default for Mode {
    fn default() -> Self {
        Self { transfers: true, wait: Wait::Spin }
    }
}

impl Mode {
    /// Definitions made before there were modes keep their hash.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How long and how often a case is measured. Not part of its definition: more processes make a better
/// estimate of the same thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// Fresh measuring processes.
    pub processes: u64,
    /// How often the engine is built; processes load the builds in turn.
    pub builds: u64,
    /// Each process runs unmeasured for at least this long.
    pub warm_up: Nanos,
    /// Then it is measured for this long.
    pub measure: Nanos,
    /// Who says so.
    pub measure_from: TimeFrom,
    /// A worker that takes longer is stopped.
    pub time_limit: Nanos,
}

/// Who says how long a process measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeFrom {
    /// A setting, and it is kept exactly.
    Asked,
    /// Nobody: a better time may be chosen. A closed loop goes on until it has the requests that the case's tail needs.
    BuiltIn,
    /// The same, but chosen once and for all processes that follow.
    Chosen,
}

/// How long a process measures where nothing says how long.
pub const MEASURE: Nanos = Nanos(1_000_000_000);

/// Changes smaller than these, as fractions, do not matter. Not part of the definition: they judge the answer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Margins {
    /// Mean, median and throughput.
    pub value_frac: f64,
    /// Tail quantiles.
    pub tail_frac: f64,
}

impl Default for Margins {
    fn default() -> Self {
        Self { value_frac: MARGIN_FRAC, tail_frac: TAIL_MARGIN_FRAC }
    }
}

/// One thing to measure.
#[derive(Clone, Debug)]
pub struct Case {
    /// `package/model/variant/scenario`.
    pub id: String,
    /// The model file.
    pub model: PathBuf,
    /// Whether the model may be a plan that this tool did not build.
    pub trust_plan: bool,
    /// How requests are offered.
    pub scenario: Scenario,
    /// The shape of each input that is configured, at the batch of this case.
    pub shapes: BTreeMap<String, Shape>,
    /// Whether `batches` was configured: then a dynamic first dimension without a shape takes the batch.
    pub batch_asked: bool,
    /// Whether a configured shape names the batch.
    pub batch_in_shapes: bool,
    /// Where it is measured.
    pub point: OperatingPoint,
    /// What a request spans on a GPU, and how the host waits.
    pub mode: Mode,
    /// The latency budget; `None` where none is configured.
    pub budget: Option<Budget>,
    /// The budget of memory in bytes, which `memory` and `check` hold; `None` where none is configured.
    pub max_memory: Option<u64>,
    /// `None` in closed loops.
    pub open: Option<OpenLoop>,
    /// `.npy` files by the input they are for; other inputs are random.
    pub inputs: BTreeMap<String, PathBuf>,
    /// `.npy` files by the output that has to match them.
    pub expect: BTreeMap<String, PathBuf>,
    /// Relative tolerance for `expect`: right is |output − expected| ≤ atol + rtol · |expected|.
    pub rtol: f64,
    /// Absolute tolerance for `expect`.
    pub atol: f64,
    /// Whether outputs may hold NaN or infinity.
    pub allow_non_finite: bool,
    /// How far head's outputs may be from the base's in a check; `None`: a difference is only said.
    pub outputs: Option<Tolerances>,
    /// Seed of the random inputs.
    pub seed: u64,
    /// The backend, and why that one.
    pub target: Target,
    /// Why `target` has this backend, for people.
    pub target_why: &'static str,
    /// How the engine is built; part of the engine inputs.
    pub build: BuildOptions,
    /// Intra-op threads per session; part of the engine inputs.
    pub threads: u64,
    /// Whether a setting says something of the point or the threads: then no pin takes their place.
    pub point_asked: bool,
    /// Of a program: settings that are about requests which it runs itself.
    pub meaningless: Vec<&'static str>,
    /// How long and how often it is measured.
    pub effort: Effort,
    /// Which changes are too small to matter.
    pub margins: Margins,
    /// An engine file to measure as it is, instead of building one from `model`.
    pub engine: Option<PathBuf>,
    /// Where it was configured, for messages.
    pub place: Place,
}

/// All cases of `models`, in configuration order.
pub fn cases(models: &[Model], host: Host) -> Vec<Case> {
    let mut all = Vec::new();
    for model in models {
        for variant in &model.variants {
            for batch in each(variant.settings.batches.as_deref().unwrap_or(&[1])) {
                for scenario in each(&variant.settings.scenarios) {
                    all.push(case(model, variant, batch, scenario, host));
                }
            }
        }
    }
    all
}

/// What is said twice is meant once.
fn each<T: Copy + PartialEq>(said: &[T]) -> Vec<T> {
    let first = |(at, one): &(usize, &T)| said.iter().position(|other| other == *one) == Some(*at);
    said.iter().enumerate().filter(first).map(|(_, one)| *one).collect()
}

fn case(model: &Model, variant: &Variant, batch: u64, scenario: Scenario, host: Host) -> Case {
    let s = &variant.settings;
    let segment = match (&variant.name, &s.batches) {
        (Some(name), None) => name.clone(),
        (Some(name), Some(_)) => format!("{name}-b{batch}"),
        (None, Some(_)) => format!("b{batch}"),
        (None, None) => "default".into(),
    };
    let (kind, target_why) =
        target::resolve(s.backend, &model.path, (s.build.program.is_some(), s.tensorrt.is_some()), host);
    // One request in flight per stream leaves a GPU idle between them; a second one closes the gap.
    let (all_streams, deep) = if kind.on_gpu() { (1, 2) } else { ((host.cpus / s.threads).max(1), 1) };
    let (streams, in_flight) = match scenario {
        Scenario::Latency => (1, 1),
        Scenario::Throughput | Scenario::Capacity => {
            (s.streams.unwrap_or(all_streams), s.in_flight.unwrap_or(deep))
        }
    };
    Case {
        id: format!("{}/{}/{segment}/{}", model.package, model.name, scenario.word()),
        model: model.path.clone(),
        trust_plan: s.trust_plan,
        scenario,
        shapes: variant.shapes.iter().map(|(name, spec)| (name.clone(), spec.at(batch))).collect(),
        batch_asked: s.batches.is_some(),
        batch_in_shapes: variant.shapes.values().any(ShapeSpec::uses_batch),
        point: OperatingPoint { batch, streams, in_flight, cuda_graph: s.cuda_graph },
        mode: Mode { transfers: s.transfers, wait: s.wait },
        budget: s.max_latency.map(|max| Budget { max_ns: max.0, quantile: s.percentile / 100.0 }),
        max_memory: s.max_memory,
        open: (scenario == Scenario::Capacity).then(|| open_loop(s)),
        inputs: variant.inputs.clone(),
        expect: variant.expect.clone(),
        rtol: s.rtol,
        atol: s.atol,
        allow_non_finite: s.allow_non_finite,
        outputs: s.outputs,
        seed: s.seed,
        target: Target { kind, tensorrt: s.tensorrt.clone(), gpu: s.gpu, lane: false },
        target_why,
        build: s.build.clone(),
        threads: s.threads,
        point_asked: s.point_asked,
        meaningless: s.meaningless.clone(),
        effort: Effort {
            processes: s.processes,
            builds: s.builds,
            warm_up: s.warm_up,
            measure: s.measure.unwrap_or(MEASURE),
            measure_from: if s.measure.is_some() { TimeFrom::Asked } else { TimeFrom::BuiltIn },
            time_limit: s.time_limit,
        },
        margins: Margins { value_frac: s.margin_frac, tail_frac: s.tail_margin_frac },
        engine: None,
        place: model.place.clone(),
    }
}

fn open_loop(settings: &Settings) -> OpenLoop {
    let all: BTreeSet<u64> = settings.budgets.iter().chain(&settings.max_latency).map(|b| b.0).collect();
    OpenLoop {
        arrivals: settings.arrivals.clone(),
        budgets_ns: all.into_iter().collect(),
        batch_delay_ns: settings.batch_delay.map(|d| d.0),
    }
}

/// What is asked, resolved against the model: the text that the definition hash is taken of.
#[derive(Serialize)]
struct Definition<'a> {
    protocol: u32,
    scenario: Scenario,
    point: OperatingPoint,
    #[serde(skip_serializing_if = "Mode::is_default")]
    mode: Mode,
    budget: Option<Budget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    open: Option<&'a OpenIdentity>,
    inputs: &'a [InputIdentity],
    seed: u64,
    /// Left out where there are none, so that definitions without keep their hash.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    program_options: Vec<&'a str>,
}

/// One input as the case feeds it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InputIdentity {
    /// Name of the input.
    pub name: String,
    /// Element type.
    pub dtype: crate::tensor::DType,
    /// Its dimensions.
    pub shape: Vec<u64>,
    /// SHA-256 of the `.npy` file, the values that are given, or `seeded`.
    pub source: String,
}

impl Case {
    /// SHA-256 over everything that is asked of the engine, as 64 hexadecimal digits.
    ///
    /// `inputs` are the case's inputs after the model's own types and the shapes were put together; `open` is how an
    /// open loop offers them.
    pub fn definition_hash(&self, inputs: &[InputIdentity], open: Option<&OpenIdentity>) -> String {
        let definition = Definition {
            protocol: MEASURING_PROTOCOL,
            scenario: self.scenario,
            point: self.point,
            mode: self.mode,
            budget: self.budget,
            open,
            inputs,
            seed: self.seed,
            program_options: trtexec::run_options(&self.build.trtexec_args)
                .into_iter()
                .chain(self.is_whole_program().then_some("whole"))
                .collect(),
        };
        sha256_json(&definition)
    }

    /// Whether each run of a program is a request: then there are too few for tails.
    pub fn is_whole_program(&self) -> bool {
        self.build.program.as_ref().is_some_and(|program| program.whole)
    }
}

/// The cases that `filter` takes; there must be one.
pub fn select(cases: Vec<Case>, filter: &CaseFilter) -> Result<Vec<Case>> {
    if cases.is_empty() {
        return Err(Failure::new(FailureKind::Nothing, "no model is configured in this workspace")
            .next("write a first table with `cargo trt-perf init`, and fill in its [[model]] where it found none; or name a model: `cargo trt-perf run model.onnx --shape input:1x3x224x224`"));
    }
    let ids: Vec<String> = cases.iter().map(|c| c.id.clone()).collect();
    let selected: Vec<Case> = cases.into_iter().filter(|c| filter.takes(&c.id)).collect();
    if selected.is_empty() {
        let near = filter.names.iter().find_map(|name| {
            // Only the whole id equals it.
            let parts = ids.iter().filter(|_| !filter.exact).flat_map(|id| id.split('/'));
            did_you_mean(name, parts.chain(ids.iter().map(String::as_str)))
        });
        let next = near.map_or_else(
            || "list them with `cargo trt-perf run --list`".into(),
            |n| format!("did you mean `{n}`? List them with `cargo trt-perf run --list`"),
        );
        return Err(Failure::new(
            FailureKind::Nothing,
            format!("no case of {} matches {}", ids.len(), filter.words()),
        )
        .next(next));
    }
    Ok(selected)
}

/// SHA-256 of a value's JSON, as hexadecimal digits. Struct fields and maps serialise in a fixed order.
pub fn sha256_json(value: &impl Serialize) -> String {
    // Plain data: serialising it into memory cannot fail; an empty text would still hash to a fixed value.
    sha256_hex(&serde_json::to_vec(value).unwrap_or_default())
}

/// SHA-256 as 64 hexadecimal digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(Sha256::digest(bytes))
}
