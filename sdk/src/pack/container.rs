//! The bytes of a pack: header, part table, manifest, parts. `docs/pack-format.md` is the specification.

use std::ops::Range;

use sha2::{Digest as _, Sha256};

use super::bytes::{ALIGNMENT, Bytes, Source};
use super::digest::Digest;
use crate::error::{Error, ErrorCode, Result};

const MAGIC: &[u8; 4] = b"VFPK";
/// Of a file whose parts are all hashed by SHA-256, and of one with parts by BLAKE3.
const VERSIONS: [u32; 2] = [1, 2];
const HEADER: usize = 64;
const ENTRY: usize = 128;
/// The most bytes of a part's name.
pub(super) const NAME: usize = 72;
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
    /// A network as our kernels read it, beside its ONNX part: `net/prepared.rs`.
    Prepared,
    /// The signature over everything else, which [`crate::Pack`] keeps apart from the parts.
    Signature,
    /// A kind that this version does not know; it is kept and ignored.
    Other(u32),
}

impl PartKind {
    pub(super) fn number(self) -> u32 {
        match self {
            PartKind::Onnx => 1,
            PartKind::Chip => 2,
            PartKind::Embedding => 3,
            PartKind::Text => 4,
            PartKind::Prepared => 5,
            PartKind::Signature => 6,
            PartKind::Other(number) => number,
        }
    }

    fn from_number(number: u32) -> PartKind {
        match number {
            1 => PartKind::Onnx,
            2 => PartKind::Chip,
            3 => PartKind::Embedding,
            4 => PartKind::Text,
            5 => PartKind::Prepared,
            6 => PartKind::Signature,
            other => PartKind::Other(other),
        }
    }
}

/// One part of a pack. Cheap to clone.
#[derive(Clone)]
pub struct Part {
    /// The name that the manifest uses; at most 72 bytes of UTF-8.
    pub name: String,
    /// What it holds.
    pub kind: PartKind,
    held: Held,
    digest: Digest,
}

#[derive(Clone)]
enum Held {
    Here(Bytes),
    /// Not read yet, nor hashed.
    There(Source, Range<u64>),
}

impl Part {
    /// A part with these bytes.
    pub fn new(name: impl Into<String>, kind: PartKind, bytes: impl Into<Bytes>) -> Part {
        let bytes = bytes.into();
        // A prepared part is made anew from its ONNX part, whose SHA-256 is what anybody compares; it is hashed at every start.
        let digest = if kind == PartKind::Prepared { Digest::blake3(&bytes) } else { Digest::sha256(&bytes) };
        Part { name: name.into(), kind, held: Held::Here(bytes), digest }
    }

    /// The bytes. An ONNX part beside which a prepared one stands is left in the pack's file until somebody asks for it, and hashed then.
    ///
    /// # Errors
    /// [`ErrorCode::CannotRead`] and [`ErrorCode::AlteredPack`] for a part that is still in the file.
    pub fn bytes(&self) -> Result<Bytes> {
        match &self.held {
            Held::Here(bytes) => Ok(bytes.clone()),
            Held::There(source, range) => {
                let bytes = source.bytes(range.clone())?;
                check_hash(&format!("part {:?}", self.name), &self.digest, &self.digest.again(&bytes))?;
                Ok(bytes)
            }
        }
    }

    /// How many bytes it has.
    pub fn size(&self) -> usize {
        match &self.held {
            Held::Here(bytes) => bytes.len(),
            Held::There(_, range) => (range.end - range.start) as usize,
        }
    }

    /// What its bytes hash to: BLAKE3 for a prepared part, SHA-256 for every other.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl PartialEq for Part {
    fn eq(&self, other: &Part) -> bool {
        (&self.name, self.kind, self.digest) == (&other.name, other.kind, other.digest)
    }
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Part({:?}, {:?}, {} bytes)", self.name, self.kind, self.size())
    }
}

/// The name of the part in which a network is prepared.
pub(super) fn prepared_name(network: &str) -> String {
    format!("{network}.prepared")
}

pub(super) fn write(manifest: &[u8], parts: &[Part]) -> Result<Vec<u8>> {
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
        table.extend_from_slice(&part.digest.number().to_le_bytes());
        table.extend_from_slice(&(offset as u64).to_le_bytes());
        table.extend_from_slice(&(part.size() as u64).to_le_bytes());
        table.extend_from_slice(part.digest.as_bytes());
        offset = align(offset + part.size());
    }
    let file_length = offset;

    let mut head = Vec::with_capacity(32);
    head.extend_from_slice(MAGIC);
    let version = VERSIONS[usize::from(parts.iter().any(|part| matches!(part.digest, Digest::Blake3(_))))];
    head.extend_from_slice(&version.to_le_bytes());
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
        bytes.extend_from_slice(&part.bytes()?);
    }
    bytes.resize(file_length, 0);
    Ok(bytes)
}

/// What the part table says of a part.
struct Entry {
    name: String,
    kind: PartKind,
    range: Range<u64>,
    digest: Digest,
}

/// The manifest and the parts, every hash checked; of a file, all but those of ONNX parts that are left there.
pub(super) fn read(source: &Source) -> Result<(Vec<u8>, Vec<Part>)> {
    let length = source.len();
    let truncated = |what: &str| Error::new(ErrorCode::TruncatedPack, format!("{length} bytes, {what}"));
    let header = source.bytes(0..length.min(HEADER as u64))?;
    if header.get(..4) != Some(MAGIC) {
        return Err(Error::new(ErrorCode::NotAPack, "it does not begin with VFPK"));
    }
    let version = u32_at(&header, 4).ok_or_else(|| truncated("less than a header"))?;
    if !VERSIONS.contains(&version) {
        let detail = format!("version {version}, this SDK reads {} and {}", VERSIONS[0], VERSIONS[1]);
        return Err(Error::new(ErrorCode::UnknownPackVersion, detail));
    }
    if header.len() < HEADER {
        return Err(truncated("less than a header"));
    }
    let file_length = u64_at(&header, 8).unwrap_or(0);
    let manifest_length = u64_at(&header, 16).unwrap_or(0);
    let part_count = u32_at(&header, 24).unwrap_or(0);
    if manifest_length > MAX_MANIFEST || part_count > MAX_PARTS {
        let detail = format!("a manifest of {manifest_length} bytes and {part_count} parts");
        return Err(Error::new(ErrorCode::PackTooLarge, detail));
    }
    if length < file_length {
        return Err(truncated(&format!("the header says {file_length}")));
    }
    if length != file_length {
        return Err(Error::new(ErrorCode::AlteredPack, format!("{length} bytes, the header says {file_length}")));
    }
    // Both are bounded above, so the sums cannot overflow.
    let table_length = part_count as usize * ENTRY;
    let manifest_end = (HEADER + table_length) as u64 + manifest_length;
    if length < manifest_end {
        return Err(truncated("less than its table and manifest"));
    }
    let described = source.bytes(HEADER as u64..manifest_end)?;
    let stated = header.get(32..).and_then(|hash| hash.first_chunk()).copied().unwrap_or_default();
    let found = Sha256::new().chain_update(&header[..32]).chain_update(&described[..]).finalize();
    check_hash("header, table and manifest", &Digest::Sha256(stated), &Digest::Sha256(found.into()))?;
    let (table, manifest) = described.split_at(table_length);
    let entries: Vec<Entry> = table.chunks_exact(ENTRY).map(|bytes| entry(bytes, version)).collect::<Result<_>>()?;

    // Parts lie in the table's order, each at the next multiple of 64, with nothing but zeros between: one description, one file.
    let align = |n: u64| n.next_multiple_of(ALIGNMENT as u64);
    let mut parts = Vec::with_capacity(entries.len());
    let mut end = manifest_end;
    for Entry { name, kind, range, digest } in &entries {
        if range.end > length {
            return Err(truncated(&format!("part {name:?} ends beyond")));
        }
        if range.start != align(end) || source.bytes(end..range.start)?.iter().any(|b| *b != 0) {
            return Err(Error::new(ErrorCode::AlteredPack, format!("what lies before part {name:?}")));
        }
        end = range.end;
        let prepared = || entries.iter().any(|other| other.kind == PartKind::Prepared && other.name == prepared_name(name));
        let left = matches!(source, Source::File(..)) && *kind == PartKind::Onnx && prepared();
        let held = Held::There(source.clone(), range.clone());
        let mut part = Part { name: name.clone(), kind: *kind, held, digest: *digest };
        if !left {
            part.held = Held::Here(part.bytes()?);
        }
        parts.push(part);
    }
    if length != align(end) || source.bytes(end..length)?.iter().any(|b| *b != 0) {
        return Err(Error::new(ErrorCode::AlteredPack, "what lies behind the last part"));
    }
    Ok((manifest.to_vec(), parts))
}

fn entry(entry: &[u8], version: u32) -> Result<Entry> {
    let name_bytes = entry.get(..NAME).unwrap_or_default();
    let name_end = name_bytes.iter().position(|b| *b == 0).unwrap_or(NAME);
    let name = std::str::from_utf8(&name_bytes[..name_end])
        .map_err(|_| Error::new(ErrorCode::InvalidManifest, "a part's name is not UTF-8"))?
        .to_string();
    let kind = PartKind::from_number(u32_at(entry, NAME).unwrap_or(0));
    let (start, length) = (u64_at(entry, 80).unwrap_or(0), u64_at(entry, 88).unwrap_or(0));
    let end = start.checked_add(length).filter(|end| usize::try_from(*end).is_ok());
    let end = end.ok_or_else(|| Error::new(ErrorCode::PackTooLarge, format!("part {name:?}")))?;
    let hash: [u8; 32] = entry.get(96..).and_then(|hash| hash.first_chunk()).copied().unwrap_or_default();
    let digest = match (u32_at(entry, 76).unwrap_or(0), kind, version) {
        (0, ..) => Digest::Sha256(hash),
        (1, PartKind::Prepared, 2) => Digest::Blake3(hash),
        (number, ..) => {
            let detail = format!("part {name:?} of {kind:?} has a hash of kind {number}");
            return Err(Error::new(ErrorCode::AlteredPack, detail));
        }
    };
    Ok(Entry { name, kind, range: start..end, digest })
}

fn check_hash(what: &str, expected: &Digest, found: &Digest) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    let hex = |digest: &Digest| digest.to_string().chars().take(16).collect::<String>();
    let detail = format!("{what}: expected {} {}…, found {}…", expected.name(), hex(expected), hex(found));
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
        let part = |name: &str, kind, bytes: &[u8]| Part::new(name, kind, bytes.to_vec());
        vec![
            part("detector", PartKind::Onnx, &[7; 100]),
            part("empty", PartKind::Text, b""),
            part("later", PartKind::Other(99), b"x"),
        ]
    }

    fn file() -> Vec<u8> {
        write(b"{}", &parts()).unwrap()
    }

    /// From memory and from a file, which must agree.
    fn read(bytes: &[u8]) -> Result<(Vec<u8>, Vec<Part>)> {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, bytes).unwrap();
        let (memory, file) = (Source::Memory(Bytes::copied(bytes)), Source::file(file, 1 << 20).unwrap());
        let both = [super::read(&memory), super::read(&file)];
        assert_eq!(both[0], both[1]);
        let [read, _] = both;
        read
    }

    fn code(bytes: &[u8]) -> Option<ErrorCode> {
        read(bytes).err().map(|e| e.code())
    }

    #[test]
    fn what_is_written_is_read() {
        let (manifest, read) = read(&file()).unwrap();
        assert_eq!((&manifest[..], read), (&b"{}"[..], parts()));
    }

    #[test]
    fn every_prefix_is_refused() {
        let bytes = file();
        for length in 0..bytes.len() {
            let expected = if length < 4 { ErrorCode::NotAPack } else { ErrorCode::TruncatedPack };
            assert_eq!(code(&bytes[..length]), Some(expected), "{length}");
        }
    }

    #[test]
    fn every_changed_bit_is_refused() {
        let bytes = file();
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
        let bytes = file();
        let with = |at: usize, value: &[u8]| {
            let mut altered = bytes.clone();
            altered[at..at + value.len()].copy_from_slice(value);
            code(&altered)
        };
        assert_eq!(with(0, b"PK\x03\x04"), Some(ErrorCode::NotAPack));
        assert_eq!(with(4, &3u32.to_le_bytes()), Some(ErrorCode::UnknownPackVersion));
        assert_eq!(with(8, &u64::MAX.to_le_bytes()), Some(ErrorCode::TruncatedPack));
        assert_eq!(with(16, &u64::MAX.to_le_bytes()), Some(ErrorCode::PackTooLarge));
        assert_eq!(with(24, &u32::MAX.to_le_bytes()), Some(ErrorCode::PackTooLarge));
        assert_eq!(with(bytes.len() - 64, b"y"), Some(ErrorCode::AlteredPack));
        let mut longer = bytes.clone();
        longer.push(0);
        assert_eq!(code(&longer), Some(ErrorCode::AlteredPack));
    }

    /// The bytes of a file whose header and table hash as they should, whatever stands in them.
    fn rehashed(mut bytes: Vec<u8>, described: usize) -> Vec<u8> {
        let hash = Sha256::new().chain_update(&bytes[..32]).chain_update(&bytes[HEADER..HEADER + described]).finalize();
        bytes[32..64].copy_from_slice(&hash);
        bytes
    }

    #[test]
    fn only_prepared_parts_of_version_2_are_hashed_by_blake3() {
        let parts = [Part::new("a.prepared", PartKind::Prepared, vec![9; 300]), Part::new("a", PartKind::Text, vec![5; 9])];
        let bytes = write(b"{}", &parts).unwrap();
        assert_eq!((bytes[4], bytes[HEADER + 76], bytes[HEADER + ENTRY + 76]), (2, 1, 0));
        assert_eq!(bytes[HEADER + 96..HEADER + 128], *blake3::hash(&[9; 300]).as_bytes());
        assert_eq!(read(&bytes).unwrap().1, parts);
        let table = 2 * ENTRY + 2;
        let with = |at: usize, value: u8| {
            let mut altered = bytes.clone();
            altered[at] = value;
            code(&rehashed(altered, table))
        };
        // The same file as version 1, whose parts are hashed by SHA-256 alone.
        assert_eq!(with(4, 1), Some(ErrorCode::AlteredPack));
        for (at, value) in [(HEADER + 76, 0), (HEADER + 76, 2), (HEADER + ENTRY + 76, 1), (bytes.len() - 128, 6)] {
            assert_eq!(with(at, value), Some(ErrorCode::AlteredPack), "{at}");
        }
        // A prepared part of a file of before: SHA-256, and it stays so when the file is written again.
        let mut old = parts.to_vec();
        old[0].digest = Digest::sha256(&[9; 300]);
        let bytes = write(b"{}", &old).unwrap();
        assert_eq!((bytes[4], bytes[HEADER + 76]), (1, 0));
        assert_eq!(write(b"{}", &read(&bytes).unwrap().1).unwrap(), bytes);
    }

    #[test]
    fn an_onnx_part_beside_a_prepared_one_is_hashed_when_it_is_read() {
        let onnx = Part::new("net", PartKind::Onnx, vec![7; 100]);
        let prepared = Part::new(prepared_name("net"), PartKind::Prepared, vec![8; 70]);
        let mut bytes = write(b"{}", &[onnx.clone(), prepared.clone()]).unwrap();
        let open = |bytes: &[u8]| {
            let mut file = tempfile::tempfile().unwrap();
            std::io::Write::write_all(&mut file, bytes).unwrap();
            super::read(&Source::file(file, 1 << 20).unwrap()).unwrap().1
        };
        let parts = open(&bytes);
        assert_eq!((parts[0].bytes().unwrap().to_vec(), parts[0].size(), parts[0].digest()), (vec![7; 100], 100, onnx.digest()));
        assert_eq!(write(b"{}", &parts).unwrap(), bytes);
        let at = bytes.windows(8).position(|b| b == [7; 8]).unwrap();
        bytes[at] = 6;
        assert_eq!(open(&bytes)[0].bytes().err().map(|e| e.code()), Some(ErrorCode::AlteredPack));
        // In memory it is hashed with the rest.
        assert_eq!(super::read(&Source::Memory(Bytes::copied(&bytes))).err().map(|e| e.code()), Some(ErrorCode::AlteredPack));
    }
}
