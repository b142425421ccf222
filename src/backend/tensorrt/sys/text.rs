//! Converts texts that come from the library, and texts that go to it.

use super::abi::Text;
use crate::error::{Failure, Result};
use std::ffi::{CStr, CString};

/// A text of the library's; empty where it gave none.
///
/// # Safety
/// `pointer` is null, or that of a text that ends in a zero byte and does not change meanwhile.
pub unsafe fn text(pointer: Text) -> String {
    if pointer.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// A text for the library. `what` is named where it cannot be one.
pub fn c_text(what: &str, text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| {
        Failure::usage(format!("{what} {text:?} holds a zero byte, which TensorRT cannot be given"))
    })
}
