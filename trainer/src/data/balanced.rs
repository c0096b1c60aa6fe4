//! An order for losses that compare the faces of a batch: every batch has P identities with K chips each.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::error::{Error, Result};

/// Orders epochs so that each identity is seen as often as any other, however many chips it has.
///
/// An epoch shows each identity once, with K of its chips drawn at random, in batches of P identities; those left over when the
/// epoch's last batch is full are others in the next epoch. An identity of fewer than K chips shows some of them again; one of a
/// single chip has no pair to learn from and is left out.
#[derive(Debug, Clone)]
pub struct Balanced {
    chips: Vec<Vec<u32>>,
    identities_a_batch: usize,
    chips_an_identity: usize,
}

impl Balanced {
    /// `identities` are those of the set's chips, in the set's order. P and K must be 2 or more, and the set must have P identities
    /// of two chips and more.
    pub fn new(identities: impl IntoIterator<Item = u32>, identities_a_batch: usize, chips_an_identity: usize) -> Result<Self> {
        if identities_a_batch < 2 || chips_an_identity < 2 {
            return Err(Error::Config("a balanced batch needs 2 identities or more, and of each 2 chips or more".into()));
        }
        let mut chips = BTreeMap::<u32, Vec<u32>>::new();
        for (index, identity) in (0..).zip(identities) {
            chips.entry(identity).or_default().push(index);
        }
        let chips: Vec<Vec<u32>> = chips.into_values().filter(|chips| chips.len() > 1).collect();
        if chips.len() < identities_a_batch {
            let reason = format!("it has {} identities of two chips and more; a batch needs {identities_a_batch}", chips.len());
            return Err(Error::data("training set", reason));
        }
        Ok(Balanced { chips, identities_a_batch, chips_an_identity })
    }

    /// The epoch's order of chips, by seed and epoch alone: K chips of one identity, K of the next, and so on.
    pub fn order(&self, seed: u64, epoch: u64) -> Vec<u32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(epoch));
        let mut identities: Vec<&Vec<u32>> = self.chips.iter().collect();
        identities.shuffle(&mut rng);
        identities.truncate(identities.len() / self.identities_a_batch * self.identities_a_batch);
        let mut order = Vec::with_capacity(identities.len() * self.chips_an_identity);
        for chips in identities {
            let mut chips = chips.clone();
            let (drawn, _) = chips.partial_shuffle(&mut rng, self.chips_an_identity);
            order.extend(drawn.iter().cycle().take(self.chips_an_identity));
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_batch_has_p_identities_of_k_chips(
            identities in prop::collection::vec(0u32..30, 100..300), p in 2usize..9, k in 2usize..7, seed: u64, epoch in 0u64..1000,
        ) {
            let order = Balanced::new(identities.iter().copied(), p, k).unwrap().order(seed, epoch);
            prop_assert!(!order.is_empty() && order.len().is_multiple_of(p * k));
            let mut seen = BTreeSet::new();
            for chips in order.chunks(k) {
                let identity = identities[chips[0] as usize];
                prop_assert!(chips.iter().all(|&chip| identities[chip as usize] == identity));
                let has = identities.iter().filter(|&&other| other == identity).count();
                prop_assert_eq!(chips.iter().collect::<BTreeSet<_>>().len(), k.min(has));
                prop_assert!(seen.insert(identity), "an identity comes twice in an epoch");
            }
            let pairs = (0..30).filter(|&id| identities.iter().filter(|&&other| other == id).count() > 1).count();
            prop_assert!(pairs - seen.len() < p);
        }
    }

    #[test]
    fn identities_are_balanced_and_their_chips_too() {
        // 10 chips of identity 0, 4 of identity 1, 2 of identity 2, one of identity 3.
        let identities = [0; 10].into_iter().chain([1; 4]).chain([2; 2]).chain([3]);
        let balanced = Balanced::new(identities.clone(), 3, 2).unwrap();
        let identities: Vec<u32> = identities.collect();
        let (mut by_identity, mut by_chip) = ([0u32; 4], [0u32; 17]);
        for epoch in 0..1000 {
            for chip in balanced.order(1, epoch) {
                by_identity[identities[chip as usize] as usize] += 1;
                by_chip[chip as usize] += 1;
            }
        }
        assert_eq!(by_identity, [2000, 2000, 2000, 0]);
        // A chip of identity 0 is drawn with probability 0.2, 1000 times: 200 ± 13 (one standard deviation).
        assert!(by_chip[..10].iter().all(|&count| count.abs_diff(200) < 65), "{by_chip:?}");
        assert_eq!(by_chip[14..16], [1000, 1000]);
    }

    #[test]
    fn a_set_too_small_for_a_batch_is_refused() {
        let refused = |identities: &[u32], p, k| Balanced::new(identities.iter().copied(), p, k).unwrap_err().to_string();
        assert!(refused(&[0, 0, 1, 1, 2], 3, 2).contains("2 identities of two chips and more; a batch needs 3"));
        assert!(refused(&[0, 0, 1, 1], 1, 2).contains("2 identities or more"));
        assert!(refused(&[0, 0, 1, 1], 2, 1).contains("2 chips or more"));
    }
}
