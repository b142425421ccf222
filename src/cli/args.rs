//! Options that several verbs share, and how settings on the command line become overrides.

use crate::config::{Overrides, ShapeSpec, parse_override};
use crate::error::{Failure, Result};
use clap::{Args, ValueEnum};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What goes to standard output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum MessageFormat {
    /// Text for people
    #[default]
    Human,
    /// One JSON object a line (trt-perf/message@1; see the README)
    Json,
}

/// Settings that override the configuration for this run.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Settings (override the configuration)")]
pub struct SettingArgs {
    /// Any setting, such as processes=10 or build.optimize=false; the value is TOML
    #[arg(long = "config", value_name = "KEY=VALUE")]
    pub config: Vec<String>,
    /// Shape of an input, such as input:1x3x224x224; input:scalar for rank 0
    #[arg(long = "shape", value_name = "NAME:DIMS")]
    pub shapes: Vec<String>,
    /// Feed an input from a .npy file instead of seeded random values
    #[arg(long = "input", value_name = "NAME=FILE")]
    pub inputs: Vec<String>,
    /// Check an output against a .npy file
    #[arg(long = "expect", value_name = "NAME=FILE")]
    pub expect: Vec<String>,
    /// Relative tolerance of --expect
    #[arg(long, value_name = "X")]
    pub rtol: Option<String>,
    /// Absolute tolerance of --expect
    #[arg(long, value_name = "X")]
    pub atol: Option<String>,
    /// Backend: auto, cpu, tensorrt, trtexec (NVIDIA's program) or cuda (a calibration workload)
    #[arg(long, value_name = "NAME")]
    pub backend: Option<String>,
    /// Folder of TensorRT's libraries (default: TRT_PERF_TENSORRT, then the usual places; `doctor` lists them)
    #[arg(long, value_name = "DIR")]
    pub tensorrt: Option<PathBuf>,
    /// A build option, such as workspace=1GiB; short for --config build.KEY=VALUE (may be repeated)
    #[arg(long = "build", value_name = "KEY=VALUE")]
    pub build: Vec<String>,
    /// Scenario: latency, throughput or capacity (may be repeated)
    #[arg(long = "scenario", value_name = "NAME")]
    pub scenarios: Vec<String>,
    /// Batch size for dimensions called `batch` (may be repeated)
    #[arg(long = "batch", value_name = "N")]
    pub batches: Vec<String>,
    /// Which GPU, as CUDA numbers them
    #[arg(long, value_name = "N")]
    pub device: Option<String>,
    /// Concurrent sessions in throughput and capacity
    #[arg(long, value_name = "N")]
    pub streams: Option<String>,
    /// Requests in flight per stream in throughput and capacity (GPU)
    #[arg(long, value_name = "N")]
    pub in_flight: Option<String>,
    /// Replay each request as a captured CUDA graph
    #[arg(long)]
    pub cuda_graph: bool,
    /// Leave copies to and from the GPU out of a request
    #[arg(long)]
    pub no_transfers: bool,
    /// How the host waits for the GPU: spin or block
    #[arg(long, value_name = "HOW")]
    pub wait: Option<String>,
    /// Intra-op threads of each session
    #[arg(long, value_name = "N")]
    pub threads: Option<String>,
    /// The budget, such as 5ms
    #[arg(long, value_name = "TIME")]
    pub max_latency: Option<String>,
    /// Percentage of requests that must be within the budget, such as 99
    #[arg(long, value_name = "P")]
    pub percentile: Option<String>,
    /// A further budget that capacity finds a rate for (may be repeated)
    #[arg(long = "budget", value_name = "TIME")]
    pub budgets: Vec<String>,
    /// When requests arrive in capacity: poisson, uniform, or a file with a time in seconds on each line
    #[arg(long, value_name = "HOW|FILE")]
    pub arrivals: Option<String>,
    /// In capacity, inferences arrive one by one and wait up to so long for others to fill the batch
    #[arg(long, value_name = "TIME")]
    pub batch_delay: Option<String>,
    /// Fresh measuring processes per case
    #[arg(long, value_name = "N")]
    pub processes: Option<String>,
    /// Warm up for at least this long, and until latencies are steady
    #[arg(long, value_name = "TIME")]
    pub warm_up: Option<String>,
    /// Measure for this long in each process; in capacity, in each of its main probes
    #[arg(long, value_name = "TIME")]
    pub measure: Option<String>,
    /// Kill a worker that takes longer
    #[arg(long, value_name = "TIME")]
    pub time_limit: Option<String>,
    /// Changes of mean, median and throughput below this do not matter, such as 1%
    #[arg(long, value_name = "PERCENT")]
    pub margin: Option<String>,
    /// The same for tail quantiles, such as 3%
    #[arg(long, value_name = "PERCENT")]
    pub tail_margin: Option<String>,
    /// Seed of the random inputs
    #[arg(long, value_name = "N")]
    pub seed: Option<String>,
}

impl SettingArgs {
    /// The overrides in the order given: --config first, then the options that are short for it.
    pub fn overrides(&self) -> Result<Overrides> {
        self.overrides_with(tensorrt_folder(self.tensorrt.as_deref()))
    }

    /// The same, with the folder that the option or the environment names.
    fn overrides_with(&self, folder: Option<PathBuf>) -> Result<Overrides> {
        let mut settings = Map::new();
        for arg in &self.config {
            merge(&mut settings, parse_override(arg).map_err(|e| Failure::usage(e).context("--config"))?);
        }
        for arg in &self.build {
            let option = parse_override(&format!("build.{arg}"));
            merge(&mut settings, option.map_err(|e| Failure::usage(e).context("--build"))?);
        }
        if let Some(folder) = folder {
            let named = self.tensorrt.is_some() || !settings.contains_key("tensorrt");
            if named {
                settings.insert("tensorrt".into(), folder.to_string_lossy().into());
            }
        }
        let single = [
            ("rtol", &self.rtol),
            ("atol", &self.atol),
            ("backend", &self.backend),
            ("device", &self.device),
            ("streams", &self.streams),
            ("in-flight", &self.in_flight),
            ("wait", &self.wait),
            ("threads", &self.threads),
            ("max-latency", &self.max_latency),
            ("percentile", &self.percentile),
            ("arrivals", &self.arrivals),
            ("batch-delay", &self.batch_delay),
            ("processes", &self.processes),
            ("warm-up", &self.warm_up),
            ("measure", &self.measure),
            ("time-limit", &self.time_limit),
            ("margin", &self.margin),
            ("tail-margin", &self.tail_margin),
            ("seed", &self.seed),
        ];
        for (key, value) in single {
            settings.extend(value.as_deref().map(|v| (key.to_owned(), scalar(v))));
        }
        settings.extend(self.cuda_graph.then(|| ("cuda-graph".to_owned(), Value::Bool(true))));
        settings.extend(self.no_transfers.then(|| ("transfers".to_owned(), Value::Bool(false))));
        for (key, values) in
            [("scenarios", &self.scenarios), ("batches", &self.batches), ("budgets", &self.budgets)]
        {
            if !values.is_empty() {
                settings.insert(key.into(), values.iter().map(|v| scalar(v)).collect());
            }
        }
        let shapes = self
            .shapes
            .iter()
            .map(|s| ShapeSpec::parse_named(s).map_err(|e| Failure::usage(e).context("--shape")));
        Ok(Overrides {
            settings,
            shapes: shapes.collect::<Result<_>>()?,
            inputs: files("--input", &self.inputs)?,
            expect: files("--expect", &self.expect)?,
        })
    }
}

/// The folder that the option names, or else the environment.
pub fn tensorrt_folder(option: Option<&Path>) -> Option<PathBuf> {
    let variable = || std::env::var_os("TRT_PERF_TENSORRT").filter(|v| !v.is_empty()).map(PathBuf::from);
    option.map(Path::to_owned).or_else(variable)
}

/// A whole number, a number, or a text: the configuration says which of them a key takes.
fn scalar(text: &str) -> Value {
    if let Ok(n) = text.parse::<i64>() {
        return n.into();
    }
    text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map_or_else(|| text.into(), Value::Number)
}

/// Tables are merged key by key, so that `--config build.a=…` and `--config build.b=…` both count.
pub fn merge(into: &mut Map<String, Value>, from: Map<String, Value>) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

fn files(option: &str, args: &[String]) -> Result<BTreeMap<String, PathBuf>> {
    args.iter()
        .map(|arg| {
            // Tensor names may hold an equals sign as little as files begin with one.
            let (name, path) =
                arg.split_once('=').filter(|(n, p)| !n.is_empty() && !p.is_empty()).ok_or_else(|| {
                    Failure::usage(format!("{option}: `{arg}` is not NAME=FILE"))
                        .next(format!("write it like {option} image=data/image.npy"))
                })?;
            let path = std::path::absolute(path).map_err(|e| Failure::io("find", path.as_ref(), &e))?;
            Ok((name.to_owned(), path))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options_are_short_for_config_and_win_over_it() {
        let args = SettingArgs {
            config: vec![
                "processes=3".into(),
                "build.optimize=false".into(),
                "build.prepack-weights=false".into(),
            ],
            processes: Some("7".into()),
            measure: Some("2s".into()),
            batches: vec!["1".into(), "8".into()],
            percentile: Some("99.9".into()),
            ..SettingArgs::default()
        };
        let o = args.overrides_with(None).unwrap();
        assert_eq!(
            Value::Object(o.settings),
            json!({"processes": 7, "measure": "2s", "batches": [1, 8], "percentile": 99.9, "build": {"optimize": false, "prepack-weights": false}})
        );
    }

    #[test]
    fn malformed_options_are_named() {
        let bad = |args: SettingArgs| args.overrides().unwrap_err().to_string();
        assert!(bad(SettingArgs { inputs: vec!["x".into()], ..Default::default() }).contains("--input"));
        assert!(bad(SettingArgs { shapes: vec!["1x3".into()], ..Default::default() }).contains("--shape"));
        assert!(bad(SettingArgs { config: vec!["x".into()], ..Default::default() }).contains("--config"));
    }
}
