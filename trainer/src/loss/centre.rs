//! Centre loss: half the mean squared distance of embeddings to their class's centre (Wen et al., ECCV 2016, equation 2), added to
//! softmax with λ = 0.003. The centres are no weights: after each step that was taken they move towards the embeddings by the paper's own rule
//! (equation 4, α = 0.5).

use std::cell::RefCell;

use tch::{Tensor, nn, no_grad};

use super::batch::same_identity;
use super::{Entry, Loss, LossSettings};
use crate::error::Error;

pub(super) const ENTRY: Entry = Entry {
    name: "centre",
    summary: "½‖x − c‖² to the class's moving centre",
    // Nothing else would keep all embeddings from falling into one point.
    alone: false,
    weight: 0.003,
    build: |path, settings| {
        if !(0.0..=1.0).contains(&settings.centre_rate) {
            return Err(Error::Config("`centre_rate` must lie in 0…1".into()));
        }
        Ok(Box::new(Centre::new(path, settings)))
    },
};

/// Moving class centres.
#[derive(Debug)]
pub struct Centre {
    centres: Tensor,
    rate: f64,
    /// The last batch's moves, one a sample, and its identities, until the step is taken.
    moves: RefCell<Option<(Tensor, Tensor)>>,
}

impl Centre {
    /// Makes `centres` below the path, `[classes, embedding]`, zeros, without gradient.
    pub fn new(path: &nn::Path<'_>, settings: &LossSettings) -> Self {
        let centres = path.zeros_no_train("centres", &[settings.classes, settings.embedding]);
        Centre { centres, rate: settings.centre_rate, moves: RefCell::new(None) }
    }

    /// α·(x − c) / (1 + number of the class's samples), of each sample.
    fn moves(&self, from_centres: &Tensor, identities: &Tensor) -> Tensor {
        no_grad(|| {
            let samples = same_identity(identities).sum_dim_intlist([1i64].as_slice(), true, from_centres.kind());
            from_centres / (samples + 1.0) * self.rate
        })
    }
}

impl Loss for Centre {
    fn forward(&self, embeddings: &Tensor, identities: &Tensor, _step: u64) -> Tensor {
        let from_centres = embeddings - self.centres.index_select(0, identities);
        let squares = from_centres.square().sum_dim_intlist([1i64].as_slice(), false, None);
        let loss = squares.mean(squares.kind()) / 2.0;
        let moves = self.moves(&from_centres.detach(), identities);
        *self.moves.borrow_mut() = Some((moves, identities.shallow_clone()));
        loss
    }

    /// c ← c − α·Σ(c − x) / (1 + number of its samples).
    fn step_taken(&self) {
        if let Some((moves, identities)) = self.moves.take() {
            let _ = no_grad(|| self.centres.shallow_clone().index_add_(0, &identities, &moves));
        }
    }
}
