//! The runtime, and the engines it loads from plans.

use crate::callbacks::{self, ERROR, WARNING, log};
use crate::config::host_memory;
use crate::context;
use crate::cuda::{self, Memory};
use crate::model::{Io, Plan, values_of};
use crate::network::dims;
use crate::object::{Class, Entry, Object, at};
use crate::runtime_config;
use crate::told::{fault, release, violation};
use std::ffi::{CStr, CString};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use trt_perf::backend::tensorrt::sys::abi::{Bytes, Dims, ObjectPointer as Pointer, Text, This};
use trt_perf::backend::tensorrt::sys::tables::{
    data_type as types, tensor_io_mode, tensor_location, v_cuda_engine as v, v_engine_inspector as inspector,
    v_runtime, v_serialization_config,
};

static RUNTIME: Class = Class { name: "runtime", slots: v_runtime::COUNTS, owned: true };
static ENGINE: Class = Class { name: "engine", slots: v::COUNTS, owned: true };
static INSPECTOR: Class = Class { name: "inspector", slots: inspector::COUNTS, owned: true };
static SERIALIZATION: Class =
    Class { name: "serialization config", slots: v_serialization_config::COUNTS, owned: true };
/// What the weights of any model take on the GPU.
const WEIGHT_BYTES: usize = 1 << 20;

#[derive(Default)]
struct Runtime {
    allocator: AtomicUsize,
}

pub fn create_runtime() -> Pointer {
    let entries = [
        at(&v_runtime::DESERIALIZE_CUDA_ENGINE, deserialize),
        at(&v_runtime::SET_DLA_CORE, set_dla_core),
        at(&v_runtime::SET_GPU_ALLOCATOR, set_allocator),
        at(&v_runtime::GET_PLUGIN_REGISTRY, plugin_registry),
        at(&v_runtime::SET_ENGINE_HOST_CODE_ALLOWED, allow_host_code),
    ];
    Object::new(&RUNTIME, &entries, &[], Runtime::default()).wrapper()
}

extern "C" fn set_dla_core(this: This, core: i32) {
    Object::of(this).told(&format!("setDLACore({core})"));
}

extern "C" fn allow_host_code(this: This, on: bool) {
    Object::of(this).told(&format!("setEngineHostCodeAllowed({on})"));
}

extern "C" fn plugin_registry(_: This) -> Pointer {
    crate::builder::registry()
}

extern "C" fn set_allocator(this: This, allocator: Pointer) {
    let object = Object::of(this);
    object.told("setGpuAllocator");
    if !callbacks::is_allocator(allocator) {
        violation("an object that is no allocator is given as one");
    }
    object.state::<Runtime>().allocator.store(allocator.expose_provenance(), Ordering::SeqCst);
}

pub struct Engine {
    pub plan: Plan,
    /// The CUDA context it was loaded in.
    pub context: usize,
    /// Whose memory it uses; 0: the driver's.
    pub allocator: usize,
    weights: Mutex<Option<Memory>>,
}

impl Engine {
    pub fn tensor(&self, name: Text) -> Option<&Io> {
        let name = name_of(name)?;
        let found = self.plan.tensors.iter().find(|t| t.name.as_c_str() == name);
        if found.is_none() {
            log(ERROR, &format!("the engine has no tensor {name:?}"));
        }
        found
    }
}

/// A name that a caller gives.
pub fn name_of<'a>(name: Text) -> Option<&'a CStr> {
    // SAFETY: the caller gives a text that ends in a zero byte, for the length of the call.
    (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) })
}

extern "C" fn deserialize(this: This, data: Bytes, size: usize) -> Pointer {
    let runtime = Object::of(this);
    runtime.told(&format!("deserializeCudaEngine({size})"));
    // SAFETY: the caller gives `size` bytes.
    let bytes = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size) };
    let load = || -> Result<Engine, String> {
        let plan = Plan::of_bytes(bytes)?;
        crate::told::model_has(&plan.tensors);
        if fault("crash-in-deserialize") {
            crate::accidents::crash();
        }
        let context = cuda::current()?;
        if fault("deserialize-null") {
            return Err("Error Code 1: the test library was told not to load it".to_owned());
        }
        let allocator = runtime.state::<Runtime>().allocator.load(Ordering::SeqCst);
        let bytes = if fault("greedy-weights") { 1 << 60 } else { WEIGHT_BYTES };
        let weights = Mutex::new(Some(Memory::new(bytes, allocator, false)?));
        Ok(Engine { plan, context, allocator, weights })
    };
    match load() {
        Ok(engine) => Object::with_end(&ENGINE, &entries(), &[runtime], engine, unload).wrapper(),
        Err(why) => {
            log(ERROR, &why);
            std::ptr::null_mut()
        }
    }
}

fn unload(object: &'static Object) {
    let engine = object.state::<Engine>();
    let weights = engine.weights.lock().expect("no panic while it is held").take();
    let address = weights.as_ref().map_or(0, Memory::address);
    if let Some(Err(why)) = weights.map(Memory::free) {
        object.told(&format!("VIOLATION: the weights were not freed: {why}"));
    }
    wrong_frees(engine.allocator, address);
}

/// Gives back what it has not, where it is told to: an allocator must say no.
fn wrong_frees(allocator: usize, address: u64) {
    let places = [("double-free", address), ("unknown-free", address + 512)];
    for (_, address) in places.into_iter().filter(|(name, _)| allocator != 0 && fault(name)) {
        let memory = address as *mut std::ffi::c_void;
        if callbacks::deallocate(std::ptr::with_exposed_provenance_mut(allocator), memory, false) {
            violation("an allocator took back what it had not given");
        }
    }
}

fn entries() -> Vec<Entry> {
    vec![
        at(&v::GET_NB_LAYERS, layer_count),
        at(&v::GET_NAME, name),
        at(&v::GET_NB_OPTIMIZATION_PROFILES, profile_count),
        at(&v::GET_NB_AUX_STREAMS, none),
        at(&v::GET_NB_IO_TENSORS, io_count),
        at(&v::GET_IO_TENSOR_NAME, io_name),
        at(&v::GET_TENSOR_DATA_TYPE, data_type),
        at(&v::GET_TENSOR_IO_MODE, io_mode),
        at(&v::GET_TENSOR_SHAPE, shape),
        at(&v::GET_TENSOR_LOCATION, location),
        at(&v::GET_TENSOR_FORMAT, zero),
        at(&v::GET_PROFILE_SHAPE, profile_shape),
        at(&v::GET_PROFILE_TENSOR_VALUES, profile_values),
        at(&v::GET_PROFILE_TENSOR_VALUES_V2, profile_values_v2),
        at(&v::GET_DEVICE_MEMORY_SIZE, memory_size),
        at(&v::GET_DEVICE_MEMORY_SIZE_V2, memory_size_v2),
        at(&v::GET_ENGINE_STAT, stat),
        at(&v::GET_STREAMABLE_WEIGHTS_SIZE, streamable),
        at(&v::SET_WEIGHT_STREAMING_BUDGET_V2, set_budget),
        at(&v::GET_WEIGHT_STREAMING_BUDGET_V2, budget),
        at(&v::CREATE_EXECUTION_CONTEXT, context::create),
        at(&v::CREATE_RUNTIME_CONFIG, runtime_config::create),
        at(&v::CREATE_EXECUTION_CONTEXT_WITH_RUNTIME_CONFIG, context::create_with),
        at(&v::CREATE_ENGINE_INSPECTOR, create_inspector),
        at(&v::CREATE_SERIALIZATION_CONFIG, create_serialization_config),
        at(&v::SERIALIZE_WITH_CONFIG, serialize),
    ]
}

fn engine(this: This) -> &'static Engine {
    Object::of(this).state()
}

fn count(n: usize) -> i32 {
    i32::try_from(n).unwrap_or(0)
}

extern "C" fn layer_count(this: This) -> i32 {
    count(engine(this).plan.layers.len())
}

extern "C" fn name(_: This) -> Text {
    c"engine of the test library".as_ptr()
}

extern "C" fn none(_: This) -> i32 {
    0
}

extern "C" fn zero(_: This, _name: Text) -> i32 {
    0
}

extern "C" fn location(this: This, name: Text) -> i32 {
    let host = engine(this).tensor(name).is_some_and(|t| t.decides);
    let location = if host { tensor_location::HOST } else { tensor_location::DEVICE };
    location.of(release().family).unwrap_or(0)
}

extern "C" fn profile_count(this: This) -> i32 {
    // A network without dynamic inputs has one all the same.
    count(engine(this).plan.profiles.len().max(1))
}

extern "C" fn io_count(this: This) -> i32 {
    if fault("lying-io-count") { 0 } else { count(engine(this).plan.tensors.len()) }
}

extern "C" fn io_name(this: This, index: i32) -> Text {
    let tensor = usize::try_from(index).ok().and_then(|i| engine(this).plan.tensors.get(i));
    tensor.map_or(std::ptr::null(), |t| t.name.as_ptr())
}

extern "C" fn data_type(this: This, name: Text) -> i32 {
    let unknown = |t: &Io| fault("unknown-type") && !t.input;
    let number = |t: &Io| match unknown(t) {
        true => types::BF16.of(release().family).unwrap_or(-1),
        false => t.dtype,
    };
    engine(this).tensor(name).map_or(-1, number)
}

extern "C" fn io_mode(this: This, name: Text) -> i32 {
    let mode = match engine(this).tensor(name) {
        Some(t) if t.input => tensor_io_mode::INPUT,
        Some(_) => tensor_io_mode::OUTPUT,
        None => tensor_io_mode::NONE,
    };
    mode.of(release().family).unwrap_or(0)
}

extern "C" fn shape(this: This, name: Text) -> Dims {
    engine(this).tensor(name).map_or_else(|| dims(&[0; 9]), |t| dims(&t.dims()))
}

extern "C" fn profile_shape(this: This, name: Text, profile: i32, which: i32) -> Dims {
    let engine = engine(this);
    let index = |i: i32| usize::try_from(i).unwrap_or(usize::MAX);
    let Some(tensor) = engine.tensor(name) else { return dims(&[0; 9]) };
    let ranges =
        engine.plan.profiles.get(index(profile)).and_then(|p| p.get(&*tensor.name.to_string_lossy()));
    ranges.and_then(|r| r.get(index(which))).map_or_else(|| dims(&tensor.dims()), |d| dims(d))
}

/// Values of an input, as a profile has them.
pub fn values_in(engine: &Engine, name: Text, profile: i32, which: i32) -> Option<&Vec<i64>> {
    let index = |i: i32| usize::try_from(i).unwrap_or(usize::MAX);
    let tensor = engine.tensor(name)?;
    let profile = engine.plan.profiles.get(index(profile))?;
    profile.get(&values_of(&tensor.name.to_string_lossy()))?.get(index(which))
}

extern "C" fn profile_values_v2(this: This, name: Text, profile: i32, which: i32) -> *const i64 {
    values_in(engine(this), name, profile, which).map_or(std::ptr::null(), Vec::as_ptr)
}

extern "C" fn profile_values(this: This, name: Text, profile: i32, which: i32) -> *const i32 {
    let Some(values) = values_in(engine(this), name, profile, which) else { return std::ptr::null() };
    let narrow: Vec<i32> = values.iter().map(|v| i32::try_from(*v).unwrap_or(i32::MAX)).collect();
    // They must live as long as the engine.
    narrow.leak().as_ptr()
}

extern "C" fn memory_size(this: This) -> usize {
    Object::of(this).told("getDeviceMemorySize");
    crate::told::work_bytes()
}

extern "C" fn memory_size_v2(this: This) -> i64 {
    Object::of(this).told("getDeviceMemorySizeV2");
    i64::try_from(crate::told::work_bytes()).unwrap_or(i64::MAX)
}

extern "C" fn stat(_: This, _which: i32) -> i64 {
    WEIGHT_BYTES as i64
}

extern "C" fn streamable(_: This) -> i64 {
    WEIGHT_BYTES as i64 / 2
}

extern "C" fn budget(_: This) -> i64 {
    WEIGHT_BYTES as i64 / 8
}

extern "C" fn set_budget(this: This, bytes: i64) -> bool {
    Object::of(this).told(&format!("setWeightStreamingBudgetV2({bytes})"));
    true
}

extern "C" fn create_serialization_config(this: This) -> Pointer {
    extern "C" fn set_flags(this: This, flags: u32) -> bool {
        Object::of(this).told(&format!("setFlags({flags})"));
        true
    }
    let engine = Object::of(this);
    Object::new(&SERIALIZATION, &[at(&v_serialization_config::SET_FLAGS, set_flags)], &[engine], ()).wrapper()
}

extern "C" fn serialize(this: This, _config: Pointer) -> Pointer {
    host_memory(engine(this).plan.bytes(), None)
}

struct Inspector {
    information: CString,
    layers: Vec<CString>,
}

/// Names alone, or objects where the engine was built with detailed verbosity: as NVIDIA's.
extern "C" fn create_inspector(this: This) -> Pointer {
    let plan = &engine(this).plan;
    let detailed = plan.settings.get("ProfilingVerbosity") == Some(&2);
    let layers: Vec<serde_json::Value> = plan
        .layers
        .iter()
        .map(|name| match detailed {
            true => serde_json::json!({ "Name": name, "LayerType": "NoOp", "TacticName": "test library" }),
            false => name.as_str().into(),
        })
        .collect();
    let text = |json: &serde_json::Value| CString::new(json.to_string()).unwrap_or_default();
    let bindings: Vec<_> = plan.tensors.iter().map(|t| t.name.to_string_lossy()).collect();
    let information = text(&serde_json::json!({ "Layers": layers, "Bindings": bindings }));
    let state = Inspector { information, layers: layers.iter().map(text).collect() };
    let entries = [
        at(&inspector::SET_EXECUTION_CONTEXT, inspect_context),
        at(&inspector::GET_LAYER_INFORMATION, layer_information),
        at(&inspector::GET_ENGINE_INFORMATION, engine_information),
    ];
    if !detailed {
        log(WARNING, "the engine was built without detailed profiling verbosity");
    }
    Object::new(&INSPECTOR, &entries, &[Object::of(this)], state).wrapper()
}

extern "C" fn inspect_context(this: This, context: Pointer) -> bool {
    Object::of(this).told("setExecutionContext");
    context::is_one(context)
}

extern "C" fn layer_information(this: This, layer: i32, _format: i32) -> Text {
    let layers = &Object::of(this).state::<Inspector>().layers;
    let text = usize::try_from(layer).ok().and_then(|i| layers.get(i));
    text.map_or(std::ptr::null(), |t| t.as_ptr())
}

extern "C" fn engine_information(this: This, format: i32) -> Text {
    Object::of(this).told(&format!("getEngineInformation({format})"));
    Object::of(this).state::<Inspector>().information.as_ptr()
}
