//! From a network's tree of layers to a [`Graph`].

use std::collections::BTreeMap;

use tch::Tensor;

use super::graph::{Graph, Input, Node, Op};
use crate::net::layer::Layer;
use crate::net::{Network, input};

/// The operators of a network as it is used, dropout gone. The tensors are the network's own. Only nodes with weights have names yet.
pub(super) fn graph(network: &Network) -> Graph {
    let names = network.variables().into_iter().map(|(name, variable)| (variable.data_ptr() as usize, name)).collect();
    let chips = Node { name: "chip".into(), op: Op::Input, inputs: Vec::new() };
    let mut builder = Builder { names, nodes: vec![chips], flat: vec![false] };
    let last = builder.add(network.layers(), 0);
    if !builder.flat[last] {
        builder.push(String::new(), Op::Flatten, vec![last]);
    }
    let input = Input { mean: input::MEAN, scale: input::SCALE };
    Graph { nodes: builder.nodes, input, embedding: network.settings().embedding }
}

struct Builder {
    /// Variables' names by where they lie.
    names: BTreeMap<usize, String>,
    nodes: Vec<Node>,
    /// Which values are vectors.
    flat: Vec<bool>,
}

impl Builder {
    fn push(&mut self, name: String, op: Op, inputs: Vec<usize>) -> usize {
        let flat = match op {
            Op::Linear { .. } | Op::Flatten => true,
            _ => inputs.first().is_some_and(|input| self.flat[*input]),
        };
        self.nodes.push(Node { name, op, inputs });
        self.flat.push(flat);
        self.nodes.len() - 1
    }

    /// `stage.0.1.expand` of `stage.0.1.expand.weight`.
    fn name(&self, variable: &Tensor, part: &str) -> String {
        let name = self.names.get(&(variable.data_ptr() as usize)).map_or("", String::as_str);
        name.strip_suffix(part).unwrap_or(name).to_owned()
    }

    /// Appends a layer that takes value `from`; the number of the value that it makes.
    fn add(&mut self, layer: &Layer, from: usize) -> usize {
        match layer {
            Layer::Conv { geometry, weight, bias } => {
                let name = self.name(weight, ".weight");
                let bias = bias.as_ref().map(Tensor::shallow_clone);
                self.push(name, Op::Conv { geometry: *geometry, weight: weight.shallow_clone(), bias, grid: None }, vec![from])
            }
            Layer::Linear { weight, bias } => {
                let from = if self.flat[from] { from } else { self.push(String::new(), Op::Flatten, vec![from]) };
                let name = self.name(weight, ".weight");
                self.push(name, Op::Linear { weight: weight.shallow_clone(), bias: bias.shallow_clone(), grid: None }, vec![from])
            }
            Layer::BatchNorm { epsilon, weight, bias, mean, variance } => {
                let values = [weight, bias, mean, variance].map(Tensor::shallow_clone);
                self.push(self.name(weight, ".weight"), Op::BatchNorm { epsilon: *epsilon, values }, vec![from])
            }
            Layer::Relu => self.push(String::new(), Op::Relu, vec![from]),
            Layer::Prelu(slope) => self.push(self.name(slope, ".slope") + ".prelu", Op::Prelu(slope.shallow_clone()), vec![from]),
            Layer::Sigmoid => self.push(String::new(), Op::Sigmoid, vec![from]),
            Layer::Dropout(_) => from,
            Layer::Scale(factor) => self.push(String::new(), Op::Scale(*factor), vec![from]),
            Layer::MaxPool(pool) => self.push(String::new(), Op::MaxPool(*pool), vec![from]),
            Layer::AveragePool(pool) => self.push(String::new(), Op::AveragePool(*pool), vec![from]),
            Layer::GlobalPool => self.push(String::new(), Op::GlobalPool, vec![from]),
            Layer::Chain(layers) => layers.iter().fold(from, |from, layer| self.add(layer, from)),
            Layer::Sum(branches) => {
                let terms: Vec<usize> = branches.iter().map(|branch| self.add(branch, from)).collect();
                terms.into_iter().reduce(|sum, term| self.push(String::new(), Op::Add, vec![sum, term])).unwrap_or(from)
            }
            Layer::Concat(branches) => {
                let parts = branches.iter().map(|branch| self.add(branch, from)).collect();
                self.push(String::new(), Op::Concat, parts)
            }
            Layer::Gate(factor) => {
                let factor = self.add(factor, from);
                self.push(String::new(), Op::Multiply, vec![from, factor])
            }
            Layer::DualPath { shared, shortcut, branch } => {
                let [round, through] = [self.add(shortcut, from), self.add(branch, from)];
                let mut part = |of, from, to| self.push(String::new(), Op::Slice { from, to }, vec![of]);
                let [a, b] = [part(round, 0, Some(*shared)), part(through, 0, Some(*shared))];
                let [c, d] = [part(round, *shared, None), part(through, *shared, None)];
                let sum = self.push(String::new(), Op::Add, vec![a, b]);
                self.push(String::new(), Op::Concat, vec![sum, c, d])
            }
        }
    }
}
