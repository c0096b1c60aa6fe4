//! SGD with momentum, and AdamW, with their state in plain view: a checkpoint needs all of it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor, no_grad};

/// Which rule moves the weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// v ← μ·v + g + λ·w; w ← w − lr·v, as in PyTorch.
    Sgd,
    /// Adam with decoupled weight decay (Loshchilov, Hutter, arXiv 1711.05101).
    AdamW,
}

/// The rule's constants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptimiserSettings {
    /// The rule.
    pub algorithm: Algorithm,
    /// μ, or β₁.
    pub momentum: f64,
    /// β₂ of AdamW.
    pub beta2: f64,
    /// λ, of tensors with two dimensions and more. Biases, slopes and batch normalisation are exempt: their size says nothing of
    /// overfitting, and pulling a PReLU's slope to 0 changes the network. (The authors' MXNet code decays γ and slopes too.)
    pub weight_decay: f64,
    /// Largest norm of the whole gradient, or 0.
    pub clip_norm: f64,
}

const EPSILON: f64 = 1e-8;

#[derive(Debug)]
struct Slot {
    name: String,
    weight: Tensor,
    first: Tensor,
    second: Option<Tensor>,
    decays: bool,
    /// Whether rows without gradient rest.
    sampled: bool,
}

/// The weights under training and what the rule remembers of each.
#[derive(Debug)]
pub struct Optimiser {
    settings: OptimiserSettings,
    slots: Vec<Slot>,
    steps: u64,
}

impl Optimiser {
    /// Takes those of `variables` that want a gradient.
    pub fn new(settings: OptimiserSettings, variables: &BTreeMap<String, Tensor>) -> Self {
        let slot = |(name, weight): (&String, &Tensor)| Slot {
            name: name.clone(),
            weight: weight.shallow_clone(),
            first: no_grad(|| weight.zeros_like()),
            second: (settings.algorithm == Algorithm::AdamW).then(|| no_grad(|| weight.zeros_like())),
            decays: weight.dim() >= 2,
            sampled: false,
        };
        let slots = variables.iter().filter(|(_, weight)| weight.requires_grad()).map(slot).collect();
        Optimiser { settings, slots, steps: 0 }
    }

    /// From now on, a row of this matrix whose gradient is zero stays as it is, and so does what is remembered of it: neither momentum
    /// nor decay moves a class that is not in play.
    pub fn sampled(&mut self, name: &str) {
        self.slots.iter_mut().filter(|slot| slot.name == name).for_each(|slot| slot.sampled = true);
    }

    /// Steps taken, skipped ones not counted.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Forgets the gradients.
    pub fn zero_grad(&mut self) {
        self.slots.iter_mut().for_each(|slot| slot.weight.zero_grad());
    }

    /// The weights that it moves, by name.
    pub fn weights(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.slots.iter().map(|slot| (slot.name.as_str(), &slot.weight))
    }

    /// Length, as one vector, of the gradients of the weights whose names are `counted`.
    pub fn gradient_norm(&self, counted: impl Fn(&str) -> bool) -> f64 {
        no_grad(|| {
            let gradients =
                self.slots.iter().filter(|slot| counted(&slot.name)).map(|slot| slot.weight.grad()).filter(Tensor::defined);
            let norms: Vec<Tensor> = gradients.map(|gradient| gradient.norm().to_kind(Kind::Double)).collect();
            if norms.is_empty() { 0.0 } else { Tensor::stack(&norms, 0).norm().double_value(&[]) }
        })
    }

    /// Moves every weight that has a gradient; `norm` is [`Optimiser::gradient_norm`]'s.
    pub fn step(&mut self, lr: f64, norm: f64) {
        let settings = self.settings;
        self.steps += 1;
        let steps = self.steps as f64;
        let shrink = if settings.clip_norm > 0.0 && norm > settings.clip_norm { settings.clip_norm / norm } else { 1.0 };
        no_grad(|| {
            for Slot { weight, first, second, decays, sampled, .. } in &mut self.slots {
                let mut gradient = weight.grad();
                if !gradient.defined() {
                    continue;
                }
                if shrink != 1.0 {
                    gradient *= shrink;
                }
                let resting = sampled.then(|| Resting::of(&gradient, weight, first, second.as_ref()));
                let decay = if *decays { settings.weight_decay } else { 0.0 };
                match second {
                    Some(second) => {
                        let (beta1, beta2) = (settings.momentum, settings.beta2);
                        *weight *= 1.0 - lr * decay;
                        let _ = first.lerp_(&gradient, 1.0 - beta1);
                        *second *= beta2;
                        let _ = second.addcmul_(&(&gradient * (1.0 - beta2)), &gradient);
                        let deviation = (&*second / (1.0 - beta2.powf(steps))).sqrt() + EPSILON;
                        let _ = weight.addcdiv_(&(&*first * (-lr / (1.0 - beta1.powf(steps)))), &deviation);
                    }
                    None => {
                        if decay != 0.0 {
                            gradient += &*weight * decay;
                        }
                        *first *= settings.momentum;
                        *first += &gradient;
                        *weight -= &*first * lr;
                    }
                }
                if let Some(resting) = resting {
                    resting.put_back(weight, first, second.as_mut());
                }
            }
        });
    }

    /// Everything it remembers, by name.
    pub fn state(&self) -> BTreeMap<String, Tensor> {
        let tensors = self.slots.iter().flat_map(|slot| {
            let second = slot.second.as_ref().map(|second| (format!("{}/second", slot.name), second.shallow_clone()));
            second.into_iter().chain([(format!("{}/first", slot.name), slot.first.shallow_clone())])
        });
        tensors.collect()
    }

    /// Goes on after this many steps; the tensors of [`Optimiser::state`] are filled by the caller.
    pub fn set_steps(&mut self, steps: u64) {
        self.steps = steps;
    }
}

/// Rows that a step must leave as they are, as they were.
struct Resting {
    rows: Tensor,
    weight: Tensor,
    first: Tensor,
    second: Option<Tensor>,
}

impl Resting {
    fn of(gradient: &Tensor, weight: &Tensor, first: &Tensor, second: Option<&Tensor>) -> Self {
        let rows = gradient.eq(0.0).all_dim(1, false).nonzero().squeeze_dim(1);
        let of = |tensor: &Tensor| tensor.index_select(0, &rows);
        Resting { weight: of(weight), first: of(first), second: second.map(of), rows }
    }

    fn put_back(&self, weight: &mut Tensor, first: &mut Tensor, second: Option<&mut Tensor>) {
        let _ = weight.index_copy_(0, &self.rows, &self.weight);
        let _ = first.index_copy_(0, &self.rows, &self.first);
        if let (Some(second), Some(before)) = (second, &self.second) {
            let _ = second.index_copy_(0, &self.rows, before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, nn};

    /// Minimises (w − 3)² from w = 1, gradient 2(w − 3), and returns w after each step.
    fn descend(settings: OptimiserSettings, lr: f64, steps: usize) -> Vec<f64> {
        let variables = nn::VarStore::new(Device::Cpu);
        let weight = variables.root().var("w", &[1, 1], nn::Init::Const(1.0));
        let mut optimiser = Optimiser::new(settings, &variables.variables().into_iter().collect());
        let step = |_| {
            optimiser.zero_grad();
            (&weight - 3.0).square().sum(Kind::Float).backward();
            let norm = optimiser.gradient_norm(|_| true);
            optimiser.step(lr, norm);
            weight.double_value(&[0, 0])
        };
        (0..steps).map(step).collect()
    }

    const SGD: OptimiserSettings =
        OptimiserSettings { algorithm: Algorithm::Sgd, momentum: 0.9, beta2: 0.999, weight_decay: 0.5, clip_norm: 0.0 };

    #[test]
    fn sgd_by_hand() {
        // g = 2(w − 3) + 0.5 w, v = 0.9 v + g, w = w − 0.1 v: g₁ = −3.5, w₁ = 1.35; g₂ = −2.625, v₂ = −5.775, w₂ = 1.9275.
        let ws = descend(SGD, 0.1, 2);
        assert!((ws[0] - 1.35).abs() < 1e-6 && (ws[1] - 1.9275).abs() < 1e-6, "{ws:?}");
    }

    #[test]
    fn sgd_clipped_by_hand() {
        // The gradient −4 is cut to −1 before decay is added: g = −1 + 0.5, w = 1.05.
        let ws = descend(OptimiserSettings { clip_norm: 1.0, ..SGD }, 0.1, 1);
        assert!((ws[0] - 1.05).abs() < 1e-6, "{ws:?}");
    }

    #[test]
    fn adamw_by_hand() {
        // The first step of Adam is lr·sign(g) whatever the gradient: w = 1·(1 − 0.1·0.5) + 0.1.
        let ws = descend(OptimiserSettings { algorithm: Algorithm::AdamW, ..SGD }, 0.1, 1);
        assert!((ws[0] - 1.05).abs() < 1e-6, "{ws:?}");
    }

    #[test]
    fn a_class_out_of_play_rests() {
        for algorithm in [Algorithm::Sgd, Algorithm::AdamW] {
            let variables = nn::VarStore::new(Device::Cpu);
            let classes = variables.root().var("classes", &[2, 3], nn::Init::Const(1.0));
            let mut optimiser =
                Optimiser::new(OptimiserSettings { algorithm, ..SGD }, &variables.variables().into_iter().collect());
            optimiser.sampled("classes");
            // Both rows first, so that there is momentum; then the first row only.
            let mut step = |rows: i64| {
                optimiser.zero_grad();
                classes.narrow(0, 0, rows).square().sum(Kind::Float).backward();
                optimiser.step(0.1, optimiser.gradient_norm(|_| true));
                let state = optimiser.state().into_values().chain([classes.shallow_clone()]);
                no_grad(|| state.map(|tensor| (tensor.get(0).copy(), tensor.get(1).copy())).collect::<Vec<_>>())
            };
            let (before, after) = (step(2), step(1));
            for (before, after) in before.iter().zip(&after) {
                assert!(!before.0.equal(&after.0) && before.1.equal(&after.1), "{algorithm:?}");
            }
        }
    }
}
