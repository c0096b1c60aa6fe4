//! The target logit over the angle: figure 4 of the paper (arXiv 1801.07698v1).

use tch::Tensor;

use super::arcface::{ArcFace, Beyond};
use super::cosface::CosFace;
use super::margin::{Margin, NoMargin};
use super::sphereface::SphereFace;
use super::strength::Strength;

/// One loss's curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// The loss and its margin, for a legend.
    pub name: &'static str,
    /// The target logit over s at the asked angles.
    pub logits: Vec<f64>,
}

/// The target logit over s, where the angle between embedding and own class's centre is `degrees`, 0…180 each.
pub fn target_logits(margin: &dyn Margin, strength: f64, degrees: &[f64]) -> Vec<f64> {
    let cosines: Vec<f64> = degrees.iter().map(|degrees| degrees.to_radians().cos()).collect();
    let targets = margin.apply(&Tensor::from_slice(&cosines), strength);
    (0..cosines.len()).map(|index| targets.double_value(&[index as i64])).collect()
}

/// The curves of the losses that the paper compares, each at full strength; SphereFace at its last λ, 5.
pub fn figure_4(degrees: &[f64]) -> Vec<Curve> {
    let last_lambda = Strength::Annealed { start: 5.0, end: 5.0, decay: 0.0 }.at(0);
    let arcface = ArcFace { margin: 0.5, beyond: Beyond::Plain };
    let curves: [(&'static str, &dyn Margin, f64); 4] = [
        ("softmax", &NoMargin, 1.0),
        ("SphereFace, m = 4, λ = 5", &SphereFace { multiple: 4 }, last_lambda),
        ("CosFace, m = 0.35", &CosFace { margin: 0.35 }, 1.0),
        ("ArcFace, m = 0.5", &arcface, 1.0),
    ];
    curves.map(|(name, margin, strength)| Curve { name, logits: target_logits(margin, strength, degrees) }).into()
}
