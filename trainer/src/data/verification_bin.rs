//! insightface's verification sets: `lfw.bin`, `cfp_fp.bin`, `agedb_30.bin`.
//!
//! Such a file is a Python pickle of (pictures, same): encoded pictures two by two, as bytes (`lfw2pack.py`) or as numpy arrays of
//! bytes (`agedb2pack.py`, `cfp2pack.py`), and for each two whether they show the same person (deepinsight/insightface, `src/data`).

use std::path::Path;

use crate::data::pickle::{self, Dtype, Pickle, Value};
use crate::error::{Error, Result};

/// The largest file that is read: CFP-FP's, the largest of insightface's, has about 90 MB.
const MOST_BYTES: u64 = 2 << 30;

/// Encoded pictures, two by two, and whether each two show the same person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct VerificationBin {
    pictures: Vec<Vec<u8>>,
    same: Vec<bool>,
}

impl VerificationBin {
    /// Joins pictures and labels.
    ///
    /// # Errors
    /// When there are not twice as many pictures as labels, or none.
    pub fn new(pictures: Vec<Vec<u8>>, same: Vec<bool>) -> Result<Self, String> {
        if same.is_empty() || pictures.len() != 2 * same.len() {
            return Err(format!("{} pictures for {} pairs; each pair has two of its own", pictures.len(), same.len()));
        }
        Ok(VerificationBin { pictures, same })
    }

    /// Reads a file that Python 2 or 3 wrote, in any protocol from 2 to 5.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let length = std::fs::metadata(path).map_err(Error::file(path))?.len();
        if length > MOST_BYTES {
            return Err(Error::data(path.display().to_string(), format!("{length} bytes; at most {MOST_BYTES} are read")));
        }
        let bytes = std::fs::read(path).map_err(Error::file(path))?;
        VerificationBin::from_bytes(&bytes).map_err(|reason| {
            Error::data(path.display().to_string(), format!("{reason}. Expected a verification set of insightface (NAME.bin)"))
        })
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let pickle = pickle::read(bytes)?;
        let two = match &pickle.value {
            Value::Tuple(tuple) => tuple.items.as_slice(),
            Value::List(place) => pickle.list(*place),
            _ => &[],
        };
        let [pictures, same] = two else { return Err("the pickle holds no pair (pictures, same)".into()) };
        VerificationBin::new(read_pictures(&pickle, pictures)?, read_labels(&pickle, same)?)
    }

    /// The encoded pictures: those of pair `i` at `2 * i` and `2 * i + 1`.
    pub fn pictures(&self) -> &[Vec<u8>] {
        &self.pictures
    }

    /// The encoded pictures alone.
    pub fn into_pictures(self) -> Vec<Vec<u8>> {
        self.pictures
    }

    /// Whether the pictures of each pair show the same person.
    pub fn same(&self) -> &[bool] {
        &self.same
    }

    /// Writes the set in protocol 3, which every Python 3 reads (`pickle.load`), with or without `encoding="bytes"`.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let bytes = self.to_bytes().map_err(|reason| Error::data(path.display().to_string(), reason))?;
        Ok(veriface::replace_file(path, |to| to.write_all(&bytes))?)
    }

    fn to_bytes(&self) -> Result<Vec<u8>, String> {
        // PROTO 3, EMPTY_LIST, MARK, BINBYTES…, APPENDS, the same with NEWTRUE and NEWFALSE, TUPLE2, STOP.
        let mut bytes = b"\x80\x03](".to_vec();
        for picture in &self.pictures {
            let length = u32::try_from(picture.len()).map_err(|_| "a picture of more than 4 GiB".to_owned())?;
            bytes.push(b'B');
            bytes.extend(length.to_le_bytes());
            bytes.extend(picture);
        }
        bytes.extend(b"e](");
        bytes.extend(self.same.iter().map(|&same| if same { 0x88 } else { 0x89 }));
        bytes.extend(b"e\x86.");
        Ok(bytes)
    }
}

fn read_pictures(pickle: &Pickle, value: &Value) -> Result<Vec<Vec<u8>>, String> {
    let Value::List(place) = value else { return Err("the pictures are no list".into()) };
    let picture = |(number, value): (usize, &Value)| match value {
        Value::Bytes(bytes) => Ok(bytes.to_vec()),
        Value::Array(array) => match array.elements() {
            Some((Dtype::Byte, bytes)) => Ok(bytes.to_vec()),
            _ => Err(format!("picture {number} is an array, but not of bytes")),
        },
        _ => Err(format!("picture {number} is neither bytes nor an array")),
    };
    pickle.list(*place).iter().enumerate().map(picture).collect()
}

fn read_labels(pickle: &Pickle, value: &Value) -> Result<Vec<bool>, String> {
    let label = |(number, value): (usize, &Value)| match value {
        Value::Bool(same) => Ok(*same),
        Value::Int(same @ (0 | 1)) => Ok(*same == 1),
        _ => Err(format!("label {number} is neither true nor false")),
    };
    match value {
        Value::List(place) => pickle.list(*place).iter().enumerate().map(label).collect(),
        Value::Array(array) => match array.elements() {
            Some((Dtype::Bool, labels)) => Ok(labels.iter().map(|&same| same != 0).collect()),
            _ => Err("the labels are an array, but not of booleans".into()),
        },
        _ => Err("the labels are no list".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/verification_bin").join(name)
    }

    /// What `tests/reference/verification_bin.py` puts into every file: pictures of 1, 2, 255, 256, 300 and 700 bytes.
    fn expected() -> VerificationBin {
        let picture = |length: usize| (0..length).map(|i| (i * i + length) as u8).collect();
        VerificationBin::new([1, 2, 255, 256, 300, 700].map(picture).to_vec(), vec![true, false, true]).expect("a set")
    }

    #[test]
    fn what_each_python_writes_is_read() {
        let names = [
            "python2-bytes.bin",
            "python2-arrays.bin",
            "protocol2-bytes.bin",
            "protocol3-bytes.bin",
            "protocol4-bytes.bin",
            "protocol5-bytes.bin",
            "protocol2-arrays-numpy1.bin",
            "protocol4-arrays-numpy1.bin",
            "protocol5-arrays-numpy1.bin",
            "protocol2-arrays-numpy2.bin",
            "protocol4-arrays-numpy2.bin",
            "protocol5-arrays-numpy2.bin",
            "protocol4-numpy-labels.bin",
        ];
        for name in names {
            let set = VerificationBin::open(golden(name)).expect(name);
            assert!(set == expected(), "{name}");
        }
    }

    /// `tests/reference/verification_bin.py` made `written.bin`, and has read it with Python's own `pickle`.
    #[test]
    fn what_is_written_is_what_python_has_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("written.bin");
        expected().write(&path).expect("written");
        assert_eq!(std::fs::read(&path).expect("read"), std::fs::read(golden("written.bin")).expect("read"));
        assert_eq!(VerificationBin::open(&path).expect("a set"), expected());
    }

    #[test]
    fn files_of_another_kind_are_refused_by_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.bin");
        for (bytes, reason) in [
            (&b""[..], "cut short"),
            (b"\xff\xd8\xff\xe0", "0xff"),
            (b"\x80\x03](C\x01ae](\x88e\x86.", "1 pictures for 1 pairs"),
            (b"\x80\x03](C\x01aC\x01be](Ne\x86.", "label 0"),
            (b"\x80\x03](C\x01aNe](\x88e\x86.", "picture 1"),
            (b"\x80\x03]]\x86.", "0 pictures for 0 pairs"),
            (b"\x80\x03].", "no pair"),
            (b"\x80\x03cos\nsystem\n.", "`os.system`"),
        ] {
            std::fs::write(&path, bytes).expect("written");
            let error = VerificationBin::open(&path).expect_err("refused").to_string();
            assert!(error.contains(reason) && error.contains("a.bin"), "{error}");
        }
    }
}
