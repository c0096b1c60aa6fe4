//! From a checkpoint to an ONNX file.
//!
//! The network's tree of layers becomes a [`graph::Graph`] (`layers`), normalisation that folds is folded (`fold`), and [`onnx`] writes
//! it; `read` reads others' files. Quantisation works on the same graph.

pub mod about;
pub(crate) mod fold;
pub mod graph;
mod layers;
pub mod onnx;
mod read;

use std::path::Path;

use crate::error::{Error, Result};
use crate::net::Network;
use crate::train::checkpoint::{self, State};
use about::About;
use graph::{Graph, Input};
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
    /// The network of a run's folder or `.safetensors`, the average of its weights where it keeps one; or that of an ONNX recogniser, which
    /// is fed as it says itself, or else with `input`.
    pub fn open(path: &Path, input: Input) -> Result<Self> {
        if path.extension().is_none_or(|ending| ending != "onnx") {
            let (network, state) = checkpoint::network(path)?;
            return Self::new(&network, &state);
        }
        let onnx = std::fs::read(path).map_err(Error::file(path))?;
        let about = About::read(path, &onnx)?;
        let input = about.as_ref().map_or(input, |about| about::input(about.input));
        let graph = fold::fold(read::graph(path, &onnx, input)?);
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let about = about.unwrap_or_else(|| About {
            input: about::form(input),
            embedding: graph.embedding as usize,
            network: stem.unwrap_or_default(),
            precision: "fp32".into(),
            training: None,
        });
        Ok(Exported { graph, about })
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
