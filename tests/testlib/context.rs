//! Execution contexts. An inference fills some memory and copies the first input to the front of every output, whose
//! rest is zero: real work for the GPU, on the stream it is given, with outputs that a test can foretell.

use crate::accidents;
use crate::callbacks::{self, ERROR, layer_time, log};
use crate::cuda::{self, Memory};
use crate::engine::{Engine, values_in};
use crate::model::{Dim, Io, extents};
use crate::network::dims;
use crate::object::{Class, Entry, Object, at};
use crate::runtime_config::CONFIG;
use crate::told::{fault, release, violation, work_bytes};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use trt_perf::backend::tensorrt::sys::abi::{
    Bytes, Dims, ObjectPointer as Pointer, StreamHandle, Text, This,
};
use trt_perf::backend::tensorrt::sys::tables::{
    execution_context_allocation_strategy as strategy, v_execution_context as v,
};

static CONTEXT: Class = Class { name: "context", slots: v::COUNTS, owned: true };

struct Context {
    engine: &'static Object,
    scratch: Mutex<Option<Memory>>,
    shapes: Mutex<BTreeMap<String, Vec<i64>>>,
    addresses: Mutex<BTreeMap<String, u64>>,
    /// The allocators of outputs, as numbers.
    allocators: Mutex<BTreeMap<String, usize>>,
    profiler: AtomicPtr<std::ffi::c_void>,
    emits: AtomicBool,
    enqueued: AtomicU64,
    busy: AtomicBool,
}

impl Context {
    fn engine(&self) -> &'static Engine {
        self.engine.state()
    }

    /// The shape of a tensor for the shapes that are set; -1 where it is not known.
    fn shape(&self, io: &Io) -> Vec<i64> {
        let set = self.shapes.lock().expect("no panic while it is held").clone();
        if let Some(shape) = set.get(&*io.name.to_string_lossy()) {
            return shape.clone();
        }
        let known = |name: &str| {
            let inputs = self.engine().plan.tensors.iter().filter(|t| t.input);
            inputs.filter_map(|t| Some((t, set.get(&*t.name.to_string_lossy())?))).find_map(|(t, shape)| {
                let place = t.shape.iter().position(|d| matches!(d, Dim::Named(n) if n == name))?;
                shape.get(place).copied()
            })
        };
        let dim = |d: &Dim| match d {
            Dim::Fixed(n) => *n,
            Dim::Named(name) if name.is_empty() => -1,
            Dim::Named(name) => known(name).or_else(|| self.value(name)).unwrap_or(-1),
        };
        io.shape.iter().map(dim).collect()
    }

    /// `sizes[2]`: a value of an input in host memory, where it has an address.
    fn value(&self, text: &str) -> Option<i64> {
        let (name, place) = text.strip_suffix(']')?.split_once('[')?;
        self.held(name)?.get(place.parse::<usize>().ok()?).copied()
    }

    /// What an input of 64-bit numbers in host memory holds.
    fn held(&self, name: &str) -> Option<Vec<i64>> {
        let io = self.engine().plan.tensors.iter().find(|t| t.decides && t.name.to_string_lossy() == name)?;
        let count = self.shape(io).into_iter().map(|d| usize::try_from(d).ok()).product::<Option<usize>>()?;
        let address = *self.addresses.lock().expect("no panic while it is held").get(name)?;
        let first: *const i64 = std::ptr::with_exposed_provenance(usize::try_from(address).ok()?);
        // SAFETY: the caller gave the address of so many numbers, which live as long as the context uses them.
        Some(unsafe { std::slice::from_raw_parts(first, count) }.to_vec())
    }

    fn bytes(&self, io: &Io) -> Option<usize> {
        let elements =
            self.shape(io).into_iter().map(|d| usize::try_from(d).ok()).product::<Option<usize>>()?;
        Some(elements * io.element_bytes)
    }
}

pub extern "C" fn create(this: This, how: i32) -> Pointer {
    let engine = Object::of(this);
    engine.told(&format!("createExecutionContext({how})"));
    new(engine, Some(how) == strategy::USER_MANAGED.of(release().family))
}

pub extern "C" fn create_with(this: This, config: Pointer) -> Pointer {
    let engine = Object::of(this);
    let config = Object::of_wrapper(config, &CONFIG);
    engine.told("createExecutionContextWithRuntimeConfig");
    let how = config.state::<AtomicU64>().load(Ordering::SeqCst);
    new(engine, i32::try_from(how).ok() == strategy::USER_MANAGED.of(release().family))
}

fn new(object: &'static Object, user_memory: bool) -> Pointer {
    if fault("no-context") {
        log(ERROR, "Error Code 2: out of memory, as the test library was told");
        return std::ptr::null_mut();
    }
    let engine: &Engine = object.state();
    let scratch = (!user_memory).then(|| Memory::new(work_bytes(), engine.allocator, true)).transpose();
    let scratch = match scratch {
        Ok(scratch) => Mutex::new(scratch),
        Err(why) => {
            log(ERROR, &why);
            return std::ptr::null_mut();
        }
    };
    let context = Context {
        engine: object,
        scratch,
        shapes: Mutex::default(),
        addresses: Mutex::default(),
        allocators: Mutex::default(),
        profiler: AtomicPtr::default(),
        emits: AtomicBool::new(true),
        enqueued: AtomicU64::new(0),
        busy: AtomicBool::new(false),
    };
    Object::with_end(&CONTEXT, &entries(), &[object], context, end).wrapper()
}

fn end(object: &'static Object) {
    let context: &Context = object.state();
    object.told(&format!("enqueued {} times", context.enqueued.load(Ordering::SeqCst)));
    let scratch = context.scratch.lock().expect("no panic while it is held").take();
    if fault("leak-context") {
        return object.told("leaks its memory");
    }
    if let Some(Err(why)) = scratch.map(Memory::free) {
        object.told(&format!("VIOLATION: its memory was not freed: {why}"));
    }
}

/// Whether it is a live context.
pub fn is_one(context: Pointer) -> bool {
    Object::of_wrapper(context, &CONTEXT).is_alive()
}

fn entries() -> Vec<Entry> {
    vec![
        at(&v::SET_PROFILER, set_profiler),
        at(&v::SET_DEVICE_MEMORY_V2, set_memory),
        at(&v::SET_OPTIMIZATION_PROFILE_ASYNC, set_profile),
        at(&v::SET_ENQUEUE_EMITS_PROFILE, set_emits),
        at(&v::REPORT_TO_PROFILER, report),
        at(&v::ALL_INPUT_DIMENSIONS_SPECIFIED, all_specified),
        at(&v::SET_INPUT_SHAPE, set_input_shape),
        at(&v::GET_TENSOR_SHAPE, tensor_shape),
        at(&v::SET_TENSOR_ADDRESS, set_address),
        at(&v::SET_OUTPUT_ALLOCATOR, set_allocator),
        at(&v::GET_MAX_OUTPUT_SIZE, max_output),
        at(&v::ENQUEUE_V3, enqueue),
        at(&v::SET_NVTX_VERBOSITY, set_nvtx),
        at(&v::SET_AUX_STREAMS, set_aux_streams),
        at(&v::UPDATE_DEVICE_MEMORY_SIZE_FOR_SHAPES, memory_for_shapes),
        at(&v::IS_STREAM_CAPTURABLE, is_capturable),
    ]
}

fn context(this: This) -> &'static Context {
    Object::of(this).state()
}

extern "C" fn set_profiler(this: This, profiler: Pointer) {
    Object::of(this).told("setProfiler");
    context(this).profiler.store(profiler, Ordering::SeqCst);
}

extern "C" fn set_emits(this: This, emits: bool) {
    Object::of(this).told(&format!("setEnqueueEmitsProfile({emits})"));
    context(this).emits.store(emits, Ordering::SeqCst);
}

extern "C" fn set_memory(this: This, _memory: Bytes, bytes: i64) {
    Object::of(this).told(&format!("setDeviceMemoryV2({bytes})"));
}

extern "C" fn set_profile(this: This, profile: i32, _stream: StreamHandle) -> bool {
    Object::of(this).told(&format!("setOptimizationProfileAsync({profile})"));
    usize::try_from(profile).is_ok_and(|p| p < context(this).engine().plan.profiles.len().max(1))
}

extern "C" fn set_nvtx(this: This, verbosity: i32) -> bool {
    Object::of(this).told(&format!("setNvtxVerbosity({verbosity})"));
    true
}

extern "C" fn set_aux_streams(this: This, _streams: *mut StreamHandle, count: i32) {
    Object::of(this).told(&format!("setAuxStreams({count})"));
}

extern "C" fn memory_for_shapes(_: This) -> usize {
    work_bytes()
}

extern "C" fn is_capturable(_: This, _stream: StreamHandle) -> bool {
    true
}

/// The layer times are invented: a hundredth of a millisecond more each.
extern "C" fn report(this: This) -> bool {
    let context = context(this);
    let profiler = context.profiler.load(Ordering::SeqCst);
    if profiler.is_null() || context.enqueued.load(Ordering::SeqCst) == 0 {
        log(ERROR, "there is no profiler, or nothing was enqueued");
        return false;
    }
    for (name, n) in context.engine().plan.layers.iter().zip(1_u16..) {
        layer_time(profiler, name, f32::from(n) * 0.01);
    }
    true
}

extern "C" fn all_specified(this: This) -> bool {
    let context = context(this);
    let mut inputs = context.engine().plan.tensors.iter().filter(|t| t.input);
    inputs.all(|t| !context.shape(t).contains(&-1))
}

extern "C" fn set_input_shape(this: This, name: Text, shape: *const Dims) -> bool {
    let (object, context, shape) = (Object::of(this), context(this), extents(shape));
    let Some(io) = context.engine().tensor(name).filter(|t| t.input) else { return false };
    let name = io.name.to_string_lossy().into_owned();
    object.told(&format!("setInputShape({name}, {shape:?})"));
    let profile = context.engine().plan.profiles.first().and_then(|p| p.get(&name));
    let fits = match profile {
        Some([min, _, max]) => {
            shape.len() == min.len()
                && shape.iter().zip(min).zip(max).all(|((d, min), max)| min <= d && d <= max)
        }
        None => shape == io.dims(),
    };
    if !fits {
        log(ERROR, &format!("{name}: {shape:?} is outside of the profile"));
        return false;
    }
    context.shapes.lock().expect("no panic while it is held").insert(name, shape);
    true
}

extern "C" fn tensor_shape(this: This, name: Text) -> Dims {
    let context = context(this);
    match context.engine().tensor(name) {
        Some(io) if fault("lying-shape") && !io.input => dims(&[i64::MAX, 4]),
        Some(io) => dims(&context.shape(io)),
        None => dims(&[0; 9]),
    }
}

extern "C" fn max_output(this: This, name: Text) -> i64 {
    let context = context(this);
    let bytes = context.engine().tensor(name).and_then(|io| context.bytes(io));
    bytes.and_then(|b| i64::try_from(b).ok()).unwrap_or(-1)
}

extern "C" fn set_address(this: This, name: Text, address: Bytes) -> bool {
    let (object, context, address) = (Object::of(this), context(this), address.expose_provenance() as u64);
    let Some(io) = context.engine().tensor(name) else { return false };
    let name = io.name.to_string_lossy().into_owned();
    object.told(&format!("setTensorAddress({name})"));
    let align = if io.decides { 8 } else { 256 };
    if address == 0 || address % align != 0 {
        log(ERROR, &format!("the address of {name} is not a multiple of {align}, or null"));
        return false;
    }
    context.addresses.lock().expect("no panic while it is held").insert(name, address);
    true
}

extern "C" fn set_allocator(this: This, name: Text, allocator: Pointer) -> bool {
    let (object, context) = (Object::of(this), context(this));
    let Some(io) = context.engine().tensor(name).filter(|t| !t.input) else { return false };
    let name = io.name.to_string_lossy().into_owned();
    object.told(&format!("setOutputAllocator({name})"));
    let mut all = context.allocators.lock().expect("no panic while it is held");
    all.insert(name, allocator.expose_provenance());
    true
}

extern "C" fn enqueue(this: This, stream: StreamHandle) -> bool {
    let (object, context) = (Object::of(this), context(this));
    let before = context.enqueued.fetch_add(1, Ordering::SeqCst);
    if before == 0 {
        // Not each: writing takes longer than an inference.
        object.told("enqueueV3");
    }
    if context.busy.swap(true, Ordering::SeqCst) {
        violation(&format!("{object} is enqueued by two threads at once"));
    }
    let done = accidents::in_enqueue(before).and_then(|()| work(context, stream));
    context.busy.store(false, Ordering::SeqCst);
    match done {
        Ok(()) => true,
        Err(why) => {
            log(ERROR, &why);
            false
        }
    }
}

fn work(context: &Context, stream: StreamHandle) -> Result<(), String> {
    let engine = context.engine();
    let current = cuda::current()?;
    if current != engine.context {
        violation("an inference is enqueued on a thread whose CUDA context is not that of the engine");
    }
    in_range(context)?;
    let addresses = context.addresses.lock().expect("no panic while it is held").clone();
    let place = |io: &Io| -> Result<(u64, usize), String> {
        let name = io.name.to_string_lossy();
        let bytes = context.bytes(io).ok_or_else(|| format!("{name} has no shape"))?;
        Ok((*addresses.get(&*name).ok_or_else(|| format!("{name} has no address"))?, bytes))
    };
    let mut inputs = Vec::new();
    for io in engine.plan.tensors.iter().filter(|t| t.input) {
        inputs.push(place(io)?);
    }
    if let Some(scratch) = context.scratch.lock().expect("no panic while it is held").as_ref() {
        // SAFETY: our own memory, freed with the context, whose stream the caller must have waited for.
        unsafe { cuda::fill(scratch.address(), scratch.bytes, stream)? };
    }
    for io in engine.plan.tensors.iter().filter(|t| !t.input) {
        let (to, bytes) = match context.shape(io).contains(&-1) {
            true => grown(context, io, inputs.first().copied(), stream)?,
            false => place(io)?,
        };
        // SAFETY: the caller promised that the tensors' memory is as large as their shapes say, and lives until the
        // work has run.
        unsafe {
            cuda::fill(to, bytes, stream)?;
            if let Some((from, given)) = inputs.first() {
                cuda::copy(to, *from, bytes.min(*given), stream)?;
            }
        }
    }
    let profiler = context.profiler.load(Ordering::SeqCst);
    if !profiler.is_null() && context.emits.load(Ordering::SeqCst) {
        // SAFETY: the caller's stream is live.
        unsafe { cuda::wait(stream)? };
        engine.plan.layers.iter().for_each(|name| layer_time(profiler, name, 0.01));
    }
    Ok(())
}

/// Values that decide shapes must be within the profile's.
fn in_range(context: &Context) -> Result<(), String> {
    let engine = context.engine();
    for io in engine.plan.tensors.iter().filter(|t| t.decides) {
        let name = io.name.to_string_lossy();
        let held = context.held(&name).ok_or_else(|| format!("{name} has no address"))?;
        let bound = |which| values_in(engine, io.name.as_ptr(), 0, which).cloned().unwrap_or_default();
        let (min, max) = (bound(0), bound(2));
        if held.iter().zip(&min).zip(&max).any(|((v, min), max)| v < min || v > max) {
            return Err(format!("{name}: the values {held:?} are outside of the profile"));
        }
    }
    Ok(())
}

/// The place of an output whose size depends on values: as many elements as the first input has that are not zero. As
/// NVIDIA's: the host waits for the size and asks for memory while the inference is enqueued.
fn grown(
    context: &Context,
    io: &Io,
    first: Option<(u64, usize)>,
    stream: StreamHandle,
) -> Result<(u64, usize), String> {
    let name = io.name.to_string_lossy().into_owned();
    let allocators = context.allocators.lock().expect("no panic while it is held");
    let allocator = *allocators.get(&name).ok_or_else(|| format!("{name} has no allocator"))?;
    let element = context.engine().plan.tensors.iter().find(|t| t.input).map_or(1, |t| t.element_bytes);
    let (from, given) = first.ok_or("a model without inputs")?;
    // SAFETY: an input's memory, as large as its shape, and the caller's live stream.
    let values = unsafe { cuda::read(from, given, stream)? };
    let found = values.chunks(element).filter(|value| value.iter().any(|byte| *byte != 0)).count();
    let found = i64::try_from(found).map_err(|e| e.to_string())?;
    let shape: Vec<i64> = context.shape(io).into_iter().map(|d| if d == -1 { found } else { d }).collect();
    let elements = shape.iter().map(|d| usize::try_from(*d).ok()).product::<Option<usize>>();
    let bytes = elements.ok_or("a shape that is no shape")? * io.element_bytes;
    let allocator: Pointer = std::ptr::with_exposed_provenance_mut(allocator);
    let memory = callbacks::reallocate_output(allocator, &io.name, bytes, stream);
    if memory.is_null() {
        return Err(format!("no memory of {bytes} bytes for {name}"));
    }
    callbacks::notify_shape(allocator, &io.name, &dims(&shape));
    Ok((memory.expose_provenance() as u64, bytes))
}
