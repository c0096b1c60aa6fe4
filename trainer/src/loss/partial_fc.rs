//! Partial FC: the class matrix in shards, and of each shard only some classes at a step (An et al., arXiv 2010.05222 and 2203.15565).
//!
//! A step uses every class that the batch shows and, at random, so many others that `sampled` of the shard's classes are in play. The
//! softmax runs over these. With `sampled = 1` value and gradients are those of [`super::classifier::CosineClassifier`]. Classes that
//! are not in play have a gradient of zero, and the optimiser leaves them and what it remembers of them alone.
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
use crate::train::group::Group;

/// How the processes that hold the shards of one class matrix tell one another what they have; each call is made by all of them.
pub trait Exchange: std::fmt::Debug {
    /// The element-wise maximum over the processes.
    fn max(&self, local: Tensor) -> Tensor;
    /// The element-wise sum over the processes.
    fn sum(&self, local: Tensor) -> Tensor;
}

impl Exchange for Group {
    fn max(&self, local: Tensor) -> Tensor {
        Group::max(self, local)
    }

    fn sum(&self, local: Tensor) -> Tensor {
        Group::sum(self, local)
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
    /// Holds this process's share of the classes, and meets the others in the settings' group. Makes `classes` below the path.
    pub fn new(path: &nn::Path<'_>, logits: CosineLogits<M>, settings: &LossSettings) -> Self {
        let share = settings.group.share(settings.classes as usize);
        let settings = LossSettings { shards: settings.shards / settings.group.size() as i64, ..settings.clone() };
        Self::of_classes(path, logits, &settings, share.start as i64..share.end as i64, Box::new(settings.group.clone()))
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
            centres: class_matrix(path, settings.classes, &classes, settings.embedding),
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
        let (loss, largest, sum) = no_grad(|| {
            let largest = shards.iter().fold(zeros() + f64::NEG_INFINITY, |max, shard| max.maximum(&shard.largest()));
            let largest = self.exchange.max(largest);
            let sum = self.exchange.sum(shards.iter().fold(zeros(), |sum, shard| sum + shard.sum_of_exponentials(&largest)));
            let target = self.exchange.sum(shards.iter().fold(zeros(), |sum, shard| sum + shard.target()));
            ((sum.log() + (&largest - target)).mean(embeddings.kind()), largest, sum)
        });
        // Each shard's softmax needs the others' sums, which have no graph here; so the gradient is written down: p − 1 for the true
        // class, p for the others, over the batch's size. The term that carries it is worth 0.
        let carriers = shards.iter().map(|shard| (&shard.logits * shard.gradient(&largest, &sum)).sum(embeddings.kind()));
        carriers.fold(loss, |loss, carrier| loss + (&carrier - carrier.detach()))
    }

    fn class_weights(&self) -> Option<&Tensor> {
        Some(&self.centres)
    }

    fn classes_held(&self) -> Option<Range<i64>> {
        Some(self.classes.clone())
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

    /// Over the largest logit of all shards, so that none overflows.
    fn exponentials(&self, largest: &Tensor) -> Tensor {
        (&self.logits - largest.unsqueeze(1)).exp()
    }

    fn sum_of_exponentials(&self, largest: &Tensor) -> Tensor {
        self.exponentials(largest).sum_dim_intlist([1i64].as_slice(), false, None)
    }

    /// The true class's logit; 0 where another shard has it.
    fn target(&self) -> Tensor {
        let target = self.logits.gather(1, &self.own.clamp_min(0).unsqueeze(1), false).squeeze_dim(1);
        target.where_self(&self.own.ge(0), &target.zeros_like())
    }

    /// The mean loss's derivative by each logit.
    fn gradient(&self, largest: &Tensor, sum: &Tensor) -> Tensor {
        no_grad(|| {
            let probabilities = self.exponentials(largest) / sum.unsqueeze(1);
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
    let size = shard.end - shard.start;
    let count = (size as f64 * share).ceil() as usize;
    if count as i64 >= size {
        return None;
    }
    let mut chosen: BTreeSet<i64> = identities.iter().copied().filter(|identity| shard.contains(identity)).collect();
    let mut others: Vec<i64> = shard.clone().filter(|class| !chosen.contains(class)).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(!seed ^ shard.start as u64);
    rng.set_stream(step);
    let (drawn, _) = others.partial_shuffle(&mut rng, count.saturating_sub(chosen.len()));
    chosen.extend(drawn.iter());
    Some(chosen.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier, Mutex};

    use proptest::prelude::*;
    use tch::{Device, Kind};

    use super::*;
    use crate::loss::arcface::{ArcFace, Beyond};
    use crate::loss::classifier::{CosineClassifier, Scale};
    use crate::loss::strength::Strength;
    use crate::train::config::Config;

    const CLASSES: i64 = 11;
    const LENGTH: i64 = 6;
    const SAMPLES: i64 = 16;

    fn logits() -> CosineLogits<ArcFace> {
        let margin = ArcFace { margin: 0.5, beyond: Beyond::Plain };
        CosineLogits { margin, strength: Strength::Linear { steps: 0 }, scale: Scale::Fixed(64.0) }
    }

    fn settings(shards: i64, sampled: f64) -> LossSettings {
        Config { embedding: LENGTH, class_shards: shards, class_share: sampled, ..Config::default() }.loss(CLASSES as usize)
    }

    /// Embeddings, identities and class centres, without libtorch's generator, which the tests share.
    fn data(kind: Kind) -> (Tensor, Tensor, Tensor) {
        let waves = |count, step: f64| (Tensor::arange(count, (kind, Device::Cpu)) * step).sin();
        let identities: Vec<i64> = (0..SAMPLES).map(|sample| sample * 7 % CLASSES).collect();
        let embeddings = waves(SAMPLES * LENGTH, 1.7).view([SAMPLES, LENGTH]) * 3.0;
        (embeddings, Tensor::from_slice(&identities), waves(CLASSES * LENGTH, 2.3).view([CLASSES, LENGTH]))
    }

    /// Loss, gradient of the embeddings and of the class matrix.
    fn run(loss: &dyn Loss, centres: &Tensor, embeddings: &Tensor, identities: &Tensor, step: u64) -> [Tensor; 3] {
        let weights = loss.class_weights().unwrap();
        weights.shallow_clone().set_data(centres);
        let embeddings = embeddings.copy().set_requires_grad(true);
        let value = loss.forward(&embeddings, identities, step);
        value.backward();
        [value.detach(), embeddings.grad(), weights.grad()]
    }

    fn dense(kind: Kind) -> [Tensor; 3] {
        let (embeddings, identities, centres) = data(kind);
        let variables = nn::VarStore::new(Device::Cpu);
        let loss = CosineClassifier::new(&variables.root(), logits(), &settings(1, 1.0));
        run(&loss, &centres, &embeddings, &identities, 0)
    }

    fn assert_equal(got: &[Tensor], expected: &[Tensor], tolerance: f64) {
        for (got, expected) in got.iter().zip(expected) {
            let scale = expected.abs().max().double_value(&[]);
            let error = (got - expected).abs().max().double_value(&[]) / scale;
            assert!(error <= tolerance, "{error}: {got} instead of {expected}");
        }
    }

    #[test]
    fn equals_the_whole_matrix_when_everything_is_sampled() {
        for (kind, tolerance) in [(Kind::Double, 1e-14), (Kind::Float, 1e-6)] {
            let (embeddings, identities, centres) = data(kind);
            for shards in [1, 2, 3, 11, 50] {
                let variables = nn::VarStore::new(Device::Cpu);
                let loss = PartialFc::new(&variables.root(), logits(), &settings(shards, 1.0));
                assert_equal(&run(&loss, &centres, &embeddings, &identities, 0), &dense(kind), tolerance);
            }
        }
    }

    #[test]
    fn stays_finite_where_exponentials_would_not() {
        let variables = nn::VarStore::new(Device::Cpu);
        let logits = CosineLogits { scale: Scale::Fixed(1e4), ..logits() };
        let loss = PartialFc::new(&variables.root(), logits, &settings(3, 1.0));
        let (embeddings, identities, centres) = data(Kind::Float);
        let results = run(&loss, &centres, &embeddings, &identities, 0);
        assert!(results.iter().all(|tensor| tensor.isfinite().all().int64_value(&[]) != 0), "{results:?}");
    }

    /// A process of a run of several, here a thread.
    #[derive(Debug, Clone)]
    struct Thread {
        place: usize,
        slots: Arc<Mutex<Vec<Tensor>>>,
        barrier: Arc<Barrier>,
    }

    impl Thread {
        fn combine(&self, local: Tensor, with: impl Fn(Tensor, &Tensor) -> Tensor) -> Tensor {
            self.slots.lock().unwrap()[self.place] = local;
            self.barrier.wait();
            let all = {
                let slots = self.slots.lock().unwrap();
                slots[1..].iter().fold(slots[0].copy(), with)
            };
            self.barrier.wait();
            all
        }
    }

    impl Exchange for Thread {
        fn max(&self, local: Tensor) -> Tensor {
            self.combine(local, |a, b| a.maximum(b))
        }

        fn sum(&self, local: Tensor) -> Tensor {
            self.combine(local, |a, b| a + b)
        }
    }

    #[test]
    fn a_shard_a_process_gives_the_same() {
        let held = [0..4, 4..9, 9..CLASSES];
        let slots = Arc::new(Mutex::new(vec![Tensor::new(), Tensor::new(), Tensor::new()]));
        let barrier = Arc::new(Barrier::new(held.len()));
        let (embeddings, identities, centres) = data(Kind::Double);
        let threads = held.clone().into_iter().enumerate().map(|(place, held)| {
            let exchange = Box::new(Thread { place, slots: slots.clone(), barrier: barrier.clone() });
            let (embeddings, identities) = (embeddings.copy(), identities.copy());
            let centres = centres.narrow(0, held.start, held.end - held.start).copy();
            std::thread::spawn(move || {
                let variables = nn::VarStore::new(Device::Cpu);
                let loss = PartialFc::of_classes(&variables.root(), logits(), &settings(1, 1.0), held, exchange);
                run(&loss, &centres, &embeddings, &identities, 0)
            })
        });
        let threads: Vec<_> = threads.collect();
        let results: Vec<[Tensor; 3]> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let [value, by_embeddings, by_centres] = dense(Kind::Double);
        for result in &results {
            assert_equal(&result[..1], std::slice::from_ref(&value), 1e-14);
        }
        let sum = results.iter().fold(by_embeddings.zeros_like(), |sum, result| sum + &result[1]);
        let rows: Vec<&Tensor> = results.iter().map(|result| &result[2]).collect();
        assert_equal(&[sum, Tensor::cat(&rows, 0)], &[by_embeddings, by_centres], 1e-14);
    }

    #[test]
    fn a_sampled_step_is_a_softmax_over_the_classes_in_play() {
        let (embeddings, _, centres) = data(Kind::Double);
        let embeddings = embeddings.narrow(0, 0, 3);
        let identities = [7i64, 2, 7];
        let step = 5;
        let variables = nn::VarStore::new(Device::Cpu);
        let settings = settings(2, 0.5);
        let loss = PartialFc::new(&variables.root(), logits(), &settings);
        let [value, by_embeddings, by_centres] = run(&loss, &centres, &embeddings, &Tensor::from_slice(&identities), step);

        let in_play: Vec<i64> = [0..5, 5..CLASSES]
            .into_iter()
            .flat_map(|shard| choose(shard, &identities, 0.5, settings.seed, step).unwrap())
            .collect();
        assert_eq!(in_play.len(), 6);
        let places: Vec<i64> = identities.iter().map(|id| in_play.iter().position(|class| class == id).unwrap() as i64).collect();
        let variables = nn::VarStore::new(Device::Cpu);
        let small = CosineClassifier::new(&variables.root(), logits(), &LossSettings { classes: 6, ..settings });
        let rows = centres.index_select(0, &Tensor::from_slice(&in_play));
        let [expected, by_embeddings_of_small, by_rows] = run(&small, &rows, &embeddings, &Tensor::from_slice(&places), step);
        let by_all = centres.zeros_like().index_add(0, &Tensor::from_slice(&in_play), &by_rows);
        assert_equal(&[value, by_embeddings, by_centres], &[expected, by_embeddings_of_small, by_all], 1e-14);
    }

    proptest! {
        #[test]
        fn the_choice_holds_the_batch_and_the_share(
            start in 0i64..50, size in 1i64..60, share in 0.01f64..1.0, seed: u64, step: u64,
            identities in prop::collection::vec(0i64..110, 0..40),
        ) {
            let shard = start..start + size;
            let wanted = (size as f64 * share).ceil() as usize;
            let own: BTreeSet<i64> = identities.iter().copied().filter(|id| shard.contains(id)).collect();
            let chosen = choose(shard.clone(), &identities, share, seed, step);
            prop_assert_eq!(&chosen, &choose(shard.clone(), &identities, share, seed, step));
            match chosen {
                None => prop_assert_eq!(wanted as i64, size),
                Some(chosen) => {
                    prop_assert!(chosen.is_sorted_by(|a, b| a < b) && chosen.iter().all(|class| shard.contains(class)));
                    prop_assert!(own.iter().all(|id| chosen.contains(id)));
                    prop_assert_eq!(chosen.len(), wanted.max(own.len()));
                }
            }
        }
    }

    #[test]
    fn each_class_is_drawn_as_often() {
        let mut counts = [0u32; 20];
        for step in 0..4000 {
            for class in choose(0..20, &[3], 0.25, 1, step).unwrap() {
                counts[class as usize] += 1;
            }
        }
        assert_eq!(counts[3], 4000);
        // The others share four places of each step: 4000·4/19 = 842 ± 26 (one standard deviation).
        assert!(counts.iter().enumerate().all(|(class, &count)| class == 3 || count.abs_diff(842) < 130), "{counts:?}");
    }
}
