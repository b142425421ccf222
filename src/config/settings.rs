//! What people tune: one layer of settings as written, and the settings after all layers are merged.
//!
//! Order, later wins: built in, `[workspace.metadata.trt-perf]`, `[package.metadata.trt-perf]`, the model's
//! own table, its variant's, `--config KEY=VALUE` and the flags that are short for it.

use super::table::{Table, boolean, list, number, parsed, text, whole};
use super::tensorrt::TensorrtOptions;
use super::words::{ArrivalsChoice, BackendChoice, Scenario, Wait};
use crate::units::{Nanos, parse_percent};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Default margin for mean, median and throughput: changes smaller than this do not matter.
pub const MARGIN_FRAC: f64 = 0.01;
/// Default margin for tail quantiles, which vary more between processes.
pub const TAIL_MARGIN_FRAC: f64 = 0.03;

/// How the engine is made; part of the engine inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct BuildOptions {
    /// Graph optimisation (fusion, constant folding). Default on.
    pub optimize: bool,
    /// Weights copied into the layout the matrix kernels like. Default on.
    pub prepack_weights: bool,
    /// Test only: real extra work of this share of the inference time after every request, to see whether a
    /// slowdown is caught. Part of the engine inputs and named in every report, so that it is never mistaken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debug_extra_work_frac: Option<f64>,
    /// Left out where nothing is set, so that engines of other backends keep their hashes.
    #[serde(default, skip_serializing_if = "TensorrtOptions::is_default")]
    pub tensorrt: TensorrtOptions,
    /// Further arguments that `trtexec` builds with; of an imported run, what its log says of the build. Left out where
    /// there are none, so that engines of other backends keep their hashes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trtexec_args: Vec<String>,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self {
            optimize: true,
            prepack_weights: true,
            debug_extra_work_frac: None,
            tensorrt: TensorrtOptions::default(),
            trtexec_args: Vec::new(),
        }
    }
}

/// The settings of a model after all layers are merged.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub backend: BackendChoice,
    /// The folder of TensorRT's libraries; `None`: searched for.
    pub tensorrt: Option<PathBuf>,
    pub scenarios: Vec<Scenario>,
    /// Batch sizes to fill in for the dimension `batch`; `None`: not asked for.
    pub batches: Option<Vec<u64>>,
    /// Concurrent sessions in `throughput`; `None`: usable CPUs / threads, and one on a GPU.
    pub streams: Option<u64>,
    /// Requests in flight per stream in `throughput`; `None`: one, and two on a GPU.
    pub in_flight: Option<u64>,
    /// Which GPU, as CUDA numbers them.
    pub gpu: u32,
    /// Whether requests replay a captured CUDA graph.
    pub cuda_graph: bool,
    /// Whether a request copies its inputs to the GPU and its outputs back.
    pub transfers: bool,
    pub wait: Wait,
    /// Intra-op threads of each session.
    pub threads: u64,
    /// Whether anything says streams, in-flight, cuda-graph or threads: then no pinned point takes their place.
    pub point_asked: bool,
    /// The budget.
    pub max_latency: Option<Nanos>,
    /// The share of requests, in percent, that must be within the budget.
    pub percentile: f64,
    /// Further budgets that `capacity` finds rates for: with the budget, a curve.
    pub budgets: Vec<Nanos>,
    pub arrivals: ArrivalsChoice,
    /// In `capacity`, each inference arrives alone and waits up to so long for others to fill the batch.
    pub batch_delay: Option<Nanos>,
    /// Fresh measuring processes per case.
    pub processes: u64,
    /// At least this long; warming up ends when it is also steady.
    pub warm_up: Nanos,
    pub measure: Nanos,
    /// A worker that takes longer is killed.
    pub time_limit: Nanos,
    pub seed: u64,
    pub rtol: f64,
    pub atol: f64,
    /// Outputs may hold NaN or infinity (masked logits do).
    pub allow_non_finite: bool,
    pub build: BuildOptions,
    /// Changes smaller than this, as a fraction, do not matter: mean, median, throughput.
    pub margin_frac: f64,
    /// The same for tail quantiles.
    pub tail_margin_frac: f64,
}

/// One layer of settings: what one table (or the command line) says.
#[derive(Clone, Debug, Default)]
pub struct Layer {
    backend: Option<BackendChoice>,
    tensorrt: Option<PathBuf>,
    scenarios: Option<Vec<Scenario>>,
    batches: Option<Vec<u64>>,
    streams: Option<u64>,
    in_flight: Option<u64>,
    gpu: Option<u64>,
    cuda_graph: Option<bool>,
    transfers: Option<bool>,
    wait: Option<Wait>,
    threads: Option<u64>,
    max_latency: Option<Nanos>,
    percentile: Option<f64>,
    budgets: Option<Vec<Nanos>>,
    arrivals: Option<ArrivalsChoice>,
    batch_delay: Option<Nanos>,
    processes: Option<u64>,
    warm_up: Option<Nanos>,
    measure: Option<Nanos>,
    time_limit: Option<Nanos>,
    seed: Option<u64>,
    rtol: Option<f64>,
    atol: Option<f64>,
    allow_non_finite: Option<bool>,
    optimize: Option<bool>,
    prepack_weights: Option<bool>,
    debug_extra_work_frac: Option<f64>,
    tensorrt_build: TensorrtOptions,
    trtexec_args: Option<Vec<String>>,
    margin_frac: Option<f64>,
    tail_margin_frac: Option<f64>,
}

impl Layer {
    /// Reads the settings out of `table`; what is left in it is for the caller.
    pub fn read(table: &mut Table) -> Self {
        let folder = table.place.manifest.parent().unwrap_or(Path::new("")).to_owned();
        let mut layer = Self {
            backend: table.get("backend", parsed),
            tensorrt: table.get("tensorrt", text).map(|named| {
                // Relative to the manifest it is written in; on the command line, to the current folder.
                let path = folder.join(named);
                std::path::absolute(&path).unwrap_or(path)
            }),
            scenarios: table.get("scenarios", list(parsed)),
            batches: table.get("batches", list(whole(1))),
            streams: table.get("streams", whole(1)),
            in_flight: table.get("in-flight", whole(1)),
            gpu: table.get("device", gpu_number),
            cuda_graph: table.get("cuda-graph", boolean),
            transfers: table.get("transfers", boolean),
            wait: table.get("wait", parsed),
            threads: table.get("threads", whole(1)),
            max_latency: table.get("max-latency", budget),
            percentile: table.get("percentile", percentile),
            budgets: table.get("budgets", list(budget)),
            arrivals: table.get("arrivals", |v| ArrivalsChoice::parse(&text(v)?, &folder)),
            batch_delay: table.get("batch-delay", parsed),
            processes: table.get("processes", whole(1)),
            warm_up: table.get("warm-up", parsed),
            measure: table.get("measure", positive_time),
            time_limit: table.get("time-limit", positive_time),
            seed: table.get("seed", whole(0)),
            rtol: table.get("rtol", tolerance),
            atol: table.get("atol", tolerance),
            allow_non_finite: table.get("allow-non-finite", boolean),
            debug_extra_work_frac: table.get("debug-extra-work", extra_work),
            margin_frac: table.get("margin", margin),
            tail_margin_frac: table.get("tail-margin", margin),
            ..Self::default()
        };
        if let Some(map) = table.sub("build") {
            let place = table.place.table(format!("{} build", table.place.table));
            let mut build = Table::new(map, place, table.problems);
            layer.optimize = build.get("optimize", boolean);
            layer.prepack_weights = build.get("prepack-weights", boolean);
            layer.tensorrt_build = TensorrtOptions::read(&mut build);
            layer.trtexec_args = build.get("trtexec-args", list(text));
            build.finish();
        }
        layer
    }

    /// This layer where it says something, otherwise the one `below`.
    #[must_use]
    pub fn over(self, below: &Self) -> Self {
        let b = below.clone();
        Self {
            backend: self.backend.or(b.backend),
            tensorrt: self.tensorrt.or(b.tensorrt),
            scenarios: self.scenarios.or(b.scenarios),
            batches: self.batches.or(b.batches),
            streams: self.streams.or(b.streams),
            in_flight: self.in_flight.or(b.in_flight),
            gpu: self.gpu.or(b.gpu),
            cuda_graph: self.cuda_graph.or(b.cuda_graph),
            transfers: self.transfers.or(b.transfers),
            wait: self.wait.or(b.wait),
            threads: self.threads.or(b.threads),
            max_latency: self.max_latency.or(b.max_latency),
            percentile: self.percentile.or(b.percentile),
            budgets: self.budgets.or(b.budgets),
            arrivals: self.arrivals.or(b.arrivals),
            batch_delay: self.batch_delay.or(b.batch_delay),
            processes: self.processes.or(b.processes),
            warm_up: self.warm_up.or(b.warm_up),
            measure: self.measure.or(b.measure),
            time_limit: self.time_limit.or(b.time_limit),
            seed: self.seed.or(b.seed),
            rtol: self.rtol.or(b.rtol),
            atol: self.atol.or(b.atol),
            allow_non_finite: self.allow_non_finite.or(b.allow_non_finite),
            optimize: self.optimize.or(b.optimize),
            prepack_weights: self.prepack_weights.or(b.prepack_weights),
            debug_extra_work_frac: self.debug_extra_work_frac.or(b.debug_extra_work_frac),
            tensorrt_build: self.tensorrt_build.over(b.tensorrt_build),
            trtexec_args: self.trtexec_args.or(b.trtexec_args),
            margin_frac: self.margin_frac.or(b.margin_frac),
            tail_margin_frac: self.tail_margin_frac.or(b.tail_margin_frac),
        }
    }

    /// The built-in values where no layer says anything. Also what `init` documents.
    pub fn resolve(self) -> Settings {
        Settings {
            point_asked: self.streams.or(self.in_flight).or(self.threads).is_some()
                || self.cuda_graph.is_some(),
            backend: self.backend.unwrap_or(BackendChoice::Auto),
            tensorrt: self.tensorrt,
            scenarios: self.scenarios.unwrap_or_else(|| vec![Scenario::Latency, Scenario::Throughput]),
            batches: self.batches,
            streams: self.streams,
            in_flight: self.in_flight,
            gpu: self.gpu.and_then(|n| u32::try_from(n).ok()).unwrap_or(0),
            cuda_graph: self.cuda_graph.unwrap_or(false),
            transfers: self.transfers.unwrap_or(true),
            wait: self.wait.unwrap_or_default(),
            threads: self.threads.unwrap_or(1),
            max_latency: self.max_latency,
            percentile: self.percentile.unwrap_or(99.0),
            budgets: self.budgets.unwrap_or_default(),
            arrivals: self.arrivals.unwrap_or_default(),
            batch_delay: self.batch_delay.filter(|delay| delay.0 > 0),
            processes: self.processes.unwrap_or(5),
            warm_up: self.warm_up.unwrap_or(Nanos(200_000_000)),
            measure: self.measure.unwrap_or(Nanos(1_000_000_000)),
            time_limit: self.time_limit.unwrap_or(Nanos(600_000_000_000)),
            seed: self.seed.unwrap_or(1),
            rtol: self.rtol.unwrap_or(1e-3),
            atol: self.atol.unwrap_or(1e-4),
            allow_non_finite: self.allow_non_finite.unwrap_or(false),
            build: BuildOptions {
                optimize: self.optimize.unwrap_or(true),
                prepack_weights: self.prepack_weights.unwrap_or(true),
                debug_extra_work_frac: self.debug_extra_work_frac.filter(|f| *f > 0.0),
                tensorrt: self.tensorrt_build,
                trtexec_args: self.trtexec_args.unwrap_or_default(),
            },
            margin_frac: self.margin_frac.unwrap_or(MARGIN_FRAC),
            tail_margin_frac: self.tail_margin_frac.unwrap_or(TAIL_MARGIN_FRAC),
        }
    }
}

fn budget(value: &Value) -> Result<Nanos, String> {
    positive_time(value).map_err(|why| format!("{why}; the budget is a time above zero such as \"5ms\""))
}

fn positive_time(value: &Value) -> Result<Nanos, String> {
    match parsed::<Nanos>(value)? {
        Nanos(0) => Err(format!("`{}` must be above zero", text(value)?)),
        ns => Ok(ns),
    }
}

fn gpu_number(value: &Value) -> Result<u64, String> {
    match whole(0)(value)? {
        n if u32::try_from(n).is_ok() => Ok(n),
        n => Err(format!("is {n}; GPUs are numbered from 0")),
    }
}

fn percentile(value: &Value) -> Result<f64, String> {
    match number(value)? {
        p if (50.0..100.0).contains(&p) => Ok(p),
        p => Err(format!("is {p}; a percentile is from 50 to below 100, such as 99 or 99.9")),
    }
}

fn margin(value: &Value) -> Result<f64, String> {
    match parse_percent(&text(value)?)? {
        m if m > 0.0 && m < 1.0 => Ok(m),
        _ => Err(format!("is {}; a margin is above 0% and below 100%", text(value)?)),
    }
}

fn extra_work(value: &Value) -> Result<f64, String> {
    match parse_percent(&text(value)?)? {
        f if f <= 10.0 => Ok(f),
        _ => Err(format!("is {}; extra work is at most 1000%", text(value)?)),
    }
}

fn tolerance(value: &Value) -> Result<f64, String> {
    number(value)
        .and_then(|n| if n >= 0.0 { Ok(n) } else { Err(format!("is {n}; a tolerance is zero or more")) })
}

/// `KEY=VALUE` as a table with that key. The value is TOML; a bare word counts as text.
pub fn parse_override(arg: &str) -> Result<Map<String, Value>, String> {
    let (key, value) =
        arg.split_once('=').ok_or_else(|| format!("`{arg}` is not KEY=VALUE; write it like processes=10"))?;
    let (key, value) = (key.trim(), value.trim());
    let table: toml::Table = format!("{key} = {value}")
        .parse()
        .or_else(|_| format!("{key} = {}", toml::Value::String(value.to_owned())).parse())
        .map_err(|e: toml::de::Error| {
            format!("`{arg}` is not KEY=VALUE with a TOML value: {}", e.message())
        })?;
    match serde_json::to_value(table) {
        // A key that begins with # is a comment to TOML: no setting at all.
        Ok(Value::Object(map)) if !map.is_empty() => Ok(map),
        _ => Err(format!("`{arg}` is not a setting; write it like processes=10")),
    }
}

#[cfg(test)]
mod tests;
