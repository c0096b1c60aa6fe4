//! Pairs of pictures to compare: who is the same person, and in which fold.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Number of folds of every list here.
pub const FOLDS: usize = 10;

/// Two pictures of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Index of the first picture.
    pub a: usize,
    /// Index of the second picture.
    pub b: usize,
    /// Whether both show the same person.
    pub same: bool,
}

/// Pictures and the pairs that they form; the folds are equal parts of the pairs, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairList {
    /// Each picture once.
    pub pictures: Vec<PathBuf>,
    /// The pairs in the list's order.
    pub pairs: Vec<Pair>,
}

impl PairList {
    /// Reads lines `path TAB path TAB 1|0`, paths relative to the list's folder, in [`FOLDS`] folds of equal length.
    pub fn open_tsv(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut list = PairList { pictures: Vec::new(), pairs: Vec::new() };
        let mut known = HashMap::new();
        for (number, line) in text.lines().enumerate() {
            let bad =
                || Error::data(path.display().to_string(), format!("line {}: expected `path TAB path TAB 1|0`", number + 1));
            let mut fields = line.split('\t');
            let (Some(a), Some(b), Some(same), None) = (fields.next(), fields.next(), fields.next(), fields.next()) else {
                return Err(bad());
            };
            let same = match same {
                "1" => true,
                "0" => false,
                _ => return Err(bad()),
            };
            let mut picture = |name| {
                *known.entry(name).or_insert_with(|| {
                    list.pictures.push(folder.join(name));
                    list.pictures.len() - 1
                })
            };
            let pair = Pair { a: picture(a), b: picture(b), same };
            list.pairs.push(pair);
        }
        if list.pairs.is_empty() || !list.pairs.len().is_multiple_of(FOLDS) {
            let reason = format!("{} pairs do not make {FOLDS} equal folds", list.pairs.len());
            return Err(Error::data(path.display().to_string(), reason));
        }
        Ok(list)
    }

    /// The fold of a pair, from 0.
    pub fn fold(&self, pair: usize) -> usize {
        pair * FOLDS / self.pairs.len()
    }
}
