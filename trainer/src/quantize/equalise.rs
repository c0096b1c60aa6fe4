//! Cross-layer equalisation (Nagel and others, 2019, arXiv 1906.04721, §4.1): between two convolutions a channel may be divided by any
//! factor above 0 and multiplied again in the second, since ReLU and PReLU let it through. All channels of a map share one step, so they
//! should be of one size.
//!
//! Where the paper compares the ranges of weights, this takes the activations' on calibration chips: weights have a step a channel here,
//! and a depthwise filter of its own absorbs any factor without loss.

use std::collections::BTreeSet;

use tch::{Device, Kind, Tensor};

use super::calibrate;
use crate::data::chips::Chip;
use crate::error::Result;
use crate::export::fold::Affine;
use crate::export::graph::{Graph, Op};

/// A channel grows by no more than this against the largest: calibration may not have seen all that it can be.
const MOST: f32 = 32.0;

/// A convolution whose channels only one other convolution takes.
struct Pair {
    first: usize,
    /// What the second takes: the first's value, or its activation's.
    between: usize,
    second: usize,
}

/// Equalises every pair of convolutions that allows it; how many there are. The network computes the same.
pub fn equalise(graph: &mut Graph, chips: &[Chip], device: Device) -> Result<usize> {
    let pairs = pairs(graph);
    let between: BTreeSet<usize> = pairs.iter().map(|pair| pair.between).collect();
    let sizes = calibrate::channels(graph, &between, chips, device)?;
    for pair in &pairs {
        let Some(sizes) = sizes.get(&pair.between) else { continue };
        let factors = factors(sizes, &graph.nodes[pair.second].op);
        let affine = |factors: Tensor| Affine { shift: factors.zeros_like(), factor: factors };
        let factors = Tensor::from_slice(&factors).to_kind(Kind::Double).to_device(device);
        affine(factors.reciprocal()).behind(&mut graph.nodes[pair.first].op);
        affine(factors).before_ignoring_padding(&mut graph.nodes[pair.second].op);
    }
    Ok(pairs.len())
}

fn pairs(graph: &Graph) -> Vec<Pair> {
    let users = graph.users();
    let convolution = |node: usize| matches!(graph.nodes[node].op, Op::Conv { .. });
    let mut pairs = Vec::new();
    for first in (0..graph.nodes.len()).filter(|node| convolution(*node)) {
        let [user] = users[first][..] else { continue };
        let activated = matches!(graph.nodes[user].op, Op::Relu | Op::Prelu(_));
        let between = if activated { user } else { first };
        if let [second] = users[between][..]
            && convolution(second)
        {
            pairs.push(Pair { first, between, second });
        }
    }
    pairs
}

/// What to divide each channel by, given its size.
fn factors(sizes: &[f32], second: &Op) -> Vec<f32> {
    let wanted: Vec<f32> = match second {
        Op::Conv { geometry, .. } if geometry.groups == geometry.input => sizes.to_vec(),
        Op::Conv { geometry, weight, .. } => {
            // The share of its row's step range that a channel's weights use: a larger factor makes the row's step coarser.
            let rows = weight.abs().amax([1i64, 2, 3].as_slice(), true).clamp_min(1e-12);
            let used = (weight.abs() / rows).amax([2i64, 3].as_slice(), false).view([geometry.groups, -1, weight.size()[1]]);
            let used = used.amax([1i64].as_slice(), false).view([-1]).clamp_min(1e-6);
            let used = Vec::<f32>::try_from(used.to_device(Device::Cpu)).unwrap_or_else(|_| vec![1.0; sizes.len()]);
            sizes.iter().zip(used).map(|(size, used)| (size / used).sqrt()).collect()
        }
        _ => vec![1.0; sizes.len()],
    };
    let greatest = wanted.iter().copied().fold(0.0, f32::max);
    if !greatest.is_normal() {
        return vec![1.0; sizes.len()];
    }
    wanted.iter().map(|factor| (factor / greatest).max(1.0 / MOST)).collect()
}
