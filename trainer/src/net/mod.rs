//! The networks: from a batch of chips to raw embeddings.
//!
//! A network is a [`Network`], built by name; [`Design`] says which names there are. One file a family; what they share is in
//! [`layer`], [`residual`], [`output`] and `stem`. The kind of the input decides the precision.

pub mod densenet;
pub mod design;
mod dpn;
mod inception_resnet;
pub mod input;
pub mod layer;
mod mobilefacenet;
mod mobilenet;
pub mod onnx;
pub mod output;
pub mod residual;
pub mod resnet;
mod stem;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, nn, no_grad};

use crate::data::chips::SIDE;
use crate::error::{Error, Result};
pub use design::Design;
pub use layer::Activation;
use layer::{Layer, Shape};

/// What the configuration says about a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetSettings {
    /// A name of `trainer list`.
    pub name: String,
    /// Length of the embedding.
    pub embedding: i64,
    /// The activation wherever the authors' code has PReLU. DenseNet, DPN and Inception-ResNet keep ReLU inside, as there.
    pub activation: Activation,
    /// What MobileNet's channels are multiplied by; 1 for every other network.
    pub width: f64,
}

/// A chip.
const CHIP: Shape = Shape { channels: 3, height: SIDE as i64, width: SIDE as i64 };

/// A network with its variables: `[n, 3, 112, 112]`, normalised and channels-last, to `[n, embedding]`, not normalised.
#[derive(Debug)]
pub struct Network {
    settings: NetSettings,
    variables: nn::VarStore,
    layers: Layer,
    map: Shape,
    macs: u64,
}

impl Network {
    /// Builds the network that `settings` names, with fresh weights from libtorch's generator.
    pub fn build(settings: &NetSettings, device: Device) -> Result<Self> {
        let Design { backbone, output } = Design::named(&settings.name)?;
        if !(1..=65_536).contains(&settings.embedding) {
            return Err(Error::Config(format!("an embedding of length {} is not possible", settings.embedding)));
        }
        if !(0.05..=4.0).contains(&settings.width) {
            return Err(Error::Config(format!("`width` must lie in 0.05…4, not {}", settings.width)));
        }
        if settings.width != 1.0 && !matches!(backbone, design::Backbone::MobileNet(_)) {
            return Err(Error::Config(format!("`width` is for mobilenet and lmobilenet only; {} takes 1", settings.name)));
        }
        let variables = nn::VarStore::new(device);
        let mut macs = 0;
        let trunk = backbone.build(&variables.root(), settings);
        let map = trunk.trace(CHIP, &mut macs);
        if let Some(length) = output.fixed_length(map).filter(|length| *length != settings.embedding) {
            let name = &settings.name;
            return Err(Error::Config(format!("{name} makes embeddings of length {length}: set `embedding` to it")));
        }
        let head = output.build(&(variables.root() / "head"), map, settings);
        head.trace(map, &mut macs);
        let network = Network { settings: settings.clone(), variables, layers: Layer::Chain(vec![trunk, head]), map, macs };
        network.lay_out(Layout::ChannelsLast);
        Ok(network)
    }

    /// Lays the weights of convolutions out as their maps will be; at first that is with the channels last.
    pub fn lay_out(&self, layout: Layout) {
        for variable in self.variables.variables().values_mut() {
            no_grad(|| variable.set_data(&layout.of(variable)));
        }
    }

    /// What it was built from.
    pub fn settings(&self) -> &NetSettings {
        &self.settings
    }

    /// Where its variables are.
    pub fn device(&self) -> Device {
        self.variables.device()
    }

    /// Its structure, with the variables in place.
    pub fn layers(&self) -> &Layer {
        &self.layers
    }

    /// The layers before the head, in order.
    pub fn trunk(&self) -> &[Layer] {
        match self.layers.chain() {
            [trunk, _] => trunk.chain(),
            layers => layers,
        }
    }

    /// From the last map to the embedding.
    pub fn head(&self) -> &[Layer] {
        match self.layers.chain() {
            [_, head] => head.chain(),
            _ => &[],
        }
    }

    /// Raw embeddings, `f32`, of a batch from [`input::from_pixels`]. `train` uses the batch's own statistics, and dropout.
    pub fn forward(&self, chips: &Tensor, train: bool) -> Tensor {
        self.layers.forward(chips, train).flatten(1, -1).to_kind(Kind::Float)
    }

    /// Every tensor by name: weights, and the running statistics, which take no gradient.
    pub fn variables(&self) -> BTreeMap<String, Tensor> {
        self.variables.variables().into_iter().collect()
    }

    /// Number of values that training changes.
    pub fn parameters(&self) -> usize {
        self.variables.trainable_variables().iter().map(Tensor::numel).sum()
    }

    /// Number of values in a file of it: the parameters, fixed factors and running statistics. Four bytes each.
    pub fn values(&self) -> usize {
        self.variables.variables().values().map(Tensor::numel).sum()
    }

    /// Multiplications with a weight, each with an addition, that one chip takes.
    pub fn macs(&self) -> u64 {
        self.macs
    }

    /// Size of the last map, which the output option sees.
    pub fn last_map(&self) -> Shape {
        self.map
    }
}

/// How the values of a map lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// Pixel after pixel.
    ChannelsLast,
    /// Channel after channel.
    Planes,
}

impl Layout {
    /// Maps, or a convolution's weights, laid out so: the tensor itself where it is already, and where it has no four dimensions.
    pub fn of(self, tensor: &Tensor) -> Tensor {
        match (self, tensor.dim()) {
            (Layout::ChannelsLast, 4) => tensor.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2]),
            (Layout::Planes, 4) => tensor.contiguous(),
            _ => tensor.shallow_clone(),
        }
    }
}
