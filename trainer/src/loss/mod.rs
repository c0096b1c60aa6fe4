//! The losses. One that learns from labels is a [`Loss`], built by name from the table [`LOSSES`]; one file each.
//!
//! Those that only change the true class's logit are a [`margin::Margin`], put on the cosines of [`classifier`], whole or in shards
//! ([`partial_fc`]). Those on pairs and triplets of a batch have no class matrix; added to another loss they are auxiliary
//! ([`Sum`]). [`distillation`] learns from another network's embeddings and stands beside them all.

mod arcface;
mod batch;
mod centre;
pub mod classifier;
mod combined;
mod contrastive;
mod cosface;
pub mod curves;
pub mod distillation;
pub mod margin;
mod marginal;
mod normalised_softmax;
pub mod partial_fc;
mod range;
mod softmax;
mod sphereface;
pub mod strength;
mod sum;
mod triplet;

use std::ops::RangeInclusive;

use tch::{Tensor, nn};

use crate::error::{Error, Result};
use crate::train::group::Group;
pub use arcface::{ArcFace, Beyond};
pub use centre::Centre;
pub use combined::Combined;
pub use contrastive::Contrastive;
pub use cosface::CosFace;
pub use marginal::Marginal;
pub use range::Range;
pub use softmax::Softmax;
pub use sphereface::SphereFace;
use strength::Strength;
pub use sum::Sum;
pub use triplet::Triplet;

/// What the configuration says about the loss on labels.
#[derive(Debug, Clone, PartialEq)]
pub struct LossSettings {
    /// A name of [`LOSSES`].
    pub name: String,
    /// Another one, to add; empty: none.
    pub auxiliary: String,
    /// What that one is multiplied by; none: by what its paper says.
    pub auxiliary_weight: Option<f64>,
    /// Length of an embedding.
    pub embedding: i64,
    /// Number of identities.
    pub classes: i64,
    /// s: what cosines are multiplied by.
    pub scale: f64,
    /// m: the margin at full strength, in the loss's own unit; none: what its paper says.
    pub margin: Option<f64>,
    /// m₁, m₂ and m₃ of the combined margin.
    pub margins: [f64; 3],
    /// Steps over which the margin grows from 0; SphereFace has `lambda` instead.
    pub margin_warmup: u64,
    /// SphereFace's annealing.
    pub lambda: Strength,
    /// ArcFace past θ = π − m.
    pub beyond: Beyond,
    /// α of centre loss: how far a centre moves towards its samples.
    pub centre_rate: f64,
    /// Range loss.
    pub range: Range,
    /// Marginal loss.
    pub marginal: Marginal,
    /// m of contrastive loss, a distance of unit vectors.
    pub contrastive_margin: f64,
    /// α of triplet loss, a difference of squared distances of unit vectors.
    pub triplet_margin: f64,
    /// Parts of the class matrix.
    pub shards: i64,
    /// Share of the classes that is used at a step.
    pub sampled: f64,
    /// Drives that choice.
    pub seed: u64,
    /// The processes that share the classes.
    pub group: Group,
}

impl LossSettings {
    /// The margin, or the usual one where none is set; an error outside `range`.
    fn margin(&self, usual: f64, range: RangeInclusive<f64>) -> Result<f64> {
        let margin = self.margin.unwrap_or(usual);
        if !range.contains(&margin) {
            let (least, most) = range.into_inner();
            return Err(Error::Config(format!("`margin` must lie in {least}…{most} for {}", self.name)));
        }
        Ok(margin)
    }

    fn warm_up(&self) -> Strength {
        Strength::Linear { steps: self.margin_warmup }
    }

    fn check(&self) -> Result<()> {
        let refuse = |reason: &str| Err(Error::Config(reason.to_owned()));
        match self {
            s if !(s.scale > 0.0 && s.scale.is_finite()) => refuse("`loss_scale` must be above 0"),
            s if s.shards < 1 => refuse("`class_shards` must be 1 or more"),
            s if !(s.sampled > 0.0 && s.sampled <= 1.0) => refuse("`class_share` must lie in 0 < share ≤ 1"),
            s if s.auxiliary_weight.is_some_and(|weight| !(weight >= 0.0 && weight.is_finite())) => {
                refuse("`auxiliary_weight` must be 0 or more")
            }
            s => match s.lambda {
                Strength::Annealed { start, end, decay } => {
                    let possible = start.is_finite() && (0.0..=start).contains(&end) && (0.0..=f64::MAX).contains(&decay);
                    let reason = "`lambda_start` must be `lambda_end` or more, that and `lambda_decay` 0 or more";
                    if possible { Ok(()) } else { refuse(reason) }
                }
                Strength::Linear { .. } => Ok(()),
            },
        }
    }
}

/// A loss on labelled embeddings.
pub trait Loss: std::fmt::Debug {
    /// The mean loss, a scalar, of raw embeddings `[n, d]` (`f32`, or the variables' kind) with identities `[n]` (`i64`) at this
    /// step of the training. Called once a step, and changes no variable.
    fn forward(&self, embeddings: &Tensor, identities: &Tensor, step: u64) -> Tensor;

    /// The optimiser has taken the step of the last [`Loss::forward`]: the place to move what has no gradient. A step that is skipped
    /// comes to no call.
    fn step_taken(&self) {}

    /// The class matrix `[classes, d]`, if the loss has one.
    fn class_weights(&self) -> Option<&Tensor> {
        None
    }

    /// The classes whose rows these are, where that is part of a group's.
    fn classes_held(&self) -> Option<std::ops::Range<i64>> {
        None
    }
}

/// A loss that can be asked for by name.
pub struct Entry {
    /// The name in a configuration.
    pub name: &'static str,
    /// One line for `trainer list`.
    pub summary: &'static str,
    /// Whether it can teach a network without another loss beside it.
    pub alone: bool,
    /// λ: its weight as an auxiliary loss, by its paper.
    pub weight: f64,
    /// Makes its variables, if any, below the path; an error for settings out of range.
    pub build: fn(&nn::Path<'_>, &LossSettings) -> Result<Box<dyn Loss>>,
}

/// Every loss on labels.
pub const LOSSES: &[Entry] = &[
    softmax::ENTRY,
    normalised_softmax::ENTRY,
    sphereface::ENTRY,
    sphereface::FNORM,
    cosface::ENTRY,
    arcface::ENTRY,
    combined::ENTRY,
    centre::ENTRY,
    range::ENTRY,
    marginal::ENTRY,
    contrastive::ENTRY,
    triplet::ENTRY,
];

/// Builds the loss that `settings` names, and the auxiliary one if there is one; that one's variables lie below `auxiliary`.
pub fn build(path: &nn::Path<'_>, settings: &LossSettings) -> Result<Box<dyn Loss>> {
    settings.check()?;
    let entry = entry(&settings.name)?;
    if !entry.alone {
        let reason = format!("{} cannot teach alone: set `loss = \"softmax\"` and `auxiliary = {:?}`", entry.name, entry.name);
        return Err(Error::Config(reason));
    }
    let main = shared((entry.build)(path, settings)?, &settings.group);
    if settings.auxiliary.is_empty() {
        return Ok(main);
    }
    let auxiliary = self::entry(&settings.auxiliary)?;
    let added = shared((auxiliary.build)(&(path / "auxiliary"), settings)?, &settings.group);
    Ok(Box::new(Sum { main, added, weight: settings.auxiliary_weight.unwrap_or(auxiliary.weight) }))
}

/// In a group, the sum of the processes' gradients must be the whole gradient: what all compute alike counts a part in each.
fn shared(loss: Box<dyn Loss>, group: &Group) -> Box<dyn Loss> {
    if group.size() == 1 || loss.classes_held().is_some() {
        loss
    } else {
        Box::new(Shared { loss, part: 1.0 / group.size() as f64 })
    }
}

/// A loss that every process computes whole.
#[derive(Debug)]
struct Shared {
    loss: Box<dyn Loss>,
    part: f64,
}

impl Loss for Shared {
    fn forward(&self, embeddings: &Tensor, identities: &Tensor, step: u64) -> Tensor {
        let loss = self.loss.forward(embeddings, identities, step);
        loss.detach() + (&loss - loss.detach()) * self.part
    }

    fn step_taken(&self) {
        self.loss.step_taken();
    }

    fn class_weights(&self) -> Option<&Tensor> {
        self.loss.class_weights()
    }
}

fn entry(name: &str) -> Result<&'static Entry> {
    LOSSES.iter().find(|entry| entry.name == name).ok_or_else(|| {
        let names: Vec<_> = LOSSES.iter().map(|entry| entry.name).collect();
        Error::Config(format!("there is no loss {name:?}; there are: {}", names.join(", ")))
    })
}
