//! The moving average of the weights, which is what gets evaluated and exported.

use std::collections::BTreeMap;

use tch::{Tensor, no_grad};

/// Moves the average towards the weights, running statistics included. Young averages move faster: the share that stays is at
/// most (1 + step) / (10 + step).
///
/// Both maps hold the same names; they come from two networks of the same settings.
pub fn follow(average: &mut BTreeMap<String, Tensor>, weights: &BTreeMap<String, Tensor>, stays: f64, step: u64) {
    let stays = stays.min((1.0 + step as f64) / (10.0 + step as f64));
    no_grad(|| {
        for (average, weight) in average.values_mut().zip(weights.values()) {
            let _ = average.lerp_(weight, 1.0 - stays);
        }
    });
}
