//! How far a quantised graph's values lie from the float graph's.

use std::collections::BTreeMap;

use serde::Serialize;
use tch::{Device, Kind, Tensor, no_grad};

use super::calibrate::batches;
use crate::data::chips::Chip;
use crate::error::Result;
use crate::export::graph::{Graph, Op};

/// Cosines of quantised and float embeddings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EmbeddingDrift {
    /// Chips.
    pub chips: usize,
    /// The mean cosine.
    pub mean: f64,
    /// The cosine that one chip in a hundred falls below.
    pub one_in_100: f64,
    /// The least cosine.
    pub worst: f64,
    /// Every chip's, from the least up.
    pub cosines: Vec<f64>,
}

impl EmbeddingDrift {
    /// Of cosines in any order.
    pub fn new(mut cosines: Vec<f64>) -> Self {
        cosines.sort_by(f64::total_cmp);
        let chips = cosines.len();
        EmbeddingDrift {
            chips,
            mean: cosines.iter().sum::<f64>() / chips.max(1) as f64,
            one_in_100: cosines.get(chips / 100).copied().unwrap_or(0.0),
            worst: cosines.first().copied().unwrap_or(0.0),
            cosines,
        }
    }
}

/// The embeddings' drift on the chips.
pub fn embeddings(quantised: &Graph, float: &Graph, chips: &[Chip], device: Device) -> Result<EmbeddingDrift> {
    embeddings_from(quantised, &outputs(float, chips, device)?, chips, device)
}

/// Raw embeddings of the chips, a tensor a batch.
pub(super) fn outputs(graph: &Graph, chips: &[Chip], device: Device) -> Result<Vec<Tensor>> {
    let mut outputs = Vec::new();
    batches(chips, |pixels| {
        outputs.push(graph.forward(&graph.batch(pixels, device)));
        Ok(())
    })?;
    Ok(outputs)
}

/// As [`embeddings`], where the float ones are known.
pub(super) fn embeddings_from(quantised: &Graph, float: &[Tensor], chips: &[Chip], device: Device) -> Result<EmbeddingDrift> {
    let mut cosines = Vec::new();
    let mut expected = float.iter();
    batches(chips, |pixels| {
        let found = quantised.forward(&quantised.batch(pixels, device));
        if let Some(expected) = expected.next() {
            cosines.extend(cosine(&found, expected)?);
        }
        Ok(())
    })?;
    Ok(EmbeddingDrift::new(cosines))
}

/// The mean cosine of each layer's values, by the layer's name, behind its activation where it has one.
pub fn layers(quantised: &Graph, float: &Graph, chips: &[Chip], device: Device) -> Result<BTreeMap<String, f64>> {
    let ends = ends(float);
    let mut sums: BTreeMap<String, f64> = BTreeMap::new();
    // A few chips at once: all values of the float graph are kept beside the quantised one's.
    for chips in chips.chunks(4) {
        let pixels = chips.concat();
        let mut expected = BTreeMap::new();
        let _ = float.walk(&float.batch(&pixels, device), |number, value| {
            if let Some(layer) = ends.get(&number) {
                expected.insert(float.nodes[number].name.as_str(), (layer, value.shallow_clone()));
            }
        });
        let mut result = Ok(());
        let _ = quantised.walk(&quantised.batch(&pixels, device), |number, value| {
            if let Some((layer, expected)) = expected.get(quantised.nodes[number].name.as_str()) {
                match cosine(value, expected) {
                    Ok(cosines) => *sums.entry((*layer).clone()).or_default() += cosines.iter().sum::<f64>(),
                    Err(error) => result = Err(error),
                }
            }
        });
        result?;
    }
    sums.values_mut().for_each(|sum| *sum /= chips.len().max(1) as f64);
    Ok(sums)
}

/// The node at which each layer with weights, and each sum, ends: its activation, where only that takes it. By that node, its name.
pub(super) fn ends(graph: &Graph) -> BTreeMap<usize, String> {
    let users = graph.users();
    let layers = graph.nodes.iter().enumerate().filter(|(_, node)| super::plan::quantisable(&node.op));
    layers
        .map(|(number, node)| {
            let end = match users[number][..] {
                [user] if matches!(graph.nodes[user].op, Op::Relu | Op::Prelu(_)) => user,
                _ => number,
            };
            (end, node.name.clone())
        })
        .collect()
}

/// The cosine of each row of a batch.
fn cosine(a: &Tensor, b: &Tensor) -> Result<Vec<f64>> {
    no_grad(|| {
        let [a, b] = [a, b].map(|tensor| tensor.to_kind(Kind::Double).flatten(1, -1));
        let [length_a, length_b] =
            [&a, &b].map(|rows| (rows * rows).sum_dim_intlist([1i64].as_slice(), false, Kind::Double).sqrt());
        let dots = (a * b).sum_dim_intlist([1i64].as_slice(), false, Kind::Double);
        Ok(Vec::<f64>::try_from((dots / (length_a * length_b).clamp_min(1e-30)).to_device(Device::Cpu))?)
    })
}
