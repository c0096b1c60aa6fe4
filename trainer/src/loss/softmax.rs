//! Softmax with bias: the cross-entropy of W·x + b (arXiv 1801.07698v1, section 2).

use tch::{Reduction, Tensor, nn};

use super::classifier::class_matrix;
use super::{Entry, Loss, LossSettings};

pub(super) const ENTRY: Entry = Entry {
    name: "softmax",
    summary: "softmax of W·x + b",
    alone: true,
    weight: 1.0,
    build: |path, settings| Ok(Box::new(Softmax::new(path, settings))),
};

/// A linear classifier.
#[derive(Debug)]
pub struct Softmax {
    weights: Tensor,
    bias: Tensor,
}

impl Softmax {
    /// Makes `classes`, `[classes, embedding]`, and `bias`, `[classes]`, below the path.
    pub fn new(path: &nn::Path<'_>, settings: &LossSettings) -> Self {
        let weights = class_matrix(path, settings.classes, &(0..settings.classes), settings.embedding);
        Softmax { weights, bias: path.zeros("bias", &[settings.classes]) }
    }
}

impl Loss for Softmax {
    fn forward(&self, embeddings: &Tensor, identities: &Tensor, _step: u64) -> Tensor {
        let logits = embeddings.linear(&self.weights, Some(&self.bias));
        logits.cross_entropy_loss(identities, None::<Tensor>, Reduction::Mean, -100, 0.0)
    }

    fn class_weights(&self) -> Option<&Tensor> {
        Some(&self.weights)
    }
}
