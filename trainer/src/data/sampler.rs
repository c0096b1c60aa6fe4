//! The order in which a set is visited: every chip once an epoch, shuffled by seed and epoch alone.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

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
}

impl Sampler {
    /// The order of `length` chips from `position` on.
    pub fn new(seed: u64, length: usize, position: Position) -> Self {
        let mut sampler = Sampler { seed, position, order: (0..length as u32).collect() };
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
        self.order.sort_unstable();
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed.wrapping_add(self.position.epoch));
        self.order.shuffle(&mut rng);
    }
}
