//! The teacher's embedding of every chip of a set, computed once and kept in a file.
//!
//! The file is a 32-byte head (magic `VFTE`, version, rows, columns, zeros) and rows of `f16`. While it is being filled it carries
//! `.partial`; whole rows are appended in order, so a killed run goes on where it stopped.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use half::f16;
use sha2::{Digest, Sha256};

use super::teacher::{Teacher, unit};
use crate::data::augment::mirror;
use crate::data::chips::ChipSet;
use crate::error::{Error, Result};

const HEAD: usize = 32;
const VERSION: u32 = 1;
/// Chips between two writes to the file.
const CHUNK: usize = 256;

/// One unit row a chip, in the order of the set.
#[derive(Debug, Clone, PartialEq)]
pub struct TeacherCache {
    /// Row after row.
    pub rows: Vec<f16>,
    /// Length of a row.
    pub columns: usize,
}

/// Where the embeddings of `set` by `teacher` are kept below `folder`. The name changes with the teacher, the set and `mirrored`.
pub fn path(folder: &Path, teacher: &Teacher, set: &ChipSet, mirrored: bool) -> PathBuf {
    let name = format!("{}|{}|{mirrored}|{VERSION}", teacher.digest(), set.fingerprint());
    let hash: String = Sha256::digest(name).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    folder.join(format!("teacher-{hash}.f16"))
}

/// Reads the cache at `path`, after computing what is missing on `threads` threads. `progress(done, all)` hears of each chunk.
///
/// With `mirrored` a row is the direction of the sum of the chip's and the mirrored chip's unit embeddings.
pub fn fill(
    path: &Path,
    teacher: &Teacher,
    set: &ChipSet,
    mirrored: bool,
    threads: usize,
    mut progress: impl FnMut(usize, usize),
) -> Result<TeacherCache> {
    let columns = teacher.embedding();
    if path.exists() {
        return read(path, set.len(), columns);
    }
    let partial = path.with_extension("f16.partial");
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&partial).map_err(Error::file(&partial))?;
    let mut done = begin(&mut file, set.len(), columns).map_err(Error::file(&partial))?;
    while done < set.len() {
        progress(done, set.len());
        let end = (done + CHUNK).min(set.len());
        let rows = embed_chunk(teacher, set, done..end, mirrored, threads)?;
        file.write_all(&rows).map_err(Error::file(&partial))?;
        done = end;
    }
    progress(done, set.len());
    file.sync_all().map_err(Error::file(&partial))?;
    std::fs::rename(&partial, path).map_err(Error::file(path))?;
    read(path, set.len(), columns)
}

fn head(rows: usize, columns: usize) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..4].copy_from_slice(b"VFTE");
    head[4..8].copy_from_slice(&VERSION.to_le_bytes());
    head[8..16].copy_from_slice(&(rows as u64).to_le_bytes());
    head[16..24].copy_from_slice(&(columns as u64).to_le_bytes());
    head
}

/// Puts the file's end after its last whole row and returns the number of rows; begins anew where the head is another's.
fn begin(file: &mut File, rows: usize, columns: usize) -> std::io::Result<usize> {
    let mut found = [0; HEAD];
    let length = file.metadata()?.len();
    let known = length >= HEAD as u64 && file.read_exact(&mut found).is_ok() && found == head(rows, columns);
    if !known {
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(&head(rows, columns))?;
        return Ok(0);
    }
    let row = 2 * columns as u64;
    let done = ((length - HEAD as u64) / row).min(rows as u64);
    file.set_len(HEAD as u64 + done * row)?;
    file.seek(SeekFrom::End(0))?;
    Ok(done as usize)
}

fn embed_chunk(
    teacher: &Teacher,
    set: &ChipSet,
    range: std::ops::Range<usize>,
    mirrored: bool,
    threads: usize,
) -> Result<Vec<u8>> {
    let share = range.len().div_ceil(threads.max(1)).max(1);
    let indices: Vec<usize> = range.collect();
    std::thread::scope(|scope| {
        let work = |indices: &[usize]| -> Result<Vec<u8>> {
            let mut bytes = Vec::with_capacity(indices.len() * 2 * teacher.embedding());
            for &index in indices {
                let row = embed(teacher, &set.chip(index)?, mirrored)?;
                bytes.extend(row.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()));
            }
            Ok(bytes)
        };
        let workers: Vec<_> = indices.chunks(share).map(|part| scope.spawn(move || work(part))).collect();
        let mut bytes = Vec::new();
        for worker in workers {
            bytes.extend(worker.join().map_err(|_| Error::data("teacher", "a worker thread panicked"))??);
        }
        Ok(bytes)
    })
}

fn embed(teacher: &Teacher, chip: &[u8], mirrored: bool) -> Result<Vec<f32>> {
    let embedding = teacher.embed(chip)?;
    if !mirrored {
        return Ok(embedding);
    }
    let other = teacher.embed(&mirror(chip))?;
    let sum = embedding.iter().zip(&other).map(|(a, b)| a + b).collect();
    unit(sum).ok_or_else(|| Error::data("teacher", "a chip and its mirror image have opposite embeddings"))
}

fn read(path: &Path, rows: usize, columns: usize) -> Result<TeacherCache> {
    let bytes = std::fs::read(path).map_err(Error::file(path))?;
    let expected = HEAD + 2 * rows * columns;
    if bytes.len() != expected || bytes[..HEAD] != head(rows, columns) {
        let reason =
            format!("{} bytes where {expected} of {rows} rows were expected; delete the file to compute it again", bytes.len());
        return Err(Error::data(path.display().to_string(), reason));
    }
    let rows = bytes[HEAD..].chunks_exact(2).map(|two| f16::from_le_bytes([two[0], two[1]])).collect();
    Ok(TeacherCache { rows, columns })
}
