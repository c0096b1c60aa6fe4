//! Error rates over the threshold: the ROC and DET curves.

use veriface::evaluation::{ErrorRates, ScoreSet};

use super::{Axis, Chart, Curve};

/// More points than this cannot be told apart on the page.
const POINTS: usize = 400;

/// The ROC: true-acceptance rate over false-match rate, the latter by its logarithm from the least that the pairs show.
pub fn roc(sets: &[(&str, &ScoreSet)]) -> Chart {
    let curves: Vec<Curve> =
        sets.iter().map(|(name, set)| Curve::line(*name, thinned(set, |at| (at.fmr, 1.0 - at.fnmr)))).collect();
    let lowest = curves.iter().filter_map(|curve| curve.points.first()).map(|(_, tar)| *tar).fold(1.0, f64::min);
    let floor = [0.9, 0.5].into_iter().find(|floor| lowest > *floor).unwrap_or(0.0);
    Chart {
        title: "ROC".into(),
        x: Axis::logarithmic("false-match rate", least(sets)..1.0),
        y: Axis::linear("true-acceptance rate", floor..1.0),
        curves,
    }
}

/// The detection-error trade-off (ISO/IEC 19795-1): false non-match rate over false-match rate, both by their logarithm.
pub fn det(sets: &[(&str, &ScoreSet)]) -> Chart {
    let curves: Vec<Curve> = sets.iter().map(|(name, set)| Curve::line(*name, thinned(set, |at| (at.fmr, at.fnmr)))).collect();
    let genuine = sets.iter().map(|(_, set)| set.genuine().len()).max().unwrap_or(1);
    Chart {
        title: "Detection-error trade-off".into(),
        x: Axis::logarithmic("false-match rate", least(sets)..1.0),
        y: Axis::logarithmic("false non-match rate", 1.0 / genuine as f64..1.0),
        curves,
    }
}

/// One impostor pair's share.
fn least(sets: &[(&str, &ScoreSet)]) -> f64 {
    let impostors = sets.iter().map(|(_, set)| set.impostor().len()).max().unwrap_or(1);
    1.0 / impostors.max(1) as f64
}

/// Points of the curve from the first false match on, at most [`POINTS`], even in the logarithm of the false-match rate.
fn thinned(set: &ScoreSet, point: impl Fn(&ErrorRates) -> (f64, f64)) -> Vec<(f64, f64)> {
    let curve = set.curve();
    let step = (set.impostor().len() as f64).ln().max(1.0) / POINTS as f64;
    let mut points = Vec::new();
    let mut next = f64::NEG_INFINITY;
    // Before the first false match lies the best rate without one.
    let start = curve.iter().rposition(|at| at.fmr == 0.0).unwrap_or(0);
    for at in curve.iter().skip(start) {
        if at.fmr == 0.0 || at.fmr.ln() >= next {
            points.push(point(at));
            next = if at.fmr == 0.0 { next } else { at.fmr.ln() + step };
        }
    }
    points.extend(curve.last().map(&point));
    points
}

#[cfg(test)]
mod tests {
    use super::*;
    use veriface::Score;

    #[test]
    fn curves_are_thin_and_keep_their_ends() {
        let scores =
            |n: usize, from: f32| (0..n).map(|i| Score::new(from + 0.5 * i as f32 / n as f32).expect("a score")).collect();
        let set = ScoreSet::new(scores(3000, 0.2), scores(3000, 0.0)).expect("a set");
        let chart = roc(&[("even", &set)]);
        let points = &chart.curves[0].points;
        assert!(points.len() <= POINTS + 2 && points.len() > 100, "{}", points.len());
        assert_eq!(points.last(), Some(&(1.0, 1.0)));
        // Without a false match the genuine scores of 0.5 and above are accepted: 0.2 of 0.5.
        assert!(points[0].0 == 0.0 && (points[0].1 - 0.4).abs() < 0.01, "{:?}", points[0]);
        assert!(points.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1));
        assert_eq!(det(&[("even", &set)]).x.range.start, 1.0 / 3000.0);
    }
}
