//! From a set of chips to the thresholds of a pack: every comparison of its people, half of them to choose, half to measure.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use tch::{Kind, Tensor, no_grad};
use veriface::evaluation::{ScoreSet, calibrate};
use veriface::{Calibration, Chip, FalseMatchRate, Score, Verifier};

use crate::data::chips::ChipSet;
use crate::error::{Error, Result};

/// Rows of the matrix of scores that are computed at once.
const ROWS: i64 = 256;

/// The comparisons of one half of the people, all with all.
#[derive(Debug)]
pub struct Half {
    /// People.
    pub identities: usize,
    /// Chips that have an embedding.
    pub chips: usize,
    /// The scores.
    pub scores: ScoreSet,
}

/// The people of a set in two halves.
#[derive(Debug)]
pub struct Halves {
    /// Whose scores choose the thresholds.
    pub choosing: Half,
    /// Whose scores say what the thresholds are worth.
    pub held_out: Half,
    /// Chips without an embedding.
    pub failed: usize,
}

/// Compares the chips of a set with the pack that will be calibrated: at most `most` of them, whole people drawn by `seed`, of those in
/// `identities` where they are given. Each picture meets each other of its half once.
pub fn halves(
    verifier: &Verifier,
    set: &ChipSet,
    identities: Option<&BTreeSet<u32>>,
    most: usize,
    seed: u64,
    progress: impl Fn(usize) + Sync,
) -> Result<Halves> {
    let mut people: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for chip in 0..set.len() {
        let identity = set.identity(chip);
        if identities.is_none_or(|wanted| wanted.contains(&identity)) {
            people.entry(identity).or_default().push(chip);
        }
    }
    let mut people: Vec<Vec<usize>> = people.into_values().collect();
    people.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    let mut chips = 0;
    people.retain(|of_one| {
        let fits = chips + of_one.len() <= most;
        chips += if fits { of_one.len() } else { 0 };
        fits
    });
    // Every other person, so that both halves have about as many chips.
    people.sort_by_key(Vec::len);
    let half = |parity: usize| people.iter().skip(parity).step_by(2).collect::<Vec<_>>();
    let (choosing, failed) = compare(verifier, set, &half(0), &progress)?;
    let (held_out, also_failed) = compare(verifier, set, &half(1), &progress)?;
    Ok(Halves { choosing, held_out, failed: failed + also_failed })
}

/// All comparisons of these people, and how many chips have no embedding.
fn compare(
    verifier: &Verifier,
    set: &ChipSet,
    people: &[&Vec<usize>],
    progress: &(impl Fn(usize) + Sync),
) -> Result<(Half, usize)> {
    let chips: Vec<(i64, usize)> =
        people.iter().enumerate().flat_map(|(person, chips)| chips.iter().map(move |chip| (person as i64, *chip))).collect();
    let embed = |&(person, chip): &(i64, usize)| {
        let embedding = verifier.embed(&Chip::from_aligned(set.chip(chip)?)?);
        progress(1);
        match embedding {
            Ok(embedding) => Ok(Some((person, embedding.values().to_vec()))),
            Err(error) if error.code() == veriface::ErrorCode::InvalidEmbedding => Ok(None),
            Err(error) => Err(Error::from(error)),
        }
    };
    let rows: Vec<Option<(i64, Vec<f32>)>> = chips.par_iter().map(embed).collect::<Result<_>>()?;
    let failed = rows.iter().filter(|row| row.is_none()).count();
    let rows: Vec<(i64, Vec<f32>)> = rows.into_iter().flatten().collect();
    let (owners, values): (Vec<i64>, Vec<Vec<f32>>) = rows.into_iter().unzip();
    let scores = no_grad(|| all_with_all(&owners, &values))?;
    Ok((Half { identities: people.len(), chips: owners.len(), scores }, failed))
}

/// The scores of each row with each later one, by whether they have one owner.
fn all_with_all(owners: &[i64], values: &[Vec<f32>]) -> Result<ScoreSet> {
    let count = owners.len() as i64;
    let (mut genuine, mut impostor) = (Vec::new(), Vec::new());
    if count > 1 {
        let matrix = Tensor::from_slice(&values.concat()).view([count, -1]);
        let owners = Tensor::from_slice(owners);
        let numbers = Tensor::arange(count, (Kind::Int64, tch::Device::Cpu));
        for from in (0..count).step_by(ROWS as usize) {
            let rows = ROWS.min(count - from);
            let scores = matrix.narrow(0, from, rows).matmul(&matrix.transpose(0, 1)).clamp(-1.0, 1.0);
            let later = numbers.view([1, -1]).gt_tensor(&numbers.narrow(0, from, rows).view([-1, 1]));
            let one = owners.view([1, -1]).eq_tensor(&owners.narrow(0, from, rows).view([-1, 1]));
            let take = |mask: Tensor, to: &mut Vec<Score>| -> Result<()> {
                for score in Vec::<f32>::try_from(scores.masked_select(&mask))? {
                    to.push(Score::new(score)?);
                }
                Ok(())
            };
            take(later.logical_and(&one), &mut genuine)?;
            take(later.logical_and(&one.logical_not()), &mut impostor)?;
        }
    }
    Ok(ScoreSet::new(genuine, impostor)?)
}

/// The thresholds that both halves uphold, and why the others are not published.
pub fn calibration(
    name: &str,
    halves: &Halves,
    rates: &[FalseMatchRate],
) -> Result<(Calibration, Vec<(FalseMatchRate, String)>)> {
    let (choosing, held_out) = (&halves.choosing.scores, &halves.held_out.scores);
    let mut rates = rates.to_vec();
    rates.sort_by(|a, b| b.get().total_cmp(&a.get()));
    let mut upheld = Vec::new();
    let mut refused = Vec::new();
    for rate in rates {
        match calibrate(name, choosing, held_out, &[rate]) {
            Ok(_) => upheld.push(rate),
            Err(error) => refused.push((rate, error.detail().to_owned())),
        }
    }
    if upheld.is_empty() {
        let reasons: Vec<&str> = refused.iter().map(|(_, reason)| reason.as_str()).collect();
        return Err(Error::data("calibration", format!("no threshold is upheld: {}", reasons.join("; "))));
    }
    Ok((calibrate(name, choosing, held_out, &upheld)?, refused))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_compared_once_by_who_it_shows() {
        // Three people: two pictures, two, one; on a circle, where a cosine is easily told.
        let at = |degrees: f32| vec![degrees.to_radians().cos(), degrees.to_radians().sin()];
        let values: Vec<Vec<f32>> = [0.0, 10.0, 90.0, 120.0, 180.0].map(at).to_vec();
        let scores = all_with_all(&[0, 0, 1, 1, 2], &values).expect("scores");
        let near = |found: &[Score], degrees: &[f32]| {
            let mut expected: Vec<f32> = degrees.iter().map(|degrees| degrees.to_radians().cos()).collect();
            expected.sort_by(|a, b| b.total_cmp(a));
            assert_eq!(found.len(), expected.len());
            found.iter().zip(expected).for_each(|(found, expected)| assert!((found.get() - expected).abs() < 1e-6));
        };
        near(scores.genuine(), &[10.0, 30.0]);
        near(scores.impostor(), &[90.0, 120.0, 180.0, 80.0, 110.0, 170.0, 90.0, 60.0]);
    }
}
