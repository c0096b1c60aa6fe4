//! Accuracy as the LFW protocol has it: the threshold is chosen on all folds but one, and judged on that one.

use crate::data::pairs::FOLDS;

/// Accuracy over the folds.
#[derive(Debug, Clone, PartialEq)]
pub struct TenFold {
    /// Mean over the folds, 0 to 1.
    pub mean: f64,
    /// Deviation over the folds (of the population, as `numpy.std`).
    pub deviation: f64,
    /// Mean of the chosen thresholds.
    pub threshold: f64,
}

/// A score above or equal to the threshold counts as the same person. `folds[i]`, below ten, is the fold of pair `i`.
pub fn accuracy(scores: &[f64], same: &[bool], folds: &[usize]) -> TenFold {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut accuracies = Vec::with_capacity(FOLDS);
    let mut thresholds = Vec::with_capacity(FOLDS);
    for fold in 0..FOLDS {
        let threshold = best_threshold(order.iter().filter(|&&pair| folds[pair] != fold).map(|&pair| (scores[pair], same[pair])));
        let judged: Vec<bool> =
            (0..scores.len()).filter(|&pair| folds[pair] == fold).map(|pair| (scores[pair] >= threshold) == same[pair]).collect();
        accuracies.push(judged.iter().filter(|&&right| right).count() as f64 / judged.len().max(1) as f64);
        thresholds.push(threshold);
    }
    let mean = accuracies.iter().sum::<f64>() / FOLDS as f64;
    let variance = accuracies.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / FOLDS as f64;
    TenFold { mean, deviation: variance.sqrt(), threshold: thresholds.iter().sum::<f64>() / FOLDS as f64 }
}

/// The threshold of most right decisions among pairs by falling score, halfway between the scores on its two sides.
fn best_threshold(pairs: impl Iterator<Item = (f64, bool)>) -> f64 {
    // Decisions right, relative to calling every pair different.
    let (mut right, mut best, mut threshold) = (0i64, 0i64, f64::INFINITY);
    let mut pairs = pairs.peekable();
    while let Some((score, same)) = pairs.next() {
        right += if same { 1 } else { -1 };
        let next = pairs.peek().map_or(f64::NEG_INFINITY, |pair| pair.0);
        if right > best && next < score {
            best = right;
            threshold = if next.is_finite() { (score + next) / 2.0 } else { score };
        }
    }
    threshold
}

/// Share of same pairs accepted at the lowest threshold that accepts at most `far` of the different pairs.
pub fn tar_at_far(scores: &[f64], same: &[bool], far: f64) -> f64 {
    let of = |kind: bool| scores.iter().zip(same).filter(move |(_, same)| **same == kind).map(|(score, _)| *score);
    let mut different: Vec<f64> = of(false).collect();
    different.sort_by(|a, b| b.total_cmp(a));
    let allowed = (far * different.len() as f64).floor() as usize;
    // Accepted is what scores above the first different pair that may not be accepted.
    let bar = different.get(allowed).copied().unwrap_or(f64::NEG_INFINITY);
    let (accepted, all) = of(true).fold((0, 0), |(accepted, all), score| (accepted + usize::from(score > bar), all + 1));
    accepted as f64 / f64::from(all.max(1) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separable_scores_are_all_right() {
        let same: Vec<bool> = (0..40).map(|pair| pair % 2 == 0).collect();
        let scores: Vec<f64> = same.iter().map(|&same| if same { 0.8 } else { 0.2 }).collect();
        let folds: Vec<usize> = (0..40).map(|pair| pair / 4).collect();
        let result = accuracy(&scores, &same, &folds);
        assert_eq!((result.mean, result.deviation), (1.0, 0.0));
        assert!((result.threshold - 0.5).abs() < 1e-12);
        assert_eq!(tar_at_far(&scores, &same, 1e-3), 1.0);
    }

    #[test]
    fn one_wrong_pair_costs_its_fold_alone() {
        let same: Vec<bool> = (0..40).map(|pair| pair % 2 == 0).collect();
        let mut scores: Vec<f64> = same.iter().map(|&same| if same { 0.8 } else { 0.2 }).collect();
        scores[1] = 0.9;
        let folds: Vec<usize> = (0..40).map(|pair| pair / 4).collect();
        let result = accuracy(&scores, &same, &folds);
        // Fold 0 gets 3 of 4; the deviation of nine ones and 0.75 is 0.075.
        assert!((result.mean - 0.975).abs() < 1e-12 && (result.deviation - 0.075).abs() < 1e-12);
        assert_eq!(tar_at_far(&scores, &same, 0.0), 0.0);
        assert_eq!(tar_at_far(&scores, &same, 0.05), 1.0);
    }

    #[test]
    fn equal_scores_are_never_split() {
        let same: Vec<bool> = (0..20).map(|pair| pair % 2 == 0).collect();
        let folds: Vec<usize> = (0..20).map(|pair| pair / 2).collect();
        assert_eq!(accuracy(&[0.5; 20], &same, &folds).mean, 0.5);
    }
}
