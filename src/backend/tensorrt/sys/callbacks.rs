//! Our objects that TensorRT calls: the logger, the progress monitor and the profiler, with the function tables that a
//! C++ compiler would make for them.
//!
//! A table has two words before the address that the object points to (offset to top 0, type information), then the
//! functions. A panic in one of our functions does not unwind into C++: Rust ends the process there, and the
//! parent sees that the worker ended.

use super::abi::{Family, InterfaceInfo, ObjectPointer, Text, This};
use super::tables::{i_logger, i_profiler, i_progress_monitor, i_versioned_interface};
use super::text::text;
use super::type_info;
use std::ffi::CStr;
use std::sync::{Mutex, PoisonError};

/// A word of a table.
pub(in crate::backend::tensorrt) type Word = *const ();
/// How many messages of the library are kept.
const KEPT: usize = 64;
/// `ILogger::Severity`, the same in every family (a test compares): internal error, error, warning.
const ERROR: i32 = 1;
const WARNING: i32 = 2;

/// What the library sees: the table's address first.
#[repr(C)]
struct Implemented<T> {
    table: *const Word,
    state: T,
}

/// An object with a table of ours. It stays where it is until it is dropped.
pub struct Implementation<T> {
    object: *mut Implemented<T>,
    /// What `table` points into. A raw pointer like the other, because a box that is moved is the only way to its
    /// memory.
    words: *mut [Word],
}

// SAFETY: the pointers are to memory that only this type owns; the library may call from any thread, so the state
// must allow that, and does where it is Send and Sync.
unsafe impl<T: Send + Sync> Send for Implementation<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Implementation<T> {}

impl<T: Sync> Implementation<T> {
    /// An object of the C++ class with this mangled name, whose table has `slots` functions: those of `functions` where they belong, and elsewhere one that
    /// does nothing (destructors, which the library never calls on objects that are not its own).
    pub(in crate::backend::tensorrt) fn new(
        class: &'static CStr,
        slots: usize,
        functions: &[(Option<usize>, Word)],
        state: T,
    ) -> Self {
        let mut words = vec![nothing as Word; slots + 2].into_boxed_slice();
        words[0] = std::ptr::null();
        words[1] = type_info::of(class);
        for (slot, function) in functions {
            if let Some(word) = slot.and_then(|s| words.get_mut(s + 2)) {
                *word = *function;
            }
        }
        let words = Box::into_raw(words);
        // SAFETY: there are two more words than slots.
        let table = unsafe { words.cast::<Word>().add(2) }.cast_const();
        Self { object: Box::into_raw(Box::new(Implemented { table, state })), words }
    }

    /// What the library is given. It must forget the object before this is dropped.
    pub fn pointer(&self) -> ObjectPointer {
        self.object.cast()
    }

    fn state(&self) -> &T {
        // SAFETY: made from a box in `new`, freed only in `drop`, and never lent mutably.
        unsafe { &(*self.object).state }
    }
}

impl<T> Drop for Implementation<T> {
    fn drop(&mut self) {
        // SAFETY: both were made from boxes in `new` and are freed only here.
        unsafe {
            drop(Box::from_raw(self.object));
            drop(Box::from_raw(self.words));
        }
    }
}

/// The state of the object that a callback was called on.
///
/// # Safety
/// `this` is the pointer of a live [`Implementation`] of `T`.
pub(in crate::backend::tensorrt) unsafe fn state<'a, T>(this: This) -> &'a T {
    // SAFETY: the caller's promise.
    unsafe { &(*this.cast::<Implemented<T>>()).state }
}

pub(in crate::backend::tensorrt) extern "C" fn nothing(_: This) {}

pub(super) extern "C" fn language(_: This) -> i32 {
    0 // kCPP
}

/// A message of the library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    /// Whether it is an error; otherwise a warning.
    pub error: bool,
    /// The message.
    pub text: String,
}

/// Keeps errors and warnings. Also writes them to standard error, so that the parent can tell the last words of a
/// worker that died.
pub struct Logger(Implementation<Mutex<Vec<Logged>>>);

impl Logger {
    /// A logger for the libraries of one family.
    pub fn new(family: Family) -> Self {
        // In TensorRT 10 the logger is no versioned interface yet; a wrong table is a crash.
        let functions = [
            (i_logger::LOG.index(family), log as Word),
            (i_logger::GET_API_LANGUAGE.index(family), language as Word),
            (i_logger::GET_INTERFACE_INFO.index(family), logger_info as Word),
        ];
        let slots = i_logger::COUNTS.into_iter().max().unwrap_or(0);
        Self(Implementation::new(c"N8nvinfer17ILoggerE", slots, &functions, Mutex::default()))
    }

    /// What the library is given.
    pub fn pointer(&self) -> ObjectPointer {
        self.0.pointer()
    }

    /// Everything since the last call.
    pub fn take(&self) -> Vec<Logged> {
        std::mem::take(&mut *self.0.state().lock().unwrap_or_else(PoisonError::into_inner))
    }
}

extern "C" fn logger_info(_: This) -> InterfaceInfo {
    InterfaceInfo { kind: c"ILogger".as_ptr(), major: 1, minor: 0 }
}

extern "C" fn log(this: This, severity: i32, message: Text) {
    if severity > WARNING {
        return;
    }
    // SAFETY: the library gives a text that lives until we return.
    let (error, text) = (severity <= ERROR, unsafe { text(message) });
    eprintln!("TensorRT {}: {text}", if error { "error" } else { "warning" });
    // SAFETY: only loggers have this function in their table.
    let kept = unsafe { state::<Mutex<Vec<Logged>>>(this) };
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    // The first messages are the cause and the last ones the effect; what is between them matters least.
    if kept.len() == KEPT {
        kept.remove(KEPT / 2);
    }
    kept.push(Logged { error, text });
}

/// A phase of the build that is going on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phase {
    /// What the library calls it.
    pub name: String,
    /// How many steps are done.
    pub step: u32,
    /// How many there are.
    pub steps: u32,
}

/// Is told of the phases that are going on, outermost first, whenever they change.
pub type OnProgress<'a> = &'a (dyn Fn(&[Phase]) + Sync);

struct Phases<'a> {
    active: Mutex<Vec<Phase>>,
    tell: OnProgress<'a>,
}

impl Phases<'_> {
    fn change(&self, change: impl FnOnce(&mut Vec<Phase>)) {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut active);
        (self.tell)(&active);
    }
}

/// TensorRT's progress, told to a function.
pub struct ProgressMonitor<'a>(Implementation<Phases<'a>>);

impl<'a> ProgressMonitor<'a> {
    /// A monitor that calls `tell` at every step.
    pub fn new(family: Family, tell: OnProgress<'a>) -> Self {
        let functions = [
            (i_versioned_interface::GET_API_LANGUAGE.index(family), language as Word),
            (i_versioned_interface::GET_INTERFACE_INFO.index(family), monitor_info as Word),
            (i_progress_monitor::PHASE_START.index(family), phase_start as Word),
            (i_progress_monitor::STEP_COMPLETE.index(family), step_complete as Word),
            (i_progress_monitor::PHASE_FINISH.index(family), phase_finish as Word),
        ];
        let slots = i_progress_monitor::COUNTS.into_iter().max().unwrap_or(0);
        Self(Implementation::new(
            c"N8nvinfer116IProgressMonitorE",
            slots,
            &functions,
            Phases { active: Mutex::default(), tell },
        ))
    }

    /// What the library is given.
    pub fn pointer(&self) -> ObjectPointer {
        self.0.pointer()
    }
}

extern "C" fn monitor_info(_: This) -> InterfaceInfo {
    InterfaceInfo { kind: c"IProgressMonitor".as_ptr(), major: 1, minor: 0 }
}

extern "C" fn phase_start(this: This, name: Text, _parent: Text, steps: i32) {
    // SAFETY: the library gives a text that lives until we return.
    let name = unsafe { text(name) };
    let phase = Phase { name, step: 0, steps: u32::try_from(steps).unwrap_or(0) };
    // SAFETY: only progress monitors have this function in their table.
    unsafe { state::<Phases>(this) }.change(|active| active.push(phase));
}

extern "C" fn step_complete(this: This, name: Text, step: i32) -> bool {
    // SAFETY: the library gives a text that lives until we return.
    let name = unsafe { text(name) };
    // SAFETY: as above.
    unsafe { state::<Phases>(this) }.change(|active| {
        if let Some(phase) = active.iter_mut().rev().find(|p| p.name == name) {
            phase.step = u32::try_from(step).unwrap_or(0).saturating_add(1).min(phase.steps);
        }
    });
    // Go on: a build that takes too long is ended from outside, with its process.
    true
}

extern "C" fn phase_finish(this: This, name: Text) {
    // SAFETY: the library gives a text that lives until we return.
    let name = unsafe { text(name) };
    // SAFETY: as above.
    unsafe { state::<Phases>(this) }.change(|active| {
        if let Some(at) = active.iter().rposition(|p| p.name == name) {
            active.remove(at);
        }
    });
}

/// Layer times as TensorRT reports them, in the order of the calls.
pub struct Profiler(Implementation<Mutex<Vec<(String, f32)>>>);

impl Profiler {
    /// A profiler for the libraries of one family.
    pub fn new(family: Family) -> Self {
        // In TensorRT 10 the profiler is no versioned interface yet.
        let functions = [
            (i_profiler::REPORT_LAYER_TIME.index(family), report_layer_time as Word),
            (i_profiler::GET_API_LANGUAGE.index(family), language as Word),
            (i_profiler::GET_INTERFACE_INFO.index(family), profiler_info as Word),
        ];
        let slots = i_profiler::COUNTS.into_iter().max().unwrap_or(0);
        Self(Implementation::new(c"N8nvinfer19IProfilerE", slots, &functions, Mutex::default()))
    }

    /// What the library is given.
    pub fn pointer(&self) -> ObjectPointer {
        self.0.pointer()
    }

    /// Name and milliseconds of each layer since the last call.
    pub fn take(&self) -> Vec<(String, f32)> {
        std::mem::take(&mut *self.0.state().lock().unwrap_or_else(PoisonError::into_inner))
    }
}

extern "C" fn profiler_info(_: This) -> InterfaceInfo {
    InterfaceInfo { kind: c"IProfiler".as_ptr(), major: 1, minor: 0 }
}

extern "C" fn report_layer_time(this: This, name: Text, ms: f32) {
    // SAFETY: only profilers have this function in their table.
    let times = unsafe { state::<Mutex<Vec<(String, f32)>>>(this) };
    // SAFETY: the library gives a text that lives until we return.
    let name = unsafe { text(name) };
    times.lock().unwrap_or_else(PoisonError::into_inner).push((name, ms));
}
