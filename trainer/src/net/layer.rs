//! Layers: the leaves that hold weights, and the few ways in which the networks join them.
//!
//! A network is a tree of [`Layer`]s with its tensors in it. Whatever needs to know a network's structure walks that tree:
//! [`Layer::forward`] computes, [`Layer::trace`] follows a map's size and counts the work.

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
    /// Height and width of the kernel.
    pub kernel: [i64; 2],
    /// Step of the kernel.
    pub stride: i64,
    /// Rows of zeros above and below, columns of zeros on the left and on the right.
    pub padding: [i64; 2],
    /// Channel groups: 1, or `input` for a depthwise convolution.
    pub groups: i64,
}

impl Conv {
    /// Odd `kernel` across channels, padded so that stride 1 keeps the map's size.
    pub fn new(input: i64, output: i64, kernel: i64, stride: i64) -> Self {
        Conv { input, output, kernel: [kernel; 2], stride, padding: [kernel / 2; 2], groups: 1 }
    }

    /// 1×1, stride 1.
    pub fn pointwise(input: i64, output: i64) -> Self {
        Conv::new(input, output, 1, 1)
    }

    /// 3×3 on every channel alone.
    pub fn depthwise(channels: i64, stride: i64) -> Self {
        Conv { groups: channels, ..Conv::new(channels, channels, 3, stride) }
    }

    /// 3×3 across channels.
    pub fn full(input: i64, output: i64, stride: i64) -> Self {
        Conv::new(input, output, 3, stride)
    }

    /// Without padding: the map loses its border.
    pub fn valid(self) -> Self {
        Conv { padding: [0; 2], ..self }
    }

    fn weight_shape(&self) -> [i64; 4] {
        [self.output, self.input / self.groups, self.kernel[0], self.kernel[1]]
    }
}

/// Geometry of a pooling window.
#[derive(Debug, Clone, Copy)]
pub struct Pool {
    /// Height and width of the window.
    pub kernel: i64,
    /// Step of the window.
    pub stride: i64,
    /// Rows and columns added on each side; an average counts them as zeros.
    pub padding: i64,
}

/// What batch normalisation multiplies by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gamma {
    /// One, always. It is stored all the same, as the authors' files do, and because every runtime wants it.
    One,
    /// A learned factor a channel that begins at one.
    Learned,
}

/// The constants of batch normalisation. Running statistics move by a tenth each step: PyTorch's momentum 0.1, MXNet's 0.9.
#[derive(Debug, Clone, Copy)]
pub struct Norm {
    /// Added to the variance.
    pub epsilon: f64,
    /// The factor.
    pub gamma: Gamma,
}

impl Norm {
    /// PyTorch's: ε 1e-5, γ learned.
    pub const TORCH: Norm = Norm { epsilon: 1e-5, gamma: Gamma::Learned };
    /// That of the authors' residual and densely connected networks.
    pub const AUTHORS: Norm = Norm { epsilon: 2e-5, gamma: Gamma::Learned };
    /// What MXNet does unless told otherwise: ε 1e-3, γ fixed.
    pub const MXNET: Norm = Norm { epsilon: 1e-3, gamma: Gamma::One };
}

/// Size of one map: channels × height × width. A vector is 1 × 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Channels.
    pub channels: i64,
    /// Rows.
    pub height: i64,
    /// Columns.
    pub width: i64,
}

/// A network, or a part of one.
#[derive(Debug)]
pub enum Layer {
    /// Convolution with weights `[output, input / groups, height, width]`.
    Conv {
        /// The geometry.
        geometry: Conv,
        /// The weights.
        weight: Tensor,
        /// Only where no normalisation follows, which would remove it.
        bias: Option<Tensor>,
    },
    /// All values of a map, channels first, times `[output, input]` plus a bias.
    Linear {
        /// The weights.
        weight: Tensor,
        /// The bias.
        bias: Tensor,
    },
    /// Normalisation of each channel by the batch's statistics in training, by the running ones otherwise.
    BatchNorm {
        /// Added to the variance.
        epsilon: f64,
        /// γ.
        weight: Tensor,
        /// β.
        bias: Tensor,
        /// Running mean.
        mean: Tensor,
        /// Running variance.
        variance: Tensor,
    },
    /// See [`Activation::Relu`].
    Relu,
    /// See [`Activation::Prelu`]; a slope a channel.
    Prelu(Tensor),
    /// 1 / (1 + e^−x).
    Sigmoid,
    /// In training, sets this share of the values to zero and multiplies the others by 1 / (1 − share).
    Dropout(f64),
    /// Multiplication by a constant.
    Scale(f64),
    /// Largest value of each window.
    MaxPool(Pool),
    /// Mean of each window, padding included.
    AveragePool(Pool),
    /// Mean of each channel.
    GlobalPool,
    /// One after the other; none at all is the identity.
    Chain(Vec<Layer>),
    /// Sum of what each makes of the same input.
    Sum(Vec<Layer>),
    /// What each makes of the same input, channels side by side.
    Concat(Vec<Layer>),
    /// The input times a factor a channel that is made from it.
    Gate(Box<Layer>),
    /// Dual path (Chen and others, arXiv 1707.01629): the first `shared` channels of both results are added, as in a residual
    /// network; the rest stand side by side, as in a densely connected one.
    DualPath {
        /// Channels that are added.
        shared: i64,
        /// What goes round the branch: `shared` channels and those of the dense path so far.
        shortcut: Box<Layer>,
        /// `shared` channels and those that are new on the dense path.
        branch: Box<Layer>,
    },
}

impl Layer {
    /// Passes its input on.
    pub fn identity() -> Self {
        Layer::Chain(Vec::new())
    }

    /// A convolution without bias: `weight` below the path.
    pub fn conv(path: &nn::Path<'_>, geometry: Conv) -> Self {
        Layer::Conv { geometry, weight: path.var("weight", &geometry.weight_shape(), HE), bias: None }
    }

    /// A convolution with bias: `weight` and `bias` below the path.
    pub fn conv_with_bias(path: &nn::Path<'_>, geometry: Conv) -> Self {
        let weight = path.var("weight", &geometry.weight_shape(), HE);
        Layer::Conv { geometry, weight, bias: Some(path.zeros("bias", &[geometry.output])) }
    }

    /// Fully connected, with bias: `weight` and `bias` below the path.
    pub fn linear(path: &nn::Path<'_>, input: i64, output: i64) -> Self {
        Layer::Linear { weight: path.var("weight", &[output, input], HE), bias: path.zeros("bias", &[output]) }
    }

    /// Batch normalisation: `weight`, `bias`, `running_mean` and `running_var` below the path.
    pub fn batch_norm(path: &nn::Path<'_>, channels: i64, norm: Norm) -> Self {
        let shape = [channels];
        let weight = match norm.gamma {
            Gamma::One => path.ones_no_train("weight", &shape),
            Gamma::Learned => path.ones("weight", &shape),
        };
        Layer::BatchNorm {
            epsilon: norm.epsilon,
            weight,
            bias: path.zeros("bias", &shape),
            mean: path.zeros_no_train("running_mean", &shape),
            variance: path.ones_no_train("running_var", &shape),
        }
    }

    /// An activation: `slope` below the path where it has slopes.
    pub fn activation(path: &nn::Path<'_>, kind: Activation, channels: i64) -> Self {
        match kind {
            Activation::Relu => Layer::Relu,
            Activation::Prelu => Layer::Prelu(path.var("slope", &[channels], nn::Init::Const(0.25))),
        }
    }

    /// Convolution without bias, batch normalisation, and an activation if one is given: `weight`, `bn.*` and `slope`.
    pub fn conv_unit(path: &nn::Path<'_>, geometry: Conv, norm: Norm, activation: Option<Activation>) -> Self {
        let mut layers = vec![Layer::conv(path, geometry), Layer::batch_norm(&(path / "bn"), geometry.output, norm)];
        layers.extend(activation.map(|kind| Layer::activation(path, kind, geometry.output)));
        Layer::Chain(layers)
    }

    /// Batch normalisation, activation, convolution: `bn.*`, `slope` and `weight`.
    pub fn preactivated(path: &nn::Path<'_>, geometry: Conv, norm: Norm, activation: Activation) -> Self {
        Layer::Chain(vec![
            Layer::batch_norm(&(path / "bn"), geometry.input, norm),
            Layer::activation(path, activation, geometry.input),
            Layer::conv(path, geometry),
        ])
    }

    /// The layers of a chain; any other layer is a chain of one.
    pub fn chain(&self) -> &[Layer] {
        match self {
            Layer::Chain(layers) => layers,
            layer => std::slice::from_ref(layer),
        }
    }

    /// Computes in the kind of `xs`: weights are cast to it, normalisation keeps `f32` statistics.
    pub fn forward(&self, xs: &Tensor, train: bool) -> Tensor {
        match self {
            Layer::Conv { geometry, weight, bias } => {
                let Conv { stride, padding, groups, .. } = *geometry;
                let bias = bias.as_ref().map(|bias| bias.to_kind(xs.kind()));
                xs.conv2d(&weight.to_kind(xs.kind()), bias, [stride; 2], padding, [1; 2], groups)
            }
            Layer::Linear { weight, bias } => xs.flatten(1, -1).linear(&weight.to_kind(xs.kind()), Some(bias.to_kind(xs.kind()))),
            Layer::BatchNorm { epsilon, weight, bias, mean, variance } => {
                xs.batch_norm(Some(weight), Some(bias), Some(mean), Some(variance), train, STATISTICS_MOVE, *epsilon, true)
            }
            Layer::Relu => xs.relu(),
            Layer::Prelu(slope) => xs.prelu(&slope.to_kind(xs.kind())),
            Layer::Sigmoid => xs.sigmoid(),
            Layer::Dropout(share) => xs.dropout(*share, train),
            Layer::Scale(factor) => xs * *factor,
            Layer::MaxPool(Pool { kernel, stride, padding }) => {
                xs.max_pool2d([*kernel; 2], [*stride; 2], [*padding; 2], [1; 2], false)
            }
            Layer::AveragePool(Pool { kernel, stride, padding }) => {
                xs.avg_pool2d([*kernel; 2], [*stride; 2], [*padding; 2], false, true, None)
            }
            Layer::GlobalPool => xs.adaptive_avg_pool2d([1, 1]),
            Layer::Chain(layers) => layers.iter().enumerate().fold(xs.shallow_clone(), |mut xs, (index, layer)| match layer {
                // What an earlier layer of this chain made belongs to nobody else.
                Layer::Relu if index > 0 => xs.relu_(),
                layer => layer.forward(&xs, train),
            }),
            Layer::Sum(branches) => {
                let terms = branches.iter().map(|branch| branch.forward(xs, train));
                terms.reduce(|sum, term| sum + term).unwrap_or_else(|| xs.zeros_like())
            }
            Layer::Concat(branches) => {
                let parts: Vec<_> = branches.iter().map(|branch| branch.forward(xs, train)).collect();
                Tensor::cat(&parts, 1)
            }
            Layer::Gate(factor) => xs * factor.forward(xs, train),
            Layer::DualPath { shared, shortcut, branch } => {
                let [round, through] = [shortcut.forward(xs, train), branch.forward(xs, train)];
                let rest = |tensor: &Tensor| tensor.slice(1, *shared, None, 1);
                let sum = round.slice(1, 0, *shared, 1) + through.slice(1, 0, *shared, 1);
                Tensor::cat(&[sum, rest(&round), rest(&through)], 1)
            }
        }
    }

    /// The size of what it makes of a map of size `input`. Adds to `macs` the multiplications with a weight that this takes;
    /// those of normalisation and activation are left out, as is usual.
    pub fn trace(&self, input: Shape, macs: &mut u64) -> Shape {
        let window = |size: i64, kernel: i64, stride: i64, padding: i64| (size + 2 * padding - kernel) / stride + 1;
        match self {
            Layer::Conv { geometry, .. } => {
                let Conv { kernel, stride, padding, .. } = *geometry;
                let height = window(input.height, kernel[0], stride, padding[0]);
                let width = window(input.width, kernel[1], stride, padding[1]);
                *macs += (geometry.weight_shape().iter().product::<i64>() * height * width) as u64;
                Shape { channels: geometry.output, height, width }
            }
            Layer::Linear { weight, bias } => {
                *macs += weight.numel() as u64;
                Shape { channels: bias.numel() as i64, height: 1, width: 1 }
            }
            Layer::MaxPool(pool) | Layer::AveragePool(pool) => {
                let size = |size| window(size, pool.kernel, pool.stride, pool.padding);
                Shape { height: size(input.height), width: size(input.width), ..input }
            }
            Layer::GlobalPool => Shape { height: 1, width: 1, ..input },
            Layer::Chain(layers) => layers.iter().fold(input, |shape, layer| layer.trace(shape, macs)),
            Layer::Sum(branches) => branches.iter().fold(input, |_, branch| branch.trace(input, macs)),
            Layer::Concat(branches) => {
                let mut channels = 0;
                let last = branches.iter().fold(input, |_, branch| {
                    let shape = branch.trace(input, macs);
                    channels += shape.channels;
                    shape
                });
                Shape { channels, ..last }
            }
            Layer::Gate(factor) => {
                factor.trace(input, macs);
                input
            }
            Layer::DualPath { shared, shortcut, branch } => {
                let round = shortcut.trace(input, macs);
                let through = branch.trace(input, macs);
                Shape { channels: round.channels + through.channels - shared, ..through }
            }
            Layer::BatchNorm { .. } | Layer::Relu | Layer::Prelu(_) | Layer::Sigmoid | Layer::Dropout(_) | Layer::Scale(_) => {
                input
            }
        }
    }
}

/// Share by which running statistics move towards a batch's.
const STATISTICS_MOVE: f64 = 0.1;

/// He's normal initialisation by fan in.
const HE: nn::Init = nn::Init::Kaiming { dist: NormalOrUniform::Normal, fan: FanInOut::FanIn, non_linearity: NonLinearity::ReLU };
