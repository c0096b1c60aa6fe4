//! What quantisation cost, as one JSON object.

use std::path::Path;

use serde::Serialize;

use super::drift::EmbeddingDrift;
use super::{Layer, Settings};
use crate::eval::report::SetResult;

/// A quantised file's figures.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The file's name.
    pub file: String,
    /// The network's.
    pub network: String,
    /// Steps it was trained for, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// How it was quantised.
    pub settings: Settings,
    /// The chips that chose the ranges.
    pub calibration: Calibration,
    /// Bytes of the file in float, and as written.
    pub bytes: [usize; 2],
    /// Pairs of convolutions that were equalised.
    pub equalised: usize,
    /// The layers, in their order.
    pub layers: Vec<LayerDrift>,
    /// Cosines of the embeddings to the float network's, on chips that chose nothing.
    pub embedding: EmbeddingDrift,
    /// Pair lists, before and after.
    pub sets: Vec<Compared>,
    /// The program that wrote this.
    pub created_by: &'static str,
}

/// The chips that chose the ranges.
#[derive(Debug, Clone, Serialize)]
pub struct Calibration {
    /// The set's name.
    pub set: String,
    /// The set's fingerprint.
    pub fingerprint: String,
    /// How many of its chips.
    pub chips: usize,
    /// What drew them.
    pub seed: u64,
}

/// A layer, and how far its values lie from the float network's.
#[derive(Debug, Serialize)]
pub struct LayerDrift {
    /// The layer.
    #[serde(flatten)]
    pub layer: Layer,
    /// The mean cosine of its values, behind its activation, to the float network's.
    pub cosine: Option<f64>,
}

/// A pair list by both networks.
#[derive(Debug, Serialize)]
pub struct Compared {
    /// In float.
    pub before: SetResult,
    /// In int8, as simulated: the file rounds the same.
    pub after: SetResult,
}

impl Compared {
    /// What the accuracy loses, in points of a hundred; below 0 where it gains.
    pub fn points_lost(&self) -> f64 {
        100.0 * (self.before.report.accuracy - self.after.report.accuracy)
    }
}

impl Report {
    /// Its three figures, for people.
    pub fn in_words(&self) -> String {
        let embedding = &self.embedding;
        let mut text = format!(
            "{} → {} bytes; cosine to the float embeddings of {} chips: mean {:.5}, one in 100 below {:.5}, worst {:.5}\n",
            self.bytes[0], self.bytes[1], embedding.chips, embedding.mean, embedding.one_in_100, embedding.worst
        );
        for set in &self.sets {
            let [before, after] = [&set.before, &set.after].map(|set| 100.0 * set.report.accuracy);
            text += &format!("{}: {before:.3} % → {after:.3} %, {:+.3} points\n", set.before.name, -set.points_lost());
        }
        let float: Vec<&str> = self.layers.iter().filter(|row| !row.layer.int8).map(|row| row.layer.name.as_str()).collect();
        if !float.is_empty() {
            text += &format!("in float: {}\n", float.join(", "));
        }
        text
    }
}

/// The last part of a path.
pub fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
