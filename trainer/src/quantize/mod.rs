//! Post-training static quantisation: int8 weights with a step a channel, uint8 values with a step a map.
//!
//! The folded graph is [equalised](equalise), its values are [observed](calibrate) on calibration chips, [`range`] chooses their steps,
//! [`plan`] rounds weights and inserts the rounding of values, [`correct`] moves the biases. What comes out is again a
//! [`Graph`], which computes what the file will: the [report](report) and the choice of layers that stay in float rest on it.

pub mod calibrate;
pub mod correct;
pub mod drift;
pub mod equalise;
pub mod page;
pub mod plan;
pub mod range;
pub mod report;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tch::Device;

use crate::data::chips::Chip;
use crate::error::{Error, Result};
use crate::export::graph::Graph;
use calibrate::Observed;
use drift::EmbeddingDrift;
use range::{Method, Step};

/// Which layers stay in float.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Float {
    /// Those that cost most, one after the other, until the embeddings' drift is within both bounds; at most one layer in ten.
    Until {
        /// The least mean cosine.
        mean: f64,
        /// The least cosine of any chip.
        worst: f64,
    },
    /// The so many that cost most.
    Number(usize),
}

/// How to quantise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Settings {
    /// How ranges are chosen.
    pub method: Method,
    /// Share of values, in percent, that the method `percentile` keeps at each end.
    pub percentile: f64,
    /// Whether to equalise.
    pub equalise: bool,
    /// Chips of the calibration set for bias correction; 0: none.
    pub correction_chips: usize,
    /// Chips of the calibration set that tell how much each layer costs.
    pub sensitivity_chips: usize,
    /// What stays in float.
    pub float: Float,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            method: Method::Mse,
            percentile: 99.99,
            equalise: true,
            correction_chips: 64,
            sensitivity_chips: 32,
            float: Float::Until { mean: 0.99, worst: 0.95 },
        }
    }
}

/// What became of a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Layer {
    /// Its name in the file.
    pub name: String,
    /// `Conv`, `Gemm` or `Add`.
    pub kind: &'static str,
    /// Whether it is in int8.
    pub int8: bool,
    /// How its first input is rounded.
    pub input: Option<Step>,
    /// The least and the greatest value of that input on the calibration chips.
    pub seen: Option<(f32, f32)>,
    /// What the embeddings' mean cosine loses if this layer alone is in int8; none where it was not needed.
    pub cost: Option<f64>,
}

/// A network in both forms.
#[derive(Debug)]
pub struct Quantised {
    /// In float, equalised: node by node what the other should compute.
    pub float: Graph,
    /// In int8.
    pub graph: Graph,
    /// The layers, in their order.
    pub layers: Vec<Layer>,
    /// Pairs of convolutions that were equalised.
    pub equalised: usize,
}

/// Quantises a folded graph by what it computes of these chips.
pub fn quantise(mut float: Graph, chips: &[Chip], settings: &Settings, device: Device) -> Result<Quantised> {
    if chips.is_empty() {
        return Err(Error::data("calibration", "there is no chip"));
    }
    let equalised = if settings.equalise { equalise::equalise(&mut float, chips, device)? } else { 0 };
    let all: BTreeSet<usize> =
        float.nodes.iter().enumerate().filter(|(_, node)| plan::quantisable(&node.op)).map(|(number, _)| number).collect();
    let observed = calibrate::observe(&float, &plan::points(&float, &all), chips, device)?;
    let steps = steps(&observed, settings);

    let few = |count: usize| &chips[..count.min(chips.len())];
    let build = |int8: &BTreeSet<usize>| -> Result<Graph> {
        let mut graph = plan::quantised(&float, int8, &steps)?;
        if settings.correction_chips > 0 {
            correct::correct(&mut graph, &float, few(settings.correction_chips), device)?;
        }
        Ok(graph)
    };
    let mut int8 = all.clone();
    let mut graph = build(&int8)?;
    let mut costs = BTreeMap::new();
    let few_chips = few(settings.sensitivity_chips);
    let expected = drift::outputs(&float, few_chips, device)?;
    let drift_of = |graph: &Graph| drift::embeddings_from(graph, &expected, few_chips, device);
    let layers: Vec<usize> = all.iter().copied().filter(|node| float.nodes[*node].op.has_weights()).collect();
    let (most, within): (usize, Box<dyn Fn(&EmbeddingDrift) -> bool>) = match settings.float {
        Float::Number(number) => (number, Box::new(|_| false)),
        Float::Until { mean, worst } => {
            (layers.len().div_ceil(10), Box::new(move |drift| drift.mean >= mean && drift.worst >= worst))
        }
    };
    if most > 0 && !within(&drift_of(&graph)?) {
        for layer in &layers {
            let alone = plan::quantised(&float, &BTreeSet::from([*layer]), &steps)?;
            costs.insert(*layer, 1.0 - drift_of(&alone)?.mean);
        }
        let mut dearest = layers.clone();
        dearest.sort_by(|a, b| costs[b].total_cmp(&costs[a]));
        for layer in dearest.into_iter().take(most) {
            int8.remove(&layer);
            graph = build(&int8)?;
            if within(&drift_of(&graph)?) {
                break;
            }
        }
    }
    let layers = all
        .iter()
        .map(|number| {
            let node = &float.nodes[*number];
            let input = node.inputs.first().copied().unwrap_or(0);
            Layer {
                name: node.name.clone(),
                kind: node.op.kind(),
                int8: int8.contains(number),
                input: steps.get(&input).copied().filter(|_| int8.contains(number)),
                seen: observed.get(&input).map(|observed| observed.histogram.range()),
                cost: costs.get(number).copied(),
            }
        })
        .collect();
    Ok(Quantised { float, graph, layers, equalised })
}

fn steps(observed: &BTreeMap<usize, Observed>, settings: &Settings) -> BTreeMap<usize, Step> {
    let step = |(node, observed): (&usize, &Observed)| {
        let step = match node {
            0 => plan::INPUT_STEP,
            _ => observed.histogram.step(settings.method, settings.percentile),
        };
        (*node, step)
    };
    observed.iter().map(step).collect()
}
