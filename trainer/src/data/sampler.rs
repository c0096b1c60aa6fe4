//! The order in which a set is visited, by seed and epoch alone: every chip once an epoch, or by [`Balanced`] identities.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::balanced::Balanced;

/// Random words that the variation of one chip may draw before it would run into the next one's.
const WORDS_PER_VISIT: u128 = 4096;

/// Where a sampler stands; all that a checkpoint needs of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Epochs finished.
    pub epoch: u64,
    /// Chips of this epoch already visited.
    pub visited: u64,
}

/// One visit of a chip.
#[derive(Debug, Clone, PartialEq)]
pub struct Visit {
    /// The chip's place in the set.
    pub index: usize,
    /// Drives this visit's variation: it depends on seed, epoch and place in the epoch only, never on threads.
    pub rng: ChaCha8Rng,
}

/// An endless, reproducible order of the chips of a set.
#[derive(Debug, Clone)]
pub struct Sampler {
    seed: u64,
    position: Position,
    order: Vec<u32>,
    balanced: Option<Balanced>,
}

impl Sampler {
    /// The order of `length` chips from `position` on.
    pub fn new(seed: u64, length: usize, position: Position) -> Self {
        let mut sampler = Sampler { seed, position, order: (0..length as u32).collect(), balanced: None };
        sampler.shuffle();
        sampler
    }

    /// An order with P identities of K chips in each batch of P·K, from `position` on.
    pub fn balanced(seed: u64, balanced: Balanced, position: Position) -> Self {
        let mut sampler = Sampler { seed, position, order: Vec::new(), balanced: Some(balanced) };
        sampler.shuffle();
        sampler
    }

    /// Where the next visit will be.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The next chip.
    pub fn visit(&mut self) -> Visit {
        if self.position.visited as usize >= self.order.len() {
            self.position = Position { epoch: self.position.epoch + 1, visited: 0 };
            self.shuffle();
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.position.epoch + 1);
        rng.set_word_pos(u128::from(self.position.visited) * WORDS_PER_VISIT);
        let index = self.order[self.position.visited as usize] as usize;
        self.position.visited += 1;
        Visit { index, rng }
    }

    /// Orders the epoch from the sorted order, so that an epoch does not depend on those before it. Stream 0 is never a visit's.
    fn shuffle(&mut self) {
        if let Some(balanced) = &self.balanced {
            self.order = balanced.order(self.seed, self.position.epoch);
            return;
        }
        self.order.sort_unstable();
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed.wrapping_add(self.position.epoch));
        self.order.shuffle(&mut rng);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    const START: Position = Position { epoch: 0, visited: 0 };

    #[test]
    fn every_epoch_visits_every_chip_once_in_another_order() {
        let mut sampler = Sampler::new(7, 100, START);
        let mut epoch = || (0..100).map(|_| sampler.visit().index).collect::<Vec<_>>();
        let (first, second) = (epoch(), epoch());
        assert_ne!(first, second);
        for mut order in [first, second] {
            order.sort_unstable();
            assert_eq!(order, (0..100).collect::<Vec<_>>());
        }
    }

    #[test]
    fn from_any_position_it_goes_on_as_if_never_stopped() {
        let mut sampler = Sampler::new(7, 10, START);
        for _ in 0..35 {
            let mut resumed = Sampler::new(7, 10, sampler.position());
            let (mut a, mut b) = (sampler.visit(), resumed.visit());
            assert_eq!((a.index, a.rng.random::<u64>()), (b.index, b.rng.random::<u64>()));
            assert_eq!(sampler.position(), resumed.position());
        }
    }

    #[test]
    fn the_seed_changes_order_and_variation() {
        let draw = |seed| {
            let mut visit = Sampler::new(seed, 1000, START).visit();
            (visit.index, visit.rng.random::<u64>())
        };
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn balanced_batches_have_their_identities_and_go_on_exactly() {
        // 20 chips, four identities of five; batches of two identities with three chips each.
        let balanced = Balanced::new((0..20).map(|chip| chip / 5), 2, 3).expect("a set large enough");
        let mut sampler = Sampler::balanced(7, balanced.clone(), START);
        for batch in 0..20 {
            let mut identities = Vec::new();
            for _ in 0..6 {
                let mut resumed = Sampler::balanced(7, balanced.clone(), sampler.position());
                let visit = sampler.visit();
                assert_eq!(visit, resumed.visit());
                assert_eq!(sampler.position(), resumed.position());
                identities.push(visit.index / 5);
            }
            identities.dedup();
            assert_eq!(identities.len(), 2, "batch {batch}");
        }
    }
}
