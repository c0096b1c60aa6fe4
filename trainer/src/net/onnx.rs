//! A foreign network on libtorch: an ONNX file of plain convolutional form, with the maps inside it.
//!
//! `Teacher` runs any recogniser and gives its embeddings; this one knows few operators and gives what lies between them, at
//! training's speed and in training's precision.

use std::collections::HashMap;
use std::path::Path;

use prost::Message;
use tch::{Kind, Tensor, no_grad};
use tract_onnx::pb::{ModelProto, NodeProto, TensorProto, tensor_proto::DataType};

use super::channels_last;
use crate::error::{Error, Result};

/// One operator, with its weights.
#[derive(Debug)]
enum Operator {
    Conv {
        weight: Tensor,
        bias: Option<Tensor>,
        stride: [i64; 2],
        padding: [i64; 2],
        groups: i64,
    },
    Prelu(Tensor),
    Relu,
    Sigmoid,
    Add,
    MaxPool {
        kernel: [i64; 2],
        stride: [i64; 2],
    },
    /// Every value twice as often in both directions.
    Double,
    Transpose(Vec<i64>),
    Reshape(Vec<i64>),
    Flatten,
    /// `x · weightᵀ + bias`.
    Linear {
        weight: Tensor,
        bias: Option<Tensor>,
    },
}

/// What it knows.
const OPERATORS: &str = "Conv, PRelu, Relu, Sigmoid, Add, MaxPool, Resize ×2, Transpose, Reshape, Flatten and Gemm";

#[derive(Debug)]
struct Node {
    operator: Operator,
    inputs: Vec<String>,
    output: String,
}

/// An ONNX network of convolutional form with one input: Conv, PRelu, Relu, Sigmoid, Add, MaxPool, Resize ×2, Transpose, Reshape, Flatten, Gemm.
#[derive(Debug)]
pub struct OnnxNetwork {
    input: String,
    nodes: Vec<Node>,
}

impl OnnxNetwork {
    /// Loads a file; its weights become `kind`.
    pub fn open(path: &Path, kind: Kind) -> Result<Self> {
        let fail = |reason: String| Error::Teacher { path: path.to_path_buf(), reason };
        let bytes = std::fs::read(path).map_err(Error::file(path))?;
        let model = ModelProto::decode(bytes.as_slice()).map_err(|e| fail(e.to_string()))?;
        let graph = model.graph.ok_or_else(|| fail("it holds no graph".into()))?;
        let weights: HashMap<&str, &TensorProto> =
            graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        let input = graph.input.iter().find(|input| !weights.contains_key(input.name.as_str()));
        let input = input.ok_or_else(|| fail("it has no input".into()))?.name.clone();
        let nodes =
            graph.node.iter().map(|node| read(node, &weights, kind).map_err(|reason| fail(format!("{}: {reason}", node.name))));
        let nodes = nodes.collect::<Result<Vec<_>>>()?;
        Ok(OnnxNetwork { input, nodes })
    }

    /// Names of the values that the network makes, in order.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|node| node.output.as_str())
    }

    /// The `wanted` values for a batch, without gradient. Names that the network does not make are left out.
    pub fn maps(&self, chips: &Tensor, wanted: &[&str]) -> HashMap<&str, Tensor> {
        let mut last_use = HashMap::new();
        for (index, node) in self.nodes.iter().enumerate() {
            last_use.extend(node.inputs.iter().map(|name| (name.as_str(), index)));
        }
        let Some(end) = self.values().enumerate().filter(|(_, name)| wanted.contains(name)).map(|(index, _)| index).max() else {
            return HashMap::new();
        };
        let mut maps: HashMap<&str, Tensor> = HashMap::from([(self.input.as_str(), chips.shallow_clone())]);
        no_grad(|| {
            for (index, node) in self.nodes.iter().enumerate().take(end + 1) {
                let inputs: Vec<Tensor> =
                    node.inputs.iter().filter_map(|name| maps.get(name.as_str())).map(Tensor::shallow_clone).collect();
                maps.insert(&node.output, run(&node.operator, &inputs));
                maps.retain(|name, _| wanted.contains(name) || last_use.get(name).is_some_and(|last| *last > index));
            }
        });
        maps
    }
}

/// What an operator makes of its inputs, of which [`read`] checked the number.
fn run(operator: &Operator, inputs: &[Tensor]) -> Tensor {
    let Some(xs) = inputs.first() else { return Tensor::new() };
    match operator {
        Operator::Conv { weight, bias, stride, padding, groups } => {
            xs.conv2d(weight, bias.as_ref(), stride, padding, [1, 1], *groups)
        }
        Operator::Prelu(slope) => xs.prelu(slope),
        Operator::Relu => xs.relu(),
        Operator::Sigmoid => xs.sigmoid(),
        Operator::MaxPool { kernel, stride } => xs.max_pool2d(kernel, stride, [0, 0], [1, 1], false),
        Operator::Double => match xs.size().as_slice() {
            [_, _, height, width] => xs.upsample_nearest2d([2 * height, 2 * width], None, None),
            _ => xs.shallow_clone(),
        },
        Operator::Transpose(order) => xs.permute(order),
        Operator::Reshape(shape) => xs.reshape(shape),
        Operator::Add => inputs.iter().skip(1).fold(xs.shallow_clone(), |sum, term| sum + term),
        Operator::Flatten => xs.flatten(1, -1),
        Operator::Linear { weight, bias } => xs.linear(weight, bias.as_ref()),
    }
}

fn read(node: &NodeProto, weights: &HashMap<&str, &TensorProto>, kind: Kind) -> Result<Node, String> {
    let attribute = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
    let integers = |name: &str, default: &[i64]| attribute(name).map_or_else(|| default.to_vec(), |a| a.ints.clone());
    let weight = |index: usize| {
        let name = node.input.get(index).filter(|name| !name.is_empty())?;
        weights.get(name.as_str()).map(|proto| tensor(proto, kind))
    };
    let needed = |index: usize| weight(index).unwrap_or_else(|| Err(format!("input {index} is not a stored weight")));
    let (operator, inputs) = match node.op_type.as_str() {
        "Conv" => {
            let (strides, pads) = (integers("strides", &[1, 1]), integers("pads", &[0; 4]));
            let ([down, right], [top, left, bottom, end]) = (strides.as_slice(), pads.as_slice()) else {
                return Err("only convolutions in two dimensions are known".into());
            };
            if (top, left) != (bottom, end) || integers("dilations", &[1, 1]) != [1, 1] {
                return Err("uneven pads and dilations are not known".into());
            }
            let mut kernel = needed(1)?;
            channels_last(&mut kernel);
            let groups = attribute("group").map_or(1, |a| a.i);
            let (stride, padding) = ([*down, *right], [*top, *left]);
            (Operator::Conv { weight: kernel, bias: weight(2).transpose()?, stride, padding, groups }, 1)
        }
        "PRelu" => (Operator::Prelu(needed(1)?.flatten(0, -1)), 1),
        "Relu" => (Operator::Relu, 1),
        "Sigmoid" => (Operator::Sigmoid, 1),
        "Add" => (Operator::Add, 2),
        "MaxPool" => {
            let plain = integers("pads", &[0; 4]) == [0; 4]
                && integers("dilations", &[1, 1]) == [1, 1]
                && attribute("ceil_mode").is_none_or(|a| a.i == 0);
            let (window, strides) = (integers("kernel_shape", &[]), integers("strides", &[1, 1]));
            let ([high, wide], [down, right], true) = (window.as_slice(), strides.as_slice(), plain) else {
                return Err("pooling with pads, dilations or rounding up is not known".into());
            };
            (Operator::MaxPool { kernel: [*high, *wide], stride: [*down, *right] }, 1)
        }
        "Resize" => {
            let says = |name: &str, value: &[u8]| attribute(name).is_some_and(|a| a.s == value);
            let nearest = says("mode", b"nearest")
                && says("nearest_mode", b"floor")
                && says("coordinate_transformation_mode", b"asymmetric");
            let scales = Vec::<f32>::try_from(needed(2)?.to_kind(Kind::Float)).map_err(|e| e.to_string())?;
            if !nearest || scales != [1.0, 1.0, 2.0, 2.0] {
                return Err("only enlargement to twice the size by the nearest neighbour is known".into());
            }
            (Operator::Double, 1)
        }
        "Transpose" => (Operator::Transpose(integers("perm", &[])), 1),
        "Reshape" => {
            let shape = node.input.get(1).and_then(|name| weights.get(name.as_str())).and_then(|proto| whole(proto));
            let shape = shape.filter(|shape| !shape.contains(&0)).ok_or("only reshaping to a stored shape without 0 is known")?;
            (Operator::Reshape(shape), 1)
        }
        "Flatten" if attribute("axis").is_none_or(|a| a.i == 1) => (Operator::Flatten, 1),
        "Gemm" if attribute("transB").is_some_and(|a| a.i == 1) && attribute("transA").is_none_or(|a| a.i == 0) => {
            (Operator::Linear { weight: needed(1)?, bias: weight(2).transpose()? }, 1)
        }
        other => return Err(format!("operator {other} in this form is not known: {OPERATORS} are")),
    };
    match (node.input.get(..inputs), node.output.first()) {
        (Some(inputs), Some(output)) => Ok(Node { operator, inputs: inputs.to_vec(), output: output.clone() }),
        _ => Err("inputs or output are missing".into()),
    }
}

fn tensor(proto: &TensorProto, kind: Kind) -> Result<Tensor, String> {
    let values: Vec<f32> = match (proto.data_type == DataType::Float as i32, proto.float_data.is_empty()) {
        (true, false) => proto.float_data.clone(),
        (true, true) => proto.raw_data.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect(),
        _ => return Err(format!("weight {} is not f32", proto.name)),
    };
    if proto.dims.iter().try_fold(1i64, |n, d| n.checked_mul(*d)) != i64::try_from(values.len()).ok() {
        return Err(format!("weight {} has {} values for shape {:?}", proto.name, values.len(), proto.dims));
    }
    Ok(Tensor::from_slice(&values).reshape(&proto.dims).to_kind(kind))
}

/// The values of a stored `i64` vector.
fn whole(proto: &TensorProto) -> Option<Vec<i64>> {
    match (proto.data_type == DataType::Int64 as i32, proto.int64_data.is_empty()) {
        (true, false) => Some(proto.int64_data.clone()),
        (true, true) => proto.raw_data.as_chunks().0.iter().map(|bytes| Some(i64::from_le_bytes(*bytes))).collect(),
        _ => None,
    }
}
