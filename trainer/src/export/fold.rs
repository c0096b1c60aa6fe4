//! Normalisation that vanishes into the layer before or behind it, where that is exact.
//!
//! Behind a convolution it always is: the filter's outputs are scaled and shifted. In front of one it is not where the convolution pads:
//! the shift would be missing in the padding. There the normalisation stays a node of its own.

use std::collections::BTreeSet;

use tch::{Kind, Tensor, no_grad};

use super::graph::{Graph, Node, Op};
use crate::net::layer::Conv;

/// The graph without the normalisation and the constant factors that fold, every node named.
pub(super) fn fold(mut graph: Graph) -> Graph {
    let mut gone = BTreeSet::new();
    for number in 0..graph.nodes.len() {
        let Some(affine) = no_grad(|| Affine::of(&graph.nodes[number].op)) else { continue };
        let users = graph.users();
        let from = graph.nodes[number].inputs[0];
        let into = if graph.nodes[from].op.has_weights() && users[from] == [number] {
            affine.behind(&mut graph.nodes[from].op);
            true
        } else {
            absorber(&graph, &users, number).is_some_and(|layer| affine.before(&mut graph.nodes[layer].op))
        };
        if into {
            for node in &mut graph.nodes {
                node.inputs.iter_mut().filter(|input| **input == number).for_each(|input| *input = from);
            }
            graph.nodes[number].inputs.clear();
            gone.insert(number);
        }
    }
    named(without(graph, &gone))
}

/// The layer that alone takes this value, perhaps as a vector.
fn absorber(graph: &Graph, users: &[Vec<usize>], number: usize) -> Option<usize> {
    let [user] = users[number][..] else { return None };
    match graph.nodes[user].op {
        Op::Flatten => absorber(graph, users, user),
        Op::Conv { .. } | Op::Linear { .. } => Some(user),
        _ => None,
    }
}

/// A factor and a shift a channel. Without a number of channels both have one value.
pub(crate) struct Affine {
    /// `f64`.
    pub(crate) factor: Tensor,
    /// `f64`.
    pub(crate) shift: Tensor,
}

impl Affine {
    /// What the node does, if it is no more than that.
    fn of(op: &Op) -> Option<Affine> {
        match op {
            Op::BatchNorm { epsilon, values } => {
                let [weight, bias, mean, variance] = values.each_ref().map(|tensor| tensor.to_kind(Kind::Double));
                let factor = weight / (variance + *epsilon).sqrt();
                let shift = bias - mean * &factor;
                Some(Affine { factor, shift })
            }
            Op::Scale(factor) => {
                let one = |value: f64| Tensor::from_slice(&[value]);
                Some(Affine { factor: one(*factor), shift: one(0.0) })
            }
            _ => None,
        }
    }

    /// Applies it to what the layer makes.
    pub(crate) fn behind(&self, op: &mut Op) {
        no_grad(|| match op {
            Op::Conv { weight, bias, .. } => {
                let old = bias.as_ref().map_or_else(|| Tensor::zeros_like(&self.shift), |bias| bias.to_kind(Kind::Double));
                let factor = self.factor.to_device(weight.device());
                *bias = Some((old * &factor + self.shift.to_device(weight.device())).to_kind(Kind::Float));
                *weight = (weight.to_kind(Kind::Double) * factor.view([-1, 1, 1, 1])).to_kind(Kind::Float);
            }
            Op::Linear { weight, bias, .. } => {
                *bias = (bias.to_kind(Kind::Double) * &self.factor + &self.shift).to_kind(Kind::Float);
                *weight = (weight.to_kind(Kind::Double) * self.factor.view([-1, 1])).to_kind(Kind::Float);
            }
            _ => {}
        })
    }

    /// Applies it to what the layer takes; not to a convolution that pads.
    fn before(&self, op: &mut Op) -> bool {
        if matches!(op, Op::Conv { geometry: Conv { padding, .. }, .. } if *padding != [0, 0]) {
            return false;
        }
        self.before_ignoring_padding(op);
        true
    }

    /// The same wherever the kernel covers no padding.
    pub(crate) fn before_ignoring_padding(&self, op: &mut Op) {
        no_grad(|| match op {
            Op::Conv { geometry, weight, bias, .. } => {
                let Conv { groups, output, .. } = *geometry;
                let size = weight.size();
                let wide = weight.to_kind(Kind::Double).contiguous().view([groups, output / groups, size[1], size[2], size[3]]);
                let shaped = |values: &Tensor| match values.numel() {
                    1 => values.view([1, 1, 1, 1, 1]),
                    _ => values.view([groups, 1, size[1], 1, 1]),
                };
                let added = (&wide * shaped(&self.shift)).sum_dim_intlist([2i64, 3, 4].as_slice(), false, Kind::Double);
                let added = added.view([output]);
                *bias = Some(bias.as_ref().map_or(added.shallow_clone(), |bias| bias + &added).to_kind(Kind::Float));
                *weight = (wide * shaped(&self.factor)).view(size.as_slice()).to_kind(Kind::Float);
            }
            Op::Linear { weight, bias, .. } => {
                // Each channel's values lie together.
                let size = weight.size();
                let channels = self.factor.numel() as i64;
                let wide = weight.to_kind(Kind::Double).contiguous().view([size[0], channels, -1]);
                let added = (&wide * self.shift.view([1, -1, 1])).sum_dim_intlist([1i64, 2].as_slice(), false, Kind::Double);
                *bias = (bias.to_kind(Kind::Double) + added).to_kind(Kind::Float);
                *weight = (wide * self.factor.view([1, -1, 1])).view(size.as_slice()).to_kind(Kind::Float);
            }
            _ => {}
        });
    }
}

/// The graph without these nodes, which nothing takes any more.
fn without(graph: Graph, gone: &BTreeSet<usize>) -> Graph {
    let mut moved = vec![0; graph.nodes.len()];
    let mut nodes: Vec<Node> = Vec::with_capacity(graph.nodes.len() - gone.len());
    for (number, mut node) in graph.nodes.into_iter().enumerate() {
        if gone.contains(&number) {
            continue;
        }
        node.inputs.iter_mut().for_each(|input| *input = moved[*input]);
        moved[number] = nodes.len();
        nodes.push(node);
    }
    Graph { nodes, ..graph }
}

/// Names what has none after what it takes: `stage.0.1.expand.relu`.
fn named(mut graph: Graph) -> Graph {
    let mut taken: BTreeSet<String> = graph.nodes.iter().map(|node| node.name.clone()).collect();
    for number in 0..graph.nodes.len() {
        if !graph.nodes[number].name.is_empty() {
            continue;
        }
        let node = &graph.nodes[number];
        let before = node.inputs.first().map_or("", |input| graph.nodes[*input].name.as_str());
        let base = format!("{before}.{}", node.op.kind().to_lowercase());
        let name = (0..).map(|count| if count == 0 { base.clone() } else { format!("{base}.{count}") });
        let name = name.into_iter().find(|name| !taken.contains(name)).unwrap_or(base);
        taken.insert(name.clone());
        graph.nodes[number].name = name;
    }
    graph
}
