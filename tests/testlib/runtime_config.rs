//! What contexts of TensorRT-RTX are made with, and the caches of the kernels that they compile.

use crate::config::host_memory;
use crate::object::{Class, Object, at};
use crate::told::fault;
use std::sync::atomic::{AtomicU64, Ordering};
use trt_perf::backend::tensorrt::sys::abi::{Bytes, ObjectPointer as Pointer, This};
use trt_perf::backend::tensorrt::sys::tables::{v_runtime_cache, v_runtime_config};

pub static CONFIG: Class = Class { name: "runtime config", slots: v_runtime_config::COUNTS, owned: true };
static CACHE: Class = Class { name: "runtime cache", slots: v_runtime_cache::COUNTS, owned: true };

pub extern "C" fn create(this: This) -> Pointer {
    use v_runtime_config as c;
    Object::of(this).told("createRuntimeConfig");
    let entries = [
        at(&c::SET_EXECUTION_CONTEXT_ALLOCATION_STRATEGY, set_allocation),
        at(&c::SET_DYNAMIC_SHAPES_KERNEL_SPECIALIZATION_STRATEGY, set_specialization),
        at(&c::SET_CUDA_GRAPH_STRATEGY, set_graphs),
        at(&c::CREATE_RUNTIME_CACHE, create_cache),
        at(&c::SET_RUNTIME_CACHE, set_cache),
    ];
    Object::new(&CONFIG, &entries, &[], AtomicU64::new(0)).wrapper()
}

extern "C" fn set_allocation(this: This, how: i32) {
    let object = Object::of(this);
    object.told(&format!("setExecutionContextAllocationStrategy({how})"));
    object.state::<AtomicU64>().store(u64::try_from(how).unwrap_or(0), Ordering::SeqCst);
}

extern "C" fn set_specialization(this: This, how: i32) {
    Object::of(this).told(&format!("setDynamicShapesKernelSpecializationStrategy({how})"));
}

extern "C" fn set_graphs(this: This, how: i32) -> bool {
    Object::of(this).told(&format!("setCudaGraphStrategy({how})"));
    true
}

extern "C" fn create_cache(_: This) -> Pointer {
    let entries =
        [at(&v_runtime_cache::SERIALIZE, serialize_cache), at(&v_runtime_cache::DESERIALIZE, read_cache)];
    Object::new(&CACHE, &entries, &[], ()).wrapper()
}

extern "C" fn serialize_cache(this: This) -> Pointer {
    Object::of(this).told("serialize");
    host_memory(b"runtime cache of the test library".to_vec(), None)
}

extern "C" fn read_cache(this: This, _data: Bytes, size: usize) -> bool {
    Object::of(this).told(&format!("deserialize({size})"));
    size > 0 && !fault("kernels-refused")
}

extern "C" fn set_cache(this: This, cache: Pointer) -> bool {
    let (object, cache) = (Object::of(this), Object::of_wrapper(cache, &CACHE));
    object.told("setRuntimeCache");
    object.need(cache);
    true
}
