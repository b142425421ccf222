//! Type information for our objects, as a C++ compiler would put it before their tables: a library may ask any object what
//! it is (`dynamic_cast`, `typeid`), and reads through that word without looking whether it is null.

use super::callbacks::Word;
use libloading::os::unix::{Library, RTLD_NOW};
use std::ffi::{CStr, c_char};

/// `abi::__class_type_info` of the Itanium C++ ABI: a class without base classes that anyone could cast to.
#[repr(C)]
struct ClassTypeInfo {
    table: *const Word,
    name: *const c_char,
}

/// libstdc++, which NVIDIA's libraries need.
const RUNTIME: &str = "libstdc++.so.6";
/// The table of functions of `abi::__class_type_info`.
const TABLE: &[u8] = b"_ZTVN10__cxxabiv117__class_type_infoE\0";

/// The word for a class with this mangled name; null where there is no C++ runtime, and so nobody who could ask. It stays
/// valid until the process ends, as that of a compiled class.
pub(super) fn of(mangled: &'static CStr) -> Word {
    // SAFETY: the initialisers of the C++ runtime run in any C++ program.
    let Ok(runtime) = (unsafe { Library::open(Some(RUNTIME), RTLD_NOW) }) else { return std::ptr::null() };
    // SAFETY: only the address is used, which is that of an array of words.
    let table = unsafe { runtime.get::<*const Word>(TABLE) }.map(libloading::os::unix::Symbol::as_raw_ptr);
    let Ok(table) = table else { return std::ptr::null() };
    // Two words stand before the functions, as in our own tables.
    let table = table.cast::<Word>().wrapping_add(2).cast_const();
    // The table must stay where it is for as long as objects point to it.
    std::mem::forget(runtime);
    Box::into_raw(Box::new(ClassTypeInfo { table, name: mangled.as_ptr() })).cast_const().cast()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::c_void;

    type DynamicCast = unsafe extern "C" fn(*const c_void, Word, Word, isize) -> *const c_void;

    #[test]
    fn the_cxx_runtime_asks_an_object_what_it_is() {
        let (logger, base, other) = (of(c"6Logger"), of(c"4Base"), of(c"5Other"));
        // SAFETY: as above.
        let Ok(runtime) = (unsafe { Library::open(Some(RUNTIME), RTLD_NOW) }) else {
            println!("skipped: there is no {RUNTIME} here");
            assert!(logger.is_null() && other.is_null());
            return;
        };
        // SAFETY: the signature is that of the Itanium C++ ABI.
        let cast = unsafe { runtime.get::<DynamicCast>(b"__dynamic_cast\0") }.expect("a C++ runtime casts");
        let words = [std::ptr::null(), logger];
        let object = [words.as_ptr().wrapping_add(2)];
        let this = object.as_ptr().cast::<c_void>();
        // SAFETY: the object begins with a table, before which stand its offset and its type.
        // Where the word is null, the runtime crashes here.
        let found = unsafe { cast(this, base, other, -1) };
        assert_eq!(found, std::ptr::null(), "it is nothing that it is not");
    }
}
