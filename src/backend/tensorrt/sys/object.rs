//! Objects of the opened library, and calls on them.
//!
//! An [`Object`] keeps the library loaded, calls only functions that the library has, and deletes the objects that we
//! own.
//!
//! Invariant: a pointer to an object is used only while its [`Object`] lives.

use super::abi::{Method, This};
use super::library::Api;
use super::tables::i_parser;
use crate::error::{Failure, FailureKind, Result};
use std::ffi::c_void;
use std::ptr::NonNull;
use std::sync::Arc;

/// No object is below this address. The lean runtimes of TensorRT 10.16 and 11.4 give `null + 0x228` where they fail:
/// the null pointer of another class, moved to where its base class would be.
const FIRST_PAGE: usize = 4096;

/// How an object leads to its functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A wrapper class: its own table (the two destructors first), then a pointer to the implementation, whose table
    /// has the functions. All of `nvinfer1` but the interfaces below.
    Wrapper,
    /// The object's own table has the functions: the parser, its errors, the plugin registry.
    Interface,
}

/// An object that the library made.
pub struct Object {
    api: Arc<Api>,
    pointer: NonNull<c_void>,
    layout: Layout,
    owned: bool,
}

// SAFETY: TensorRT ties no object to a thread. Calls that change an object go through `&mut` of the type that wraps
// it here, and those that remain are documented as callable from several threads (engine and context queries).
unsafe impl Send for Object {}
// SAFETY: as above.
unsafe impl Sync for Object {}

impl Object {
    /// An object that is ours to delete. `made_by` is what a failure names where there is none.
    ///
    /// # Safety
    /// `pointer` is that of a live object of this library in this layout, which nobody else deletes; or
    /// [`is_nothing`] holds for it.
    pub unsafe fn owned(api: &Arc<Api>, pointer: This, layout: Layout, made_by: &str) -> Result<Self> {
        Self::new(api, pointer, layout, true, made_by)
    }

    /// An object that belongs to another one.
    ///
    /// # Safety
    /// `pointer` is that of an object of this library in this layout, and the other one outlives what is made here; or
    /// [`is_nothing`] holds for it.
    pub unsafe fn borrowed(api: &Arc<Api>, pointer: This, layout: Layout, made_by: &str) -> Result<Self> {
        Self::new(api, pointer, layout, false, made_by)
    }

    fn new(api: &Arc<Api>, pointer: This, layout: Layout, owned: bool, made_by: &str) -> Result<Self> {
        match NonNull::new(pointer).filter(|p| !is_nothing(p.as_ptr())) {
            Some(pointer) => Ok(Self { api: Arc::clone(api), pointer, layout, owned }),
            None => Err(api.failed(FailureKind::Build, &format!("{made_by} gave nothing"))),
        }
    }

    /// What another object of the library is given for this one.
    pub fn pointer(&self) -> This {
        self.pointer.as_ptr()
    }

    /// The library that made it.
    pub fn api(&self) -> &Arc<Api> {
        &self.api
    }

    /// The function and the object to call it on. An error where the opened library has no such function.
    pub fn function<F: Copy>(&self, method: &Method<F>) -> Result<(F, This)> {
        let slot = method.slot(&self.api.release)?;
        let this = match self.layout {
            Layout::Interface => self.pointer(),
            // SAFETY: a live wrapper is two pointers, and the second is its implementation (the layout is checked
            // against NVIDIA's headers by the generator of the tables).
            Layout::Wrapper => unsafe { *self.pointer().cast::<This>().add(1) },
        };
        if this.is_null() {
            return Err(Failure::new(FailureKind::Crash, "an object of TensorRT has no implementation")
                .next("the library may be damaged; install it again, or name another with --tensorrt DIR"));
        }
        // SAFETY: `this` is a live C++ object with virtual functions, so it begins with the address of its table,
        // and the opened release has at least `slot + 1` functions in it.
        Ok((unsafe { entry(this, slot) }, this))
    }

    /// Runs the deleting destructor.
    fn delete(&self) {
        let slot = match self.layout {
            Layout::Wrapper => 1,
            // The parser is the only such object that is ours to delete.
            Layout::Interface => match i_parser::DELETING.slot(&self.api.release) {
                Ok(slot) => slot,
                Err(_) => return,
            },
        };
        // SAFETY: the object is live and ours, nothing uses it afterwards, and that slot is `void (this)`.
        unsafe {
            let function: unsafe extern "C" fn(This) = entry(self.pointer(), slot);
            function(self.pointer());
        }
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        if self.owned {
            self.delete();
        }
    }
}

/// The objects that everything else begins with.
impl Api {
    /// A new builder. Fails where the library has none.
    pub fn builder(self: &Arc<Self>) -> Result<Object> {
        // SAFETY: the library has just made it for us, in that layout; nobody else deletes it.
        unsafe { Object::owned(self, self.new_builder()?, Layout::Wrapper, "createInferBuilder") }
    }

    /// A new runtime. Fails where the library makes none.
    pub fn runtime(self: &Arc<Self>) -> Result<Object> {
        // SAFETY: the library has just made it for us, in that layout; nobody else deletes it.
        unsafe { Object::owned(self, self.new_runtime()?, Layout::Wrapper, "createInferRuntime") }
    }

    /// A parser that fills `network`, which must outlive it.
    pub fn parser(self: &Arc<Self>, network: &Object) -> Result<Object> {
        // SAFETY: the object is a live network of this library.
        let pointer = unsafe { self.new_parser(network.pointer())? };
        // SAFETY: the library has just made it for us, in that layout; nobody else deletes it.
        unsafe { Object::owned(self, pointer, Layout::Interface, "createNvOnnxParser") }
    }
}

/// The function in a slot of an object's table.
///
/// # Safety
/// `this` points to a live object that begins with its table's address; the table has that slot, and what is in it
/// has the signature `F`, a function pointer.
unsafe fn entry<F: Copy>(this: This, slot: usize) -> F {
    const { assert!(size_of::<F>() == size_of::<*const ()>()) };
    // SAFETY: the caller's promise; a function pointer and a data pointer have one size and representation here.
    unsafe {
        let table = *this.cast::<*const *const ()>();
        std::mem::transmute_copy(&*table.add(slot))
    }
}

/// Calls a function of an object, with `?` where the opened library has none.
macro_rules! call {
    ($object:expr, $method:expr $(, $arg:expr)* $(,)?) => {{
        let (function, this) = $object.function(&$method)?;
        // SAFETY: the function is this object's own, with the signature of its family's headers; pointers among the
        // arguments stay valid for as long as the library uses them, which every caller sees to.
        unsafe { function(this $(, $arg)*) }
    }};
}
pub(in crate::backend::tensorrt) use call;

/// [`call!`] of a function that gives a text.
macro_rules! said {
    ($object:expr, $method:expr $(, $arg:expr)* $(,)?) => {{
        let pointer = call!($object, $method $(, $arg)*);
        // SAFETY: texts of the library end in a zero byte and live at least until the object they come from changes.
        unsafe { text(pointer) }
    }};
}
pub(in crate::backend::tensorrt) use said;

/// Whether the library gave no object.
pub fn is_nothing(pointer: This) -> bool {
    pointer.addr() < FIRST_PAGE
}
