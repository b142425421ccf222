//! Counts what this process allocates on the host, once a memory worker switches it on: what the `cpu` backend has in
//! the place of an allocator that a library takes. Switched off it is one relaxed load per allocation.

use crate::memory::TracedMemory;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};

/// The program's allocator: the system's, counted.
pub struct Counting;

static ON: AtomicBool = AtomicBool::new(false);
/// Below zero where memory from before the count was given back.
static CURRENT: AtomicI64 = AtomicI64::new(0);
static PEAK: AtomicI64 = AtomicI64::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

fn grown(bytes: usize) {
    let now = CURRENT.fetch_add(bytes as i64, Relaxed) + bytes as i64;
    PEAK.fetch_max(now, Relaxed);
    ALLOCATIONS.fetch_add(1, Relaxed);
}

fn shrunk(bytes: usize) {
    CURRENT.fetch_sub(bytes as i64, Relaxed);
}

/// Begins to count, with so much that is there already and will be given back.
pub fn begin(already: u64) {
    let already = i64::try_from(already).unwrap_or(i64::MAX);
    CURRENT.store(already, Relaxed);
    PEAK.store(already, Relaxed);
    ON.store(true, Relaxed);
}

/// What was counted since the last call: a phase ends.
pub fn close() -> TracedMemory {
    let bytes = |n: i64| u64::try_from(n).unwrap_or(0);
    let now = CURRENT.load(Relaxed);
    TracedMemory {
        peak_bytes: bytes(PEAK.swap(now, Relaxed)),
        end_bytes: bytes(now),
        allocations: ALLOCATIONS.swap(0, Relaxed),
    }
}

// SAFETY: every call goes to the system's allocator with the arguments it came with; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let memory = unsafe { System.alloc(layout) };
        if ON.load(Relaxed) && !memory.is_null() {
            grown(layout.size());
        }
        memory
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        let memory = unsafe { System.alloc_zeroed(layout) };
        if ON.load(Relaxed) && !memory.is_null() {
            grown(layout.size());
        }
        memory
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) };
        if ON.load(Relaxed) {
            shrunk(layout.size());
        }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        let moved = unsafe { System.realloc(memory, layout, size) };
        if ON.load(Relaxed) && !moved.is_null() {
            // Both are there while the contents are moved, but the system's allocator often need not move them.
            shrunk(layout.size());
            grown(size);
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_and_given_back_is_counted_phase_by_phase() {
        // This test's own program has the system's allocator, so nobody else counts.
        let layout = Layout::from_size_align(1 << 12, 8).unwrap();
        // SAFETY: memory is given back once, with the layout it has.
        unsafe {
            let before = Counting.alloc(layout);
            begin(1 << 12);
            let first = Counting.alloc_zeroed(layout);
            let first = Counting.realloc(first, layout, 1 << 13);
            let large = Layout::from_size_align(1 << 13, 8).unwrap();
            let both = TracedMemory { peak_bytes: 3 << 12, end_bytes: 3 << 12, allocations: 2 };
            assert_eq!(close(), both);
            Counting.dealloc(first, large);
            assert_eq!(close(), TracedMemory { end_bytes: 1 << 12, allocations: 0, ..both });
            Counting.dealloc(before, layout);
            assert_eq!(close().end_bytes, 0, "what was there before");
        }
    }
}
