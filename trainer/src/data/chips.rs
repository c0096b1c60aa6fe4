//! A training set: aligned 112×112 RGB chips, each with its identity.

use std::path::Path;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use super::recordio::{Label, RecordFile};
use crate::error::{Error, Result};

/// Width and height of a chip in pixels.
pub const SIDE: usize = 112;

/// Bytes of a chip: rows of RGB pixels.
pub const CHIP_BYTES: usize = SIDE * SIDE * 3;

/// An aligned face, `SIDE`×`SIDE` pixels, rows of RGB bytes.
pub type Chip = Vec<u8>;

#[derive(Debug, Clone, Copy)]
struct Entry {
    key: u64,
    identity: u32,
}

/// The chips of an insightface RecordIO set.
#[derive(Debug)]
pub struct ChipSet {
    records: RecordFile,
    entries: Vec<Entry>,
    identities: usize,
    fingerprint: String,
    decoded: Option<Vec<OnceLock<Chip>>>,
}

impl ChipSet {
    /// Opens `NAME.rec` with its index. Record 0 holds the end of the picture records where its flag is set, as insightface
    /// writes it; otherwise every record is a picture.
    ///
    /// With `keep_decoded` each chip stays in memory (37,632 bytes) after its first use.
    pub fn open(path: impl AsRef<Path>, keep_decoded: bool) -> Result<Self> {
        let path = path.as_ref();
        let records = RecordFile::open(path)?;
        let end = match records.keys().next() {
            Some(0) => match records.label(0)? {
                Label::Many(range) => range.first().map(|end| *end as u64),
                Label::One(_) => None,
            },
            _ => None,
        };
        let pictures = records.keys().filter(|key| end.is_none_or(|end| (1..end).contains(key)));
        let mut hash = Sha256::new();
        let mut entries = Vec::new();
        for key in pictures {
            let identity = records.label(key)?.first().unwrap_or(-1.0);
            if !(0.0..16_777_216.0).contains(&identity) || identity.fract() != 0.0 {
                return Err(Error::data(format!("{}, record {key}", path.display()), format!("{identity} is no identity")));
            }
            entries.push(Entry { key, identity: identity as u32 });
        }
        for (key, offset) in records.offsets() {
            hash.update(key.to_le_bytes());
            hash.update(offset.to_le_bytes());
        }
        entries.iter().for_each(|entry| hash.update(entry.identity.to_le_bytes()));
        if entries.is_empty() {
            return Err(Error::data(path.display().to_string(), "the set holds no picture"));
        }
        let identities = entries.iter().map(|entry| entry.identity as usize + 1).max().unwrap_or(0);
        let fingerprint = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let decoded = keep_decoded.then(|| entries.iter().map(|_| OnceLock::new()).collect());
        Ok(ChipSet { records, entries, identities, fingerprint, decoded })
    }

    /// Number of chips.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no chip; never so for an open set.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Number of identities: the largest label and one.
    pub fn identities(&self) -> usize {
        self.identities
    }

    /// The identity of a chip.
    pub fn identity(&self, index: usize) -> u32 {
        self.entries[index].identity
    }

    /// Sixteen hexadecimal digits that change when records, their order or labels do.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The pixels of a chip.
    pub fn chip(&self, index: usize) -> Result<Chip> {
        if let Some(chip) = self.decoded.as_ref().and_then(|decoded| decoded[index].get()) {
            return Ok(chip.clone());
        }
        let key = self.entries[index].key;
        let chip = decode(&self.records.read(key)?.payload).map_err(|reason| Error::data(format!("record {key}"), reason))?;
        if let Some(decoded) = &self.decoded {
            let _ = decoded[index].set(chip.clone());
        }
        Ok(chip)
    }
}

/// Decodes a chip of any supported format (JPEG, PNG, WebP, BMP).
pub fn decode(bytes: &[u8]) -> Result<Chip, String> {
    let mut reader = image::ImageReader::new(std::io::Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(4 * SIDE as u32);
    limits.max_image_height = Some(4 * SIDE as u32);
    reader.limits(limits);
    let picture = reader.decode().map_err(|e| e.to_string())?.into_rgb8();
    if picture.dimensions() != (SIDE as u32, SIDE as u32) {
        let (width, height) = picture.dimensions();
        return Err(format!("the picture is {width}×{height}; a chip is {SIDE}×{SIDE}. Align the photos first: trainer align"));
    }
    Ok(picture.into_raw())
}
