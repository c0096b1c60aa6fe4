//! One step of a run: embeddings, losses, gradients, and what becomes of weights and statistics.

use tch::{Kind, Tensor, no_grad};

use super::super::{angles, averaging};
use super::Run;
use crate::data::loader::Batch;
use crate::error::Result;
use crate::net::input;

/// What one step came to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Step {
    /// The whole loss.
    pub loss: f64,
    /// The loss on identities, before its weight; 0 without one.
    pub identity: f64,
    /// Mean of 1 − cos(student, teacher); 0 without a teacher.
    pub direction: f64,
    /// Mean squared difference of cosines within the batch; 0 without a teacher.
    pub relation: f64,
    /// Sum over the hints of the maps' squared errors, each a share of the variance; 0 without hints.
    pub hint: f64,
    /// Norm of the whole gradient before clipping.
    pub gradient: f64,
    /// The learning rate.
    pub lr: f64,
    /// Whether the weights were left as they were, because loss or gradient is not finite.
    pub skipped: bool,
}

impl Run {
    /// One step.
    pub fn step(&mut self) -> Result<Step> {
        let batch = self.loader.batch()?;
        self.step_on(&batch)
    }

    /// One step on this batch. Where loss or gradient is not finite, weights and statistics stay as they were.
    fn step_on(&mut self, batch: &Batch) -> Result<Step> {
        let step = self.state.step;
        let before = self.statistics();
        self.optimiser.zero_grad();
        let (mut report, angles) = self.backward(batch, &before)?;
        self.share_gradients();
        report.gradient = self.gradient_norm();
        report.lr = self.schedule.at(step);
        report.skipped = !(report.loss.is_finite() && report.gradient.is_finite());
        if report.skipped {
            self.set_statistics(&before);
            self.state.skipped += 1;
            self.state.skipped_in_a_row += 1;
        } else {
            self.optimiser.step(report.lr, report.gradient);
            if let Some((_, loss)) = &self.identity {
                loss.step_taken();
            }
            self.state.skipped_in_a_row = 0;
            angles.into_iter().for_each(|counts| self.angles.add(counts));
            if let Some(average) = &self.average {
                averaging::follow(&mut average.variables(), &self.weights, self.state.config.ema, self.optimiser.steps());
            }
        }
        self.state.step += 1;
        self.state.optimiser_steps = self.optimiser.steps();
        self.state.images += self.state.config.batch as u64;
        self.state.position = batch.position;
        self.unreadable += batch.unreadable;
        Ok(report)
    }

    /// Leaves the gradients of this process's share of the batch with the weights. Returns the loss's parts, and the angles to the
    /// class centres where there are such.
    ///
    /// Each part of the batch is normalised by itself, and the running statistics become the mean of what the parts make of them. A
    /// process with several parts computes them twice, the first time without graph: only then is the loss of them all known.
    fn backward(&self, batch: &Batch, before: &[(String, Tensor)]) -> Result<(Step, Option<Tensor>)> {
        let config = &self.state.config;
        let parts: Vec<&[u8]> =
            batch.pixels.chunks((batch.pixels.len() * self.group.size()).div_ceil(config.batch_parts).max(1)).collect();
        let forward = |index: usize| self.part(parts[index], index, parts.len(), before);
        let mut first =
            if parts.len() == 1 { vec![forward(0)?] } else { no_grad(|| (0..parts.len()).map(forward).collect::<Result<_>>())? };
        let own = Tensor::cat(&first.iter().map(|(embeddings, _)| embeddings).collect::<Vec<_>>(), 0).detach();
        let (mut step, gradient, angles) = self.loss(&own, batch)?;
        if self.hints.is_some() {
            let sum = first
                .iter()
                .filter_map(|(_, hint)| hint.as_ref())
                .fold(Tensor::zeros([], (Kind::Float, self.device)), |sum, hint| sum + hint.detach());
            step.hint = self.group.sum(sum).double_value(&[]);
            step.loss += step.hint * config.hint_weight;
        }
        let mut moved: Vec<Vec<(String, Tensor)>> = Vec::new();
        for (index, gradient) in gradient.chunk(parts.len() as i64, 0).into_iter().enumerate() {
            let (embeddings, hint) = if parts.len() == 1 { first.remove(0) } else { forward(index)? };
            let mut objective = (embeddings * gradient).sum(Kind::Float);
            if let Some(hint) = hint {
                objective += hint * config.hint_weight;
            }
            objective.backward();
            if config.batch_parts > 1 {
                moved.push(self.statistics());
            }
        }
        if config.batch_parts > 1 {
            self.set_statistics(&self.mean_statistics(&moved));
        }
        Ok((step, angles))
    }

    /// Raw embeddings of one part of the batch, and its share of the hints' term.
    fn part(&self, pixels: &[u8], index: usize, parts: usize, before: &[(String, Tensor)]) -> Result<(Tensor, Option<Tensor>)> {
        let config = &self.state.config;
        // libtorch's generator (dropout) restarts from the numbers of step and part, so that its state is part of the checkpoint.
        let part = (self.group.rank() * parts + index) as i64;
        let seed = (config.seed as i64).wrapping_mul(1_000_003).wrapping_add(self.state.step as i64);
        tch::manual_seed(seed.wrapping_add(part.wrapping_mul(1 << 40)));
        if parts > 1 {
            self.set_statistics(before);
        }
        let chips = input::from_pixels(pixels, config.precision.kind(), self.device);
        let chips = config.layout.of(&chips);
        match &self.hints {
            None => Ok((self.network.forward(&chips, true), None)),
            Some(hints) => {
                let (embeddings, term) = hints.forward(&self.network, &chips)?;
                Ok((embeddings, Some(term / config.batch_parts as f64)))
            }
        }
    }

    fn mean_statistics(&self, moved: &[Vec<(String, Tensor)>]) -> Vec<(String, Tensor)> {
        let Some((first, others)) = moved.split_first() else { return Vec::new() };
        let mean = first.iter().enumerate().map(|(index, (name, statistic))| {
            let sum = others.iter().fold(statistic.shallow_clone(), |sum, other| sum + &other[index].1);
            (name.clone(), self.group.sum(sum) / self.state.config.batch_parts as f64)
        });
        mean.collect()
    }

    /// The losses on the embeddings of the whole batch, from all processes; the gradient by this process's; the angles.
    fn loss(&self, own: &Tensor, batch: &Batch) -> Result<(Step, Tensor, Option<Tensor>)> {
        let config = &self.state.config;
        let mut step = Step::default();
        let counts: Vec<usize> = vec![config.batch / self.group.size(); self.group.size()];
        let whole = |numbers: &[i64]| self.group.rows(&Tensor::from_slice(numbers), &counts);
        let (identities, indices) = (whole(&batch.identities), whole(&batch.indices));
        let embeddings = self.group.rows(own, &counts).detach().set_requires_grad(true);
        let mut sum = embeddings.sum(Kind::Float) * 0.0;
        let mut angles = None;
        let mut value = 0.0;
        if let Some((_, loss)) = &self.identity {
            let identities = identities.to_device(self.device);
            let term = loss.forward(&embeddings, &identities, self.state.step);
            step.identity = term.double_value(&[]);
            angles = loss.class_weights().map(|classes| {
                let counts = angles::counts(&embeddings, classes, &identities, loss.classes_held());
                if loss.classes_held().is_some() { self.group.sum(counts) } else { counts }
            });
            value += step.identity * config.loss_weight;
            sum += term * config.loss_weight;
        }
        if let Some((distillation, targets)) = &self.teacher {
            let terms = distillation.forward(&embeddings, &targets.of_batch(batch, &indices, &counts, &self.group, self.device)?);
            step.direction = terms.direction.double_value(&[]);
            step.relation = terms.relation.double_value(&[]);
            value += terms.sum.double_value(&[]);
            // All processes compute it alike.
            sum += terms.sum / self.group.size() as f64;
        }
        sum.backward();
        let gradient = self.group.sum(embeddings.grad());
        let share = self.group.share(config.batch);
        step.loss = value;
        Ok((step, gradient.narrow(0, share.start as i64, share.len() as i64), angles))
    }

    /// A copy of what the network keeps and no gradient moves: the running statistics.
    fn statistics(&self) -> Vec<(String, Tensor)> {
        let kept = self.weights.iter().filter(|(_, weight)| !weight.requires_grad());
        kept.map(|(name, weight)| (name.clone(), no_grad(|| weight.copy()))).collect()
    }

    fn set_statistics(&self, statistics: &[(String, Tensor)]) {
        for (name, statistic) in statistics {
            if let Some(weight) = self.weights.get(name) {
                no_grad(|| weight.shallow_clone().copy_(statistic));
            }
        }
    }

    /// Sums the processes' gradients of what all hold.
    fn share_gradients(&self) {
        if self.group.size() == 1 {
            return;
        }
        let shared = self.optimiser.weights().filter(|(name, _)| !self.is_held(name)).map(|(_, weight)| weight.grad());
        let gradients: Vec<Tensor> = shared.filter(Tensor::defined).collect();
        let flat: Vec<Tensor> = gradients.iter().map(|gradient| gradient.contiguous().view([-1])).collect();
        let mut sum = self.group.sum(Tensor::cat(&flat, 0));
        for gradient in gradients {
            let (own, rest) = (sum.narrow(0, 0, gradient.numel() as i64), gradient.numel() as i64);
            no_grad(|| gradient.shallow_clone().copy_(&own.view(gradient.size().as_slice())));
            sum = sum.narrow(0, rest, sum.size()[0] - rest);
        }
    }

    /// The length of the whole gradient, wherever its parts are.
    fn gradient_norm(&self) -> f64 {
        let held = self.optimiser.gradient_norm(|name| self.is_held(name));
        let shared = self.optimiser.gradient_norm(|name| !self.is_held(name));
        if self.group.size() == 1 {
            return shared;
        }
        (shared.powi(2) + self.group.sum(Tensor::from(held.powi(2))).double_value(&[])).sqrt()
    }
}
