//! The tests' allocator: the system's, which counts what a thread takes and looks for a secret in what it gives back.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Watched;

#[global_allocator]
static ALLOCATOR: Watched = Watched;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
    /// Bytes that this thread took and has not given back.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static SECRET: Cell<Option<[u8; 16]>> = const { Cell::new(None) };
    static FOUND: Cell<usize> = const { Cell::new(0) };
}

/// How often this thread has asked for memory.
pub fn allocations() -> usize {
    ALLOCATIONS.get()
}

/// Bytes that this thread has taken and not given back.
pub fn held() -> isize {
    HELD.get()
}

/// The most bytes that this thread held during the work, beyond what it held before.
pub fn peak<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = HELD.get();
    PEAK.set(before);
    let made = work();
    (usize::try_from(PEAK.get() - before).unwrap_or(0), made)
}

/// How many pieces of memory this thread gave back during the work with the secret still in them.
pub fn left_behind(secret: [u8; 16], work: impl FnOnce()) -> usize {
    FOUND.set(0);
    SECRET.set(Some(secret));
    work();
    SECRET.set(None);
    FOUND.get()
}

fn take(size: usize) {
    // A thread that is ending has no counters any more.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
    hold(size as isize);
}

fn hold(more: isize) {
    let _ = HELD.try_with(|held| {
        held.set(held.get() + more);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

/// # Safety
/// There are so many bytes.
unsafe fn look(memory: *const u8, size: usize) {
    let Ok(Some(secret)) = SECRET.try_with(Cell::get) else { return };
    // SAFETY: the block is still the caller's; what nobody wrote to it holds something or other, which volatile reads may see.
    let byte = |at: usize| unsafe { memory.add(at).read_volatile() };
    let begins = |start: &usize| secret.iter().enumerate().all(|(at, expected)| byte(start + at) == *expected);
    if (0..(size + 1).saturating_sub(secret.len())).step_by(4).any(|start| begins(&start)) {
        let _ = FOUND.try_with(|found| found.set(found.get() + 1));
    }
}

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Watched {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        hold(-(layout.size() as isize));
        // SAFETY: the caller's.
        unsafe {
            look(memory, layout.size());
            System.dealloc(memory, layout)
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(0);
        hold(size as isize - layout.size() as isize);
        // SAFETY: the caller's. The old piece may be given back by this.
        unsafe {
            look(memory, layout.size());
            System.realloc(memory, layout, size)
        }
    }
}
