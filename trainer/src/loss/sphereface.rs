//! SphereFace: ψ(θ), a falling continuation of cos(mθ), for the true class (Liu et al., arXiv 1704.08063, equation 7).
//!
//! ψ(θ) = (−1)ᵏ·cos(mθ) − 2k for θ in kπ/m … (k + 1)π/m, blended with cos θ by the annealed λ of [`super::strength`]. As published
//! the embedding keeps its length; SphereFace-FNorm, in the paper of ArcFace, gives all the same length s.

use std::f64::consts::PI;

use tch::Tensor;

use super::classifier::{self, CosineLogits, Scale};
use super::margin::Margin;
use super::{Entry, Loss, LossSettings};
use crate::error::{Error, Result};

pub(super) const ENTRY: Entry = Entry {
    name: "sphereface",
    summary: "‖x‖·ψ(θ) for the true class, m = 4, λ annealed",
    alone: true,
    weight: 1.0,
    build: |path, settings| build(path, settings, Scale::Length),
};

pub(super) const FNORM: Entry = Entry {
    name: "sphereface-fnorm",
    summary: "s·ψ(θ) for the true class, m = 4, λ annealed",
    alone: true,
    weight: 1.0,
    build: |path, settings| build(path, settings, Scale::Fixed(settings.scale)),
};

fn build(path: &tch::nn::Path<'_>, settings: &LossSettings, scale: Scale) -> Result<Box<dyn Loss>> {
    let multiple = settings.margin(4.0, 1.0..=8.0)?;
    if multiple.fract() != 0.0 {
        return Err(Error::Config(format!("`margin` of {} is a multiple of the angle: 1, 2, 3 … 8", settings.name)));
    }
    let logits = CosineLogits { margin: SphereFace { multiple: multiple as u32 }, strength: settings.lambda, scale };
    Ok(classifier::build(path, logits, settings))
}

/// The multiplicative angular margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SphereFace {
    /// m, 1 or more.
    pub multiple: u32,
}

impl SphereFace {
    /// ψ(θ). cos(mθ) is the Chebyshev polynomial of cos θ, so that no arc cosine, whose derivative is infinite at ±1, is taken.
    fn psi(self, cosine: &Tensor) -> Tensor {
        let (mut before, mut polynomial) = (cosine.ones_like(), cosine.shallow_clone());
        for _ in 1..self.multiple {
            let next = cosine * &polynomial * 2.0 - before;
            before = std::mem::replace(&mut polynomial, next);
        }
        let mut k = cosine.zeros_like();
        for turn in 1..self.multiple {
            k += cosine.lt((f64::from(turn) * PI / f64::from(self.multiple)).cos()).to_kind(cosine.kind());
        }
        let sign = 1.0 - k.remainder(2.0) * 2.0;
        sign * polynomial - k * 2.0
    }
}

impl Margin for SphereFace {
    fn apply(&self, cosine: &Tensor, strength: f64) -> Tensor {
        cosine * (1.0 - strength) + self.psi(cosine) * strength
    }
}
