//! A named test set in whatever form it comes: its pictures, its pairs, and its people.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use veriface::evaluation::PairList;

use super::agedb::AgeList;
use super::cfp;
use super::chips::{Chip, decode};
use super::verification_bin::VerificationBin;
use crate::error::{Error, Result};

/// Where the pictures lie.
#[derive(Debug)]
enum Pictures {
    /// The list's paths start from this folder.
    Below(PathBuf),
    /// One for each of the list's pictures.
    Encoded(Vec<Vec<u8>>),
}

/// Pictures to compare, that no training set may share a person with.
#[derive(Debug)]
pub struct TestSet {
    path: PathBuf,
    list: PairList,
    pictures: Pictures,
    /// The names of the people that the paths tell, by picture.
    names: Vec<Option<String>>,
}

impl TestSet {
    /// Opens LFW's `pairs.txt`, a list of lines `path TAB path TAB 1|0`, AgeDB-30's text list, insightface's `NAME.bin`, or CFP's
    /// `…/Protocol/Split/FP`. Pictures of a list lie below `folder`; by default in the list's own folder.
    pub fn open(path: impl AsRef<Path>, folder: Option<&Path>) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let wrong = |reason: String| Error::data(path.display().to_string(), reason);
        if path.is_dir() {
            let (pictures, list) = cfp::open(&path)?;
            let names = folder_names(&list);
            let folder = folder.map(Path::to_path_buf).unwrap_or(pictures);
            return Ok(TestSet { path, list, pictures: Pictures::Below(folder), names });
        }
        if path.extension().is_some_and(|ending| ending == "bin") {
            let set = VerificationBin::open(&path)?;
            let line = |(pair, same): (usize, &bool)| format!("{}\t{}\t{}\n", 2 * pair, 2 * pair + 1, i32::from(*same));
            let lines: String = set.same().iter().enumerate().map(line).collect();
            let list = PairList::tab_separated(&lines).map_err(|error| wrong(error.to_string()))?;
            let names = vec![None; list.pictures().len()];
            return Ok(TestSet { path, list, pictures: Pictures::Encoded(set.into_pictures()), names });
        }
        let text = std::fs::read_to_string(&path).map_err(Error::file(&path))?;
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let (list, names) = if !first.contains('\t') && first.split_whitespace().count() == 3 {
            let ages = AgeList::open(&path)?;
            let names = ages.portraits.into_iter().map(|portrait| portrait.map(|portrait| portrait.person)).collect();
            (ages.list, names)
        } else {
            let list = PairList::parse(&text).map_err(|error| wrong(error.to_string()))?;
            let names = folder_names(&list);
            (list, names)
        };
        let folder = folder.or(path.parent()).unwrap_or(Path::new("")).to_path_buf();
        Ok(TestSet { path, list, pictures: Pictures::Below(folder), names })
    }

    /// The file that was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The pairs.
    pub fn list(&self) -> &PairList {
        &self.list
    }

    /// The name of the person on a picture, where its path tells.
    pub fn name(&self, picture: usize) -> Option<&str> {
        self.names[picture].as_deref()
    }

    /// The picture file, as it is stored.
    pub fn encoded(&self, picture: usize) -> Result<Vec<u8>> {
        match &self.pictures {
            Pictures::Below(folder) => {
                let path = folder.join(&self.list.pictures()[picture]);
                std::fs::read(&path).map_err(Error::file(&path))
            }
            Pictures::Encoded(pictures) => Ok(pictures[picture].clone()),
        }
    }

    /// A picture that is a chip already.
    pub fn chip(&self, picture: usize) -> Result<Chip> {
        let wrong = |reason| Error::data(format!("{}: {}", self.path.display(), self.list.pictures()[picture].display()), reason);
        decode(&self.encoded(picture)?).map_err(wrong)
    }

    /// The person on each picture, numbered from 0: by name where the paths tell, otherwise whoever the list's pairs say is the same.
    pub fn people(&self) -> Vec<usize> {
        let mut group: Vec<usize> = match self.list.subjects() {
            Some(subjects) => return subjects.to_vec(),
            None => (0..self.names.len()).collect(),
        };
        fn find(group: &mut [usize], mut picture: usize) -> usize {
            while group[picture] != picture {
                group[picture] = group[group[picture]];
                picture = group[picture];
            }
            picture
        }
        let mut join = |a: usize, b: usize| {
            let (a, b) = (find(&mut group, a), find(&mut group, b));
            group[a.max(b)] = a.min(b);
        };
        let mut first: HashMap<&str, usize> = HashMap::new();
        for (picture, name) in self.names.iter().enumerate() {
            if let Some(name) = name {
                join(*first.entry(name).or_insert(picture), picture);
            }
        }
        self.list.pairs().iter().filter(|pair| pair.same).for_each(|pair| join(pair.a, pair.b));
        let mut numbers = HashMap::new();
        (0..group.len())
            .map(|picture| {
                let next = numbers.len();
                *numbers.entry(find(&mut group, picture)).or_insert(next)
            })
            .collect()
    }
}

/// The first folder of each path, where the list's labels bear out that it is the person.
fn folder_names(list: &PairList) -> Vec<Option<String>> {
    let first = |path: &PathBuf| path.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
    let known = list.subjects().is_some();
    list.pictures().iter().map(|path| first(path).filter(|_| known)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        (folder, path)
    }

    #[test]
    fn a_list_is_known_by_its_first_line() {
        let lfw: String = "1\nAnn 1 2\nAnn 1 Bob 1\n".into();
        let (_a, path) = written("pairs.txt", &lfw);
        let set = TestSet::open(&path, Some(Path::new("photos"))).expect("a set");
        assert_eq!(set.list().pictures()[1], PathBuf::from("Ann/Ann_0002.jpg"));
        assert_eq!((set.name(0), set.name(2), set.people()), (Some("Ann"), Some("Bob"), vec![0, 0, 1]));

        let ages: String = (0..10).map(|i| format!("{i}_Ann_{i}_f.jpg 20_Bob_{i}_m.jpg 0\n")).collect();
        let (_b, path) = written("agedb_30_pair.txt", &ages);
        let set = TestSet::open(&path, None).expect("a set");
        assert_eq!((set.name(0), set.name(1)), (Some("Ann"), Some("Bob")));
        assert_eq!(set.people()[..4], [0, 1, 0, 1]);

        let tabs: String = (0..10).map(|i| format!("{i}a.jpg\t{i}b.jpg\t{}\n", i % 2)).collect();
        let (_c, path) = written("pairs.tsv", &tabs);
        let set = TestSet::open(&path, None).expect("a set");
        assert_eq!((set.name(0), set.people()[..4].to_vec()), (None, vec![0, 1, 2, 2]));
    }

    #[test]
    fn a_bin_knows_its_people_by_its_pairs() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("set.bin");
        let pictures = (0..20).map(|i| vec![i as u8]).collect();
        VerificationBin::new(pictures, (0..10).map(|i| i % 2 == 0).collect()).expect("a set").write(&path).expect("written");
        let set = TestSet::open(&path, None).expect("a set");
        assert_eq!((set.list().pairs().len(), set.list().pairs()[9].fold), (10, 9));
        assert_eq!(set.people()[..4], [0, 0, 1, 2]);
        assert_eq!(set.encoded(3).expect("a picture"), [3]);
        assert!(set.chip(3).expect_err("refused").to_string().contains("set.bin"));
    }
}
