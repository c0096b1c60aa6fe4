//! AgeDB's file names and the text form of AgeDB-30's list.
//!
//! AgeDB (Moschoglou et al., CVPRW 2017) names a picture `NUMBER_Name_AGE_g.jpg`, g being `f` or `m`. Its protocol is a MATLAB file,
//! which is not read here; the 6,000 pairs circulate as insightface's `agedb_30.bin` ([`super::verification_bin`]) and as lines of
//! `path path 1|0` made from it, 600 a fold in order.

use std::path::Path;

use veriface::evaluation::PairList;

use crate::error::{Error, Result};

/// Who is on a picture of AgeDB, and how old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portrait {
    /// The person, as AgeDB writes the name: `MariaCallas`.
    pub person: String,
    /// Age in years.
    pub age: u8,
}

impl Portrait {
    /// Reads the file name; none where it has another form.
    pub fn of(path: &Path) -> Option<Portrait> {
        let fields: Vec<&str> = path.file_stem()?.to_str()?.split('_').collect();
        let [number, person, age, gender] = fields[..] else { return None };
        let known = number.parse::<u32>().is_ok() && !person.is_empty() && matches!(gender, "f" | "m" | "F" | "M");
        known.then_some(Portrait { person: person.to_owned(), age: age.parse().ok()? })
    }
}

/// AgeDB-30 in its text form.
#[derive(Debug, Clone, PartialEq)]
pub struct AgeList {
    /// The pairs, in ten folds in order.
    pub list: PairList,
    /// Of each picture of the list: person and age, where its name tells.
    pub portraits: Vec<Option<Portrait>>,
}

impl AgeList {
    /// Reads lines `path path 1|0`, separated by blanks.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        AgeList::parse(&text).map_err(|reason| Error::data(path.display().to_string(), reason))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut lines = String::with_capacity(text.len());
        for (number, line) in text.lines().enumerate() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            match fields[..] {
                // The empty line keeps the numbers of the lines in the list's own errors.
                [] => lines.push('\n'),
                [a, b, same] => lines.push_str(&format!("{a}\t{b}\t{same}\n")),
                _ => return Err(format!("line {}: expected `path path 1|0`", number + 1)),
            }
        }
        let list = PairList::tab_separated(&lines).map_err(|error| error.to_string())?;
        let portraits = list.pictures().iter().map(|picture| Portrait::of(picture)).collect();
        Ok(AgeList { list, portraits })
    }

    /// The years between the two pictures of a pair, where both names tell.
    pub fn years_between(&self, pair: usize) -> Option<u8> {
        let pair = self.list.pairs().get(pair)?;
        let age = |picture: usize| self.portraits.get(picture)?.as_ref().map(|portrait| portrait.age);
        Some(age(pair.a)?.abs_diff(age(pair.b)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_tells_person_and_age() {
        let of = |name: &str| Portrait::of(Path::new(name)).map(|portrait| (portrait.person, portrait.age));
        assert_eq!(of("AgeDB/0_MariaCallas_35_f.jpg"), Some(("MariaCallas".to_owned(), 35)));
        assert_eq!(of("10000_GlennClose_62_f.jpg"), Some(("GlennClose".to_owned(), 62)));
        for name in ["12.jpg", "0_MariaCallas_old_f.jpg", "a_MariaCallas_35_f.jpg", "0__35_f.jpg", "0_A_B_35_f.jpg", ""] {
            assert_eq!(of(name), None, "{name}");
        }
    }

    #[test]
    fn pairs_have_folds_in_order_and_years_between() {
        let lines: String = (0..20).map(|i| format!("{i}_A_{}_f.jpg {}_B_70_m.jpg {}\r\n", 20 + i, i + 50, i % 2)).collect();
        let ages = AgeList::parse(&lines).expect("a list");
        assert_eq!((ages.list.pairs().len(), ages.list.pairs()[13].fold), (20, 6));
        assert_eq!((ages.years_between(0), ages.years_between(19)), (Some(50), Some(31)));
        assert_eq!(ages.years_between(20), None);
        let unnamed: String = (0..10).map(|i| format!("{i}.jpg {}.jpg 1\n", i + 20)).collect();
        assert_eq!(AgeList::parse(&unnamed).expect("a list").years_between(0), None);
    }

    #[test]
    fn other_lines_are_refused_by_number() {
        let ten = "a b 1\n".repeat(10);
        assert!(AgeList::parse(&format!("{ten}\na b\n")).expect_err("refused").contains("line 12"));
        assert!(AgeList::parse(&format!("{ten}a b 2\n")).expect_err("refused").contains("line 11"));
        assert!(AgeList::parse("a b 1\n").expect_err("refused").contains("folds"));
    }
}
