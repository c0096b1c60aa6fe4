//! Memory aligned to a cache line, and views of it as numbers.

use std::sync::Arc;

use crate::pack::Bytes;

/// Numbers without padding or forbidden bit patterns.
pub(in crate::net) trait Number: Copy + Default + Send + Sync + 'static {}
impl Number for u8 {}
impl Number for i8 {}
impl Number for u16 {}
impl Number for i16 {}
impl Number for i32 {}
impl Number for f32 {}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

/// Bytes that begin at a cache line.
#[derive(Clone, Default)]
pub(in crate::net) struct Memory {
    lines: Vec<Line>,
}

impl Memory {
    pub(in crate::net) fn zeroed(bytes: usize) -> Memory {
        Memory { lines: vec![Line([0; 64]); bytes.div_ceil(64)] }
    }

    /// The values, and zeros up to the end of the last line.
    pub(in crate::net) fn of<T: Number>(values: &[T]) -> Memory {
        let mut memory = Memory::zeroed(size_of_val(values));
        memory.view_mut()[..values.len()].copy_from_slice(values);
        memory
    }

    pub(in crate::net) fn bytes(&self) -> usize {
        self.lines.len() * 64
    }

    pub(in crate::net) fn view<T: Number>(&self) -> &[T] {
        let length = self.bytes() / size_of::<T>();
        // SAFETY: a `Number` has any bit pattern and an alignment that divides a line's; the lines are initialised and borrowed as long.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), length) }
    }

    pub(in crate::net) fn view_mut<T: Number>(&mut self) -> &mut [T] {
        let length = self.bytes() / size_of::<T>();
        // SAFETY: as in `view`, and the borrow is exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), length) }
    }
}

/// Bytes of a [`Memory`] as numbers.
///
/// # Panics
/// When the bytes do not begin at a multiple of a number's size: the planner places everything at cache lines.
pub(in crate::net) fn numbers<T: Number>(bytes: &[u8]) -> &[T] {
    // SAFETY: any bit pattern is a `Number`.
    let (before, numbers, _) = unsafe { bytes.align_to::<T>() };
    assert!(before.is_empty(), "a value that does not begin at a line");
    numbers
}

/// As [`numbers`], to write.
pub(in crate::net) fn numbers_mut<T: Number>(bytes: &mut [u8]) -> &mut [T] {
    // SAFETY: any bit pattern is a `Number`, and any number is bytes.
    let (before, numbers, _) = unsafe { bytes.align_to_mut::<T>() };
    assert!(before.is_empty(), "a value that does not begin at a line");
    numbers
}

/// What a layer's kernels read and nobody writes: packed here, or as a pack's prepared part holds it. Cheap to clone.
#[derive(Clone)]
pub(in crate::net) enum Weights {
    Own(Arc<Memory>),
    Shared(Bytes),
}

impl Weights {
    /// Where they lie, when that is a cache line's beginning; a copy otherwise.
    pub(in crate::net) fn shared(bytes: Bytes) -> Weights {
        match bytes.as_ptr().align_offset(align_of::<Line>()) {
            0 => Weights::Shared(bytes),
            _ => Weights::from(Memory::of(&bytes)),
        }
    }

    pub(in crate::net) fn bytes(&self) -> &[u8] {
        match self {
            Weights::Own(memory) => memory.view(),
            Weights::Shared(bytes) => bytes,
        }
    }
}

impl From<Memory> for Weights {
    fn from(memory: Memory) -> Weights {
        Weights::Own(Arc::new(memory))
    }
}
