//! Holds what people tune: the table of settings, one layer of them as written, and what all layers come to.
//!
//! Order, later wins: built in, `[workspace.metadata.trt-perf]`, `[package.metadata.trt-perf]`, the model's
//! own table, its variant's, `--config KEY=VALUE` and the flags that are short for it.

use super::build::{BuildLayer, BuildOptions};
use super::program::ProgramOptions;
use super::setting::Takes::{Folder, Many, Nothing, One};
use super::setting::{Flag, Setting};
use super::table::{Table, boolean, list, number, parsed, text, whole};
use super::tensorrt::size;
use super::tolerance::{Tolerances, tolerance};
use super::words::{ArrivalsChoice, BackendChoice, Scenario, Wait};
use crate::units::{Nanos, parse_percent};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

/// Default margin for mean, median and throughput: changes smaller than this do not matter.
pub const MARGIN_FRAC: f64 = 0.01;
/// Default margin for tail quantiles, which vary more between processes.
pub const TAIL_MARGIN_FRAC: f64 = 0.03;

/// More streams or threads than any machine has use for.
const MOST_SIDE_BY_SIDE: u64 = 4096;
/// More processes of one case than anybody waits for.
const MOST_PROCESSES: u64 = 10_000;

/// The settings that mean something to a program, which runs its requests itself; and where libraries lie and whether
/// plans are trusted, which is said for everything that is measured together.
#[rustfmt::skip]
const OF_PROGRAMS: &[&str] = &[
    "backend", "device", "processes", "warm-up", "measure", "time-limit", "margin", "tail-margin", "seed",
    "tensorrt", "trust-plan", "max-latency", "percentile",
];

/// Makes everything that knows the settings one by one from the table below: both structs, the reader of a table, the
/// merge, the built-in values, and what `init` and the command line are made from. A row is
///
/// ```text
/// /// What it means, in the words that `init` writes above it.
/// field: Type = "key", reader, built-in value, "what init shows", Flag::new("name", takes, "help");
/// ```
///
/// and the last part is left out where `--config KEY=VALUE` is the only way to set it on the command line.
macro_rules! settings {
    ($($(#[doc = $doc:literal])+
       $field:ident: $type:ty = $key:literal, $read:expr, $default:expr, $shown:literal $(, $flag:expr)?;)*) => {
        /// The settings of a model after all layers are merged.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            $($(#[doc = $doc])+ pub $field: $type,)*
            /// Whether anything says streams, in-flight, cuda-graph or threads: then no pinned point takes their place.
            pub point_asked: bool,
            /// Of a program: settings that its own table or the command line sets, and that mean nothing to it.
            pub meaningless: Vec<&'static str>,
            /// How the engine is built.
            pub build: BuildOptions,
        }

        /// One layer of settings: what one table (or the command line) says.
        #[derive(Clone, Debug, Default)]
        pub(super) struct SettingsLayer {
            $($field: Option<$type>,)*
            build: BuildLayer,
        }

        impl SettingsLayer {
            /// Reads the settings out of `table`; what is left in it is for the caller.
            pub fn read(table: &mut Table) -> Self {
                let folder = table.place.manifest.parent().unwrap_or(Path::new("")).to_owned();
                let layer = Self { $($field: table.get($key, $read),)* build: BuildLayer::read(table) };
                layer.in_folder(&folder)
            }

            /// This layer where it says something, otherwise the one `below`.
            #[must_use]
            pub fn over(self, below: &Self) -> Self {
                let below = below.clone();
                Self { $($field: self.$field.or(below.$field),)* build: self.build.over(below.build) }
            }

            /// The settings that this layer says something of.
            fn said(&self) -> Vec<&'static str> {
                [$(self.$field.is_some().then_some($key),)*].into_iter().flatten().collect()
            }

            /// Of this layer what it says of the settings in `keys`, and of the build.
            fn only(self, keys: &[&str]) -> Self {
                Self { $($field: self.$field.filter(|_| keys.contains(&$key)),)* build: self.build }
            }

            /// The built-in values where no layer says anything.
            pub fn resolve(self) -> Settings {
                Settings {
                    point_asked: self.asks_for_a_point(),
                    meaningless: Vec::new(),
                    $($field: self.$field.unwrap_or_else(|| $default),)*
                    build: self.build.resolve(),
                }
            }
        }

        /// Every setting but `build`, in the order in which people read about them.
        pub const SETTINGS: &[Setting] = &[$(Setting {
            key: $key,
            about: &[$($doc),+],
            shown: $shown,
            flag: settings!(@flag $($flag)?),
        },)*];
    };
    (@flag) => { None };
    (@flag $flag:expr) => { Some($flag) };
}

settings! {
    /// What runs the models: "cpu" is built in; "auto" takes a GPU backend where this machine can use one, else "cpu".
    backend: BackendChoice = "backend", parsed, BackendChoice::Auto, r#""auto""#,
        Flag::new("backend", One("NAME"), "Backend: auto, cpu, tensorrt, trtexec (NVIDIA's program), cuda (a calibration workload), command or gpu-command (your program: `run`)");
    /// The folder of TensorRT's libraries. By default the usual places are looked at; `cargo trt-perf doctor` lists them.
    tensorrt: Option<PathBuf> = "tensorrt", some(|v| text(v).map(PathBuf::from)), None, r#""/opt/tensorrt/lib""#,
        Flag::new("tensorrt", Folder("DIR"), "Folder of TensorRT's libraries (default: TRT_PERF_TENSORRT, then the usual places; `doctor` lists them)");
    /// Whether models that are plans of TensorRT, which are executable content, may be loaded. Plans that this tool builds
    /// itself are not meant.
    trust_plan: bool = "trust-plan", boolean, false, "false",
        Flag::new("trust-plan", Nothing(true), "Load models that are plans of TensorRT (.plan, .engine, .trt); a plan is executable content");
    /// "latency": one request at a time. "throughput": requests in a closed loop, as many at once as `streams` says.
    /// "capacity": requests arrive by themselves, and the highest rate that keeps the latency budget is looked for.
    scenarios: Vec<Scenario> = "scenarios", list(parsed), vec![Scenario::Latency, Scenario::Throughput], r#"["latency", "throughput"]"#,
        Flag::new("scenario", Many("NAME"), "Scenario: latency, throughput or capacity (may be repeated)");
    /// Batch sizes, each measured: what "batch" stands for in a shape. There are none by default; these are an example.
    batches: Option<Vec<u64>> = "batches", some(list(whole(1))), None, "[1, 8]",
        Flag::new("batch", Many("N"), "Batch size for dimensions called `batch` (may be repeated)");
    /// Which GPU, as CUDA numbers them.
    gpu: u32 = "device", gpu_number, 0, "0",
        Flag::new("device", One("N"), "Which GPU, as CUDA numbers them");
    /// Concurrent sessions for throughput and capacity. The default is one on a GPU, otherwise the usable CPUs divided by
    /// `threads`; 2 is an example.
    streams: Option<u64> = "streams", some(up_to(MOST_SIDE_BY_SIDE)), None, "2",
        Flag::new("streams", One("N"), "Concurrent sessions in throughput and capacity");
    /// Requests in flight per stream for throughput and capacity. The default is two on a GPU, otherwise one.
    in_flight: Option<u64> = "in-flight", some(whole(1)), None, "1",
        Flag::new("in-flight", One("N"), "Requests in flight per stream in throughput and capacity (GPU)");
    /// Whether each request replays a captured CUDA graph.
    cuda_graph: bool = "cuda-graph", boolean, false, "false",
        Flag::new("cuda-graph", Nothing(true), "Replay each request as a captured CUDA graph");
    /// Whether a request copies its inputs to the GPU and its outputs back.
    transfers: bool = "transfers", boolean, true, "true",
        Flag::new("no-transfers", Nothing(false), "Leave copies to and from the GPU out of a request");
    /// How the host waits for the GPU. "spin": it asks over and over. "block": it sleeps, and wakes some microseconds late.
    wait: Wait = "wait", parsed, Wait::Spin, r#""spin""#,
        Flag::new("wait", One("HOW"), "How the host waits for the GPU: spin or block");
    /// CPU threads that work on one request.
    threads: u64 = "threads", up_to(MOST_SIDE_BY_SIDE), 1, "1",
        Flag::new("threads", One("N"), "Intra-op threads of each session");
    /// The latency budget. There is none by default; 5 ms is an example.
    max_latency: Option<Nanos> = "max-latency", some(positive_time), None, r#""5ms""#,
        Flag::new("max-latency", One("TIME"), "The budget, such as 5ms");
    /// Which percentile of the latencies has to stay within the budget.
    percentile: f64 = "percentile", percentile, 99.0, "99",
        Flag::new("percentile", One("P"), "Percentage of requests that must be within the budget, such as 99");
    /// The budget of memory: what a process with the model may take, GPU memory with everything in it (on a CPU: what it
    /// allocates). `memory` and `check` hold it. There is none by default; 2 GiB is an example.
    max_memory: Option<u64> = "max-memory", some(memory_budget), None, r#""2GiB""#,
        Flag::new("max-memory", One("SIZE"), "The budget of memory that `memory` and `check` hold, such as 2GiB");
    /// Further budgets that capacity finds rates for: with the budget, a curve. There are none by default.
    budgets: Vec<Nanos> = "budgets", list(positive_time), Vec::new(), r#"["2ms", "10ms"]"#,
        Flag::new("budget", Many("TIME"), "A further budget that capacity finds a rate for (may be repeated)");
    /// When requests arrive in capacity: "poisson" (at random), "uniform" (with equal gaps), or the path of a file with a
    /// time in seconds on each line.
    arrivals: ArrivalsChoice = "arrivals", |v| ArrivalsChoice::parse(&text(v)?), ArrivalsChoice::Poisson, r#""poisson""#,
        Flag::new("arrivals", One("HOW|FILE"), "When requests arrive in capacity: poisson, uniform, or a file with a time in seconds on each line");
    /// In capacity, inferences arrive one by one and wait up to so long for others to fill the batch. By default and at 0,
    /// whole batches arrive; 1 ms is an example.
    batch_delay: Option<Nanos> = "batch-delay", batch_delay, None, r#""1ms""#,
        Flag::new("batch-delay", One("TIME"), "In capacity, inferences arrive one by one and wait up to so long for others to fill the batch");
    /// Fresh processes for each case. Verdicts compare processes: with more of them smaller changes show.
    processes: u64 = "processes", up_to(MOST_PROCESSES), 8, "8",
        Flag::new("processes", One("N"), "Fresh measuring processes per case");
    /// How often each engine is built, afresh each time: builders that time kernels choose others from build to build.
    /// Processes are spread over the builds, and where there are several, verdicts compare builds.
    builds: u64 = "builds", builds, 1, "1",
        Flag::new("builds", One("N"), "Build each engine so often (1, or 3 and more), and compare builds instead of processes");
    /// How long each process runs unmeasured, at least: until latencies are steady, too.
    warm_up: Nanos = "warm-up", parsed, Nanos(200_000_000), r#""200ms""#,
        Flag::new("warm-up", One("TIME"), "Warm up for at least this long, and until latencies are steady");
    /// How long each process is measured then, exactly. By default 1 s, and on until there are the requests that p99 (or
    /// the budget's percentile) needs.
    measure: Option<Nanos> = "measure", some(positive_time), None, r#""1s""#,
        Flag::new("measure", One("TIME"), "Measure for this long in each process; in capacity, in each of its main probes");
    /// A worker process that takes longer is stopped, and its case fails.
    time_limit: Nanos = "time-limit", positive_time, Nanos(600_000_000_000), r#""10min""#,
        Flag::new("time-limit", One("TIME"), "Kill a worker that takes longer");
    /// Changes of mean, median and throughput that are smaller do not matter.
    margin_frac: f64 = "margin", margin, MARGIN_FRAC, r#""1%""#,
        Flag::new("margin", One("PERCENT"), "Changes of mean, median and throughput below this do not matter, such as 1%");
    /// The same for tail quantiles.
    tail_margin_frac: f64 = "tail-margin", margin, TAIL_MARGIN_FRAC, r#""3%""#,
        Flag::new("tail-margin", One("PERCENT"), "The same for tail quantiles, such as 3%");
    /// The seed of generated inputs.
    seed: u64 = "seed", whole(0), 1, "1",
        Flag::new("seed", One("N"), "Seed of the random inputs");
    /// The relative tolerance: outputs are right where |output - expected| <= atol + rtol * |expected|.
    rtol: f64 = "rtol", tolerance, 1e-3, "1e-3",
        Flag::new("rtol", One("X"), "Relative tolerance of --expect");
    /// The absolute tolerance.
    atol: f64 = "atol", tolerance, 1e-4, "1e-4",
        Flag::new("atol", One("X"), "Absolute tolerance of --expect");
    /// How far head's outputs may be from the base's in a check: |head - base| <= atol + rtol * |base|. Beyond, the case is
    /// invalid. There is none by default, and a difference is only said; these are an example.
    outputs: Option<Tolerances> = "outputs", some(Tolerances::read), None, "{ rtol = 1e-2, atol = 1e-3 }";
    /// Whether outputs may hold NaN or infinity (masked logits do).
    allow_non_finite: bool = "allow-non-finite", boolean, false, "false";
}

impl SettingsLayer {
    /// What a layer of the whole project says of its programs: what only a model can have is not meant for them.
    fn of_programs(&self) -> Self {
        let of_both = self.clone().only(OF_PROGRAMS);
        Self { build: of_both.build.clone().of_programs(), ..of_both }
    }

    /// This layer, of a model or a program, on what the project says.
    pub fn resolve_for(self, program: Option<&ProgramOptions>, project: &Self) -> Settings {
        let Some(program) = program else { return self.over(project).resolve() };
        let meaningless = self.said().into_iter().filter(|key| !OF_PROGRAMS.contains(key));
        // A program has one, and may say so.
        let meaningless = meaningless.filter(|key| *key != "scenarios").collect();
        let mut layer = self.over(&project.of_programs());
        layer.scenarios.get_or_insert_with(|| vec![Scenario::Latency]);
        let mut settings = Settings { meaningless, ..layer.resolve() };
        settings.build.program = Some(program.clone());
        settings
    }

    fn asks_for_a_point(&self) -> bool {
        self.streams.is_some()
            || self.in_flight.is_some()
            || self.threads.is_some()
            || self.cuda_graph.is_some()
    }

    /// Paths are relative to the manifest they are written in (on the command line: to the current folder).
    fn in_folder(mut self, folder: &Path) -> Self {
        let arrivals = match &mut self.arrivals {
            Some(ArrivalsChoice::File(path)) => Some(path),
            _ => None,
        };
        for path in self.tensorrt.iter_mut().flatten().chain(arrivals) {
            let joined = folder.join(&*path);
            *path = std::path::absolute(&joined).unwrap_or(joined);
        }
        self
    }
}

/// Reads a setting that has no built-in value.
fn some<T>(read: impl Fn(&Value) -> Result<T, String>) -> impl Fn(&Value) -> Result<Option<T>, String> {
    move |value| read(value).map(Some)
}

/// A delay of zero is the same as no delay.
fn batch_delay(value: &Value) -> Result<Option<Nanos>, String> {
    parsed(value).map(|delay: Nanos| (delay.0 > 0).then_some(delay))
}

fn memory_budget(value: &Value) -> Result<u64, String> {
    match size(value)? {
        0 => Err("is 0; the budget is a size above zero such as \"2GiB\"".to_owned()),
        bytes => Ok(bytes),
    }
}

pub(super) fn positive_time(value: &Value) -> Result<Nanos, String> {
    match parsed::<Nanos>(value)? {
        Nanos(0) => Err(format!("`{}` must be above zero, such as \"5ms\"", text(value)?)),
        ns => Ok(ns),
    }
}

fn gpu_number(value: &Value) -> Result<u32, String> {
    let number = whole(0)(value)?;
    u32::try_from(number).map_err(|_| format!("is {number}; GPUs are numbered from 0"))
}

/// From 1 on. More than `most` is a slip of the finger, and takes a machine's memory or days before anybody is told.
fn up_to(most: u64) -> impl Fn(&Value) -> Result<u64, String> {
    move |value| match whole(1)(value)? {
        n if n > most => Err(format!("is {n}; {most} is the most")),
        n => Ok(n),
    }
}

/// Two would say nothing of how much builds differ.
fn builds(value: &Value) -> Result<u64, String> {
    match whole(1)(value)? {
        2 => Err("is 2, which says nothing of how much builds differ; use 1, or 3 and more".into()),
        n => Ok(n),
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

/// `KEY=VALUE` as a table with that key. The value is TOML; a bare word counts as text.
pub fn parse_override(arg: &str) -> Result<Map<String, Value>, String> {
    let (key, value) =
        arg.split_once('=').ok_or_else(|| format!("`{arg}` is not KEY=VALUE; write it like processes=10"))?;
    let (key, value) = (key.trim(), value.trim());
    // TOML has no number beyond those with a sign; seeds go further.
    if let Ok(n) = value.parse::<u64>()
        && i64::try_from(n).is_err()
        && !key.contains('.')
    {
        return Ok(Map::from_iter([(key.to_owned(), n.into())]));
    }
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
