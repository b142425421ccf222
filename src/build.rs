//! Builds the engine of a case, or finds it in the cache, which names engines by their contents. Runs in a build
//! worker.

mod values;

use crate::backend::trace::{MemoryTrace, keep_events};
use crate::backend::{Backend, BuildRequest, backend};
use crate::cache::{Cache, touch};
use crate::case::{BackendKind, Target, sha256_hex};
use crate::config::{BuildOptions, Shape, dims_text, is_plan};
use crate::engine::{self, Built, EngineHeader, EngineInputs, InputSpec, PlanHeader};
use crate::error::{Failure, FailureKind, Result, did_you_mean};
use crate::file;
use crate::inputs::sensible_range;
use crate::memory::MemoryPhase;
use crate::onnx::{ModelDim, ModelFile, ModelInput};
use crate::progress::{Progress, Stage, Tell};
use crate::units::{hex, nanos};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(100);

/// Make the engine of a case, or find it in the cache.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BuildJob {
    /// The backend, and where it runs.
    pub target: Target,
    /// The model's file.
    pub model: PathBuf,
    /// Whether a plan may be loaded that this tool did not build.
    pub trust_plan: bool,
    /// The configured shapes, by the input's name.
    pub shapes: BTreeMap<String, Shape>,
    /// `.npy` files by the input they are for: an engine must know the values of those that decide shapes.
    pub inputs: BTreeMap<String, PathBuf>,
    /// Fills a dynamic first dimension without a shape, where `batches` was configured.
    pub batch: Option<u64>,
    /// Whether a configured shape names the batch already.
    pub batch_in_shapes: bool,
    /// The build options.
    pub build: BuildOptions,
    /// Threads of the CPU backend.
    pub threads: u64,
    /// The folder of this session's engines.
    pub engines: PathBuf,
    /// The folder of earlier checks' engines, if they may be used.
    pub cache: Option<PathBuf>,
    /// Where the events of the allocator go: then the engine is built, whatever is in a cache, and memory is traced.
    pub memory: Option<PathBuf>,
    /// Build it although it may be there: builders choose other tactics from build to build.
    pub fresh: bool,
}

/// Finds the engine in the cache or builds it.
pub fn run(job: &BuildJob, tell: &mut dyn Tell) -> Result<Built> {
    let backend = backend(&job.target)?;
    ensure_trusted(job)?;
    let model = backend.read(&job.model, &job.build)?;
    let inputs = resolve_inputs(job, &model).map_err(|e| e.context(job.model.display()))?;
    let made_from = EngineInputs {
        format: EngineInputs::FORMAT,
        backend: job.target.kind.word().into(),
        library: backend.library()?,
        model_sha256: model.sha256.clone(),
        external_sha256: model.external.iter().map(|(n, b)| (n.clone(), sha256_hex(b))).collect(),
        build: by_content(&job.build)?,
        threads: job.threads,
        inputs,
        hardware: backend.hardware(&job.build)?,
    };
    let hash = made_from.hash();
    let path = engine::path(&job.engines, &hash);
    if let Some(events) = &job.memory {
        return build_traced(job, model, made_from, (backend.as_ref(), &path, events), tell);
    }
    // A file that is damaged is built again, not trusted and not complained about.
    if let Some((header, parts)) = engine::read(&path).ok().filter(|_| !job.fresh) {
        touch(&path);
        let here = with_plugins_of(job, &header);
        if here != header {
            write(&path, &here, &parts)?;
        }
        return Ok(Built::new(path, here, true));
    }
    let cache = job.cache.as_deref().map(Cache::open).transpose()?;
    let mut cache_trouble = match cache.as_ref().map_or(Ok(None), |cache| cache.take(&hash)) {
        Ok(Some((header, parts))) => {
            let header = with_plugins_of(job, &header);
            write(&path, &header, &parts)?;
            return Ok(Built::new(path, header, true));
        }
        Ok(None) => None,
        Err(why) => Some(why),
    };
    tell.stage(Stage::Build, 0);
    let header = build(job, model, made_from, (backend.as_ref(), &path, None), tell)?;
    if let Some(Err(failure)) = cache.map(|cache| cache.keep(&hash, &path)) {
        cache_trouble = Some(failure.message);
    }
    Ok(Built { cache_trouble, ..Built::new(path, header, false) })
}

/// Builds the engine, and tells what memory that took. Nothing is taken from a cache.
fn build_traced(
    job: &BuildJob,
    model: ModelFile,
    made_from: EngineInputs,
    (backend, path, events_file): (&dyn Backend, &Path, &Path),
    tell: &mut dyn Tell,
) -> Result<Built> {
    tell.stage(Stage::Build, 0);
    let trace = MemoryTrace::of(&job.target, MemoryPhase::Build, 0);
    let header = build(job, model, made_from, (backend, path, Some(&trace)), tell)?;
    trace.begin(MemoryPhase::End);
    let (_, process, events) = trace.end();
    keep_events(events_file, &events)?;
    Ok(Built { memory: Some(process), ..Built::new(path.to_owned(), header, false) })
}

/// A plan is executable content: nothing looks into it before somebody says that it may be run.
fn ensure_trusted(job: &BuildJob) -> Result<()> {
    if !is_plan(&job.model) {
        return Ok(());
    }
    let (header, _) = PlanHeader::read(&job.model)?;
    let plan = job.model.display();
    if job.target.kind != BackendKind::Tensorrt {
        return Err(Failure::usage(format!(
            "{plan} is a plan of TensorRT, and the backend {} does not load plans",
            job.target.kind.word()
        ))
        .next("use --backend tensorrt"));
    }
    if !job.trust_plan {
        return Err(Failure::usage(format!(
            "{plan} was built by {header}, and not by this tool; a plan is executable content, so it is not loaded unasked"
        ))
        .next("if you trust whoever made it, say so with --trust-plan; otherwise name the .onnx file it was built from"));
    }
    Ok(())
}

fn write(path: &Path, header: &EngineHeader, parts: &[Vec<u8>]) -> Result<()> {
    engine::write(path, header, &parts.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// Plugin libraries are named by their contents, so an engine that was there already may know them from another place.
fn with_plugins_of(job: &BuildJob, header: &EngineHeader) -> EngineHeader {
    let mut header = header.clone();
    let plugins = job.build.tensorrt.plugins.as_deref().unwrap_or_default();
    engine::set_plugins(&mut header.facts, plugins);
    header
}

fn build(
    job: &BuildJob,
    model: ModelFile,
    made_from: EngineInputs,
    (backend, path, memory): (&dyn Backend, &Path, Option<&Arc<MemoryTrace>>),
    tell: &mut dyn Tell,
) -> Result<EngineHeader> {
    let (outputs, operators) = (model.outputs.clone(), model.operators.clone());
    let start = Instant::now();
    let last = Mutex::new((tell, None));
    let progress = |progress: Progress| pass_on(&last, progress);
    let request = BuildRequest {
        model,
        path: &job.model,
        inputs: &made_from.inputs,
        options: &job.build,
        scratch: &job.engines,
        memory: memory.cloned(),
        progress: &progress,
    };
    let built = backend.build(request).map_err(|e| e.context(job.model.display()))?;
    ensure_same_plugins(job, &made_from.build)?;
    let build_ns = nanos(start.elapsed());
    let parts = built.parts;
    let payload: Vec<&[u8]> = parts.iter().map(|(_, b)| b.as_slice()).collect();
    let mut hash = Sha256::new();
    payload.iter().for_each(|p| hash.update(p));
    let header = EngineHeader {
        inputs_hash: made_from.hash(),
        made_from,
        payload_sha256: hex(hash.finalize()),
        parts: parts.iter().map(|(n, b)| (n.clone(), b.len() as u64)).collect(),
        outputs,
        operators,
        build_ns,
        facts: built.facts,
    };
    engine::write(path, &header, &payload)?;
    Ok(header)
}

/// What the libraries were named by must be what was loaded.
fn ensure_same_plugins(job: &BuildJob, named: &BuildOptions) -> Result<()> {
    let now = by_content(&job.build)?.tensorrt;
    if now.plugins == named.tensorrt.plugins
        && now.plugins_to_serialize == named.tensorrt.plugins_to_serialize
    {
        return Ok(());
    }
    Err(Failure::new(FailureKind::Build, "a plugin library was changed while the engine was built with it")
        .next("end what writes to it, and run again"))
}

/// Tells progress, but not more often than anyone can read.
fn pass_on(last: &Mutex<(&mut dyn Tell, Option<Instant>)>, progress: Progress) {
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    if last.1.is_some_and(|at| at.elapsed() < TELL_EVERY) {
        return;
    }
    last.1 = Some(Instant::now());
    last.0.progress(progress);
}

/// The options with files named by their contents: the same file at another path makes the same engine, another file
/// at the same path does not.
fn by_content(options: &BuildOptions) -> Result<BuildOptions> {
    let name = |path: &Path| -> Result<PathBuf> {
        let bytes = file::read(path, &file::PLUGIN)?;
        Ok(PathBuf::from(sha256_hex(&bytes)))
    };
    let mut options = options.clone();
    // A cache that every build adds to would make each engine stale at once; its hashes are kept with the engine.
    let kept = !options.tensorrt.writes_timing_cache();
    if let Some(path) = &mut options.tensorrt.timing_cache {
        *path = if kept && path.exists() { name(path)? } else { PathBuf::new() };
    }
    // It says what becomes of a built engine.
    options.tensorrt.runtime_cache = None;
    let lists = [&mut options.tensorrt.plugins, &mut options.tensorrt.plugins_to_serialize];
    for path in lists.into_iter().flatten().flatten() {
        *path = name(path)?;
    }
    Ok(options)
}

/// The model's inputs with the shapes of the case put in.
fn resolve_inputs(job: &BuildJob, model: &ModelFile) -> Result<Vec<InputSpec>> {
    for name in job.shapes.keys() {
        if !model.inputs.iter().any(|i| i.name == *name) {
            let names: Vec<&str> = model.inputs.iter().map(|i| i.name.as_str()).collect();
            let near = did_you_mean(name, names.iter().copied())
                .map_or(String::new(), |n| format!("; did you mean `{n}`?"));
            return Err(Failure::usage(format!(
                "a shape or a number is given for `{name}`, which is no input of this model{near}"
            ))
            .next(format!("its inputs are {}", names.join(", "))));
        }
    }
    let mut batch_used = job.batch_in_shapes;
    let inputs = model
        .inputs
        .iter()
        .map(|input| {
            let shape = match job.shapes.get(&input.name) {
                Some(shape) => check_shape(input, shape)?,
                None => declared_shape(input, job.batch, &mut batch_used)?,
            };
            let shape = values::of_input(job, input, shape)?;
            let range = sensible_range(&input.name, input.dtype, input.index_bound);
            Ok(InputSpec { name: input.name.clone(), dtype: input.dtype, shape, range })
        })
        .collect::<Result<Vec<_>>>()?;
    if job.batch.is_some() && !batch_used {
        return Err(Failure::usage("`batches` is set, but no input has a batch to fill in: all shapes are fixed")
            .next("take `batches` out, or write the word batch in a shape: shapes = { input = [\"batch\", 3, 224, 224] }"));
    }
    Ok(inputs)
}

/// A configured shape must agree with every dimension that the model fixes.
fn check_shape(input: &ModelInput, shape: &Shape) -> Result<Shape> {
    let Some(dims) = &input.dims else { return Ok(shape.clone()) };
    let fits = |given: &[u64]| {
        given.len() == dims.len()
            && given.iter().zip(dims).all(|(g, d)| !matches!(d, ModelDim::Fixed(n) if n != g))
            && input.served.as_ref().is_none_or(|served| {
                given
                    .iter()
                    .zip(served.min.iter().zip(&served.max))
                    .all(|(g, (min, max))| (min..=max).contains(&g))
            })
    };
    match [&shape.opt, &shape.min, &shape.max].into_iter().find(|given| !fits(given)) {
        None => Ok(shape.clone()),
        Some(given) => Err(Failure::usage(format!(
            "the shape {} given for input `{}` does not fit the model, which declares {}",
            dims_text(given),
            input.name,
            declared_text(dims)
        ))
        .next("give every fixed dimension as the model declares it")),
    }
}

/// The model's own shape, where it is fixed or only lacks the batch.
fn declared_shape(input: &ModelInput, batch: Option<u64>, batch_used: &mut bool) -> Result<Shape> {
    let name = &input.name;
    let example = |dims: &[ModelDim]| {
        let dims: Vec<String> = dims
            .iter()
            .map(|d| if let ModelDim::Fixed(n) = d { n.to_string() } else { "1".into() })
            .collect();
        format!(
            "give its shape: shapes = {{ \"{name}\" = [{}] }}, or --shape {name}:{}",
            dims.join(", "),
            dims.join("x")
        )
    };
    let dims = input.dims.as_ref().ok_or_else(|| {
        Failure::new(FailureKind::Usage, format!("input `{name}` declares no shape at all"))
            .next(example(&[ModelDim::Dynamic(String::new())]))
    })?;
    let best = |at: usize| input.served.as_ref()?.opt.get(at).copied();
    let mut fixed = Vec::new();
    for (at, dim) in dims.iter().enumerate() {
        fixed.push(match (dim, batch) {
            (ModelDim::Fixed(n), _) => *n,
            (ModelDim::Dynamic(_), Some(b)) if at == 0 => {
                *batch_used = true;
                b
            }
            (ModelDim::Dynamic(symbol), _) => {
                if let Some(best) = best(at) {
                    fixed.push(best);
                    continue;
                }
                let symbol = if symbol.is_empty() { String::new() } else { format!(" `{symbol}`") };
                return Err(Failure::usage(format!("input `{name}` has the dynamic dimension{symbol} (number {at} of {}) and no shape is given", declared_text(dims)))
                    .next(example(dims)));
            }
        });
    }
    Ok(Shape::fixed(fixed))
}

fn declared_text(dims: &[ModelDim]) -> String {
    let dims: Vec<String> = dims
        .iter()
        .map(|d| match d {
            ModelDim::Fixed(n) => n.to_string(),
            ModelDim::Dynamic(s) if s.is_empty() => "?".into(),
            ModelDim::Dynamic(s) => s.clone(),
        })
        .collect();
    format!("[{}]", dims.join(", "))
}
