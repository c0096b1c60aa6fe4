//! The combined margin: cos(m₁·θ + m₂) − m₃ for the true class, which holds SphereFace (m₁), ArcFace (m₂) and CosFace (m₃) as special
//! cases where m₁·θ + m₂ ≤ π (Deng et al., arXiv 1801.07698v3, equation 4; 1, 0.3 and 0.2 in the authors' configuration).

use tch::Tensor;

use super::Entry;
use super::classifier::{self, CosineLogits, Scale};
use super::margin::{Margin, sine};
use crate::error::Error;

pub(super) const ENTRY: Entry = Entry {
    name: "combined",
    summary: "s·(cos(m₁·θ + m₂) − m₃) for the true class",
    alone: true,
    weight: 1.0,
    build: |path, settings| {
        let [multiple, angle, cosine] = settings.margins;
        if !((1.0..=8.0).contains(&multiple) && (0.0..=1.57).contains(&angle) && (0.0..=1.0).contains(&cosine)) {
            return Err(Error::Config("`margins` must lie in 1…8, 0…1.57 and 0…1".into()));
        }
        let margin = Combined { multiple, angle, cosine };
        let logits = CosineLogits { margin, strength: settings.warm_up(), scale: Scale::Fixed(settings.scale) };
        Ok(classifier::build(path, logits, settings))
    },
};

/// All three margins. Past m₁·θ + m₂ = π the value rises again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Combined {
    /// m₁, 1 or more.
    pub multiple: f64,
    /// m₂ in radians.
    pub angle: f64,
    /// m₃, a difference of cosines.
    pub cosine: f64,
}

impl Margin for Combined {
    fn apply(&self, cosine: &Tensor, strength: f64) -> Tensor {
        let multiple = 1.0 + (self.multiple - 1.0) * strength;
        let (m2, m3) = (self.angle * strength, self.cosine * strength);
        if multiple == 1.0 {
            return cosine * m2.cos() - sine(cosine) * m2.sin() - m3;
        }
        // The arc tangent's derivative stays finite at ±1 with the guarded sine; the arc cosine's would not.
        let angle = sine(cosine).atan2(cosine);
        (angle * multiple + m2).cos() - m3
    }
}
