//! What cleaning leaves behind: the cleaned set, lists of what was dropped and merged, and a contact sheet.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Findings, Reason};
use crate::data::chips::ChipSet;
use crate::data::contact_sheet::Tile;
use crate::data::set_writer::SetWriter;
use crate::data::test_set::TestSet;
use crate::error::{Error, Result};

/// The set that was cleaned, what was found, and the test sets by which.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// The set.
    pub set: &'a ChipSet,
    /// What was found.
    pub findings: &'a Findings,
    /// The test sets, in the order of [`super::overlap::Match::set`].
    pub tests: &'a [TestSet],
    /// Of each test set's people, the picture that stands for them.
    pub people: &'a [Vec<usize>],
}

impl Report<'_> {
    /// How many pictures were dropped for each reason, and how many identities were merged or are test people.
    pub fn summary(&self) -> String {
        let count = |kind: &str| self.findings.dropped.values().filter(|reason| name(reason) == kind).count();
        let people: std::collections::BTreeSet<u32> = self
            .findings
            .dropped
            .values()
            .filter_map(|reason| match reason {
                Reason::TestPerson(found) => Some(found.identity),
                _ => None,
            })
            .collect();
        format!(
            "{} pictures unlike their identity, {} nearer to another identity, {} duplicates, {} of {} test people; {} identities merged",
            count("stray"),
            count("elsewhere"),
            count("duplicate"),
            count("test-person"),
            people.len(),
            self.findings.merged.len()
        )
    }

    /// Writes `NAME.rec` with what stays, its pictures as they were, and `NAME.tsv`: record, identity, what the old set's own table
    /// says, and the old record and identity.
    pub fn write_set(&self, path: &Path, table: Option<&Path>) -> Result<()> {
        let identities: Vec<u32> = (0..self.set.len()).map(|chip| self.set.identity(chip)).collect();
        let kept = self.findings.kept(&identities);
        let count = kept.last().map_or(0, |(_, identity)| *identity as usize + 1);
        let table = table.map(Table::open).transpose()?.unwrap_or_default();
        let mut lines = format!("record\tidentity{}\twas_record\twas_identity\n", table.head);
        let mut writer = SetWriter::create(path, kept.len(), count)?;
        for (number, (chip, identity)) in kept.iter().enumerate() {
            writer.push(*identity, self.set.encoded(*chip)?)?;
            let place = self.set.place(*chip);
            let rest = table.lines.get(&place).unwrap_or(&table.empty);
            let _ = writeln!(lines, "{}\t{identity}{rest}\t{place}\t{}", number + 1, identities[*chip]);
        }
        write(&path.with_extension("tsv"), &lines)?;
        writer.finish()
    }

    /// Writes lines `record identity reason cosine against` of each dropped picture; `against` is what it was judged by.
    pub fn write_dropped(&self, path: &Path) -> Result<()> {
        let mut lines = "record\tidentity\treason\tcosine\tagainst\n".to_owned();
        for (chip, reason) in &self.findings.dropped {
            let (cosine, against) = match reason {
                Reason::Stray { own } => (*own, "its own identity".to_owned()),
                Reason::Elsewhere { other, cosine, own } => (*cosine, format!("identity {other}; {own:.3} to its own")),
                Reason::Duplicate(twin) => (twin.cosine, format!("record {}; {} bits", self.set.place(twin.of), twin.bits)),
                Reason::TestPerson(found) => {
                    let test = &self.tests[found.set];
                    let picture = &test.list().pictures()[self.people[found.set][found.person]];
                    let how = if found.by_name { "by name" } else { "by centre" };
                    (found.cosine, format!("{}: {} {how}", test.path().display(), picture.display()))
                }
            };
            let (place, identity) = (self.set.place(*chip), self.set.identity(*chip));
            let _ = writeln!(lines, "{place}\t{identity}\t{}\t{cosine:.4}\t{against}", name(reason));
        }
        write(path, &lines)
    }

    /// Writes lines `identity into cosine`.
    pub fn write_merged(&self, path: &Path) -> Result<()> {
        let line = |merge: &super::Merge| format!("{}\t{}\t{:.4}\n", merge.from, merge.into, merge.cosine);
        let lines: String = self.findings.merged.iter().map(line).collect();
        write(path, &format!("identity\tinto\tcosine\n{lines}"))
    }

    /// Pairs to look at: what was dropped or merged beside what it was judged by, at most `most` of each reason, the least certain
    /// first. A test person is one tile, however many pictures the identity has.
    pub fn tiles(&self, most: usize, test_chip: impl Fn(usize, usize) -> Result<Vec<u8>>) -> Result<Vec<Tile>> {
        let typical = |identity: u32| self.findings.typical[identity as usize];
        let chip = |chip: Option<usize>| chip.and_then(|chip| self.set.chip(chip).ok()).unwrap_or_else(|| vec![0; 3]);
        let own = |chip: usize| {
            let identity = self.set.identity(chip);
            let into = self.findings.merged.iter().find(|merge| merge.from == identity).map_or(identity, |merge| merge.into);
            typical(into)
        };
        let mut tiles: Vec<(u8, f32, Tile)> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for (&dropped, reason) in &self.findings.dropped {
            let identity = self.set.identity(dropped);
            let at = format!("{} id {identity}", self.set.place(dropped));
            let (kind, doubt, against, text) = match reason {
                Reason::Stray { own: cosine } => (0, -cosine, chip(own(dropped)), format!("unlike its own {cosine:.2}")),
                Reason::Elsewhere { own, other, cosine } => {
                    (1, cosine - own, chip(typical(*other)), format!("is {other}? {cosine:.2} own {own:.2}"))
                }
                Reason::Duplicate(twin) => {
                    let text = format!("same photo {:.2}, {} bits", twin.cosine, twin.bits);
                    (2, -(twin.bits as f32), chip(Some(twin.of)), text)
                }
                Reason::TestPerson(found) => {
                    if !seen.insert(found.identity) {
                        continue;
                    }
                    let picture = test_chip(found.set, self.people[found.set][found.person]).unwrap_or_default();
                    let how = if found.by_name { "name" } else { "face" };
                    (3, found.cosine, picture, format!("test person {:.2} by {how}", found.cosine))
                }
            };
            tiles.push((kind, doubt, Tile { chips: vec![chip(Some(dropped)), against], caption: vec![text, at] }));
        }
        for merge in &self.findings.merged {
            let chips = [merge.from, merge.into].map(|identity| chip(self.first(identity))).to_vec();
            let caption = vec![format!("one person {:.2}", merge.cosine), format!("id {} into {}", merge.from, merge.into)];
            tiles.push((4, merge.cosine, Tile { chips, caption }));
        }
        tiles.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let mut counts = [0; 5];
        tiles.retain(|(kind, _, _)| {
            counts[usize::from(*kind)] += 1;
            counts[usize::from(*kind)] <= most
        });
        Ok(tiles.into_iter().map(|(_, _, tile)| tile).collect())
    }

    /// The first picture of an identity: a merged one has no centre of its own any more.
    fn first(&self, identity: u32) -> Option<usize> {
        (0..self.set.len()).find(|&chip| self.set.identity(chip) == identity)
    }
}

fn name(reason: &Reason) -> &'static str {
    match reason {
        Reason::Stray { .. } => "stray",
        Reason::Elsewhere { .. } => "elsewhere",
        Reason::Duplicate(_) => "duplicate",
        Reason::TestPerson(_) => "test-person",
    }
}

/// What a set's own table says of its records, beyond record and identity.
#[derive(Debug, Default)]
struct Table {
    /// The further columns' names, each after a tab.
    head: String,
    /// By record, the further columns, each after a tab.
    lines: HashMap<String, String>,
    /// As many tabs as there are further columns.
    empty: String,
}

impl Table {
    /// Reads a table whose first two columns are `record` and `identity`.
    fn open(path: &Path) -> Result<Table> {
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        let mut lines = text.lines();
        let head = lines.next().and_then(|line| line.strip_prefix("record\tidentity"));
        let head =
            head.ok_or_else(|| Error::data(path.display().to_string(), "the first line must begin with record, tab, identity"))?;
        let split = |line: &str| {
            let mut fields = line.splitn(3, '\t');
            let record = fields.next()?.to_owned();
            Some((record, fields.nth(1).map(|rest| format!("\t{rest}")).unwrap_or_default()))
        };
        Ok(Table {
            head: head.to_owned(),
            lines: lines.filter_map(split).collect(),
            empty: "\t".repeat(head.matches('\t').count()),
        })
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    veriface::replace_file(path, |to| to.write_all(text.as_bytes()))
        .map_err(|e| Error::data(path.display().to_string(), e.to_string()))
}

/// The table beside a set, `NAME.tsv`, where there is one.
pub fn table_beside(set: &Path) -> Option<PathBuf> {
    Some(set.with_extension("tsv")).filter(|path| set.is_file() && path.is_file())
}
