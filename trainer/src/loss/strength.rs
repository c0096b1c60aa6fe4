//! How much of a margin is in force at each step: at full strength from the first step on, margins keep nets from learning.

/// A share of the margin, 0 to 1, over the steps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Strength {
    /// Grows from 0 by equal parts, and is 1 from this step on.
    Linear {
        /// Steps of growth; 0: all of the margin at once.
        steps: u64,
    },
    /// SphereFace's: the target is (λ·cos θ + ψ(θ)) / (1 + λ), so that the share is 1 / (1 + λ), where
    /// λ = max(end, start / (1 + decay·step)).
    ///
    /// The rule, with 1000, 5 and 0.12, of the network files that SphereFace's authors published, and, under the name of beta, of the
    /// training script of ArcFace's.
    Annealed {
        /// λ at step 0.
        start: f64,
        /// λ at last.
        end: f64,
        /// How fast it falls.
        decay: f64,
    },
}

impl Strength {
    /// The share at a step, counted from 0.
    pub fn at(self, step: u64) -> f64 {
        match self {
            Strength::Linear { steps } if step < steps => step as f64 / steps as f64,
            Strength::Linear { .. } => 1.0,
            Strength::Annealed { start, end, decay } => 1.0 / (1.0 + (start / (1.0 + decay * step as f64)).max(end)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warm_up_ends_where_it_says() {
        let strength = Strength::Linear { steps: 4 };
        assert_eq!([0, 1, 3, 4, 5].map(|step| strength.at(step)), [0.0, 0.25, 0.75, 1.0, 1.0]);
        assert_eq!(Strength::Linear { steps: 0 }.at(0), 1.0);
    }

    #[test]
    fn spherefaces_lambda() {
        let strength = Strength::Annealed { start: 1000.0, end: 5.0, decay: 0.12 };
        // λ = 1000, 1000/1.12, 1000/13, and 5 from step 199/0.12 = 1658.3 on.
        for (step, lambda) in [(0, 1000.0), (1, 892.857_142_857), (100, 76.923_076_923), (1659, 5.0), (1_000_000, 5.0)] {
            assert!((strength.at(step) * (1.0 + lambda) - 1.0).abs() < 1e-9, "step {step}");
        }
        assert!(strength.at(1658) < 1.0 / 6.0);
    }
}
