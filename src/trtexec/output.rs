//! Reads what trtexec prints: version, GPU, and the settings that were in force. Pure.
//!
//! The input is the printed text, or the JSON that TensorRT's Engine Explorer makes of it.
//!
//! Invariant: what is not printed is not filled in from defaults, because version 11.0 changed them
//! (`what_is_not_said_is_not_guessed`).

use super::version::{TrtexecVersion, is_rtx};
use serde_json::Value;
use std::collections::BTreeMap;

/// What is known of a run beside its times; `None` and empty are "not said".
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrtexecOutput {
    /// The version of TensorRT.
    pub version: Option<TrtexecVersion>,
    /// Whether it is TensorRT-RTX that says so.
    pub rtx: bool,
    /// The name of the GPU.
    pub gpu: Option<String>,
    /// All of its memory, in MiB.
    pub gpu_memory_mib: Option<u64>,
    /// Clocks, ECC and compute capability, by the names trtexec gives them.
    pub gpu_facts: BTreeMap<String, String>,
    /// Multiprocessors (SMs) of the GPU.
    pub multiprocessors: Option<u64>,
    /// The settings of the run.
    pub run: Option<RunSettings>,
    /// How the engine was built, where this run built it.
    pub build: BTreeMap<String, String>,
    /// The model, where this run read one.
    pub model: Option<String>,
    /// Time from the plan in memory to an engine, in nanoseconds.
    pub load_ns: Option<u64>,
}

/// How requests were offered and what they span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunSettings {
    /// Concurrent streams, at least 1.
    pub streams: u64,
    /// Two requests in flight per stream instead of one (not `--exposeDMA`).
    pub overlap: bool,
    /// Whether a request includes the copies to the GPU and back.
    pub transfers: bool,
    /// Whether the host spins while it waits for the GPU.
    pub spin: bool,
    /// Whether requests replayed a captured CUDA graph.
    pub cuda_graph: bool,
    /// How long trtexec was told to warm up, in milliseconds.
    pub warm_up_ms: f64,
    /// How long it was told to measure at least, in milliseconds; `None` where that is not said, or until stopped.
    pub duration_ms: Option<f64>,
    /// How many requests it was told to measure at least; `None` where that is not said.
    pub iterations: Option<u64>,
    /// Shapes by input, such as `1x3x224x224`; empty for models without dynamic shapes.
    pub shapes: BTreeMap<String, String>,
    /// Whatever else changes numbers and is not off, such as `Idle time`.
    pub others: BTreeMap<String, String>,
}

/// Settings that change what is measured and are off by default.
const OTHERS: [&str; 8] = [
    "Green Context",
    "Sleep time",
    "Idle time",
    "Multithreading",
    "Persistent Cache Ratio",
    "Weight Streaming Budget",
    "Optimization Profile Index",
    "Use managed memory",
];
/// What is printed of a setting that is off. All weights on the GPU is what 10.1 and later say of no streaming at all.
const OFF: [&str; 5] = ["Disabled", "0", "0ms", "100.000000%", ""];
/// Options that change what is measured and that no version prints among its settings, only in the banner with all its
/// arguments; each with the value that is the same as leaving it out.
const ONLY_ARGUMENTS: [(&str, &str); 3] =
    [("--greenContext", ""), ("--allocationStrategy", "static"), ("--useDLACore", "-1")];
/// What is worth knowing of a GPU when numbers differ.
const GPU_FACTS: [&str; 6] = [
    "Compute Capability",
    "Memory Bus Width",
    "Compute Clock Rate",
    "Memory Clock Rate",
    "Application Compute Clock Rate",
    "Application Memory Clock Rate",
];
const BUILD_FACTS: [&str; 6] =
    ["Precision", "Sparsity", "Strongly Typed", "Refit", "Builder optimization level", "Memory Pools"];

/// trtexec goes on without a graph where capturing fails, after settings were printed.
const NO_GRAPH: [&str; 3] = [
    "not permitted under CUDA graph capture",
    "without using CUDA graph launch",
    "CUDA graph option has been disabled",
];

/// A section of the log: its keys in order.
type Section = Vec<(String, String)>;

/// Reads either form. The error continues the file's name.
pub fn read_output(text: &str) -> Result<TrtexecOutput, String> {
    if text.trim_start().starts_with('{') {
        let value: Value =
            serde_json::from_str(text).map_err(|e| format!("is no summary of trtexec's output ({e})"))?;
        let section = |key: &str| json_section(value.get(key));
        return put_together(
            None,
            &section("device_information"),
            &section("inference_options"),
            &[section("model_options"), section("build_options")].concat(),
        );
    }
    let sections = log_sections(text);
    let section = |key: &str| sections.get(key).cloned().unwrap_or_default();
    let mut output = put_together(
        TrtexecVersion::find(text),
        &section("Device Information"),
        &section("Inference Options"),
        &[section("Model Options"), section("Build Options")].concat(),
    )?;
    output.load_ns = load_ns(text);
    output.rtx = is_rtx(text);
    if let Some(run) = &mut output.run {
        run.cuda_graph &= !graph_failed(text);
        run.others.extend(only_arguments(text));
    }
    Ok(output)
}

/// `&&&& RUNNING TensorRT.trtexec [TensorRT v110400] # trtexec --greenContext=sm:64` → (`--greenContext`, `sm:64`).
fn only_arguments(text: &str) -> Vec<(String, String)> {
    let banner = text.lines().find_map(|l| l.split_once("&&&& RUNNING ")).map_or("", |(_, rest)| rest);
    let args = banner.split_once(" # ").map_or("", |(_, args)| args).split_whitespace();
    args.filter_map(|arg| arg.split_once('='))
        .filter(|arg| ONLY_ARGUMENTS.iter().any(|(name, off)| arg.0 == *name && arg.1 != *off))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Whether the output says that a CUDA graph was asked for and could not be captured.
pub fn graph_failed(text: &str) -> bool {
    NO_GRAPH.iter().any(|mark| text.contains(mark))
}

/// What `more` says where `output` is silent.
pub fn merge(output: TrtexecOutput, more: TrtexecOutput) -> TrtexecOutput {
    let or = |a: BTreeMap<_, _>, b| if a.is_empty() { b } else { a };
    TrtexecOutput {
        version: output.version.or(more.version),
        rtx: output.rtx || more.rtx,
        gpu: output.gpu.or(more.gpu),
        gpu_memory_mib: output.gpu_memory_mib.or(more.gpu_memory_mib),
        gpu_facts: or(output.gpu_facts, more.gpu_facts),
        multiprocessors: output.multiprocessors.or(more.multiprocessors),
        run: output.run.or(more.run),
        build: or(output.build, more.build),
        model: output.model.or(more.model),
        load_ns: output.load_ns.or(more.load_ns),
    }
}

fn json_section(value: Option<&Value>) -> Section {
    let plain = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    value
        .and_then(Value::as_object)
        .map(|map| map.iter().map(|(k, v)| (k.clone(), plain(v))).collect())
        .unwrap_or_default()
}

/// `[11/22/2026-10:00:00] [I] Streams: 1` → section → (`Streams`, `1`).
fn log_sections(text: &str) -> BTreeMap<String, Section> {
    let mut sections: BTreeMap<String, Section> = BTreeMap::new();
    let mut current = String::new();
    for line in text.lines() {
        let line = line.split_once("[I] ").map_or(line, |(_, rest)| rest).trim();
        if let Some(title) = line.strip_prefix("=== ").and_then(|l| l.strip_suffix(" ===")) {
            current = title.to_owned();
        } else if let Some((key, value)) = line.split_once(':') {
            let entry = (key.trim().to_owned(), value.trim().to_owned());
            sections.entry(current.clone()).or_default().push(entry);
        }
    }
    sections
}

fn put_together(
    version: Option<TrtexecVersion>,
    device: &Section,
    inference: &Section,
    build: &Section,
) -> Result<TrtexecOutput, String> {
    let named = |section: &Section, keys: &[&str]| -> BTreeMap<String, String> {
        section.iter().filter(|(k, _)| keys.contains(&k.as_str())).cloned().collect()
    };
    // A run that loads a plan prints build options that say nothing of how the plan was made.
    let built = get(build, &["Format"]).is_some_and(|f| f != "*");
    Ok(TrtexecOutput {
        version,
        rtx: false,
        gpu: get(device, &["Selected Device"]).map(str::to_owned),
        gpu_memory_mib: get(device, &["Device Global Memory"])
            .and_then(|m| m.split_whitespace().next()?.parse().ok()),
        gpu_facts: named(device, &GPU_FACTS),
        // The summary has a point in it.
        multiprocessors: get(device, &["SMs"]).and_then(|n| n.split('.').next()?.parse().ok()),
        run: if inference.is_empty() { None } else { Some(run_settings(inference)?) },
        build: if built { named(build, &BUILD_FACTS) } else { BTreeMap::new() },
        model: get(build, &["Model"]).filter(|m| built && !m.is_empty()).map(str::to_owned),
        load_ns: None,
    })
}

fn get<'a>(section: &'a Section, keys: &[&str]) -> Option<&'a str> {
    section.iter().find(|(k, _)| keys.contains(&k.as_str())).map(|(_, v)| v.as_str())
}

fn run_settings(options: &Section) -> Result<RunSettings, String> {
    let need = |keys: &[&str]| {
        get(options, keys).ok_or_else(|| format!("does not say `{}` among the inference options", keys[0]))
    };
    let switch = |key: &str| match need(&[key])? {
        "Enabled" => Ok(true),
        "Disabled" => Ok(false),
        other => Err(format!("says `{key}: {other}`, which is neither Enabled nor Disabled")),
    };
    let streams = need(&["Streams", "Inference Streams"])?;
    let duration = need(&["Duration"])?;
    let warm_up_ms = duration
        .split_once("(+ ")
        .and_then(|(_, rest)| rest.split_once("ms"))
        .and_then(|(ms, _)| ms.trim().parse::<f64>().ok())
        .filter(|ms| ms.is_finite() && *ms >= 0.0)
        .ok_or_else(|| format!("says `Duration: {duration}`, which does not tell the warm-up"))?;
    Ok(RunSettings {
        streams: streams
            .parse()
            .ok()
            .filter(|n| *n >= 1)
            .ok_or_else(|| format!("says `Streams: {streams}`, which is no number of streams"))?,
        overlap: !switch("ExposeDMA")?,
        transfers: switch("Data transfers")?,
        spin: switch("Spin-wait")?,
        cuda_graph: switch("CUDA Graph")?,
        warm_up_ms,
        // 0 or less: until somebody stops it.
        duration_ms: duration
            .split_once("s (")
            .and_then(|(s, _)| s.trim().parse::<f64>().ok())
            .filter(|s| s.is_finite() && *s > 0.0)
            .map(|s| s * 1e3),
        iterations: get(options, &["Iterations"]).and_then(|n| n.parse().ok()),
        shapes: shapes(options),
        others: others(options),
    })
}

/// `Input inference shape: x=1x3`, a line for each input, or several in one.
fn shapes(options: &Section) -> BTreeMap<String, String> {
    let values = options.iter().filter(|(k, _)| k.starts_with("Input inference shape")).map(|(_, v)| v);
    let pairs = values.flat_map(|v| v.split(',')).filter_map(|pair| pair.rsplit_once('='));
    pairs.map(|(name, dims)| (name.trim().to_owned(), dims.trim().to_owned())).collect()
}

fn others(options: &Section) -> BTreeMap<String, String> {
    let mut others: BTreeMap<String, String> = options
        .iter()
        .filter(|(k, v)| OTHERS.contains(&k.as_str()) && !OFF.contains(&v.as_str()))
        .cloned()
        .collect();
    // Implicit batches of old engines; with explicit ones the shapes tell.
    if let Some(batch) =
        get(options, &["Batch"]).filter(|b| b.bytes().all(|c| c.is_ascii_digit()) && *b != "1")
    {
        others.insert("Batch".into(), batch.into());
    }
    others
}

/// `Engine deserialized in 0.12 sec.`; failing that, `Engine loaded in 0.12 sec.`, which has reading in it.
fn load_ns(text: &str) -> Option<u64> {
    let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest);
    let rest = after("Engine deserialized in ").or_else(|| after("Engine loaded in "))?;
    let seconds: f64 = rest.split_whitespace().next()?.parse().ok()?;
    (seconds.is_finite() && seconds >= 0.0).then(|| (seconds * 1e9).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --loadEngine=x.plan
[11/22/2026-10:00:00] [I] === Model Options ===
[11/22/2026-10:00:00] [I] Format: *
[11/22/2026-10:00:00] [I] Model: 
[11/22/2026-10:00:00] [I] === Build Options ===
[11/22/2026-10:00:00] [I] Precision: FP32
[11/22/2026-10:00:00] [I] === Inference Options ===
[11/22/2026-10:00:00] [I] Batch: Explicit
[11/22/2026-10:00:00] [I] Input inference shape : in:0=1x3x8x8
[11/22/2026-10:00:00] [I] Input inference shape : mask=1x8
[11/22/2026-10:00:00] [I] Iterations: 10
[11/22/2026-10:00:00] [I] Duration: 3s (+ 200ms warm up)
[11/22/2026-10:00:00] [I] Sleep time: 0ms
[11/22/2026-10:00:00] [I] Idle time: 2ms
[11/22/2026-10:00:00] [I] Inference Streams: 2
[11/22/2026-10:00:00] [I] ExposeDMA: Disabled
[11/22/2026-10:00:00] [I] Data transfers: Enabled
[11/22/2026-10:00:00] [I] Spin-wait: Disabled
[11/22/2026-10:00:00] [I] Multithreading: Disabled
[11/22/2026-10:00:00] [I] CUDA Graph: Enabled
[11/22/2026-10:00:00] [I] === Device Information ===
[11/22/2026-10:00:00] [I] Selected Device: NVIDIA Test GPU
[11/22/2026-10:00:00] [I] Device Global Memory: 24268 MiB
[11/22/2026-10:00:01] [I] Engine deserialized in 0.25 sec.
";

    #[test]
    fn a_log_says_version_gpu_and_settings() {
        let s = read_output(LOG).unwrap();
        assert_eq!(s.version.map(|v| v.to_string()), Some("8.6.1".into()));
        assert_eq!((s.gpu.as_deref(), s.gpu_memory_mib), (Some("NVIDIA Test GPU"), Some(24268)));
        assert_eq!((s.load_ns, s.model), (Some(250_000_000), None));
        assert!(s.build.is_empty(), "a loaded plan was not built with what is printed");
        let run = s.run.unwrap();
        assert_eq!((run.streams, run.overlap, run.transfers), (2, true, true));
        assert_eq!((run.spin, run.cuda_graph, run.warm_up_ms), (false, true, 200.0));
        assert_eq!((run.duration_ms, run.iterations), (Some(3000.0), Some(10)));
        assert_eq!(run.shapes["in:0"], "1x3x8x8");
        assert_eq!(run.others, BTreeMap::from([("Idle time".into(), "2ms".into())]));
    }

    #[test]
    fn a_summary_in_json_says_the_same() {
        let json = r#"{"model_options": {"Format": "ONNX", "Model": "m.onnx"}, "build_options": {"Precision": "FP32+FP16", "avgTiming": "8"},
            "inference_options": {"Input inference shape": "x=32x3", "Duration": "3s (+ 200ms warm up)", "Streams": "1", "ExposeDMA": "Enabled",
            "Data transfers": "Disabled", "Spin-wait": "Enabled", "CUDA Graph": "Enabled"},
            "device_information": {"Selected Device": "G", "Compute Capability": 8.0, "Device Global Memory": "10 MiB"}}"#;
        let s = read_output(json).unwrap();
        assert_eq!(s.build["Precision"], "FP32+FP16");
        assert_eq!((s.model.as_deref(), s.gpu_memory_mib), (Some("m.onnx"), Some(10)));
        assert_eq!(s.gpu_facts["Compute Capability"], "8.0");
        let run = s.run.unwrap();
        assert!(!run.overlap && !run.transfers && run.spin);
        assert_eq!(run.shapes["x"], "32x3");
    }

    #[test]
    fn a_graph_that_could_not_be_captured_did_not_run() {
        let text = format!(
            "{LOG}[W] The built engine contains operations that are not permitted under CUDA graph capture mode."
        );
        assert!(!read_output(&text).unwrap().run.unwrap().cuda_graph);
    }

    #[test]
    fn what_a_version_says_of_its_defaults_is_no_setting() {
        let others = |more: &str, banner: &str| {
            let log = LOG.replace("2ms", "0ms").replace("[11/22/2026-10:00:00] [I] Multithreading", more);
            read_output(&log.replace("--loadEngine=x.plan", banner)).unwrap().run.unwrap().others
        };
        assert_eq!(others("Weight Streaming Budget: 100.000000%\nMultithreading", ""), BTreeMap::new());
        assert_eq!(others("Weight Streaming Budget: Disabled\nMultithreading", ""), BTreeMap::new());
        let half = others("Weight Streaming Budget: 50.000000%\nMultithreading", "");
        assert_eq!(half["Weight Streaming Budget"], "50.000000%");
        assert_eq!(others("Multithreading", "--allocationStrategy=static"), BTreeMap::new());
        let green = others("Multithreading", "--loadEngine=x.plan --greenContext=sm:64");
        assert_eq!(green, BTreeMap::from([("--greenContext".into(), "sm:64".into())]));
    }

    #[test]
    fn what_is_not_said_is_not_guessed() {
        assert_eq!(read_output("{}").unwrap(), TrtexecOutput::default());
        let lacking = LOG.replace("CUDA Graph: Enabled", "");
        assert!(read_output(&lacking).unwrap_err().contains("does not say `CUDA Graph`"));
        let odd = LOG.replace("Spin-wait: Disabled", "Spin-wait: maybe");
        assert!(read_output(&odd).unwrap_err().contains("neither Enabled nor Disabled"));
        assert!(read_output("{").unwrap_err().contains("no summary"));
    }
}
