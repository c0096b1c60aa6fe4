//! Bias correction (Nagel and others, 2019, arXiv 1906.04721, §4.2, the empirical kind): rounding moves the mean of what a layer makes;
//! its bias moves it back.

use std::collections::BTreeMap;

use tch::{Device, Kind, Tensor, no_grad};

use super::plan::set_bias;
use crate::data::chips::Chip;
use crate::error::Result;
use crate::export::graph::{Graph, Op, free};
use crate::export::onnx::values;

/// Moves the bias of each layer of `quantised` so that what it makes of the chips has the mean that it has in `float`, layer by layer, each
/// behind the corrected ones. All chips are in memory at once, with what a few layers make of them.
pub fn correct(quantised: &mut Graph, float: &Graph, chips: &[Chip], device: Device) -> Result<()> {
    let pixels = chips.concat();
    let mut reference = Stepwise::new(float, float.batch(&pixels, device));
    let numbers: BTreeMap<String, usize> =
        float.nodes.iter().enumerate().map(|(number, node)| (node.name.clone(), number)).collect();
    let mut values_of: Vec<Option<Tensor>> = Vec::with_capacity(quantised.nodes.len());
    let batch = quantised.batch(&pixels, device);
    let last_uses = quantised.last_uses();
    for number in 0..quantised.nodes.len() {
        let mut made = quantised.compute(number, &values_of, &batch);
        if let Some(counterpart) = numbers.get(&quantised.nodes[number].name) {
            let expected = reference.at(*counterpart);
            let node = &mut quantised.nodes[number];
            if node.op.has_weights() {
                let before = bias(&node.op, made.size()[1] as usize)?;
                let missing = values(&(mean(expected) - mean(&made)))?;
                let moved: Vec<f32> = before.iter().zip(&missing).map(|(bias, missing)| bias + missing).collect();
                set_bias(&mut node.op, &moved);
                let after = bias(&node.op, moved.len())?;
                let by: Vec<f32> = after.iter().zip(&before).map(|(after, before)| after - before).collect();
                let mut shape = vec![1; made.dim()];
                shape[1] = -1;
                made = no_grad(|| made + Tensor::from_slice(&by).to_device(device).view(shape.as_slice()));
            }
        }
        values_of.push(Some(made));
        free(&mut values_of, &last_uses, number);
    }
    Ok(())
}

/// The mean of each channel.
fn mean(value: &Tensor) -> Tensor {
    let axes: Vec<i64> = (0..value.dim() as i64).filter(|axis| *axis != 1).collect();
    no_grad(|| value.mean_dim(axes.as_slice(), false, Kind::Float))
}

fn bias(op: &Op, channels: usize) -> Result<Vec<f32>> {
    let (stored, grid) = match op {
        Op::Conv { bias, grid, .. } => (bias.as_ref(), grid),
        Op::Linear { bias, grid, .. } => (Some(bias), grid),
        _ => (None, &None),
    };
    let mut biases = stored.map_or_else(|| Ok(vec![0.0; channels]), values)?;
    if let Some(grid) = grid {
        biases.iter_mut().zip(grid.bias()).for_each(|(bias, step)| *bias *= step);
    }
    Ok(biases)
}

/// A graph that is computed node by node.
struct Stepwise<'g> {
    graph: &'g Graph,
    batch: Tensor,
    values: Vec<Option<Tensor>>,
    last_uses: Vec<usize>,
}

impl<'g> Stepwise<'g> {
    fn new(graph: &'g Graph, batch: Tensor) -> Self {
        Stepwise { graph, batch, values: Vec::with_capacity(graph.nodes.len()), last_uses: graph.last_uses() }
    }

    /// The value of a node. Nodes are asked for in order.
    fn at(&mut self, wanted: usize) -> &Tensor {
        while self.values.len() <= wanted {
            let number = self.values.len();
            let value = self.graph.compute(number, &self.values, &self.batch);
            self.values.push(Some(value));
            free(&mut self.values, &self.last_uses, number);
        }
        self.values[wanted].as_ref().unwrap_or(&self.batch)
    }
}
