//! What is wrong with a set of chips, judged by their embeddings: pictures of somebody else, near-duplicates, one person under two
//! identities, and people of a test set.
//!
//! In this order, each on what the one before left: each identity's core and its strays ([`centre`]); identities to merge
//! ([`merge`]); people of test sets ([`overlap`]); pictures nearer to another identity; near-duplicates ([`duplicates`]).

pub mod centre;
pub mod duplicates;
pub mod embeddings;
pub mod merge;
pub mod overlap;
pub mod pixel_hash;
pub mod report;

use std::collections::BTreeMap;

use centre::Core;
use duplicates::Twin;
use embeddings::Embeddings;
use merge::Merge;
use overlap::{Match, TestPeople};
use pixel_hash::PixelHash;

/// Where the lines are drawn; all cosines are of unit embeddings.
///
/// The defaults were chosen for EdgeFace-XS, mirror image added, by looking at what lies on either side of them in a set of 51,277
/// chips: strays between 0.2 and 0.25 are mostly the right person, hard to see; merges below 0.7 begin to join babies; test people are
/// right down to 0.5, and one too many dropped costs less than one that stays; duplicates are right to 48 bits and beyond. Another
/// recogniser's cosines may lie elsewhere: look at the contact sheets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// A picture that is less like the mean of its identity's others than this is a stray.
    pub stray: f32,
    /// A picture at least so like another identity's centre, and by [`Limits::nearer`] more than its own, belongs elsewhere.
    pub elsewhere: f32,
    /// By how much.
    pub nearer: f32,
    /// Two identities whose centres are at least so alike are one person.
    pub merge: f32,
    /// An identity whose centre is at least so like a test person's is that person.
    pub overlap: f32,
    /// Two pictures are duplicates only if they are at least so alike…
    pub duplicate: f32,
    /// …and their pixel hashes, of 240 bits, differ in at most so many.
    pub duplicate_bits: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { stray: 0.2, elsewhere: 0.5, nearer: 0.15, merge: 0.7, overlap: 0.45, duplicate: 0.9, duplicate_bits: 48 }
    }
}

/// Why a picture was dropped.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// It is unlike the other pictures of its identity.
    Stray {
        /// Cosine to the mean of the others.
        own: f32,
    },
    /// It is more like another identity than its own.
    Elsewhere {
        /// Cosine to the mean of its identity's others.
        own: f32,
        /// The other identity.
        other: u32,
        /// Cosine to that one's centre.
        cosine: f32,
    },
    /// The same photo is there a second time.
    Duplicate(Twin),
    /// Its identity is a test set's person.
    TestPerson(Match),
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Findings {
    /// The dropped chips of the set, each with the first reason that was found.
    pub dropped: BTreeMap<usize, Reason>,
    /// The identities that became part of another.
    pub merged: Vec<Merge>,
    /// Of each identity, the chip nearest to its centre.
    pub typical: Vec<Option<usize>>,
}

impl Findings {
    /// The chips that stay, by new identity. Identities keep their order; those without a chip are gone.
    pub fn kept(&self, identities: &[u32]) -> Vec<(usize, u32)> {
        let into: BTreeMap<u32, u32> = self.merged.iter().map(|merge| (merge.from, merge.into)).collect();
        let mut chips: Vec<(u32, usize)> = (0..identities.len())
            .filter(|chip| !self.dropped.contains_key(chip))
            .map(|chip| (*into.get(&identities[chip]).unwrap_or(&identities[chip]), chip))
            .collect();
        chips.sort_unstable();
        let mut new = 0;
        let mut last = chips.first().map(|(identity, _)| *identity);
        let number = |(identity, chip): (u32, usize)| {
            if last != Some(identity) {
                last = Some(identity);
                new += 1;
            }
            (chip, new)
        };
        chips.into_iter().map(number).collect()
    }
}

/// Finds what is wrong. `identities[i]` is the identity of chip `i`, `hashes[i]` its pixels' hash.
pub fn find(
    embeddings: &Embeddings,
    identities: &[u32],
    hashes: &[PixelHash],
    tests: &[TestPeople],
    names: Option<&[String]>,
    limits: &Limits,
) -> Findings {
    let mut findings = Findings::default();
    let count = identities.iter().map(|identity| *identity as usize + 1).max().unwrap_or(0);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); count];
    identities.iter().enumerate().for_each(|(chip, identity)| members[*identity as usize].push(chip));

    let mut cores: Vec<Core> = members.iter().map(|chips| centre::core(embeddings, chips, limits.stray)).collect();
    findings.merged = merge::merges(&cores, limits.merge);
    for merge in &findings.merged {
        let chips = std::mem::take(&mut members[merge.from as usize]);
        members[merge.into as usize].extend(chips);
    }
    for merge in &findings.merged {
        for identity in [merge.from, merge.into] {
            cores[identity as usize] = centre::core(embeddings, &members[identity as usize], limits.stray);
        }
    }
    findings.typical = cores.iter().map(|core| core.typical(embeddings)).collect();

    for found in overlap::find(&cores, tests, names, limits.overlap) {
        // A name that was merged into another identity still names its people.
        let into = findings.merged.iter().find(|merge| merge.from == found.identity).map_or(found.identity, |merge| merge.into);
        for chip in std::mem::take(&mut members[into as usize]) {
            findings.dropped.insert(chip, Reason::TestPerson(found.clone()));
        }
        cores[into as usize] = Core::default();
    }
    for core in &cores {
        for (chip, own) in &core.strays {
            findings.dropped.insert(*chip, Reason::Stray { own: *own });
        }
    }
    let nearest = centre::nearest_other(embeddings, &cores);
    for core in &cores {
        // A lone picture has no other to be unlike.
        for (chip, own) in core.members.iter().filter(|_| core.members.len() > 1) {
            let (other, cosine) = nearest[*chip];
            if cosine >= limits.elsewhere && cosine >= own + limits.nearer {
                findings.dropped.insert(*chip, Reason::Elsewhere { own: *own, other, cosine });
            }
        }
    }
    for core in &mut cores {
        core.members.retain(|(chip, _)| !findings.dropped.contains_key(chip));
    }
    for twin in duplicates::find(embeddings, &cores, &nearest, hashes, limits) {
        findings.dropped.entry(twin.dropped).or_insert(Reason::Duplicate(twin));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::seq::SliceRandom;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    const COLUMNS: usize = 128;

    /// A set whose faults are known: identities around random directions, with cosines to the mean as a recogniser gives them.
    struct Planted {
        rows: Vec<f32>,
        identities: Vec<u32>,
        hashes: Vec<PixelHash>,
        rng: ChaCha8Rng,
    }

    impl Planted {
        fn new() -> Self {
            Planted { rows: Vec::new(), identities: Vec::new(), hashes: Vec::new(), rng: ChaCha8Rng::seed_from_u64(3) }
        }

        fn direction(&mut self) -> Vec<f32> {
            let rng = &mut self.rng;
            unit((0..COLUMNS).map(|_| (0..6).map(|_| rng.random_range(-1.0..1.0f32)).sum()).collect())
        }

        /// A unit vector whose cosine to `to` is about `cosine`.
        fn near(&mut self, to: &[f32], cosine: f32) -> Vec<f32> {
            let other = self.direction();
            let along: f32 = to.iter().zip(&other).map(|(a, b)| a * b).sum();
            let across = unit(to.iter().zip(&other).map(|(a, b)| b - along * a).collect());
            let sine = (1.0 - cosine * cosine).sqrt();
            to.iter().zip(&across).map(|(a, b)| cosine * a + sine * b).collect()
        }

        fn chip(&mut self, identity: u32, row: Vec<f32>) -> usize {
            let hash = PixelHash::from_bits(std::array::from_fn(|_| self.rng.random()));
            self.rows.extend(row);
            self.identities.push(identity);
            self.hashes.push(hash);
            self.identities.len() - 1
        }

        fn identity(&mut self, identity: u32, direction: &[f32], chips: usize) -> Vec<usize> {
            (0..chips)
                .map(|_| {
                    let row = self.near(direction, 0.8);
                    self.chip(identity, row)
                })
                .collect()
        }

        fn find(&self, tests: &[TestPeople], names: Option<&[String]>) -> Findings {
            let embeddings = Embeddings::new(self.rows.clone(), COLUMNS).expect("rows");
            find(&embeddings, &self.identities, &self.hashes, tests, names, &Limits::default())
        }
    }

    fn unit(vector: Vec<f32>) -> Vec<f32> {
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        vector.into_iter().map(|x| x / length).collect()
    }

    /// 60 clean identities of 1 to 12 pictures.
    fn clean() -> (Planted, Vec<Vec<f32>>) {
        let mut set = Planted::new();
        let mut directions = Vec::new();
        for identity in 0..60 {
            let direction = set.direction();
            let chips = 1 + identity as usize * 7 % 12;
            set.identity(identity, &direction, chips);
            directions.push(direction);
        }
        (set, directions)
    }

    #[test]
    fn nothing_is_wrong_with_a_clean_set() {
        let (set, _) = clean();
        let findings = set.find(&[], None);
        assert_eq!((findings.dropped, findings.merged), (BTreeMap::new(), Vec::new()));
    }

    #[test]
    fn every_planted_fault_is_found_and_nothing_else() {
        let (mut set, directions) = clean();
        let wrong: Vec<usize> = (20..30)
            .map(|identity| {
                let stranger = set.direction();
                set.chip(identity, stranger)
            })
            .collect();
        // Pictures of identity 41 under 42, fewer than its own (7).
        let swapped: Vec<usize> = (0..3)
            .map(|_| {
                let row = set.near(&directions[41].clone(), 0.85);
                set.chip(42, row)
            })
            .collect();
        // Identity 5 (12 pictures) is there again as 60.
        set.identity(60, &directions[5].clone(), 4);
        // The same photo twice: almost the same row, three bits of 240.
        let original = set.identities.iter().position(|identity| *identity == 9).expect("a chip");
        let row = set.rows[original * COLUMNS..(original + 1) * COLUMNS].to_vec();
        let row = set.near(&row, 0.97);
        let copy = set.chip(9, row);
        set.hashes[copy] = set.hashes[original].with_flipped(&[1, 77, 200]);
        // As alike, but another photo.
        let row = set.rows[original * COLUMNS..(original + 1) * COLUMNS].to_vec();
        let burst = set.near(&row, 0.97);
        set.chip(9, burst);
        // Identity 33 is the second person of a test set, by centre, and 34 is one by name.
        let stranger = set.direction();
        let person = set.near(&directions[33].clone(), 0.9);
        let rows = Embeddings::new([stranger, person].concat(), COLUMNS).expect("rows");
        let test = TestPeople { centres: rows, pictures: vec![10, 20], names: vec![Some("Lee, Ann".into()), None] };
        let names: Vec<String> = (0..61).map(|i| if i == 34 { "lee_ann".into() } else { format!("person {i}") }).collect();

        let findings = set.find(&[test], Some(&names));
        let mut by_reason: [Vec<usize>; 4] = Default::default();
        for (chip, reason) in &findings.dropped {
            let kind = match reason {
                Reason::Stray { own } => {
                    assert!(*own < 0.25);
                    0
                }
                Reason::Elsewhere { other, .. } => {
                    assert_eq!(*other, 41);
                    1
                }
                Reason::Duplicate(twin) => {
                    assert_eq!((twin.of, twin.bits), (original, 3));
                    2
                }
                Reason::TestPerson(found) => {
                    assert_eq!(found.identity, set.identities[*chip]);
                    3
                }
            };
            by_reason[kind].push(*chip);
        }
        let strays_or_elsewhere: Vec<usize> = [by_reason[0].clone(), by_reason[1].clone()].concat();
        let mut expected = [wrong, swapped].concat();
        expected.sort_unstable();
        let mut found = strays_or_elsewhere;
        found.sort_unstable();
        assert_eq!(found, expected);
        assert_eq!(by_reason[2], [copy]);
        let people: Vec<usize> = (0..set.identities.len()).filter(|chip| matches!(set.identities[*chip], 33 | 34)).collect();
        assert_eq!(by_reason[3], people);
        assert_eq!(findings.merged.iter().map(|merge| (merge.from, merge.into)).collect::<Vec<_>>(), [(60, 5)]);

        let kept = findings.kept(&set.identities);
        assert_eq!(kept.len() + findings.dropped.len(), set.identities.len());
        assert_eq!(kept.last().expect("a chip").1, 57, "60 identities without 33 and 34");
        assert!(kept.iter().filter(|(chip, _)| set.identities[*chip] == 60).all(|(_, new)| *new == 5));
    }

    /// Four in ten pictures show one other person: the majority is right.
    #[test]
    fn a_polluted_identity_keeps_its_majority() {
        let mut set = Planted::new();
        let (right, other) = (set.direction(), set.direction());
        let mut order: Vec<bool> = (0..20).map(|i| i % 5 < 3).collect();
        order.shuffle(&mut set.rng);
        for is_right in &order {
            let row = set.near(if *is_right { &right } else { &other }, 0.75);
            set.chip(0, row);
        }
        let findings = set.find(&[], None);
        let kept: Vec<bool> = (0..20).map(|chip| !findings.dropped.contains_key(&chip)).collect();
        assert_eq!(kept, order);
    }

    /// Of two pictures that disagree, one stays: alone it is right whoever it shows.
    #[test]
    fn two_that_disagree_leave_one() {
        let mut set = Planted::new();
        let (a, b) = (set.direction(), set.direction());
        set.chip(0, a);
        set.chip(0, b);
        assert_eq!(set.find(&[], None).dropped.keys().collect::<Vec<_>>(), [&1]);
    }

    /// One photo under two identities: it stays where it fits.
    #[test]
    fn a_photo_under_two_identities_stays_where_it_fits() {
        let (mut set, directions) = clean();
        let original = set.identities.iter().position(|identity| *identity == 8).expect("a chip");
        let row = set.rows[original * COLUMNS..(original + 1) * COLUMNS].to_vec();
        let copy = set.chip(60, row);
        set.hashes[copy] = set.hashes[original];
        let findings = set.find(&[], None);
        assert!(matches!(&findings.dropped[&copy], Reason::Duplicate(twin) if twin.of == original), "{:?}", findings.dropped);
        assert_eq!(findings.dropped.len(), 1);
        assert_eq!(directions.len(), 60);
    }
}
