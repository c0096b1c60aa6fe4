//! Triplet loss with semi-hard negatives of the batch (Schroff et al., arXiv 1503.03832, equations 3 and 4, section 3.2), by which
//! ArcFace's authors also fine-tune trained nets.
//!
//! For each anchor a and other picture p of its identity: max(0, d(a, p) − d(a, n) + α), d squared between unit embeddings; the mean
//! over all (a, p). The negative n is the nearest of those farther than p (semi-hard); where every negative is nearer than p, the
//! farthest, which is the mildest of the hard ones.
//!
//! What the sampler must give: batches of P identities with K pictures each, P and K at least 2. A batch without a pair, or of one
//! identity, teaches nothing. [`crate::data::balanced`] gives them; the authors take K = 5 and α = 0.3.

use tch::{Kind, Tensor, no_grad};

use super::batch::{same_identity, squared_distances};
use super::classifier::unit_rows;
use super::{Entry, Loss};
use crate::error::Error;

pub(super) const ENTRY: Entry = Entry {
    name: "triplet",
    summary: "the semi-hard negative lies α farther than the positive",
    alone: true,
    weight: 1.0,
    build: |_, settings| {
        if !(0.0..=4.0).contains(&settings.triplet_margin) {
            return Err(Error::Config("`triplet_margin` must lie in 0…4".into()));
        }
        Ok(Box::new(Triplet { margin: settings.triplet_margin }))
    },
};

/// How much farther the negative should lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Triplet {
    /// α, a difference of squared distances of unit vectors (0…4).
    pub margin: f64,
}

impl Loss for Triplet {
    fn forward(&self, embeddings: &Tensor, identities: &Tensor, _step: u64) -> Tensor {
        let distances = squared_distances(&unit_rows(embeddings));
        let same = same_identity(identities);
        let (negatives, _) = distances.masked_fill(&same, f64::INFINITY).sort(1, false);
        let (chosen, positive) = no_grad(|| {
            let farthest = same.logical_not().sum_dim_intlist([1i64].as_slice(), true, Kind::Int64) - 1;
            let semi_hard = distances.contiguous().searchsorted(&negatives.contiguous(), false, true, "right", None::<Tensor>);
            let chosen = semi_hard.minimum(&farthest).clamp_min(0);
            let itself = Tensor::eye(identities.size()[0], (Kind::Float, embeddings.device())).ge(0.5);
            // Without a negative there is no triplet.
            (chosen, same.logical_and(&itself.logical_not()).logical_and(&farthest.ge(0)))
        });
        let terms = (&distances - negatives.gather(1, &chosen, false) + self.margin).relu();
        let terms = terms.where_self(&positive, &distances.zeros_like());
        terms.sum(terms.kind()) / positive.sum(terms.kind()).clamp_min(1.0)
    }
}
