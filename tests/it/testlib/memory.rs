//! Our allocator as the library sees it, in every family, with memory of the host: what is given and given back is traced
//! phase by phase, and what the library does wrong is told.

use super::runs::{alone, load_with};
use crate::support::installed::RELEASES;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use trt_perf::backend::tensorrt::sys::abi::StreamHandle;
use trt_perf::backend::tensorrt::sys::allocator::{DeviceMemory, GpuAllocator};
use trt_perf::backend::tensorrt::sys::library::Api;
use trt_perf::backend::trace::MemoryTrace;
use trt_perf::memory::wire::MemoryEvents;
use trt_perf::memory::{Leak, MemoryPhase, ProcessMemory, WrongFrees};

const MIB: u64 = 1 << 20;

/// Aligned as a GPU's memory is.
#[derive(Clone)]
#[repr(align(4096))]
struct Page(#[expect(dead_code, reason = "memory that somebody else uses")] [u8; 4096]);

/// Memory of this process, of which there is a gibibyte.
#[derive(Default)]
struct HostMemory(Mutex<BTreeMap<u64, Vec<Page>>>);

impl DeviceMemory for HostMemory {
    fn allocate(&self, bytes: u64, _: Option<StreamHandle>) -> Option<u64> {
        let pages = usize::try_from(bytes.div_ceil(4096)).ok().filter(|n| *n < 1 << 18)?;
        let mut memory = vec![Page([0; 4096]); pages];
        let address = memory.as_mut_ptr().expose_provenance() as u64;
        self.0.lock().unwrap().insert(address, memory);
        Some(address)
    }

    fn free(&self, address: u64, _: Option<StreamHandle>) -> bool {
        self.0.lock().unwrap().remove(&address).is_some()
    }
}

/// Loads a plan with an allocator, makes a context, destroys both, and tells what was found. Run by `runs::checks`.
pub fn traced(api: &Arc<Api>, plan: &[u8], fault: &str) {
    let trace = Arc::new(MemoryTrace::new());
    trace.begin(MemoryPhase::Load);
    let allocator = Arc::new(GpuAllocator::new(api.family(), &trace, Box::<HostMemory>::default()));
    match load_with(api, plan, &allocator) {
        Err(failure) => {
            assert_eq!(fault, "greedy-weights", "{failure}");
            assert_eq!(trace.refusal(), Some((1 << 60, MemoryPhase::Load, 0)));
        }
        Ok(engine) => {
            trace.begin(MemoryPhase::Context);
            let contexts = [engine.context(false).unwrap(), engine.context(false).unwrap()];
            trace.begin(MemoryPhase::End);
            drop(contexts);
        }
    }
    drop(allocator);
    let (_, found, events) = trace.end();
    judge(&found, &events, fault);
}

fn judge(found: &ProcessMemory, events: &MemoryEvents, fault: &str) {
    let traced =
        |at: usize| found.phases[at].traced.map(|t| (t.peak_bytes / MIB, t.end_bytes / MIB, t.allocations));
    if fault == "greedy-weights" {
        assert_eq!((found.refused, traced(0)), (1, Some((0, 0, 0))));
        return;
    }
    assert_eq!((traced(0), traced(1)), (Some((1, 1, 1)), Some((3, 3, 2))), "the weights, then two contexts");
    let leaked = if fault == "leak-context" { 2 } else { 0 };
    assert_eq!(traced(2), Some((3, leaked, 0)));
    let leak = Leak { phase: MemoryPhase::Context, allocations: 2, bytes: 2 * MIB };
    assert_eq!(found.leaks, Vec::from_iter((leaked > 0).then_some(leak)));
    let wrong = |name: &str| u64::from(fault == name);
    let expected = WrongFrees { twice: wrong("double-free"), unknown: wrong("unknown-free") };
    assert_eq!((found.wrong_frees, found.refused), (expected, 0));
    let calls = 6 - leaked + expected.twice + expected.unknown;
    assert_eq!(events.events.len() as u64, calls, "{events:?}");
    assert!(events.events.is_sorted_by_key(|e| e.at_ns));
}

#[test]
fn what_the_library_takes_and_does_wrong_is_traced_in_every_family() {
    for file in RELEASES {
        let calls = alone("memory", file, "");
        calls.check_lifecycle();
        assert!(calls.has("setGpuAllocator") && calls.has("allocator allocate(1048576)"), "{calls:#?}");
        assert!(calls.has("allocator allocateAsync(1048576)") && calls.has("allocator deallocateAsync"));
    }
    for fault in ["leak-context", "double-free", "unknown-free"] {
        alone("memory", RELEASES[0], fault).check_lifecycle();
    }
    alone("memory", RELEASES[1], "greedy-weights").check_lifecycle();
}
