//! MobileNet v1 (Howard and others, 2017, arXiv 1704.04861) at 112×112. With the large input and option E it is the paper's
//! LMobileNetE; the layers are those of the authors' `fmobilenet.py` of February 2018.

use tch::nn;

use super::NetSettings;
use super::design::Input;
use super::layer::{Conv, Layer, Norm};

/// Each depthwise 3×3 with the pointwise convolution behind it: stride, channels out at full width.
const BLOCKS: [(i64, i64); 13] = [
    (1, 64),
    (2, 128),
    (1, 128),
    (2, 256),
    (1, 256),
    (2, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (1, 512),
    (2, 1024),
    (1, 1024),
];

pub(super) fn build(path: &nn::Path<'_>, input: Input, settings: &NetSettings) -> Layer {
    let unit = |path: nn::Path<'_>, geometry| Layer::conv_unit(&path, geometry, Norm::MXNET, Some(settings.activation));
    let at_width = |channels: i64| ((channels as f64 * settings.width) as i64).max(8);
    let mut channels = at_width(32);
    let stride = match input {
        Input::Large => 1,
        Input::Small => 2,
    };
    let mut layers = vec![unit(path / "stem", Conv::full(3, channels, stride))];
    for (index, (stride, output)) in BLOCKS.into_iter().enumerate() {
        let output = at_width(output);
        layers.push(unit(path / "block" / index / "depthwise", Conv::depthwise(channels, stride)));
        layers.push(unit(path / "block" / index / "pointwise", Conv::pointwise(channels, output)));
        channels = output;
    }
    Layer::Chain(layers)
}
