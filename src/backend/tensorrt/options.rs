//! Sets the builder's options. Each option either takes effect or is a failure that names it.
//!
//! An option that is not set keeps TensorRT's default. Where the library refuses an option, what it logged is the
//! reason that the failure gives.

use super::sys::abi::{EnumValue, Family};
use super::sys::library::Api;
use super::sys::object::{Object, call};
use super::sys::tables::{
    builder_flag, compute_capability, device_type, hardware_compatibility_level, memory_pool_type,
    preview_feature, profiling_verbosity, runtime_platform, tactic_source, tiling_optimization_level,
    v_builder, v_builder_config as v,
};
use super::sys::text::c_text;
use crate::config::TensorrtOptions;
use crate::error::{Failure, FailureKind, Result};

/// Sets on `config` (and on `builder` what is set there) everything that `options` names.
pub fn apply(api: &Api, builder: &Object, config: &Object, options: &TensorrtOptions) -> Result<()> {
    let setter = Setter { api, builder, config };
    setter.memory(options)?;
    setter.numbers(options)?;
    setter.flags(options)?;
    setter.words(options)?;
    setter.dla(options)?;
    setter.targets(options)?;
    setter.runtime_cache(options)?;
    setter.plugins(options)
}

struct Setter<'a> {
    api: &'a Api,
    builder: &'a Object,
    config: &'a Object,
}

impl Setter<'_> {
    /// `answer` is what the library said, or true where it says nothing; what it logged counts too.
    fn ensure_accepted(&self, key: &str, answer: Result<bool>) -> Result<()> {
        let context = |f: Failure| f.context(format!("build option `{key}`"));
        let accepted = answer.map_err(context)?;
        let mut reasons = Vec::new();
        for logged in self.api.logged() {
            if logged.error || says_no(&logged.text) {
                reasons.push(logged.text);
            } else {
                self.api.keep(logged.text);
            }
        }
        if accepted && reasons.is_empty() {
            return Ok(());
        }
        let said = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join(" / ")) };
        Err(context(Failure::new(FailureKind::Build, format!("{} does not take it{said}", self.api.release)))
            .next("change the option, or take it out"))
    }

    fn memory(&self, options: &TensorrtOptions) -> Result<()> {
        use memory_pool_type as pool;
        for (key, pool, bytes) in [
            ("workspace", pool::WORKSPACE, options.workspace),
            ("dla-managed-sram", pool::DLA_MANAGED_SRAM, options.dla_managed_sram),
            ("dla-local-dram", pool::DLA_LOCAL_DRAM, options.dla_local_dram),
            ("dla-global-dram", pool::DLA_GLOBAL_DRAM, options.dla_global_dram),
            ("tactic-dram", pool::TACTIC_DRAM, options.tactic_dram),
            ("tactic-shared-memory", pool::TACTIC_SHARED_MEMORY, options.tactic_shared_memory),
        ] {
            let Some(bytes) = bytes else { continue };
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            let set = || {
                let pool = self.value(&pool)?;
                call!(self.config, v::SET_MEMORY_POOL_LIMIT, pool, bytes);
                Ok(call!(self.config, v::GET_MEMORY_POOL_LIMIT, pool) == bytes)
            };
            self.ensure_accepted(key, set())?;
        }
        Ok(())
    }

    fn numbers(&self, options: &TensorrtOptions) -> Result<()> {
        let number = |n: u64| i32::try_from(n).unwrap_or(i32::MAX);
        if let Some(n) = options.builder_optimization_level.map(number) {
            let set = || {
                call!(self.config, v::SET_BUILDER_OPTIMIZATION_LEVEL, n);
                Ok(call!(self.config, v::GET_BUILDER_OPTIMIZATION_LEVEL) == n)
            };
            self.ensure_accepted("builder-optimization-level", set())?;
        }
        if let Some(n) = options.max_aux_streams.map(number) {
            let set = || {
                let mut accepted = true;
                // The function began to answer in TensorRT 11.
                if self.api.family() == Family::Trt10 {
                    call!(self.config, v::SET_MAX_AUX_STREAMS_VOID, n);
                } else {
                    accepted = call!(self.config, v::SET_MAX_AUX_STREAMS_BOOL, n);
                }
                Ok(accepted && call!(self.config, v::GET_MAX_AUX_STREAMS) == n)
            };
            self.ensure_accepted("max-aux-streams", set())?;
        }
        if let Some(n) = options.max_tactics.map(number) {
            let set = || {
                call!(self.config, v::SET_MAX_NB_TACTICS, n);
                Ok(call!(self.config, v::GET_MAX_NB_TACTICS) == n)
            };
            self.ensure_accepted("max-tactics", set())?;
        }
        if let Some(n) = options.avg_timing_iterations.map(number) {
            let set = || {
                call!(self.config, v::SET_AVG_TIMING_ITERATIONS, n);
                Ok(call!(self.config, v::GET_AVG_TIMING_ITERATIONS) == n)
            };
            self.ensure_accepted("avg-timing-iterations", set())?;
        }
        if let Some(n) = options.max_threads.map(number) {
            let set = || Ok(call!(self.builder, v_builder::SET_MAX_THREADS, n));
            self.ensure_accepted("max-threads", set())?;
        }
        if let Some(n) = options.l2_limit_for_tiling {
            let n = i64::try_from(n).unwrap_or(i64::MAX);
            let set = || Ok(call!(self.config, v::SET_L2_LIMIT_FOR_TILING, n));
            self.ensure_accepted("l2-limit-for-tiling", set())?;
        }
        Ok(())
    }

    fn flags(&self, options: &TensorrtOptions) -> Result<()> {
        for (key, flag, on) in [
            ("tf32", builder_flag::TF32, options.tf32),
            ("sparsity", builder_flag::SPARSE_WEIGHTS, options.sparsity),
            ("refit", builder_flag::REFIT, options.refit),
            ("version-compatible", builder_flag::VERSION_COMPATIBLE, options.version_compatible),
            ("weight-streaming", builder_flag::WEIGHT_STREAMING, options.weight_streaming),
            ("gpu-fallback", builder_flag::GPU_FALLBACK, options.gpu_fallback),
            (
                "error-on-timing-cache-miss",
                builder_flag::ERROR_ON_TIMING_CACHE_MISS,
                options.error_on_timing_cache_miss,
            ),
        ] {
            if let Some(on) = on {
                self.ensure_accepted(key, self.flag(&flag, on))?;
            }
        }
        for word in options.flags.iter().flatten() {
            let set = self.find(builder_flag::ALL, word).and_then(|flag| self.flag(flag, true));
            self.ensure_accepted("flags", set)?;
        }
        self.precisions(options)
    }

    /// Precision flags are gone since networks are strongly typed.
    fn precisions(&self, options: &TensorrtOptions) -> Result<()> {
        let words = options.precisions.iter().flatten().map(|p| ("precisions", p.clone()));
        let constraints = options.precision_constraints.iter();
        let constraints =
            constraints.map(|c| ("precision-constraints", format!("{c}-precision-constraints")));
        for (key, word) in words.chain(constraints) {
            let set = self.find(builder_flag::ALL, &word).map_err(|_| {
                Failure::usage(format!(
                    "{} is strongly typed: the model's own types decide, and there is no {word} to ask for",
                    self.api.release
                ))
                .next("export the model in that precision, or build with TensorRT 10")
            });
            self.ensure_accepted(key, set.and_then(|flag| self.flag(flag, true)))?;
        }
        Ok(())
    }

    fn flag(&self, flag: &EnumValue, on: bool) -> Result<bool> {
        let value = self.value(flag)?;
        if on {
            call!(self.config, v::SET_FLAG, value);
        } else {
            call!(self.config, v::CLEAR_FLAG, value);
        }
        Ok(call!(self.config, v::GET_FLAG, value) == on)
    }

    fn words(&self, options: &TensorrtOptions) -> Result<()> {
        if let Some(word) = &options.profiling_verbosity {
            let set = || {
                let value = self.value(self.find(profiling_verbosity::ALL, word)?)?;
                call!(self.config, v::SET_PROFILING_VERBOSITY, value);
                Ok(call!(self.config, v::GET_PROFILING_VERBOSITY) == value)
            };
            self.ensure_accepted("profiling-verbosity", set())?;
        }
        if let Some(word) = &options.hardware_compatibility {
            let set = || {
                let value = self.value(self.find(hardware_compatibility_level::ALL, word)?)?;
                call!(self.config, v::SET_HARDWARE_COMPATIBILITY_LEVEL, value);
                Ok(call!(self.config, v::GET_HARDWARE_COMPATIBILITY_LEVEL) == value)
            };
            self.ensure_accepted("hardware-compatibility", set())?;
        }
        if let Some(word) = &options.tiling_optimization_level {
            let set = || {
                let value = self.value(self.find(tiling_optimization_level::ALL, word)?)?;
                Ok(call!(self.config, v::SET_TILING_OPTIMIZATION_LEVEL, value))
            };
            self.ensure_accepted("tiling-optimization-level", set())?;
        }
        if let Some(word) = &options.runtime_platform {
            let set = || {
                let value = self.value(self.find(runtime_platform::ALL, word)?)?;
                call!(self.config, v::SET_RUNTIME_PLATFORM, value);
                Ok(call!(self.config, v::GET_RUNTIME_PLATFORM) == value)
            };
            self.ensure_accepted("runtime-platform", set())?;
        }
        for word in options.preview_features.iter().flatten() {
            let set = || {
                let value = self.value(self.find(preview_feature::ALL, word)?)?;
                call!(self.config, v::SET_PREVIEW_FEATURE, value, true);
                Ok(call!(self.config, v::GET_PREVIEW_FEATURE, value))
            };
            self.ensure_accepted("preview-features", set())?;
        }
        let Some(words) = &options.tactic_sources else { return Ok(()) };
        let set = || {
            let mut mask = 0_u32;
            for word in words {
                mask |= 1 << self.value(self.find(tactic_source::ALL, word)?)?;
            }
            let accepted = call!(self.config, v::SET_TACTIC_SOURCES, mask);
            Ok(accepted && call!(self.config, v::GET_TACTIC_SOURCES) == mask)
        };
        self.ensure_accepted("tactic-sources", set())
    }

    fn dla(&self, options: &TensorrtOptions) -> Result<()> {
        let Some(core) = options.dla_core else { return Ok(()) };
        let set = || {
            let cores = call!(self.builder, v_builder::GET_NB_DLA_CORES);
            let core = i32::try_from(core).unwrap_or(i32::MAX);
            if core >= cores {
                return Err(Failure::usage(format!("there is no DLA core {core}: this machine has {cores}"))
                    .next("take the option out, or build on a machine with DLA (Jetson)"));
            }
            let dla = self.value(&device_type::DLA)?;
            call!(self.config, v::SET_DEFAULT_DEVICE_TYPE, dla);
            call!(self.config, v::SET_DLA_CORE, core);
            Ok(call!(self.config, v::GET_DLA_CORE) == core)
        };
        self.ensure_accepted("dla-core", set())
    }

    /// The GPUs a TensorRT-RTX engine is for.
    fn targets(&self, options: &TensorrtOptions) -> Result<()> {
        let Some(wanted) = &options.compute_capabilities else { return Ok(()) };
        let set = || {
            let count = i32::try_from(wanted.len()).unwrap_or(i32::MAX);
            if !call!(self.config, v::SET_NB_COMPUTE_CAPABILITIES, count) {
                return Ok(false);
            }
            for (index, word) in (0..).zip(wanted) {
                let word =
                    if word == "current" { word.clone() } else { format!("sm{}", word.replace('.', "")) };
                let value = self.value(self.find(compute_capability::ALL, &word)?)?;
                if !call!(self.config, v::SET_COMPUTE_CAPABILITY, value, index) {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        self.ensure_accepted("compute-capabilities", set())
    }

    /// Nothing for the builder to know; but others than TensorRT-RTX compile nothing that could be kept.
    fn runtime_cache(&self, options: &TensorrtOptions) -> Result<()> {
        if options.runtime_cache.is_none() || self.api.family() == Family::Rtx1 {
            return Ok(());
        }
        Err(Failure::usage(format!("{} compiles no kernels while it loads an engine", self.api.release))
            .next("take the option out: it is for TensorRT-RTX")
            .context("build option `runtime-cache`"))
    }

    fn plugins(&self, options: &TensorrtOptions) -> Result<()> {
        let Some(paths) = &options.plugins_to_serialize else { return Ok(()) };
        let texts =
            paths.iter().map(|p| c_text("the path", &p.to_string_lossy())).collect::<Result<Vec<_>>>()?;
        let pointers: Vec<_> = texts.iter().map(|t| t.as_ptr()).collect();
        let count = i32::try_from(pointers.len()).unwrap_or(i32::MAX);
        let set = || {
            call!(self.config, v::SET_PLUGINS_TO_SERIALIZE, pointers.as_ptr(), count);
            Ok(call!(self.config, v::GET_NB_PLUGINS_TO_SERIALIZE) == count)
        };
        self.ensure_accepted("plugins-to-serialize", set())
    }

    fn value(&self, value: &EnumValue) -> Result<i32> {
        value.of(self.api.family()).ok_or_else(|| self.unknown(value.kind, value.name))
    }

    /// The value that a word of the configuration means in this family.
    fn find<'e>(&self, all: &'e [EnumValue], word: &str) -> Result<&'e EnumValue> {
        let value = by_word(all, word).filter(|v| v.of(self.api.family()).is_some());
        value.ok_or_else(|| self.unknown(all.first().map_or("value", |v| v.kind), word))
    }

    fn unknown(&self, kind: &str, word: &str) -> Failure {
        Failure::usage(format!("{} has no {kind} {word}", self.api.release))
            .next("take it out, or build with a version that has it")
    }
}

/// Some options are refused by a warning alone.
fn says_no(warning: &str) -> bool {
    let warning = warning.to_lowercase();
    ["unsupported", "not supported", "ignored", "no effect"].iter().any(|words| warning.contains(words))
}

/// `layer-names` is `kLAYER_NAMES_ONLY`, `sm86` is `kSM86`.
pub fn by_word<'e>(all: &'e [EnumValue], word: &str) -> Option<&'e EnumValue> {
    let name = format!("k{}", word.to_uppercase().replace('-', "_"));
    all.iter().find(|v| v.name == name || v.name.strip_suffix("_ONLY") == Some(&name))
}
