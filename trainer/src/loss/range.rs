//! Range loss: within each class the largest distances shrink, and the two nearest classes of the batch part (Zhang et al., arXiv
//! 1611.08976), added to softmax with λ = 1.
//!
//! α·Σ over classes of k / Σⱼ 1/Dⱼ, the harmonic mean of the k largest squared distances (k = 2), plus β·max(0, m − D), D the least
//! squared distance between class means of the batch. The embeddings keep their lengths. The defaults (m = 20,000, α = 5e-5,
//! β = 1e-4) suit long embeddings; they could not be checked against the paper.

use std::collections::BTreeMap;

use tch::Tensor;

use super::batch::{numbers, squared_distances};
use super::{Entry, Loss};
use crate::error::Error;

pub(super) const ENTRY: Entry = Entry {
    name: "range",
    summary: "harmonic mean of the largest distances within classes, hinge between the nearest two",
    alone: true,
    weight: 1.0,
    build: |_, settings| {
        let range = settings.range;
        if range.largest < 1 || ![range.margin, range.within, range.between].iter().all(|v| *v >= 0.0 && v.is_finite()) {
            return Err(Error::Config("`range_largest` must be 1 or more, the other `range_` keys 0 or more".into()));
        }
        Ok(Box::new(range))
    },
};

/// A class of equal embeddings has range 0, at which the harmonic mean has no derivative; this much stands for it.
const LEAST: f64 = 1e-12;

/// The two terms' settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// k: how many of a class's largest distances count.
    pub largest: i64,
    /// m: the squared distance that class means should keep.
    pub margin: f64,
    /// α, of the term within classes.
    pub within: f64,
    /// β, of the term between classes.
    pub between: f64,
}

impl Loss for Range {
    fn forward(&self, embeddings: &Tensor, identities: &Tensor, _step: u64) -> Tensor {
        let mut classes = BTreeMap::<i64, Vec<i64>>::new();
        for (sample, identity) in numbers(identities).into_iter().enumerate() {
            classes.entry(identity).or_default().push(sample as i64);
        }
        let mut loss = embeddings.sum(embeddings.kind()) * 0.0;
        let mut means = Vec::new();
        for samples in classes.values() {
            let class = embeddings.index_select(0, &Tensor::from_slice(samples).to_device(embeddings.device()));
            means.push(class.mean_dim([0i64].as_slice(), false, None));
            let distances = between_pairs(&class);
            let k = self.largest.min(distances.size()[0]);
            if k > 0 {
                let (largest, _) = distances.clamp_min(LEAST).topk(k, 0, true, true);
                loss += (largest.reciprocal().sum(loss.kind()) / k as f64).reciprocal() * self.within;
            }
        }
        if means.len() > 1 {
            let nearest = between_pairs(&Tensor::stack(&means, 0)).min();
            loss += (self.margin - nearest).relu() * self.between;
        }
        loss
    }
}

/// The squared distance of each pair of rows, once.
fn between_pairs(rows: &Tensor) -> Tensor {
    let distances = squared_distances(rows);
    distances.masked_select(&distances.ones_like().triu(1).ge(0.5))
}
