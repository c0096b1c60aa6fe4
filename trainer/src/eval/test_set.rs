//! A verification test: which pictures to compare, and where they come from.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use veriface::evaluation::PairList;

use crate::error::{Error, Result};

/// Pairs, and the bytes of their pictures.
#[derive(Debug)]
pub struct TestSet {
    name: String,
    pairs: PairList,
    pictures: Pictures,
}

#[derive(Debug)]
enum Pictures {
    /// Files below this folder, at the list's paths.
    Folder(PathBuf),
    /// Encoded pictures in the list's order, as insightface's `.bin` files carry them.
    Carried(Vec<Vec<u8>>),
}

impl TestSet {
    /// Opens LFW's `pairs.txt`, or lines `path TAB path TAB 1|0`. Paths start from `folder`, by default the list's own.
    pub fn open(list: &Path, folder: Option<&Path>) -> Result<Self> {
        let text = std::fs::read_to_string(list).map_err(Error::file(list))?;
        let pairs = PairList::parse(&text).map_err(|e| e.in_file(list))?;
        let folder = folder.or(list.parent()).unwrap_or(Path::new(".")).to_path_buf();
        Ok(TestSet { name: name(list), pairs, pictures: Pictures::Folder(folder) })
    }

    /// A set that carries its pictures: pictures 2i and 2i + 1 are pair i, of one person where `same[i]`. Ten folds in order, as
    /// insightface evaluates its `.bin` files.
    pub fn carried(name: impl Into<String>, pictures: Vec<Vec<u8>>, same: &[bool]) -> Result<Self> {
        let name = name.into();
        if pictures.len() != 2 * same.len() {
            return Err(Error::data(name, format!("{} pictures do not make {} pairs", pictures.len(), same.len())));
        }
        let mut text = String::new();
        for (pair, &same) in same.iter().enumerate() {
            let _ = writeln!(text, "{}\t{}\t{}", 2 * pair, 2 * pair + 1, u8::from(same));
        }
        Ok(TestSet { pairs: PairList::tab_separated(&text)?, name, pictures: Pictures::Carried(pictures) })
    }

    /// What the set is called: its folder and file without ending.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The pairs.
    pub fn pairs(&self) -> &PairList {
        &self.pairs
    }

    /// The encoded bytes of a picture, by its place in [`PairList::pictures`].
    pub fn bytes(&self, picture: usize) -> Result<Cow<'_, [u8]>> {
        match &self.pictures {
            Pictures::Folder(_) => {
                let path = self.path(picture);
                Ok(Cow::Owned(std::fs::read(&path).map_err(Error::file(&path))?))
            }
            Pictures::Carried(pictures) => match pictures.get(picture) {
                Some(bytes) => Ok(Cow::Borrowed(bytes)),
                None => Err(Error::data(&self.name, format!("there is no picture {picture}"))),
            },
        }
    }

    /// What a message calls a picture: its path, or its number where the set carries it.
    pub fn path(&self, picture: usize) -> PathBuf {
        let path = self.pairs.pictures().get(picture).cloned().unwrap_or_default();
        match &self.pictures {
            Pictures::Folder(folder) => folder.join(path),
            Pictures::Carried(_) => path,
        }
    }
}

/// `cfpfp/pairs.tsv` → `cfpfp/pairs`: lists of many sets have the same file name.
fn name(list: &Path) -> String {
    let stem = list.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    match list.parent().and_then(Path::file_name) {
        Some(folder) => format!("{}/{stem}", folder.to_string_lossy()),
        None => stem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carried_set_pairs_its_pictures_in_order() {
        let pictures: Vec<Vec<u8>> = (0..40).map(|number| vec![number]).collect();
        let same: Vec<bool> = (0..20).map(|pair| pair % 3 == 0).collect();
        let set = TestSet::carried("small", pictures, &same).expect("a set");
        for (number, pair) in set.pairs().pairs().iter().enumerate() {
            assert_eq!((pair.same, pair.fold), (same[number], number / 2));
            assert_eq!(set.bytes(pair.a).expect("bytes").as_ref(), [2 * number as u8]);
            assert_eq!(set.bytes(pair.b).expect("bytes").as_ref(), [2 * number as u8 + 1]);
        }
        assert!(TestSet::carried("odd", vec![vec![0]; 41], &[true; 20]).is_err());
        assert!(TestSet::carried("few", vec![vec![0]; 4], &[true; 2]).is_err());
    }

    #[test]
    fn a_list_names_its_wrong_line_and_a_missing_picture_its_path() {
        let folder = tempfile::tempdir().expect("a folder");
        let list = folder.path().join("pairs.tsv");
        std::fs::write(&list, "a.png\tb.png\t1\n".repeat(9) + "a.png b.png 1\n").expect("written");
        let error = TestSet::open(&list, None).expect_err("a bad line").to_string();
        assert!(error.contains("line 10") && error.contains("pairs.tsv"), "{error}");
        std::fs::write(&list, "a.png\tb.png\t1\n".repeat(10)).expect("written");
        let error = TestSet::open(&list, None).expect("a set").bytes(0).expect_err("no such file").to_string();
        assert!(error.contains("a.png"), "{error}");
    }
}
