//! What a count carries: confidence intervals of a proportion, and the least rate that so many trials can show.

use serde::Serialize;

use crate::decide::FalseMatchRate;
use crate::error::{Error, ErrorCode, Result};

/// The standard normal's 97.5 % quantile: what a two-sided 95 % interval reaches to.
const Z_95: f64 = 1.959_963_984_540_054;

/// A two-sided 95 % confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The lower bound.
    pub lower: f64,
    /// The upper bound.
    pub upper: f64,
}

/// The 95 % interval of Wilson (1927) for a proportion, of `events` seen in `trials`. Unlike the normal approximation it stays
/// within 0…1 and holds for rare events; like it, it takes the trials for independent, which comparisons that share pictures or
/// people are not: [`super::Bootstrap`] accounts for that. Without trials it is 0…1.
pub fn wilson(events: u64, trials: u64) -> Interval {
    if trials == 0 {
        return Interval { lower: 0.0, upper: 1.0 };
    }
    let (n, events) = (trials as f64, events.min(trials));
    let share = events as f64 / n;
    let z_squared = Z_95 * Z_95;
    let center = share + z_squared / (2.0 * n);
    let reach = Z_95 * (share * (1.0 - share) / n + z_squared / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z_squared / n;
    // The bounds at the ends are exactly 0 and 1; rounding would leave them a little beside.
    Interval {
        lower: if events == 0 { 0.0 } else { ((center - reach) / scale).clamp(0.0, share) },
        upper: if events == trials { 1.0 } else { ((center + reach) / scale).clamp(share, 1.0) },
    }
}

/// The rule of three: the least rate that `trials` can speak of, 3 / trials. A rate that low shows itself as no event at all in
/// one of twenty such counts, so a claim below it rests on nothing. 1 when there are fewer than three trials.
pub fn least_measurable_rate(trials: u64) -> f64 {
    (3.0 / trials.max(1) as f64).min(1.0)
}

/// Refuses a rate that the impostor comparisons are too few for.
pub(super) fn require_measurable(rate: FalseMatchRate, impostor_pairs: u64) -> Result<()> {
    // 3/3000 and 1e-3 are one rate that rounds in two ways.
    if rate.get() * (1.0 + 1e-9) >= least_measurable_rate(impostor_pairs) {
        return Ok(());
    }
    let needed = (3.0 / rate.get() * (1.0 - 1e-9)).ceil();
    Err(Error::new(
        ErrorCode::TooFewComparisons,
        format!("a rate of {rate} needs {needed:.0} impostor pairs, there are {impostor_pairs}"),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ends_are_exact() {
        assert_eq!(wilson(0, 100).lower, 0.0);
        assert_eq!(wilson(100, 100).upper, 1.0);
        assert_eq!(wilson(0, 0), Interval { lower: 0.0, upper: 1.0 });
    }

    #[test]
    fn the_rule_of_three() {
        let rate = |rate| FalseMatchRate::new(rate).unwrap();
        assert!(require_measurable(rate(1e-3), 3000).is_ok());
        assert!(require_measurable(rate(1e-6), 3_000_000).is_ok());
        let error = require_measurable(rate(1e-4), 3000).unwrap_err();
        assert_eq!(error.code(), ErrorCode::TooFewComparisons);
        assert!(error.detail().contains("needs 30000 impostor pairs, there are 3000"), "{error}");
        assert!(require_measurable(rate(1.0), 0).is_ok());
    }

    proptest! {
        #[test]
        fn bounds_bracket_the_share_and_narrow_with_trials(events in 0u64..1000, more in 0u64..1000) {
            let trials = (events + more).max(1);
            let (few, many) = (wilson(events, trials), wilson(events * 100, trials * 100));
            let share = events as f64 / trials as f64;
            prop_assert!(few.lower <= share && share <= few.upper);
            prop_assert!(many.upper - many.lower < few.upper - few.lower);
            // Seen from the other side, the same interval.
            let other = wilson(trials - events, trials);
            prop_assert!((1.0 - other.upper - few.lower).abs() < 1e-12);
        }
    }
}
