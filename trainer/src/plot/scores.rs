//! How the scores of one person and of two people are spread.

use serde::Serialize;
use veriface::Score;
use veriface::evaluation::ScoreSet;

use super::{Axis, Chart, Curve};

/// Counts of scores from −1 on, in bins of [`BIN`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Histogram {
    /// Width of a bin.
    pub bin: f64,
    /// Pairs of one person.
    pub genuine: Vec<u64>,
    /// Pairs of two.
    pub impostor: Vec<u64>,
}

/// Width of a bin.
pub const BIN: f64 = 0.02;

/// Counts the scores.
pub fn histogram(set: &ScoreSet) -> Histogram {
    let count = |scores: &[Score]| {
        let mut counts = vec![0; (2.0 / BIN).round() as usize];
        for score in scores {
            let bin = ((f64::from(score.get()) + 1.0) / BIN) as usize;
            let last = counts.len() - 1;
            counts[bin.min(last)] += 1;
        }
        counts
    };
    Histogram { bin: BIN, genuine: count(set.genuine()), impostor: count(set.impostor()) }
}

/// Both spreads, each as the share of its pairs in a bin.
pub fn chart(histogram: &Histogram) -> Chart {
    let shares = |counts: &[u64]| {
        let all = counts.iter().sum::<u64>().max(1) as f64;
        counts.iter().map(|&count| count as f64 / all).collect::<Vec<f64>>()
    };
    let (genuine, impostor) = (shares(&histogram.genuine), shares(&histogram.impostor));
    let top = genuine.iter().chain(&impostor).fold(0.0f64, |top, share| top.max(*share));
    let first = genuine.iter().zip(&impostor).position(|(a, b)| a + b > 0.0).unwrap_or(0);
    let start = (-1.0 + histogram.bin * first as f64 - 0.04).max(-1.0);
    Chart {
        title: "Comparison scores".into(),
        x: Axis::linear("score", start..1.0),
        y: Axis::linear("share of pairs", 0.0..1.1 * top),
        curves: vec![
            Curve::steps("one person", -1.0, histogram.bin, &genuine),
            Curve::steps("two people", -1.0, histogram.bin, &impostor),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_score_has_its_bin() {
        let scores = |values: &[f32]| values.iter().map(|&value| Score::new(value).expect("a score")).collect::<Vec<_>>();
        let set = ScoreSet::new(scores(&[1.0, 0.99, 0.011]), scores(&[-1.0, 0.0])).expect("a set");
        let histogram = histogram(&set);
        let bins =
            |counts: &[u64]| counts.iter().enumerate().filter(|(_, n)| **n > 0).map(|(bin, n)| (bin, *n)).collect::<Vec<_>>();
        assert_eq!(histogram.genuine.len(), 100);
        assert_eq!(bins(&histogram.genuine), [(50, 1), (99, 2)]);
        assert_eq!(bins(&histogram.impostor), [(0, 1), (50, 1)]);
        assert!(chart(&histogram).svg().expect("a picture").contains("two people"));
    }
}
