//! The networks: from a batch of chips to raw embeddings.
//!
//! A network is a [`Network`], built by name from the table [`NETWORKS`]. One file a family; what they share is in [`layer`].
//! The kind of the input decides the precision: layers cast their weights to it, batch normalisation keeps `f32` statistics.

pub mod input;
pub mod layer;
mod mobilefacenet;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, nn, no_grad};

use crate::error::{Error, Result};
pub use layer::Activation;

/// What the configuration says about a network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NetSettings {
    /// A name of [`NETWORKS`].
    pub name: String,
    /// Length of the embedding.
    pub embedding: i64,
    /// The activation of every unit that has one.
    pub activation: Activation,
}

/// A network that can be asked for by name.
pub struct Entry {
    /// The name in a configuration.
    pub name: &'static str,
    /// One line for `trainer list`.
    pub summary: &'static str,
    /// Makes its variables below the path.
    pub build: fn(&nn::Path<'_>, &NetSettings) -> Box<dyn nn::ModuleT>,
}

/// Every network.
pub const NETWORKS: &[Entry] = &[mobilefacenet::ENTRY];

/// A network with its variables: `[n, 3, 112, 112]`, normalised and channels-last, to `[n, embedding]`, not normalised.
#[derive(Debug)]
pub struct Network {
    settings: NetSettings,
    variables: nn::VarStore,
    trunk: Box<dyn nn::ModuleT>,
}

impl Network {
    /// Builds the network that `settings` names, with fresh weights from libtorch's generator.
    pub fn build(settings: &NetSettings, device: Device) -> Result<Self> {
        let entry = NETWORKS.iter().find(|entry| entry.name == settings.name).ok_or_else(|| {
            let names: Vec<_> = NETWORKS.iter().map(|entry| entry.name).collect();
            Error::Config(format!("there is no network {:?}; there are: {}", settings.name, names.join(", ")))
        })?;
        if !(1..=65_536).contains(&settings.embedding) {
            return Err(Error::Config(format!("an embedding of length {} is not possible", settings.embedding)));
        }
        let variables = nn::VarStore::new(device);
        let trunk = (entry.build)(&variables.root(), settings);
        for variable in variables.variables().values_mut() {
            channels_last(variable);
        }
        Ok(Network { settings: settings.clone(), variables, trunk })
    }

    /// What it was built from.
    pub fn settings(&self) -> &NetSettings {
        &self.settings
    }

    /// Where its variables are.
    pub fn device(&self) -> Device {
        self.variables.device()
    }

    /// Raw embeddings, `f32`, of a batch from [`input::from_pixels`]. `train` uses the batch's own statistics, and dropout.
    pub fn forward(&self, chips: &Tensor, train: bool) -> Tensor {
        self.trunk.forward_t(chips, train).to_kind(Kind::Float)
    }

    /// Every tensor by name: weights, and the running statistics, which take no gradient.
    pub fn variables(&self) -> BTreeMap<String, Tensor> {
        self.variables.variables().into_iter().collect()
    }

    /// Number of values that training changes.
    pub fn parameters(&self) -> usize {
        self.variables.trainable_variables().iter().map(Tensor::numel).sum()
    }
}

/// Lays a convolution's weights out as its inputs are.
fn channels_last(variable: &mut Tensor) {
    if variable.dim() == 4 {
        no_grad(|| variable.set_data(&variable.permute([0, 2, 3, 1]).contiguous().permute([0, 3, 1, 2])));
    }
}
