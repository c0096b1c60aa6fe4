//! CFP's own protocol (Sengupta et al., "Frontal to profile face verification in the wild", WACV 2016), as the data set is shipped.
//!
//! `Protocol/Pair_list_F.txt` and `Pair_list_P.txt` number the frontal and the profile pictures: lines `number path`, the path
//! relative to `Protocol`. `Protocol/Split/FP/01` to `10` hold `same.txt` and `diff.txt`: lines `a,b`, frontal picture a with profile
//! picture b; under `Split/FF` both are frontal.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use veriface::evaluation::PairList;

use crate::error::{Error, Result};

const FOLDS: usize = 10;

/// Where CFP's pictures lie below its root; the person is the next folder.
const PICTURES: &str = "Data/Images";

/// Reads a split, `…/Protocol/Split/FP` or `…/Protocol/Split/FF`. Returns the folder of the pictures and the pairs, the same ones of
/// a fold first; paths are relative to that folder, so that their first part is the person.
pub fn open(split: impl AsRef<Path>) -> Result<(PathBuf, PairList)> {
    let split = split.as_ref();
    let wrong = |file: &Path, reason: String| Error::data(file.display().to_string(), reason);
    let kind = split.file_name().and_then(|name| name.to_str()).filter(|kind| matches!(*kind, "FF" | "FP"));
    let (Some(kind), Some(protocol)) = (kind, split.ancestors().nth(2)) else {
        return Err(wrong(split, "expected …/Protocol/Split/FP or …/Protocol/Split/FF".into()));
    };
    let frontal = numbered(&protocol.join("Pair_list_F.txt"))?;
    let other = if kind == "FF" { frontal.clone() } else { numbered(&protocol.join("Pair_list_P.txt"))? };
    let mut lines = String::new();
    let mut in_fold = None;
    for fold in 1..=FOLDS {
        let mut pairs = 0;
        for (name, label) in [("same.txt", 1), ("diff.txt", 0)] {
            let file = split.join(format!("{fold:02}")).join(name);
            let text = std::fs::read_to_string(&file).map_err(Error::file(&file))?;
            for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
                let numbers = line.split_once(',').and_then(|(a, b)| Some((a.trim().parse().ok()?, b.trim().parse().ok()?)));
                let pair = numbers.and_then(|(a, b): (u32, u32)| Some((frontal.get(&a)?, other.get(&b)?)));
                let (a, b) =
                    pair.ok_or_else(|| wrong(&file, format!("line {}: expected two known numbers, `a,b`", number + 1)))?;
                lines.push_str(&format!("{a}\t{b}\t{label}\n"));
                pairs += 1;
            }
        }
        if *in_fold.get_or_insert(pairs) != pairs {
            return Err(wrong(split, format!("fold {fold} has {pairs} pairs, the ones before {}", in_fold.unwrap_or(0))));
        }
    }
    let list = PairList::tab_separated(&lines).map_err(|error| wrong(split, error.to_string()))?;
    let root = protocol.parent().unwrap_or(Path::new(""));
    Ok((root.join(PICTURES), list))
}

/// Lines `number path`.
fn numbered(file: &Path) -> Result<HashMap<u32, String>> {
    let text = std::fs::read_to_string(file).map_err(Error::file(file))?;
    let mut pictures = HashMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let picture = line.trim().split_once(char::is_whitespace).and_then(|(key, path)| {
            let below = path.trim().strip_prefix("../")?.strip_prefix(PICTURES)?.strip_prefix('/')?;
            (!below.contains(['\t', '\\']) && !below.contains("..")).then_some((key.parse().ok()?, below.to_owned()))
        });
        let Some((key, path)) = picture else {
            let reason = format!("line {}: expected `number ../{PICTURES}/PERSON/…`", number + 1);
            return Err(Error::data(file.display().to_string(), reason));
        };
        if pictures.insert(key, path).is_some() {
            return Err(Error::data(
                file.display().to_string(),
                format!("line {}: number {key} for the second time", number + 1),
            ));
        }
    }
    Ok(pictures)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, file: &str, text: &str) {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, text).expect("written");
    }

    /// Two people with two frontal pictures and one profile each, in ten folds of two pairs.
    fn protocol() -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a folder");
        let frontal = "1 ../Data/Images/001/frontal/01.jpg\n2 ../Data/Images/001/frontal/02.jpg\n\
                       3 ../Data/Images/002/frontal/01.jpg\n4 ../Data/Images/002/frontal/02.jpg\n";
        write(root.path(), "Protocol/Pair_list_F.txt", frontal);
        write(
            root.path(),
            "Protocol/Pair_list_P.txt",
            "1 ../Data/Images/001/profile/01.jpg\r\n2 ../Data/Images/002/profile/01.jpg\r\n",
        );
        for fold in 1..=10 {
            write(root.path(), &format!("Protocol/Split/FP/{fold:02}/same.txt"), "1,1\n");
            write(root.path(), &format!("Protocol/Split/FP/{fold:02}/diff.txt"), "3,1\n");
            write(root.path(), &format!("Protocol/Split/FF/{fold:02}/same.txt"), "3,4\n");
            write(root.path(), &format!("Protocol/Split/FF/{fold:02}/diff.txt"), "2,3\n");
        }
        root
    }

    #[test]
    fn frontal_numbers_come_first_and_profile_numbers_second() {
        let root = protocol();
        let (folder, list) = open(root.path().join("Protocol/Split/FP")).expect("a list");
        assert_eq!(folder, root.path().join("Data/Images"));
        let path = |index: usize| list.pictures()[index].to_str().expect("text");
        let pairs: Vec<_> = list.pairs().iter().map(|pair| (path(pair.a), path(pair.b), pair.same, pair.fold)).collect();
        assert_eq!(pairs.len(), 20);
        assert_eq!(pairs[2], ("001/frontal/01.jpg", "001/profile/01.jpg", true, 1));
        assert_eq!(pairs[3], ("002/frontal/01.jpg", "001/profile/01.jpg", false, 1));
        assert_eq!(list.subjects(), Some(&[0, 0, 1][..]));

        let (_, list) = open(root.path().join("Protocol/Split/FF")).expect("a list");
        let path = |index: usize| list.pictures()[index].to_str().expect("text");
        assert_eq!((path(list.pairs()[0].a), path(list.pairs()[0].b)), ("002/frontal/01.jpg", "002/frontal/02.jpg"));
        assert_eq!((path(list.pairs()[1].a), path(list.pairs()[1].b)), ("001/frontal/02.jpg", "002/frontal/01.jpg"));
    }

    #[test]
    fn what_is_no_such_protocol_is_refused() {
        let refused = |file: &str, text: &str| {
            let root = protocol();
            write(root.path(), file, text);
            open(root.path().join("Protocol/Split/FP")).expect_err("refused").to_string()
        };
        assert!(refused("Protocol/Split/FP/03/same.txt", "1 1\n").contains("line 1"));
        assert!(refused("Protocol/Split/FP/03/same.txt", "1,1\n\n1,9\n").contains("line 3"));
        assert!(refused("Protocol/Split/FP/03/same.txt", "1,1\n1,1\n").contains("fold 3 has 3 pairs"));
        assert!(refused("Protocol/Pair_list_P.txt", "1 /etc/passwd\n").contains("line 1"));
        assert!(refused("Protocol/Pair_list_P.txt", "1 ../Data/Images/../../x\n").contains("line 1"));
        assert!(refused("Protocol/Pair_list_P.txt", "1 ../Data/Images/a\n1 ../Data/Images/b\n").contains("second time"));
        assert!(open(protocol().path().join("Protocol")).expect_err("refused").to_string().contains("Protocol/Split/FP"));
    }
}
