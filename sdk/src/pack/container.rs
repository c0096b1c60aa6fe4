//! The bytes of a pack: header, part table, manifest, parts. `docs/pack-format.md` is the specification.

use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorCode, Result};

const MAGIC: &[u8; 4] = b"VFPK";
const VERSION: u32 = 1;
const HEADER: usize = 64;
const ENTRY: usize = 128;
/// The most bytes of a part's name.
pub(super) const NAME: usize = 72;
const ALIGNMENT: usize = 64;
/// Bounds of what is read before any hash is known to hold.
const MAX_PARTS: u32 = 256;
const MAX_MANIFEST: u64 = 4 << 20;

/// What a part holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    /// A network, ONNX.
    Onnx,
    /// An aligned face: 112·112·3 bytes, RGB, rows from the top.
    Chip,
    /// A unit vector: little-endian f32.
    Embedding,
    /// UTF-8 text: a model card, a licence.
    Text,
    /// A kind that this version does not know; it is kept and ignored.
    Other(u32),
}

impl PartKind {
    fn number(self) -> u32 {
        match self {
            PartKind::Onnx => 1,
            PartKind::Chip => 2,
            PartKind::Embedding => 3,
            PartKind::Text => 4,
            PartKind::Other(number) => number,
        }
    }

    fn from_number(number: u32) -> PartKind {
        match number {
            1 => PartKind::Onnx,
            2 => PartKind::Chip,
            3 => PartKind::Embedding,
            4 => PartKind::Text,
            other => PartKind::Other(other),
        }
    }
}

/// One part of a pack.
#[derive(Clone, PartialEq)]
pub struct Part {
    /// The name that the manifest uses; at most 72 bytes of UTF-8.
    pub name: String,
    /// What it holds.
    pub kind: PartKind,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Part({:?}, {:?}, {} bytes)", self.name, self.kind, self.bytes.len())
    }
}

impl Part {
    /// The SHA-256 of the bytes.
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.bytes).into()
    }
}

pub(super) fn write(manifest: &[u8], parts: &[Part]) -> Vec<u8> {
    let align = |n: usize| n.next_multiple_of(ALIGNMENT);
    let table_end = HEADER + parts.len() * ENTRY;
    let mut offset = align(table_end + manifest.len());
    let mut table = Vec::with_capacity(parts.len() * ENTRY);
    for part in parts {
        let mut name = [0; NAME];
        let length = part.name.len().min(NAME);
        name[..length].copy_from_slice(&part.name.as_bytes()[..length]);
        table.extend_from_slice(&name);
        table.extend_from_slice(&part.kind.number().to_le_bytes());
        table.extend_from_slice(&[0; 4]);
        table.extend_from_slice(&(offset as u64).to_le_bytes());
        table.extend_from_slice(&(part.bytes.len() as u64).to_le_bytes());
        table.extend_from_slice(&part.sha256());
        offset = align(offset + part.bytes.len());
    }
    let file_length = offset;

    let mut head = Vec::with_capacity(32);
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&VERSION.to_le_bytes());
    head.extend_from_slice(&(file_length as u64).to_le_bytes());
    head.extend_from_slice(&(manifest.len() as u64).to_le_bytes());
    head.extend_from_slice(&(parts.len() as u32).to_le_bytes());
    head.extend_from_slice(&[0; 4]);

    let mut bytes = Vec::with_capacity(file_length);
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(&Sha256::new().chain_update(&head).chain_update(&table).chain_update(manifest).finalize());
    bytes.extend_from_slice(&table);
    bytes.extend_from_slice(manifest);
    for part in parts {
        bytes.resize(align(bytes.len()), 0);
        bytes.extend_from_slice(&part.bytes);
    }
    bytes.resize(file_length, 0);
    bytes
}

/// The manifest and the parts, every hash checked.
pub(super) fn read(bytes: &[u8]) -> Result<(Vec<u8>, Vec<Part>)> {
    let truncated = |what: &str| Error::new(ErrorCode::TruncatedPack, format!("{} bytes, {what}", bytes.len()));
    if bytes.len() < 4 || &bytes[..4] != MAGIC {
        return Err(Error::new(ErrorCode::NotAPack, "it does not begin with VFPK"));
    }
    let version = u32_at(bytes, 4).ok_or_else(|| truncated("less than a header"))?;
    if version != VERSION {
        return Err(Error::new(ErrorCode::UnknownPackVersion, format!("version {version}, this SDK reads {VERSION}")));
    }
    let header = bytes.get(..HEADER).ok_or_else(|| truncated("less than a header"))?;
    let file_length = u64_at(header, 8).unwrap_or(0);
    let manifest_length = u64_at(header, 16).unwrap_or(0);
    let part_count = u32_at(header, 24).unwrap_or(0);
    if manifest_length > MAX_MANIFEST || part_count > MAX_PARTS {
        let detail = format!("a manifest of {manifest_length} bytes and {part_count} parts");
        return Err(Error::new(ErrorCode::PackTooLarge, detail));
    }
    if (bytes.len() as u64) < file_length {
        return Err(truncated(&format!("the header says {file_length}")));
    }
    if bytes.len() as u64 != file_length {
        let detail = format!("{} bytes, the header says {file_length}", bytes.len());
        return Err(Error::new(ErrorCode::AlteredPack, detail));
    }
    // Both are bounded above, so the sums cannot overflow.
    let table_end = HEADER + part_count as usize * ENTRY;
    let manifest_end = table_end + manifest_length as usize;
    let described = bytes.get(HEADER..manifest_end).ok_or_else(|| truncated("less than its table and manifest"))?;
    check_hash("header, table and manifest", &header[32..], Sha256::new().chain_update(&header[..32]).chain_update(described))?;

    // Parts lie in the table's order, each at the next multiple of 64, with nothing but zeros between: one description, one file.
    let mut parts = Vec::with_capacity(part_count as usize);
    let mut end = manifest_end;
    for entry in bytes[HEADER..table_end].chunks_exact(ENTRY) {
        let name_bytes = &entry[..NAME];
        let name_end = name_bytes.iter().position(|b| *b == 0).unwrap_or(NAME);
        let name = std::str::from_utf8(&name_bytes[..name_end])
            .map_err(|_| Error::new(ErrorCode::InvalidManifest, "a part's name is not UTF-8"))?
            .to_string();
        let kind = PartKind::from_number(u32_at(entry, NAME).unwrap_or(0));
        let range = (u64_at(entry, 80).zip(u64_at(entry, 88)))
            .and_then(|(start, length)| Some(usize::try_from(start).ok()?..usize::try_from(start.checked_add(length)?).ok()?))
            .ok_or_else(|| Error::new(ErrorCode::PackTooLarge, format!("part {name:?}")))?;
        let part = bytes.get(range.clone()).ok_or_else(|| truncated(&format!("part {name:?} ends beyond")))?;
        if range.start != end.next_multiple_of(ALIGNMENT) || bytes[end..range.start].iter().any(|b| *b != 0) {
            return Err(Error::new(ErrorCode::AlteredPack, format!("what lies before part {name:?}")));
        }
        check_hash(&format!("part {name:?}"), &entry[96..], Sha256::new().chain_update(part))?;
        end = range.end;
        parts.push(Part { name, kind, bytes: part.to_vec() });
    }
    if bytes.len() != end.next_multiple_of(ALIGNMENT) || bytes[end..].iter().any(|b| *b != 0) {
        return Err(Error::new(ErrorCode::AlteredPack, "what lies behind the last part"));
    }
    Ok((bytes[table_end..manifest_end].to_vec(), parts))
}

fn check_hash(what: &str, expected: &[u8], found: Sha256) -> Result<()> {
    let found = found.finalize();
    if found[..] == *expected {
        return Ok(());
    }
    let hex = |bytes: &[u8]| bytes.iter().take(8).map(|b| format!("{b:02x}")).collect::<String>();
    let detail = format!("{what}: expected SHA-256 {}…, found {}…", hex(expected), hex(&found));
    Err(Error::new(ErrorCode::AlteredPack, detail))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> Vec<Part> {
        let part = |name: &str, kind, bytes: &[u8]| Part { name: name.into(), kind, bytes: bytes.to_vec() };
        vec![
            part("detector", PartKind::Onnx, &[7; 100]),
            part("empty", PartKind::Text, b""),
            part("later", PartKind::Other(99), b"x"),
        ]
    }

    fn code(bytes: &[u8]) -> Option<ErrorCode> {
        read(bytes).err().map(|e| e.code())
    }

    #[test]
    fn what_is_written_is_read() {
        let (manifest, read) = read(&write(b"{}", &parts())).unwrap();
        assert_eq!((&manifest[..], read), (&b"{}"[..], parts()));
    }

    #[test]
    fn every_prefix_is_refused() {
        let bytes = write(b"{}", &parts());
        for length in 0..bytes.len() {
            let expected = if length < 4 { ErrorCode::NotAPack } else { ErrorCode::TruncatedPack };
            assert_eq!(code(&bytes[..length]), Some(expected), "{length}");
        }
    }

    #[test]
    fn every_changed_bit_is_refused() {
        let bytes = write(b"{}", &parts());
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut altered = bytes.clone();
                altered[at] ^= 1 << bit;
                assert!(read(&altered).is_err(), "byte {at}, bit {bit}");
            }
        }
    }

    #[test]
    fn each_fault_has_its_own_error() {
        let bytes = write(b"{}", &parts());
        let with = |at: usize, value: &[u8]| {
            let mut altered = bytes.clone();
            altered[at..at + value.len()].copy_from_slice(value);
            code(&altered)
        };
        assert_eq!(with(0, b"PK\x03\x04"), Some(ErrorCode::NotAPack));
        assert_eq!(with(4, &2u32.to_le_bytes()), Some(ErrorCode::UnknownPackVersion));
        assert_eq!(with(8, &u64::MAX.to_le_bytes()), Some(ErrorCode::TruncatedPack));
        assert_eq!(with(16, &u64::MAX.to_le_bytes()), Some(ErrorCode::PackTooLarge));
        assert_eq!(with(24, &u32::MAX.to_le_bytes()), Some(ErrorCode::PackTooLarge));
        assert_eq!(with(bytes.len() - 64, b"y"), Some(ErrorCode::AlteredPack));
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(code(&longer), Some(ErrorCode::AlteredPack));
    }
}
