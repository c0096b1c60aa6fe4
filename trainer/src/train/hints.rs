//! Learning a trunk layer by layer from a network of the same shape (FitNets' hints: Romero and others, arXiv 1412.6550).
//!
//! With `forced`, each stretch of the student gets the *teacher's* map as its input and is to make the teacher's next one. No
//! stretch waits for those before it to have learnt, and a map holds hundreds of examples: the trunk stands after a few thousand
//! small steps. Afterwards the whole learns as a whole, from these weights.

use std::path::Path;

use tch::{Kind, Tensor};

use crate::error::{Error, Result};
use crate::net::Network;
use crate::net::onnx::OnnxNetwork;

/// A teacher, and which of its values belongs behind which layer of the student's trunk.
#[derive(Debug)]
pub struct Hints {
    teacher: OnnxNetwork,
    values: Vec<String>,
    forced: bool,
}

impl Hints {
    /// `values[i]` is the teacher's value behind layer `i` of the trunk, empty where there is none.
    pub fn open(path: &Path, values: &[String], forced: bool, network: &Network, kind: Kind) -> Result<Self> {
        let teacher = OnnxNetwork::open(path, kind, network.device())?;
        let fail = |reason: String| Err(Error::Teacher { path: path.to_path_buf(), reason });
        let known: Vec<&str> = teacher.values().collect();
        if let Some(name) = values.iter().find(|name| !name.is_empty() && !known.contains(&name.as_str())) {
            return fail(format!("it makes no value `{name}` (`hint_values`)"));
        }
        let layers = network.trunk().len();
        if values.len() > layers || values.iter().all(String::is_empty) {
            return fail(format!(
                "`hint_values` must name 1 to {layers} values, one a layer of the trunk, \"\" where there is none"
            ));
        }
        Ok(Hints { teacher, values: values.to_vec(), forced })
    }

    /// Raw embeddings of a batch, and the sum over the hints of the squared error, each as a share of the teacher's variance. Where
    /// a layer's map has its input's shape, of the variance of what the layer adds.
    pub fn forward(&self, network: &Network, chips: &Tensor) -> Result<(Tensor, Tensor)> {
        let wanted: Vec<&str> = self.values.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
        let targets = self.teacher.maps(chips, &wanted)?;
        let mut map = chips.shallow_clone();
        let mut before = chips.shallow_clone();
        let mut loss = Tensor::zeros([], (Kind::Float, chips.device()));
        for (index, layer) in network.trunk().iter().enumerate() {
            map = layer.forward(&map, true);
            let Some(target) = self.values.get(index).and_then(|name| targets.get(name.as_str())) else { continue };
            if target.size() != map.size() {
                let reason = format!("layer {index} makes {:?}, `{}` is {:?}", map.size(), self.values[index], target.size());
                return Err(Error::Config(reason));
            }
            let new = if before.size() == target.size() { target - &before } else { target.shallow_clone() };
            let spread = new.to_kind(Kind::Float).var_dim([0i64, 2, 3].as_slice(), true, false).mean(Kind::Float);
            loss += (&map - target).to_kind(Kind::Float).square().mean(Kind::Float) / spread.clamp_min(1e-12);
            before = target.shallow_clone();
            if self.forced {
                map = target.shallow_clone();
            }
        }
        let embeddings = network.head().iter().fold(map, |map, layer| layer.forward(&map, true));
        Ok((embeddings.flatten(1, -1).to_kind(Kind::Float), loss))
    }
}
