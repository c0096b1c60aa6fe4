//! A network on our own kernels takes no memory from the heap once it has run.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use veriface::Measured;
use veriface_tests::{here, shared};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count() {
    // A thread that is ending has no counter any more.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's.
        unsafe { System.realloc(memory, layout, size) }
    }
}

fn allocations_of_the_second_run(onnx: &[u8], side: usize) -> usize {
    let network = Measured::load(onnx, &[1, 3, side, side]).unwrap();
    let run = || network.run(|input| input.fill(0.25), |_| ()).unwrap();
    run();
    let before = ALLOCATIONS.get();
    run();
    run();
    ALLOCATIONS.get() - before
}

#[test]
fn a_second_run_allocates_nothing() {
    let golden = here("../sdk/src/net/golden");
    for name in ["small_relu_int8.onnx", "small_prelu_int8.onnx"] {
        assert_eq!(allocations_of_the_second_run(&std::fs::read(golden.join(name)).unwrap(), 24), 0, "{name}");
    }
    for (name, side) in [("mobilefacenet_y1_128d.onnx", 112), ("scrfd_500m_bnkps_320.onnx", 320)] {
        if let Some(file) = shared(&format!("models/{name}")) {
            assert_eq!(allocations_of_the_second_run(&std::fs::read(file).unwrap(), side), 0, "{name}");
        }
    }
}
