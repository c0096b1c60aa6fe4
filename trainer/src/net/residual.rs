//! Residual units of two 3×3 convolutions: the original one (He and others, 2015, arXiv 1512.03385) and the paper's improved one
//! (§3.3), with or without squeeze-and-excitation (Hu and others, 2017, arXiv 1709.01507).

use tch::nn;

use super::design::Input;
use super::layer::{Activation, Conv, Layer, Norm};

/// The order of a unit's layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Conv-BN-act-Conv-BN, sum, act.
    Original,
    /// "IR": BN-Conv-BN-act-Conv-BN, sum.
    Improved,
}

/// A kind of unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unit {
    /// The order of its layers.
    pub order: Order,
    /// Whether each channel is weighed after the last normalisation.
    pub squeeze_excitation: bool,
}

/// Where a unit stands in its network.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Channels in.
    pub input: i64,
    /// Channels out.
    pub output: i64,
    /// What the map shrinks by.
    pub stride: i64,
    /// The first unit of a stage has a 1×1 convolution on its shortcut, even where the shapes agree.
    pub first: bool,
}

/// A unit. The second convolution shrinks the map; in the original unit without the large input, the first does.
pub(super) fn unit(path: &nn::Path<'_>, kind: Unit, place: Place, input: Input, activation: Activation) -> Layer {
    let Place { input: channels, output, stride, first } = place;
    let strides = match (kind.order, input) {
        (Order::Original, Input::Small) => [stride, 1],
        (Order::Original, Input::Large) | (Order::Improved, _) => [1, stride],
    };
    let mut branch = Vec::new();
    if kind.order == Order::Improved {
        branch.push(Layer::batch_norm(&(path / "bn"), channels, Norm::AUTHORS));
    }
    let [one, two] = [Conv::full(channels, output, strides[0]), Conv::full(output, output, strides[1])];
    branch.push(Layer::conv_unit(&(path / "conv1"), one, Norm::AUTHORS, Some(activation)));
    branch.push(Layer::conv_unit(&(path / "conv2"), two, Norm::AUTHORS, None));
    if kind.squeeze_excitation {
        branch.push(squeeze_excitation(&(path / "se"), output, activation));
    }
    let shortcut = if first {
        Layer::conv_unit(&(path / "shortcut"), Conv::new(channels, output, 1, stride), Norm::AUTHORS, None)
    } else {
        Layer::identity()
    };
    let sum = Layer::Sum(vec![Layer::Chain(branch), shortcut]);
    match kind.order {
        Order::Original => Layer::Chain(vec![sum, Layer::activation(path, activation, output)]),
        Order::Improved => sum,
    }
}

/// A sixteenth of the channels, squeezed out of the map's mean, weigh all of them.
fn squeeze_excitation(path: &nn::Path<'_>, channels: i64, activation: Activation) -> Layer {
    let squeezed = channels / 16;
    Layer::Gate(Box::new(Layer::Chain(vec![
        Layer::GlobalPool,
        Layer::conv_with_bias(&(path / "squeeze"), Conv::pointwise(channels, squeezed)),
        Layer::activation(&(path / "squeeze"), activation, squeezed),
        Layer::conv_with_bias(&(path / "excite"), Conv::pointwise(squeezed, channels)),
        Layer::Sigmoid,
    ])))
}
