//! The accuracy of the LFW protocol: on each fold, at the threshold that the other folds choose.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::embed::Score;
use crate::error::{Error, ErrorCode, Result};

/// A comparison that gave a score, with its truth and its fold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scored {
    pub score: Score,
    pub same: bool,
    pub fold: usize,
}

/// How the nine folds choose the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdSearch {
    /// The threshold that gets most of the nine folds' pairs right, of all that part their scores: half-way between two neighbouring
    /// scores. Where several are equally good, the middle one of them (the lower middle of an even number).
    #[default]
    Exact,
    /// As insightface's `calculate_roc`: the squared Euclidean distances 0, 0.01, … 3.99, a pair being a match **below** one, and
    /// the smallest of the equally good. In scores that is a grid of 0.005.
    DistanceGrid,
    /// The scores −1, −0.9998 … 1, and the middle one of the equally good (the lower middle of an even number). A gap between
    /// scores counts by its width, and one that is narrower than the grid may not count at all: the rule of the figures that
    /// `docs/accuracy.md` compares with.
    ScoreGrid,
}

impl FromStr for ThresholdSearch {
    type Err = Error;

    /// Reads `exact`, `distance-grid` and `score-grid`.
    fn from_str(text: &str) -> Result<ThresholdSearch> {
        match text {
            "exact" => Ok(ThresholdSearch::Exact),
            "distance-grid" => Ok(ThresholdSearch::DistanceGrid),
            "score-grid" => Ok(ThresholdSearch::ScoreGrid),
            other => {
                let detail = format!("`{other}` is no search for a threshold; there are exact, distance-grid and score-grid");
                Err(Error::new(ErrorCode::InvalidArgument, detail))
            }
        }
    }
}

/// One fold's result.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fold {
    /// How many of its pairs have a score.
    pub pairs: u64,
    /// How many of those were decided right.
    pub right: u64,
    /// The threshold that the other folds chose, as a score.
    pub threshold: f64,
}

impl Fold {
    /// The share of its pairs that were decided right.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.pairs.max(1) as f64
    }
}

/// The result of all folds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CrossValidation {
    /// The folds, in order.
    pub folds: Vec<Fold>,
    /// The mean of the folds' accuracies.
    pub mean: f64,
    /// Their standard deviation as a population (divided by the number of folds): what insightface and most papers print after ±.
    pub std: f64,
    /// The standard error of the mean that the LFW protocol asks for: the sample standard deviation over √folds.
    pub standard_error: f64,
}

/// Decides each fold at the threshold that the others choose.
pub(super) fn cross_validate(scored: &[Scored], folds: usize, search: ThresholdSearch) -> Result<CrossValidation> {
    if folds < 2 {
        return Err(Error::new(ErrorCode::TooFewComparisons, format!("{folds} fold cannot be decided by the others")));
    }
    let sorted = ascending(scored);
    let folds = (0..folds)
        .map(|fold| {
            let others = || sorted.iter().filter(move |one| one.fold != fold);
            let (pairs, others_total) = (sorted.len() - others().count(), others().count());
            if pairs == 0 || others_total == 0 {
                return Err(Error::new(ErrorCode::TooFewComparisons, format!("no pair of fold {} has a score", fold + 1)));
            }
            let rule = match search {
                ThresholdSearch::Exact => Rule::Score(best_cut(others()).0),
                ThresholdSearch::DistanceGrid => Rule::Distance(best_distance(others())),
                ThresholdSearch::ScoreGrid => Rule::Score(best_of_grid(others())),
            };
            let right = sorted.iter().filter(|one| one.fold == fold && rule.accepts(one.score) == one.same).count();
            Ok(Fold { pairs: pairs as u64, right: right as u64, threshold: rule.as_score() })
        })
        .collect::<Result<Vec<Fold>>>()?;
    let n = folds.len() as f64;
    let mean = folds.iter().map(Fold::accuracy).sum::<f64>() / n;
    let squares: f64 = folds.iter().map(|fold| (fold.accuracy() - mean).powi(2)).sum();
    Ok(CrossValidation { mean, std: (squares / n).sqrt(), standard_error: (squares / (n - 1.0) / n).sqrt(), folds })
}

/// The threshold that gets most of all pairs right, by the rule of [`ThresholdSearch::Exact`], and the share that it gets right.
pub(super) fn best_threshold(scored: &[Scored]) -> (f64, f64) {
    let (threshold, right) = best_cut(ascending(scored).iter());
    (threshold, right as f64 / scored.len().max(1) as f64)
}

fn ascending(scored: &[Scored]) -> Vec<Scored> {
    let mut sorted = scored.to_vec();
    sorted.sort_unstable_by_key(|one| one.score);
    sorted
}

#[derive(Clone, Copy)]
enum Rule {
    /// A match from this score on.
    Score(f64),
    /// A match below this squared distance.
    Distance(f64),
}

impl Rule {
    fn accepts(self, score: Score) -> bool {
        match self {
            Rule::Score(threshold) => f64::from(score.get()) >= threshold,
            Rule::Distance(threshold) => squared_distance(score) < threshold,
        }
    }

    fn as_score(self) -> f64 {
        match self {
            Rule::Score(threshold) => threshold,
            Rule::Distance(threshold) => 1.0 - threshold / 2.0,
        }
    }
}

fn squared_distance(score: Score) -> f64 {
    2.0 - 2.0 * f64::from(score.get())
}

/// The best threshold for scores that rise, and how many it gets right.
fn best_cut<'a>(rising: impl Iterator<Item = &'a Scored> + Clone) -> (f64, usize) {
    // Below the lowest score everything matches: the genuine pairs are right. Passing a score turns its genuine pairs wrong and its
    // impostor pairs right.
    let mut right = rising.clone().filter(|one| one.same).count();
    let (mut best, mut cuts) = (right, vec![-1.0]);
    let mut rising = rising.peekable();
    while let Some(one) = rising.next() {
        if one.same {
            right -= 1;
        } else {
            right += 1;
        }
        let value = f64::from(one.score.get());
        let cut = match rising.peek() {
            Some(next) if next.score == one.score => continue,
            Some(next) => (value + f64::from(next.score.get())) / 2.0,
            None => value.next_up(),
        };
        if right > best {
            (best, cuts) = (right, vec![cut]);
        } else if right == best {
            cuts.push(cut);
        }
    }
    (middle(&cuts).unwrap_or(-1.0), best)
}

/// The middle one, the lower of two.
fn middle(values: &[f64]) -> Option<f64> {
    values.get(values.len().checked_sub(1)? / 2).copied()
}

/// The best threshold of the grid of scores, for scores that rise.
fn best_of_grid<'a>(rising: impl Iterator<Item = &'a Scored> + Clone) -> f64 {
    const STEPS: u32 = 10_000;
    let mut right = rising.clone().filter(|one| one.same).count();
    let (mut best, mut equally_good) = (0, Vec::new());
    let mut rising = rising.peekable();
    for step in 0..=STEPS {
        let threshold = f64::from(step) * (2.0 / f64::from(STEPS)) - 1.0;
        while let Some(one) = rising.next_if(|one| f64::from(one.score.get()) < threshold) {
            if one.same {
                right -= 1;
            } else {
                right += 1;
            }
        }
        if right > best {
            (best, equally_good) = (right, vec![threshold]);
        } else if right == best {
            equally_good.push(threshold);
        }
    }
    middle(&equally_good).unwrap_or(-1.0)
}

/// The best squared distance of insightface's grid.
fn best_distance<'a>(scored: impl Iterator<Item = &'a Scored>) -> f64 {
    const STEPS: usize = 400;
    let at = |step: usize| step as f64 * 0.01;
    // Each pair is a match from one step of the grid on, so one pass counts the gain of every step.
    let mut gains = [0i64; STEPS + 1];
    for one in scored {
        let distance = squared_distance(one.score);
        let guess = (distance * 100.0).max(0.0) as usize;
        let first = (guess.saturating_sub(1)..=guess + 2).find(|&step| distance < at(step)).unwrap_or(STEPS);
        if let Some(gain) = gains.get_mut(first) {
            *gain += if one.same { 1 } else { -1 };
        }
    }
    let (mut right, mut best, mut step_of_best) = (0i64, i64::MIN, 0);
    for (step, gain) in gains.iter().take(STEPS).enumerate() {
        right += gain;
        if right > best {
            (best, step_of_best) = (right, step);
        }
    }
    at(step_of_best)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scored(pairs: &[(f32, bool)]) -> Vec<Scored> {
        pairs.iter().map(|&(score, same)| Scored { score: Score::new(score).unwrap(), same, fold: 0 }).collect()
    }

    #[test]
    fn the_best_cut_by_hand() {
        assert_eq!(best_threshold(&scored(&[(0.125, false), (0.25, false), (0.75, true), (1.0, true)])), (0.5, 1.0));
        assert_eq!(best_threshold(&scored(&[(0.25, true), (0.5, true)])), (-1.0, 1.0));
        let (threshold, right) = best_threshold(&scored(&[(0.25, false), (0.5, false)]));
        assert!(threshold > 0.5 && threshold < 0.5 + 1e-9 && right == 1.0);
        // The cuts below and above 0.5…0.75 both get three of four right: the lower one is taken.
        assert_eq!(best_threshold(&scored(&[(0.25, false), (0.5, true), (0.75, false), (1.0, true)])), (0.375, 0.75));
    }

    #[test]
    fn a_gap_between_two_steps_is_seen_by_the_exact_search_alone() {
        // Equally good, five of six: 0.30001…0.30005, into which no step falls, and 0.4…0.5.
        let pairs = [(0.2, false), (0.30001, false), (0.30005, true), (0.4, false), (0.5, true), (0.6, true)];
        let rising = ascending(&scored(&pairs));
        let (exact, right) = best_cut(rising.iter());
        assert!(right == 5 && (exact - 0.30003).abs() < 1e-6, "{right} at {exact}");
        // The steps 0.4002 … 0.5, of which the middle one is 0.45.
        assert!((best_of_grid(rising.iter()) - 0.45).abs() < 1e-9);
    }

    #[test]
    fn equal_scores_are_never_parted() {
        let (threshold, right) = best_threshold(&scored(&[(0.5, true), (0.5, false), (0.5, true)]));
        assert_eq!((threshold, right), (-1.0, 2.0 / 3.0));
    }

    #[test]
    fn a_fold_without_scores_has_no_accuracy() {
        let one_fold = scored(&[(0.1, false), (0.9, true)]);
        for folds in [0, 1, 2] {
            let error = cross_validate(&one_fold, folds, ThresholdSearch::Exact).unwrap_err();
            assert_eq!(error.code(), ErrorCode::TooFewComparisons);
        }
    }

    proptest! {
        #[test]
        fn no_threshold_does_better(pairs in proptest::collection::vec((-8i8..9, any::<bool>()), 1..80)) {
            let pairs: Vec<(f32, bool)> = pairs.into_iter().map(|(score, same)| (f32::from(score) / 8.0, same)).collect();
            let (threshold, share) = best_threshold(&scored(&pairs));
            let right = |t: f64| pairs.iter().filter(|(score, same)| (f64::from(*score) >= t) == *same).count();
            prop_assert_eq!(right(threshold), (share * pairs.len() as f64).round() as usize);
            for step in -17..=18 {
                prop_assert!(right(f64::from(step) / 16.0 - 1.0 / 32.0) <= right(threshold));
            }
        }

        #[test]
        fn the_grid_is_searched_as_by_trying_every_step(pairs in proptest::collection::vec((-1f32..=1.0, any::<bool>()), 1..60)) {
            let scored = scored(&pairs);
            let right = |t: f64| scored.iter().filter(|one| (squared_distance(one.score) < t) == one.same).count();
            let mut best = (0, 0.0);
            for step in 0..400 {
                let t = f64::from(step) * 0.01;
                if step == 0 || right(t) > best.0 {
                    best = (right(t), t);
                }
            }
            prop_assert_eq!(best_distance(scored.iter()), best.1);
        }

        #[test]
        fn the_grid_of_scores_is_searched_as_by_trying_every_step(
            pairs in proptest::collection::vec((-1f32..=1.0, any::<bool>()), 1..60),
        ) {
            let scored = ascending(&scored(&pairs));
            let right = |t: f64| scored.iter().filter(|one| (f64::from(one.score.get()) >= t) == one.same).count();
            let grid: Vec<f64> = (0..=10_000).map(|step| f64::from(step) * 0.0002 - 1.0).collect();
            let best = grid.iter().map(|&t| right(t)).max().unwrap();
            let equally_good: Vec<f64> = grid.into_iter().filter(|&t| right(t) == best).collect();
            let threshold = best_of_grid(scored.iter());
            prop_assert_eq!(threshold, equally_good[(equally_good.len() - 1) / 2]);
        }
    }
}
