//! Bytes that parts, networks and kernels share instead of copying.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::{Deref, Range};
use std::sync::{Arc, Mutex, PoisonError};

use super::mapped::Mapped;
use crate::error::{Error, ErrorCode, Result};

/// Parts of a pack begin at multiples of this in the file, and in memory: a cache line, which the kernels ask of their weights.
pub(super) const ALIGNMENT: usize = 64;

/// From here on a part of a file is mapped; less is read, since a mapping has pages and a place in the system's tables.
const MAPPED_FROM: usize = 64 << 10;

/// Bytes that nobody changes, cheap to clone: of the program itself, or of one piece of memory or of a mapped file that all clones and parts
/// share.
#[derive(Clone)]
pub struct Bytes {
    held: Held,
    range: Range<usize>,
}

#[derive(Clone)]
enum Held {
    Program(&'static [u8]),
    Memory(Arc<Vec<u8>>),
    File(Arc<Mapped>),
}

impl Bytes {
    /// A copy that begins at a multiple of 64.
    pub(crate) fn copied(bytes: &[u8]) -> Bytes {
        let length = bytes.len();
        let mut memory = vec![0; length + ALIGNMENT];
        // Never more than 63, except where an allocator will not tell: then it is only slower.
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        memory[start..start + length].copy_from_slice(bytes);
        Bytes { held: Held::Memory(Arc::new(memory)), range: start..start + length }
    }

    /// A part of these bytes, not copied; `None` when it leaves them.
    pub(crate) fn part(&self, range: Range<usize>) -> Option<Bytes> {
        self.get(range.clone())?;
        Some(Bytes { held: self.held.clone(), range: self.range.start + range.start..self.range.start + range.end })
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let all = match &self.held {
            Held::Program(bytes) => bytes,
            Held::Memory(bytes) => &bytes[..],
            Held::File(bytes) => &bytes[..],
        };
        &all[self.range.clone()]
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        Bytes { range: 0..bytes.len(), held: Held::Memory(Arc::new(bytes)) }
    }
}

impl From<&'static [u8]> for Bytes {
    fn from(bytes: &'static [u8]) -> Bytes {
        Bytes { range: 0..bytes.len(), held: Held::Program(bytes) }
    }
}

/// Where a pack is read from.
#[derive(Clone)]
pub(super) enum Source {
    Memory(Bytes),
    /// With its length when it was opened.
    File(Arc<Mutex<File>>, u64),
}

impl Source {
    /// A file that can be read anywhere stays one; a pipe is read whole, up to a little more than `most`.
    pub(super) fn file(mut file: File, most: u64) -> std::io::Result<Source> {
        let about = file.metadata()?;
        if about.is_file() {
            return Ok(Source::File(Arc::new(Mutex::new(file)), about.len()));
        }
        let mut bytes = Vec::new();
        Read::by_ref(&mut file).take(most + 1).read_to_end(&mut bytes)?;
        Ok(Source::Memory(Bytes::copied(&bytes)))
    }

    pub(super) fn len(&self) -> u64 {
        match self {
            Source::Memory(bytes) => bytes.len() as u64,
            Source::File(_, length) => *length,
        }
    }

    /// A range that lies inside, which the caller has checked. Of a file, a long one is mapped, by itself: the system fills in what lies
    /// around a page that is touched, and nobody wants the neighbours.
    pub(super) fn bytes(&self, range: Range<u64>) -> Result<Bytes> {
        let outside = || Error::new(ErrorCode::TruncatedPack, format!("bytes {range:?} of {}", self.len()));
        let length = range.end.checked_sub(range.start).filter(|_| range.end <= self.len()).ok_or_else(outside)?;
        let (Ok(start), Ok(length)) = (usize::try_from(range.start), usize::try_from(length)) else { return Err(outside()) };
        match self {
            Source::Memory(bytes) => bytes.part(start..start + length).ok_or_else(outside),
            Source::File(file, _) => {
                let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
                if length >= MAPPED_FROM
                    && let Ok(mapped) = Mapped::new(&file, range.start, length)
                {
                    return Ok(Bytes { range: 0..length, held: Held::File(Arc::new(mapped)) });
                }
                let mut read = || {
                    let mut bytes = vec![0; length];
                    file.seek(SeekFrom::Start(range.start))?;
                    file.read_exact(&mut bytes).map(|()| bytes)
                };
                let bytes = read().map_err(|e| Error::new(ErrorCode::CannotRead, e.to_string()))?;
                Ok(Bytes::copied(&bytes))
            }
        }
    }
}
