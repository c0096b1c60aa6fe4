//! Partial FC: the class matrix in shards, and of each shard only some classes at a step (An et al., arXiv 2010.05222 and 2203.15565).
//!
//! A step uses every class that the batch shows and, at random, so many others that `sampled` of the shard's classes are in play. The
//! softmax runs over these. With `sampled = 1` value and gradients are those of [`super::classifier::CosineClassifier`].
//!
//! The shards share three numbers a sample: the largest logit, the sum of exponentials and the true class's logit. A process that
//! holds one shard gets the others' through [`Exchange`]; then every process has seen the embeddings of the whole batch, all have
//! the same loss, each has its own class matrix's gradient, and the embeddings' gradient is the sum of what the processes have.

use std::collections::BTreeSet;
use std::ops::Range;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tch::{Tensor, nn, no_grad};

use super::batch::numbers;
use super::classifier::{CosineLogits, class_matrix};
use super::margin::Margin;
use super::{Loss, LossSettings};

/// How the processes that hold the shards of one class matrix tell one another what they have; each call is made by all of them.
pub trait Exchange: std::fmt::Debug {
    /// The element-wise maximum over the processes.
    fn max(&self, local: Tensor) -> Tensor;
    /// The element-wise sum over the processes.
    fn sum(&self, local: Tensor) -> Tensor;
}

/// One process holds every shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Alone;

impl Exchange for Alone {
    fn max(&self, local: Tensor) -> Tensor {
        local
    }

    fn sum(&self, local: Tensor) -> Tensor {
        local
    }
}

/// The classes that this process holds, in one shard or several.
#[derive(Debug)]
pub struct PartialFc<M> {
    centres: Tensor,
    classes: Range<i64>,
    shards: i64,
    sampled: f64,
    seed: u64,
    logits: CosineLogits<M>,
    exchange: Box<dyn Exchange>,
}

impl<M: Margin> PartialFc<M> {
    /// Holds all classes. Makes `classes` below the path, `[classes, embedding]`.
    pub fn new(path: &nn::Path<'_>, logits: CosineLogits<M>, settings: &LossSettings) -> Self {
        Self::of_classes(path, logits, settings, 0..settings.classes, Box::new(Alone))
    }

    /// Holds some classes; other processes, met at `exchange`, hold the rest. Makes `classes` below the path, a row for each held.
    pub fn of_classes(
        path: &nn::Path<'_>,
        logits: CosineLogits<M>,
        settings: &LossSettings,
        classes: Range<i64>,
        exchange: Box<dyn Exchange>,
    ) -> Self {
        let count = classes.end - classes.start;
        PartialFc {
            centres: class_matrix(path, count, settings.embedding),
            classes,
            shards: settings.shards.clamp(1, count.max(1)),
            sampled: settings.sampled,
            seed: settings.seed,
            logits,
            exchange,
        }
    }

    /// The classes of each shard.
    fn ranges(&self) -> impl Iterator<Item = Range<i64>> {
        let (start, count, shards) = (self.classes.start, self.classes.end - self.classes.start, self.shards);
        (0..shards).map(move |shard| start + shard * count / shards..start + (shard + 1) * count / shards)
    }

    fn shard(&self, range: Range<i64>, embeddings: &Tensor, identities: &[i64], step: u64) -> Shard {
        let device = embeddings.device();
        let rows = self.centres.narrow(0, range.start - self.classes.start, range.end - range.start);
        let chosen = choose(range.clone(), identities, self.sampled, self.seed, step);
        let rows = match &chosen {
            None => rows,
            Some(chosen) => {
                let places: Vec<i64> = chosen.iter().map(|class| class - range.start).collect();
                rows.index_select(0, &Tensor::from_slice(&places).to_device(device))
            }
        };
        let place = |identity: &i64| match &chosen {
            None if range.contains(identity) => identity - range.start,
            None => -1,
            Some(chosen) => chosen.binary_search(identity).map_or(-1, |place| place as i64),
        };
        let own: Vec<i64> = identities.iter().map(place).collect();
        let own = Tensor::from_slice(&own).to_device(device);
        Shard { logits: self.logits.of(embeddings, &rows, &own, step), own }
    }
}

impl<M: Margin> Loss for PartialFc<M> {
    fn forward(&self, embeddings: &Tensor, identities: &Tensor, step: u64) -> Tensor {
        let identities = numbers(identities);
        let shards: Vec<Shard> = self.ranges().map(|range| self.shard(range, embeddings, &identities, step)).collect();
        let zeros = || Tensor::zeros([identities.len() as i64], (embeddings.kind(), embeddings.device()));
        let (loss, log_sum) = no_grad(|| {
            let largest = shards.iter().fold(zeros() + f64::NEG_INFINITY, |max, shard| max.maximum(&shard.largest()));
            let largest = self.exchange.max(largest);
            let sum = self.exchange.sum(shards.iter().fold(zeros(), |sum, shard| sum + shard.sum_of_exponentials(&largest)));
            let target = self.exchange.sum(shards.iter().fold(zeros(), |sum, shard| sum + shard.target()));
            let log_sum = largest + sum.log();
            ((&log_sum - target).mean(embeddings.kind()), log_sum)
        });
        // Each shard's softmax needs the others' sums, which have no graph here; so the gradient is written down: p − 1 for the true
        // class, p for the others, over the batch's size. The term that carries it is worth 0.
        let carriers = shards.iter().map(|shard| (&shard.logits * shard.gradient(&log_sum)).sum(embeddings.kind()));
        carriers.fold(loss, |loss, carrier| loss + &carrier - carrier.detach())
    }

    fn class_weights(&self) -> Option<&Tensor> {
        Some(&self.centres)
    }
}

/// One shard's logits `[n, c]`, and which of them is each sample's own class; −1: none.
struct Shard {
    logits: Tensor,
    own: Tensor,
}

impl Shard {
    fn largest(&self) -> Tensor {
        self.logits.amax([1i64].as_slice(), false)
    }

    fn sum_of_exponentials(&self, largest: &Tensor) -> Tensor {
        (&self.logits - largest.unsqueeze(1)).exp().sum_dim_intlist([1i64].as_slice(), false, None)
    }

    /// The true class's logit; 0 where another shard has it.
    fn target(&self) -> Tensor {
        let target = self.logits.gather(1, &self.own.clamp_min(0).unsqueeze(1), false).squeeze_dim(1);
        target.where_self(&self.own.ge(0), &target.zeros_like())
    }

    /// The mean loss's derivative by each logit.
    fn gradient(&self, log_sum: &Tensor) -> Tensor {
        no_grad(|| {
            let probabilities = (&self.logits - log_sum.unsqueeze(1)).exp();
            let true_class = -self.own.ge(0).to_kind(probabilities.kind()).unsqueeze(1);
            let difference = probabilities.scatter_add(1, &self.own.clamp_min(0).unsqueeze(1), &true_class);
            difference / self.own.size()[0] as f64
        })
    }
}

/// The classes of a shard that are in play at a step, in order: those that the batch shows and random others; `None`: all.
///
/// They depend on the seed, the step, the shard and the batch alone, so that a run that goes on draws the same.
fn choose(shard: Range<i64>, identities: &[i64], share: f64, seed: u64, step: u64) -> Option<Vec<i64>> {
    let count = ((shard.end - shard.start) as f64 * share).ceil() as usize;
    let mut chosen: BTreeSet<i64> = identities.iter().copied().filter(|identity| shard.contains(identity)).collect();
    if count as i64 >= shard.end - shard.start {
        return None;
    }
    let mut others: Vec<i64> = shard.clone().filter(|class| !chosen.contains(class)).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(!seed ^ shard.start as u64);
    rng.set_stream(step);
    let (drawn, _) = others.partial_shuffle(&mut rng, count.saturating_sub(chosen.len()));
    chosen.extend(drawn.iter());
    Some(chosen.into_iter().collect())
}
