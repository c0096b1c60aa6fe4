//! The detector's network, YuNet's form (Wu, Peng, Yu, "YuNet: A tiny millisecond-level face detector", 2023): a dense
//! convolution, then units of a pointwise and a depthwise one, halved between stages by the largest value; three levels joined from
//! the top down, a head a level.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor, nn, no_grad};

use super::grid::{BOX, CLASS, NUMBERS, OBJECT};
use crate::net::layer::{Conv, Layer, Norm, Pool, Shape};

/// Channels of each stage's units; the very first unit is a dense convolution with stride 2.
const STAGES: [&[i64]; 5] = [&[16, 16], &[16, 32, 32, 64], &[64, 64], &[64, 64], &[64, 64]];

/// The first stage whose map is a level: stride 8.
const FIRST_LEVEL: usize = 2;

/// Channels of every level.
const NECK: i64 = 64;

/// Units of the stages and laterals: heads are counted from here.
pub const UNITS_BEFORE_HEADS: usize = 15;

/// Between stages.
const HALVE: Layer = Layer::MaxPool(Pool { kernel: 2, stride: 2, padding: 0 });

/// Where scores begin: one cell in a hundred answers for a face.
const RARE: f64 = -4.6;

/// Where boxes begin: four strides wide and high.
const FOUR_STRIDES: f64 = 1.386;

/// What a pixel's 0…255 is divided by; nothing is subtracted, so that the zeros around a picture are black.
pub const WHITE: f64 = 255.0;

/// The network with its variables: `[n, 3, height, width]`, multiples of 32, RGB from 0 to 1, to a map a stride.
#[derive(Debug)]
pub struct DetectorNet {
    variables: nn::VarStore,
    /// Units of each stage, a ReLU behind each, [`HALVE`] before each stage but the first.
    stages: Vec<Vec<Layer>>,
    /// From each level to the neck, a ReLU behind it.
    laterals: Vec<Layer>,
    /// From each level of the neck to [`NUMBERS`] channels.
    heads: Vec<Layer>,
}

/// Pointwise with bias, depthwise with normalisation.
fn unit(path: &nn::Path<'_>, input: i64, output: i64) -> Layer {
    Layer::Chain(vec![
        Layer::conv_with_bias(&(path / "pointwise"), Conv::pointwise(input, output)),
        Layer::conv_unit(&(path / "depthwise"), Conv::depthwise(output, 1), Norm::TORCH, None),
    ])
}

/// Pointwise and depthwise, both with bias: all numbers of a level side by side.
fn head(path: &nn::Path<'_>) -> Layer {
    let pointwise = Layer::conv_with_bias(&(path / "pointwise"), Conv::pointwise(NECK, NUMBERS as i64));
    let depthwise = Layer::conv_with_bias(&(path / "depthwise"), Conv::depthwise(NUMBERS as i64, 1));
    begin(&pointwise, &depthwise);
    Layer::Chain(vec![pointwise, depthwise])
}

/// What a network is made of, as [`DetectorNet::walk`] meets it: numbers for libtorch, names for an ONNX file.
pub trait Maps {
    /// A map.
    type Map;
    /// Why one could not be made.
    type Error;
    /// What `layer` makes of `map`. `unit` counts stages' units, laterals from stride 32 down, and heads from stride 8 up.
    fn unit(&mut self, unit: usize, layer: &Layer, map: &Self::Map) -> Result<Self::Map, Self::Error>;
    /// What a layer without weights makes of it.
    fn plain(&mut self, layer: &Layer, map: &Self::Map) -> Result<Self::Map, Self::Error>;
    /// `fine` and the enlarged `coarse`.
    fn join(&mut self, fine: &Self::Map, coarse: &Self::Map) -> Result<Self::Map, Self::Error>;
}

impl DetectorNet {
    /// Fresh weights from libtorch's generator.
    pub fn build(device: Device) -> Self {
        let variables = nn::VarStore::new(device);
        let root = variables.root();
        let (mut stages, mut channels) = (Vec::new(), 3);
        for (stage, outputs) in STAGES.into_iter().enumerate() {
            let mut units = Vec::new();
            for (index, &output) in outputs.iter().enumerate() {
                let path = &root / "stage" / stage / index;
                units.push(match (stage, index) {
                    (0, 0) => Layer::conv_unit(&path, Conv::full(channels, output, 2), Norm::TORCH, None),
                    _ => unit(&path, channels, output),
                });
                channels = output;
            }
            stages.push(units);
        }
        let levels = STAGES.len() - FIRST_LEVEL;
        let laterals = (0..levels).map(|level| unit(&(&root / "lateral" / level), NECK, NECK)).collect();
        let heads = (0..levels).map(|level| head(&(&root / "head" / level))).collect();
        for variable in variables.variables().values_mut().filter(|variable| variable.dim() == 4) {
            no_grad(|| variable.set_data(&variable.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])));
        }
        DetectorNet { variables, stages, laterals, heads }
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
        struct Count(u64);
        impl Maps for Count {
            type Map = Shape;
            type Error = std::convert::Infallible;
            fn unit(&mut self, _: usize, layer: &Layer, map: &Shape) -> Result<Shape, Self::Error> {
                Ok(layer.trace(*map, &mut self.0))
            }
            fn plain(&mut self, layer: &Layer, map: &Shape) -> Result<Shape, Self::Error> {
                Ok(layer.trace(*map, &mut self.0))
            }
            fn join(&mut self, fine: &Shape, _: &Shape) -> Result<Shape, Self::Error> {
                Ok(*fine)
            }
        }
        let mut count = Count(0);
        let Ok(_) = self.walk(Shape { channels: 3, height: side, width: side }, &mut count);
        count.0
    }

    /// `[n, cells, 16]`, cells as in [`super::grid::cells`], of pictures from [`from_pixels`].
    pub fn forward(&self, pictures: &Tensor, train: bool) -> Tensor {
        struct Forward(bool);
        impl Maps for Forward {
            type Map = Tensor;
            type Error = std::convert::Infallible;
            fn unit(&mut self, _: usize, layer: &Layer, map: &Tensor) -> Result<Tensor, Self::Error> {
                Ok(layer.forward(map, self.0))
            }
            fn plain(&mut self, layer: &Layer, map: &Tensor) -> Result<Tensor, Self::Error> {
                Ok(layer.forward(map, self.0))
            }
            fn join(&mut self, fine: &Tensor, coarse: &Tensor) -> Result<Tensor, Self::Error> {
                Ok(join(fine, coarse))
            }
        }
        let Ok(heads) = self.walk(pictures.shallow_clone(), &mut Forward(train));
        numbers(&heads)
    }

    /// From the input to the heads' maps, strides 8, 16 and 32.
    pub fn walk<M: Maps>(&self, input: M::Map, maps: &mut M) -> Result<Vec<M::Map>, M::Error> {
        let mut unit = 0..;
        let mut next = || unit.next().unwrap_or_default();
        let mut made = vec![input];
        for (stage, units) in self.stages.iter().enumerate() {
            let mut map = if stage > 0 { Some(maps.plain(&HALVE, &made[stage])?) } else { None };
            for layer in units {
                let before = map.as_ref().unwrap_or(&made[stage]);
                let linear = maps.unit(next(), layer, before)?;
                map = Some(maps.plain(&Layer::Relu, &linear)?);
            }
            made.extend(map);
        }
        let mut levels = made.split_off(1 + FIRST_LEVEL);
        for level in (0..levels.len()).rev() {
            if let Some(coarse) = levels.get(level + 1) {
                levels[level] = maps.join(&levels[level], coarse)?;
            }
            let lateral = maps.unit(next(), &self.laterals[level], &levels[level])?;
            levels[level] = maps.plain(&Layer::Relu, &lateral)?;
        }
        levels.iter().zip(&self.heads).map(|(level, head)| maps.unit(next(), head, level)).collect()
    }
}

/// `fine` and `coarse`, each value of which counts for two rows and two columns.
pub fn join(fine: &Tensor, coarse: &Tensor) -> Tensor {
    let size = fine.size();
    fine + coarse.upsample_nearest2d([size[2], size[3]], None, None)
}

/// The heads' maps as `[n, cells, 16]`.
pub fn numbers(heads: &[Tensor]) -> Tensor {
    let cells = heads.iter().map(|map| map.permute([0, 2, 3, 1]).reshape([map.size()[0], -1, NUMBERS as i64]));
    Tensor::cat(&cells.collect::<Vec<_>>(), 1).to_kind(Kind::Float)
}

/// Small weights, few faces, boxes of four strides.
fn begin(pointwise: &Layer, depthwise: &Layer) {
    let (Layer::Conv { weight, .. }, Layer::Conv { bias: Some(bias), .. }) = (pointwise, depthwise) else { return };
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
    rows.permute([0, 3, 1, 2]).to_kind(Kind::Float) / WHITE
}
