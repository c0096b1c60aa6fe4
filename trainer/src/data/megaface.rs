//! MegaFace challenge 1 in insightface's test pack: FaceScrub's pictures are searched for among MegaFace's distractors, both cleaned
//! by noise lists (deepinsight/insightface, `Evaluation/Megaface`).
//!
//! | file | lines |
//! |---|---|
//! | `facescrub_lst` | a path below `facescrub_images`, which ends in `Person/Person_123.png` |
//! | `megaface_lst` | a path below `megaface_images`, which ends in `123/12345@N00/4567_0.jpg` |
//! | `facescrub_noises.txt` | the name of a FaceScrub picture that shows somebody else |
//! | `megaface_noises.txt` | the last three parts of a distractor's path that shows one of FaceScrub's people, perhaps after another field and a tab |
//!
//! A line of a noise list that begins with `#` is a remark.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The most pictures that a list may have; MegaFace has a million.
const MOST_PICTURES: usize = 20_000_000;

/// A picture of FaceScrub, to be found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Below `facescrub_images`.
    pub path: PathBuf,
    /// Its place in [`FaceScrub::people`].
    pub person: usize,
    /// Whether it shows somebody else. insightface's evaluation puts the person's mean embedding in its place.
    pub noise: bool,
}

/// FaceScrub's part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FaceScrub {
    /// The people, in the order in which they first appear.
    pub people: Vec<String>,
    /// The pictures, in the list's order.
    pub probes: Vec<Probe>,
}

impl FaceScrub {
    /// Reads `facescrub_lst` and, where there is one, `facescrub_noises.txt`.
    pub fn open(list: &Path, noises: Option<&Path>) -> Result<Self> {
        let noises = noises.map(noise_list).transpose()?.unwrap_or_default();
        let mut scrub = FaceScrub::default();
        let mut known = std::collections::HashMap::new();
        for_each_path(list, 2, |path, parts| {
            let person = *known.entry(parts[0].to_owned()).or_insert_with(|| {
                scrub.people.push(parts[0].to_owned());
                scrub.people.len() - 1
            });
            scrub.probes.push(Probe { path: path.into(), person, noise: noises.contains(parts[1]) });
        })?;
        Ok(scrub)
    }
}

/// A picture of MegaFace, of somebody who is not in FaceScrub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distractor {
    /// Below `megaface_images`.
    pub path: PathBuf,
    /// Whether it does show one of FaceScrub's people. insightface's evaluation puts it out of reach of every probe.
    pub noise: bool,
}

/// Reads `megaface_lst` and, where there is one, `megaface_noises.txt`. A million distractors take about 100 MB.
pub fn distractors(list: &Path, noises: Option<&Path>) -> Result<Vec<Distractor>> {
    let noises = noises.map(noise_list).transpose()?.unwrap_or_default();
    let mut distractors = Vec::new();
    for_each_path(list, 3, |path, parts| {
        let noise = noises.contains(parts.join("/").as_str());
        distractors.push(Distractor { path: path.into(), noise });
    })?;
    Ok(distractors)
}

/// Calls `with(path, its last parts)` for each line.
fn for_each_path(list: &Path, parts: usize, mut with: impl FnMut(&str, &[&str])) -> Result<()> {
    let mut pictures = 0;
    for (number, line) in BufReader::new(File::open(list).map_err(Error::file(list))?).lines().enumerate() {
        let line = line.map_err(Error::file(list))?;
        let path = line.trim();
        if path.is_empty() {
            continue;
        }
        let wrong = |reason: &str| Error::data(list.display().to_string(), format!("line {}: {reason}", number + 1));
        let all: Vec<&str> = path.split('/').collect();
        let last = all.len().checked_sub(parts).and_then(|from| all.get(from..));
        let last = last.filter(|last| last.iter().all(|part| !part.is_empty() && *part != "..") && !path.starts_with('/'));
        let last = last.ok_or_else(|| wrong(&format!("expected a relative path of {parts} parts or more: {path:?}")))?;
        if all.contains(&"..") {
            return Err(wrong("the path leaves its folder"));
        }
        pictures += 1;
        if pictures > MOST_PICTURES {
            return Err(wrong(&format!("more than {MOST_PICTURES} pictures")));
        }
        with(path, last);
    }
    Ok(())
}

fn noise_list(path: &Path) -> Result<HashSet<String>> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    Ok(lines.map(|line| line.trim().split('\t').nth(1).unwrap_or(line.trim()).to_owned()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("list");
        std::fs::write(&path, text).expect("written");
        (folder, path)
    }

    /// Lines of insightface's own noise list, and list lines of the form that its scripts take apart.
    #[test]
    fn facescrub_is_read_with_its_noise() {
        let (_a, list) = file(
            "Aaron_Eckhart/Aaron_Eckhart_1.png\nAaron_Eckhart/Aaron_Eckhart_136.png\n\
             Richard_E._Grant/Richard_E._Grant_48348.png\nAaron_Eckhart/Aaron_Eckhart_2.png\n",
        );
        let (_b, noises) = file("#Please follow the rules\nAaron_Eckhart_136.png\nRichard_E._Grant_48348.png\n");
        let scrub = FaceScrub::open(&list, Some(&noises)).expect("a list");
        assert_eq!(scrub.people, ["Aaron_Eckhart", "Richard_E._Grant"]);
        let found: Vec<_> = scrub.probes.iter().map(|probe| (probe.person, probe.noise)).collect();
        assert_eq!(found, [(0, false), (0, true), (1, true), (0, false)]);
        assert!(FaceScrub::open(&list, None).expect("a list").probes.iter().all(|probe| !probe.noise));
    }

    #[test]
    fn distractors_are_read_with_their_noise() {
        let (_a, list) = file("375/37531198@N00/4174611825_0.jpg\nx/925/92596048@N00/3910487430_2.jpg\n1/1@N0/1_0.jpg\n");
        let (_b, noises) = file("#a remark\n375/37531198@N00/4174611825_0.jpg\n0.93\t925/92596048@N00/3910487430_2.jpg\n");
        let found = distractors(&list, Some(&noises)).expect("a list");
        assert_eq!(found.iter().map(|distractor| distractor.noise).collect::<Vec<_>>(), [true, true, false]);
        assert_eq!(found[1].path, PathBuf::from("x/925/92596048@N00/3910487430_2.jpg"));
    }

    #[test]
    fn other_lines_are_refused_by_number() {
        for (text, line) in
            [("a/b.png\nb.png\n", "line 2"), ("/a/b.png\n", "line 1"), ("../a/b.png\n", "line 1"), ("a//b\na//\n", "line")]
        {
            let (_folder, list) = file(text);
            let error = FaceScrub::open(&list, None).expect_err(text).to_string();
            assert!(error.contains(line), "{error}");
        }
        let (_folder, list) = file("a/b.jpg\n");
        assert!(distractors(&list, None).expect_err("refused").to_string().contains("3 parts"));
    }
}
