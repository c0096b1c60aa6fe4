//! From a checkpoint to an ONNX file.
//!
//! The network's tree of layers becomes a [`graph::Graph`] ([`layers`]), normalisation that folds is folded ([`fold`]), and [`onnx`] writes
//! it. Quantisation works on the same graph.

pub mod about;
pub(crate) mod fold;
pub mod graph;
mod layers;
pub mod onnx;

use std::path::Path;

use crate::error::Result;
use crate::net::Network;
use crate::train::checkpoint::{self, State};
use about::About;
use graph::Graph;
use onnx::{Batch, File, Weights};

/// A network as it is passed on: folded, without what only training needs.
#[derive(Debug)]
pub struct Exported {
    /// The operators.
    pub graph: Graph,
    /// What the file says of it.
    pub about: About,
}

impl Exported {
    /// The network of a run's folder or `.safetensors`: the average of its weights, where it keeps one.
    pub fn open(path: &Path) -> Result<Self> {
        let (network, state) = checkpoint::network(path)?;
        Self::new(&network, &state)
    }

    /// A network with its weights.
    pub fn new(network: &Network, state: &State) -> Result<Self> {
        let graph = graph_of(network);
        let about = About::new(network, state, graph.input)?;
        Ok(Exported { graph, about })
    }

    /// The ONNX file.
    pub fn file(&self, batch: Batch, weights: Weights) -> Result<File> {
        let mut about = self.about.clone();
        about.input = about::form(self.graph.input);
        if weights == Weights::Half {
            about.precision = "fp16 weights".into();
        }
        onnx::file(&self.graph, about.metadata()?, batch, weights)
    }
}

/// The operators of a network, folded.
pub fn graph_of(network: &Network) -> Graph {
    fold::fold(layers::graph(network))
}
