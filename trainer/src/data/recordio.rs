//! MXNet's RecordIO, in the layout that insightface gives its face sets: `NAME.rec`, `NAME.idx` and `property`.
//!
//! A record is `u32 magic`, `u32 (part << 29 | length)`, `length` bytes, zeros up to a multiple of four; all little-endian. A
//! payload that holds the magic number at a multiple of four is split there, the number itself left out: part 1 opens such a
//! record, 2 continues it, 3 ends it, and 0 is a whole record (dmlc-core, `recordio.h`). Inside lies an image header: `u32 flag`,
//! `f32 label`, `u64 id`, `u64 id2`, then `flag` further `f32` labels where `flag` > 0 (MXNet, `recordio.py`).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

const MAGIC: u32 = 0xced7_230a;
const LENGTH_BITS: u32 = 29;
const LENGTH_MASK: u32 = (1 << LENGTH_BITS) - 1;
const WHOLE: u32 = 0;
const FIRST: u32 = 1;
const MIDDLE: u32 = 2;
const LAST: u32 = 3;
const IMAGE_HEADER: usize = 24;

/// The label of a record: one number in the header, or an array after it.
#[derive(Debug, Clone, PartialEq)]
pub enum Label {
    /// Flag 0: the header's own number.
    One(f32),
    /// Flag n > 0: n numbers after the header.
    Many(Vec<f32>),
}

impl Label {
    /// The first number: the identity of a picture, or the start of a range.
    pub fn first(&self) -> Option<f32> {
        match self {
            Label::One(value) => Some(*value),
            Label::Many(values) => values.first().copied(),
        }
    }
}

/// One record: a labelled picture, or one of the set's own range records, which have an empty payload.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The identity, or a range.
    pub label: Label,
    /// The record's key.
    pub id: u64,
    /// Unused by face sets.
    pub id2: u64,
    /// The encoded picture.
    pub payload: Vec<u8>,
}

impl Record {
    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let short = || format!("the image header is cut short ({} bytes)", bytes.len());
        let flag = u32_at(bytes, 0).ok_or_else(short)? as usize;
        let scalar = f32_at(bytes, 4).ok_or_else(short)?;
        let id = u64_at(bytes, 8).ok_or_else(short)?;
        let id2 = u64_at(bytes, 16).ok_or_else(short)?;
        let rest = bytes.get(IMAGE_HEADER..).ok_or_else(short)?;
        let labels = flag.checked_mul(4).and_then(|length| rest.get(..length));
        let labels = labels.ok_or_else(|| format!("the header promises {flag} labels, more than the record holds"))?;
        let label = match flag {
            0 => Label::One(scalar),
            _ => Label::Many(labels.chunks_exact(4).filter_map(|four| f32_at(four, 0)).collect()),
        };
        let payload = rest.get(labels.len()..).unwrap_or_default().to_vec();
        Ok(Record { label, id, id2, payload })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let (flag, scalar, labels) = match &self.label {
            Label::One(value) => (0, *value, &[][..]),
            Label::Many(values) => (values.len() as u32, 0.0, values.as_slice()),
        };
        let mut bytes = Vec::with_capacity(IMAGE_HEADER + 4 * labels.len() + self.payload.len());
        bytes.extend(flag.to_le_bytes());
        bytes.extend(scalar.to_le_bytes());
        bytes.extend(self.id.to_le_bytes());
        bytes.extend(self.id2.to_le_bytes());
        bytes.extend(labels.iter().flat_map(|value| value.to_le_bytes()));
        bytes.extend(&self.payload);
        bytes
    }
}

/// A `.rec` file with its index, open for reading in any order and from several threads.
#[derive(Debug)]
pub struct RecordFile {
    path: PathBuf,
    file: File,
    length: u64,
    offsets: BTreeMap<u64, u64>,
}

impl RecordFile {
    /// Opens `NAME.rec` and the `NAME.idx` beside it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let file = File::open(&path).map_err(Error::file(&path))?;
        let length = file.metadata().map_err(Error::file(&path))?.len();
        let offsets = read_index(&path.with_extension("idx"), length)?;
        Ok(RecordFile { path, file, length, offsets })
    }

    /// The keys, ascending.
    pub fn keys(&self) -> impl Iterator<Item = u64> + '_ {
        self.offsets.keys().copied()
    }

    /// Where each record begins: (key, byte), by ascending key.
    pub fn offsets(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.offsets.iter().map(|(key, offset)| (*key, *offset))
    }

    /// The whole record of this key.
    pub fn read(&self, key: u64) -> Result<Record> {
        let offset = self.offset(key)?;
        let bytes = self.read_parts(offset)?;
        Record::from_bytes(&bytes).map_err(|reason| self.damaged(offset, reason))
    }

    /// The label of this key's record, without reading its picture.
    pub fn label(&self, key: u64) -> Result<Label> {
        let offset = self.offset(key)?;
        let (_, length) = self.part(offset)?;
        let mut head = [0u8; IMAGE_HEADER];
        if (length as usize) < IMAGE_HEADER {
            return Err(self.damaged(offset, format!("the image header is cut short ({length} bytes)")));
        }
        self.read_at(offset + 8, &mut head)?;
        if u32_at(&head, 0) == Some(0) {
            return Ok(Label::One(f32_at(&head, 4).unwrap_or_default()));
        }
        Ok(self.read(key)?.label)
    }

    fn offset(&self, key: u64) -> Result<u64> {
        self.offsets.get(&key).copied().ok_or_else(|| self.damaged(0, format!("the index has no record {key}")))
    }

    fn damaged(&self, offset: u64, reason: impl Into<String>) -> Error {
        Error::RecordIo { path: self.path.clone(), offset, reason: reason.into() }
    }

    /// The part number and payload length of the part at `offset`, which is known to lie inside the file.
    fn part(&self, offset: u64) -> Result<(u32, u32)> {
        let mut head = [0u8; 8];
        self.read_at(offset, &mut head)?;
        if u32_at(&head, 0) != Some(MAGIC) {
            return Err(self.damaged(offset, "no record begins here"));
        }
        let word = u32_at(&head, 4).unwrap_or_default();
        let (part, length) = (word >> LENGTH_BITS, word & LENGTH_MASK);
        if u64::from(length) > self.length.saturating_sub(offset + 8) {
            return Err(self.damaged(offset, format!("a part of {length} bytes runs past the end of the file")));
        }
        Ok((part, length))
    }

    fn read_parts(&self, start: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let mut offset = start;
        loop {
            let (part, length) = self.part(offset)?;
            let opens = matches!(part, WHOLE | FIRST);
            if opens != (offset == start) || part > LAST {
                return Err(self.damaged(offset, format!("part {part} is out of order")));
            }
            let filled = bytes.len();
            bytes.resize(filled + length as usize, 0);
            self.read_at(offset + 8, &mut bytes[filled..])?;
            if matches!(part, WHOLE | LAST) {
                return Ok(bytes);
            }
            bytes.extend(MAGIC.to_le_bytes());
            offset += 8 + u64::from(length.next_multiple_of(4));
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        if (buffer.len() as u64) > self.length.saturating_sub(offset) {
            return Err(self.damaged(offset, "the file ends here"));
        }
        read_exact_at(&self.file, buffer, offset).map_err(Error::file(&self.path))
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> std::io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset)? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
        }
    }
    Ok(())
}

/// Reads `key TAB byte` lines, and refuses bytes that lie outside a `.rec` of `length` bytes.
fn read_index(path: &Path, length: u64) -> Result<BTreeMap<u64, u64>> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
    let mut offsets = BTreeMap::new();
    let mut at = 0u64;
    for line in text.lines() {
        let bad = |reason: &str| Error::RecordIo { path: path.to_path_buf(), offset: at, reason: format!("{reason}: {line:?}") };
        let (key, offset) = line.split_once('\t').ok_or_else(|| bad("expected `key TAB byte`"))?;
        let key = key.trim().parse().map_err(|_| bad("the key is no whole number"))?;
        let offset: u64 = offset.trim().parse().map_err(|_| bad("the byte is no whole number"))?;
        if offset >= length {
            return Err(bad("the record would begin past the end of the .rec file"));
        }
        if offsets.insert(key, offset).is_some() {
            return Err(bad("the key stands here for the second time"));
        }
        at += line.len() as u64 + 1;
    }
    Ok(offsets)
}

/// Writes a `.rec` and its `.idx`; both appear under their names only when [`RecordWriter::finish`] returns.
#[derive(Debug)]
pub struct RecordWriter {
    path: PathBuf,
    file: BufWriter<File>,
    index: String,
    length: u64,
}

impl RecordWriter {
    /// Begins `NAME.rec`.
    pub fn create(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let partial = partial(&path);
        let file = BufWriter::new(File::create(&partial).map_err(Error::file(&partial))?);
        Ok(RecordWriter { path, file, index: String::new(), length: 0 })
    }

    /// Appends a record under this key.
    pub fn write(&mut self, key: u64, record: &Record) -> Result<()> {
        self.index.push_str(&format!("{key}\t{}\n", self.length));
        let bytes = record.to_bytes();
        let magic = MAGIC.to_le_bytes();
        let splits = (0..bytes.len() / 4).map(|word| 4 * word).filter(|&at| bytes[at..at + 4] == magic);
        let mut from = 0;
        for at in splits {
            self.write_part(if from == 0 { FIRST } else { MIDDLE }, &bytes[from..at])?;
            from = at + 4;
        }
        self.write_part(if from == 0 { WHOLE } else { LAST }, &bytes[from..])
    }

    fn write_part(&mut self, part: u32, bytes: &[u8]) -> Result<()> {
        if bytes.len() > LENGTH_MASK as usize {
            return Err(Error::data("record", format!("{} bytes are more than a record can hold", bytes.len())));
        }
        let padding = bytes.len().next_multiple_of(4) - bytes.len();
        let mut write = || {
            self.file.write_all(&MAGIC.to_le_bytes())?;
            self.file.write_all(&(part << LENGTH_BITS | bytes.len() as u32).to_le_bytes())?;
            self.file.write_all(bytes)?;
            self.file.write_all(&[0; 3][..padding])
        };
        write().map_err(Error::file(&self.path))?;
        self.length += (8 + bytes.len() + padding) as u64;
        Ok(())
    }

    /// Writes the index and gives both files their names.
    pub fn finish(self) -> Result<()> {
        let file = self.file.into_inner().map_err(|e| e.into_error()).map_err(Error::file(&self.path))?;
        file.sync_all().map_err(Error::file(&self.path))?;
        let index = self.path.with_extension("idx");
        std::fs::write(partial(&index), self.index).map_err(Error::file(&index))?;
        std::fs::rename(partial(&index), &index).map_err(Error::file(&index))?;
        std::fs::rename(partial(&self.path), &self.path).map_err(Error::file(&self.path))
    }
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn f32_at(bytes: &[u8], at: usize) -> Option<f32> {
    u32_at(bytes, at).map(f32::from_bits)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Written by hand from the format's description: record 0 with two labels, record 1 a picture of three bytes.
    #[rustfmt::skip]
    const GOLDEN: [u8; 76] = [
        0x0a, 0x23, 0xd7, 0xce,  32, 0, 0, 0, // magic, whole record of 32 bytes
        2, 0, 0, 0,  0, 0, 0, 0,              // flag 2, label 0
        0, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0x40,  0, 0, 0x40, 0x40,     // 2.0, 3.0
        0x0a, 0x23, 0xd7, 0xce,  27, 0, 0, 0,
        0, 0, 0, 0,  0, 0, 0xe0, 0x40,        // flag 0, label 7.0
        1, 0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0, 0, 0, 0,
        b'a', b'b', b'c', 0,                  // three bytes, one of padding
    ];

    fn golden() -> [(u64, Record); 2] {
        let range = Record { label: Label::Many(vec![2.0, 3.0]), id: 0, id2: 0, payload: Vec::new() };
        let picture = Record { label: Label::One(7.0), id: 1, id2: 0, payload: b"abc".to_vec() };
        [(0, range), (1, picture)]
    }

    fn set(records: &[u8], index: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("faces.rec");
        std::fs::write(&path, records).expect("written");
        std::fs::write(path.with_extension("idx"), index).expect("written");
        (folder, path)
    }

    fn written(records: &[(u64, Record)]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("faces.rec");
        let mut writer = RecordWriter::create(&path).expect("created");
        records.iter().for_each(|(key, record)| writer.write(*key, record).expect("written"));
        writer.finish().expect("finished");
        (folder, path)
    }

    #[test]
    fn reads_the_golden_bytes() {
        let (_folder, path) = set(&GOLDEN, "0\t0\n1\t40\n");
        let file = RecordFile::open(path).expect("opened");
        for (key, record) in golden() {
            assert_eq!(file.read(key).expect("read"), record);
            assert_eq!(file.label(key).expect("read"), record.label);
        }
    }

    #[test]
    fn writes_the_golden_bytes() {
        let (_folder, path) = written(&golden());
        assert_eq!(std::fs::read(&path).expect("read"), GOLDEN);
        assert_eq!(std::fs::read_to_string(path.with_extension("idx")).expect("read"), "0\t0\n1\t40\n");
    }

    #[test]
    fn a_payload_that_holds_the_magic_number_is_split_there() {
        // Header 24 bytes, then "ab", two bytes, magic, "c": the magic lies at byte 28, a multiple of four.
        let payload = [&b"ab12"[..], &MAGIC.to_le_bytes(), b"c"].concat();
        let record = Record { label: Label::One(0.0), id: 0, id2: 0, payload };
        let (_folder, path) = written(&[(0, record.clone())]);
        let bytes = std::fs::read(&path).expect("read");
        assert_eq!(u32_at(&bytes, 4), Some(FIRST << LENGTH_BITS | 28));
        assert_eq!(u32_at(&bytes, 36), Some(MAGIC));
        assert_eq!(u32_at(&bytes, 40), Some(LAST << LENGTH_BITS | 1));
        assert_eq!(bytes.len(), 48);
        assert_eq!(RecordFile::open(path).expect("opened").read(0).expect("read"), record);
    }

    #[test]
    fn damaged_files_are_refused() {
        let open = |bytes: &[u8], index: &str, key: u64| {
            let (_folder, path) = set(bytes, index);
            RecordFile::open(path).and_then(|file| file.read(key)).expect_err("refused").to_string()
        };
        assert!(open(&GOLDEN[..70], "1\t40\n", 1).contains("past the end"));
        assert!(open(&GOLDEN[..44], "1\t40\n", 1).contains("ends here"));
        assert!(open(&GOLDEN, "1\t44\n", 1).contains("no record begins here"));
        assert!(open(&GOLDEN, "1\t4000\n", 1).contains("past the end"));
        assert!(open(&GOLDEN, "1 40\n", 1).contains("TAB"));
        assert!(open(&GOLDEN, "1\t0\n1\t40\n", 1).contains("second time"));
        assert!(open(&GOLDEN, "1\t40\n", 2).contains("no record 2"));
        let patched = |at: usize, byte: u8| {
            let mut bytes = GOLDEN;
            bytes[at] = byte;
            open(&bytes, "0\t0\n", 0)
        };
        assert!(patched(11, 0xff).contains("labels"));
        assert!(patched(4, 20).contains("cut short"));
        assert!(patched(7, 0x40).contains("out of order"));
        // The first part of a record that never ends: what follows is a whole record.
        assert!(patched(7, 0x20).contains("out of order"));
    }

    /// Bytes with many magic numbers in them, aligned and not.
    fn payload() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            2 => Just(MAGIC.to_le_bytes().to_vec()),
            1 => proptest::collection::vec(any::<u8>(), 0..6),
            1 => proptest::collection::vec(any::<u8>(), 4),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            payloads in proptest::collection::vec((payload(), proptest::collection::vec(-1e6f32..1e6, 1..4), any::<u64>()), 1..6)
        ) {
            let record = |(payload, labels, id): (Vec<u8>, Vec<f32>, u64)| {
                let label = if labels.len() == 1 { Label::One(labels[0]) } else { Label::Many(labels) };
                Record { label, id, id2: !id, payload }
            };
            let records: Vec<(u64, Record)> = payloads.into_iter().map(record).zip(0..).map(|(record, key)| (3 * key, record)).collect();
            let (_folder, path) = written(&records);
            let file = RecordFile::open(path).expect("opened");
            for (key, record) in &records {
                prop_assert_eq!(&file.read(*key).expect("read"), record);
            }
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 1..200), at in 0u64..200) {
            let mut bytes = bytes;
            bytes.splice(0..bytes.len().min(4), MAGIC.to_le_bytes());
            let (_folder, path) = set(&bytes, &format!("0\t0\n1\t{at}\n"));
            if let Ok(file) = RecordFile::open(path) {
                let _ = (file.read(0), file.read(1), file.label(0), file.label(1));
            }
        }
    }
}
