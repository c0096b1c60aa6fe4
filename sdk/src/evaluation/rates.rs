//! Error rates at every threshold: FMR, FNMR, their curve and where they meet.

use serde::Serialize;

use super::interval::require_measurable;
use crate::decide::FalseMatchRate;
use crate::embed::Score;
use crate::error::{Error, ErrorCode, Result};

/// The two error rates at a threshold (ISO/IEC 19795-1).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ErrorRates {
    /// A score is a match from here on.
    pub threshold: f64,
    /// The false-match rate: the share of impostor scores that match.
    pub fmr: f64,
    /// The false non-match rate: the share of genuine scores that do not.
    pub fnmr: f64,
}

/// The scores of comparisons whose truth is known: genuine ones (one person) and impostor ones (two).
#[derive(Debug, Clone)]
pub struct ScoreSet {
    /// From the highest score down.
    genuine: Vec<Score>,
    /// From the highest score down.
    impostor: Vec<Score>,
}

impl ScoreSet {
    /// Takes the scores in any order.
    ///
    /// # Errors
    /// [`ErrorCode::TooFewComparisons`] when there are no genuine or no impostor ones.
    pub fn new(mut genuine: Vec<Score>, mut impostor: Vec<Score>) -> Result<ScoreSet> {
        if genuine.is_empty() || impostor.is_empty() {
            let detail = format!("{} genuine and {} impostor scores", genuine.len(), impostor.len());
            return Err(Error::new(ErrorCode::TooFewComparisons, detail));
        }
        genuine.sort_unstable_by(|a, b| b.cmp(a));
        impostor.sort_unstable_by(|a, b| b.cmp(a));
        Ok(ScoreSet { genuine, impostor })
    }

    /// The scores of one person, from the highest down.
    pub fn genuine(&self) -> &[Score] {
        &self.genuine
    }

    /// The scores of two people, from the highest down.
    pub fn impostor(&self) -> &[Score] {
        &self.impostor
    }

    /// How many impostor scores match at `threshold`.
    pub fn false_matches(&self, threshold: f64) -> u64 {
        at_or_above(&self.impostor, threshold) as u64
    }

    /// How many genuine scores do not match at `threshold`.
    pub fn false_non_matches(&self, threshold: f64) -> u64 {
        (self.genuine.len() - at_or_above(&self.genuine, threshold)) as u64
    }

    /// Both error rates at `threshold`.
    pub fn rates(&self, threshold: f64) -> ErrorRates {
        ErrorRates {
            threshold,
            fmr: self.false_matches(threshold) as f64 / self.impostor.len() as f64,
            fnmr: self.false_non_matches(threshold) as f64 / self.genuine.len() as f64,
        }
    }

    /// The least threshold at which no more than `rate` of the impostor scores match: with n of them and k = ⌊rate·n⌋, just above
    /// the score of rank k + 1. Nothing is interpolated between scores. −1, where everything matches, when the rate is 1.
    ///
    /// # Errors
    /// [`ErrorCode::TooFewComparisons`] when n is below 3 / rate: see [`super::least_measurable_rate`].
    pub fn threshold_at(&self, rate: FalseMatchRate) -> Result<f64> {
        require_measurable(rate, self.impostor.len() as u64)?;
        // 1e-3 · 3000 may round to a little below 3.
        let allowed = (rate.get() * self.impostor.len() as f64 + 1e-6).floor() as usize;
        Ok(self.threshold_with(allowed))
    }

    /// The least threshold with at most `allowed` false matches.
    pub(super) fn threshold_with(&self, allowed: usize) -> f64 {
        self.impostor.get(allowed).map_or(-1.0, |score| f64::from(score.get().next_up()))
    }

    /// The error rates at every score that occurs, as thresholds from the highest down: the ROC (1 − FNMR over FMR) and DET curves.
    /// The point before the first, where nothing matches, is left out.
    pub fn curve(&self) -> Vec<ErrorRates> {
        let (mut genuine, mut impostor) = (0, 0);
        let mut points = Vec::new();
        while let Some(threshold) = self.genuine.get(genuine).max(self.impostor.get(impostor)) {
            genuine += run(&self.genuine, genuine, threshold);
            impostor += run(&self.impostor, impostor, threshold);
            points.push(ErrorRates {
                threshold: f64::from(threshold.get()),
                fmr: impostor as f64 / self.impostor.len() as f64,
                fnmr: (self.genuine.len() - genuine) as f64 / self.genuine.len() as f64,
            });
        }
        points
    }

    /// The equal error rate: where FMR and FNMR meet, on straight lines between the points of [`ScoreSet::curve`].
    pub fn equal_error_rate(&self) -> f64 {
        let (mut fmr, mut fnmr) = (0.0, 1.0);
        for point in self.curve() {
            if point.fmr >= point.fnmr {
                // FNMR − FMR falls from `before` to `after`, which is not positive; it is zero at this share of the way.
                let (before, after) = (fnmr - fmr, point.fnmr - point.fmr);
                let share = before / (before - after);
                return fmr + share * (point.fmr - fmr);
            }
            (fmr, fnmr) = (point.fmr, point.fnmr);
        }
        fmr
    }
}

/// How many of the falling `scores` are at the threshold or above.
fn at_or_above(scores: &[Score], threshold: f64) -> usize {
    scores.partition_point(|score| f64::from(score.get()) >= threshold)
}

/// How many scores from `start` on equal `value`.
fn run(scores: &[Score], start: usize, value: &Score) -> usize {
    scores.iter().skip(start).take_while(|score| *score == value).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn scores(values: &[f32]) -> Vec<Score> {
        values.iter().map(|&value| Score::new(value).unwrap()).collect()
    }

    fn set(genuine: &[f32], impostor: &[f32]) -> ScoreSet {
        ScoreSet::new(scores(genuine), scores(impostor)).unwrap()
    }

    #[test]
    fn one_side_alone_has_no_rates() {
        for (genuine, impostor) in [(vec![], scores(&[0.1])), (scores(&[0.1]), vec![])] {
            assert_eq!(ScoreSet::new(genuine, impostor).unwrap_err().code(), ErrorCode::TooFewComparisons);
        }
    }

    #[test]
    fn rates_by_hand() {
        let set = set(&[0.9, 0.8, 0.3], &[0.5, 0.1, 0.0, -0.2]);
        assert_eq!(set.rates(0.5), ErrorRates { threshold: 0.5, fmr: 0.25, fnmr: 1.0 / 3.0 });
        assert_eq!(set.rates(-1.0).fmr, 1.0);
        assert_eq!(set.rates(1.5).fnmr, 1.0);
        let curve: Vec<(f64, f64)> = set.curve().iter().map(|p| (p.fmr, p.fnmr)).collect();
        let third = 1.0 / 3.0;
        let expected = [(0.0, 2.0 * third), (0.0, third), (0.25, third), (0.25, 0.0), (0.5, 0.0), (0.75, 0.0), (1.0, 0.0)];
        for ((fmr, fnmr), (x, y)) in curve.iter().zip(expected) {
            assert!((fmr - x).abs() < 1e-12 && (fnmr - y).abs() < 1e-12, "{curve:?}");
        }
        assert_eq!(curve.len(), expected.len());
        assert!((set.equal_error_rate() - 0.25).abs() < 1e-12);
    }

    #[test]
    fn perfect_and_hopeless_sets() {
        assert_eq!(set(&[0.9, 0.8], &[0.1, 0.2]).equal_error_rate(), 0.0);
        assert_eq!(set(&[0.1, 0.2], &[0.9, 0.8]).equal_error_rate(), 1.0);
        assert_eq!(set(&[0.5], &[0.5]).equal_error_rate(), 0.5);
    }

    #[test]
    fn the_threshold_leaves_exactly_the_allowed_false_matches() {
        let impostor: Vec<f32> = (0..3000).map(|i| i as f32 / 3000.0).collect();
        let set = set(&[0.5], &impostor);
        let rate = |rate| set.threshold_at(FalseMatchRate::new(rate).unwrap());
        assert_eq!(set.false_matches(rate(1e-3).unwrap()), 3);
        assert_eq!(set.false_matches(rate(0.1).unwrap()), 300);
        assert_eq!(rate(1.0).unwrap(), -1.0);
        assert_eq!(rate(1e-4).unwrap_err().code(), ErrorCode::TooFewComparisons);
    }

    #[test]
    fn ties_at_the_quantile_are_all_refused() {
        let set = set(&[0.5, 0.6], &[0.5; 30]);
        let threshold = set.threshold_at(FalseMatchRate::new(0.5).unwrap()).unwrap();
        assert_eq!((set.false_matches(threshold), set.false_non_matches(threshold)), (0, 1));
    }

    proptest! {
        #[test]
        fn a_threshold_holds_its_rate_and_a_lower_one_does_not(
            impostor in proptest::collection::vec(-1f32..1.0, 30..200),
            rate in 0.1f64..1.0,
        ) {
            let set = set(&[0.0], &impostor);
            let threshold = set.threshold_at(FalseMatchRate::new(rate).unwrap()).unwrap();
            prop_assert!(set.rates(threshold).fmr <= rate + 1e-6);
            if threshold > -1.0 {
                prop_assert!(set.rates(f64::from((threshold as f32).next_down())).fmr > rate - 1e-6);
            }
        }

        #[test]
        fn the_curve_is_monotonic_and_agrees_with_counting(
            genuine in proptest::collection::vec(-20i8..20, 1..60),
            impostor in proptest::collection::vec(-20i8..20, 1..60),
        ) {
            let to_scores = |v: &[i8]| v.iter().map(|&x| f32::from(x) / 20.0).collect::<Vec<_>>();
            let set = set(&to_scores(&genuine), &to_scores(&impostor));
            let curve = set.curve();
            for pair in curve.windows(2) {
                prop_assert!(pair[0].threshold > pair[1].threshold && pair[0].fmr <= pair[1].fmr && pair[0].fnmr >= pair[1].fnmr);
            }
            for point in &curve {
                prop_assert_eq!(*point, set.rates(point.threshold));
            }
            prop_assert_eq!(curve.last().map(|p| (p.fmr, p.fnmr)), Some((1.0, 0.0)));
        }
    }
}
