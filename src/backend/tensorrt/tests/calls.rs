//! Calls in both directions through tables, with objects made of Rust: small enough for Miri, which cannot load the
//! test library that the other tests of this backend use.

use super::super::build::progress;
use super::super::runtime::as_measure_failure;
use super::super::sys::abi::{Dims, Family, Method, ObjectPointer, Text, This};
use super::super::sys::callbacks::{
    Implementation, Logged, Logger, Phase, Profiler, ProgressMonitor, Word, nothing, state,
};
use super::super::sys::library::{Api, Exports};
use super::super::sys::object::call;
use super::super::sys::output_allocator::{OutputAllocator, OutputMemory};
use super::super::sys::tables::{i_logger, i_output_allocator, i_profiler, i_progress_monitor, v_builder};
use super::release;
use crate::error::{FailureKind, Result};
use std::cell::Cell;
use std::sync::{Arc, Mutex};

/// A function of an object of ours, as the library finds it.
///
/// # Safety
/// The object is alive and of the class that has the method.
unsafe fn function<F: Copy>(object: ObjectPointer, method: &Method<F>, family: Family) -> F {
    let slot = method.index(family).expect("a slot");
    // SAFETY: the caller's promise; a table holds function pointers, which is what `F` is.
    unsafe {
        let table = *object.cast::<*const Word>();
        std::mem::transmute_copy(&*table.add(slot))
    }
}

#[test]
fn the_logger_keeps_errors_and_warnings_of_every_family() {
    for family in Family::ALL {
        let logger = Logger::new(family);
        for (severity, text) in [(1, c"an error"), (2, c"a warning"), (3, c"nobody needs to know")] {
            // SAFETY: the logger is alive.
            unsafe {
                function(logger.pointer(), &i_logger::LOG, family)(logger.pointer(), severity, text.as_ptr());
            };
        }
        let kept = |error, text: &str| Logged { error, text: text.into() };
        assert_eq!(logger.take(), [kept(true, "an error"), kept(false, "a warning")], "{family:?}");
    }
}

#[test]
fn progress_is_told_of_the_innermost_phase() {
    for family in Family::ALL {
        let told = Mutex::new(Vec::new());
        let tell = |phases: &[Phase]| told.lock().unwrap().push(progress(phases));
        let monitor = ProgressMonitor::new(family, &tell);
        let it = monitor.pointer();
        let (building, tactics): (Text, Text) = (c"Building".as_ptr(), c"Tactics".as_ptr());
        // SAFETY: the monitor is alive.
        unsafe {
            let start = function(it, &i_progress_monitor::PHASE_START, family);
            let step = function(it, &i_progress_monitor::STEP_COMPLETE, family);
            let finish = function(it, &i_progress_monitor::PHASE_FINISH, family);
            start(it, building, std::ptr::null(), 2);
            start(it, tactics, building, 8);
            assert!(step(it, tactics, 3));
            finish(it, tactics);
            finish(it, building);
        }
        let told = told.lock().unwrap();
        let inner = told.iter().find(|p| p.steps == 8 && p.step == 4).unwrap();
        assert_eq!(inner.doing, "Building > Tactics");
    }
}

#[test]
fn the_profiler_keeps_layer_times_in_order() {
    for family in Family::ALL {
        let profiler = Profiler::new(family);
        let it = profiler.pointer();
        // SAFETY: the profiler is alive.
        unsafe {
            let layer = function(it, &i_profiler::REPORT_LAYER_TIME, family);
            layer(it, c"conv".as_ptr(), 0.25);
            layer(it, c"relu".as_ptr(), 0.5);
        }
        assert_eq!(profiler.take(), [("conv".to_owned(), 0.25), ("relu".to_owned(), 0.5)]);
    }
}

/// Memory for one output, on the host.
#[derive(Default)]
struct Room(Mutex<(Vec<u8>, Vec<i64>)>);

impl OutputMemory for Room {
    fn room(&self, bytes: u64) -> *mut std::ffi::c_void {
        let memory = &mut self.0.lock().unwrap().0;
        memory.resize(usize::try_from(bytes).unwrap(), 0);
        memory.as_mut_ptr().cast()
    }

    fn has_shape(&self, dims: &[i64]) {
        self.0.lock().unwrap().1 = dims.to_vec();
    }
}

#[test]
fn an_output_allocator_gives_memory_and_keeps_the_shape() {
    for family in Family::ALL {
        let room = Arc::new(Room::default());
        let memory: Arc<dyn OutputMemory> = room.clone();
        let allocator = OutputAllocator::new(family, memory);
        let (it, name, none) = (allocator.pointer(), c"y".as_ptr(), std::ptr::null_mut());
        // SAFETY: the allocator is alive.
        unsafe {
            let ask = function(it, &i_output_allocator::REALLOCATE_OUTPUT_ASYNC, family);
            assert!(!ask(it, name, none, 80, 256, none).is_null());
            assert!(ask(it, name, none, 80, 4096, none).is_null(), "no memory is aligned like that");
            if family != Family::Rtx1 {
                let ask = function(it, &i_output_allocator::REALLOCATE_OUTPUT, family);
                assert!(!ask(it, name, none, 160, 8).is_null());
            }
            let notify = function(it, &i_output_allocator::NOTIFY_SHAPE, family);
            notify(it, name, &Dims::new(&[2, 5]).unwrap());
        }
        let (memory, dims) = &*room.0.lock().unwrap();
        assert_eq!((memory.len(), &dims[..]), (if family == Family::Rtx1 { 80 } else { 160 }, &[2, 5][..]));
    }
}

/// What a builder made of Rust has after its table: the pointer to its implementation, as in C++.
#[repr(C)]
struct Wrapper {
    implementation: This,
}

// SAFETY: used by one thread of one test.
unsafe impl Sync for Wrapper {}

thread_local! {
    /// What `create` gives: exported functions have no object to find it by.
    static BUILDER: Cell<ObjectPointer> = const { Cell::new(std::ptr::null_mut()) };
    static DELETED: Cell<u32> = const { Cell::new(0) };
}

extern "C" fn create(_logger: ObjectPointer, _version: i32) -> ObjectPointer {
    BUILDER.get()
}

/// Gives nothing, and says why.
extern "C" fn create_without_memory(logger: ObjectPointer, _version: i32) -> ObjectPointer {
    let why = c"Error Code 2: OutOfMemory (Requested size was 17179869184 bytes.)";
    // SAFETY: the logger is alive, and of this family.
    unsafe { function(logger, &i_logger::LOG, Family::Trt10)(logger, 1, why.as_ptr()) };
    std::ptr::null_mut()
}

extern "C" fn delete(this: This) {
    // SAFETY: only the wrapper has this function in its table.
    assert!(!unsafe { state::<Wrapper>(this) }.implementation.is_null());
    DELETED.set(DELETED.get() + 1);
}

extern "C" fn dla_cores(this: This) -> i32 {
    // SAFETY: only the implementation has this function in its table.
    *unsafe { state::<i32>(this) }
}

fn api(family: Family, create: extern "C" fn(ObjectPointer, i32) -> ObjectPointer) -> Arc<Api> {
    let (major, minor) = family.releases().0;
    let exports = Exports { builder: Some(create), ..Exports::default() };
    Arc::new(Api::new(release(family, major, minor), "made of Rust".into(), exports, Vec::new()))
}

#[test]
fn an_object_is_called_through_its_implementation_and_deleted_once() {
    let cores = |api: &Arc<Api>| -> Result<i32> {
        let builder = api.builder()?;
        Ok(call!(builder, v_builder::GET_NB_DLA_CORES))
    };
    for family in Family::ALL {
        let slots = v_builder::COUNTS.into_iter().max().unwrap_or(0);
        let functions = [(v_builder::GET_NB_DLA_CORES.index(family), dla_cores as Word)];
        let implementation = Implementation::new(c"4Test", slots, &functions, 7);
        let destructors = [(Some(0), nothing as Word), (Some(1), delete as Word)];
        let state = Wrapper { implementation: implementation.pointer() };
        let wrapper = Implementation::new(c"4Test", 2, &destructors, state);
        BUILDER.set(wrapper.pointer());
        DELETED.set(0);
        assert_eq!((cores(&api(family, create)), DELETED.get()), (Ok(7), 1), "{family:?}");
        // A null pointer that was moved to where a base class would be.
        BUILDER.set(std::ptr::without_provenance_mut(0x228));
        let failure = cores(&api(family, create)).unwrap_err();
        assert!(failure.message.contains("createInferBuilder gave nothing"), "{failure}");
    }
}

#[test]
fn too_little_memory_is_a_kind_of_its_own_in_both_phases() {
    let failure = api(Family::Trt10, create_without_memory).builder().err().expect("no builder");
    assert_eq!(failure.kind, FailureKind::OutOfMemory, "{failure}");
    assert!(failure.message.contains("createInferBuilder gave nothing: Error Code 2"), "{failure}");
    assert!(failure.next.contains("a smaller --build workspace"), "{failure}");
    assert_eq!(as_measure_failure(failure.clone()), failure);
}
