//! The first layers of the residual, the densely connected and the dual-path networks.

use tch::nn;

use super::design::Input;
use super::layer::{Activation, Conv, Layer, Norm, Pool};
use super::residual::{Order, Place, Unit, unit};

/// Channels of the large input's first convolution.
pub(super) const LARGE: i64 = 64;

/// The first convolution. Large: 3×3, stride 1, the map stays 112×112. Small: 7×7 to `small` channels and a maximum over 3×3,
/// stride 2 each, 28×28.
pub(super) fn stem(path: &nn::Path<'_>, input: Input, small: i64, activation: Activation) -> Layer {
    match input {
        Input::Large => Layer::conv_unit(path, Conv::full(3, LARGE, 1), Norm::AUTHORS, Some(activation)),
        Input::Small => Layer::Chain(vec![
            Layer::conv_unit(path, Conv::new(3, small, 7, 2), Norm::AUTHORS, Some(activation)),
            Layer::MaxPool(Pool { kernel: 3, stride: 2, padding: 1 }),
        ]),
    }
}

/// The same for networks whose first stage does not shrink the map: behind the large input stands an improved residual unit that
/// does, so that the first stage sees 56×56.
pub(super) fn shrinking_stem(path: &nn::Path<'_>, input: Input, small: i64, activation: Activation) -> Layer {
    let first = stem(path, input, small, activation);
    match input {
        Input::Small => first,
        Input::Large => {
            let kind = Unit { order: Order::Improved, squeeze_excitation: false };
            let place = Place { input: LARGE, output: LARGE, stride: 2, first: true };
            Layer::Chain(vec![first, unit(&(path / "unit"), kind, place, input, activation)])
        }
    }
}
