//! The target logit over the angle, as margin losses shape it: figure 4 of the paper.

use super::{Axis, Chart, Curve};
use crate::loss::margin::Margin;
use crate::loss::{ArcFace, Beyond};
use tch::Tensor;

/// Every half degree.
fn degrees() -> Vec<f64> {
    (0..=360).map(|half| f64::from(half) / 2.0).collect()
}

fn curve(name: &str, margin: &dyn Margin, strength: f64) -> Curve {
    let degrees = degrees();
    let cosines: Vec<f64> = degrees.iter().map(|degrees| degrees.to_radians().cos()).collect();
    let logits = margin.apply(&Tensor::from_slice(&cosines), strength);
    let points = degrees.iter().enumerate().map(|(place, &degrees)| (degrees, logits.double_value(&[place as i64])));
    Curve::line(name, points.collect())
}

/// The losses that the paper compares.
pub fn chart() -> Chart {
    let arcface = ArcFace { margin: 0.5, beyond: Beyond::Plain };
    let curves = vec![curve("softmax", &arcface, 0.0), curve("ArcFace, m = 0.5", &arcface, 1.0)];
    Chart {
        title: "Target logit over s".into(),
        x: Axis::linear("θ, degrees", 0.0..180.0),
        y: Axis::linear("target logit / s", -1.4..1.05),
        curves,
    }
}
