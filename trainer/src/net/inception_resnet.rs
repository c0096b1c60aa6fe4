//! Inception-ResNet-v2 (Szegedy and others, 2016, arXiv 1602.07261) at 112×112, after the authors' `finception_resnet_v2.py` of
//! February 2018. As there, the first of the original's two maxima is left out, which makes the last map 12×12 with the large
//! input and 5×5 without, normalisation has γ fixed, and every activation is ReLU whatever the settings say.
//!
//! Three oddities of that file are not followed: biases in front of a normalisation, which removes them; 129 channels where the
//! original has 128; and 1×7 kernels padded by (1, 2) and (2, 1), where "same" is (0, 3) and (3, 0).

use tch::nn;

use super::design::Input;
use super::layer::{Activation, Conv, Layer, Norm, Pool};

const INSIDE: Activation = Activation::Relu;

pub(super) fn build(path: &nn::Path<'_>, input: Input) -> Layer {
    let stride = match input {
        Input::Large => 1,
        Input::Small => 2,
    };
    let mut layers = vec![
        unit(&(path / "stem" / 0), Conv::full(3, 32, stride).valid()),
        unit(&(path / "stem" / 1), Conv::full(32, 32, 1).valid()),
        unit(&(path / "stem" / 2), Conv::full(32, 64, 1)),
        unit(&(path / "stem" / 3), Conv::pointwise(64, 80)),
        unit(&(path / "stem" / 4), Conv::full(80, 192, 1).valid()),
        Layer::MaxPool(HALVING),
        first_block(&(path / "first"), 192),
    ];
    layers.extend((0..10).map(|index| block35(&(path / "block35" / index))));
    layers.push(first_reduction(&(path / "reduction35"), 320));
    layers.extend((0..20).map(|index| block17(&(path / "block17" / index))));
    layers.push(second_reduction(&(path / "reduction17"), 1088));
    layers.extend((0..9).map(|index| block8(&(path / "block8" / index), 0.2, true)));
    layers.push(block8(&(path / "block8" / 9), 1.0, false));
    layers.push(unit(&(path / "last"), Conv::pointwise(2080, 1536)));
    Layer::Chain(layers)
}

const HALVING: Pool = Pool { kernel: 3, stride: 2, padding: 0 };

fn unit(path: &nn::Path<'_>, geometry: Conv) -> Layer {
    Layer::conv_unit(path, geometry, Norm::MXNET, Some(INSIDE))
}

/// Convolutions one after the other.
fn tower(path: &nn::Path<'_>, convolutions: &[Conv]) -> Layer {
    Layer::Chain(convolutions.iter().enumerate().map(|(index, geometry)| unit(&(path / index), *geometry)).collect())
}

/// Towers side by side.
fn towers(path: &nn::Path<'_>, convolutions: &[&[Conv]]) -> Vec<Layer> {
    convolutions.iter().enumerate().map(|(index, tower_of)| tower(&(path / index), tower_of)).collect()
}

/// 1×`width`, "same".
fn row(input: i64, output: i64, width: i64) -> Conv {
    Conv { kernel: [1, width], padding: [0, width / 2], ..Conv::pointwise(input, output) }
}

/// `height`×1, "same".
fn column(input: i64, output: i64, height: i64) -> Conv {
    Conv { kernel: [height, 1], padding: [height / 2, 0], ..Conv::pointwise(input, output) }
}

/// "Mixed 5b": 192 channels to 320.
fn first_block(path: &nn::Path<'_>, input: i64) -> Layer {
    let mut branches = towers(
        path,
        &[
            &[Conv::pointwise(input, 96)],
            &[Conv::pointwise(input, 48), Conv::new(48, 64, 5, 1)],
            &[Conv::pointwise(input, 64), Conv::full(64, 96, 1), Conv::full(96, 96, 1)],
        ],
    );
    let average = Layer::AveragePool(Pool { kernel: 3, stride: 1, padding: 1 });
    branches.push(Layer::Chain(vec![average, unit(&(path / "pool"), Conv::pointwise(input, 64))]));
    Layer::Concat(branches)
}

/// "Inception-ResNet-A".
fn block35(path: &nn::Path<'_>) -> Layer {
    let branches = towers(
        path,
        &[
            &[Conv::pointwise(320, 32)],
            &[Conv::pointwise(320, 32), Conv::full(32, 32, 1)],
            &[Conv::pointwise(320, 32), Conv::full(32, 48, 1), Conv::full(48, 64, 1)],
        ],
    );
    residual(path, branches, Conv::pointwise(128, 320), 0.17, true)
}

/// "Inception-ResNet-B".
fn block17(path: &nn::Path<'_>) -> Layer {
    let branches =
        towers(path, &[&[Conv::pointwise(1088, 192)], &[Conv::pointwise(1088, 128), row(128, 160, 7), column(160, 192, 7)]]);
    residual(path, branches, Conv::pointwise(384, 1088), 0.1, true)
}

/// "Inception-ResNet-C".
fn block8(path: &nn::Path<'_>, scale: f64, activated: bool) -> Layer {
    let branches =
        towers(path, &[&[Conv::pointwise(2080, 192)], &[Conv::pointwise(2080, 192), row(192, 224, 3), column(224, 256, 3)]]);
    residual(path, branches, Conv::pointwise(448, 2080), scale, activated)
}

/// Adds to the input what the branches find, projected back to its channels and scaled down.
fn residual(path: &nn::Path<'_>, branches: Vec<Layer>, projection: Conv, scale: f64, activated: bool) -> Layer {
    let projected = Layer::conv_unit(&(path / "project"), projection, Norm::MXNET, None);
    let branch = Layer::Chain(vec![Layer::Concat(branches), projected, Layer::Scale(scale)]);
    let mut layers = vec![Layer::Sum(vec![Layer::identity(), branch])];
    if activated {
        layers.push(Layer::activation(path, INSIDE, projection.output));
    }
    Layer::Chain(layers)
}

/// "Reduction A": 320 channels to 1088, half the map.
fn first_reduction(path: &nn::Path<'_>, input: i64) -> Layer {
    let mut branches = towers(
        path,
        &[
            &[Conv::full(input, 384, 2).valid()],
            &[Conv::pointwise(input, 256), Conv::full(256, 256, 1), Conv::full(256, 384, 2).valid()],
        ],
    );
    branches.push(Layer::MaxPool(HALVING));
    Layer::Concat(branches)
}

/// "Reduction B": 1088 channels to 2080, half the map.
fn second_reduction(path: &nn::Path<'_>, input: i64) -> Layer {
    let mut branches = towers(
        path,
        &[
            &[Conv::pointwise(input, 256), Conv::full(256, 384, 2).valid()],
            &[Conv::pointwise(input, 256), Conv::full(256, 288, 2).valid()],
            &[Conv::pointwise(input, 256), Conv::full(256, 288, 1), Conv::full(288, 320, 2).valid()],
        ],
    );
    branches.push(Layer::MaxPool(HALVING));
    Layer::Concat(branches)
}
