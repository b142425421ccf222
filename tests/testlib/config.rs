//! The builder's configuration: every setter keeps its value for its getter, as NVIDIA's does, and is written down.

use crate::callbacks::{ERROR, Monitor, WARNING, log};
use crate::model::Profile;
use crate::object::{Class, Entry, Object, at};
use crate::told::release;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicPtr, Ordering};
use trt_perf::backend::tensorrt::sys::abi::{Bytes, Family, ObjectPointer as Pointer, Texts, This};
use trt_perf::backend::tensorrt::sys::tables::{v_builder_config as v, v_host_memory, v_timing_cache};

pub static CONFIG: Class = Class { name: "config", slots: v::COUNTS, owned: true };
static CACHE: Class = Class { name: "timing cache", slots: v_timing_cache::COUNTS, owned: true };
static MEMORY: Class = Class { name: "host memory", slots: v_host_memory::COUNTS, owned: true };
const CACHE_MAGIC: &[u8] = b"timing cache of the test library";

#[derive(Default)]
pub struct Config {
    kept: Mutex<BTreeMap<String, i64>>,
    pub profiles: Mutex<Vec<Profile>>,
    monitor: AtomicPtr<std::ffi::c_void>,
    cache: Mutex<Option<&'static Object>>,
}

impl Config {
    pub fn settings(&self) -> BTreeMap<String, i64> {
        self.kept.lock().expect("no panic while it is held").clone()
    }

    pub fn monitor(&self) -> Monitor {
        Monitor(self.monitor.load(Ordering::SeqCst))
    }

    fn get(&self, key: &str, default: i64) -> i64 {
        self.kept.lock().expect("no panic while it is held").get(key).copied().unwrap_or(default)
    }

    fn set(&self, key: String, value: i64) {
        self.kept.lock().expect("no panic while it is held").insert(key, value);
    }
}

pub fn create(builder: &'static Object) -> Pointer {
    Object::new(&CONFIG, &entries(), &[builder], Config::default()).wrapper()
}

fn kept(this: This) -> &'static Config {
    Object::of(this).state()
}

fn keep(this: This, call: &str, key: String, value: i64) {
    let object = Object::of(this);
    object.told(call);
    object.state::<Config>().set(key, value);
}

/// Setters of one value, and their getters.
macro_rules! values {
    ($($set:ident $get:ident $name:literal $type:ty, $default:literal;)*) => {$(
        extern "C" fn $set(this: This, value: $type) {
            let number = i64::try_from(value).unwrap_or(i64::MAX);
            keep(this, &format!(concat!("set", $name, "({})"), value), $name.into(), number);
        }
        extern "C" fn $get(this: This) -> $type {
            <$type>::try_from(kept(this).get($name, $default)).unwrap_or(<$type>::MAX)
        }
    )*};
}

/// Setters of a value of one of several things, and their getters.
macro_rules! indexed {
    ($($set:ident $get:ident $name:literal $type:ty;)*) => {$(
        extern "C" fn $set(this: This, index: i32, value: $type) {
            let number = i64::try_from(value).unwrap_or(i64::MAX);
            keep(this, &format!(concat!("set", $name, "({}, {})"), index, value), format!("{}({index})", $name), number);
        }
        extern "C" fn $get(this: This, index: i32) -> $type {
            <$type>::try_from(kept(this).get(&format!("{}({index})", $name), 0)).unwrap_or_default()
        }
    )*};
}

values! {
    set_avg get_avg "AvgTimingIterations" i32, 1;
    set_dla get_dla "DLACore" i32, -1;
    set_device get_device "DefaultDeviceType" i32, 0;
    set_verbosity get_verbosity "ProfilingVerbosity" i32, 0;
    set_level get_level "BuilderOptimizationLevel" i32, 3;
    set_compatibility get_compatibility "HardwareCompatibilityLevel" i32, 0;
    set_platform get_platform "RuntimePlatform" i32, 0;
    set_tactics get_tactics "MaxNbTactics" i32, -1;
    set_aux_void get_aux "MaxAuxStreams" i32, -1;
    keep_sources get_sources "TacticSources" u32, 0;
}

indexed! { set_pool get_pool "MemoryPoolLimit" usize; }

extern "C" fn set_preview(this: This, feature: i32, on: bool) {
    keep(
        this,
        &format!("setPreviewFeature({feature}, {on})"),
        format!("PreviewFeature({feature})"),
        on.into(),
    );
}

extern "C" fn get_preview(this: This, feature: i32) -> bool {
    kept(this).get(&format!("PreviewFeature({feature})"), 0) == 1
}

extern "C" fn set_aux(this: This, n: i32) -> bool {
    set_aux_void(this, n);
    true
}

extern "C" fn set_sources(this: This, mask: u32) -> bool {
    keep_sources(this, mask);
    true
}

extern "C" fn set_tiling(this: This, level: i32) -> bool {
    keep(
        this,
        &format!("setTilingOptimizationLevel({level})"),
        "TilingOptimizationLevel".into(),
        level.into(),
    );
    true
}

extern "C" fn set_l2(this: This, bytes: i64) -> bool {
    keep(this, &format!("setL2LimitForTiling({bytes})"), "L2LimitForTiling".into(), bytes);
    true
}

extern "C" fn set_flag(this: This, flag: i32) {
    keep(this, &format!("setFlag({flag})"), format!("Flag({flag})"), 1);
    // As NVIDIA's: refused by a message alone.
    let refused = trt_perf::backend::tensorrt::sys::tables::builder_flag::SAFETY_SCOPE.of(release().family);
    if refused == Some(flag) {
        log(WARNING, "the safety scope is not supported here");
    }
}

extern "C" fn clear_flag(this: This, flag: i32) {
    keep(this, &format!("clearFlag({flag})"), format!("Flag({flag})"), 0);
}

extern "C" fn get_flag(this: This, flag: i32) -> bool {
    kept(this).get(&format!("Flag({flag})"), 0) == 1
}

extern "C" fn set_plugins(this: This, _paths: Texts, count: i32) {
    keep(this, &format!("setPluginsToSerialize({count})"), "PluginsToSerialize".into(), count.into());
}

extern "C" fn get_plugins(this: This) -> i32 {
    i32::try_from(kept(this).get("PluginsToSerialize", 0)).unwrap_or(0)
}

extern "C" fn set_capabilities(this: This, count: i32) -> bool {
    keep(this, &format!("setNbComputeCapabilities({count})"), "NbComputeCapabilities".into(), count.into());
    count > 0
}

extern "C" fn set_capability(this: This, value: i32, index: i32) -> bool {
    let call = format!("setComputeCapability({value}, {index})");
    keep(this, &call, format!("ComputeCapability({index})"), value.into());
    i64::from(index) < kept(this).get("NbComputeCapabilities", 0)
}

extern "C" fn set_monitor(this: This, monitor: Pointer) {
    Object::of(this).told("setProgressMonitor");
    kept(this).monitor.store(monitor, Ordering::SeqCst);
}

extern "C" fn add_profile(this: This, profile: Pointer) -> i32 {
    let object = Object::of(this);
    object.told("addOptimizationProfile");
    let Some(profile) = crate::builder::profile(profile) else {
        log(ERROR, "the profile's shapes are not in order: smallest, best, largest");
        return -1;
    };
    let mut profiles = object.state::<Config>().profiles.lock().expect("no panic while it is held");
    profiles.push(profile);
    i32::try_from(profiles.len() - 1).unwrap_or(-1)
}

extern "C" fn create_cache(this: This, data: Bytes, size: usize) -> Pointer {
    Object::of(this).told(&format!("createTimingCache({size})"));
    // SAFETY: the caller gives `size` bytes, or null for none.
    let bytes = if data.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(data.cast(), size) } };
    if !bytes.is_empty() && !bytes.starts_with(CACHE_MAGIC) {
        log(ERROR, "the timing cache is of another library");
        return std::ptr::null_mut();
    }
    let entries = [at(&v_timing_cache::SERIALIZE, serialize_cache)];
    Object::new(&CACHE, &entries, &[], ()).wrapper()
}

extern "C" fn serialize_cache(this: This) -> Pointer {
    Object::of(this).told("serialize");
    host_memory(CACHE_MAGIC.to_vec(), None)
}

extern "C" fn set_cache(this: This, cache: Pointer, _ignore_mismatch: bool) -> bool {
    let (object, cache) = (Object::of(this), Object::of_wrapper(cache, &CACHE));
    object.told("setTimingCache");
    object.need(cache);
    *object.state::<Config>().cache.lock().expect("no panic while it is held") = Some(cache);
    true
}

extern "C" fn get_cache(this: This) -> Pointer {
    let cache = *kept(this).cache.lock().expect("no panic while it is held");
    cache.map_or(std::ptr::null_mut(), Object::wrapper)
}

struct Memory {
    bytes: Vec<u8>,
    said: usize,
}

/// An `IHostMemory`; `lie`: how many bytes it says it has.
pub fn host_memory(bytes: Vec<u8>, lie: Option<usize>) -> Pointer {
    extern "C" fn data(this: This) -> Bytes {
        Object::of(this).state::<Memory>().bytes.as_ptr().cast_mut().cast()
    }
    extern "C" fn size(this: This) -> usize {
        Object::of(this).state::<Memory>().said
    }
    let said = lie.unwrap_or(bytes.len());
    let entries = [at(&v_host_memory::DATA, data), at(&v_host_memory::SIZE, size)];
    Object::new(&MEMORY, &entries, &[], Memory { bytes, said }).wrapper()
}

fn entries() -> Vec<Entry> {
    let mut all = vec![
        at(&v::SET_AVG_TIMING_ITERATIONS, set_avg),
        at(&v::GET_AVG_TIMING_ITERATIONS, get_avg),
        at(&v::SET_FLAG, set_flag),
        at(&v::CLEAR_FLAG, clear_flag),
        at(&v::GET_FLAG, get_flag),
        at(&v::SET_DLA_CORE, set_dla),
        at(&v::GET_DLA_CORE, get_dla),
        at(&v::SET_DEFAULT_DEVICE_TYPE, set_device),
        at(&v::GET_DEFAULT_DEVICE_TYPE, get_device),
        at(&v::ADD_OPTIMIZATION_PROFILE, add_profile),
        at(&v::SET_PROFILING_VERBOSITY, set_verbosity),
        at(&v::GET_PROFILING_VERBOSITY, get_verbosity),
        at(&v::SET_TACTIC_SOURCES, set_sources),
        at(&v::GET_TACTIC_SOURCES, get_sources),
        at(&v::CREATE_TIMING_CACHE, create_cache),
        at(&v::SET_TIMING_CACHE, set_cache),
        at(&v::GET_TIMING_CACHE, get_cache),
        at(&v::SET_MEMORY_POOL_LIMIT, set_pool),
        at(&v::GET_MEMORY_POOL_LIMIT, get_pool),
        at(&v::SET_PREVIEW_FEATURE, set_preview),
        at(&v::GET_PREVIEW_FEATURE, get_preview),
        at(&v::SET_BUILDER_OPTIMIZATION_LEVEL, set_level),
        at(&v::GET_BUILDER_OPTIMIZATION_LEVEL, get_level),
        at(&v::SET_HARDWARE_COMPATIBILITY_LEVEL, set_compatibility),
        at(&v::GET_HARDWARE_COMPATIBILITY_LEVEL, get_compatibility),
    ];
    all.extend([
        at(&v::SET_PLUGINS_TO_SERIALIZE, set_plugins),
        at(&v::GET_NB_PLUGINS_TO_SERIALIZE, get_plugins),
        at(&v::GET_MAX_AUX_STREAMS, get_aux),
        at(&v::SET_PROGRESS_MONITOR, set_monitor),
        at(&v::SET_RUNTIME_PLATFORM, set_platform),
        at(&v::GET_RUNTIME_PLATFORM, get_platform),
        at(&v::SET_MAX_NB_TACTICS, set_tactics),
        at(&v::GET_MAX_NB_TACTICS, get_tactics),
        at(&v::SET_TILING_OPTIMIZATION_LEVEL, set_tiling),
        at(&v::SET_L2_LIMIT_FOR_TILING, set_l2),
        at(&v::SET_NB_COMPUTE_CAPABILITIES, set_capabilities),
        at(&v::SET_COMPUTE_CAPABILITY, set_capability),
    ]);
    // One slot, whose function began to answer in TensorRT 11.
    all.push(if release().family == Family::Trt10 {
        at(&v::SET_MAX_AUX_STREAMS_VOID, set_aux_void)
    } else {
        at(&v::SET_MAX_AUX_STREAMS_BOOL, set_aux)
    });
    all
}
