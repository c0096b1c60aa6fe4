//! From scores to the thresholds of a pack: chosen on one half of the people, measured on the other.

use super::interval::{require_measurable, wilson};
use super::rates::ScoreSet;
use crate::decide::{Calibration, FalseMatchRate, Groups, ImpostorTail, OperatingPoint};
use crate::embed::Score;
use crate::error::{Error, ErrorCode, Result};

/// Share of the rate within which the choosing half must stay. Pairs share people, and some people resemble many: the match rates of
/// two halves of a thousand people differ by a twentieth at 1 in 100 and by two fifths at 1 in 10,000, which no bound over pairs
/// knows of. A threshold at the rate itself would fail on the other half every second time.
const SHARE: f64 = 0.5;

/// Chooses a threshold for each of `rates` on `choosing` and measures it on `held_out`, scores of people of whom none is in
/// `choosing`.
///
/// The threshold is the least one whose upper 95 % bound (Wilson) on `choosing` is within half the rate.
/// The tail of impostor scores is that of `held_out`. Groups are not measured here.
///
/// # Errors
/// [`ErrorCode::TooFewComparisons`] when one of the sets is too small for a rate, or when the upper 95 % bound on `held_out` exceeds
/// the rate: such a threshold is not published. [`ErrorCode::InvalidManifest`] when `rates` is empty or does not fall.
pub fn calibrate(data_set: &str, choosing: &ScoreSet, held_out: &ScoreSet, rates: &[FalseMatchRate]) -> Result<Calibration> {
    let points = rates.iter().map(|&rate| operating_point(choosing, held_out, rate)).collect::<Result<_>>()?;
    Calibration::new(data_set, points, impostor_tail(held_out), Groups::NotMeasured)
}

fn operating_point(choosing: &ScoreSet, held_out: &ScoreSet, rate: FalseMatchRate) -> Result<OperatingPoint> {
    let pairs = choosing.impostor().len();
    for set in [choosing, held_out] {
        require_measurable(rate, set.impostor().len() as u64)?;
    }
    let too_few = |detail: String| Error::new(ErrorCode::TooFewComparisons, format!("the threshold at {rate}: {detail}"));
    // The bound rises with the count, so the largest count that stays within the rate is found by halving.
    let within = |count: usize| wilson(count as u64, pairs as u64).upper <= SHARE * rate.get();
    if !within(0) {
        return Err(too_few(format!("{pairs} impostor pairs cannot hold it with a margin even without a false match")));
    }
    let (mut held, mut exceeded) = (0, pairs + 1);
    while exceeded - held > 1 {
        let middle = held + (exceeded - held) / 2;
        if within(middle) { held = middle } else { exceeded = middle }
    }
    let threshold = Score::new(choosing.threshold_with(held) as f32)
        .map_err(|_| too_few("impostor scores reach 1: pictures of one person carry two names".into()))?;
    let at = f64::from(threshold.get());
    let (false_matches, impostor_pairs) = (held_out.false_matches(at), held_out.impostor().len() as u64);
    let interval = wilson(false_matches, impostor_pairs);
    let point = OperatingPoint {
        fmr: rate,
        threshold,
        lower: interval.lower,
        upper: interval.upper,
        impostor_pairs,
        false_matches,
        genuine_pairs: held_out.genuine().len() as u64,
        fnmr: held_out.rates(at).fnmr,
    };
    if point.is_upheld() {
        return Ok(point);
    }
    Err(too_few(format!(
        "{false_matches} of {impostor_pairs} held-out pairs match, which allows a rate up to {:.2e}",
        point.upper
    )))
}

fn impostor_tail(set: &ScoreSet) -> ImpostorTail {
    let exceeded_by = |rate| set.threshold_at(rate).ok().and_then(|threshold| Score::new((threshold as f32).next_down()).ok());
    ImpostorTail {
        pairs: set.impostor().len() as u64,
        max: set.impostor().first().copied().unwrap_or(Score::from_dot(-1.0)),
        one_in_1_000: exceeded_by(FalseMatchRate::ONE_IN_1_000),
        one_in_10_000: exceeded_by(FalseMatchRate::ONE_IN_10_000),
        one_in_100_000: exceeded_by(FalseMatchRate::ONE_IN_100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Impostor scores spread evenly over 0…1, genuine ones over 0.5…1, both in `n` steps.
    fn set(n: usize) -> ScoreSet {
        let scores = |from: f32| (0..n).map(|i| Score::new(from + (1.0 - from) * i as f32 / n as f32).unwrap()).collect();
        ScoreSet::new(scores(0.5), scores(0.0)).unwrap()
    }

    #[test]
    fn thresholds_hold_on_the_held_out_half() {
        let rates = [FalseMatchRate::ONE_IN_100, FalseMatchRate::ONE_IN_1_000];
        let calibration = calibrate("even", &set(1_000_000), &set(50_000), &rates).unwrap();
        for (point, rate) in calibration.points().iter().zip(rates) {
            assert!(point.is_upheld() && point.fmr == rate);
            // An even spread has its quantile at 1 − rate/2; the bound lies above it, and not far.
            let quantile = 1.0 - 0.5 * rate.get();
            let threshold = f64::from(point.threshold.get());
            assert!(threshold > quantile && threshold < 1.0 - 0.4 * rate.get(), "{threshold}");
            // The genuine scores fill 0.5…1 evenly.
            assert!((point.fnmr - (threshold - 0.5) / 0.5).abs() < 1e-4);
        }
        let tail = calibration.impostor_tail();
        assert!((tail.one_in_1_000.unwrap().get() - 0.999).abs() < 1e-4);
        assert!((tail.one_in_10_000.unwrap().get() - 0.9999).abs() < 1e-4);
        assert_eq!((tail.one_in_100_000, tail.pairs), (None, 50_000));
    }

    #[test]
    fn a_rate_that_the_counts_do_not_carry_is_not_published() {
        let error = calibrate("even", &set(3000), &set(100_000), &[FalseMatchRate::ONE_IN_10_000]).unwrap_err();
        assert_eq!(error.code(), ErrorCode::TooFewComparisons);
        // 3,000 pairs pass the rule of three for 1 in 1,000, but not for half of it.
        let error = calibrate("even", &set(3000), &set(100_000), &[FalseMatchRate::ONE_IN_1_000]).unwrap_err();
        assert_eq!(error.code(), ErrorCode::TooFewComparisons);
    }

    #[test]
    fn a_held_out_half_that_matches_more_often_refuses_the_threshold() {
        let shifted = |by: f32| {
            let scores = set(100_000).impostor().iter().map(|s| Score::from_dot(s.get() + by)).collect();
            ScoreSet::new(set(10).genuine().to_vec(), scores).unwrap()
        };
        let rates = [FalseMatchRate::ONE_IN_100];
        assert!(calibrate("even", &set(100_000), &shifted(0.0), &rates).is_ok());
        let error = calibrate("even", &set(100_000), &shifted(0.01), &rates).unwrap_err();
        assert_eq!(error.code(), ErrorCode::TooFewComparisons);
        assert!(error.detail().contains("held-out"), "{error}");
    }

    #[test]
    fn rates_that_do_not_fall_are_no_calibration() {
        let rates = [FalseMatchRate::ONE_IN_1_000, FalseMatchRate::ONE_IN_100];
        assert_eq!(calibrate("even", &set(100_000), &set(100_000), &rates).unwrap_err().code(), ErrorCode::InvalidManifest);
        assert_eq!(calibrate("even", &set(10), &set(10), &[]).unwrap_err().code(), ErrorCode::InvalidManifest);
    }
}
