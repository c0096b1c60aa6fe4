//! DenseNet-BC (Huang and others, 2016, arXiv 1608.06993), growth 32, as in the authors' `fdensenet.py` of February 2018: dropout
//! 0.2 after every convolution inside, ReLU inside whatever the settings say. The last normalisation is the output option's.

use tch::nn;

use super::NetSettings;
use super::design::Input;
use super::layer::{Activation, Conv, Layer, Norm, Pool};
use super::stem::shrinking_stem;

/// The number in a network's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// 6, 12, 24, 16 layers.
    D121,
    /// 6, 12, 32, 32 layers.
    D169,
}

impl Depth {
    /// Every depth.
    pub const ALL: [Depth; 2] = [Depth::D121, Depth::D169];

    /// The number.
    pub fn number(self) -> u32 {
        match self {
            Depth::D121 => 121,
            Depth::D169 => 169,
        }
    }

    fn layers(self) -> [i64; 4] {
        match self {
            Depth::D121 => [6, 12, 24, 16],
            Depth::D169 => [6, 12, 32, 32],
        }
    }
}

/// Channels that a layer adds.
const GROWTH: i64 = 32;
const DROPOUT: f64 = 0.2;
const INSIDE: Activation = Activation::Relu;

pub(super) fn build(path: &nn::Path<'_>, input: Input, depth: Depth, settings: &NetSettings) -> Layer {
    let mut channels = 2 * GROWTH;
    let mut layers = vec![shrinking_stem(&(path / "stem"), input, channels, settings.activation)];
    for (block, count) in depth.layers().into_iter().enumerate() {
        if block > 0 {
            layers.push(transition(&(path / "transition" / block), channels));
            channels /= 2;
        }
        for index in 0..count {
            layers.push(dense(&(path / "block" / block / index), channels));
            channels += GROWTH;
        }
    }
    Layer::Chain(layers)
}

/// Puts what it makes of all the channels so far beside them.
fn dense(path: &nn::Path<'_>, channels: i64) -> Layer {
    let squeeze = Conv::pointwise(channels, 4 * GROWTH);
    let grow = Conv::full(4 * GROWTH, GROWTH, 1);
    let branch = Layer::Chain(vec![
        Layer::preactivated(&(path / "squeeze"), squeeze, Norm::AUTHORS, INSIDE),
        Layer::Dropout(DROPOUT),
        Layer::preactivated(&(path / "grow"), grow, Norm::AUTHORS, INSIDE),
        Layer::Dropout(DROPOUT),
    ]);
    Layer::Concat(vec![Layer::identity(), branch])
}

/// Half the channels, half the map.
fn transition(path: &nn::Path<'_>, channels: i64) -> Layer {
    Layer::Chain(vec![
        Layer::preactivated(path, Conv::pointwise(channels, channels / 2), Norm::AUTHORS, INSIDE),
        Layer::Dropout(DROPOUT),
        Layer::AveragePool(Pool { kernel: 2, stride: 2, padding: 0 }),
    ])
}
