//! The learning rate at each step.

use serde::{Deserialize, Serialize};

/// How the rate falls after warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Decay {
    /// It does not.
    Constant,
    /// By a factor at given steps, as in the paper.
    Step,
    /// Along half a cosine, from one step to another.
    Cosine,
    /// By a power, from one step to another.
    Polynomial,
}

/// A learning rate over the steps.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// The rate after warm-up.
    pub lr: f64,
    /// Steps of linear growth from 0.
    pub warmup: u64,
    /// The fall.
    pub decay: Decay,
    /// Of [`Decay::Step`]: where.
    pub at: Vec<u64>,
    /// Of [`Decay::Step`]: by what.
    pub factor: f64,
    /// First step of a cosine or polynomial fall.
    pub from: u64,
    /// Last step of it.
    pub to: u64,
    /// Share of `lr` that is left at the end.
    pub end: f64,
    /// Of [`Decay::Polynomial`].
    pub power: f64,
}

impl Schedule {
    /// The rate of a step, counted from 0.
    pub fn at(&self, step: u64) -> f64 {
        let warmup = if step < self.warmup { (step + 1) as f64 / self.warmup as f64 } else { 1.0 };
        let way = step.saturating_sub(self.from) as f64 / self.to.saturating_sub(self.from).max(1) as f64;
        let way = way.min(1.0);
        let share = match self.decay {
            Decay::Constant => 1.0,
            Decay::Step => self.factor.powi(self.at.iter().filter(|&&at| step >= at).count() as i32),
            Decay::Cosine => self.end + (1.0 - self.end) * (1.0 + (std::f64::consts::PI * way).cos()) / 2.0,
            Decay::Polynomial => self.end + (1.0 - self.end) * (1.0 - way).powf(self.power),
        };
        self.lr * warmup * share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(decay: Decay) -> Schedule {
        Schedule { lr: 0.1, warmup: 10, decay, at: vec![100, 140, 160], factor: 0.1, from: 100, to: 200, end: 0.01, power: 2.0 }
    }

    #[test]
    fn the_papers_steps() {
        let schedule = schedule(Decay::Step);
        for (step, expected) in [(0, 0.01), (9, 0.1), (99, 0.1), (100, 0.01), (140, 0.001), (199, 0.0001)] {
            assert!((schedule.at(step) - expected).abs() < 1e-12, "step {step}");
        }
    }

    #[test]
    fn a_fall_begins_and_ends_where_it_says() {
        for decay in [Decay::Cosine, Decay::Polynomial] {
            let schedule = schedule(decay);
            assert!((schedule.at(100) - 0.1).abs() < 1e-12);
            assert!((schedule.at(200) - 0.001).abs() < 1e-12);
            assert!((schedule.at(10_000) - 0.001).abs() < 1e-12);
        }
        assert!((schedule(Decay::Cosine).at(150) - 0.1 * (0.01 + 0.99 / 2.0)).abs() < 1e-12);
        assert!((schedule(Decay::Polynomial).at(150) - 0.1 * (0.01 + 0.99 / 4.0)).abs() < 1e-12);
    }
}
