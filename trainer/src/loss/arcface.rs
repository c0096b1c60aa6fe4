//! ArcFace: cos(θ + m) for the true class (arXiv 1801.07698v1, section 2; the authors' m = 0.5, s = 64).

use serde::{Deserialize, Serialize};
use tch::Tensor;

use super::Entry;
use super::classifier::{self, CosineLogits, Scale};
use super::margin::{Margin, sine};

pub(super) const ENTRY: Entry = Entry {
    name: "arcface",
    summary: "s·cos(θ + m) for the true class",
    alone: true,
    weight: 1.0,
    build: |path, settings| {
        let margin = ArcFace { margin: settings.margin(0.5, 0.0..=1.57)?, beyond: settings.beyond };
        let logits = CosineLogits { margin, strength: settings.warm_up(), scale: Scale::Fixed(settings.scale) };
        Ok(classifier::build(path, logits, settings))
    },
};

/// What holds past θ = π − m, where cos(θ + m) would rise again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Beyond {
    /// cos(θ + m) all the same, as the paper's formula says.
    #[default]
    Plain,
    /// cos θ − m·sin m, which goes on falling; the authors' code without its easy margin.
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
        let plain = cosine * m.cos() - sine(cosine) * m.sin();
        match self.beyond {
            Beyond::Plain => plain,
            Beyond::Stable => plain.where_self(&cosine.gt(-m.cos()), &(cosine - m * m.sin())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    const M: f64 = 0.5;

    /// The cosines at which public implementations broke, and some between.
    fn cosines() -> Vec<f64> {
        vec![-1.0, -M.cos(), 0.0, 1.0, -0.95, -0.5, 0.3, 0.5f64.sqrt(), 0.9, 0.999]
    }

    fn reference(cosine: f64, beyond: Beyond) -> f64 {
        let angle = cosine.acos();
        match beyond {
            Beyond::Stable if angle >= std::f64::consts::PI - M => cosine - M * M.sin(),
            _ => (angle + M).cos(),
        }
    }

    fn apply(cosines: &[f32], beyond: Beyond) -> (Vec<f64>, Vec<f64>) {
        let input = Tensor::from_slice(cosines).set_requires_grad(true);
        let output = ArcFace { margin: M, beyond }.apply(&input, 1.0);
        output.sum(Kind::Float).backward();
        let list = |tensor: Tensor| Vec::<f64>::try_from(tensor.to_kind(Kind::Double)).expect("a vector");
        (list(output), list(input.grad()))
    }

    #[test]
    fn values_are_the_formulas() {
        for beyond in [Beyond::Plain, Beyond::Stable] {
            let cosines: Vec<f32> = cosines().iter().map(|&cosine| cosine as f32).collect();
            let (values, _) = apply(&cosines, beyond);
            for (&cosine, value) in cosines.iter().zip(values) {
                let expected = reference(f64::from(cosine), beyond);
                // The stable form jumps at θ = π − m; rounding decides on which side of it the number lies.
                let jump = f64::from(cosine) - M * M.sin();
                let at_jump = beyond == Beyond::Stable && (f64::from(cosine) + M.cos()).abs() < 1e-6;
                let right = (value - expected).abs() < 1e-5 || at_jump && (value - jump).abs() < 1e-5;
                assert!(right, "{beyond:?} at {cosine}: {value}, expected {expected}");
            }
        }
    }

    #[test]
    fn the_derivative_is_the_margins_own() {
        // Central differences of the formula itself, away from its kink and from ±1, where the derivative is infinite.
        for beyond in [Beyond::Plain, Beyond::Stable] {
            for cosine in [-0.95, -0.5, 0.0, 0.3, 0.9f64] {
                let (_, gradients) = apply(&[cosine as f32], beyond);
                let step = 1e-6;
                let expected = (reference(cosine + step, beyond) - reference(cosine - step, beyond)) / (2.0 * step);
                assert!((gradients[0] - expected).abs() < 1e-4 * expected.abs().max(1.0), "{beyond:?} at {cosine}");
            }
        }
        // At θ = π − m the plain form's derivative is sin(θ + m) / sin θ = 0.
        let (_, gradients) = apply(&[-M.cos() as f32], Beyond::Plain);
        assert!(gradients[0].abs() < 1e-5);
    }

    #[test]
    fn finite_where_others_give_nan() {
        for beyond in [Beyond::Plain, Beyond::Stable] {
            let cosines: Vec<f32> = [-1.0, -M.cos(), 0.0, 1.0].iter().map(|&cosine| cosine as f32).collect();
            let (values, gradients) = apply(&cosines, beyond);
            assert!(values.iter().chain(&gradients).all(|value| value.is_finite()), "{values:?} {gradients:?}");
        }
    }

    #[test]
    fn without_strength_there_is_no_margin() {
        let cosine = Tensor::from_slice(&[-0.7f64, 0.2, 0.9]);
        for beyond in [Beyond::Plain, Beyond::Stable] {
            let difference = ArcFace { margin: M, beyond }.apply(&cosine, 0.0) - &cosine;
            assert!(difference.abs().max().double_value(&[]) < 1e-12);
        }
    }
}
