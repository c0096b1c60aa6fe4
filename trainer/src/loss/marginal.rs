//! Marginal loss: pairs on the wrong side of a threshold on distance, or too near to it, pay (Deng, Zhou, Zafeiriou, CVPR Workshops
//! 2017), added to softmax with λ = 1.
//!
//! 1/(n² − n)·Σ over i ≠ j of max(0, ξ − y·(θ − ‖x̂ᵢ − x̂ⱼ‖²)), y = 1 for one identity and −1 for two, x̂ the unit embedding.
//! The defaults (θ = 1.2, ξ = 0.3) could not be checked against the paper.

use tch::Tensor;

use super::batch::{same_identity, squared_distances};
use super::classifier::unit_rows;
use super::{Entry, Loss};
use crate::error::Error;

pub(super) const ENTRY: Entry = Entry {
    name: "marginal",
    summary: "pairs keep ξ from the distance threshold θ",
    alone: true,
    weight: 1.0,
    build: |_, settings| {
        let Marginal { threshold, margin } = settings.marginal;
        if !((0.0..=4.0).contains(&threshold) && (0.0..=4.0).contains(&margin)) {
            return Err(Error::Config("`marginal_threshold` and `marginal_margin` must lie in 0…4".into()));
        }
        Ok(Box::new(settings.marginal))
    },
};

/// The threshold and its margin, squared distances of unit vectors (0…4).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Marginal {
    /// θ.
    pub threshold: f64,
    /// ξ.
    pub margin: f64,
}

impl Loss for Marginal {
    fn forward(&self, embeddings: &Tensor, identities: &Tensor, _step: u64) -> Tensor {
        let inside = self.threshold - squared_distances(&unit_rows(embeddings));
        let sign = same_identity(identities).to_kind(embeddings.kind()) * 2.0 - 1.0;
        let n = identities.size()[0];
        let others = 1.0 - Tensor::eye(n, (embeddings.kind(), embeddings.device()));
        let terms: Tensor = (self.margin - inside * sign).relu() * others;
        terms.sum(embeddings.kind()) / (n * (n - 1)).max(1) as f64
    }
}
