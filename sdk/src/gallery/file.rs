//! A gallery as one file: written whole and replaced by rename, read only when all of it is sound.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Gallery;
use crate::embed::Embedding;
use crate::error::{Error, ErrorCode, Result};
use crate::replace::replace_file;
use crate::template::{CHECKSUM, HEADER, Header};

const MAGIC: &[u8; 4] = b"VFGL";

const VERSION: u32 = 1;

/// About how many bytes are read at a time.
const BUFFER: usize = 1 << 16;

/// The header of the two and the bytes of the names.
pub(super) const PREFIX: usize = HEADER + 8;

impl Gallery {
    /// Writes the gallery to a file, which is replaced by rename: whoever is stopped meanwhile leaves the old file.
    ///
    /// # Errors
    /// [`ErrorCode::CannotWrite`], naming the file.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        replace_file(path, |to| self.write(to))
    }

    pub(super) fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        let names: usize = self.names.iter().map(|name| 2 + name.len()).sum();
        let mut to = Hashing { inner: to, hash: Sha256::new() };
        to.write_all(MAGIC)?;
        to.write_all(&VERSION.to_le_bytes())?;
        to.write_all(self.model.as_bytes())?;
        to.write_all(&(self.len() as u32).to_le_bytes())?;
        to.write_all(&(self.dimension as u32).to_le_bytes())?;
        to.write_all(&(names as u64).to_le_bytes())?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(4 * self.dimension));
        for row in self.values.chunks_exact(self.dimension) {
            bytes.clear();
            row.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
            to.write_all(&bytes)?;
        }
        for name in &self.names {
            to.write_all(&(name.len() as u16).to_le_bytes())?;
            to.write_all(name.as_bytes())?;
        }
        let Hashing { inner, hash } = to;
        inner.write_all(&hash.finalize())
    }

    /// Reads a file that [`Gallery::save`] wrote. The length that its header gives is held against the file's before any memory is taken.
    ///
    /// # Errors
    /// [`ErrorCode::CannotRead`]; [`ErrorCode::NotATemplate`], [`ErrorCode::UnknownTemplateVersion`], [`ErrorCode::DamagedTemplate`] or
    /// [`ErrorCode::InvalidEmbedding`], as [`crate::Template::from_bytes`]. All name the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Gallery> {
        let path = path.as_ref();
        let open = || -> io::Result<(File, u64)> {
            let file = File::open(path)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        };
        let (file, length) = open().map_err(|error| cannot_read(&error).in_file(path))?;
        Gallery::read(file, length).map_err(|error| error.in_file(path))
    }

    pub(super) fn read(from: impl Read, length: u64) -> Result<Gallery> {
        let mut from = Hashing { inner: from, hash: Sha256::new() };
        let mut prefix = Vec::with_capacity(PREFIX);
        (&mut from).take(PREFIX as u64).read_to_end(&mut prefix).map_err(|error| cannot_read(&error))?;
        let Header { model, counts: [entries, dimension] } = Header::parse(&prefix, MAGIC, VERSION)?;
        let (entries, dimension) = (entries as usize, dimension as usize);
        let names = prefix.get(HEADER..PREFIX).and_then(|field| field.try_into().ok()).map(u64::from_le_bytes);
        let names = names.ok_or_else(|| damaged(format!("cut short after {} bytes", prefix.len())))?;
        if entries > Gallery::MAX_ENTRIES || !(1..=Embedding::MAX_DIMENSION).contains(&dimension) {
            return Err(damaged(format!("{entries} entries of {dimension} values")));
        }
        if names > entries as u64 * (2 + Gallery::MAX_NAME as u64) {
            return Err(damaged(format!("{names} bytes of names for {entries} entries")));
        }
        let expected = PREFIX as u64 + 4 * entries as u64 * dimension as u64 + names + CHECKSUM as u64;
        if length != expected {
            return Err(damaged(format!("{length} bytes instead of {expected}")));
        }

        let mut gallery = Gallery::new(model, dimension)?;
        gallery.reserve(entries)?;
        // Many rows at a time, in memory that is wiped: the system's own buffers are not ours to wipe, a reader's would be.
        let row = 4 * dimension;
        let mut buffer = Zeroizing::new(vec![0u8; row * (BUFFER / row).clamp(1, entries.max(1))]);
        let mut left = entries * row;
        while left > 0 {
            let bytes = buffer.len().min(left);
            let bytes = buffer.get_mut(..bytes).unwrap_or_default();
            read_exact(&mut from, bytes)?;
            gallery.values.extend(bytes.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)));
            left -= bytes.len();
        }
        let names = read_names(&mut from, names)?;
        let mut rest = &names[..];
        for _ in 0..entries {
            let (size, after) = rest.split_first_chunk().ok_or_else(cut_short)?;
            let (name, after) = after.split_at_checked(u16::from_le_bytes(*size).into()).ok_or_else(cut_short)?;
            let name = str::from_utf8(name).map_err(|_| damaged("a name is not UTF-8".into()))?;
            gallery.insert(name).map_err(|error| damaged(error.detail().into()))?;
            rest = after;
        }
        if !rest.is_empty() {
            return Err(damaged(format!("{} bytes more than the names need", rest.len())));
        }
        let Hashing { mut inner, hash } = from;
        let mut checksum = [0u8; CHECKSUM];
        read_exact(&mut inner, &mut checksum)?;
        if hash.finalize()[..] != checksum {
            return Err(damaged("the checksum differs".into()));
        }

        let values = std::mem::take(&mut gallery.values);
        for row in values.chunks_exact(dimension) {
            Embedding::from_unit(model, row.to_vec())?;
            gallery.code(row);
        }
        gallery.values = values;
        Ok(gallery)
    }
}

fn damaged(detail: String) -> Error {
    Error::new(ErrorCode::DamagedTemplate, detail)
}

fn cut_short() -> Error {
    damaged("cut short".into())
}

/// All names at once; the file is so long, which was checked.
fn read_names(from: &mut impl Read, length: u64) -> Result<Vec<u8>> {
    let no_memory = || Error::new(ErrorCode::CannotRead, format!("no memory for {length} bytes of names"));
    let length = usize::try_from(length).map_err(|_| no_memory())?;
    let mut names = Vec::new();
    names.try_reserve_exact(length).map_err(|_| no_memory())?;
    names.resize(length, 0);
    read_exact(from, &mut names)?;
    Ok(names)
}

fn cannot_read(error: &io::Error) -> Error {
    Error::new(ErrorCode::CannotRead, error.to_string())
}

fn read_exact(from: &mut impl Read, bytes: &mut [u8]) -> Result<()> {
    from.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => cut_short(),
        _ => cannot_read(&error),
    })
}

/// Reads or writes through, and hashes what passes.
struct Hashing<T> {
    inner: T,
    hash: Sha256,
}

impl<T: Read> Read for Hashing<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(bytes)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }
}

impl<T: Write> Write for Hashing<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
