//! A TensorRT made of Rust: objects with the tables that NVIDIA's headers give each family, called exactly as the real
//! library is, and calling back as it does. It records what it was asked, and what was deleted in which order.

mod run;

use super::super::sys::abi::{Dims, Family, Method, Object, Text, This};
use super::super::sys::callbacks::{Implementation, Word, nothing, state};
use super::super::sys::library::{Api, Exports};
use super::super::sys::tables::{
    i_logger, i_parser, i_parser_error, i_progress_monitor, v_builder, v_builder_config, v_host_memory,
    v_network_definition, v_optimization_profile, v_tensor,
};
use super::super::sys::text::text;
use super::release;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::CString;
use std::sync::{Arc, Mutex};

/// The plan that the fake builder makes.
pub const PLAN: &[u8] = b"a plan";

/// A fake library and everything it made.
pub struct World {
    family: Family,
    /// Calls with their arguments, deletions as `delete X`.
    calls: Mutex<Vec<String>>,
    /// What was set, by `name` or `name(argument)`.
    numbers: Mutex<BTreeMap<String, i64>>,
    wrappers: Mutex<Vec<Implementation<Wrapper>>>,
    implementations: Mutex<Vec<Implementation<Inner>>>,
    logger: Cell<Object>,
    monitor: Cell<Object>,
    /// The name and the dimensions of the network's only input.
    pub input: (CString, Dims),
    /// What the parser has against the model: name and operator of the node, code, words.
    pub parse_errors: Vec<(CString, CString, i32, CString)>,
    /// What the builder logs instead of building, and the runtime instead of being made.
    pub build_error: Option<CString>,
}

/// What follows the table in a wrapper object: the pointer to its implementation, as in C++.
#[repr(C)]
struct Wrapper {
    implementation: This,
    world: *const World,
    name: &'static str,
}

// SAFETY: used by one thread of one test.
unsafe impl Sync for Wrapper {}

struct Inner {
    world: *const World,
    index: i32,
}

// SAFETY: as above.
unsafe impl Sync for Inner {}

thread_local! {
    /// The world of this thread's test: the exported functions have no object to find it by.
    static CURRENT: Cell<*const World> = const { Cell::new(std::ptr::null()) };
}

impl World {
    pub fn new(family: Family) -> Box<Self> {
        Box::new(Self {
            family,
            calls: Mutex::default(),
            numbers: Mutex::default(),
            wrappers: Mutex::default(),
            implementations: Mutex::default(),
            logger: Cell::new(std::ptr::null_mut()),
            monitor: Cell::new(std::ptr::null_mut()),
            input: (c"x".into(), Dims::new(&[-1, 3]).expect("two dimensions")),
            parse_errors: Vec::new(),
            build_error: None,
        })
    }

    /// The library as `library::open` would give it; `self` must outlive it.
    pub fn open(&self, version: (u32, u32)) -> Arc<Api> {
        CURRENT.set(self);
        let exports = Exports {
            builder: Some(create_builder),
            runtime: Some(run::create_runtime),
            parser: Some((create_parser, 100)),
        };
        Arc::new(Api::new(release(self.family, version.0, version.1), "fake".into(), exports, Vec::new()))
    }

    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }

    pub fn number(&self, name: &str) -> Option<i64> {
        self.numbers.lock().unwrap().get(name).copied()
    }

    fn call(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }

    fn set(&self, name: String, value: i64) {
        self.numbers.lock().unwrap().insert(name, value);
    }

    /// An object whose own table has the functions.
    fn interface(&self, counts: [usize; 3], functions: &[(Option<usize>, Word)], index: i32) -> Object {
        let slots = counts.into_iter().max().unwrap_or(0);
        let made = Implementation::new(slots, functions, Inner { world: self, index });
        let pointer = made.pointer();
        self.implementations.lock().unwrap().push(made);
        pointer
    }

    /// A wrapper object: destructors in its own table, the functions in that of its implementation.
    fn wrapper(&self, name: &'static str, counts: [usize; 3], functions: &[(Option<usize>, Word)]) -> Object {
        let implementation = self.interface(counts, functions, 0);
        let state = Wrapper { implementation, world: self, name };
        let made = Implementation::new(2, &[(Some(0), nothing as Word), (Some(1), delete as Word)], state);
        let pointer = made.pointer();
        self.wrappers.lock().unwrap().push(made);
        pointer
    }

    /// Where this family has a function, and the function.
    fn at<F>(&self, method: &Method<F>, function: Word) -> (Option<usize>, Word) {
        (method.index(self.family), function)
    }

    /// Logs as the library does: through the logger's table.
    fn log(&self, severity: i32, message: &CString) {
        let logger = self.logger.get();
        // SAFETY: the logger that the library was created with, alive as long as it.
        unsafe {
            let function: extern "C" fn(This, i32, Text) =
                function(logger, i_logger::LOG.index(self.family).unwrap());
            function(logger, severity, message.as_ptr());
        }
    }

    /// Tells progress as the library does.
    fn progress(&self) {
        let monitor = self.monitor.get();
        // SAFETY: the monitor that the configuration was given, alive while the engine is built; the signatures are
        // those of NVIDIA's headers.
        unsafe {
            let start: extern "C" fn(This, Text, Text, i32) =
                function(monitor, i_progress_monitor::PHASE_START.index(self.family).unwrap());
            let step: extern "C" fn(This, Text, i32) -> bool =
                function(monitor, i_progress_monitor::STEP_COMPLETE.index(self.family).unwrap());
            let finish: extern "C" fn(This, Text) =
                function(monitor, i_progress_monitor::PHASE_FINISH.index(self.family).unwrap());
            start(monitor, c"Building".as_ptr(), std::ptr::null(), 2);
            start(monitor, c"Tactics".as_ptr(), c"Building".as_ptr(), 8);
            assert!(step(monitor, c"Tactics".as_ptr(), 3));
            finish(monitor, c"Tactics".as_ptr());
            finish(monitor, c"Building".as_ptr());
        }
    }
}

/// A function out of an object's table.
///
/// # Safety
/// As for a virtual call: the object is alive and has a function of that signature in that slot.
unsafe fn function<F: Copy>(object: Object, slot: usize) -> F {
    // SAFETY: the caller's promise.
    unsafe {
        let table = *object.cast::<*const Word>();
        std::mem::transmute_copy(&*table.add(slot))
    }
}

fn world<'a>(this: This) -> &'a World {
    // SAFETY: only objects of a world have these functions in their tables, and the world outlives them.
    unsafe { &*state::<Inner>(this).world }
}

extern "C" fn delete(this: This) {
    // SAFETY: only wrappers have this function in their table.
    let wrapper = unsafe { state::<Wrapper>(this) };
    // SAFETY: the world outlives its objects.
    unsafe { &*wrapper.world }.call(format!("delete {}", wrapper.name));
}

extern "C" fn create_builder(logger: Object, version: i32) -> Object {
    // SAFETY: set when the library was opened.
    let world = unsafe { &*CURRENT.get() };
    world.logger.set(logger);
    world.call(format!("create builder {version}"));
    let functions = [
        world.at(&v_builder::CREATE_NETWORK_V2, create_network as Word),
        world.at(&v_builder::CREATE_BUILDER_CONFIG, create_config as Word),
        world.at(&v_builder::CREATE_OPTIMIZATION_PROFILE, create_profile as Word),
        world.at(&v_builder::BUILD_SERIALIZED_NETWORK, build as Word),
    ];
    world.wrapper("builder", v_builder::COUNTS, &functions)
}

extern "C" fn create_network(this: This, flags: u32) -> Object {
    let world = world(this);
    world.set("network flags".into(), flags.into());
    let functions = [
        world.at(&v_network_definition::GET_NB_LAYERS, one as Word),
        world.at(&v_network_definition::GET_NB_INPUTS, one as Word),
        world.at(&v_network_definition::GET_INPUT, get_input as Word),
    ];
    world.wrapper("network", v_network_definition::COUNTS, &functions)
}

extern "C" fn one(_: This) -> i32 {
    1
}

extern "C" fn get_input(this: This, _index: i32) -> Object {
    let world = world(this);
    let functions = [
        world.at(&v_tensor::GET_NAME, input_name as Word),
        world.at(&v_tensor::GET_DIMENSIONS, input_dims as Word),
        world.at(&v_tensor::IS_SHAPE_TENSOR, no as Word),
    ];
    world.wrapper("tensor", v_tensor::COUNTS, &functions)
}

extern "C" fn input_name(this: This) -> Text {
    world(this).input.0.as_ptr()
}

extern "C" fn input_dims(this: This) -> Dims {
    world(this).input.1
}

extern "C" fn no(_: This) -> bool {
    false
}

extern "C" fn create_config(this: This) -> Object {
    let world = world(this);
    let aux = if world.family == Family::Trt10 { set_aux_void as Word } else { set_aux_bool as Word };
    let functions = [
        world.at(&v_builder_config::SET_FLAG, set_flag as Word),
        world.at(&v_builder_config::CLEAR_FLAG, clear_flag as Word),
        world.at(&v_builder_config::GET_FLAG, get_flag as Word),
        world.at(&v_builder_config::SET_MEMORY_POOL_LIMIT, set_pool as Word),
        world.at(&v_builder_config::GET_MEMORY_POOL_LIMIT, get_pool as Word),
        world.at(&v_builder_config::SET_MAX_AUX_STREAMS_VOID, aux),
        world.at(&v_builder_config::SET_MAX_AUX_STREAMS_BOOL, aux),
        world.at(&v_builder_config::GET_MAX_AUX_STREAMS, get_aux as Word),
        world.at(&v_builder_config::SET_MAX_NB_TACTICS, set_tactics as Word),
        world.at(&v_builder_config::GET_MAX_NB_TACTICS, get_tactics as Word),
        world.at(&v_builder_config::ADD_OPTIMIZATION_PROFILE, add_profile as Word),
        world.at(&v_builder_config::SET_PROGRESS_MONITOR, set_monitor as Word),
    ];
    world.wrapper("config", v_builder_config::COUNTS, &functions)
}

extern "C" fn set_flag(this: This, flag: i32) {
    world(this).set(format!("flag({flag})"), 1);
}

extern "C" fn clear_flag(this: This, flag: i32) {
    world(this).set(format!("flag({flag})"), 0);
}

extern "C" fn get_flag(this: This, flag: i32) -> bool {
    world(this).number(&format!("flag({flag})")) == Some(1)
}

extern "C" fn set_pool(this: This, pool: i32, bytes: usize) {
    world(this).set(format!("pool({pool})"), i64::try_from(bytes).unwrap());
}

extern "C" fn get_pool(this: This, pool: i32) -> usize {
    usize::try_from(world(this).number(&format!("pool({pool})")).unwrap_or(0)).unwrap()
}

extern "C" fn set_aux_void(this: This, n: i32) {
    world(this).set("aux".into(), n.into());
}

extern "C" fn set_aux_bool(this: This, n: i32) -> bool {
    world(this).set("aux".into(), n.into());
    true
}

extern "C" fn get_aux(this: This) -> i32 {
    i32::try_from(world(this).number("aux").unwrap_or(-1)).unwrap()
}

extern "C" fn set_tactics(this: This, n: i32) {
    world(this).set("tactics".into(), n.into());
}

extern "C" fn get_tactics(this: This) -> i32 {
    i32::try_from(world(this).number("tactics").unwrap_or(-1)).unwrap()
}

extern "C" fn add_profile(this: This, _profile: Object) -> i32 {
    let world = world(this);
    let index = world.number("profiles").unwrap_or(0);
    world.set("profiles".into(), index + 1);
    i32::try_from(index).unwrap()
}

extern "C" fn set_monitor(this: This, monitor: Object) {
    world(this).monitor.set(monitor);
}

extern "C" fn create_profile(this: This) -> Object {
    let world = world(this);
    let functions = [world.at(&v_optimization_profile::SET_DIMENSIONS, set_dimensions as Word)];
    world.wrapper("profile", v_optimization_profile::COUNTS, &functions)
}

extern "C" fn set_dimensions(this: This, name: Text, selector: i32, dims: *const Dims) -> bool {
    // SAFETY: the caller gives the address of dimensions that live through the call.
    let dims = unsafe { *dims };
    world(this).call(format!("{} {selector} {:?}", text(name), dims.as_slice()));
    true
}

extern "C" fn build(this: This, _network: Object, _config: Object) -> Object {
    let world = world(this);
    world.progress();
    if let Some(error) = &world.build_error {
        world.log(1, error);
        return std::ptr::null_mut();
    }
    world.log(2, &c"a warning".into());
    world.log(3, &c"nobody needs to know".into());
    let functions = [
        world.at(&v_host_memory::DATA, plan_data as Word),
        world.at(&v_host_memory::SIZE, plan_size as Word),
    ];
    world.wrapper("plan", v_host_memory::COUNTS, &functions)
}

extern "C" fn plan_data(_: This) -> Object {
    PLAN.as_ptr().cast_mut().cast()
}

extern "C" fn plan_size(_: This) -> usize {
    PLAN.len()
}

extern "C" fn create_parser(_network: Object, _logger: Object, _version: i32) -> Object {
    // SAFETY: set when the library was opened.
    let world = unsafe { &*CURRENT.get() };
    let functions = [
        world.at(&i_parser::PARSE, parse as Word),
        world.at(&i_parser::GET_NB_ERRORS, error_count as Word),
        world.at(&i_parser::GET_ERROR, get_error as Word),
        world.at(&i_parser::DELETING, delete_parser as Word),
    ];
    world.interface(i_parser::COUNTS, &functions, 0)
}

extern "C" fn parse(this: This, _data: Object, size: usize, path: Text) -> bool {
    let world = world(this);
    world.call(format!("parse {size} {}", text(path)));
    world.parse_errors.is_empty()
}

extern "C" fn error_count(this: This) -> i32 {
    i32::try_from(world(this).parse_errors.len()).unwrap()
}

extern "C" fn get_error(this: This, index: i32) -> Object {
    let world = world(this);
    let functions = [
        world.at(&i_parser_error::CODE, error_code as Word),
        world.at(&i_parser_error::DESC, error_text as Word),
        world.at(&i_parser_error::NODE, error_node as Word),
        world.at(&i_parser_error::NODE_NAME, error_name as Word),
        world.at(&i_parser_error::NODE_OPERATOR, error_operator as Word),
    ];
    world.interface(i_parser_error::COUNTS, &functions, index)
}

extern "C" fn delete_parser(this: This) {
    world(this).call("delete parser".into());
}

fn error<'a>(this: This) -> &'a (CString, CString, i32, CString) {
    // SAFETY: only errors of the parser have the functions that call this.
    let index = unsafe { state::<Inner>(this) }.index;
    &world(this).parse_errors[usize::try_from(index).unwrap()]
}

extern "C" fn error_code(this: This) -> i32 {
    error(this).2
}

extern "C" fn error_text(this: This) -> Text {
    error(this).3.as_ptr()
}

extern "C" fn error_node(_: This) -> i32 {
    7
}

extern "C" fn error_name(this: This) -> Text {
    error(this).0.as_ptr()
}

extern "C" fn error_operator(this: This) -> Text {
    error(this).1.as_ptr()
}
