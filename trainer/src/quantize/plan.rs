//! A graph with some of its nodes in int8.

use std::collections::{BTreeMap, BTreeSet};

use tch::{Tensor, no_grad};

use super::range::Step;
use crate::error::Result;
use crate::export::fold::Affine;
use crate::export::graph::{Graph, Grid, Input, Node, Op};
use crate::export::onnx::values;

/// The int8 network's input: a byte less 128, over 128, which with step 1/128 and zero 128 is the byte itself.
pub const INPUT: Input = Input { mean: 128.0, scale: 128.0 };

/// The input's step.
pub const INPUT_STEP: Step = Step { scale: 1.0 / 128.0, zero: 128 };

/// The largest number of steps of a weight.
const LARGEST: f32 = 127.0;

/// Whether a node can be in int8: convolutions, fully connected layers and sums.
pub fn quantisable(op: &Op) -> bool {
    op.has_weights() || matches!(op, Op::Add)
}

/// The values that have to be rounded for these nodes: what they take. What is laid out as a vector in between is rounded on both sides, by
/// one step, so that the layer before it ends in whole numbers too.
pub fn points(graph: &Graph, int8: &BTreeSet<usize>) -> BTreeSet<usize> {
    let mut points: BTreeSet<usize> = int8.iter().flat_map(|node| graph.nodes[*node].inputs.iter().copied()).collect();
    let before = |point: &usize| match graph.nodes[*point].op {
        Op::Flatten => graph.nodes[*point].inputs.first().copied(),
        _ => None,
    };
    let flattened: Vec<usize> = points.iter().filter_map(before).collect();
    points.extend(flattened);
    points
}

/// The name of the rounded value of a node.
pub fn rounded_name(name: &str) -> String {
    format!("{name}.rounded")
}

/// The graph with nodes `int8` in int8 and their inputs rounded by `steps`. What another node takes of a rounded value is rounded too.
pub fn quantised(graph: &Graph, int8: &BTreeSet<usize>, steps: &BTreeMap<usize, Step>) -> Result<Graph> {
    let points = points(graph, int8);
    let shift = (INPUT.mean - graph.input.mean) / graph.input.scale;
    let ones = || Tensor::from_slice(&[1f64]);
    let centred = Affine { factor: ones(), shift: ones() * shift };
    let mut nodes: Vec<Node> = Vec::new();
    let mut value = Vec::with_capacity(graph.nodes.len());
    for (number, node) in graph.nodes.iter().enumerate() {
        let mut node = node.clone();
        if node.inputs == [0] {
            // The training's 0 is half a grey level beside this input's.
            centred.before_ignoring_padding(&mut node.op);
        }
        node.inputs.iter_mut().for_each(|input| *input = value[*input]);
        if int8.contains(&number)
            && node.op.has_weights()
            && let Some(Op::Quantise { scale, .. }) = node.inputs.first().map(|input| &nodes[*input].op)
        {
            put_on_grid(&mut node.op, *scale)?;
        }
        let name = rounded_name(&node.name);
        nodes.push(node);
        let plain = nodes.len() - 1;
        if let Some(Step { scale, zero }) = steps.get(&number).filter(|_| points.contains(&number)) {
            nodes.push(Node { name, op: Op::Quantise { scale: *scale, zero: *zero }, inputs: vec![plain] });
        }
        value.push(nodes.len() - 1);
    }
    Ok(Graph { nodes, input: INPUT, embedding: graph.embedding })
}

/// Makes weights multiples of a step a row, and biases of that times the input's.
fn put_on_grid(op: &mut Op, input: f32) -> Result<()> {
    let (weight, bias, grid) = match op {
        Op::Conv { weight, bias, grid, .. } => (weight, bias.as_ref().map(Tensor::shallow_clone), grid),
        Op::Linear { weight, bias, grid } => (weight, Some(bias.shallow_clone()), grid),
        _ => return Ok(()),
    };
    let size = weight.size();
    let old = values(weight)?;
    let rows = size.first().map_or(1, |rows| *rows as usize).max(1);
    let biases = bias.map_or_else(|| Ok(vec![0.0; rows]), |bias| values(&bias))?;
    let mut new = Vec::with_capacity(old.len());
    let mut steps = Vec::with_capacity(rows);
    for (row, bias) in old.chunks((old.len() / rows).max(1)).zip(&biases) {
        let largest = row.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
        // The bias must fit into 32 bits with room for the sum.
        let step = (largest / LARGEST).max(bias.abs() / (input * (1u32 << 30) as f32)).max(f32::MIN_POSITIVE / input.min(1.0));
        new.extend(row.iter().map(|weight| (weight / step).round_ties_even().clamp(-LARGEST, LARGEST)));
        steps.push(step);
    }
    *weight = no_grad(|| Tensor::from_slice(&new).view(size.as_slice()).to_device(weight.device()));
    *grid = Some(Grid { weight: steps, input });
    set_bias(op, &biases);
    Ok(())
}

/// Puts a bias in place, as whole numbers of steps where there is a grid.
pub(super) fn set_bias(op: &mut Op, biases: &[f32]) {
    let tensor = |grid: &Option<Grid>, device| Tensor::from_slice(&rounded(biases, grid.as_ref())).to_device(device);
    match op {
        Op::Conv { bias, grid, weight, .. } => *bias = Some(tensor(grid, weight.device())),
        Op::Linear { bias, grid, weight } => *bias = tensor(grid, weight.device()),
        _ => {}
    }
}

fn rounded(biases: &[f32], grid: Option<&Grid>) -> Vec<f32> {
    match grid {
        None => biases.to_vec(),
        Some(grid) => biases.iter().zip(grid.bias()).map(|(bias, step)| (bias / step).round_ties_even()).collect(),
    }
}
