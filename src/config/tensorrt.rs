//! Holds what people tune about TensorRT's build: the keys of the `build` table that only the `tensorrt` backend has.
//!
//! Every key is optional; one that is not set leaves TensorRT's own default alone. Words are those of NVIDIA's
//! enumerations, in lower case with hyphens. Nothing here depends on the version of the library: the backend, which has
//! opened it, says what that version does not have.

use super::shape::{Shape, read_shapes};
use super::table::{Table, boolean, describe, list, text, whole};
use crate::error::did_you_mean;
use crate::units::parse_bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Makes the struct, the reader of its table and the merge from one list of keys.
macro_rules! options {
    ($($(#[doc = $doc:literal])+ $field:ident: $type:ty = $key:literal, $read:expr;)*) => {
        /// Options of TensorRT's builder; `None` is TensorRT's default.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
        pub struct TensorrtOptions {
            $(
                $(#[doc = $doc])+
                #[serde(rename = $key, default, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>,
            )*
        }

        impl TensorrtOptions {
            /// Reads the keys out of a `build` table.
            pub(super) fn read(table: &mut Table) -> Self {
                let dir = table.place.manifest.parent().map(Path::to_owned).unwrap_or_default();
                let mut options = Self { $($field: table.get($key, $read),)* };
                options.resolve(&dir);
                options
            }

            /// These options where they say something, otherwise those `below`.
            pub(super) fn over(self, below: Self) -> Self {
                Self { $($field: self.$field.or(below.$field),)* }
            }

            /// The keys that are set.
            pub fn keys(&self) -> Vec<&'static str> {
                let mut keys = Vec::new();
                $(if self.$field.is_some() { keys.push($key); })*
                keys
            }
        }
    };
}

options! {
    /// Scratch memory of the layers, in bytes (a limit).
    workspace: u64 = "workspace", size;
    /// SRAM that DLA manages, in bytes.
    dla_managed_sram: u64 = "dla-managed-sram", size;
    /// Host memory for DLA's intermediate tensors, in bytes.
    dla_local_dram: u64 = "dla-local-dram", size;
    /// Host memory for DLA's weights and metadata, in bytes.
    dla_global_dram: u64 = "dla-global-dram", size;
    /// Device memory for tactics while building, in bytes.
    tactic_dram: u64 = "tactic-dram", size;
    /// Shared memory a tactic may use, in bytes.
    tactic_shared_memory: u64 = "tactic-shared-memory", size;
    /// 0 to 5: how long the builder searches.
    builder_optimization_level: u64 = "builder-optimization-level", at_most(5);
    /// Streams that one inference may use beside its own.
    max_aux_streams: u64 = "max-aux-streams", at_most(1024);
    /// Tactics that are timed for a layer.
    max_tactics: u64 = "max-tactics", at_most(i32::MAX as u64);
    /// Threads of the builder.
    max_threads: u64 = "max-threads", at_most(4096);
    /// How often a tactic is timed for its average.
    avg_timing_iterations: u64 = "avg-timing-iterations", at_most(100_000);
    /// Exactly these sources of tactics.
    tactic_sources: Vec<String> = "tactic-sources", words(TACTIC_SOURCES);
    /// A file of timings: read where it is there, and written after the build.
    timing_cache: PathBuf = "timing-cache", path;
    /// Whether the timing cache is written. Default true.
    timing_cache_write: bool = "timing-cache-write", boolean;
    /// Fail where a tactic is not in the timing cache, so that no build depends on timings of this machine.
    error_on_timing_cache_miss: bool = "error-on-timing-cache-miss", boolean;
    /// What the engine tells about its layers.
    profiling_verbosity: String = "profiling-verbosity", word(VERBOSITIES);
    /// TF32 in float32 matrix products and convolutions.
    tf32: bool = "tf32", boolean;
    /// Use 2:4 structured sparsity where weights have it.
    sparsity: bool = "sparsity", boolean;
    /// Lower precisions the builder may choose; TensorRT 10 only, later ones follow the model's own types.
    precisions: Vec<String> = "precisions", words(PRECISIONS);
    /// Whether precisions of layers bind the builder; TensorRT 10 only.
    precision_constraints: String = "precision-constraints", word(&["obey", "prefer"]);
    /// Types as the model declares them; always so from TensorRT 11 and in TensorRT-RTX.
    strongly_typed: bool = "strongly-typed", boolean;
    /// Weights can be exchanged later.
    refit: bool = "refit", boolean;
    /// The plan loads in later releases of the same major version, and in the lean runtime.
    version_compatible: bool = "version-compatible", boolean;
    /// GPUs beside this one that the plan works on.
    hardware_compatibility: String = "hardware-compatibility", word(HARDWARE_LEVELS);
    /// Weights may stay in host memory.
    weight_streaming: bool = "weight-streaming", boolean;
    /// Run on this DLA core.
    dla_core: u64 = "dla-core", at_most(64);
    /// Layers that DLA cannot run go to the GPU.
    gpu_fallback: bool = "gpu-fallback", boolean;
    /// Plugin libraries, loaded before the model is parsed.
    plugins: Vec<PathBuf> = "plugins", list(path);
    /// Plugin libraries that become part of the plan.
    plugins_to_serialize: Vec<PathBuf> = "plugins-to-serialize", list(path);
    /// GPUs the engine is for, such as 8.6, or `current`; TensorRT-RTX only. Naming them needs no GPU.
    compute_capabilities: Vec<String> = "compute-capabilities", compute_capabilities;
    /// How much tiling across layers is tried.
    tiling_optimization_level: String = "tiling-optimization-level", word(&["none", "fast", "moderate", "full"]);
    /// L2 cache that tiling may count on, in bytes.
    l2_limit_for_tiling: u64 = "l2-limit-for-tiling", size;
    /// Whether kernels that are compiled while an engine loads are kept for the processes that measure it; TensorRT-RTX
    /// only. Default true; false measures loading as it is without. It changes how long loading takes, and no plan.
    runtime_cache: bool = "runtime-cache", boolean;
    /// The operating system the engine will run on.
    runtime_platform: String = "runtime-platform", word(&["same-as-build", "windows-amd64"]);
    /// Features that are not final.
    preview_features: Vec<String> = "preview-features", words(PREVIEW_FEATURES);
    /// Further flags of the builder.
    flags: Vec<String> = "flags", words(FLAGS);
    /// Optimisation profiles beside the one of the case's own shapes.
    profiles: Vec<BTreeMap<String, Shape>> = "profiles", list(profile);
}

/// The words for `profiling-verbosity`.
pub(crate) const VERBOSITIES: &[&str] = &["none", "layer-names", "detailed"];
/// The words for `hardware-compatibility`.
pub(crate) const HARDWARE_LEVELS: &[&str] = &["none", "ampere-plus", "same-compute-capability"];
/// The words for `precisions`.
pub(crate) const PRECISIONS: &[&str] = &["fp16", "bf16", "int8", "fp8", "int4", "fp4"];
/// The words for `tactic-sources`.
pub(crate) const TACTIC_SOURCES: &[&str] =
    &["cublas", "cublas-lt", "cudnn", "edge-mask-convolutions", "jit-convolutions"];
/// The words for `preview-features`, each with the version it came with.
pub(crate) const PREVIEW_FEATURES: &[&str] = &[
    "profile-sharing-0806",
    "aliased-plugin-io-10-03",
    "runtime-activation-resize-10-10",
    "multidevice-runtime-10-16",
];
/// The words for `flags`.
pub(crate) const FLAGS: &[&str] = &[
    "debug",
    "direct-io",
    "disable-compilation-cache",
    "disable-timing-cache",
    "distributive-independence",
    "editable-timing-cache",
    "exclude-lean-runtime",
    "monitor-memory",
    "refit-identical",
    "refit-individual",
    "require-user-allocation",
    "safety-scope",
    "strict-nans",
    "strip-plan",
];

impl TensorrtOptions {
    /// Whether no option is set.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the timing cache file is written after the build.
    pub fn writes_timing_cache(&self) -> bool {
        self.timing_cache.is_some() && self.timing_cache_write.unwrap_or(true)
    }

    /// Paths are relative to the manifest they are written in (on the command line: to the current folder).
    fn resolve(&mut self, dir: &Path) {
        let lists = [&mut self.plugins, &mut self.plugins_to_serialize].into_iter().flatten().flatten();
        for path in lists.chain(&mut self.timing_cache) {
            let joined = dir.join(&*path);
            *path = std::path::absolute(&joined).unwrap_or(joined);
        }
    }
}

/// Bytes, as a number or with a unit.
pub(super) fn size(value: &Value) -> Result<u64, String> {
    match value {
        Value::String(s) => parse_bytes(s),
        other => whole(0)(other).map_err(|why| format!("{why}; or a size such as \"1GiB\"")),
    }
}

fn at_most(max: u64) -> impl Fn(&Value) -> Result<u64, String> {
    move |value| match whole(0)(value)? {
        n if n <= max => Ok(n),
        n => Err(format!("is {n}; it is at most {max}")),
    }
}

fn path(value: &Value) -> Result<PathBuf, String> {
    match text(value)? {
        t if t.is_empty() => Err("is empty, where a path is meant".into()),
        t => Ok(t.into()),
    }
}

fn word(known: &'static [&'static str]) -> impl Fn(&Value) -> Result<String, String> {
    move |value| {
        let word = text(value)?;
        if known.contains(&word.as_str()) {
            return Ok(word);
        }
        Err(match did_you_mean(&word, known.iter().copied()) {
            Some(near) => format!("is \"{word}\"; did you mean \"{near}\"?"),
            None => format!("is \"{word}\"; it is one of {}", known.join(", ")),
        })
    }
}

/// A list of words without repetition, in a fixed order, so that the order they are written in changes no hash.
fn words(known: &'static [&'static str]) -> impl Fn(&Value) -> Result<Vec<String>, String> {
    move |value| {
        let mut all = list(word(known))(value)?;
        all.sort();
        all.dedup();
        Ok(all)
    }
}

/// The order they are named in changes nothing.
fn compute_capabilities(value: &Value) -> Result<Vec<String>, String> {
    let mut all = list(compute_capability)(value)?;
    all.sort();
    all.dedup();
    Ok(all)
}

/// `8.6`, which TOML reads as a number, `"8.6"` or `"current"`.
fn compute_capability(value: &Value) -> Result<String, String> {
    let text = match value {
        Value::Number(n) => format!("{:.1}", n.as_f64().unwrap_or(0.0)),
        Value::String(s) => s.clone(),
        other => {
            return Err(format!(
                "holds {}, where a compute capability such as 8.6 is meant",
                describe(other)
            ));
        }
    };
    let digits = |t: &str| !t.is_empty() && t.len() < 4 && t.bytes().all(|b| b.is_ascii_digit());
    match text.split_once('.') {
        Some((major, minor)) if digits(major) && digits(minor) => Ok(text),
        None if text == "current" => Ok(text),
        _ => Err(format!("holds \"{text}\", where a compute capability such as 8.6 (or current) is meant")),
    }
}

fn profile(value: &Value) -> Result<BTreeMap<String, Shape>, String> {
    let Value::Object(map) = value else {
        return Err(format!("holds {}, where a table of shapes is meant", describe(value)));
    };
    let shapes = read_shapes(map.clone())?;
    if let Some((name, _)) = shapes.iter().find(|(_, s)| s.uses_batch()) {
        return Err(format!(
            "has the word batch in the shape of `{name}`; further profiles are the same for every batch"
        ));
    }
    Ok(shapes.into_iter().map(|(name, spec)| (name, spec.at(1))).collect())
}
