//! Identification among distractors, as MegaFace does it (Kemelmacher-Shlizerman and others, CVPR 2016).
//!
//! For every ordered pair of pictures of one person the second alone is enrolled among the distractors, and the first is the
//! probe: it has rank 1 when no distractor scores as high as its mate. Verification takes every pair of one person as genuine and
//! every probe with every distractor as impostor pair.
//!
//! Distractors come in blocks and are forgotten: of each probe's scores the highest few are kept, of all impostor scores as many as
//! the false-acceptance rate lets through. Memory does not grow with the number of distractors beyond that.

use serde::Serialize;
use tch::{Kind, Tensor, no_grad};
use veriface::FalseMatchRate;
use veriface::evaluation::{Interval, least_measurable_rate, wilson};

use crate::error::{Error, Result};
use crate::loss::classifier::unit_rows;

/// The largest rank that is told apart.
const RANKS: i64 = 10;

/// Scores that are computed at once: 16 MB.
const SCORES_AT_ONCE: i64 = 1 << 22;

/// The most impostor scores that are kept, 1 GB; a false-acceptance rate that lets more through is refused.
const MOST_KEPT: u64 = 1 << 28;

/// What probes and distractors said.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Identification {
    /// Probes: pictures of known people.
    pub probes: usize,
    /// How many people they show.
    pub people: usize,
    /// Ordered pairs of one person: how often a probe was searched.
    pub searches: u64,
    /// Rank rates among the first so many distractors.
    pub ranks: Vec<RankRate>,
    /// The true-acceptance rate among all distractors.
    pub verification: Verification,
}

/// How often the mate was found.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RankRate {
    /// Distractors that were enrolled beside the mate.
    pub distractors: usize,
    /// Share of searches whose mate scored above every distractor.
    pub rank_1: f64,
    /// Its 95 % interval (Wilson), which takes searches for independent, though they share pictures.
    pub rank_1_interval: Interval,
    /// Share of searches whose mate was among the ten highest.
    pub rank_10: f64,
}

/// True acceptance at one false-acceptance rate, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Verification {
    /// The impostor pairs carry the rate.
    Measured {
        /// The false-acceptance rate.
        far: FalseMatchRate,
        /// Share of genuine pairs accepted at the least threshold that keeps it.
        tar: f64,
        /// Its 95 % interval (Wilson).
        tar_interval: Interval,
        /// The threshold, as a score.
        threshold: f64,
        /// Genuine pairs, each once.
        genuine_pairs: u64,
        /// Probes × distractors.
        impostor_pairs: u64,
    },
    /// They do not.
    Refused {
        /// The false-acceptance rate.
        far: FalseMatchRate,
        /// Why not.
        refused: String,
    },
}

/// Searches for the probes `[n, d]`, whose people `identities` names, among `count` distractors, which come in blocks `[m, d]`.
/// Rows need not be unit vectors. `sizes` are numbers of distractors at which rank rates are stated beside the whole.
pub fn identify(
    probes: &Tensor,
    identities: &[u32],
    distractors: impl Iterator<Item = Result<Tensor>>,
    count: usize,
    sizes: &[usize],
    far: FalseMatchRate,
) -> Result<Identification> {
    let fail = |reason: String| Error::data("identification", reason);
    let probes = no_grad(|| unit_rows(&probes.to_kind(Kind::Float)));
    let (rows, columns) = probes.size2()?;
    if rows != identities.len() as i64 {
        return Err(fail(format!("{} identities for {rows} probes", identities.len())));
    }
    let mates = Mates::of(&probes, identities)?;
    if mates.scores.is_empty() {
        return Err(fail("no person has two probes: there is nobody to find".into()));
    }
    let impostor_pairs = rows as u64 * count as u64;
    let allowed = (far.get() * impostor_pairs as f64 + 1e-6).floor() as u64;
    let carried = far.get() * (1.0 + 1e-9) >= least_measurable_rate(impostor_pairs) && allowed < MOST_KEPT;
    let mut highest = Highest::new(if carried { allowed as usize + 1 } else { 1 });

    let mut sizes: Vec<usize> = sizes.iter().copied().filter(|&size| size < count).chain([count]).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut stops = sizes.into_iter().peekable();
    let mut best = Tensor::empty([rows, 0], (Kind::Float, probes.device()));
    let mut ranks = Vec::new();
    let mut seen = 0usize;
    let width = (SCORES_AT_ONCE / rows.max(1)).clamp(1, 1 << 16);
    for block in distractors {
        let block = block?;
        let (height, length) = block.size2()?;
        if length != columns {
            return Err(fail(format!("distractors have {length} values, probes {columns}")));
        }
        let block = no_grad(|| unit_rows(&block.to_device(probes.device()).to_kind(Kind::Float)));
        let mut from = 0;
        while from < height {
            let stop = stops.peek().ok_or_else(|| fail(format!("more than the {count} distractors that were announced")))?;
            let take = width.min(height - from).min((stop - seen) as i64);
            no_grad(|| -> Result<()> {
                let scores = probes.matmul(&block.narrow(0, from, take).tr());
                highest.offer(&scores)?;
                let all = Tensor::cat(&[&best, &scores], 1);
                best = all.topk(RANKS.min(all.size2()?.1), 1, true, true).0;
                Ok(())
            })?;
            from += take;
            seen += take as usize;
            if seen == *stop {
                ranks.push(mates.rank_rate(&best, seen)?);
                stops.next();
            }
        }
    }
    if seen != count {
        return Err(fail(format!("{count} distractors were announced, {seen} came")));
    }
    let verification = if carried {
        mates.verification(far, highest.threshold(allowed as usize), impostor_pairs)
    } else {
        let refused = format!("{impostor_pairs} impostor pairs do not carry a rate of {far}");
        Verification::Refused { far, refused }
    };
    let mut people = identities.to_vec();
    people.sort_unstable();
    people.dedup();
    Ok(Identification {
        probes: identities.len(),
        people: people.len(),
        searches: mates.scores.len() as u64,
        ranks,
        verification,
    })
}

/// The ordered pairs of one person: probe, and the score of its mate.
struct Mates {
    scores: Vec<(usize, f32)>,
}

impl Mates {
    fn of(probes: &Tensor, identities: &[u32]) -> Result<Self> {
        let mut of_person: std::collections::BTreeMap<u32, Vec<i64>> = std::collections::BTreeMap::new();
        for (probe, &person) in identities.iter().enumerate() {
            of_person.entry(person).or_default().push(probe as i64);
        }
        let mut scores = Vec::new();
        for pictures in of_person.values().filter(|pictures| pictures.len() > 1) {
            let rows = no_grad(|| {
                let own = probes.index_select(0, &Tensor::from_slice(pictures).to_device(probes.device()));
                own.matmul(&own.tr())
            });
            for (i, row) in Vec::<Vec<f32>>::try_from(&rows)?.into_iter().enumerate() {
                let mates = row.into_iter().enumerate().filter(|&(j, _)| j != i);
                scores.extend(mates.map(|(_, score)| (pictures[i] as usize, score)));
            }
        }
        scores.sort_unstable_by_key(|&(probe, _)| probe);
        Ok(Mates { scores })
    }

    /// `best` holds each probe's highest distractor scores, falling. A distractor as high as the mate counts against it.
    fn rank_rate(&self, best: &Tensor, distractors: usize) -> Result<RankRate> {
        let best = Vec::<Vec<f32>>::try_from(best)?;
        let (mut first, mut tenth) = (0u64, 0u64);
        for &(probe, mate) in &self.scores {
            let above = best[probe].iter().filter(|&&score| score >= mate).count() as i64;
            first += u64::from(above == 0);
            tenth += u64::from(above < RANKS);
        }
        let all = self.scores.len() as u64;
        let share = |found: u64| found as f64 / all as f64;
        Ok(RankRate { distractors, rank_1: share(first), rank_1_interval: wilson(first, all), rank_10: share(tenth) })
    }

    fn verification(&self, far: FalseMatchRate, threshold: f64, impostor_pairs: u64) -> Verification {
        // Every pair stands twice, once in each order.
        let genuine_pairs = self.scores.len() as u64 / 2;
        let accepted = self.scores.iter().filter(|(_, score)| f64::from(*score) >= threshold).count() as u64 / 2;
        Verification::Measured {
            far,
            tar: accepted as f64 / genuine_pairs as f64,
            tar_interval: wilson(accepted, genuine_pairs),
            threshold,
            genuine_pairs,
            impostor_pairs,
        }
    }
}

/// The highest of many scores.
struct Highest {
    keep: usize,
    /// A score this low no longer counts.
    floor: f32,
    scores: Vec<f32>,
}

impl Highest {
    fn new(keep: usize) -> Self {
        Highest { keep, floor: f32::NEG_INFINITY, scores: Vec::new() }
    }

    fn offer(&mut self, scores: &Tensor) -> Result<()> {
        let above = scores.masked_select(&scores.gt(f64::from(self.floor)));
        self.scores.extend(Vec::<f32>::try_from(&above)?);
        if self.scores.len() >= self.keep.saturating_mul(2).max(self.keep + 4096) {
            self.shrink();
        }
        Ok(())
    }

    fn shrink(&mut self) {
        if self.scores.len() > self.keep {
            let (_, &mut last, _) = self.scores.select_nth_unstable_by(self.keep - 1, |a, b| b.total_cmp(a));
            self.scores.truncate(self.keep);
            self.floor = last;
        }
    }

    /// The least threshold at which no more than `allowed` of the scores match: just above that of rank `allowed + 1`.
    fn threshold(mut self, allowed: usize) -> f64 {
        self.shrink();
        self.scores.sort_unstable_by(|a, b| b.total_cmp(a));
        self.scores.get(allowed).map_or(-1.0, |score| f64::from(score.next_up()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    const PEOPLE: usize = 12;
    const EACH: usize = 4;
    const DISTRACTORS: usize = 700;
    const DIMENSION: i64 = 8;

    /// Probes round a centre a person, and distractors anywhere; the same on every call.
    fn drawn() -> (Tensor, Vec<u32>, Tensor) {
        let mut state = 7u64;
        let mut uniform = move || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        let mut row = |centre: &[f32], spread: f32| -> Vec<f32> { centre.iter().map(|c| c + spread * uniform()).collect() };
        let zero = vec![0.0; DIMENSION as usize];
        let (mut probes, mut identities) = (Vec::new(), Vec::new());
        for person in 0..PEOPLE {
            let centre = row(&zero, 1.0);
            for _ in 0..EACH {
                probes.extend(row(&centre, 0.7));
                identities.push(person as u32);
            }
        }
        let distractors: Vec<f32> = (0..DISTRACTORS).flat_map(|_| row(&zero, 1.0)).collect();
        let matrix = |values: &[f32]| Tensor::from_slice(values).view([-1, DIMENSION]);
        (matrix(&probes), identities, matrix(&distractors))
    }

    fn blocks(distractors: &Tensor, size: i64) -> impl Iterator<Item = Result<Tensor>> + '_ {
        let all = distractors.size()[0];
        (0..all).step_by(size as usize).map(move |from| Ok(distractors.narrow(0, from, size.min(all - from))))
    }

    /// Every score, in double precision, compared one by one.
    fn brute_force(probes: &Tensor, identities: &[u32], distractors: &Tensor, far: f64) -> (f64, f64, f64) {
        let rows = |of: &Tensor| Vec::<Vec<f64>>::try_from(of.to_kind(Kind::Double)).expect("rows");
        let cosine = |a: &[f64], b: &[f64]| {
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
        };
        let (probes, distractors) = (rows(probes), rows(distractors));
        let impostors: Vec<Vec<f64>> =
            probes.iter().map(|probe| distractors.iter().map(|other| cosine(probe, other)).collect()).collect();
        let mut falling: Vec<f64> = impostors.iter().flatten().copied().collect();
        falling.sort_by(|a, b| b.total_cmp(a));
        let bar = falling[(far * falling.len() as f64).floor() as usize];
        let (mut searches, mut first, mut tenth, mut accepted) = (0.0, 0.0, 0.0, 0.0);
        for i in 0..probes.len() {
            for j in (0..probes.len()).filter(|&j| j != i && identities[i] == identities[j]) {
                let mate = cosine(&probes[i], &probes[j]);
                let above = impostors[i].iter().filter(|&&score| score >= mate).count();
                searches += 1.0;
                first += f64::from(u8::from(above == 0));
                tenth += f64::from(u8::from(above < 10));
                accepted += f64::from(u8::from(mate > bar));
            }
        }
        (first / searches, tenth / searches, accepted / searches)
    }

    #[test]
    fn streaming_gives_what_every_pair_gives() {
        let (probes, identities, distractors) = drawn();
        let far = FalseMatchRate::new(1e-3).expect("a rate");
        for size in [1, 13, 256, 700] {
            let found = identify(&probes, &identities, blocks(&distractors, size), DISTRACTORS, &[1, 10, 100, 5000], far);
            let found = found.expect("figures");
            assert_eq!((found.probes, found.people, found.searches), (48, 12, 48 * 3));
            let sizes: Vec<usize> = found.ranks.iter().map(|rank| rank.distractors).collect();
            assert_eq!(sizes, [1, 10, 100, 700]);
            for rank in &found.ranks {
                let first = distractors.narrow(0, 0, rank.distractors as i64);
                let (rank_1, rank_10, _) = brute_force(&probes, &identities, &first, 0.0);
                assert_eq!((rank.rank_1, rank.rank_10), (rank_1, rank_10), "{} distractors", rank.distractors);
            }
            let last = found.ranks.last().expect("a rate");
            assert!(last.rank_1 > 0.05 && last.rank_1 < 0.95, "the case must tell right from wrong: {}", last.rank_1);
            let Verification::Measured { tar, genuine_pairs, impostor_pairs, .. } = found.verification else { panic!("refused") };
            assert_eq!((genuine_pairs, impostor_pairs), (12 * 6, 48 * 700));
            assert_eq!(tar, brute_force(&probes, &identities, &distractors, 1e-3).2);
        }
    }

    #[test]
    fn a_distractor_as_high_as_the_mate_counts_against_it() {
        let probes = Tensor::from_slice2(&[[1f32, 0.0], [0.0, 1.0]]);
        let far = FalseMatchRate::new(0.5).expect("a rate");
        let block = || [Ok(Tensor::from_slice2(&[[0f32, 2.0], [-1.0, 0.0], [0.0, 1.0]]))].into_iter();
        let found = identify(&probes, &[5, 5], block(), 3, &[], far).expect("figures");
        assert_eq!((found.ranks[0].rank_1, found.ranks[0].rank_10), (0.0, 1.0));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let (probes, identities, distractors) = drawn();
        let far = FalseMatchRate::ONE_IN_1_000_000;
        let found = identify(&probes, &identities, blocks(&distractors, 100), DISTRACTORS, &[], far).expect("figures");
        assert!(matches!(found.verification, Verification::Refused { .. }), "33,600 impostor pairs carry no 1e-6");
        let run = |identities: &[u32], count: usize| identify(&probes, identities, blocks(&distractors, 100), count, &[], far);
        assert!(run(&identities[1..], DISTRACTORS).is_err());
        assert!(run(&identities, DISTRACTORS - 1).is_err());
        assert!(run(&identities, DISTRACTORS + 1).is_err());
        let alone: Vec<u32> = (0..48).collect();
        assert!(run(&alone, DISTRACTORS).expect_err("nobody").to_string().contains("nobody to find"));
        let narrow = Tensor::zeros([10, 4], (Kind::Float, Device::Cpu));
        assert!(identify(&probes, &identities, [Ok(narrow)].into_iter(), 10, &[], far).is_err());
    }

    proptest::proptest! {
        #[test]
        fn the_highest_are_kept(values in proptest::collection::vec(-50i8..50, 1..400), keep in 1usize..30, block in 1usize..60) {
            let scores: Vec<f32> = values.iter().map(|&value| f32::from(value) / 50.0).collect();
            let mut highest = Highest::new(keep);
            for block in scores.chunks(block) {
                highest.offer(&Tensor::from_slice(block)).expect("offered");
                highest.shrink();
            }
            let mut falling = scores.clone();
            falling.sort_by(|a, b| b.total_cmp(a));
            let expected = falling.get(keep - 1).map_or(-1.0, |score| f64::from(score.next_up()));
            proptest::prop_assert_eq!(highest.threshold(keep - 1), expected);
        }
    }
}
