//! Two losses, one of them weighted: softmax with centre loss, for example.

use std::ops::Range;

use tch::Tensor;

use super::Loss;

/// `main` + `weight`·`added`.
#[derive(Debug)]
pub struct Sum {
    /// The loss that has the class matrix, if one has.
    pub main: Box<dyn Loss>,
    /// The auxiliary loss.
    pub added: Box<dyn Loss>,
    /// λ.
    pub weight: f64,
}

impl Loss for Sum {
    fn forward(&self, embeddings: &Tensor, identities: &Tensor, step: u64) -> Tensor {
        self.main.forward(embeddings, identities, step) + self.added.forward(embeddings, identities, step) * self.weight
    }

    fn step_taken(&self) {
        self.main.step_taken();
        self.added.step_taken();
    }

    fn class_weights(&self) -> Option<&Tensor> {
        self.main.class_weights()
    }

    fn classes_held(&self) -> Option<Range<i64>> {
        self.main.classes_held()
    }
}
