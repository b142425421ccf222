//! The run phase of the fake library: a runtime, an engine with one input and one output, and its contexts.

use super::super::super::sys::abi::{Bytes, Dims, Object, Stream, Text, This};
use super::super::super::sys::callbacks::Word;
use super::super::super::sys::tables::{
    i_profiler, v_cuda_engine, v_engine_inspector, v_execution_context, v_host_memory, v_runtime,
    v_runtime_cache, v_runtime_config,
};
use super::super::super::sys::text::text;
use super::{CURRENT, PLAN, World, function, no, one, plan_data, plan_size, world};

pub extern "C" fn create_runtime(logger: Object, version: i32) -> Object {
    // SAFETY: set when the library was opened.
    let world = unsafe { &*CURRENT.get() };
    world.logger.set(logger);
    world.call(format!("create runtime {version}"));
    if let Some(error) = &world.build_error {
        world.log(1, error);
        return std::ptr::without_provenance_mut(0x228);
    }
    let functions = [world.at(&v_runtime::DESERIALIZE_CUDA_ENGINE, deserialize as Word)];
    world.wrapper("runtime", v_runtime::COUNTS, &functions)
}

extern "C" fn deserialize(this: This, data: Bytes, size: usize) -> Object {
    let world = world(this);
    // SAFETY: the caller gives `size` bytes.
    if unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size) } != PLAN {
        world.log(1, &c"the magic tag does not match".into());
        return std::ptr::null_mut();
    }
    use v_cuda_engine as v;
    let functions = [
        world.at(&v::GET_NB_LAYERS, one as Word),
        world.at(&v::GET_NB_IO_TENSORS, two as Word),
        world.at(&v::GET_IO_TENSOR_NAME, tensor_name as Word),
        world.at(&v::GET_TENSOR_DATA_TYPE, tensor_type as Word),
        world.at(&v::GET_TENSOR_IO_MODE, tensor_mode as Word),
        world.at(&v::GET_TENSOR_SHAPE, tensor_shape as Word),
        world.at(&v::GET_TENSOR_LOCATION, on_device as Word),
        world.at(&v::GET_TENSOR_FORMAT, on_device as Word),
        world.at(&v::GET_PROFILE_SHAPE, profile_shape as Word),
        world.at(&v::GET_DEVICE_MEMORY_SIZE, memory_size as Word),
        world.at(&v::GET_DEVICE_MEMORY_SIZE_V2, memory_size_v2 as Word),
        world.at(&v::CREATE_EXECUTION_CONTEXT, create_context as Word),
        world.at(&v::CREATE_ENGINE_INSPECTOR, create_inspector as Word),
        world.at(&v::CREATE_RUNTIME_CONFIG, create_runtime_config as Word),
        world.at(&v::CREATE_EXECUTION_CONTEXT_WITH_RUNTIME_CONFIG, create_context_with as Word),
    ];
    world.wrapper("engine", v::COUNTS, &functions)
}

extern "C" fn two(_: This) -> i32 {
    2
}

extern "C" fn tensor_name(_: This, index: i32) -> Text {
    if index == 0 { c"x".as_ptr() } else { c"y".as_ptr() }
}

/// The input is float16, the output bfloat16, which this tool has no tensors of.
extern "C" fn tensor_type(_: This, name: Text) -> i32 {
    if text(name) == "x" { 1 } else { 7 }
}

extern "C" fn tensor_mode(_: This, name: Text) -> i32 {
    if text(name) == "x" { 1 } else { 2 }
}

extern "C" fn tensor_shape(_: This, _name: Text) -> Dims {
    Dims::new(&[-1, 3]).unwrap()
}

extern "C" fn on_device(_: This, _name: Text) -> i32 {
    0
}

extern "C" fn profile_shape(_: This, _name: Text, profile: i32, selector: i32) -> Dims {
    Dims::new(&[i64::from(selector * 10 + profile + 1), 3]).unwrap()
}

extern "C" fn memory_size(_: This) -> usize {
    100
}

extern "C" fn memory_size_v2(_: This) -> i64 {
    200
}

extern "C" fn create_inspector(this: This) -> Object {
    let world = world(this);
    let functions = [world.at(&v_engine_inspector::GET_ENGINE_INFORMATION, information as Word)];
    world.wrapper("inspector", v_engine_inspector::COUNTS, &functions)
}

extern "C" fn information(_: This, format: i32) -> Text {
    assert_eq!(format, 1, "JSON");
    c"{\"Layers\": []}".as_ptr()
}

extern "C" fn create_context(this: This, strategy: i32) -> Object {
    world(this).call(format!("context {strategy}"));
    context(this)
}

fn context(this: This) -> Object {
    let world = world(this);
    use v_execution_context as v;
    let functions = [
        world.at(&v::SET_INPUT_SHAPE, set_input_shape as Word),
        world.at(&v::GET_TENSOR_SHAPE, context_shape as Word),
        world.at(&v::SET_TENSOR_ADDRESS, set_address as Word),
        world.at(&v::ENQUEUE_V3, enqueue as Word),
        world.at(&v::ALL_INPUT_DIMENSIONS_SPECIFIED, no as Word),
        world.at(&v::SET_PROFILER, set_profiler as Word),
        world.at(&v::SET_ENQUEUE_EMITS_PROFILE, set_emits as Word),
        world.at(&v::REPORT_TO_PROFILER, report as Word),
    ];
    world.wrapper("context", v::COUNTS, &functions)
}

extern "C" fn set_input_shape(this: This, name: Text, dims: *const Dims) -> bool {
    // SAFETY: the caller gives the address of dimensions that live through the call.
    let dims = unsafe { *dims };
    world(this).call(format!("shape {} {:?}", text(name), dims.as_slice()));
    if dims.extents[0] > 8 {
        world(this).log(1, &c"dimension 0 is above the profile's maximum".into());
        return false;
    }
    true
}

extern "C" fn context_shape(_: This, _name: Text) -> Dims {
    Dims::new(&[4, 3]).unwrap()
}

extern "C" fn set_address(this: This, name: Text, address: Bytes) -> bool {
    world(this).call(format!("address {} {}", text(name), address.addr()));
    true
}

extern "C" fn enqueue(this: This, stream: Stream) -> bool {
    world(this).call(format!("enqueue {}", stream.addr()));
    true
}

extern "C" fn set_profiler(this: This, profiler: Object) {
    // The same cell as the monitor's: a context is given none.
    world(this).monitor.set(profiler);
}

extern "C" fn set_emits(this: This, emits: bool) {
    world(this).set("emits".into(), emits.into());
}

extern "C" fn report(this: This) -> bool {
    let world = world(this);
    let profiler = world.monitor.get();
    // SAFETY: the profiler that the context was given, which it keeps alive; the signature is that of the headers.
    unsafe {
        let layer: extern "C" fn(This, Text, f32) =
            function(profiler, i_profiler::REPORT_LAYER_TIME.index(world.family).unwrap());
        layer(profiler, c"conv".as_ptr(), 0.25);
        layer(profiler, c"relu".as_ptr(), 0.5);
    }
    true
}

extern "C" fn create_runtime_config(this: This) -> Object {
    let world = world(this);
    use v_runtime_config as v;
    let functions = [
        world.at(&v::SET_DYNAMIC_SHAPES_KERNEL_SPECIALIZATION_STRATEGY, set_specialization as Word),
        world.at(&v::SET_CUDA_GRAPH_STRATEGY, set_graphs as Word),
        world.at(&v::SET_EXECUTION_CONTEXT_ALLOCATION_STRATEGY, set_allocation as Word),
        world.at(&v::CREATE_RUNTIME_CACHE, create_cache as Word),
        world.at(&v::SET_RUNTIME_CACHE, set_cache as Word),
    ];
    world.wrapper("runtime config", v::COUNTS, &functions)
}

extern "C" fn set_specialization(this: This, strategy: i32) {
    world(this).set("specialization".into(), strategy.into());
}

extern "C" fn set_graphs(this: This, strategy: i32) -> bool {
    world(this).set("graphs".into(), strategy.into());
    true
}

extern "C" fn set_allocation(this: This, strategy: i32) {
    world(this).set("allocation".into(), strategy.into());
}

extern "C" fn create_cache(this: This) -> Object {
    let world = world(this);
    let functions = [
        world.at(&v_runtime_cache::SERIALIZE, serialize_cache as Word),
        world.at(&v_runtime_cache::DESERIALIZE, read_cache as Word),
    ];
    world.wrapper("runtime cache", v_runtime_cache::COUNTS, &functions)
}

extern "C" fn read_cache(this: This, _data: Bytes, size: usize) -> bool {
    world(this).call(format!("read cache {size}"));
    true
}

extern "C" fn serialize_cache(this: This) -> Object {
    let world = world(this);
    let functions = [
        world.at(&v_host_memory::DATA, plan_data as Word),
        world.at(&v_host_memory::SIZE, plan_size as Word),
    ];
    world.wrapper("cache bytes", v_host_memory::COUNTS, &functions)
}

extern "C" fn set_cache(_: This, _cache: Object) -> bool {
    true
}

extern "C" fn create_context_with(this: This, _config: Object) -> Object {
    context(this)
}

impl World {
    /// What was deleted, in order.
    pub fn deleted(&self) -> Vec<String> {
        self.calls().iter().filter_map(|c| Some(c.strip_prefix("delete ")?.to_owned())).collect()
    }
}
