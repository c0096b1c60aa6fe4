//! A foreign network on libtorch: an ONNX file, its embeddings and the maps inside it.
//!
//! [`Teacher`](crate::train::teacher::Teacher) runs any recogniser, one chip at a time on the CPU; this one knows fewer operators and
//! runs whole batches where the training does, in training's precision.

mod operator;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use prost::Message;
use tch::{Device, Kind, Tensor, no_grad};
use tract_onnx::pb::{ModelProto, TensorProto};

use crate::error::{Error, Result};
use operator::Node;

/// An ONNX network with one input `[n, …]`, whose file may be for n = 1.
#[derive(Debug)]
pub struct OnnxNetwork {
    path: PathBuf,
    input: String,
    /// Stored values that take the place of an operator's input.
    stored: HashMap<String, Tensor>,
    nodes: Vec<Node>,
}

impl OnnxNetwork {
    /// Loads a file; its weights become `kind` on `device`.
    pub fn open(path: &Path, kind: Kind, device: Device) -> Result<Self> {
        let fail = |reason: String| Error::Teacher { path: path.to_path_buf(), reason };
        let bytes = std::fs::read(path).map_err(Error::file(path))?;
        let model = ModelProto::decode(bytes.as_slice()).map_err(|e| fail(e.to_string()))?;
        let graph = model.graph.ok_or_else(|| fail("it holds no graph".into()))?;
        let mut weights: HashMap<&str, &TensorProto> =
            graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        for node in graph.node.iter().filter(|node| node.op_type == "Constant") {
            let value = node.attribute.iter().find(|attribute| attribute.name == "value").and_then(|a| a.t.as_ref());
            weights.extend(node.output.first().zip(value).map(|(name, value)| (name.as_str(), value)));
        }
        let input = graph.input.iter().find(|input| !weights.contains_key(input.name.as_str()));
        let input = input.ok_or_else(|| fail("it has no input".into()))?.name.clone();
        let nodes = graph.node.iter().filter(|node| node.op_type != "Constant").map(|node| {
            let at = |reason: String| fail(format!("{}: {reason}", node.name));
            operator::read(node, &weights, (kind, device)).map_err(at)
        });
        let nodes = nodes.collect::<Result<Vec<_>>>()?;
        let operands: HashSet<&str> = nodes.iter().flat_map(|node| &node.inputs).map(String::as_str).collect();
        let stored = operands.iter().filter_map(|name| Some((*name, weights.get(name)?)));
        let stored = stored.map(|(name, proto)| Ok((name.to_owned(), operator::tensor(proto, (kind, device)).map_err(fail)?)));
        let stored = stored.collect::<Result<HashMap<_, _>>>()?;
        let mut known: HashSet<&str> = stored.keys().map(String::as_str).chain([input.as_str()]).collect();
        for node in &nodes {
            if let Some(name) = node.inputs.iter().find(|name| !known.contains(name.as_str())) {
                return Err(fail(format!("nothing before {} makes its input {name}", node.name())));
            }
            known.extend(node.outputs.iter().map(String::as_str));
        }
        Ok(OnnxNetwork { path: path.to_path_buf(), input, stored, nodes })
    }

    /// Names of the values that the network makes, in order.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().flat_map(|node| &node.outputs).map(String::as_str)
    }

    /// The `wanted` values for a batch, without gradient. Names that the network does not make are left out;
    /// an error where its maps do not fit together, as for an input of another size than its own.
    pub fn maps(&self, chips: &Tensor, wanted: &[&str]) -> Result<HashMap<&str, Tensor>> {
        let mut last_use = HashMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            last_use.extend(node.inputs.iter().map(|name| (name.as_str(), index)));
        }
        let Some(end) = self.nodes.iter().rposition(|node| node.outputs.iter().any(|name| wanted.contains(&name.as_str())))
        else {
            return Ok(HashMap::new());
        };
        let batch = chips.size().first().copied().unwrap_or(1);
        let mut maps: HashMap<&str, Tensor> = HashMap::from([(self.input.as_str(), chips.shallow_clone())]);
        no_grad(|| -> Result<()> {
            for (index, node) in self.nodes.iter().enumerate().take(end + 1) {
                let value = |name: &String| maps.get(name.as_str()).or_else(|| self.stored.get(name)).map(Tensor::shallow_clone);
                let inputs: Vec<Tensor> = node.inputs.iter().filter_map(value).collect();
                let made = node.run(&inputs, batch).map_err(|error| {
                    let error = error.to_string();
                    let reason = format!("{}: {}", node.name(), error.lines().next().unwrap_or_default());
                    Error::Teacher { path: self.path.clone(), reason }
                })?;
                maps.extend(node.outputs.iter().map(String::as_str).zip(made));
                let still = |name: &str| wanted.contains(&name) || last_use.get(name).is_some_and(|last| *last > index);
                for name in node.inputs.iter().chain(&node.outputs).filter(|name| !still(name)) {
                    maps.remove(name.as_str());
                }
            }
            Ok(())
        })?;
        maps.retain(|name, _| wanted.contains(name));
        Ok(maps)
    }
}
