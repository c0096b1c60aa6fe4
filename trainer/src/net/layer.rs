//! Layers that the networks share.

use serde::{Deserialize, Serialize};
use tch::nn::init::{FanInOut, NonLinearity, NormalOrUniform};
use tch::{Tensor, nn};

/// What follows a normalised convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// max(x, 0) + a·min(x, 0), a slope a channel that begins at 0.25.
    Prelu,
}

/// Geometry of a convolution.
#[derive(Debug, Clone, Copy)]
pub struct Conv {
    /// Channels in.
    pub input: i64,
    /// Channels out.
    pub output: i64,
    /// Width and height of the kernel.
    pub kernel: i64,
    /// Step of the kernel.
    pub stride: i64,
    /// Rows and columns of zeros on each side.
    pub padding: i64,
    /// Channel groups: 1, or `input` for a depthwise convolution.
    pub groups: i64,
}

impl Conv {
    /// 1×1, stride 1.
    pub fn pointwise(input: i64, output: i64) -> Self {
        Conv { input, output, kernel: 1, stride: 1, padding: 0, groups: 1 }
    }

    /// 3×3 on every channel alone.
    pub fn depthwise(channels: i64, stride: i64) -> Self {
        Conv { input: channels, output: channels, kernel: 3, stride, padding: 1, groups: channels }
    }

    /// 3×3 across channels.
    pub fn full(input: i64, output: i64, stride: i64) -> Self {
        Conv { input, output, kernel: 3, stride, padding: 1, groups: 1 }
    }
}

/// Convolution without bias, batch normalisation, and an activation if one is given.
#[derive(Debug)]
pub struct ConvUnit {
    geometry: Conv,
    weight: Tensor,
    normalisation: nn::BatchNorm,
    activation: Option<ActivationLayer>,
}

impl ConvUnit {
    /// Makes `weight`, `bn.*` and, for PReLU, `slope` below the path.
    pub fn new(path: &nn::Path<'_>, geometry: Conv, activation: Option<Activation>) -> Self {
        let shape = [geometry.output, geometry.input / geometry.groups, geometry.kernel, geometry.kernel];
        ConvUnit {
            geometry,
            weight: path.var("weight", &shape, HE),
            normalisation: batch_norm2d(&(path / "bn"), geometry.output),
            activation: activation.map(|kind| ActivationLayer::new(path, kind, geometry.output)),
        }
    }
}

impl nn::ModuleT for ConvUnit {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Tensor {
        let Conv { stride, padding, groups, .. } = self.geometry;
        let weight = self.weight.to_kind(xs.kind());
        let ys = xs.conv2d(&weight, None::<Tensor>, [stride; 2], [padding; 2], [1; 2], groups);
        let ys = self.normalisation.forward_t(&ys, train);
        match &self.activation {
            Some(activation) => activation.forward(ys),
            None => ys,
        }
    }
}

/// He's normal initialisation by fan in.
const HE: nn::Init = nn::Init::Kaiming { dist: NormalOrUniform::Normal, fan: FanInOut::FanIn, non_linearity: NonLinearity::ReLU };

/// Batch normalisation, scale 1 and shift 0 at the start.
pub fn batch_norm2d(path: &nn::Path<'_>, channels: i64) -> nn::BatchNorm {
    let config = nn::BatchNormConfig { ws_init: nn::Init::Const(1.0), ..Default::default() };
    nn::batch_norm2d(path, channels, config)
}

/// An activation with its slopes, if it has any.
#[derive(Debug)]
pub enum ActivationLayer {
    /// See [`Activation::Relu`].
    Relu,
    /// See [`Activation::Prelu`]; the slopes.
    Prelu(Tensor),
}

impl ActivationLayer {
    /// Makes `slope` below the path where one is needed.
    pub fn new(path: &nn::Path<'_>, kind: Activation, channels: i64) -> Self {
        match kind {
            Activation::Relu => ActivationLayer::Relu,
            Activation::Prelu => ActivationLayer::Prelu(path.var("slope", &[channels], nn::Init::Const(0.25))),
        }
    }

    /// Takes the input by value, so that ReLU need not copy it.
    pub fn forward(&self, mut xs: Tensor) -> Tensor {
        match self {
            ActivationLayer::Relu => xs.relu_(),
            ActivationLayer::Prelu(slope) => xs.prelu(&slope.to_kind(xs.kind())),
        }
    }
}
