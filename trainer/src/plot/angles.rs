//! Angles between embeddings and their classes' centres at the start, the middle and the end of training: figure 4 of the paper.

use super::{Axis, Chart, Curve};
use crate::train::angles::{Angles, BIN_DEGREES};

/// The first, middle and last of the histograms, each by its step, as shares.
pub fn chart(log: &[(u64, Angles)]) -> Chart {
    let mut places = vec![0, log.len() / 2, log.len().saturating_sub(1)];
    places.dedup();
    let curves: Vec<Curve> = places
        .into_iter()
        .filter_map(|place| log.get(place))
        .map(|(step, angles)| {
            let all = angles.histogram.iter().sum::<u64>().max(1) as f64;
            let shares: Vec<f64> = angles.histogram.iter().map(|&count| count as f64 / all).collect();
            let name = format!("step {step}, mean {:.1}°", angles.mean_degrees());
            Curve::steps(name, 0.0, BIN_DEGREES, &shares)
        })
        .collect();
    let top = curves.iter().flat_map(|curve| &curve.points).fold(0.0f64, |top, (_, share)| top.max(*share));
    Chart {
        title: "Angle between an embedding and its class's centre".into(),
        x: Axis::linear("θ, degrees", 0.0..180.0),
        y: Axis::linear("share of chips", 0.0..1.1 * top),
        curves,
    }
}
