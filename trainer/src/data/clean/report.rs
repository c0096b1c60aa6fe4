//! What cleaning leaves behind: the cleaned set, lists of what was dropped and merged, and a contact sheet.

use std::collections::{BTreeMap, BTreeSet, HashMap};
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
        let people: BTreeSet<u32> = self
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

    /// A contact sheet for each reason and one for merges: what was dropped or merged beside what it was judged by, the least certain
    /// first and at most `most` of each. A test person is one tile, however many pictures the identity has.
    pub fn sheets(&self, most: usize, test_chip: impl Fn(usize, usize) -> Result<Vec<u8>>) -> BTreeMap<&'static str, Vec<Tile>> {
        let mut found: BTreeMap<&'static str, Vec<(f32, Showing)>> = BTreeMap::new();
        let mut people = BTreeSet::new();
        for (&dropped, reason) in &self.findings.dropped {
            let (doubt, against, text) = match reason {
                Reason::Stray { own } => (-own, Against::Chip(self.own_typical(dropped)), format!("unlike its own {own:.2}")),
                Reason::Elsewhere { own, other, cosine } => {
                    let text = format!("is {other}? {cosine:.2} own {own:.2}");
                    (cosine - own, Against::Chip(self.findings.typical[*other as usize]), text)
                }
                Reason::Duplicate(twin) => {
                    let text = format!("same photo {:.2}, {} bits", twin.cosine, twin.bits);
                    (-(twin.bits as f32), Against::Chip(Some(twin.of)), text)
                }
                Reason::TestPerson(found) => {
                    if !people.insert(found.identity) {
                        continue;
                    }
                    let how = if found.by_name { "name" } else { "face" };
                    let text = format!("test person {:.2} by {how}", found.cosine);
                    (found.cosine, Against::Test(found.set, self.people[found.set][found.person]), text)
                }
            };
            let at = format!("{} id {}", self.set.place(dropped), self.set.identity(dropped));
            found
                .entry(name(reason))
                .or_default()
                .push((doubt, Showing { chip: Some(dropped), against, caption: vec![text, at] }));
        }
        for merge in &self.findings.merged {
            let caption = vec![format!("one person {:.2}", merge.cosine), format!("id {} into {}", merge.from, merge.into)];
            let [from, into] = [merge.from, merge.into].map(|identity| self.first(identity));
            let showing = Showing { chip: from, against: Against::Chip(into), caption };
            found.entry("merged").or_default().push((merge.cosine, showing));
        }
        // A chip that does not decode, or a test picture without a face, is left blank.
        let chip = |chip: Option<usize>| chip.and_then(|chip| self.set.chip(chip).ok()).unwrap_or_default();
        let tile = |showing: Showing| {
            let against = match showing.against {
                Against::Chip(against) => chip(against),
                Against::Test(set, picture) => test_chip(set, picture).unwrap_or_default(),
            };
            Tile { chips: vec![chip(showing.chip), against], caption: showing.caption }
        };
        let sheet = |mut found: Vec<(f32, Showing)>| {
            found.sort_by(|a, b| a.0.total_cmp(&b.0));
            found.into_iter().take(most).map(|(_, showing)| tile(showing)).collect()
        };
        found.into_iter().map(|(reason, found)| (reason, sheet(found))).collect()
    }

    /// The picture that stands for the identity of a chip, or for the one that it was merged into.
    fn own_typical(&self, chip: usize) -> Option<usize> {
        let identity = self.set.identity(chip);
        let into = self.findings.merged.iter().find(|merge| merge.from == identity).map_or(identity, |merge| merge.into);
        self.findings.typical[into as usize]
    }

    /// The first picture of an identity: a merged one has no centre of its own any more.
    fn first(&self, identity: u32) -> Option<usize> {
        (0..self.set.len()).find(|&chip| self.set.identity(chip) == identity)
    }
}

/// What a tile will show; chips are decoded when it is known that it will.
struct Showing {
    chip: Option<usize>,
    against: Against,
    caption: Vec<String>,
}

/// What a chip was judged by.
enum Against {
    Chip(Option<usize>),
    /// A test set and its picture.
    Test(usize, usize),
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
    Ok(veriface::replace_file(path, |to| to.write_all(text.as_bytes()))?)
}

/// The table beside a set, `NAME.tsv`, where there is one.
pub fn table_beside(set: &Path) -> Option<PathBuf> {
    Some(set.with_extension("tsv")).filter(|path| set.is_file() && path.is_file())
}
