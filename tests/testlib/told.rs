//! What the environment tells this library to be and to do, and the list of calls it keeps.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use trt_perf::backend::tensorrt::sys::abi::{Family, LibraryVersion, Release, TEST_LIBRARY_BUILD};

/// Everything that can be made to go wrong. A number after a colon says how many times it goes well before.
const FAULTS: [&str; 31] = [
    // The library and its objects.
    "wrong-version",
    "builder-null",
    "parser-null",
    "plugins-refused",
    "runtime-null",
    // As the lean runtimes: a null pointer that was moved to where a base class would be.
    "runtime-moved-null",
    "log-flood",
    // The build phase.
    "parser-error",
    // The same, and a second error of a node without a name, with a code that no header has.
    "parser-errors",
    "plan-null",
    "empty-plan",
    "lying-plan-size",
    "crash-in-build",
    "abort-in-build",
    "hang-in-build",
    // What the builder takes of an allocator is not given back.
    "leak-in-build",
    // The run phase.
    "kernels-refused",
    "deserialize-null",
    "crash-in-deserialize",
    "no-context",
    "lying-io-count",
    "lying-shape",
    // Outputs are of a type that this tool has no tensors of.
    "unknown-type",
    "enqueue-fails",
    "crash-in-enqueue",
    "hang-in-enqueue",
    "leak-in-enqueue",
    "leak-context",
    // An allocator is asked for an exbibyte.
    "greedy-weights",
    // Given back twice, and given back without having been there.
    "double-free",
    "unknown-free",
];

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// How often `name` goes well before it goes wrong; `None`: always.
fn after(name: &str) -> Option<u64> {
    static ASKED: OnceLock<Vec<(String, u64)>> = OnceLock::new();
    let asked = ASKED.get_or_init(|| {
        let text = variable("TRT_PERF_TESTLIB_FAULT").unwrap_or_default();
        let faults = text.split(',').filter(|word| !word.is_empty()).map(|word| {
            let (name, count) = word.split_once(':').unwrap_or((word, "0"));
            assert!(FAULTS.contains(&name), "TRT_PERF_TESTLIB_FAULT: there is no {name}, but {FAULTS:?}");
            (name.to_owned(), count.parse().expect("a number after the colon"))
        });
        faults.collect()
    });
    debug_assert!(FAULTS.contains(&name), "{name}");
    static ONLY: OnceLock<bool> = OnceLock::new();
    let only = *ONLY.get_or_init(|| variable("TRT_PERF_TESTLIB_ONLY").is_some());
    if only && !CONCERNED.load(Ordering::Relaxed) {
        return None;
    }
    asked.iter().find(|(n, _)| n == name).map(|(_, count)| *count)
}

/// Whether the model of this process is the one that is to go wrong.
static CONCERNED: AtomicBool = AtomicBool::new(false);

/// Says what the tensors of this process's model are called.
pub fn model_has(tensors: &[crate::model::Io]) {
    let only = variable("TRT_PERF_TESTLIB_ONLY").unwrap_or_default();
    CONCERNED.store(tensors.iter().any(|t| t.name.to_string_lossy() == only), Ordering::Relaxed);
}

/// Whether `name` is to go wrong.
pub fn fault(name: &str) -> bool {
    after(name).is_some()
}

/// Whether `name` is to go wrong when it was done `times` times before.
pub fn fault_after(name: &str, times: u64) -> bool {
    after(name).is_some_and(|count| times >= count)
}

/// How much memory an inference fills beside its outputs.
pub fn work_bytes() -> usize {
    static BYTES: OnceLock<usize> = OnceLock::new();
    *BYTES.get_or_init(|| {
        variable("TRT_PERF_TESTLIB_WORK_BYTES")
            .map_or(1 << 20, |text| text.parse().expect("a number of bytes"))
    })
}

/// Whether memory is the host's and work is done at once, so that no GPU is needed.
pub fn on_host() -> bool {
    static HOST: OnceLock<bool> = OnceLock::new();
    *HOST.get_or_init(|| variable("TRT_PERF_TESTLIB_HOST").is_some())
}

/// Appends a line to the list of calls.
pub fn tell(line: &str) {
    static CALLS: OnceLock<Option<Mutex<File>>> = OnceLock::new();
    let file = CALLS.get_or_init(|| {
        let path = variable("TRT_PERF_TESTLIB_CALLS")?;
        Some(Mutex::new(OpenOptions::new().create(true).append(true).open(path).expect("the list of calls")))
    });
    if let Some(file) = file {
        // In one write, because several processes append. Written at once, so that a crash loses nothing.
        let line = format!("{} {line}\n", std::process::id());
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(line.as_bytes()).expect("the list of calls can be written");
    }
}

/// The caller broke the rules: written down, and the end, as nothing after it would mean anything.
pub fn violation(what: &str) -> ! {
    tell(&format!("VIOLATION: {what}"));
    eprintln!("the test library was misused: {what}");
    std::process::abort()
}

/// What this library is, by the name of its file.
pub fn release() -> &'static Release {
    static RELEASE: OnceLock<Release> = OnceLock::new();
    RELEASE.get_or_init(|| {
        let name = own_name().unwrap_or_default();
        parse(&name).unwrap_or_else(|| panic!("{name:?} is no name to install the test library under"))
    })
}

/// The name of the file that this function was loaded from.
fn own_name() -> Option<String> {
    let here = own_name as fn() -> Option<String> as usize;
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let mine = maps.lines().find(|line| {
        let range = line.split(' ').next().and_then(|r| r.split_once('-'));
        let range = range.and_then(|(from, to)| {
            Some(usize::from_str_radix(from, 16).ok()?..usize::from_str_radix(to, 16).ok()?)
        });
        range.is_some_and(|r| r.contains(&here))
    })?;
    Some(mine.rsplit('/').next()?.to_owned())
}

/// `libnvinfer.so.10.13.3` is TensorRT 10.13.3.
fn parse(name: &str) -> Option<Release> {
    let (stem, version) = name.split_once(".so.")?;
    let mut numbers = version.split('.').map(str::parse::<u32>);
    let mut next = || numbers.next().and_then(Result::ok);
    let (major, minor, patch) = (next()?, next()?, next()?);
    let family = match (stem, major) {
        ("libnvinfer", 10) => Family::Trt10,
        ("libnvinfer", 11) => Family::Trt11,
        ("libtensorrt_rtx", 1) => Family::Rtx1,
        _ => return None,
    };
    Some(Release {
        family,
        version: LibraryVersion { major, minor, patch, build: TEST_LIBRARY_BUILD },
        lean: false,
    })
}
