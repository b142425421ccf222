//! A profiler in the place of NVIDIA's: takes the ranges that a program marks with NVTX, and writes them down.

use crate::told::{tell, violation};
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::sync::atomic::{AtomicU64, Ordering};

type ExportTable = extern "C" fn(u32) -> *const c_void;

/// The table that gives the others (`NVTX_ETID_CALLBACKS`).
const CALLBACKS: u32 = 1;
/// The functions with a domain (`NVTX_CB_MODULE_CORE2`), and where they stand.
const WITH_DOMAIN: c_int = 5;
const RANGE_START: usize = 2;
const RANGE_END: usize = 3;
const DOMAIN_CREATE: usize = 12;

#[repr(C)]
struct Callbacks {
    bytes: usize,
    module_table: extern "C" fn(c_int, *mut *const *mut *const c_void, *mut c_uint) -> c_int,
}

/// The end of `nvtxEventAttributes_t`, behind 32 bytes of what nobody sets here.
#[repr(C)]
struct Attributes {
    version: u16,
    bytes: u16,
    unused: [u32; 7],
    message_kind: i32,
    message: *const c_char,
}

/// Called once by whoever marks ranges.
///
/// # Safety
/// `export_table` gives the tables of NVTX 3.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn InitializeInjectionNvtx2(export_table: ExportTable) -> c_int {
    // SAFETY: the table of that number has this form.
    let callbacks = unsafe { &*export_table(CALLBACKS).cast::<Callbacks>() };
    let (mut table, mut size) = (std::ptr::null(), 0);
    if (callbacks.module_table)(WITH_DOMAIN, &raw mut table, &raw mut size) != 1 || size != 16 {
        violation("there is no table of functions with a domain");
    }
    let functions = [
        (RANGE_START, range_start as *const c_void),
        (RANGE_END, range_end as *const c_void),
        (DOMAIN_CREATE, domain_create as *const c_void),
    ];
    for (place, function) in functions {
        // SAFETY: the table holds as many places for functions.
        unsafe { table.add(place).read().write(function) };
    }
    1
}

extern "C" fn domain_create(name: *const c_char) -> *mut c_void {
    tell(&format!("nvtx domain {}", text(name)));
    std::ptr::without_provenance_mut(0x10)
}

extern "C" fn range_start(domain: *mut c_void, attributes: *const Attributes) -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    // SAFETY: the caller's attributes are alive during the call.
    let attributes = unsafe { &*attributes };
    let known = (attributes.version, attributes.bytes, attributes.message_kind) == (3, 48, 1);
    if domain.addr() != 0x10 || !known || attributes.unused != [0; 7] {
        violation("a range has another domain, or other attributes");
    }
    let range = NEXT.fetch_add(1, Ordering::SeqCst);
    tell(&format!("nvtx start {range} {}", text(attributes.message)));
    range
}

extern "C" fn range_end(_: *mut c_void, range: u64) {
    tell(&format!("nvtx end {range}"));
}

fn text(name: *const c_char) -> String {
    // SAFETY: NVTX passes C strings.
    unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned()
}
