//! A set of chips written as insightface lays it out: `NAME.rec`, `NAME.idx` and `property`.
//!
//! Record 0 has the label [pictures + 1, pictures + 1 + identities]; the pictures follow, their label the identity; then one record
//! an identity without a picture, its label the range of its pictures (deepinsight/insightface, `face2rec2.py`).

use std::path::{Path, PathBuf};

use super::chips::SIDE;
use super::recordio::{Label, Record, RecordWriter};
use crate::error::{Error, Result};

/// Labels are `f32`, which count exactly so far.
const MOST_RECORDS: usize = 1 << 24;

/// Writes a set whose size is known. Nothing appears under its name before [`SetWriter::finish`].
#[derive(Debug)]
pub struct SetWriter {
    path: PathBuf,
    writer: RecordWriter,
    pictures: usize,
    /// The first picture of each identity begun so far.
    starts: Vec<usize>,
    identities: usize,
    written: usize,
}

impl SetWriter {
    /// Begins `NAME.rec` of so many pictures and identities.
    pub fn create(path: impl AsRef<Path>, pictures: usize, identities: usize) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        if pictures.saturating_add(identities) >= MOST_RECORDS {
            let reason =
                format!("{pictures} pictures of {identities} identities are more than a set can number ({MOST_RECORDS})");
            return Err(Error::data(path.display().to_string(), reason));
        }
        let mut writer = RecordWriter::create(&path)?;
        let first = pictures + 1;
        writer.write(0, &range(0, first, first + identities))?;
        Ok(SetWriter { path, writer, pictures, starts: Vec::new(), identities, written: 0 })
    }

    /// Appends an encoded chip. Identities come in order: 0, its pictures all together, then 1.
    pub fn push(&mut self, identity: u32, payload: Vec<u8>) -> Result<()> {
        let key = self.written + 1;
        match (self.starts.len() as u32).checked_sub(identity) {
            Some(0) => self.starts.push(key),
            Some(1) => {}
            _ => return Err(self.wrong(format!("identity {identity} is out of order after {} others", self.starts.len()))),
        }
        self.writer.write(key as u64, &Record { label: Label::One(identity as f32), id: key as u64, id2: 0, payload })?;
        self.written += 1;
        Ok(())
    }

    /// Writes the ranges and `property`, and gives the files their names.
    pub fn finish(mut self) -> Result<()> {
        if (self.written, self.starts.len()) != (self.pictures, self.identities) {
            let (pictures, identities) = (self.pictures, self.identities);
            return Err(self.wrong(format!(
                "{} pictures of {} identities were written where {pictures} of {identities} were announced",
                self.written,
                self.starts.len()
            )));
        }
        let ends = self.starts.iter().skip(1).copied().chain([self.pictures + 1]);
        for (identity, (from, to)) in self.starts.iter().zip(ends).enumerate() {
            let key = (self.pictures + 1 + identity) as u64;
            self.writer.write(key, &range(key, *from, to))?;
        }
        self.writer.finish()?;
        let property = self.path.with_file_name("property");
        std::fs::write(&property, format!("{},{SIDE},{SIDE}\n", self.identities)).map_err(Error::file(&property))
    }

    fn wrong(&self, reason: String) -> Error {
        Error::data(self.path.display().to_string(), reason)
    }
}

fn range(id: u64, from: usize, to: usize) -> Record {
    Record { label: Label::Many(vec![from as f32, to as f32]), id, id2: 0, payload: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::recordio::RecordFile;

    fn path() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("set.rec");
        (folder, path)
    }

    /// The layout of `face2rec2.py`, worked out by hand for three pictures of two people.
    #[test]
    fn the_layout_is_insightfaces() {
        let (_folder, path) = path();
        let mut writer = SetWriter::create(&path, 3, 2).expect("begun");
        for (identity, payload) in [(0, "a"), (0, "b"), (1, "c")] {
            writer.push(identity, payload.into()).expect("written");
        }
        writer.finish().expect("finished");
        let file = RecordFile::open(&path).expect("opened");
        assert_eq!(file.keys().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        let label = |key| file.label(key).expect("a label");
        assert_eq!([label(0), label(4), label(5)], [vec![4.0, 6.0], vec![1.0, 3.0], vec![3.0, 4.0]].map(Label::Many));
        assert_eq!([label(1), label(2), label(3)], [0.0, 0.0, 1.0].map(Label::One));
        assert_eq!(file.read(3).expect("read").payload, b"c");
        assert_eq!(std::fs::read_to_string(path.with_file_name("property")).expect("read"), "2,112,112\n");
    }

    #[test]
    fn identities_out_of_order_and_wrong_counts_are_refused() {
        let (_folder, path) = path();
        let mut writer = SetWriter::create(&path, 3, 2).expect("begun");
        assert!(writer.push(1, Vec::new()).expect_err("refused").to_string().contains("out of order"));
        writer.push(0, Vec::new()).expect("written");
        writer.push(1, Vec::new()).expect("written");
        assert!(writer.push(0, Vec::new()).expect_err("refused").to_string().contains("out of order"));
        assert!(writer.finish().expect_err("refused").to_string().contains("announced"));
        assert!(!path.exists());
        assert!(SetWriter::create(&path, 1 << 24, 1).expect_err("refused").to_string().contains("more than a set"));
    }
}
