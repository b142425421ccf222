//! Loads a plan and makes streams of requests from it. Each stream has a context of its own; all contexts are of one
//! engine, so they share its weights.
//!
//! `cuda::stream` decides what is timed and when, in the same way for every backend on a GPU.

use super::context::{Context, RtxContext, RuntimeCache, Specialization};
use super::host_tensor::HostTensor;
use super::inference::{Inference, OutputPlace};
use super::runtime::{Engine, IoTensor, Runtime};
use super::sys::abi::Family;
use super::sys::allocator::GpuAllocator;
use super::sys::library::Api;
use super::sys::output_allocator::OutputAllocator;
use crate::backend::cuda::buffers::{Buffers, OutputSpec};
use crate::backend::cuda::memory::{DriverMemory, watch};
use crate::backend::cuda::stream::GpuStream;
use crate::backend::cuda::{GpuContext, GpuProbe, Kernels};
use crate::backend::trace::MemoryTrace;
use crate::backend::{CompiledKernels, LoadSetup, Opened, Stream};
use crate::case::sha256_hex;
use crate::config::TensorrtOptions;
use crate::engine::{self, EngineHeader};
use crate::error::{Failure, FailureKind, Result};
use crate::file;
use crate::memory::{EngineMemory, MemoryPhase};
use crate::tensor::Tensor;
use crate::units::nanos;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Loads `plan` and prepares its streams.
pub(super) fn open(
    api: &Arc<Api>,
    device: u32,
    header: &EngineHeader,
    plan: &[u8],
    setup: &LoadSetup,
    inputs: &[(String, Tensor)],
) -> Result<Opened> {
    let mut steps = Steps::default();
    watch(setup, device)?;
    let gpu = steps.time("CUDA context", || GpuContext::open(device, setup.mode.wait))?;
    let kernels = Arc::new(Kernels::load(&gpu)?);
    let traced = setup.memory.as_ref().map(|trace| allocator(api, trace, &gpu));
    setup.phase(MemoryPhase::Load);
    let engine = steps.time("deserialise", || load(api, header, plan, traced.as_ref()))?;
    if let Some(trace) = &setup.memory {
        trace.engine(engine_memory(&engine, header, plan)?);
    }
    let (cache, note) = cache(api, &engine, &setup.kernels)?;
    let mut streams: Vec<Box<dyn Stream>> = Vec::new();
    let (mut capture_ns, mut plain) = (0, None);
    for _ in 0..setup.point.streams {
        setup.phase(MemoryPhase::Context);
        let context = steps.time("context", || context(api, &engine, cache.as_ref()))?;
        setup.phase(MemoryPhase::Inference);
        let mut stream = steps.time("buffers and first inference", || {
            stream((&gpu, &kernels), api.family(), &engine, context, header, setup, inputs)
        })?;
        if setup.point.cuda_graph {
            if plain.is_none() {
                plain = Some(stream.outputs()?);
            }
            capture_ns += stream.capture_all()?;
        }
        streams.push(Box::new(stream));
    }
    if setup.point.cuda_graph {
        steps.0.push(("graph capture".into(), capture_ns));
    }
    let load_ns = steps.0.iter().map(|(_, ns)| ns).sum();
    let gpu = Some(GpuProbe::new(&gpu, &kernels)?);
    // After the first inference of each context: what that compiled is in it.
    let kernels = match (&setup.kernels, cache) {
        (CompiledKernels::Keep, Some(cache)) => Some(cache.serialize()?),
        _ => None,
    };
    Ok(Opened { streams, load_ns, steps: steps.0, plain, gpu, kernels, note })
}

/// What loading was spent on; steps of the same name add up.
#[derive(Default)]
struct Steps(Vec<(String, u64)>);

impl Steps {
    fn time<T>(&mut self, name: &str, what: impl FnOnce() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        let made = what()?;
        let ns = nanos(start.elapsed());
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some((_, sum)) => *sum += ns,
            None => self.0.push((name.to_owned(), ns)),
        }
        Ok(made)
    }
}

/// What the engine says of its memory.
fn engine_memory(engine: &Engine, header: &EngineHeader, plan: &[u8]) -> Result<EngineMemory> {
    let streams = header.made_from.build.tensorrt.weight_streaming == Some(true);
    let (streamable, streamed) = streams.then(|| engine.streamed_weights()).transpose()?.unzip();
    Ok(EngineMemory {
        plan_bytes: plan.len() as u64,
        context_bytes: Some(engine.device_memory_bytes()?),
        streamable_weight_bytes: streamable,
        streamed_weight_bytes: streamed,
    })
}

/// An allocator of ours for what belongs to one GPU, which tells `trace` of every call.
pub(super) fn allocator(api: &Arc<Api>, trace: &Arc<MemoryTrace>, gpu: &GpuContext) -> Arc<GpuAllocator> {
    Arc::new(GpuAllocator::new(api.family(), trace, Box::new(DriverMemory::new(gpu))))
}

fn load(
    api: &Arc<Api>,
    header: &EngineHeader,
    plan: &[u8],
    allocator: Option<&Arc<GpuAllocator>>,
) -> Result<Arc<Engine>> {
    let options = &header.made_from.build.tensorrt;
    // The options name plugins by their contents; where they were when the engine was built is a fact of the build.
    let mut built_with = options.plugins.iter().flatten();
    let plugins: Vec<&Path> = engine::plugins(&header.facts).collect();
    plugins.iter().try_for_each(|plugin| ensure_same(plugin, built_with.next()))?;
    load_engine(api, options, &plugins, plan, allocator)
}

/// Loads a plan that is trusted: it is of an engine file whose hash was checked, or somebody said so.
pub(super) fn load_engine(
    api: &Arc<Api>,
    options: &TensorrtOptions,
    plugins: &[impl AsRef<Path>],
    plan: &[u8],
    allocator: Option<&Arc<GpuAllocator>>,
) -> Result<Arc<Engine>> {
    let mut runtime = Runtime::new(api)?;
    if let Some(allocator) = allocator {
        runtime.set_allocator(allocator)?;
    }
    if options.version_compatible == Some(true) {
        runtime.allow_host_code()?;
    }
    if let Some(core) = options.dla_core {
        runtime.set_dla_core(u32::try_from(core).unwrap_or(u32::MAX))?;
    }
    plugins.iter().try_for_each(|plugin| runtime.load_plugin(plugin.as_ref()))?;
    Ok(Arc::new(Arc::new(runtime).deserialize(plan)?))
}

/// A plugin library is code: the very file that the engine was built with is loaded, or none.
fn ensure_same(plugin: &Path, built_with: Option<&PathBuf>) -> Result<()> {
    let bytes = file::read(plugin, &file::PLUGIN)?;
    if built_with.is_some_and(|hash| hash.as_os_str() == sha256_hex(&bytes).as_str()) {
        return Ok(());
    }
    let what =
        format!("the plugin library {} is not the one that the engine was built with", plugin.display());
    Err(Failure::new(FailureKind::Measure, what).next("build the engine again: cargo trt-perf build"))
}

/// What the contexts compile, and what an earlier process did; `None` where nothing is kept. With what is to be said where
/// the library refuses what an earlier process compiled.
fn cache(
    api: &Arc<Api>,
    engine: &Engine,
    kernels: &CompiledKernels,
) -> Result<(Option<Arc<RuntimeCache>>, Option<String>)> {
    let kept = match kernels {
        CompiledKernels::Compile => return Ok((None, None)),
        _ if api.family() != Family::Rtx1 => return Ok((None, None)),
        CompiledKernels::Keep => &[][..],
        CompiledKernels::Kept(bytes) => bytes,
    };
    let cache = engine.runtime_cache(kept)?;
    let refused = cache.is_none().then(|| {
        let said: Vec<String> = api.errors().iter().map(|error| format!(" ({error})")).collect();
        format!(
            "{} refuses the kernels that were kept for this engine{}: each process compiles its own and loads longer; \
             delete the .kernels files beside the engine to keep new ones",
            api.release,
            said.concat()
        )
    });
    Ok((cache, refused))
}

fn context(api: &Arc<Api>, engine: &Arc<Engine>, cache: Option<&Arc<RuntimeCache>>) -> Result<Context> {
    if api.family() == Family::Rtx1 {
        // Eager: otherwise kernels are exchanged while requests are measured.
        return engine.rtx_context(&RtxContext {
            specialization: Specialization::Eager,
            cache: cache.cloned(),
            ..RtxContext::default()
        });
    }
    engine.context(false)
}

/// A context with every tensor in its place, on a CUDA stream of its own.
fn stream(
    (gpu, kernels): (&GpuContext, &Arc<Kernels>),
    family: Family,
    engine: &Arc<Engine>,
    mut context: Context,
    header: &EngineHeader,
    setup: &LoadSetup,
    inputs: &[(String, Tensor)],
) -> Result<GpuStream<Inference>> {
    let tensors = engine.io_tensors()?;
    let (host, on_device) = bind_inputs(&mut context, &tensors, inputs)?;
    if !context.shapes_complete()? {
        return Err(refuse("an input has no shape yet", "give every input's shape with --shape"));
    }
    let (mut outputs, mut fixed, mut growing) = (Vec::new(), Vec::new(), Vec::new());
    for name in &header.outputs {
        let io = find(&tensors, name, false)?;
        let spec = output(&context, io, setup)?;
        let names = if matches!(spec, OutputSpec::Fixed(_)) { &mut fixed } else { &mut growing };
        names.push(io.name.clone());
        outputs.push(spec);
    }
    let cuda_stream = gpu.stream()?;
    let buffers = Buffers::all(gpu, &cuda_stream, &on_device, &outputs, setup)?;
    let mut names = on_device
        .iter()
        .map(|(name, _)| Ok(find(&tensors, name, true)?.name.clone()))
        .collect::<Result<Vec<_>>>()?;
    names.extend(fixed);
    let addresses = buffers.iter().map(|b| [b.inputs(), b.outputs()].concat()).collect();
    let allocator = |place| Arc::new(OutputAllocator::new(family, Arc::new(OutputPlace(place))));
    let allocators = buffers.iter().map(|b| b.growing().into_iter().map(allocator).collect()).collect();
    let engine = Arc::clone(engine);
    let inference = Inference {
        context,
        engine,
        profiler: None,
        names,
        addresses,
        growing,
        allocators,
        bound: None,
        _host: host,
    };
    GpuStream::new(gpu, kernels, cuda_stream, buffers, inference, setup)
}

/// Tensors with their names.
type NamedTensors = Vec<(String, Tensor)>;

/// Gives a context its inputs' shapes, and those tensors that it reads in host memory; what is left is for the GPU.
fn bind_inputs(
    context: &mut Context,
    tensors: &[IoTensor],
    inputs: &[(String, Tensor)],
) -> Result<(Vec<HostTensor>, NamedTensors)> {
    let (mut host, mut on_device) = (Vec::new(), Vec::new());
    for (name, tensor) in inputs {
        let io = find(tensors, name, true)?;
        check_type(io, Some(tensor))?;
        let dims: Vec<i64> = tensor.shape.iter().map(|d| i64::try_from(*d).unwrap_or(i64::MAX)).collect();
        context.set_input_shape(&io.name, &dims)?;
        if !io.host {
            on_device.push((name.clone(), tensor.clone()));
            continue;
        }
        let values = HostTensor::new(&tensor.data);
        // SAFETY: host memory of the size of the tensor, which does not move with its owner and is kept as long as the
        // context by `Inference`.
        unsafe { context.set_tensor_address(&io.name, values.words.cast())? };
        host.push(values);
    }
    Ok((host, on_device))
}

/// The engine's tensor of this name.
fn find<'t>(tensors: &'t [IoTensor], name: &str, input: bool) -> Result<&'t IoTensor> {
    let found = tensors.iter().find(|t| t.input == input && t.name.to_str().is_ok_and(|n| n == name));
    found.ok_or_else(|| {
        let side = if input { "input" } else { "output" };
        refuse(
            format!("the engine has no {side} `{name}`, though its model has"),
            "build it again; if it repeats, report it with the model",
        )
    })
}

/// The bytes of a tensor must mean the same to both.
fn check_type(io: &IoTensor, fed: Option<&Tensor>) -> Result<()> {
    let name = io.name.to_string_lossy();
    let export = "export the model with inputs and outputs of float, half or integer types";
    match (io.dtype, fed) {
        (None, _) => Err(refuse(
            format!("tensor `{name}` has the type {}, which cannot be fed or checked", io.type_name),
            export,
        )),
        (Some(wants), Some(fed)) if wants != fed.dtype => Err(refuse(
            format!("input `{name}` is {} in the engine, {} in the model", io.type_name, fed.dtype),
            export,
        )),
        _ if !io.linear => Err(refuse(format!("tensor `{name}` is not stored row by row"), export)),
        _ => Ok(()),
    }
}

/// What is known of an output: its type, and its shape for the inputs' shapes, unless that depends on their values.
fn output(context: &Context, io: &IoTensor, setup: &LoadSetup) -> Result<OutputSpec> {
    check_type(io, None)?;
    let name = io.name.to_string_lossy();
    let dims = context.tensor_shape(&io.name)?;
    let dtype = io.dtype.ok_or_else(|| refuse(format!("output `{name}` has no usable type"), ""))?;
    if io.host {
        return Err(refuse(
            format!("output `{name}` is a shape, which the library leaves in host memory"),
            "cut the model before that output",
        ));
    }
    let shape = dims.iter().map(|d| usize::try_from(*d)).collect::<std::result::Result<Vec<_>, _>>();
    let Ok(shape) = shape else {
        if setup.point.cuda_graph {
            let what = format!(
                "the shape {dims:?} of output `{name}` depends on the values of the inputs, and a CUDA graph has fixed sizes"
            );
            return Err(refuse(what, "run without --cuda-graph"));
        }
        return Ok(OutputSpec::Growing(dtype));
    };
    let elements = shape.iter().try_fold(dtype.size(), |n, d| n.checked_mul(*d));
    let bytes = elements.filter(|n| isize::try_from(*n).is_ok()).ok_or_else(|| {
        refuse(
            format!("the library gives output `{name}` the shape {dims:?}, which no memory holds"),
            "give smaller shapes with --shape; if they are small already, build the engine again",
        )
    })?;
    Ok(Tensor { dtype, shape, data: vec![0; bytes] }.into())
}

fn refuse(what: impl Into<String>, next: &str) -> Failure {
    Failure::new(FailureKind::Measure, what).next(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_plugin_library_that_an_engine_was_built_with_is_loaded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plugin.so");
        std::fs::write(&path, "code").unwrap();
        let built_with = PathBuf::from(sha256_hex(b"code"));
        ensure_same(&path, Some(&built_with)).unwrap();
        let unknown = ensure_same(&path, None).unwrap_err();
        std::fs::write(&path, "other code").unwrap();
        let changed = ensure_same(&path, Some(&built_with)).unwrap_err();
        for failure in [unknown, changed] {
            assert!(
                failure.message.ends_with("plugin.so is not the one that the engine was built with"),
                "{failure}"
            );
        }
    }
}
