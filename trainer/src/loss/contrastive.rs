//! Contrastive loss: pairs of one identity attract, pairs of two repel up to a distance (Hadsell, Chopra, LeCun, CVPR 2006, equation
//! 4; on faces Sun et al., arXiv 1406.4773).
//!
//! The mean over the batch's pairs of ½·d² for one identity, ½·max(0, m − d)² for two; d between unit embeddings. A batch needs
//! several pictures of an identity: [`crate::data::balanced`].

use tch::Tensor;

use super::batch::{distances, same_identity};
use super::classifier::unit_rows;
use super::{Entry, Loss};
use crate::error::Error;

pub(super) const ENTRY: Entry = Entry {
    name: "contrastive",
    summary: "½d² for pairs of one identity, ½max(0, m − d)² for two",
    alone: true,
    weight: 1.0,
    build: |_, settings| {
        if !(0.0..=2.0).contains(&settings.contrastive_margin) {
            return Err(Error::Config("`contrastive_margin` must lie in 0…2".into()));
        }
        Ok(Box::new(Contrastive { margin: settings.contrastive_margin }))
    },
};

/// A distance that is far enough.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contrastive {
    /// m, a distance between unit vectors (0…2).
    pub margin: f64,
}

impl Loss for Contrastive {
    fn forward(&self, embeddings: &Tensor, identities: &Tensor, _step: u64) -> Tensor {
        let distances = distances(&unit_rows(embeddings));
        let attract = distances.square();
        let repel = (self.margin - distances).relu().square();
        let terms = attract.where_self(&same_identity(identities), &repel) / 2.0;
        let n = identities.size()[0];
        terms.triu(1).sum(terms.kind()) / (n * (n - 1) / 2).max(1) as f64
    }
}
