//! The losses. One that learns from labels is a [`Loss`], built by name from the table [`LOSSES`]; one file each.
//!
//! Those that only change the true class's logit are a [`margin::Margin`] inside a [`classifier::CosineClassifier`].
//! [`distillation`] learns from another network's embeddings and stands beside them.

mod arcface;
pub mod classifier;
pub mod distillation;
pub mod margin;

use serde::{Deserialize, Serialize};
use tch::{Tensor, nn};

use crate::error::{Error, Result};
pub use arcface::{ArcFace, Beyond};

/// What the configuration says about the loss on labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LossSettings {
    /// A name of [`LOSSES`].
    pub name: String,
    /// Length of an embedding.
    pub embedding: i64,
    /// Number of identities.
    pub classes: i64,
    /// s: what cosines are multiplied by.
    pub scale: f64,
    /// m: the margin at full strength, in the loss's own unit (radians for ArcFace).
    pub margin: f64,
    /// Steps over which the margin grows from 0 to `margin`.
    pub margin_warmup: u64,
    /// ArcFace past θ = π − m.
    pub beyond: Beyond,
}

impl LossSettings {
    /// How much of the margin is in force at a step: 0 to 1.
    pub fn strength(&self, step: u64) -> f64 {
        if step >= self.margin_warmup { 1.0 } else { step as f64 / self.margin_warmup as f64 }
    }
}

/// A loss on labelled embeddings.
pub trait Loss: std::fmt::Debug {
    /// The mean loss, a scalar, of raw embeddings `[n, d]` (`f32`) with identities `[n]` (`i64`) at this step.
    fn forward(&self, embeddings: &Tensor, identities: &Tensor, step: u64) -> Tensor;

    /// The class matrix `[classes, d]`, if the loss has one.
    fn class_weights(&self) -> Option<&Tensor> {
        None
    }
}

/// A loss that can be asked for by name.
pub struct Entry {
    /// The name in a configuration.
    pub name: &'static str,
    /// One line for `trainer list`.
    pub summary: &'static str,
    /// Makes its variables, if any, below the path.
    pub build: fn(&nn::Path<'_>, &LossSettings) -> Box<dyn Loss>,
}

/// Every loss on labels.
pub const LOSSES: &[Entry] = &[arcface::ENTRY];

/// Builds the loss that `settings` names.
pub fn build(path: &nn::Path<'_>, settings: &LossSettings) -> Result<Box<dyn Loss>> {
    let entry = LOSSES.iter().find(|entry| entry.name == settings.name).ok_or_else(|| {
        let names: Vec<_> = LOSSES.iter().map(|entry| entry.name).collect();
        Error::Config(format!("there is no loss {:?}; there are: {}", settings.name, names.join(", ")))
    })?;
    Ok((entry.build)(path, settings))
}
