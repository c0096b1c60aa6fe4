//! What a margin loss does to the cosine of the true class.

use tch::Tensor;

/// Maps cos θ between an embedding and its own class's centre to the value that takes its place before scaling.
pub trait Margin: std::fmt::Debug {
    /// `cosine` has any shape, values in −1…1. `strength`, 0 to 1, is the share of the margin in force; at 0 the cosine itself
    /// comes back. The derivative is the margin's own, and finite everywhere.
    fn apply(&self, cosine: &Tensor, strength: f64) -> Tensor;
}

/// The cosine as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMargin;

impl Margin for NoMargin {
    fn apply(&self, cosine: &Tensor, _strength: f64) -> Tensor {
        cosine.shallow_clone()
    }
}

/// sin θ of cos θ. The floor keeps the root's derivative finite at cos θ = ±1, where it is infinite; it moves no value by more
/// than 1e-6.
pub(super) fn sine(cosine: &Tensor) -> Tensor {
    (1f64 - cosine.square()).clamp_min(1e-12).sqrt()
}
