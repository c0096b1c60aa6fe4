//! What a margin loss does to the cosine of the true class.

use tch::Tensor;

/// Maps cos θ between an embedding and its own class's centre to the value that takes its place before scaling.
pub trait Margin: std::fmt::Debug {
    /// `cosine` has any shape, values in −1…1. `strength`, 0 to 1, is the share of the margin in force; at 0 the cosine itself
    /// comes back. The derivative is the margin's own, and finite everywhere.
    fn apply(&self, cosine: &Tensor, strength: f64) -> Tensor;
}
