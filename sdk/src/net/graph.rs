//! A graph in the operators that we have kernels for, at one concrete input shape.
//!
//! Values have a batch of one. A value is a map of channels × height × width or a row of numbers; flattening and reshaping change
//! what the file calls a value, not where it lies.

use std::borrow::Cow;

use super::kernels::{self, SumI8, Window};
use super::onnx::Constant;

/// How a value lies in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Storage {
    /// In blocks of channels.
    Map { channels: usize, height: usize, width: usize },
    /// One number after the other.
    Row(usize),
}

impl Storage {
    pub(super) fn len(&self) -> usize {
        match *self {
            Storage::Map { channels, height, width } => channels * height * width,
            Storage::Row(length) => length,
        }
    }
}

/// A per-tensor quantisation to u8.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    pub scale: f32,
    pub zero: u8,
}

/// The weights of a convolution: f32, or whole numbers with a scale for each output channel.
#[derive(Clone)]
pub(super) enum Weights<'a> {
    F32(Constant<'a>),
    /// The bits of i8.
    Whole {
        numbers: Cow<'a, [u8]>,
        scales: Vec<f32>,
    },
}

/// A convolution's bias: f32, or whole numbers as the file quantised them.
#[derive(Clone)]
pub(super) enum Bias {
    F32(Vec<f32>),
    Whole { numbers: Vec<i32>, scales: Vec<f32> },
}

/// A convolution or a fully connected layer, with what has been fused into it.
pub(super) struct Convolution<'a> {
    pub weights: Weights<'a>,
    /// `(output channel, input channel, y, x)` → place: the strides of the constant.
    pub strides: [usize; 4],
    /// What each output channel's weights are multiplied by, when not empty.
    pub factor: Vec<f32>,
    pub bias: Bias,
    pub window: Window,
    pub depthwise: bool,
    /// What each channel is multiplied by below zero; empty without an activation.
    pub slope: Vec<f32>,
    /// A second input is added, before the activation or after it.
    pub residual: Option<bool>,
}

/// A convolution from u8 to u8, or to f32 where nothing quantises its result.
pub(super) struct ConvolutionI8<'a> {
    pub convolution: Convolution<'a>,
    pub input: Scale,
    pub output: Option<Scale>,
    /// A second, quantised input is added to the quantised result.
    pub sum: Option<SumI8>,
}

/// A convolution of either kind with its weights as kernels read them: what the planner makes of it, and what a prepared network holds.
pub(super) struct Layer {
    pub window: Window,
    pub depthwise: bool,
    pub weights: kernels::Weights,
    pub numbers: Numbers,
}

/// A layer's numbers beside its weights, one for each output channel.
pub(super) enum Numbers {
    F32 {
        bias: Vec<f32>,
        slope: Vec<f32>,
        residual: Option<bool>,
    },
    /// As in [`kernels::RequantI8`]; without a zero point the result is dequantised.
    I8 {
        input_zero: u8,
        bias: Vec<i32>,
        sums: Vec<i32>,
        scale: Vec<f32>,
        negative: Vec<f32>,
        zero: Option<u8>,
        sum: Option<SumI8>,
    },
}

pub(super) enum Operator<'a> {
    Input,
    /// A planar row as a map.
    Pack,
    /// A map as a row: channel by channel, or pixel by pixel.
    Unpack {
        pixels: bool,
    },
    Convolution(Box<Convolution<'a>>),
    /// Each channel times a factor plus a bias.
    Affine {
        factor: Vec<f32>,
        bias: Vec<f32>,
    },
    Activation {
        slope: Vec<f32>,
    },
    Sigmoid,
    Add,
    Pool {
        window: Window,
        largest: bool,
    },
    Upsample {
        factor: usize,
    },
    Quantize(Scale),
    Dequantize(Scale),
    /// Recognised between quantised values.
    ConvolutionI8(Box<ConvolutionI8<'a>>),
    AddI8(SumI8),
    Layer(Box<Layer>),
    /// What a fusion has left, or nobody reads.
    Gone,
}

impl Operator<'_> {
    pub(super) fn word(&self) -> &'static str {
        match self {
            Operator::Input => "input",
            Operator::Pack | Operator::Unpack { .. } => "layout",
            Operator::Convolution(c) if c.depthwise => "depthwise convolution",
            Operator::Convolution(_) => "convolution",
            Operator::Affine { .. } => "normalisation",
            Operator::Activation { .. } => "activation",
            Operator::Sigmoid => "sigmoid",
            Operator::Add => "add",
            Operator::Pool { .. } => "pool",
            Operator::Upsample { .. } => "upsample",
            Operator::ConvolutionI8(c) if c.convolution.depthwise => "depthwise convolution, int8",
            Operator::ConvolutionI8(_) => "convolution, int8",
            Operator::AddI8(_) => "add, int8",
            Operator::Layer(layer) => match (&layer.numbers, layer.depthwise) {
                (Numbers::F32 { .. }, false) => "convolution",
                (Numbers::F32 { .. }, true) => "depthwise convolution",
                (Numbers::I8 { .. }, false) => "convolution, int8",
                (Numbers::I8 { .. }, true) => "depthwise convolution, int8",
            },
            Operator::Quantize(_) => "quantise",
            Operator::Dequantize(_) => "dequantise",
            Operator::Gone => "nothing",
        }
    }
}

pub(super) struct Node<'a> {
    pub name: String,
    pub operator: Operator<'a>,
    pub inputs: Vec<usize>,
    pub storage: Storage,
}

/// What the file calls a value.
#[derive(Clone)]
pub(super) struct Value {
    pub node: usize,
    pub dims: Vec<usize>,
}

pub(super) struct Graph<'a> {
    /// Each after its inputs.
    pub nodes: Vec<Node<'a>>,
    pub outputs: Vec<Value>,
}

impl Graph<'_> {
    /// The nodes that read a node.
    pub(super) fn readers(&self, node: usize) -> Vec<usize> {
        (node + 1..self.nodes.len()).filter(|reader| self.nodes[*reader].inputs.contains(&node)).collect()
    }

    /// The one node that reads a node, when nothing else does.
    pub(super) fn only_reader(&self, node: usize) -> Option<usize> {
        let mut readers =
            (node + 1..self.nodes.len()).flat_map(|r| self.nodes[r].inputs.iter().filter(|i| **i == node).map(move |_| r));
        let first = readers.next()?;
        (readers.next().is_none() && self.outputs.iter().all(|output| output.node != node)).then_some(first)
    }

    /// Whoever read `gone` reads `node`.
    pub(super) fn replace(&mut self, gone: usize, node: usize) {
        for inputs in self.nodes.iter_mut().map(|n| &mut n.inputs) {
            inputs.iter_mut().filter(|input| **input == gone).for_each(|input| *input = node);
        }
        self.outputs.iter_mut().filter(|output| output.node == gone).for_each(|output| output.node = node);
        self.nodes[gone].operator = Operator::Gone;
        self.nodes[gone].inputs.clear();
    }
}
