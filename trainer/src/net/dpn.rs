//! DPN-92 (Chen and others, 2017, arXiv 1707.01629), as in the authors' `fdpn.py` of February 2018: ReLU inside whatever the
//! settings say; the last normalisation and activation are the output option's.

use tch::nn;

use super::NetSettings;
use super::design::Input;
use super::layer::{Activation, Conv, Gamma, Layer, Norm};
use super::stem::{LARGE, shrinking_stem};

/// Units of each stage and the channels that one adds to the dense path.
const STAGES: [(i64, i64); 4] = [(3, 16), (4, 32), (20, 24), (3, 128)];
/// Channels of the residual path and of the bottleneck in the first stage; both double from stage to stage.
const RESIDUAL: i64 = 256;
const BOTTLENECK: i64 = 96;
const GROUPS: i64 = 32;
/// The small input's first convolution. The DPN paper has 64 for this depth; the authors' code has 128.
const SMALL: i64 = 128;

const NORM: Norm = Norm { epsilon: 1e-3, gamma: Gamma::Learned };
const INSIDE: Activation = Activation::Relu;

pub(super) fn build(path: &nn::Path<'_>, input: Input, settings: &NetSettings) -> Layer {
    let mut channels = match input {
        Input::Large => LARGE,
        Input::Small => SMALL,
    };
    let mut layers = vec![shrinking_stem(&(path / "stem"), input, SMALL, settings.activation)];
    for (stage, (units, growth)) in STAGES.into_iter().enumerate() {
        let (residual, bottleneck) = (RESIDUAL << stage, BOTTLENECK << stage);
        for index in 0..units {
            let path = path / "stage" / stage / index;
            let layer = |name, geometry| Layer::preactivated(&(&path / name), geometry, NORM, INSIDE);
            let stride = if index == 0 && stage > 0 { 2 } else { 1 };
            let filter = Conv { groups: GROUPS, ..Conv::full(bottleneck, bottleneck, stride) };
            let branch = Layer::Chain(vec![
                layer("reduce", Conv::pointwise(channels, bottleneck)),
                layer("filter", filter),
                layer("expand", Conv::pointwise(bottleneck, residual + growth)),
            ]);
            let mut shortcut = Layer::identity();
            if index == 0 {
                shortcut = layer("shortcut", Conv::new(channels, residual + 2 * growth, 1, stride));
                channels = residual + 2 * growth;
            }
            layers.push(Layer::DualPath { shared: residual, shortcut: Box::new(shortcut), branch: Box::new(branch) });
            channels += growth;
        }
    }
    Layer::Chain(layers)
}
