//! ArcFace: cos(θ + m) for the true class (arXiv 1801.07698v1, section 2.5).

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::Entry;
use super::classifier::CosineClassifier;
use super::margin::Margin;

pub(super) const ENTRY: Entry = Entry {
    name: "arcface",
    summary: "ArcFace: s·cos(θ + m) for the true class",
    build: |path, settings| {
        let margin = ArcFace { margin: settings.margin, beyond: settings.beyond };
        Box::new(CosineClassifier::new(path, margin, settings))
    },
};

/// What holds past θ = π − m, where cos(θ + m) would rise again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Beyond {
    /// cos(θ + m) all the same, as the paper's formula says.
    #[default]
    Plain,
    /// cos θ − m·sin m, which goes on falling; the authors' code has it as `easy_margin = False`.
    Stable,
}

/// The additive angular margin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArcFace {
    /// m in radians.
    pub margin: f64,
    /// The form past π − m.
    pub beyond: Beyond,
}

impl Margin for ArcFace {
    fn apply(&self, cosine: &Tensor, strength: f64) -> Tensor {
        let m = self.margin * strength;
        // The floor keeps the root's derivative finite at cos θ = ±1, where it is infinite; it moves no value by more than 1e-6.
        let sine = (1f64 - cosine.square()).clamp_min(1e-12).sqrt();
        let plain = cosine * m.cos() - sine * m.sin();
        match self.beyond {
            Beyond::Plain => plain,
            Beyond::Stable => plain.where_self(&cosine.gt(-m.cos()), &(cosine - m * m.sin())),
        }
    }
}
