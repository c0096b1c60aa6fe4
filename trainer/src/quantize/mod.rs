//! Post-training static quantisation: int8 weights with a step a channel, uint8 values with a step a map.
//!
//! The folded graph is [equalised](equalise), its values are [observed](calibrate) on calibration chips, [`range`] chooses their steps,
//! [`plan`] rounds weights and inserts the rounding of values, [`correct`] moves the biases. What comes out is again a
//! [`Graph`], which computes what the file will: the [`report`] and the choice of layers that stay in float rest on it.

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

impl Float {
    /// How many layers of so many may stay in float.
    fn most(&self, layers: usize) -> usize {
        match self {
            Float::Number(number) => *number,
            Float::Until { .. } => layers.div_ceil(10),
        }
    }

    /// Whether no further layer has to.
    fn is_enough(&self, drift: &EmbeddingDrift) -> bool {
        match self {
            Float::Number(_) => false,
            Float::Until { mean, worst } => drift.mean >= *mean && drift.worst >= *worst,
        }
    }
}

/// Quantises a folded graph by what it computes of these chips.
pub fn quantise(mut float: Graph, chips: &[Chip], settings: &Settings, device: Device) -> Result<Quantised> {
    if chips.is_empty() {
        return Err(Error::data("calibration", "there is no chip"));
    }
    let equalised = if settings.equalise { equalise::equalise(&mut float, chips, device)? } else { 0 };
    let nodes = float.nodes.iter().enumerate();
    let all: BTreeSet<usize> = nodes.filter(|(_, node)| plan::quantisable(&node.op)).map(|(number, _)| number).collect();
    let observed = calibrate::observe(&float, &plan::points(&float, &all), chips, device)?;
    let steps = steps(&observed, settings);
    let Choice { int8, graph, costs } = choose(&float, &all, &steps, chips, settings, device)?;
    let layer = |number: &usize| {
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
    };
    let layers = all.iter().map(layer).collect();
    Ok(Quantised { float, graph, layers, equalised })
}

/// What is in int8, what comes of it, and what each layer costs where that was asked.
struct Choice {
    int8: BTreeSet<usize>,
    graph: Graph,
    costs: BTreeMap<usize, f64>,
}

/// Leaves in float what has to be.
fn choose(
    float: &Graph,
    all: &BTreeSet<usize>,
    steps: &BTreeMap<usize, Step>,
    chips: &[Chip],
    settings: &Settings,
    device: Device,
) -> Result<Choice> {
    let few = |count: usize| &chips[..count.min(chips.len())];
    let build = |int8: &BTreeSet<usize>| -> Result<Graph> {
        let mut graph = plan::quantised(float, int8, steps)?;
        if settings.correction_chips > 0 {
            correct::correct(&mut graph, float, few(settings.correction_chips), device)?;
        }
        Ok(graph)
    };
    let judges = few(settings.sensitivity_chips);
    let expected = drift::outputs(float, judges, device)?;
    let drift_of = |graph: &Graph| drift::embeddings_from(graph, &expected, judges, device);
    let mut choice = Choice { int8: all.clone(), graph: build(all)?, costs: BTreeMap::new() };
    let mut dearest: Vec<usize> = all.iter().copied().filter(|node| float.nodes[*node].op.has_weights()).collect();
    let most = settings.float.most(dearest.len());
    if most == 0 || settings.float.is_enough(&drift_of(&choice.graph)?) {
        return Ok(choice);
    }
    for layer in &dearest {
        let alone = plan::quantised(float, &BTreeSet::from([*layer]), steps)?;
        choice.costs.insert(*layer, 1.0 - drift_of(&alone)?.mean);
    }
    dearest.sort_by(|a, b| choice.costs[b].total_cmp(&choice.costs[a]));
    for (number, layer) in dearest.iter().take(most).enumerate() {
        choice.int8.remove(layer);
        let last = number + 1 == most;
        if last || matches!(settings.float, Float::Until { .. }) {
            choice.graph = build(&choice.int8)?;
            if settings.float.is_enough(&drift_of(&choice.graph)?) {
                break;
            }
        }
    }
    Ok(choice)
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
