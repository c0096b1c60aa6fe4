//! A network as a list of operators, each behind what it needs: the form in which it is folded, quantised and written.

use tch::{Device, Kind, Tensor, no_grad};

use crate::data::chips::SIDE;
use crate::net::layer::{Conv, Pool};

/// How bytes become the input: `(x − mean) / scale`, RGB, planes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Input {
    /// Subtracted from each byte.
    pub mean: f64,
    /// What the difference is divided by.
    pub scale: f64,
}

/// The steps that int8 weights are multiples of.
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    /// A step an output channel; a weight is −127 … 127 of them.
    pub weight: Vec<f32>,
    /// The step of the layer's input. A bias is a 32-bit multiple of `input · weight[c]`.
    pub input: f32,
}

impl Grid {
    /// What each bias is a multiple of.
    pub fn bias(&self) -> Vec<f32> {
        self.weight.iter().map(|step| self.input * step).collect()
    }
}

/// One operator.
#[derive(Debug)]
pub enum Op {
    /// The chips.
    Input,
    /// Convolution.
    Conv {
        /// Its geometry.
        geometry: Conv,
        /// `[output, input / groups, height, width]`; with a grid, whole numbers of its steps.
        weight: Tensor,
        /// `[output]`; the same.
        bias: Option<Tensor>,
        /// Where the layer is in int8.
        grid: Option<Grid>,
    },
    /// Fully connected, from a vector.
    Linear {
        /// `[output, input]`; with a grid, whole numbers of its steps.
        weight: Tensor,
        /// `[output]`; the same.
        bias: Tensor,
        /// Where the layer is in int8.
        grid: Option<Grid>,
    },
    /// Batch normalisation by running statistics, where it could not be folded.
    BatchNorm {
        /// Added to the variance.
        epsilon: f64,
        /// γ, β, mean and variance.
        values: [Tensor; 4],
    },
    /// max(x, 0).
    Relu,
    /// A slope a channel below 0.
    Prelu(Tensor),
    /// 1 / (1 + e^−x).
    Sigmoid,
    /// Multiplication by a constant.
    Scale(f64),
    /// Largest value of each window.
    MaxPool(Pool),
    /// Mean of each window, padding included.
    AveragePool(Pool),
    /// Mean of each channel.
    GlobalPool,
    /// Sum of two.
    Add,
    /// Product of a map and a factor a channel.
    Multiply,
    /// Channels side by side.
    Concat,
    /// Channels `from`, up to `to` where it is given.
    Slice {
        /// The first.
        from: i64,
        /// The one behind the last.
        to: Option<i64>,
    },
    /// A map as a vector, channels first.
    Flatten,
    /// Rounded to 256 values: `scale · (q − zero)`, q from 0 to 255, ties to even.
    Quantise {
        /// The step.
        scale: f32,
        /// What 0 becomes.
        zero: u8,
    },
}

impl Clone for Op {
    /// The tensors are shared.
    fn clone(&self) -> Self {
        match self {
            Op::Input => Op::Input,
            Op::Conv { geometry, weight, bias, grid } => Op::Conv {
                geometry: *geometry,
                weight: weight.shallow_clone(),
                bias: bias.as_ref().map(Tensor::shallow_clone),
                grid: grid.clone(),
            },
            Op::Linear { weight, bias, grid } => {
                Op::Linear { weight: weight.shallow_clone(), bias: bias.shallow_clone(), grid: grid.clone() }
            }
            Op::BatchNorm { epsilon, values } => {
                Op::BatchNorm { epsilon: *epsilon, values: values.each_ref().map(Tensor::shallow_clone) }
            }
            Op::Relu => Op::Relu,
            Op::Prelu(slope) => Op::Prelu(slope.shallow_clone()),
            Op::Sigmoid => Op::Sigmoid,
            Op::Scale(factor) => Op::Scale(*factor),
            Op::MaxPool(pool) => Op::MaxPool(*pool),
            Op::AveragePool(pool) => Op::AveragePool(*pool),
            Op::GlobalPool => Op::GlobalPool,
            Op::Add => Op::Add,
            Op::Multiply => Op::Multiply,
            Op::Concat => Op::Concat,
            Op::Slice { from, to } => Op::Slice { from: *from, to: *to },
            Op::Flatten => Op::Flatten,
            Op::Quantise { scale, zero } => Op::Quantise { scale: *scale, zero: *zero },
        }
    }
}

impl Op {
    /// Computes it.
    pub fn apply(&self, inputs: &[&Tensor]) -> Tensor {
        let xs = inputs[0];
        match self {
            Op::Input => xs.shallow_clone(),
            Op::Conv { geometry, weight, bias, grid } => {
                let Conv { stride, padding, groups, .. } = *geometry;
                stepwise(grid.as_ref(), xs, |xs| xs.conv2d(weight, bias.as_ref(), [stride; 2], padding, [1; 2], groups))
            }
            Op::Linear { weight, bias, grid } => stepwise(grid.as_ref(), xs, |xs| xs.linear(weight, Some(bias))),
            Op::BatchNorm { epsilon, values: [weight, bias, mean, variance] } => {
                xs.batch_norm(Some(weight), Some(bias), Some(mean), Some(variance), false, 0.0, *epsilon, true)
            }
            Op::Relu => xs.relu(),
            Op::Prelu(slope) => xs.prelu(slope),
            Op::Sigmoid => xs.sigmoid(),
            Op::Scale(factor) => xs * *factor,
            Op::MaxPool(Pool { kernel, stride, padding }) => {
                xs.max_pool2d([*kernel; 2], [*stride; 2], [*padding; 2], [1; 2], false)
            }
            Op::AveragePool(Pool { kernel, stride, padding }) => {
                xs.avg_pool2d([*kernel; 2], [*stride; 2], [*padding; 2], false, true, None)
            }
            Op::GlobalPool => xs.adaptive_avg_pool2d([1, 1]),
            Op::Add => xs + inputs[1],
            Op::Multiply => xs * inputs[1],
            Op::Concat => Tensor::cat(inputs, 1),
            Op::Slice { from, to } => xs.slice(1, *from, *to, 1),
            Op::Flatten => xs.flatten(1, -1),
            Op::Quantise { scale, zero } => {
                let zero = f64::from(*zero);
                (((xs / f64::from(*scale)).round() + zero).clamp(0.0, 255.0) - zero) * f64::from(*scale)
            }
        }
    }

    /// Whether it has weights to multiply with.
    pub fn has_weights(&self) -> bool {
        matches!(self, Op::Conv { .. } | Op::Linear { .. })
    }

    /// What a file calls it.
    pub fn kind(&self) -> &'static str {
        match self {
            Op::Input => "Input",
            Op::Conv { .. } => "Conv",
            Op::Linear { .. } => "Gemm",
            Op::BatchNorm { .. } => "BatchNormalization",
            Op::Relu => "Relu",
            Op::Prelu(_) => "PRelu",
            Op::Sigmoid => "Sigmoid",
            Op::Scale(_) | Op::Multiply => "Mul",
            Op::MaxPool(_) => "MaxPool",
            Op::AveragePool(_) => "AveragePool",
            Op::GlobalPool => "GlobalAveragePool",
            Op::Add => "Add",
            Op::Concat => "Concat",
            Op::Slice { .. } => "Slice",
            Op::Flatten => "Flatten",
            Op::Quantise { .. } => "QuantizeLinear",
        }
    }
}

/// Lets go of what no node behind this one takes.
pub(crate) fn free(values: &mut [Option<Tensor>], last_uses: &[usize], number: usize) {
    values.iter_mut().zip(last_uses).take(number).filter(|(_, last)| **last == number).for_each(|(value, _)| *value = None);
}

/// A layer's values: with a grid, sums of whole numbers, exact in `f32` up to 2²⁴, times their step.
fn stepwise(grid: Option<&Grid>, xs: &Tensor, sums: impl FnOnce(&Tensor) -> Tensor) -> Tensor {
    match grid {
        None => sums(xs),
        Some(grid) => {
            let sums = sums(&(xs / f64::from(grid.input)).round());
            let steps = along_channels(&grid.bias(), &sums);
            sums * steps
        }
    }
}

/// A number a channel, shaped to be multiplied with a value.
fn along_channels(numbers: &[f32], value: &Tensor) -> Tensor {
    let mut shape = vec![1; value.dim()];
    shape[1] = -1;
    Tensor::from_slice(numbers).to_device(value.device()).view(shape.as_slice())
}

/// An operator in its place. What it makes is the value of its number.
#[derive(Debug, Clone)]
pub struct Node {
    /// Unique in the graph.
    pub name: String,
    /// What it does.
    pub op: Op,
    /// The numbers of the nodes whose values it takes.
    pub inputs: Vec<usize>,
}

/// The operators in an order in which they can be computed. Node 0 is the input, the last node makes the embedding.
#[derive(Debug, Clone)]
pub struct Graph {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// How it is fed.
    pub input: Input,
    /// Length of the embedding.
    pub embedding: i64,
}

impl Graph {
    /// A batch of chips, one after the other, as this graph takes it.
    pub fn batch(&self, pixels: &[u8], device: Device) -> Tensor {
        let side = SIDE as i64;
        let rows = Tensor::from_slice(pixels).to_device(device).view([-1, side, side, 3]);
        (rows.permute([0, 3, 1, 2]).to_kind(Kind::Float) - self.input.mean) / self.input.scale
    }

    /// Raw embeddings of a batch.
    pub fn forward(&self, batch: &Tensor) -> Tensor {
        self.walk(batch, |_, _| {})
    }

    /// Computes every node, shows each value once, and keeps none longer than it is needed. Returns the last.
    pub fn walk(&self, batch: &Tensor, mut show: impl FnMut(usize, &Tensor)) -> Tensor {
        let last_use = self.last_uses();
        let mut values: Vec<Option<Tensor>> = Vec::with_capacity(self.nodes.len());
        for number in 0..self.nodes.len() {
            let value = self.compute(number, &values, batch);
            show(number, &value);
            values.push(Some(value));
            free(&mut values, &last_use, number);
        }
        values.pop().flatten().unwrap_or_else(|| batch.shallow_clone())
    }

    /// The value of a node, from those of the nodes before it; node 0 passes the batch on.
    pub(crate) fn compute(&self, number: usize, values: &[Option<Tensor>], batch: &Tensor) -> Tensor {
        let node = &self.nodes[number];
        let inputs: Vec<&Tensor> = node.inputs.iter().filter_map(|input| values[*input].as_ref()).collect();
        no_grad(|| {
            let exact = self.requantised(number, values);
            exact.unwrap_or_else(|| if inputs.is_empty() { batch.shallow_clone() } else { node.op.apply(&inputs) })
        })
    }

    /// The layer in int8, or the sum of rounded values, that a rounding is fused with: that before it, or before its activation. With the
    /// activation's number.
    fn source(&self, number: usize) -> Option<(usize, Option<usize>)> {
        let Op::Quantise { .. } = self.nodes[number].op else { return None };
        let input = *self.nodes[number].inputs.first()?;
        let (source, activation) = match self.nodes[input].op {
            Op::Relu | Op::Prelu(_) => (*self.nodes[input].inputs.first()?, Some(input)),
            _ => (input, None),
        };
        let fused = match &self.nodes[source].op {
            Op::Conv { grid, .. } | Op::Linear { grid, .. } => grid.is_some(),
            Op::Add => {
                let rounded = |input: &usize| matches!(self.nodes[*input].op, Op::Quantise { .. });
                self.nodes[source].inputs.iter().all(rounded)
            }
            _ => false,
        };
        fused.then_some((source, activation))
    }

    /// A rounded value as integer runtimes compute it, from whole numbers by one factor a channel: the sums of a layer times
    /// `(s_x · s_w) / s_y`, behind PReLU those below 0 times the slope as well, and for a sum `a · (s_a / s_y) + b · (s_b / s_y)`. Rounding
    /// what float arithmetic makes would now and then end on the other side of a half.
    fn requantised(&self, number: usize, values: &[Option<Tensor>]) -> Option<Tensor> {
        let Op::Quantise { scale, zero } = self.nodes[number].op else { return None };
        let (source, activation) = self.source(number)?;
        let whole = |value: usize, step: f32| Some((values[value].as_ref()? / f64::from(step)).round());
        let exact = match &self.nodes[source].op {
            Op::Conv { grid: Some(grid), .. } | Op::Linear { grid: Some(grid), .. } => {
                let value = values[source].as_ref()?;
                let steps = grid.bias();
                let sums = (value / along_channels(&steps, value)).round();
                let factors: Vec<f32> = steps.iter().map(|step| step / scale).collect();
                let above = &sums * along_channels(&factors, &sums);
                match activation.map(|activation| &self.nodes[activation].op) {
                    Some(Op::Prelu(slope)) => {
                        let slopes = super::onnx::values(slope).ok()?;
                        let below: Vec<f32> = factors.iter().zip(&slopes).map(|(factor, slope)| factor * slope).collect();
                        (&sums * along_channels(&below, &sums)).where_self(&sums.lt(0.0), &above)
                    }
                    Some(_) => above.relu(),
                    None => above,
                }
            }
            _ => {
                let terms = self.nodes[source].inputs.iter().map(|input| match self.nodes[*input].op {
                    Op::Quantise { scale: step, .. } => Some(whole(*input, step)? * f64::from(step / scale)),
                    _ => None,
                });
                let sum = terms.reduce(|sum, term| Some(sum? + term?)).flatten()?;
                if activation.is_some() { sum.relu() } else { sum }
            }
        };
        let zero = f64::from(zero);
        Some(((exact.round() + zero).clamp(0.0, 255.0) - zero) * f64::from(scale))
    }

    /// For each value the last node that takes it; its own number where none does.
    pub fn last_uses(&self) -> Vec<usize> {
        let mut last: Vec<usize> = (0..self.nodes.len()).collect();
        for (number, node) in self.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|input| last[*input] = number);
            if let Some((source, _)) = self.source(number) {
                last[source] = number;
                self.nodes[source].inputs.iter().for_each(|input| last[*input] = last[*input].max(number));
            }
        }
        last
    }

    /// The nodes that take each value, in order.
    pub fn users(&self) -> Vec<Vec<usize>> {
        let mut users = vec![Vec::new(); self.nodes.len()];
        for (number, node) in self.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|input| users[*input].push(number));
        }
        users
    }

    /// The node of this name.
    pub fn named(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }
}
