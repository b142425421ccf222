//! Objects as a C++ compiler lays them out: a wrapper with the two destructors, and behind its second pointer the
//! implementation, whose table has the functions. Slots that the release does not have, or that nothing here needs, end
//! the process, and so does a call after deletion: both are mistakes of the caller's.
//!
//! An object's memory is never freed, so that a call after deletion can be told.

use crate::told::{release, tell, violation};
use std::any::Any;
use std::mem::size_of;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use trt_perf::backend::tensorrt::sys::abi::{Family, Method, ObjectPointer as Pointer, This};

/// A word of a table.
pub type Word = *const ();

/// Where a function goes, if this release has it.
pub struct Entry(Option<usize>, Word);

/// `function` in the slot of `method`: they must have the same signature.
pub fn at<F: Copy>(method: &Method<F>, function: F) -> Entry {
    const { assert!(size_of::<F>() == size_of::<Word>()) };
    // SAFETY: `F` is a function pointer, as the tables have no other signatures, and as large as a word.
    let word = unsafe { std::mem::transmute_copy::<F, Word>(&function) };
    Entry(method.slot(release()).ok(), word)
}

/// What an object is.
pub struct Class {
    /// As the list of calls names it.
    pub name: &'static str,
    /// How many slots each family's table has.
    pub slots: [usize; 3],
    /// Whoever made it has to delete it; otherwise it belongs to another object.
    pub owned: bool,
}

#[repr(C)]
struct Functions {
    table: *const Word,
    object: *const Object,
}

/// An object that the caller holds.
#[repr(C)]
pub struct Object {
    /// What a wrapper's pointer leads to: the table with the destructors.
    wrapper: *const Word,
    implementation: *const Functions,
    functions: Functions,
    class: &'static Class,
    number: u64,
    deleted: AtomicBool,
    /// What must not be deleted before this.
    needs: Mutex<Vec<&'static Self>>,
    /// How many live objects need this one.
    needed: AtomicU64,
    state: Box<dyn Any + Send + Sync>,
    on_delete: fn(&'static Self),
}

// SAFETY: the pointers are to memory that is never freed nor changed after the object was made.
unsafe impl Sync for Object {}

/// The memory of a new table with these functions, past the two words that stand before them in C++.
fn table(slots: usize, functions: &[Entry]) -> *const Word {
    let mut words = vec![std::ptr::null::<()>(), std::ptr::null()];
    words.extend((0..slots).map(|slot| TRAPS.get(slot).map_or(std::ptr::null(), |trap| *trap as Word)));
    for Entry(slot, function) in functions {
        if let Some(slot) = slot {
            assert!(*slot < slots, "slot {slot} of {slots}");
            words[slot + 2] = *function;
        }
    }
    let words: &'static [Word] = words.leak();
    words[2..].as_ptr()
}

impl Object {
    /// A new object, which nothing needs yet.
    pub fn new(
        class: &'static Class,
        functions: &[Entry],
        needs: &[&'static Self],
        state: impl Any + Send + Sync,
    ) -> &'static Self {
        Self::with_end(class, functions, needs, state, |_| ())
    }

    /// The same with something to do when it is deleted.
    pub fn with_end(
        class: &'static Class,
        functions: &[Entry],
        needs: &[&'static Self],
        state: impl Any + Send + Sync,
        on_delete: fn(&'static Self),
    ) -> &'static Self {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let column = Family::ALL.iter().position(|f| *f == release().family).unwrap_or(0);
        let destructors = [
            Entry(Some(0), complete_destructor as extern "C" fn(This) as Word),
            Entry(Some(1), delete as extern "C" fn(This) as Word),
        ];
        let object = Box::into_raw(Box::new(Self {
            wrapper: table(2, &destructors),
            implementation: std::ptr::null(),
            functions: Functions { table: table(class.slots[column], functions), object: std::ptr::null() },
            class,
            number: NUMBER.fetch_add(1, Ordering::Relaxed),
            deleted: AtomicBool::new(false),
            needs: Mutex::default(),
            needed: AtomicU64::new(0),
            state: Box::new(state),
            on_delete,
        }));
        // SAFETY: just made, known to nobody else yet, and never freed.
        let object: &'static Self = unsafe {
            (*object).functions.object = object;
            (*object).implementation = &raw const (*object).functions;
            &*object
        };
        tell(&format!("{object} {}", if class.owned { "+" } else { "borrowed" }));
        needs.iter().for_each(|other| object.need(other));
        object
    }

    /// `other` must not be deleted before this.
    pub fn need(&self, other: &'static Self) {
        other.needed.fetch_add(1, Ordering::SeqCst);
        self.needs.lock().expect("no panic while it is held").push(other);
    }

    /// What the caller is given for a class of `nvinfer1`.
    pub fn wrapper(&'static self) -> Pointer {
        (&raw const *self).cast_mut().cast()
    }

    /// What the caller is given for a class without a wrapper: the parser and its errors, the plugin registry.
    pub fn interface(&'static self) -> Pointer {
        (&raw const self.functions).cast_mut().cast()
    }

    /// The object of a wrapper's pointer, which must be alive and of this class.
    pub fn of_wrapper(pointer: Pointer, class: &Class) -> &'static Self {
        if pointer.is_null() {
            violation(&format!("null in the place of a {}", class.name));
        }
        // SAFETY: the caller gives pointers that it got from here, and their memory is never freed.
        let object = unsafe { &*pointer.cast::<Self>() };
        if !std::ptr::eq(object.class, class) {
            violation(&format!("{object} in the place of a {}", class.name));
        }
        object.alive("is used");
        object
    }

    /// The object that a function is called on.
    pub fn of(this: This) -> &'static Self {
        // SAFETY: functions stand in tables of implementations only, and those are never freed.
        let object = unsafe { &*(*this.cast::<Functions>()).object };
        object.alive("is called");
        object
    }

    fn alive(&self, what: &str) {
        if self.deleted.load(Ordering::SeqCst) {
            violation(&format!("{self} {what} after it was deleted"));
        }
    }

    pub fn is_alive(&self) -> bool {
        !self.deleted.load(Ordering::SeqCst)
    }

    /// What the object holds.
    pub fn state<T: 'static>(&self) -> &T {
        self.state
            .downcast_ref()
            .unwrap_or_else(|| violation(&format!("{self} has another function's table")))
    }

    /// Writes a call down.
    pub fn told(&self, call: &str) {
        tell(&format!("{self} {call}"));
    }

    fn end(&'static self) {
        if !self.class.owned {
            violation(&format!("{self} is deleted, which belongs to another object"));
        }
        if self.deleted.swap(true, Ordering::SeqCst) {
            violation(&format!("{self} is deleted twice"));
        }
        if self.needed.load(Ordering::SeqCst) > 0 {
            violation(&format!("{self} is deleted while objects that need it live"));
        }
        (self.on_delete)(self);
        for other in self.needs.lock().expect("no panic while it is held").iter() {
            other.needed.fetch_sub(1, Ordering::SeqCst);
        }
        tell(&format!("{self} -"));
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}#{}", self.class.name, self.number)
    }
}

/// `delete p`, of a wrapper.
extern "C" fn delete(this: This) {
    // SAFETY: only wrappers have this function in their table.
    unsafe { &*this.cast::<Object>() }.end();
}

extern "C" fn complete_destructor(_: This) {
    violation("a complete destructor was called, which leaves the memory");
}

/// `delete p`, of an object without a wrapper.
pub extern "C" fn delete_interface(this: This) {
    // SAFETY: functions stand in tables of implementations only, and those are never freed.
    unsafe { &*(*this.cast::<Functions>()).object }.end();
}

extern "C" fn trap<const SLOT: usize>(this: This) {
    let object = Object::of(this);
    let release = release();
    violation(&format!(
        "{object}: slot {SLOT}, which the {release} does not have or the test library does not need"
    ));
}

macro_rules! traps {
    ($($slot:literal)*) => { [$(trap::<$slot> as extern "C" fn(This)),*] };
}

const TRAPS: [extern "C" fn(This); 96] = traps!(
    0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41
    42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 80
    81 82 83 84 85 86 87 88 89 90 91 92 93 94 95
);
