//! The pack that comes with the crate.

use super::bytes::{Bytes, Source};
use super::{Pack, Trust};
use crate::error::Result;

/// Written by `trainer pack`; `docs/default-pack.md` has the commands, the data and the figures.
static BYTES: &Line<[u8]> = &Line(*include_bytes!("default.vfpack"));

/// Begins at a cache line, as parts do in the file, so that the kernels read weights where they lie in the program.
#[repr(C, align(64))]
struct Line<T: ?Sized>(T);

impl Pack {
    /// The small default: detector and recogniser of our own, int8 where it serves, with thresholds. A program that does not call
    /// this does not carry its bytes.
    ///
    /// **Its weights were trained on research data and learnt from teachers without a commercial licence**: its manifest's licences
    /// say what that means for a product.
    ///
    /// # Errors
    /// As [`Pack::from_bytes`]; a test of the crate opens it.
    pub fn embedded() -> Result<Pack> {
        // The program vouches for what it carries.
        Pack::read(&Source::Memory(Bytes::from(&BYTES.0)), Trust::Unsigned)
    }
}
