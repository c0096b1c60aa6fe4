//! Which of an identity's pictures agree, and where their centre lies.

use std::collections::HashMap;

use tch::{Tensor, no_grad};

use super::embeddings::{Embeddings, dot, normalise};

/// Rounds after which nothing is let in any more, so that the search ends.
const MOST_ROUNDS: usize = 20;
/// Pictures among which the one to begin with is sought; more are thinned out evenly.
const CANDIDATES: usize = 256;
/// Rows of one matrix product.
const BLOCK: usize = 4096;

/// The pictures of an identity that agree with one another, and those that do not.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Core {
    /// The chips that agree, each with its cosine to the mean of the others; 1 for a lone one.
    pub members: Vec<(usize, f32)>,
    /// The others, each with its cosine to the centre.
    pub strays: Vec<(usize, f32)>,
    /// The direction of the members' sum; empty without a member.
    pub centre: Vec<f32>,
}

impl Core {
    /// The member nearest to the centre.
    pub fn typical(&self, embeddings: &Embeddings) -> Option<usize> {
        let cosine = |chip: usize| dot(embeddings.row(chip), &self.centre);
        self.members.iter().map(|(chip, _)| *chip).max_by(|a, b| cosine(*a).total_cmp(&cosine(*b)))
    }
}

/// Begins with the picture that the most others agree with, and lets pictures in and out until each member is at least `least` like
/// the mean of the other members, and no stray is so like the centre. The mean leaves the picture itself out: with few pictures it
/// would otherwise vouch for itself.
pub fn core(embeddings: &Embeddings, chips: &[usize], least: f32) -> Core {
    let Some(first) = medoid(embeddings, chips, least) else { return Core::default() };
    let mut inside: Vec<bool> =
        chips.iter().map(|&chip| chip == first || dot(embeddings.row(chip), embeddings.row(first)) >= least).collect();
    let mut cosines = vec![1.0; chips.len()];
    for round in 0.. {
        let sum = sum(embeddings, chips, &inside);
        let alone = inside.iter().filter(|&&inside| inside).count() == 1;
        for (cosine, (&chip, &inside)) in cosines.iter_mut().zip(chips.iter().zip(&inside)) {
            let row = embeddings.row(chip);
            *cosine = match inside {
                true if alone => 1.0,
                true => cosine_to(row, sum.iter().zip(row).map(|(sum, x)| sum - x).collect()),
                false => cosine_to(row, sum.clone()),
            };
        }
        // Out goes only the worst at once, since it spoils the mean that the others are judged by.
        let low = (0..chips.len()).filter(|&i| inside[i] && cosines[i] < least);
        if let Some(worst) = low.min_by(|&a, &b| cosines[a].total_cmp(&cosines[b])) {
            inside[worst] = false;
            continue;
        }
        let before = inside.clone();
        if round < MOST_ROUNDS {
            inside.iter_mut().zip(&cosines).for_each(|(inside, cosine)| *inside |= *cosine >= least);
        }
        if inside == before {
            break;
        }
    }
    let mut centre = sum(embeddings, chips, &inside);
    if normalise(&mut centre).is_none() {
        centre = embeddings.row(first).to_vec();
    }
    let part = |which: bool| (0..chips.len()).filter(|&i| inside[i] == which).map(|i| (chips[i], cosines[i])).collect();
    Core { members: part(true), strays: part(false), centre }
}

/// The picture that the most others are at least `least` like; of equals, the one most like all.
fn medoid(embeddings: &Embeddings, chips: &[usize], least: f32) -> Option<usize> {
    let step = chips.len().div_ceil(CANDIDATES).max(1);
    let candidates: Vec<usize> = chips.iter().step_by(step).copied().collect();
    let support = |&chip: &usize| {
        let others = candidates.iter().filter(|&&other| other != chip);
        let cosines = others.map(|&other| dot(embeddings.row(chip), embeddings.row(other)));
        cosines.fold((0usize, 0.0f32), |(count, sum), cosine| (count + usize::from(cosine >= least), sum + cosine))
    };
    let supports: Vec<(usize, f32)> = candidates.iter().map(support).collect();
    // The first of equals: `max_by` alone would take the last.
    let best = (0..candidates.len())
        .rev()
        .max_by(|&a, &b| supports[a].0.cmp(&supports[b].0).then(supports[a].1.total_cmp(&supports[b].1)));
    best.map(|best| candidates[best])
}

fn sum(embeddings: &Embeddings, chips: &[usize], inside: &[bool]) -> Vec<f32> {
    let mut sum = vec![0.0; embeddings.columns()];
    for (&chip, _) in chips.iter().zip(inside).filter(|(_, inside)| **inside) {
        sum.iter_mut().zip(embeddings.row(chip)).for_each(|(sum, x)| *sum += x);
    }
    sum
}

fn cosine_to(row: &[f32], mut mean: Vec<f32>) -> f32 {
    normalise(&mut mean).map_or(0.0, |()| dot(row, &mean))
}

/// For each chip, the identity other than its own whose centre is nearest, and the cosine to it; (0, −1) where there is none.
pub fn nearest_other(embeddings: &Embeddings, cores: &[Core]) -> Vec<(u32, f32)> {
    let mut own = vec![None; embeddings.len()];
    for (identity, core) in cores.iter().enumerate() {
        core.members.iter().chain(&core.strays).for_each(|(chip, _)| own[*chip] = Some(identity as u32));
    }
    let (known, centres) = centre_matrix(cores, embeddings.columns());
    let mut nearest = vec![(0, -1.0); embeddings.len()];
    if known.is_empty() {
        return nearest;
    }
    let place: HashMap<u32, i64> = known.iter().copied().zip(0..).collect();
    let columns = embeddings.columns();
    for (block, rows) in embeddings.rows().chunks(BLOCK * columns).enumerate() {
        let chips = block * BLOCK..block * BLOCK + rows.len() / columns;
        let own: Vec<Option<i64>> = own[chips.clone()].iter().map(|own| place.get(&(*own)?).copied()).collect();
        let masked: Vec<i64> = own.iter().map(|own| own.unwrap_or(0)).collect();
        let (best, at) = no_grad(|| {
            let cosines = Tensor::from_slice(rows).view([-1, columns as i64]).matmul(&centres.tr());
            cosines.scatter_value(1, &Tensor::from_slice(&masked).unsqueeze(1), -1.0).max_dim(1, false)
        });
        let (Ok(best), Ok(at)) = (Vec::<f32>::try_from(best), Vec::<i64>::try_from(at)) else { continue };
        for ((chip, own), (cosine, at)) in chips.zip(own).zip(best.into_iter().zip(at)) {
            if own.is_some() {
                nearest[chip] = (known[at as usize], cosine);
            }
        }
    }
    nearest
}

/// The identities that have a centre, and the centres as rows.
pub fn centre_matrix(cores: &[Core], columns: usize) -> (Vec<u32>, Tensor) {
    let known: Vec<u32> = (0..cores.len() as u32).filter(|&identity| !cores[identity as usize].members.is_empty()).collect();
    let rows: Vec<f32> = known.iter().flat_map(|&identity| cores[identity as usize].centre.iter().copied()).collect();
    (known, Tensor::from_slice(&rows).view([-1, columns as i64]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(rows: &[[f32; 2]]) -> Embeddings {
        Embeddings::new(rows.concat(), 2).expect("rows")
    }

    #[test]
    fn a_lone_picture_is_its_own_core() {
        let core = core(&rows(&[[0.6, 0.8]]), &[0], 0.3);
        assert_eq!((core.members.as_slice(), core.strays.len(), core.centre.as_slice()), (&[(0, 1.0)][..], 0, &[0.6, 0.8][..]));
        assert_eq!(super::core(&rows(&[]), &[], 0.3), Core::default());
    }

    /// Three at 0°, 20°, 40° and one at 120°, worked out by hand: the mean of the first three is 20°, of the others of the first 30°.
    #[test]
    fn the_cosine_is_to_the_mean_of_the_others() {
        let at = |degrees: f32| [degrees.to_radians().cos(), degrees.to_radians().sin()];
        let core = core(&rows(&[at(0.0), at(20.0), at(40.0), at(120.0)]), &[0, 1, 2, 3], 0.5);
        let expected = [(0, 30f32), (1, 0.0), (2, 30.0)].map(|(chip, degrees)| (chip, degrees.to_radians().cos()));
        for (found, expected) in core.members.iter().zip(expected) {
            assert!(found.0 == expected.0 && (found.1 - expected.1).abs() < 1e-6, "{core:?}");
        }
        assert!(core.strays.len() == 1 && (core.strays[0].1 - 100f32.to_radians().cos()).abs() < 1e-6, "{core:?}");
        assert_eq!(core.typical(&rows(&[at(0.0), at(20.0), at(40.0), at(120.0)])), Some(1));
    }

    #[test]
    fn the_nearest_other_leaves_the_own_identity_out() {
        let embeddings = rows(&[[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]);
        let cores: Vec<Core> = [vec![0], vec![], vec![1], vec![2]].iter().map(|chips| core(&embeddings, chips, 0.0)).collect();
        let nearest = nearest_other(&embeddings, &cores);
        for (found, expected) in nearest.iter().zip([(3, 0.6), (3, 0.8), (2, 0.8)]) {
            assert!(found.0 == expected.0 && (found.1 - expected.1 as f32).abs() < 1e-6, "{nearest:?}");
        }
        assert_eq!(nearest_other(&embeddings, &[])[0], (0, -1.0));
    }
}
