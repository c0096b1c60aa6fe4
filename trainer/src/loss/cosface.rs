//! CosFace: cos θ − m for the true class (Wang et al., arXiv 1801.09414, equation 4; also Wang et al., arXiv 1801.05599, as
//! AM-Softmax). m = 0.35 and s = 64 in the paper of ArcFace.

use tch::Tensor;

use super::Entry;
use super::classifier::{self, CosineLogits, Scale};
use super::margin::Margin;

pub(super) const ENTRY: Entry = Entry {
    name: "cosface",
    summary: "s·(cos θ − m) for the true class",
    alone: true,
    weight: 1.0,
    build: |path, settings| {
        let margin = CosFace { margin: settings.margin(0.35, 0.0..=1.0)? };
        let logits = CosineLogits { margin, strength: settings.warm_up(), scale: Scale::Fixed(settings.scale) };
        Ok(classifier::build(path, logits, settings))
    },
};

/// The additive cosine margin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CosFace {
    /// m, a difference of cosines.
    pub margin: f64,
}

impl Margin for CosFace {
    fn apply(&self, cosine: &Tensor, strength: f64) -> Tensor {
        cosine - self.margin * strength
    }
}
