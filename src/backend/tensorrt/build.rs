//! Builds a serialised plan from a checked ONNX model. Runs in build workers only.

use super::sys::callbacks::{Phase, ProgressMonitor};
use super::sys::library::Api;
use super::sys::object::{Layout, Object, call, is_nothing};
use super::sys::tables::{
    i_plugin_registry, v_builder, v_builder_config, v_host_memory, v_network_definition, v_timing_cache,
};
use super::sys::text::c_text;
use super::{network, options, run};
use crate::backend::cuda::memory::ask_nvml;
use crate::backend::cuda::{GpuContext, describe, driver_present};
use crate::backend::{BuildRequest, Payload, WARNINGS};
use crate::case::sha256_hex;
use crate::config::{BuildOptions, Shape, TensorrtOptions, Wait};
use crate::engine::set_plugins;
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use crate::progress::Progress;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// The name of the plan among the engine's parts.
pub const PLAN: &str = "engine.plan";

/// Builds the plan.
pub fn build(api: &Arc<Api>, device: u32, request: &BuildRequest) -> Result<Payload> {
    only_ours(request.options)?;
    let options = &request.options.tensorrt;
    let mut facts = BTreeMap::from([("tensorrt".to_owned(), api.path.display().to_string())]);
    let tell = |phases: &[Phase]| (request.progress)(progress(phases));
    // In the order in which they depend on each other: dropped the other way round.
    let monitor = ProgressMonitor::new(api.family(), &tell);
    let gpu = gpu(device, request)?;
    let traced = gpu.as_ref().zip(request.memory.as_ref());
    let allocator = traced.map(|(gpu, trace)| run::allocator(api, trace, gpu));
    let builder = api.builder()?;
    if let Some(allocator) = &allocator {
        call!(builder, v_builder::SET_GPU_ALLOCATOR, allocator.pointer());
    }
    load_plugins(api, &builder, options, &mut facts)?;
    let network = network::create(api, &builder, options.strongly_typed)?;
    let parser = api.parser(&network)?;
    network::parse(api, &parser, &request.model.bytes, request.path)?;
    let layers = call!(network, v_network_definition::GET_NB_LAYERS);
    facts.insert("network layers".into(), layers.to_string());
    let config = call!(builder, v_builder::CREATE_BUILDER_CONFIG);
    // SAFETY: the library has just made it for us, in that layout; nobody else deletes it.
    let config = unsafe { Object::owned(api, config, Layout::Wrapper, "createBuilderConfig") }?;
    api.errors();
    options::apply(api, &builder, &config, options)?;
    let cache = TimingCache::open(api, config, options, &mut facts)?;
    let own: BTreeMap<String, Shape> =
        request.inputs.iter().map(|i| (i.name.clone(), i.shape.clone())).collect();
    let profiles: Vec<_> = std::iter::once(own).chain(options.profiles.clone().unwrap_or_default()).collect();
    let count = network::add_profiles(api, &builder, &network, &cache.config, &profiles)?;
    facts.insert("profiles".into(), count.to_string());
    call!(cache.config, v_builder_config::SET_PROGRESS_MONITOR, monitor.pointer());
    api.errors();
    let plan = call!(builder, v_builder::BUILD_SERIALIZED_NETWORK, network.pointer(), cache.config.pointer());
    // SAFETY: the library has just made it for us.
    let plan = unsafe { host_memory(api, plan, "the engine was not built") }?;
    cache.write(api, options, &mut facts)?;
    let warnings = api.warnings();
    if !warnings.is_empty() {
        facts.insert(WARNINGS.into(), warnings.join("; "));
    }
    Ok(Payload { parts: vec![(PLAN.to_owned(), plan)], facts })
}

/// The GPU that the library times its tactics on, which is the one that this thread uses; `None` where it builds without
/// any.
fn gpu(device: u32, request: &BuildRequest) -> Result<Option<GpuContext>> {
    if !driver_present() || describe(device).is_err() {
        return Ok(None);
    }
    if let Some(trace) = &request.memory {
        ask_nvml(trace, device)?;
    }
    GpuContext::open(device, Wait::Block).map(Some)
}

/// Options that only the cpu backend has must not be dropped silently.
fn only_ours(options: &BuildOptions) -> Result<()> {
    let cpu = [("optimize", options.optimize), ("prepack-weights", options.prepack_weights)];
    match cpu.into_iter().find(|(_, on)| !on) {
        None => Ok(()),
        Some((key, _)) => Err(Failure::usage(format!("the tensorrt backend has no build option `{key}`"))
            .next("take it out; builder-optimization-level says how much TensorRT optimizes")),
    }
}

/// Phases in one line: all their names, and how far the innermost one with steps is.
pub(super) fn progress(phases: &[Phase]) -> Progress {
    let names: Vec<&str> = phases.iter().map(|p| p.name.as_str()).collect();
    let counted = phases.iter().rev().find(|p| p.steps > 1);
    Progress {
        doing: names.join(" > "),
        step: counted.map_or(0, |p| p.step),
        steps: counted.map_or(0, |p| p.steps),
    }
}

fn load_plugins(
    api: &Arc<Api>,
    builder: &Object,
    options: &TensorrtOptions,
    facts: &mut BTreeMap<String, String>,
) -> Result<()> {
    let paths = options.plugins.as_deref().unwrap_or_default();
    if paths.is_empty() {
        return Ok(());
    }
    let registry = call!(builder, v_builder::GET_PLUGIN_REGISTRY);
    // SAFETY: the library owns it, in that layout, for as long as what it belongs to, which is used no longer.
    let registry = unsafe { Object::borrowed(api, registry, Layout::Interface, "getPluginRegistry") }?;
    paths.iter().try_for_each(|path| load_plugin(api, &registry, path))?;
    set_plugins(facts, paths);
    Ok(())
}

/// Loads a plugin library, as both phases must.
pub(super) fn load_plugin(api: &Arc<Api>, registry: &Object, path: &Path) -> Result<()> {
    let name = c_text("the path", &path.to_string_lossy())?;
    let loaded = match api.init_plugins(path) {
        Some(done) => done,
        None => !call!(registry, i_plugin_registry::LOAD_LIBRARY, name.as_ptr()).is_null(),
    };
    if !loaded {
        let what = format!("the plugin library {} was not loaded", path.display());
        return Err(api.failed(FailureKind::Build, &what).context("build option `plugins`"));
    }
    Ok(())
}

/// The bytes of an `IHostMemory` that is ours.
///
/// # Safety
/// `pointer` is that of a live `IHostMemory` of this library, which nobody else deletes; or [`is_nothing`] holds for it.
pub(super) unsafe fn host_memory(
    api: &Arc<Api>,
    pointer: super::sys::abi::ObjectPointer,
    what: &str,
) -> Result<Vec<u8>> {
    if is_nothing(pointer) {
        return Err(api.failed(FailureKind::Build, what));
    }
    // SAFETY: the caller's promise.
    let memory = unsafe { Object::owned(api, pointer, Layout::Wrapper, what) }?;
    let (data, size) = (call!(memory, v_host_memory::DATA), call!(memory, v_host_memory::SIZE));
    if data.is_null() || size == 0 {
        return Err(api.failed(FailureKind::Build, &format!("{what}: it is empty")));
    }
    // SAFETY: the library says that there are `size` bytes at `data`, until the object is deleted below.
    Ok(unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size) }.to_vec())
}

/// The configuration and the timing cache it refers to, which is dropped after it.
struct TimingCache {
    config: Object,
    _cache: Option<Object>,
}

impl TimingCache {
    fn open(
        api: &Arc<Api>,
        config: Object,
        options: &TensorrtOptions,
        facts: &mut BTreeMap<String, String>,
    ) -> Result<Self> {
        let Some(path) = &options.timing_cache else { return Ok(Self { config, _cache: None }) };
        let bytes = match options.writes_timing_cache() {
            true => file::read_if_there(path, &file::TIMING_CACHE)?.unwrap_or_default(),
            false => file::read(path, &file::TIMING_CACHE)?,
        };
        let before = if bytes.is_empty() { "none".to_owned() } else { sha256_hex(&bytes) };
        facts.insert("timing cache before".into(), before);
        let data = if bytes.is_empty() { std::ptr::null_mut() } else { bytes.as_ptr().cast_mut().cast() };
        let refused = |f: Failure| {
            f.context(format!("the timing cache {}", path.display()))
                .next("it may be of another version or GPU; delete it, or name another file")
        };
        let cache = call!(config, v_builder_config::CREATE_TIMING_CACHE, data, bytes.len());
        // SAFETY: the library has just made it for us, in that layout; nobody else deletes it.
        let cache =
            unsafe { Object::owned(api, cache, Layout::Wrapper, "createTimingCache") }.map_err(refused)?;
        if !call!(config, v_builder_config::SET_TIMING_CACHE, cache.pointer(), false) {
            return Err(refused(api.failed(FailureKind::Build, "it was not taken")));
        }
        Ok(Self { config, _cache: Some(cache) })
    }

    fn write(
        &self,
        api: &Arc<Api>,
        options: &TensorrtOptions,
        facts: &mut BTreeMap<String, String>,
    ) -> Result<()> {
        let Some(path) = options.timing_cache.as_ref().filter(|_| options.writes_timing_cache()) else {
            return Ok(());
        };
        let cache = call!(self.config, v_builder_config::GET_TIMING_CACHE);
        // SAFETY: the library owns it, in that layout, for as long as what it belongs to, which is used no longer.
        let cache = unsafe { Object::borrowed(api, cache, Layout::Wrapper, "getTimingCache") }?;
        let bytes = call!(cache, v_timing_cache::SERIALIZE);
        // SAFETY: the library has just made it for us.
        let bytes = unsafe { host_memory(api, bytes, "the timing cache") }?;
        facts.insert("timing cache after".into(), sha256_hex(&bytes));
        let write = || -> std::io::Result<()> {
            let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
            file.write_all(&bytes)?;
            file.persist(path).map_err(|e| e.error)?;
            Ok(())
        };
        write().map_err(|e| Failure::io("write the timing cache", path, &e))
    }
}
