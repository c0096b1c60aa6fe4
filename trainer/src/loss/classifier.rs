//! Softmax over scaled cosines to class centres, the true class's changed by a margin.

use tch::{Reduction, Tensor, nn};

use super::margin::Margin;
use super::{Loss, LossSettings};

/// A class matrix and a margin.
#[derive(Debug)]
pub struct CosineClassifier<M> {
    weights: Tensor,
    margin: M,
    settings: LossSettings,
}

impl<M: Margin> CosineClassifier<M> {
    /// Makes `classes` below the path, `[classes, embedding]`, normal with deviation 0.01 as in the authors' code.
    pub fn new(path: &nn::Path<'_>, margin: M, settings: &LossSettings) -> Self {
        let shape = [settings.classes, settings.embedding];
        let weights = path.var("classes", &shape, nn::Init::Randn { mean: 0.0, stdev: 0.01 });
        CosineClassifier { weights, margin, settings: settings.clone() }
    }
}

impl<M: Margin> Loss for CosineClassifier<M> {
    fn forward(&self, embeddings: &Tensor, identities: &Tensor, step: u64) -> Tensor {
        let cosines = unit_rows(embeddings).matmul(&unit_rows(&self.weights).tr());
        let index = identities.unsqueeze(1);
        let own = self.margin.apply(&cosines.gather(1, &index, false), self.settings.strength(step));
        let logits = cosines.scatter(1, &index, &own) * self.settings.scale;
        logits.cross_entropy_loss(identities, None::<Tensor>, Reduction::Mean, -100, 0.0)
    }

    fn class_weights(&self) -> Option<&Tensor> {
        Some(&self.weights)
    }
}

/// Rows divided by their lengths; a zero row stays zero, with a finite derivative.
pub fn unit_rows(rows: &Tensor) -> Tensor {
    let length = rows.square().sum_dim_intlist([1i64].as_slice(), true, None).clamp_min(1e-24).sqrt();
    rows / length
}
