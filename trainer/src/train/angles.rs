//! How far embeddings lie from their classes' centres during training, for figure 4 of the paper.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use tch::{Kind, Tensor, no_grad};

use crate::error::Result;
use crate::loss::classifier::unit_rows;

/// Width of a bin in degrees; 90 of them cover 0…180.
pub const BIN_DEGREES: f64 = 2.0;

const BINS: i64 = 90;

/// Counts of chips by angle, from 0° on, in bins of [`BIN_DEGREES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Angles {
    /// The counts.
    pub histogram: Vec<u64>,
}

impl Angles {
    /// The mean angle, each chip at the middle of its bin; 0 without any.
    pub fn mean_degrees(&self) -> f64 {
        let middles = self.histogram.iter().enumerate().map(|(bin, &count)| count as f64 * BIN_DEGREES * (bin as f64 + 0.5));
        middles.sum::<f64>() / self.histogram.iter().sum::<u64>().max(1) as f64
    }
}

/// Counts a batch's chips by the angle between raw embeddings `[n, d]` and the rows of the class matrix that `identities` `[n]` name.
/// Where another process holds some classes, those of the `held` ones alone.
pub fn counts(embeddings: &Tensor, classes: &Tensor, identities: &Tensor, held: Option<Range<i64>>) -> Tensor {
    no_grad(|| {
        let (embeddings, identities) = match held {
            None => (embeddings.shallow_clone(), identities.shallow_clone()),
            Some(held) => {
                let own = identities.ge(held.start).logical_and(&identities.lt(held.end)).nonzero().squeeze_dim(1);
                (embeddings.index_select(0, &own), identities.index_select(0, &own) - held.start)
            }
        };
        let centres = unit_rows(&classes.index_select(0, &identities));
        let cosines = (unit_rows(&embeddings) * centres).sum_dim_intlist([1i64].as_slice(), false, Kind::Float);
        // At ±1 rounding may carry a cosine past where an angle is.
        let degrees = cosines.clamp(-1.0, 1.0).acos() * (180.0 / std::f64::consts::PI);
        (degrees / BIN_DEGREES).to_kind(Kind::Int64).clamp(0, BINS - 1).bincount(None::<Tensor>, BINS)
    })
}

/// Counts of several batches, which stay where the embeddings are until they are asked for.
#[derive(Debug, Default)]
pub struct Counter {
    sum: Option<Tensor>,
}

impl Counter {
    /// Adds a batch's [`counts`].
    pub fn add(&mut self, counts: Tensor) {
        self.sum = Some(match self.sum.take() {
            Some(sum) => sum + counts,
            None => counts,
        });
    }

    /// The counts since the last call; none where nothing was counted.
    pub fn take(&mut self) -> Result<Option<Angles>> {
        let Some(sum) = self.sum.take() else { return Ok(None) };
        let histogram = Vec::<i64>::try_from(sum)?.into_iter().map(i64::unsigned_abs).collect();
        Ok(Some(Angles { histogram }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_by_hand() {
        // 0°, 90°, 180° and 45° from the centre (1, 0); lengths do not matter.
        let embeddings = Tensor::from_slice2(&[[2f32, 0.0], [0.0, 0.1], [-3.0, 0.0], [0.5, 0.5]]);
        let classes = Tensor::from_slice2(&[[0f32, -9.0], [5.0, 0.0]]);
        let mut counter = Counter::default();
        assert_eq!(counter.take().expect("counts"), None);
        for _ in 0..2 {
            counter.add(counts(&embeddings, &classes, &Tensor::from_slice(&[1i64; 4]), None));
        }
        let angles = counter.take().expect("counts").expect("some");
        let filled: Vec<(usize, u64)> = angles.histogram.iter().copied().enumerate().filter(|(_, count)| *count > 0).collect();
        assert_eq!(angles.histogram.len(), 90);
        assert_eq!(filled, [(0, 2), (22, 2), (45, 2), (89, 2)]);
        assert!((angles.mean_degrees() - (1.0 + 45.0 + 91.0 + 179.0) / 4.0).abs() < 1e-9);
        assert_eq!(counter.take().expect("counts"), None);
    }
}
