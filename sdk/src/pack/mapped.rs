//! A part of a pack's file as memory: the system reads what is touched, and all processes share it. Beside `net/kernels` the one room with
//! `unsafe`, of one call.

#![allow(unsafe_code)]

use std::fs::File;
use std::ops::Deref;

use memmap2::{Mmap, MmapOptions};

/// A part of a file, mapped for reading.
pub(super) struct Mapped(Mmap);

impl Mapped {
    /// # Errors
    /// What the system says where a file cannot be mapped.
    pub(super) fn new(file: &File, start: u64, length: usize) -> std::io::Result<Mapped> {
        // SAFETY: the file must not be changed where it lies while it is mapped, which `Pack::open` asks of its caller; files of ours
        // are replaced by rename, which leaves the mapped one as it was. What is read of it are numbers: sizes, indices and text are
        // copied when they are checked, so that a change would give other numbers and reach no other memory.
        unsafe { MmapOptions::new().offset(start).len(length).map(file) }.map(Mapped)
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}
