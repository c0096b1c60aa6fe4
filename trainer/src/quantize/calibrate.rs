//! What values a network's nodes take on calibration chips.

use std::collections::{BTreeMap, BTreeSet};

use tch::{Device, Tensor};

use super::range::Histogram;
use crate::data::chips::Chip;
use crate::error::Result;
use crate::export::graph::Graph;
use crate::export::onnx::values;

/// Chips that are computed at once.
pub(super) const BATCH: usize = 16;

/// The values of a node.
#[derive(Debug)]
pub struct Observed {
    /// How often which value occurs.
    pub histogram: Histogram,
    /// The greatest size of a value of each channel.
    pub channels: Vec<f32>,
}

/// Least and greatest value, and the greatest size in each channel.
struct Extremes {
    low: f32,
    high: f32,
    channels: Tensor,
}

/// Batches of pixels, `show` called with each.
pub(super) fn batches(chips: &[Chip], mut show: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
    chips.chunks(BATCH).try_for_each(|chips| show(&chips.concat()))
}

/// Runs the graph on the chips, twice: for the extremes, and for what lies between them.
pub fn observe(graph: &Graph, nodes: &BTreeSet<usize>, chips: &[Chip], device: Device) -> Result<BTreeMap<usize, Observed>> {
    let extremes = extremes(graph, nodes, chips, device)?;
    let mut observed = BTreeMap::new();
    for (node, found) in extremes {
        let channels = values(&found.channels)?;
        observed.insert(node, Observed { histogram: Histogram::new(found.low, found.high), channels });
    }
    batches(chips, |pixels| {
        let mut result = Ok(());
        let _ = graph.walk(&graph.batch(pixels, device), |node, value| {
            if let Some(observed) = observed.get_mut(&node)
                && result.is_ok()
            {
                result = observed.histogram.add(value);
            }
        });
        result
    })?;
    Ok(observed)
}

/// The greatest size of a value of each channel of these nodes.
pub(super) fn channels(
    graph: &Graph,
    nodes: &BTreeSet<usize>,
    chips: &[Chip],
    device: Device,
) -> Result<BTreeMap<usize, Vec<f32>>> {
    extremes(graph, nodes, chips, device)?.into_iter().map(|(node, found)| Ok((node, values(&found.channels)?))).collect()
}

fn extremes(graph: &Graph, nodes: &BTreeSet<usize>, chips: &[Chip], device: Device) -> Result<BTreeMap<usize, Extremes>> {
    let mut extremes: BTreeMap<usize, Extremes> = BTreeMap::new();
    batches(chips, |pixels| {
        let _ = graph.walk(&graph.batch(pixels, device), |node, value| {
            if !nodes.contains(&node) {
                return;
            }
            let low = value.min().double_value(&[]) as f32;
            let high = value.max().double_value(&[]) as f32;
            let axes: Vec<i64> = (0..value.dim() as i64).filter(|axis| *axis != 1).collect();
            let channels = value.abs().amax(axes.as_slice(), false);
            let found = match extremes.remove(&node) {
                None => Extremes { low, high, channels },
                Some(so_far) => Extremes {
                    low: so_far.low.min(low),
                    high: so_far.high.max(high),
                    channels: so_far.channels.maximum(&channels),
                },
            };
            extremes.insert(node, found);
        });
        Ok(())
    })?;
    Ok(extremes)
}
