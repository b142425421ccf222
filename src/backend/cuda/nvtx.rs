//! Ranges of our own (NVTX) for a profiler that watches this process, in a domain of their own.
//!
//! NVTX has no library to link: a profiler names its own in `NVTX_INJECTION64_PATH`, and whoever marks ranges loads it and
//! hands it a table of places, into which it writes its functions. That is all this file does; NVIDIA's headers do the
//! same. The crate `nvtx` 1.3 was no way: it has no domains, by which a profiler finds our ranges.
//!
//! Start and end, not push and pop: requests overlap, and what is pushed is lost once a context is made.

use crate::profile::DOMAIN;
use libloading::Library;
use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The version of NVTX whose tables and structures these are.
const VERSION: u16 = 3;
/// The module of functions with a domain (`NVTX_CB_MODULE_CORE2`).
const WITH_DOMAIN: c_int = 5;
/// The module of the others (`NVTX_CB_MODULE_CORE`), which a profiler fills in too and nobody here calls.
const WITHOUT_DOMAIN: c_int = 1;
/// Places in each of the two modules; the first one stays empty.
const PLACES: usize = 16;
// Functions of `WITH_DOMAIN`.
const RANGE_START: usize = 2;
const RANGE_END: usize = 3;
const DOMAIN_CREATE: usize = 12;

/// Where a profiler writes its functions.
type Places = [AtomicPtr<c_void>; PLACES];
static DOMAIN_PLACES: Places = [const { AtomicPtr::new(null_mut()) }; PLACES];
static OTHER_PLACES: Places = [const { AtomicPtr::new(null_mut()) }; PLACES];

/// The addresses of the places, as the profiler gets them.
struct Addresses([*const AtomicPtr<c_void>; PLACES + 1]);
// SAFETY: addresses of places that live as long as the process and are written atomically.
unsafe impl Sync for Addresses {}
static DOMAIN_TABLE: Addresses = addresses(&DOMAIN_PLACES);
static OTHER_TABLE: Addresses = addresses(&OTHER_PLACES);

const fn addresses(places: &'static Places) -> Addresses {
    let mut table = [std::ptr::null(); PLACES + 1];
    let mut i = 1;
    while i < PLACES {
        table[i] = &raw const places[i];
        i += 1;
    }
    Addresses(table)
}

#[repr(C)]
struct Callbacks {
    bytes: usize,
    module_table: extern "C" fn(c_int, *mut *const *const AtomicPtr<c_void>, *mut c_uint) -> c_int,
}
static CALLBACKS: Callbacks = Callbacks { bytes: size_of::<Callbacks>(), module_table };

#[repr(C)]
struct VersionInfo {
    bytes: usize,
    version: u32,
    reserved: u32,
    set_injection_version: extern "C" fn(u32),
}
static VERSION_INFO: VersionInfo = VersionInfo {
    bytes: size_of::<VersionInfo>(),
    version: VERSION as u32,
    reserved: 0,
    set_injection_version,
};

/// What the profiler calls to get at the tables above.
extern "C" fn export_table(id: u32) -> *const c_void {
    match id {
        1 => (&raw const CALLBACKS).cast(),
        3 => (&raw const VERSION_INFO).cast(),
        _ => std::ptr::null(),
    }
}

extern "C" fn module_table(
    module: c_int,
    table: *mut *const *const AtomicPtr<c_void>,
    size: *mut c_uint,
) -> c_int {
    let found = match module {
        WITH_DOMAIN => &DOMAIN_TABLE,
        WITHOUT_DOMAIN => &OTHER_TABLE,
        _ => return 0,
    };
    // SAFETY: the profiler passes places for the answers, or null for one that it does not want.
    unsafe {
        if !table.is_null() {
            table.write(found.0.as_ptr());
        }
        if !size.is_null() {
            size.write(PLACES as c_uint);
        }
    }
    1
}

extern "C" fn set_injection_version(_: u32) {}

/// `nvtxEventAttributes_t`: a range's name and what else it could have.
#[repr(C)]
struct Attributes {
    version: u16,
    bytes: u16,
    category: u32,
    colour_kind: i32,
    colour: u32,
    payload_kind: i32,
    reserved: i32,
    payload: u64,
    message_kind: i32,
    message: *const c_char,
}

/// A message is a C string (`NVTX_MESSAGE_TYPE_ASCII`).
const C_STRING: i32 = 1;

type CreateDomain = extern "C" fn(*const c_char) -> *mut c_void;
type StartRange = extern "C" fn(*mut c_void, *const Attributes) -> u64;
type EndRange = extern "C" fn(*mut c_void, u64);

/// Whether this program can mark ranges.
pub const IS_HERE: bool = true;

/// A profiler that takes our ranges.
pub struct Nvtx {
    domain: *mut c_void,
    start: StartRange,
    end: EndRange,
}
// SAFETY: NVTX is made to be called from any thread; the domain lives as long as the process.
unsafe impl Send for Nvtx {}
// SAFETY: the same.
unsafe impl Sync for Nvtx {}

impl Nvtx {
    /// Begins a range.
    pub fn start(&self, name: &str) -> u64 {
        // A name with a zero byte in it is shown up to there.
        let name = CString::new(name.split('\0').next().unwrap_or_default()).unwrap_or_default();
        let attributes = Attributes {
            version: VERSION,
            bytes: size_of::<Attributes>() as u16,
            category: 0,
            colour_kind: 0,
            colour: 0,
            payload_kind: 0,
            reserved: 0,
            payload: 0,
            message_kind: C_STRING,
            message: name.as_ptr(),
        };
        (self.start)(self.domain, &raw const attributes)
    }

    /// Ends the range that [`Self::start`] began.
    pub fn end(&self, range: u64) {
        (self.end)(self.domain, range);
    }
}

/// The profiler that watches this process; `None` where there is none. Its library is loaded by the first call.
pub fn profiler() -> Option<&'static Nvtx> {
    static FOUND: OnceLock<Option<Nvtx>> = OnceLock::new();
    FOUND.get_or_init(load).as_ref()
}

/// As with NVIDIA's own headers, a library that is not there or will not do is no profiler.
fn load() -> Option<Nvtx> {
    let path = std::env::var_os("NVTX_INJECTION64_PATH").filter(|path| !path.is_empty())?;
    // SAFETY: whoever set the variable wants this library to be loaded; a profiler has loaded it before.
    let library = unsafe { Library::new(path) }.ok()?;
    type Initialize = extern "C" fn(extern "C" fn(u32) -> *const c_void) -> c_int;
    // SAFETY: the type that NVTX gives this function.
    let initialize = *unsafe { library.get::<Initialize>(b"InitializeInjectionNvtx2\0") }.ok()?;
    // Its functions are called until the process ends.
    std::mem::forget(library);
    if initialize(export_table) == 0 {
        return None;
    }
    let function = |place: usize| {
        let pointer = DOMAIN_PLACES[place].load(Ordering::Acquire);
        (!pointer.is_null()).then_some(pointer)
    };
    // SAFETY: the profiler wrote functions of these types into the places that NVTX gives them.
    let (create, start, end) = unsafe {
        (
            std::mem::transmute::<*mut c_void, CreateDomain>(function(DOMAIN_CREATE)?),
            std::mem::transmute::<*mut c_void, StartRange>(function(RANGE_START)?),
            std::mem::transmute::<*mut c_void, EndRange>(function(RANGE_END)?),
        )
    };
    let name = CString::new(DOMAIN).unwrap_or_default();
    Some(Nvtx { domain: create(name.as_ptr()), start, end })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profiler_gets_a_table_of_places_for_each_module() {
        let callbacks = export_table(1).cast::<Callbacks>();
        assert!(!callbacks.is_null() && !export_table(3).is_null() && export_table(2).is_null());
        let (mut table, mut size) = (std::ptr::null(), 0);
        for (module, places) in [(WITH_DOMAIN, &DOMAIN_PLACES), (WITHOUT_DOMAIN, &OTHER_PLACES)] {
            assert_eq!(module_table(module, &raw mut table, &raw mut size), 1);
            assert_eq!(size, 16);
            // SAFETY: a table of seventeen addresses, the first and the last of them null.
            let table = unsafe { std::slice::from_raw_parts(table, 17) };
            assert!(table[0].is_null() && table[16].is_null());
            assert!(std::ptr::eq(table[RANGE_START], &raw const places[RANGE_START]));
        }
        assert_eq!(module_table(2, &raw mut table, &raw mut size), 0, "CUDA's names are not ours to give");
    }

    #[test]
    fn attributes_have_the_layout_of_the_header() {
        assert_eq!(size_of::<Attributes>(), 48);
        assert_eq!(std::mem::offset_of!(Attributes, payload), 24);
        assert_eq!(std::mem::offset_of!(Attributes, message), 40);
    }

    #[test]
    fn without_a_profiler_there_is_none() {
        // No profiler watches the tests.
        assert!(std::env::var_os("NVTX_INJECTION64_PATH").is_some() || profiler().is_none());
    }
}
