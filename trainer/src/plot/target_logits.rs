//! The target logit over the angle, as margin losses shape it: figure 4 of the paper.

use super::{Axis, Chart, Curve};
use crate::loss::curves::figure_4;

/// The losses that the paper compares, every half degree.
pub fn chart() -> Chart {
    let degrees: Vec<f64> = (0..=360).map(|half| f64::from(half) / 2.0).collect();
    let curve = |logits: Vec<f64>| degrees.iter().copied().zip(logits).collect();
    let curves: Vec<Curve> = figure_4(&degrees).into_iter().map(|of| Curve::line(of.name, curve(of.logits))).collect();
    let least = curves.iter().flat_map(|curve| &curve.points).fold(0.0f64, |least, (_, logit)| least.min(*logit));
    Chart {
        title: "Target logit over s".into(),
        x: Axis::linear("θ, degrees", 0.0..180.0),
        y: Axis::linear("target logit / s", 1.05 * least..1.05),
        curves,
    }
}
