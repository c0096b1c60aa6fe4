//! Embeddings in a file: numpy's `.npy` (format versions 1 to 3), rows of little-endian `f32`, read a block at a time.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// What an `.npy` file begins with.
const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest header that is read; numpy's own for two dimensions has 118 bytes.
const MAX_HEADER: usize = 1 << 16;

/// A matrix on disk.
#[derive(Debug)]
pub struct Npy {
    path: PathBuf,
    rows: usize,
    columns: usize,
    start: u64,
}

impl Npy {
    /// Reads the header and checks that the file is as long as it says.
    pub fn open(path: &Path) -> Result<Self> {
        let bad = |reason: String| Error::data(path.display().to_string(), reason);
        let mut file = File::open(path).map_err(Error::file(path))?;
        let length = file.metadata().map_err(Error::file(path))?.len();
        let mut head = [0; 12];
        let read = file.read(&mut head).map_err(Error::file(path))?;
        if read < head.len() || !head.starts_with(MAGIC) {
            return Err(bad("this is no .npy file".into()));
        }
        let [.., major, _, a, b, c, d] = head;
        let (header, start) = match major {
            1 => (usize::from(u16::from_le_bytes([a, b])), 10),
            2 | 3 => (u32::from_le_bytes([a, b, c, d]) as usize, 12),
            other => return Err(bad(format!("format version {other} is not known; numpy.save writes 1 to 3"))),
        };
        if header > MAX_HEADER {
            return Err(bad(format!("a header of {header} bytes is too long")));
        }
        let mut text = vec![0; header];
        file.seek(SeekFrom::Start(start)).and_then(|_| file.read_exact(&mut text)).map_err(Error::file(path))?;
        let text = String::from_utf8_lossy(&text);
        let (rows, columns) = shape(&text).ok_or_else(|| {
            bad("a matrix of little-endian float32 in C order is expected: numpy.ascontiguousarray(x, '<f4')".into())
        })?;
        let start = start + header as u64;
        let bytes = rows.checked_mul(columns).and_then(|values| values.checked_mul(4)).map(|bytes| bytes as u64);
        if bytes.and_then(|bytes| bytes.checked_add(start)) != Some(length) {
            return Err(bad(format!("{rows} × {columns} values are announced, the file has {length} bytes")));
        }
        Ok(Npy { path: path.to_path_buf(), rows, columns, start })
    }

    /// Number of embeddings.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Length of an embedding.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The values of rows in `from .. from + count`, row after row; fewer where the file ends.
    pub fn read(&self, from: usize, count: usize) -> Result<Vec<f32>> {
        let from = from.min(self.rows);
        let count = count.min(self.rows - from);
        let mut bytes = vec![0; 4 * count * self.columns];
        let mut read = || {
            let mut file = File::open(&self.path)?;
            file.seek(SeekFrom::Start(self.start + 4 * (from * self.columns) as u64))?;
            file.read_exact(&mut bytes)
        };
        read().map_err(Error::file(&self.path))?;
        Ok(bytes.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)).collect())
    }
}

/// Writes a matrix of `rows` rows, handed over in blocks of whole rows, and renames it to `path` when it is complete.
pub fn write(path: &Path, rows: usize, columns: usize, blocks: impl Iterator<Item = Result<Vec<f32>>>) -> Result<()> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    // The data begin at a multiple of 64 bytes, after a line feed.
    while !(MAGIC.len() + 4 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let partial = path.with_extension("npy.partial");
    let mut file = BufWriter::new(File::create(&partial).map_err(Error::file(&partial))?);
    let mut put = |bytes: &[u8]| file.write_all(bytes).map_err(Error::file(&partial));
    put(MAGIC)?;
    put(&[1, 0])?;
    put(&(header.len() as u16).to_le_bytes())?;
    put(header.as_bytes())?;
    let mut values = 0;
    for block in blocks {
        let block = block?;
        values += block.len();
        put(&block.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())?;
    }
    if values != rows * columns {
        return Err(Error::data(path.display().to_string(), format!("{values} values came for {rows} × {columns}")));
    }
    let file = file.into_inner().map_err(|e| Error::File { path: partial.clone(), source: e.into_error() })?;
    file.sync_all().and_then(|()| std::fs::rename(&partial, path)).map_err(Error::file(path))
}

/// Rows and columns of a header that announces a matrix of `<f4` in C order.
fn shape(header: &str) -> Option<(usize, usize)> {
    let value = |key: &str| header.split_once(key).and_then(|(_, rest)| rest.split_once(':')).map(|(_, rest)| rest.trim_start());
    let little_floats = value("'descr'")?.starts_with("'<f4'");
    let rows_first = value("'fortran_order'")?.starts_with("False");
    let (sizes, _) = value("'shape'")?.strip_prefix('(')?.split_once(')')?;
    let sizes: Vec<usize> = sizes.split(',').map(|size| size.trim().parse().ok()).collect::<Option<_>>()?;
    match sizes[..] {
        [rows, columns] if little_floats && rows_first && columns > 0 => Some((rows, columns)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.save` of numpy 2 for `numpy.arange(6, dtype="<f4").reshape(3, 2)`.
    fn numpys_own() -> Vec<u8> {
        let mut bytes = b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }".to_vec();
        bytes.resize(127, b' ');
        bytes.push(b'\n');
        bytes.extend((0..6u8).flat_map(|value| f32::from(value).to_le_bytes()));
        bytes
    }

    #[test]
    fn numpys_bytes_are_written_and_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.npy");
        let blocks = [vec![0.0, 1.0], vec![2.0, 3.0, 4.0, 5.0]];
        write(&path, 3, 2, blocks.into_iter().map(Ok)).expect("written");
        assert_eq!(std::fs::read(&path).expect("read"), numpys_own());
        let npy = Npy::open(&path).expect("a matrix");
        assert_eq!((npy.rows(), npy.columns()), (3, 2));
        assert_eq!(npy.read(1, 5).expect("rows"), [2.0, 3.0, 4.0, 5.0]);
        assert_eq!(npy.read(7, 5).expect("rows"), [0f32; 0]);
        assert!(write(&path, 4, 2, [vec![0.0; 6]].into_iter().map(Ok)).is_err());
    }

    #[test]
    fn other_files_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.npy");
        let whole = numpys_own();
        let replaced = |from: &str, to: &str| String::from_utf8_lossy(&whole[10..]).replace(from, to).into_bytes();
        let with = |from: &str, to: &str| [&whole[..10], &replaced(from, to)].concat();
        let cases = [
            Vec::new(),
            whole[..9].to_vec(),
            whole[..100].to_vec(),
            whole[..whole.len() - 1].to_vec(),
            [&whole[..], &[0]].concat(),
            [b"\x93NUMPY\x09\x00", &whole[8..]].concat(),
            [b"\x93NUMPY\x02\x00\xff\xff\xff\xff", &whole[12..]].concat(),
            with("<f4", ">f4"),
            with("<f4", "<f8"),
            with("False", "True "),
            with("(3, 2)", "(6,)  "),
            with("(3, 2)", "(3,-2)"),
            with("(3, 2)", "(9, 2)"),
        ];
        for (number, bytes) in cases.iter().enumerate() {
            std::fs::write(&path, bytes).expect("written");
            assert!(Npy::open(&path).is_err(), "case {number}");
        }
    }
}
