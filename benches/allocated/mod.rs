//! Counts the bytes that a bench has allocated, so that it can tell what a table takes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicIsize, Ordering};

/// The system's allocator, which counts.
pub(crate) struct Counting;

static ALLOCATED_BYTES: AtomicIsize = AtomicIsize::new(0);

/// Bytes that are allocated now, without what the allocator itself needs.
pub(crate) fn bytes() -> isize {
    ALLOCATED_BYTES.load(Ordering::Relaxed)
}

fn count(bytes: isize) {
    ALLOCATED_BYTES.fetch_add(bytes, Ordering::Relaxed);
}

// SAFETY: every call goes to the system's allocator as it came.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller keeps the contract of this very function.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size_bytes: usize) -> *mut u8 {
        count(size_bytes as isize - layout.size() as isize);
        // SAFETY: as above.
        unsafe { System.realloc(place, layout, size_bytes) }
    }
}
