//! The builder: networks, configurations and profiles, and plans of them.

use crate::accidents;
use crate::callbacks::{ERROR, INFO, WARNING, log};
use crate::config::{self, CONFIG, Config, host_memory};
use crate::cuda::{self, Memory};
use crate::model::{Plan, Profile, extents, values_of};
use crate::network::{self, NETWORK, Network};
use crate::object::{Class, Object, at};
use crate::told::{fault, release, violation, work_bytes};
use std::ffi::CStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use trt_perf::backend::tensorrt::sys::abi::{Bytes, Dims, ObjectPointer as Pointer, Text, This};
use trt_perf::backend::tensorrt::sys::tables::{
    i_plugin_registry, v_builder as v, v_optimization_profile as profile,
};

static BUILDER: Class = Class { name: "builder", slots: v::COUNTS, owned: true };
static PROFILE: Class = Class { name: "profile", slots: profile::COUNTS, owned: false };
static REGISTRY: Class = Class { name: "plugin registry", slots: i_plugin_registry::COUNTS, owned: false };

pub fn create() -> Pointer {
    let entries = [
        at(&v::GET_NB_DLA_CORES, dla_cores),
        at(&v::SET_GPU_ALLOCATOR, set_allocator),
        at(&v::CREATE_BUILDER_CONFIG, create_config),
        at(&v::CREATE_NETWORK_V2, create_network),
        at(&v::CREATE_OPTIMIZATION_PROFILE, create_profile),
        at(&v::BUILD_SERIALIZED_NETWORK, build),
        at(&v::SET_MAX_THREADS, set_threads),
        at(&v::GET_PLUGIN_REGISTRY, plugin_registry),
    ];
    Object::new(&BUILDER, &entries, &[], AtomicUsize::new(0)).wrapper()
}

extern "C" fn dla_cores(_: This) -> i32 {
    0
}

extern "C" fn set_allocator(this: This, allocator: Pointer) {
    let object = Object::of(this);
    object.told("setGpuAllocator");
    object.state::<AtomicUsize>().store(allocator.expose_provenance(), Ordering::SeqCst);
}

extern "C" fn create_config(this: This) -> Pointer {
    config::create(Object::of(this))
}

extern "C" fn create_network(this: This, flags: u32) -> Pointer {
    let builder = Object::of(this);
    builder.told(&format!("createNetworkV2({flags})"));
    network::create(builder)
}

extern "C" fn set_threads(this: This, n: i32) -> bool {
    Object::of(this).told(&format!("setMaxThreads({n})"));
    n > 0
}

extern "C" fn plugin_registry(_: This) -> Pointer {
    registry()
}

/// The plugins of the process.
pub fn registry() -> Pointer {
    Object::new(&REGISTRY, &[at(&i_plugin_registry::LOAD_LIBRARY, load_plugins)], &[], ()).interface()
}

extern "C" fn load_plugins(this: This, path: Text) -> Bytes {
    // SAFETY: the caller gives a text that ends in a zero byte.
    let path = unsafe { CStr::from_ptr(path) }.to_string_lossy().into_owned();
    Object::of(this).told(&format!("loadLibrary({path})"));
    if std::fs::metadata(&path).is_ok() {
        return this;
    }
    log(ERROR, &format!("{path} cannot be opened"));
    std::ptr::null_mut()
}

extern "C" fn create_profile(_: This) -> Pointer {
    let entries = [
        at(&profile::SET_DIMENSIONS, set_dimensions),
        at(&profile::SET_SHAPE_VALUES, set_values),
        at(&profile::SET_SHAPE_VALUES_V2, set_values_v2),
        at(&profile::IS_VALID, is_valid),
    ];
    Object::new(&PROFILE, &entries, &[], Mutex::new(Profile::new())).wrapper()
}

extern "C" fn set_dimensions(this: This, name: Text, which: i32, dims: *const Dims) -> bool {
    // SAFETY: the caller gives a text that ends in a zero byte.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
    let (object, dims) = (Object::of(this), extents(dims));
    object.told(&format!("setDimensions({name}, {which}, {dims:?})"));
    let mut profile = object.state::<Mutex<Profile>>().lock().expect("no panic while it is held");
    let place = usize::try_from(which).ok().and_then(|i| profile.entry(name).or_default().get_mut(i));
    place.map(|p| *p = dims).is_some()
}

extern "C" fn set_values(this: This, name: Text, which: i32, values: *const i32, count: i32) -> bool {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: the caller gives so many.
    let values = unsafe { std::slice::from_raw_parts(values, count) };
    keep_values(this, "setShapeValues", name, which, values.iter().map(|v| i64::from(*v)).collect())
}

extern "C" fn set_values_v2(this: This, name: Text, which: i32, values: *const i64, count: i32) -> bool {
    let count = usize::try_from(count).unwrap_or(0);
    // SAFETY: as above.
    keep_values(
        this,
        "setShapeValuesV2",
        name,
        which,
        unsafe { std::slice::from_raw_parts(values, count) }.to_vec(),
    )
}

fn keep_values(this: This, call: &str, name: Text, which: i32, values: Vec<i64>) -> bool {
    // SAFETY: the caller gives a text that ends in a zero byte.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned();
    let object = Object::of(this);
    object.told(&format!("{call}({name}, {which}, {values:?})"));
    let mut profile = object.state::<Mutex<Profile>>().lock().expect("no panic while it is held");
    let all = profile.entry(values_of(&name)).or_default();
    let place = usize::try_from(which).ok().and_then(|i| all.get_mut(i));
    place.map(|p| *p = values).is_some()
}

fn in_order(profile: &Profile) -> bool {
    profile.values().all(|[min, opt, max]| {
        min.len() == opt.len()
            && opt.len() == max.len()
            && min.iter().zip(opt).zip(max).all(|((a, b), c)| a <= b && b <= c)
    })
}

extern "C" fn is_valid(this: This) -> bool {
    in_order(&Object::of(this).state::<Mutex<Profile>>().lock().expect("no panic while it is held"))
}

/// What a profile holds, if it can be used.
pub fn profile(pointer: Pointer) -> Option<Profile> {
    let profile = Object::of_wrapper(pointer, &PROFILE).state::<Mutex<Profile>>();
    let profile = profile.lock().expect("no panic while it is held").clone();
    in_order(&profile).then_some(profile)
}

/// Takes what tactics would be tried with of an allocator, where there is one, and gives it back.
fn try_tactics(allocator: usize) {
    if allocator == 0 {
        return;
    }
    let gone = Memory::new(work_bytes(), allocator, false)
        .and_then(|memory| if fault("leak-in-build") { Ok(()) } else { memory.free() });
    if let Err(why) = gone {
        log(WARNING, &why);
    }
}

extern "C" fn build(this: This, network: Pointer, config: Pointer) -> Pointer {
    Object::of(this).told("buildSerializedNetwork");
    if let Some(gpu) = cuda::gpu() {
        Object::of(this).told(&format!("tactics on GPU {gpu}"));
    }
    let network: &Network = Object::of_wrapper(network, &NETWORK).state();
    let config: &Config = Object::of_wrapper(config, &CONFIG).state();
    let filled = network.filled.lock().expect("no panic while it is held");
    let Some(filled) = filled.as_ref() else {
        log(ERROR, "the network has no output");
        return std::ptr::null_mut();
    };
    if !filled.parser.is_alive() {
        violation("the parser was deleted before the engine was built, and with it the weights");
    }
    let profiles = config.profiles.lock().expect("no panic while it is held").clone();
    let dynamic: Vec<_> = filled.tensors.iter().filter(|t| t.input && t.dims().contains(&-1)).collect();
    let deciding: Vec<_> = filled.tensors.iter().filter(|t| t.decides).collect();
    let named = |p: &Profile| {
        dynamic.iter().all(|t| p.contains_key(&*t.name.to_string_lossy()))
            && deciding.iter().all(|t| p.contains_key(&values_of(&t.name.to_string_lossy())))
    };
    if !(dynamic.is_empty() && deciding.is_empty()) && (profiles.is_empty() || !profiles.iter().all(named)) {
        log(ERROR, "Network has dynamic or shape inputs, but no optimization profile has been defined.");
        return std::ptr::null_mut();
    }
    work(config, &filled.layers);
    try_tactics(Object::of(this).state::<AtomicUsize>().load(Ordering::SeqCst));
    if fault("plan-null") {
        log(ERROR, "Error Code 10: could not find any implementation, as the test library was told");
        return std::ptr::null_mut();
    }
    let plan = Plan {
        release: release().to_string(),
        tensors: filled.tensors.clone(),
        layers: filled.layers.clone(),
        profiles,
        settings: config.settings(),
    };
    let lie = if fault("lying-plan-size") { Some(1 << 48) } else { fault("empty-plan").then_some(0) };
    host_memory(plan.bytes(), lie)
}

/// What takes time in a real build: here only its progress, messages and accidents.
fn work(config: &Config, layers: &[String]) {
    let monitor = config.monitor();
    let steps = i32::try_from(layers.len()).unwrap_or(i32::MAX);
    monitor.start("Building", None, 2);
    monitor.start("Tactics", Some("Building"), steps);
    for step in 0..steps {
        if !monitor.step("Tactics", step) {
            violation("the build was cancelled");
        }
    }
    accidents::in_build();
    monitor.finish("Tactics");
    monitor.step("Building", 0);
    monitor.finish("Building");
    log(INFO, "nobody needs to know");
    log(WARNING, "the test library builds nothing");
    if fault("log-flood") {
        (0..20_000)
            .for_each(|n| log(WARNING, &format!("message {n} of a flood, which is quite a long line")));
    }
}
