//! The operators that recognisers and detectors are made of, as libtorch computes them.

use std::collections::HashMap;

use tch::{Device, Kind, TchError, Tensor};
use tract_onnx::pb::{AttributeProto, NodeProto, TensorProto, tensor_proto::DataType};

use super::super::Layout;

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
    /// `x · weightᵀ + bias`.
    Linear {
        weight: Tensor,
        bias: Option<Tensor>,
    },
    MatMul,
    Prelu(Tensor),
    Relu,
    Sigmoid,
    Softmax(i64),
    Erf,
    Square,
    Sqrt,
    AtLeast(f64),
    Add,
    Sub,
    Mul,
    Div,
    /// Over these axes, which stay with size 1.
    Mean(Vec<i64>),
    /// Euclidean, over these axes, which stay with size 1.
    Length(Vec<i64>),
    MaxPool {
        kernel: [i64; 2],
        stride: [i64; 2],
    },
    GlobalPool,
    /// Every value twice as often in both directions.
    Double,
    Transpose(Vec<i64>),
    Reshape(Vec<i64>),
    /// To this shape, where sizes are 1.
    Broadcast(Vec<i64>),
    Flatten,
    Concat(i64),
    Split {
        sizes: Vec<i64>,
        axis: i64,
    },
    Slice {
        axis: i64,
        start: i64,
        end: i64,
    },
    Squeeze(Vec<i64>),
}

/// What it knows.
const OPERATORS: &str = "Conv, Gemm, MatMul, PRelu, Relu, Sigmoid, Softmax, Erf, Pow 2, Sqrt, Clip from below, Add, Sub, Mul, Div, \
    ReduceMean, ReduceL2, MaxPool, GlobalAveragePool, Resize ×2, Transpose, Reshape, Expand, Flatten, Concat, Split, Slice and Squeeze";

/// An operator in its place.
#[derive(Debug)]
pub(super) struct Node {
    operator: Operator,
    /// Values that the operator takes; as many as it needs.
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<String>,
}

impl Node {
    /// By what it makes.
    pub(super) fn name(&self) -> &str {
        self.outputs.first().map_or("an operator", String::as_str)
    }

    /// What it makes of its inputs in a batch of `batch`; libtorch's words where they do not fit together.
    pub(super) fn run(&self, inputs: &[Tensor], batch: i64) -> Result<Vec<Tensor>, TchError> {
        match (&self.operator, inputs) {
            (Operator::Split { sizes, axis }, [xs]) => xs.f_split_with_sizes(sizes, *axis),
            (operator, inputs) => Ok(vec![run(operator, inputs, batch)?]),
        }
    }
}

/// `read` sees to it that two inputs are there where two are taken.
fn run(operator: &Operator, inputs: &[Tensor], batch: i64) -> Result<Tensor, TchError> {
    let (Some(xs), Some(ys)) = (inputs.first(), inputs.last()) else { return Ok(Tensor::new()) };
    match operator {
        Operator::Conv { weight, bias, stride, padding, groups } => {
            layout(xs.device()).of(xs).f_conv2d(weight, bias.as_ref(), stride, padding, [1, 1], *groups)
        }
        Operator::Linear { weight, bias } => xs.f_linear(weight, bias.as_ref()),
        Operator::MatMul => xs.f_matmul(ys),
        Operator::Prelu(slope) => xs.f_prelu(slope),
        Operator::Relu => xs.f_relu(),
        Operator::Sigmoid => xs.f_sigmoid(),
        Operator::Softmax(axis) => xs.f_softmax(*axis, xs.kind()),
        Operator::Erf => xs.f_erf(),
        Operator::Square => xs.f_square(),
        Operator::Sqrt => xs.f_sqrt(),
        Operator::AtLeast(least) => xs.f_clamp_min(*least),
        Operator::Add => xs.f_add(ys),
        Operator::Sub => xs.f_sub(ys),
        Operator::Mul => xs.f_mul(ys),
        Operator::Div => xs.f_div(ys),
        Operator::Mean(axes) => xs.f_mean_dim(axes.as_slice(), true, xs.kind()),
        Operator::Length(axes) => xs.f_square()?.f_sum_dim_intlist(axes.as_slice(), true, xs.kind())?.f_sqrt(),
        Operator::MaxPool { kernel, stride } => xs.f_max_pool2d(kernel, stride, [0, 0], [1, 1], false),
        Operator::GlobalPool => xs.f_adaptive_avg_pool2d([1, 1]),
        Operator::Double => match xs.size().as_slice() {
            [_, _, height, width] => xs.f_upsample_nearest2d([2 * height, 2 * width], None, None),
            _ => Ok(xs.shallow_clone()),
        },
        Operator::Transpose(order) => xs.f_permute(order),
        Operator::Reshape(shape) => xs.f_reshape(of_batch(shape, batch)),
        Operator::Broadcast(shape) => xs.f_expand(of_batch(shape, batch), false),
        Operator::Flatten => xs.f_flatten(1, -1),
        Operator::Concat(axis) => Tensor::f_cat(inputs, *axis),
        // Its outputs are several.
        Operator::Split { .. } => Ok(xs.shallow_clone()),
        Operator::Slice { axis, start, end } => xs.f_slice(*axis, *start, *end, 1),
        Operator::Squeeze(axes) => xs.f_squeeze_dims(axes.as_slice()),
    }
}

/// Where convolutions are fastest: on a GPU, libtorch's own depthwise kernels take planes only.
fn layout(device: Device) -> Layout {
    if device.is_cuda() { Layout::Planes } else { Layout::ChannelsLast }
}

/// A stored shape, which is for one picture where it begins with 1.
fn of_batch(shape: &[i64], batch: i64) -> Vec<i64> {
    let mut shape = shape.to_vec();
    if let Some(first) = shape.first_mut().filter(|first| **first == 1) {
        *first = batch;
    }
    shape
}

/// What the node is, with its weights in this kind on this device; a sentence for people where it is not known.
pub(super) fn read(node: &NodeProto, weights: &HashMap<&str, &TensorProto>, place: (Kind, Device)) -> Result<Node, String> {
    let attribute = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
    let integers = |name: &str, default: &[i64]| attribute(name).map_or_else(|| default.to_vec(), |a| a.ints.clone());
    let integer = |name: &str, default: i64| attribute(name).map_or(default, |a| a.i);
    let stored = |index: usize| weights.get(node.input.get(index).filter(|name| !name.is_empty())?.as_str()).copied();
    let weight = |index: usize| stored(index).map(|proto| tensor(proto, place));
    let needed = |index: usize| weight(index).unwrap_or_else(|| Err(format!("input {index} is not a stored weight")));
    let number = |index: usize| -> Result<f64, String> {
        match values(stored(index).ok_or_else(|| format!("input {index} is not stored"))?)?.as_slice() {
            [number] => Ok(f64::from(*number)),
            _ => Err(format!("input {index} is not one number")),
        }
    };
    let indices = |index: usize| stored(index).and_then(whole);
    let unknown = || format!("operator {} in this form is not known: {OPERATORS} are", node.op_type);
    let (operator, inputs) = match node.op_type.as_str() {
        "Conv" => (conv(&integers, integer("group", 1), needed(1)?, weight(2).transpose()?)?, 1),
        "Gemm" if integer("transA", 0) == 0 && scaled_by_one(attribute("alpha")) && scaled_by_one(attribute("beta")) => {
            let weight_as_stored = needed(1)?;
            let weight_rows = if integer("transB", 0) == 1 { weight_as_stored } else { weight_as_stored.tr().contiguous() };
            (Operator::Linear { weight: weight_rows, bias: weight(2).transpose()? }, 1)
        }
        "MatMul" => (Operator::MatMul, 2),
        "PRelu" => (Operator::Prelu(needed(1)?.flatten(0, -1)), 1),
        "Relu" => (Operator::Relu, 1),
        "Sigmoid" => (Operator::Sigmoid, 1),
        "Softmax" => (Operator::Softmax(integer("axis", -1)), 1),
        "Erf" => (Operator::Erf, 1),
        "Pow" if number(1)? == 2.0 => (Operator::Square, 1),
        "Sqrt" => (Operator::Sqrt, 1),
        "Clip" if node.input.get(2).is_none_or(String::is_empty) => (Operator::AtLeast(number(1)?), 1),
        "Add" => (Operator::Add, 2),
        "Sub" => (Operator::Sub, 2),
        "Mul" => (Operator::Mul, 2),
        "Div" => (Operator::Div, 2),
        "ReduceMean" if integer("keepdims", 1) == 1 => (Operator::Mean(integers("axes", &[])), 1),
        "ReduceL2" if integer("keepdims", 1) == 1 => (Operator::Length(integers("axes", &[])), 1),
        "MaxPool" => {
            let plain =
                integers("pads", &[0; 4]) == [0; 4] && integers("dilations", &[1, 1]) == [1, 1] && integer("ceil_mode", 0) == 0;
            let (window, strides) = (integers("kernel_shape", &[]), integers("strides", &[1, 1]));
            let ([high, wide], [down, right], true) = (window.as_slice(), strides.as_slice(), plain) else {
                return Err("pooling with pads, dilations or rounding up is not known".into());
            };
            (Operator::MaxPool { kernel: [*high, *wide], stride: [*down, *right] }, 1)
        }
        "GlobalAveragePool" => (Operator::GlobalPool, 1),
        "Resize" => {
            let says = |name: &str, value: &[u8]| attribute(name).is_some_and(|a| a.s == value);
            let nearest = says("mode", b"nearest")
                && says("nearest_mode", b"floor")
                && says("coordinate_transformation_mode", b"asymmetric");
            let scales = stored(2).map(values).transpose()?.unwrap_or_default();
            if !nearest || scales != [1.0, 1.0, 2.0, 2.0] {
                return Err("only enlargement to twice the size by the nearest neighbour is known".into());
            }
            (Operator::Double, 1)
        }
        "Transpose" => (Operator::Transpose(integers("perm", &[])), 1),
        "Reshape" => {
            let shape = indices(1).filter(|shape| !shape.contains(&0));
            (Operator::Reshape(shape.ok_or("only reshaping to a stored shape without 0 is known")?), 1)
        }
        "Expand" => (Operator::Broadcast(indices(1).ok_or("only expansion to a stored shape is known")?), 1),
        "Flatten" if integer("axis", 1) == 1 => (Operator::Flatten, 1),
        "Concat" => (Operator::Concat(integer("axis", 0)), node.input.len()),
        "Split" => {
            let sizes = indices(1).ok_or("only a split into stored sizes is known")?;
            if sizes.len() != node.output.len() {
                return Err(format!("{} sizes for {} outputs", sizes.len(), node.output.len()));
            }
            (Operator::Split { sizes, axis: integer("axis", 0) }, 1)
        }
        "Slice" => match (indices(1).as_deref(), indices(2).as_deref(), indices(3).as_deref(), indices(4).as_deref()) {
            (Some(&[start]), Some(&[end]), Some(&[axis]), None | Some(&[1])) => (Operator::Slice { axis, start, end }, 1),
            _ => return Err(unknown()),
        },
        "Squeeze" => (Operator::Squeeze(indices(1).ok_or_else(unknown)?), 1),
        _ => return Err(unknown()),
    };
    match node.input.get(..inputs) {
        Some(inputs) if !inputs.is_empty() && !node.output.is_empty() => {
            Ok(Node { operator, inputs: inputs.to_vec(), outputs: node.output.clone() })
        }
        _ => Err("inputs or output are missing".into()),
    }
}

fn conv(
    integers: &dyn Fn(&str, &[i64]) -> Vec<i64>,
    groups: i64,
    weight: Tensor,
    bias: Option<Tensor>,
) -> Result<Operator, String> {
    let (strides, pads) = (integers("strides", &[1, 1]), integers("pads", &[0; 4]));
    let ([down, right], [top, left, bottom, end]) = (strides.as_slice(), pads.as_slice()) else {
        return Err("only convolutions in two dimensions are known".into());
    };
    if (top, left) != (bottom, end) || integers("dilations", &[1, 1]) != [1, 1] {
        return Err("uneven pads and dilations are not known".into());
    }
    let layout = layout(weight.device());
    Ok(Operator::Conv { weight: layout.of(&weight), bias, stride: [*down, *right], padding: [*top, *left], groups })
}

fn scaled_by_one(factor: Option<&AttributeProto>) -> bool {
    factor.is_none_or(|factor| factor.f == 1.0)
}

/// The values of a stored `f32` tensor.
fn values(proto: &TensorProto) -> Result<Vec<f32>, String> {
    match (proto.data_type == DataType::Float as i32, proto.float_data.is_empty()) {
        (true, false) => Ok(proto.float_data.clone()),
        (true, true) => Ok(proto.raw_data.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()),
        _ => Err(format!("weight {} is not f32", proto.name)),
    }
}

/// A stored `f32` tensor in another kind on another device.
pub(super) fn tensor(proto: &TensorProto, (kind, device): (Kind, Device)) -> Result<Tensor, String> {
    let values = values(proto)?;
    if proto.dims.iter().try_fold(1i64, |n, d| n.checked_mul(*d)) != i64::try_from(values.len()).ok() {
        return Err(format!("weight {} has {} values for shape {:?}", proto.name, values.len(), proto.dims));
    }
    Ok(Tensor::from_slice(&values).reshape(&proto.dims).to_device(device).to_kind(kind))
}

/// The values of a stored `i64` vector.
fn whole(proto: &TensorProto) -> Option<Vec<i64>> {
    match (proto.data_type == DataType::Int64 as i32, proto.int64_data.is_empty()) {
        (true, false) => Some(proto.int64_data.clone()),
        (true, true) => proto.raw_data.as_chunks().0.iter().map(|bytes| Some(i64::from_le_bytes(*bytes))).collect(),
        _ => None,
    }
}
