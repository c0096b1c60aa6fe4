//! A training set: aligned 112×112 RGB chips, each with its identity, from RecordIO or from a folder.

use std::path::Path;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};
use veriface::{Limits, Photo};

use super::folder::Folder;
use super::recordio::{Label, RecordFile};
use crate::error::{Error, Result};

/// Width and height of a chip in pixels.
pub const SIDE: usize = 112;

/// Bytes of a chip: rows of RGB pixels.
pub const CHIP_BYTES: usize = SIDE * SIDE * 3;

/// The most bytes that an encoded chip may have.
const MOST_ENCODED: u64 = 4 << 20;

/// An aligned face, `SIDE`×`SIDE` pixels, rows of RGB bytes.
pub type Chip = Vec<u8>;

/// Where the encoded chips lie.
#[derive(Debug)]
enum Source {
    Records { file: RecordFile, keys: Vec<u64> },
    Files(Folder),
}

/// The chips of a set. It is read from several threads; a chip is decoded when it is asked for.
#[derive(Debug)]
pub struct ChipSet {
    source: Source,
    of: Vec<u32>,
    identities: usize,
    fingerprint: String,
    decoded: Option<Vec<OnceLock<Chip>>>,
}

impl ChipSet {
    /// Opens `NAME.rec` with its index, or a folder `ROOT/IDENTITY/PICTURE` (see [`Folder`]).
    ///
    /// In a `.rec`, record 0 holds the end of the picture records where its flag is set, as insightface writes it; otherwise every
    /// record is a picture.
    ///
    /// With `keep_decoded` each chip stays in memory (37,632 bytes) after its first use.
    pub fn open(path: impl AsRef<Path>, keep_decoded: bool) -> Result<Self> {
        let path = path.as_ref();
        let mut set = if path.is_dir() { ChipSet::of_folder(path)? } else { ChipSet::of_records(path)? };
        if set.of.is_empty() {
            return Err(Error::data(path.display().to_string(), "the set holds no picture"));
        }
        set.identities = set.of.iter().map(|&identity| identity as usize + 1).max().unwrap_or(0);
        set.decoded = keep_decoded.then(|| set.of.iter().map(|_| OnceLock::new()).collect());
        Ok(set)
    }

    fn of_records(path: &Path) -> Result<Self> {
        let file = RecordFile::open(path)?;
        let end = match file.keys().next() {
            Some(0) => match file.label(0)? {
                Label::Many(range) => range.first().map(|end| *end as u64),
                Label::One(_) => None,
            },
            _ => None,
        };
        let keys: Vec<u64> = file.keys().filter(|key| end.is_none_or(|end| (1..end).contains(key))).collect();
        let mut of = Vec::with_capacity(keys.len());
        for key in &keys {
            let identity = file.label(*key)?.first().unwrap_or(-1.0);
            if !(0.0..16_777_216.0).contains(&identity) || identity.fract() != 0.0 {
                return Err(Error::data(format!("{}, record {key}", path.display()), format!("{identity} is no identity")));
            }
            of.push(identity as u32);
        }
        let mut hash = Sha256::new();
        for (key, offset) in file.offsets() {
            hash.update(key.to_le_bytes());
            hash.update(offset.to_le_bytes());
        }
        of.iter().for_each(|identity| hash.update(identity.to_le_bytes()));
        let fingerprint = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(ChipSet { source: Source::Records { file, keys }, of, identities: 0, fingerprint, decoded: None })
    }

    fn of_folder(path: &Path) -> Result<Self> {
        let folder = Folder::open(path)?;
        let fingerprint = folder.fingerprint()?;
        let of = folder.pictures().iter().map(|(_, identity)| *identity).collect();
        Ok(ChipSet { source: Source::Files(folder), of, identities: 0, fingerprint, decoded: None })
    }

    /// Number of chips.
    pub fn len(&self) -> usize {
        self.of.len()
    }

    /// Whether there is no chip; never so for an open set.
    pub fn is_empty(&self) -> bool {
        self.of.is_empty()
    }

    /// Number of identities: the largest label and one.
    pub fn identities(&self) -> usize {
        self.identities
    }

    /// The identity of a chip.
    pub fn identity(&self, index: usize) -> u32 {
        self.of[index]
    }

    /// The name of each identity, where the set has names: the subfolders'.
    pub fn names(&self) -> Option<&[String]> {
        match &self.source {
            Source::Records { .. } => None,
            Source::Files(folder) => Some(folder.names()),
        }
    }

    /// Where a chip lies in the set's own terms: its record's number, or its path below the root.
    pub fn place(&self, index: usize) -> String {
        match &self.source {
            Source::Records { keys, .. } => keys[index].to_string(),
            Source::Files(folder) => folder.pictures()[index].0.display().to_string(),
        }
    }

    /// Sixteen hexadecimal digits that change when pictures, their order or labels do.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The picture file of a chip, as it is stored.
    pub fn encoded(&self, index: usize) -> Result<Vec<u8>> {
        match &self.source {
            Source::Records { file, keys } => Ok(file.read(keys[index])?.payload),
            Source::Files(folder) => {
                let path = folder.path(index);
                std::fs::read(&path).map_err(Error::file(&path))
            }
        }
    }

    /// The pixels of a chip.
    pub fn chip(&self, index: usize) -> Result<Chip> {
        if let Some(chip) = self.decoded.as_ref().and_then(|decoded| decoded[index].get()) {
            return Ok(chip.clone());
        }
        let chip =
            decode(&self.encoded(index)?).map_err(|reason| Error::data(format!("picture {}", self.place(index)), reason))?;
        if let Some(decoded) = &self.decoded {
            let _ = decoded[index].set(chip.clone());
        }
        Ok(chip)
    }
}

/// Decodes a chip of any format that the SDK reads (JPEG, PNG, WebP, BMP), as the SDK does.
pub fn decode(bytes: &[u8]) -> Result<Chip, String> {
    let limits = Limits { max_pixels: (16 * SIDE * SIDE) as u64, max_bytes: MOST_ENCODED };
    let photo = Photo::decode_with(bytes, &limits).map_err(|error| error.to_string())?;
    let frame = photo.frame();
    let (width, height) = (frame.width(), frame.height());
    if (width as usize, height as usize) != (SIDE, SIDE) {
        return Err(format!("the picture is {width}×{height}; a chip is {SIDE}×{SIDE}. Align the photos first: trainer align"));
    }
    Ok(frame.to_upright_rgb())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    use image::{ImageFormat, RgbImage};

    use crate::data::set_writer::SetWriter;

    fn png(side: u32, shade: u8) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        RgbImage::from_pixel(side, side, image::Rgb([shade, 10, 20])).write_to(&mut bytes, ImageFormat::Png).expect("encoded");
        bytes.into_inner()
    }

    fn root() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        for (name, shade) in [("a/1.png", 1), ("a/2.png", 2), ("b/1.png", 3)] {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, png(112, shade)).expect("written");
        }
        root
    }

    #[test]
    fn a_folder_and_the_records_written_from_it_are_the_same_set() {
        let root = root();
        let folder = ChipSet::open(root.path(), false).expect("a set");
        let path = root.path().join("set.rec");
        let mut writer = SetWriter::create(&path, folder.len(), folder.identities()).expect("begun");
        (0..folder.len())
            .for_each(|index| writer.push(folder.identity(index), folder.encoded(index).expect("read")).expect("written"));
        writer.finish().expect("finished");
        let records = ChipSet::open(&path, true).expect("a set");
        assert_eq!((records.len(), records.identities()), (3, 2));
        for index in 0..3 {
            assert_eq!(records.identity(index), folder.identity(index));
            assert_eq!(records.chip(index).expect("a chip"), folder.chip(index).expect("a chip"));
            assert_eq!(records.chip(index).expect("a chip")[..3], [index as u8 + 1, 10, 20]);
        }
        assert_eq!((records.place(2), folder.place(2)), ("3".to_owned(), PathBuf::from("b/1.png").display().to_string()));
        assert_eq!((records.names(), folder.names().expect("names")), (None, &["a".to_owned(), "b".to_owned()][..]));
    }

    #[test]
    fn the_fingerprint_follows_the_pictures() {
        let root = root();
        let fingerprint = || ChipSet::open(root.path(), false).expect("a set").fingerprint().to_owned();
        let before = fingerprint();
        assert_eq!(before, fingerprint());
        std::fs::rename(root.path().join("a/2.png"), root.path().join("b/2.png")).expect("moved");
        assert_ne!(before, fingerprint());
    }

    #[test]
    fn what_is_no_chip_is_refused_with_its_place() {
        let root = root();
        std::fs::write(root.path().join("a/2.png"), png(96, 0)).expect("written");
        std::fs::write(root.path().join("b/1.png"), b"no picture").expect("written");
        let set = ChipSet::open(root.path(), false).expect("a set");
        let refused = |index| set.chip(index).expect_err("refused").to_string();
        assert!(refused(1).contains("2.png") && refused(1).contains("96×96") && refused(1).contains("trainer align"));
        assert!(refused(2).contains("E201"), "{}", refused(2));
    }
}
