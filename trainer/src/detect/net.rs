//! The detector's network: depthwise-separable trunk, three levels joined from the top down, a head a level.
//!
//! Its form is YuNet's (Wu, Peng, Yu, "YuNet: A tiny millisecond-level face detector", 2023), with residual units and two dense
//! convolutions in front. Everything is convolution, batch normalisation, ReLU, sum and nearest-neighbour enlargement.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor, nn, no_grad};

use super::grid::{BOX, CLASS, NUMBERS, OBJECT};
use crate::net::Activation;
use crate::net::layer::{Conv, Layer, Norm, Shape};

/// Channels of the first two convolutions.
const STEM: [i64; 2] = [16, 32];

/// Channels of each level's part of the trunk, and its residual units.
const TRUNK: [(i64, i64); 3] = [(64, 3), (96, 3), (96, 2)];

/// Channels of every level after the trunk.
const NECK: i64 = 64;

/// Residual units of a head.
const HEAD_UNITS: i64 = 2;

/// Where scores begin: one cell in a hundred answers for a face.
const RARE: f64 = -4.6;

/// Where boxes begin: four strides wide and high.
const FOUR_STRIDES: f64 = 1.386;

/// The network with its variables: `[n, 3, height, width]`, multiples of 32, normalised RGB, to a map a stride.
#[derive(Debug)]
pub struct DetectorNet {
    variables: nn::VarStore,
    /// From the input to stride 4.
    pub stem: Layer,
    /// From each level to the next: strides 8, 16 and 32.
    pub trunk: Vec<Layer>,
    /// From each level of the trunk to the neck's channels.
    pub laterals: Vec<Layer>,
    /// From each level of the neck to [`NUMBERS`] channels.
    pub heads: Vec<Layer>,
}

/// (x − 127.5) / 128, as in the recognisers.
pub use crate::net::input::{MEAN, SCALE};

fn unit(path: nn::Path<'_>, geometry: Conv, activation: Option<Activation>) -> Layer {
    Layer::conv_unit(&path, geometry, Norm::TORCH, activation)
}

/// Depthwise 3×3 and pointwise; a sum with the input where the shapes allow it.
fn separable(path: nn::Path<'_>, input: i64, output: i64, stride: i64) -> Layer {
    let branch = vec![
        unit(&path / "depthwise", Conv::depthwise(input, stride), Some(Activation::Relu)),
        unit(&path / "pointwise", Conv::pointwise(input, output), None),
    ];
    if input == output && stride == 1 {
        Layer::Chain(vec![Layer::Sum(vec![Layer::identity(), Layer::Chain(branch)]), Layer::Relu])
    } else {
        Layer::Chain(branch.into_iter().chain([Layer::Relu]).collect())
    }
}

impl DetectorNet {
    /// Fresh weights from libtorch's generator.
    pub fn build(device: Device) -> Self {
        let variables = nn::VarStore::new(device);
        let root = variables.root();
        let relu = Some(Activation::Relu);
        let stem = Layer::Chain(vec![
            unit(&root / "stem" / 0, Conv::full(3, STEM[0], 2), relu),
            unit(&root / "stem" / 1, Conv::full(STEM[0], STEM[1], 2), relu),
        ]);
        let (mut trunk, mut laterals, mut heads) = (Vec::new(), Vec::new(), Vec::new());
        let mut channels = STEM[1];
        for (level, (output, units)) in TRUNK.into_iter().enumerate() {
            let path = &root / "trunk" / level;
            let down = separable(&path / 0, channels, output, 2);
            let units = (0..units).map(|index| separable(&path / (index + 1), output, output, 1));
            trunk.push(Layer::Chain([down].into_iter().chain(units).collect()));
            laterals.push(unit(&root / "lateral" / level, Conv::pointwise(output, NECK), relu));
            let path = &root / "head" / level;
            let units = (0..HEAD_UNITS).map(|index| separable(&path / index, NECK, NECK, 1));
            let numbers = Layer::conv_with_bias(&(&path / "numbers"), Conv::pointwise(NECK, NUMBERS as i64));
            begin(&numbers);
            heads.push(Layer::Chain(units.chain([numbers]).collect()));
            channels = output;
        }
        for variable in variables.variables().values_mut().filter(|variable| variable.dim() == 4) {
            no_grad(|| variable.set_data(&variable.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])));
        }
        DetectorNet { variables, stem, trunk, laterals, heads }
    }

    /// Where its variables are.
    pub fn device(&self) -> Device {
        self.variables.device()
    }

    /// Every tensor by name.
    pub fn variables(&self) -> BTreeMap<String, Tensor> {
        self.variables.variables().into_iter().collect()
    }

    /// Number of values that training changes.
    pub fn parameters(&self) -> usize {
        self.variables.trainable_variables().iter().map(Tensor::numel).sum()
    }

    /// Multiplications with a weight that an input of `side` × `side` takes.
    pub fn macs(&self, side: i64) -> u64 {
        let mut macs = 0;
        let mut shape = self.stem.trace(Shape { channels: 3, height: side, width: side }, &mut macs);
        for ((trunk, lateral), head) in self.trunk.iter().zip(&self.laterals).zip(&self.heads) {
            shape = trunk.trace(shape, &mut macs);
            head.trace(lateral.trace(shape, &mut macs), &mut macs);
        }
        macs
    }

    /// `[n, cells, 16]`, cells as in [`super::grid::cells`], of pictures from [`from_pixels`].
    pub fn forward(&self, pictures: &Tensor, train: bool) -> Tensor {
        let mut levels = Vec::new();
        let mut map = self.stem.forward(pictures, train);
        for (trunk, lateral) in self.trunk.iter().zip(&self.laterals) {
            map = trunk.forward(&map, train);
            levels.push(lateral.forward(&map, train));
        }
        for level in (1..levels.len()).rev() {
            let size = levels[level - 1].size();
            levels[level - 1] = &levels[level - 1] + levels[level].upsample_nearest2d([size[2], size[3]], None, None);
        }
        let numbers = levels.iter().zip(&self.heads).map(|(level, head)| {
            let map = head.forward(level, train);
            map.permute([0, 2, 3, 1]).reshape([map.size()[0], -1, NUMBERS as i64])
        });
        Tensor::cat(&numbers.collect::<Vec<_>>(), 1).to_kind(Kind::Float)
    }
}

/// Small weights, few faces, boxes of four strides.
fn begin(numbers: &Layer) {
    let Layer::Conv { weight, bias: Some(bias), .. } = numbers else { return };
    no_grad(|| {
        let _ = weight.shallow_clone().normal_(0.0, 0.01);
        let mut values = [0.0; NUMBERS];
        values[CLASS] = 0.0;
        values[OBJECT] = RARE;
        values[BOX + 2..BOX + 4].fill(FOUR_STRIDES);
        bias.shallow_clone().copy_(&Tensor::from_slice(&values));
    });
}

/// Pictures of the same size, one after the other, as `[n, 3, height, width]` in channels-last layout.
pub fn from_pixels(rgb: &[u8], width: usize, height: usize, device: Device) -> Tensor {
    let rows = Tensor::from_slice(rgb).to_device(device).view([-1, height as i64, width as i64, 3]);
    (rows.permute([0, 3, 1, 2]).to_kind(Kind::Float) - MEAN) / SCALE
}
