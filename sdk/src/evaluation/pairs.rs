//! Lists of pairs to compare: LFW's `pairs.txt`, and lines of two paths and a label.

use std::collections::HashMap;
use std::path::PathBuf;

use crate::error::{Error, ErrorCode, Result};

/// How many folds a list of paths is cut into.
const FOLDS: usize = 10;

/// The most pairs a list may have, so that a wrong file ends in an error and not in a full memory.
const MAX_PAIRS: usize = 50_000_000;

/// Two pictures of a [`PairList`], by their place in [`PairList::pictures`], and what is known of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The first picture.
    pub a: usize,
    /// The second picture.
    pub b: usize,
    /// Whether both show the same person.
    pub same: bool,
    /// The fold, from 0.
    pub fold: usize,
    /// The place of its group in [`PairList::groups`], when the list has groups.
    pub group: Option<usize>,
}

/// A verification protocol: pictures, and the pairs of them to compare. Every picture stands once, however many pairs it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairList {
    pictures: Vec<PathBuf>,
    subjects: Option<Vec<usize>>,
    groups: Vec<String>,
    folds: usize,
    pairs: Vec<Pair>,
}

impl PairList {
    /// Reads LFW's `pairs.txt`: a line with the number of folds and of pairs a half (or the latter alone, for one fold), then for
    /// each fold so many lines `name n₁ n₂` of one person and so many `name₁ n₁ name₂ n₂` of two, separated by blanks. The
    /// picture n of a person is `name/name_000n.jpg`.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidPairs`] with the number of the first line that is none of these, or when lines are missing or left over.
    pub fn lfw(text: &str) -> Result<PairList> {
        let mut lines =
            text.lines().enumerate().map(|(number, line)| (number + 1, line)).filter(|(_, line)| !line.trim().is_empty());
        let (first, header) = lines.next().ok_or_else(|| at_line(1, "the list is empty"))?;
        let counts: Vec<usize> = header.split_whitespace().map_while(|field| field.parse().ok()).collect();
        let (folds, half) = match (counts.as_slice(), header.split_whitespace().count()) {
            (&[half], 1) => (1, half),
            (&[folds, half], 2) => (folds, half),
            _ => return Err(at_line(first, "the first line holds the number of folds and of pairs in a half fold")),
        };
        let total = folds.checked_mul(half).and_then(|n| n.checked_mul(2)).filter(|n| (1..=MAX_PAIRS).contains(n));
        let total = total
            .ok_or_else(|| at_line(first, format!("{folds} folds of {half} pairs a half are not 1 to {MAX_PAIRS} pairs")))?;

        let mut list = Builder::default();
        for place in 0..total {
            let (number, line) =
                lines.next().ok_or_else(|| at_line(first, format!("{total} pairs are announced, {place} are there")))?;
            let fields: Vec<&str> = line.split_whitespace().collect();
            let same = (place / half).is_multiple_of(2);
            let (one, other) = match (fields.as_slice(), same) {
                (&[name, i, j], true) => ((name, i), (name, j)),
                (&[name, i, other, j], false) => ((name, i), (other, j)),
                (_, true) => return Err(at_line(number, "one person is expected here: name, number, number")),
                (_, false) => return Err(at_line(number, "two people are expected here: name, number, name, number")),
            };
            let mut picture = |(name, index): (&str, &str)| -> Result<usize> {
                let index: u32 = index.parse().map_err(|_| at_line(number, format!("`{index}` is no picture number")))?;
                if name.contains(['/', '\\']) || name.starts_with('.') {
                    return Err(at_line(number, format!("`{name}` is no person's name")));
                }
                Ok(list.picture(format!("{name}/{name}_{index:04}.jpg")))
            };
            let (a, b) = (picture(one)?, picture(other)?);
            list.pairs.push(Pair { a, b, same, fold: place / (2 * half), group: None });
        }
        match lines.next() {
            Some((number, _)) => Err(at_line(number, format!("{total} pairs are announced, and more lines follow"))),
            None => Ok(list.finish(folds)),
        }
    }

    /// Reads lines of `path TAB path TAB 0|1`, where 1 is the same person, cut into ten folds in their order (as CFP's are); where
    /// ten does not divide them, the first folds have one pair more. A fourth field, in all lines or none, names the pair's group.
    /// Empty lines and lines that begin with `#` are skipped.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidPairs`] with the number of the first wrong line, or when there are fewer than ten pairs.
    pub fn tab_separated(text: &str) -> Result<PairList> {
        let mut list = Builder::default();
        let mut last = 0;
        for (number, line) in text.lines().enumerate().map(|(number, line)| (number + 1, line)) {
            last = number;
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let fields: Vec<&str> = line.split('\t').map(str::trim).collect();
            let (a, b, label, group) = match *fields.as_slice() {
                [a, b, label] => (a, b, label, None),
                [a, b, label, group] if !group.is_empty() => (a, b, label, Some(group)),
                _ => return Err(at_line(number, "path, tab, path, tab, 0 or 1, and at most one group are expected")),
            };
            if a.is_empty() || b.is_empty() {
                return Err(at_line(number, "a path is empty"));
            }
            let same = match label {
                "1" => true,
                "0" => false,
                _ => return Err(at_line(number, format!("the label is `{label}`, not 0 or 1"))),
            };
            let group = group.map(|name| list.group(name));
            if list.pairs.first().is_some_and(|first| first.group.is_some() != group.is_some()) {
                return Err(at_line(number, "either every line names a group or none does"));
            }
            if list.pairs.len() == MAX_PAIRS {
                return Err(at_line(number, format!("more than {MAX_PAIRS} pairs")));
            }
            let (a, b) = (list.picture(a.into()), list.picture(b.into()));
            list.pairs.push(Pair { a, b, same, fold: 0, group });
        }
        let count = list.pairs.len();
        if count < FOLDS {
            return Err(at_line(last.max(1), format!("{count} pairs cannot be cut into {FOLDS} folds")));
        }
        let (size, longer) = (count / FOLDS, count % FOLDS);
        for (place, pair) in list.pairs.iter_mut().enumerate() {
            let boundary = longer * (size + 1);
            pair.fold = if place < boundary { place / (size + 1) } else { longer + (place - boundary) / size };
        }
        Ok(list.finish(FOLDS))
    }

    /// Reads either form, told apart by the first line: LFW's holds nothing but numbers.
    ///
    /// # Errors
    /// As [`PairList::lfw`] and [`PairList::tab_separated`].
    pub fn parse(text: &str) -> Result<PairList> {
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        if !first.trim().is_empty() && first.split_whitespace().all(|field| field.parse::<u64>().is_ok()) {
            PairList::lfw(text)
        } else {
            PairList::tab_separated(text)
        }
    }

    /// The pictures' paths as the list has them, each once, in the order in which they first appear.
    pub fn pictures(&self) -> &[PathBuf] {
        &self.pictures
    }

    /// The pairs, in the list's order.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// How many folds there are.
    pub fn folds(&self) -> usize {
        self.folds
    }

    /// The names of the groups; empty when the list has none.
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// The person on each picture, as a number from 0, when the paths tell: the first folder is taken for the person if that agrees
    /// with every label of the list (equal in all pairs of one person, different in all pairs of two).
    pub fn subjects(&self) -> Option<&[usize]> {
        self.subjects.as_deref()
    }
}

fn at_line(number: usize, what: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::InvalidPairs, format!("line {number}: {what}"))
}

#[derive(Default)]
struct Builder {
    places: HashMap<String, usize>,
    pictures: Vec<PathBuf>,
    groups: Vec<String>,
    pairs: Vec<Pair>,
}

impl Builder {
    fn picture(&mut self, path: String) -> usize {
        let pictures = &mut self.pictures;
        *self.places.entry(path).or_insert_with_key(|path| {
            pictures.push(PathBuf::from(path));
            pictures.len() - 1
        })
    }

    fn group(&mut self, name: &str) -> usize {
        self.groups.iter().position(|known| known == name).unwrap_or_else(|| {
            self.groups.push(name.into());
            self.groups.len() - 1
        })
    }

    fn finish(self, folds: usize) -> PairList {
        let subjects = self.subjects();
        PairList { pictures: self.pictures, subjects, groups: self.groups, folds, pairs: self.pairs }
    }

    fn subjects(&self) -> Option<Vec<usize>> {
        let mut numbers = HashMap::new();
        let subjects: Option<Vec<usize>> = self
            .pictures
            .iter()
            .map(|path| {
                let mut components = path.components();
                let folder = components.next().zip(components.next())?.0;
                let next = numbers.len();
                Some(*numbers.entry(folder).or_insert(next))
            })
            .collect();
        subjects.filter(|of| self.pairs.iter().all(|pair| (of.get(pair.a) == of.get(pair.b)) == pair.same))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::shared;

    fn line_of(result: Result<PairList>) -> String {
        let error = result.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidPairs);
        error.detail().split(':').next().unwrap().to_owned()
    }

    #[test]
    fn lfw_form() {
        let list = PairList::lfw("2\t1\nAnn\t1\t2\nAnn\t1\tBob\t3\n\nCy\t1\t12\nBob\t3\tCy\t1\n").unwrap();
        let paths: Vec<&str> = list.pictures().iter().map(|p| p.to_str().unwrap()).collect();
        assert_eq!(paths, ["Ann/Ann_0001.jpg", "Ann/Ann_0002.jpg", "Bob/Bob_0003.jpg", "Cy/Cy_0001.jpg", "Cy/Cy_0012.jpg"]);
        let pair = |a, b, same, fold| Pair { a, b, same, fold, group: None };
        assert_eq!(list.pairs(), [pair(0, 1, true, 0), pair(0, 2, false, 0), pair(3, 4, true, 1), pair(2, 3, false, 1)]);
        assert_eq!(list.subjects(), Some(&[0, 0, 1, 2, 2][..]));
        assert_eq!(PairList::lfw("1\r\nAnn 1 2\r\nAnn 1 Bob 3\r\n").unwrap().folds(), 1);
    }

    #[test]
    fn lfw_lines_that_are_wrong_are_named() {
        assert_eq!(line_of(PairList::lfw("")), "line 1");
        assert_eq!(line_of(PairList::lfw("ten 300\n")), "line 1");
        assert_eq!(line_of(PairList::lfw("10 300 1\n")), "line 1");
        assert_eq!(line_of(PairList::lfw("0 300\n")), "line 1");
        assert_eq!(line_of(PairList::lfw("9999999999 9999999999\n")), "line 1");
        assert_eq!(line_of(PairList::lfw("1 1\nAnn 1 2\n")), "line 1");
        assert_eq!(line_of(PairList::lfw("1 1\nAnn 1 Bob 2\nAnn 1 Bob 2\n")), "line 2");
        assert_eq!(line_of(PairList::lfw("1 1\nAnn 1 2\nAnn 1 2\n")), "line 3");
        assert_eq!(line_of(PairList::lfw("1 1\nAnn 1 -2\nAnn 1 Bob 2\n")), "line 2");
        assert_eq!(line_of(PairList::lfw("1 1\n../../etc 1 2\nAnn 1 Bob 2\n")), "line 2");
        assert_eq!(line_of(PairList::lfw("1 1\nAnn 1 2\nAnn 1 Bob 2\nAnn 1 3\n")), "line 4");
    }

    #[test]
    fn tab_separated_form_in_ten_folds() {
        let text: String = (0..23).map(|i| format!("p{i}/a.jpg\tp{i}/b.jpg\t1\r\n")).collect();
        let list = PairList::tab_separated(&format!("# a comment\n\n{text}")).unwrap();
        // The fold sizes of scikit-learn's KFold(10) without shuffling: 23 = 3·3 + 7·2.
        let sizes: Vec<usize> = (0..10).map(|fold| list.pairs().iter().filter(|p| p.fold == fold).count()).collect();
        assert_eq!(sizes, [3, 3, 3, 2, 2, 2, 2, 2, 2, 2]);
        assert!(list.pairs().iter().zip(list.pairs().iter().skip(1)).all(|(a, b)| a.fold <= b.fold));
        assert_eq!(list.subjects().unwrap().len(), 46);
    }

    #[test]
    fn tab_separated_lines_that_are_wrong_are_named() {
        let ten = "a\tb\t1\n".repeat(10);
        assert_eq!(line_of(PairList::tab_separated("")), "line 1");
        assert_eq!(line_of(PairList::tab_separated("a\tb\t1\n")), "line 1");
        assert_eq!(line_of(PairList::tab_separated(&format!("{ten}a b 1\n"))), "line 11");
        assert_eq!(line_of(PairList::tab_separated(&format!("{ten}a\tb\ttrue\n"))), "line 11");
        assert_eq!(line_of(PairList::tab_separated(&format!("{ten}a\t\t1\n"))), "line 11");
        assert_eq!(line_of(PairList::tab_separated(&format!("{ten}a\tb\t1\tgroup\n"))), "line 11");
        assert_eq!(line_of(PairList::tab_separated(&format!("{ten}a\tb\t1\tg\th\n"))), "line 11");
    }

    #[test]
    fn groups_are_named_once() {
        let text: String = (0..10).map(|i| format!("a{i}\tb{i}\t0\tg{}\n", i % 2)).collect();
        let list = PairList::parse(&text).unwrap();
        assert_eq!(list.groups(), ["g0", "g1"]);
        assert_eq!(list.pairs()[3].group, Some(1));
        assert_eq!(list.subjects(), None, "without folders nobody is known");
    }

    #[test]
    fn folders_that_contradict_the_labels_are_not_people() {
        let text: String = (0..10).map(|i| format!("set/a{i}.jpg\tset/b{i}.jpg\t{}\n", i % 2)).collect();
        assert_eq!(PairList::parse(&text).unwrap().subjects(), None);
    }

    #[test]
    fn the_published_lists_are_read_whole() {
        let Some(lfw) = shared("lfw/pairs.txt") else { return };
        let list = PairList::parse(&lfw).unwrap();
        assert_eq!((list.folds(), list.pairs().len(), list.pictures().len()), (10, 6000, 7701));
        assert_eq!(list.pairs().iter().filter(|p| p.same).count(), 3000);
        assert!(list.subjects().is_some());
        let Some(cfp) = shared("cfpfp/pairs.tsv") else { return };
        let list = PairList::parse(&cfp).unwrap();
        assert_eq!((list.folds(), list.pairs().len(), list.pictures().len()), (10, 7000, 5901));
        assert!((0..10).all(|fold| list.pairs().iter().filter(|p| p.fold == fold).count() == 700));
        assert!(list.subjects().is_some());
    }
}
