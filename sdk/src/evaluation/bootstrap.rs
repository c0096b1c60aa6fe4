//! Intervals for data whose comparisons share people: the bootstrap.

use serde::{Deserialize, Serialize};

use super::interval::Interval;
use crate::decide::FalseMatchRate;
use crate::embed::Score;

/// How often to draw, and from which seed. The same seed gives the same interval on every machine.
///
/// What is drawn with replacement are **people**, and a pair counts as often as the product of its two people was drawn (once the
/// person, for a genuine pair): Owen's pigeonhole bootstrap (2007), which errs on the wide side. Where a list does not tell the
/// people, pairs are drawn. Each draw chooses its own threshold, so that the interval holds the threshold's uncertainty too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// How many draws; 1,000 is usual.
    pub replicates: usize,
    /// The seed.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Bootstrap {
        Bootstrap { replicates: 1000, seed: 1 }
    }
}

/// A scored pair and the two units that are drawn for it: its people, or twice the pair itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drawn {
    pub score: Score,
    pub same: bool,
    pub units: [usize; 2],
}

impl Bootstrap {
    /// The 95 % percentile intervals of the true-acceptance rate at each of `rates`. `units` is how many people or pairs there are.
    /// A draw without genuine or impostor pairs is left out; without any draw left the interval is 0…1.
    pub(super) fn true_acceptance(&self, pairs: &[Drawn], units: usize, rates: &[FalseMatchRate]) -> Vec<Interval> {
        let mut falling = pairs.to_vec();
        falling.sort_by_key(|pair| std::cmp::Reverse(pair.score));
        let mut random = SplitMix64(self.seed);
        let mut drawn = vec![0u32; units];
        let mut weights = vec![0u64; falling.len()];
        let mut results = vec![Vec::with_capacity(self.replicates.min(1 << 20)); rates.len()];
        for _ in 0..self.replicates {
            drawn.fill(0);
            for _ in 0..units {
                if let Some(times) = drawn.get_mut(random.below(units)) {
                    *times += 1;
                }
            }
            let times = |unit: usize| u64::from(drawn.get(unit).copied().unwrap_or(0));
            let (mut genuine, mut impostor) = (0u64, 0u64);
            for (weight, pair) in weights.iter_mut().zip(&falling) {
                let [a, b] = pair.units;
                *weight = if a == b { times(a) } else { times(a) * times(b) };
                *(if pair.same { &mut genuine } else { &mut impostor }) += *weight;
            }
            if genuine == 0 || impostor == 0 {
                continue;
            }
            for (rate, result) in rates.iter().zip(&mut results) {
                let allowed = rate.get() * impostor as f64 + 1e-6;
                result.push(accepted(&falling, &weights, allowed) as f64 / genuine as f64);
            }
        }
        results.into_iter().map(percentiles).collect()
    }
}

/// The weight of the genuine pairs at the lowest threshold whose impostor weight is within `allowed`.
fn accepted(falling: &[Drawn], weights: &[u64], allowed: f64) -> u64 {
    let (mut genuine, mut impostor) = (0u64, 0u64);
    // What is accepted so far without the run of equal scores that is being read.
    let mut settled = 0;
    let mut last = None;
    for (pair, &weight) in falling.iter().zip(weights) {
        if last != Some(pair.score) {
            (settled, last) = (genuine, Some(pair.score));
        }
        if pair.same {
            genuine += weight;
        } else {
            impostor += weight;
            if impostor as f64 > allowed {
                return settled;
            }
        }
    }
    genuine
}

/// The 2.5 % and 97.5 % quantiles, linear between the values (numpy's default).
fn percentiles(mut values: Vec<f64>) -> Interval {
    values.sort_unstable_by(f64::total_cmp);
    let quantile = |share: f64| {
        let place = share * values.len().checked_sub(1)? as f64;
        let (below, above) = (values.get(place.floor() as usize)?, values.get(place.ceil() as usize)?);
        Some(below + (above - below) * place.fract())
    };
    Interval { lower: quantile(0.025).unwrap_or(0.0), upper: quantile(0.975).unwrap_or(1.0) }
}

/// Steele, Lea and Flood's SplitMix64 (2014): small, and the same everywhere.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, each as likely but for 2⁻⁶⁴·bound.
    fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.next()) * bound as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix64_gives_the_published_sequence() {
        // The first values from seed 1234567, as in the test vectors that implementations of the generator share.
        let mut random = SplitMix64(1234567);
        let values: Vec<u64> = (0..5).map(|_| random.next()).collect();
        let expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821];
        assert_eq!(values, expected);
    }

    fn pair(score: f32, same: bool, a: usize, b: usize) -> Drawn {
        Drawn { score: Score::new(score).unwrap(), same, units: [a, b] }
    }

    #[test]
    fn people_in_many_pairs_widen_the_interval() {
        // 20 people with 20 genuine pairs each, of which a person gets all right or all wrong: 20 observations, not 400.
        let genuine = |units: fn(usize, usize) -> usize| {
            (0..20).flat_map(move |person| {
                (0..20).map(move |n| {
                    let unit = units(person, n);
                    pair(if person < 4 { 0.1 } else { 0.9 }, true, unit, unit)
                })
            })
        };
        let impostor = |offset: usize| (0..100).map(move |i| pair(0.5, false, offset + i, offset + i));
        let bootstrap = Bootstrap { replicates: 500, seed: 3 };
        let rate = [FalseMatchRate::new(0.1).unwrap()];
        let by_person: Vec<Drawn> = genuine(|person, _| person).chain(impostor(20)).collect();
        let by_pair: Vec<Drawn> = genuine(|person, n| person * 20 + n).chain(impostor(400)).collect();
        let people = bootstrap.true_acceptance(&by_person, 120, &rate)[0];
        let pairs = bootstrap.true_acceptance(&by_pair, 500, &rate)[0];
        assert!(people.lower < 0.8 && 0.8 < people.upper, "{people:?}");
        // √20 times as wide, less what the draws scatter.
        let ratio = (people.upper - people.lower) / (pairs.upper - pairs.lower);
        assert!((3.0..6.0).contains(&ratio), "{ratio}");
    }

    #[test]
    fn people_who_fail_alike_give_the_binomials_interval() {
        // 400 people of five genuine pairs, one in ten of whom never matches: a draw of 400 has Binomial(400, 0.1) of them. All
        // impostor pairs score alike, so that every draw has one threshold. scipy: binom.ppf([0.025, 0.975], 400, 0.1) = 29, 52.
        let genuine =
            (0..400).flat_map(|person| (0..5).map(move |_| pair(if person < 40 { 0.1 } else { 0.9 }, true, person, person)));
        let impostor = (0..400).map(|person| pair(0.5, false, person, (person + 1) % 400));
        let pairs: Vec<Drawn> = genuine.chain(impostor).collect();
        let rate = [FalseMatchRate::new(0.1).unwrap()];
        let interval = Bootstrap { replicates: 4000, seed: 5 }.true_acceptance(&pairs, 400, &rate)[0];
        // A quantile of 4,000 draws scatters by √(0.025·0.975/4000) = 0.0025 in probability: one person more or less.
        for (ours, people) in [(interval.lower, 52.0), (interval.upper, 29.0)] {
            assert!((400.0 * (1.0 - ours) - people).abs() <= 1.0, "{interval:?}");
        }
    }

    #[test]
    fn nothing_to_draw_from_says_nothing() {
        let rate = [FalseMatchRate::ONE_IN_100];
        let whole = Interval { lower: 0.0, upper: 1.0 };
        assert_eq!(Bootstrap::default().true_acceptance(&[], 0, &rate), [whole]);
        assert_eq!(Bootstrap { replicates: 0, seed: 1 }.true_acceptance(&[pair(0.5, true, 0, 0)], 1, &rate), [whole]);
    }
}
