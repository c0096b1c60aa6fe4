//! From an ONNX recogniser to a [`Graph`]: the operators that [`super::onnx`] writes, float, in any order of names.

use std::collections::BTreeMap;
use std::path::Path;

use half::f16;
use prost::Message;
use tch::Tensor;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{ModelProto, NodeProto, TensorProto};

use super::graph::{Graph, Input, Node, Op};
use crate::data::chips::SIDE;
use crate::error::{Error, Result};
use crate::net::layer::{Conv, Pool};

/// Reads a file with one input, `[N, 3, 112, 112]`, and one output.
pub(super) fn graph(path: &Path, onnx: &[u8], input: Input) -> Result<Graph> {
    read(onnx, input).map_err(|reason| Error::data(path.display().to_string(), reason))
}

fn read(onnx: &[u8], input: Input) -> Result<Graph, String> {
    let model = ModelProto::decode(onnx).map_err(|e| format!("not an ONNX file: {e}"))?;
    let file = model.graph.ok_or("the file has no graph")?;
    let tensors: BTreeMap<&str, &TensorProto> = file.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
    let mut chips = file.input.iter().filter(|value| !tensors.contains_key(value.name.as_str()));
    let (Some(chip), None) = (chips.next(), chips.next()) else { return Err("the graph has not exactly one input".into()) };
    let [output] = &file.output[..] else { return Err("the graph has not exactly one output".into()) };
    let nodes = vec![Node { name: "chip".into(), op: Op::Input, inputs: Vec::new() }];
    let mut reader = Reader { tensors, values: BTreeMap::from([(chip.name.clone(), 0)]), cast: BTreeMap::new(), nodes };
    for node in &file.node {
        reader.add(node).map_err(|reason| format!("{} {}: {reason}", node.op_type, node.name))?;
    }
    let last = reader.nodes.len() - 1;
    if reader.values.get(output.name.as_str()) != Some(&last) {
        return Err("its last operator does not make its output".into());
    }
    let mut graph = Graph { nodes: reader.nodes, input, embedding: 0 };
    let side = SIDE as i64;
    let zeros = Tensor::zeros([1, 3, side, side], (tch::Kind::Float, tch::Device::Cpu));
    let size = graph.forward(&zeros).size();
    let [1, embedding] = size[..] else { return Err(format!("it makes {size:?} of a chip, not a vector")) };
    graph.embedding = embedding;
    Ok(graph)
}

struct Reader<'f> {
    tensors: BTreeMap<&'f str, &'f TensorProto>,
    /// Numbers of the nodes that make values.
    values: BTreeMap<String, usize>,
    /// Weights behind a cast from 16 bits: the stored tensor's name.
    cast: BTreeMap<String, String>,
    nodes: Vec<Node>,
}

impl Reader<'_> {
    fn add(&mut self, node: &NodeProto) -> Result<(), String> {
        let integer = |name: &str, default: i64| node.attribute.iter().find(|a| a.name == name).map_or(default, |a| a.i);
        let integers = |name: &str| node.attribute.iter().find(|a| a.name == name).map_or(&[][..], |a| &a.ints);
        let [output] = &node.output[..] else { return Err("it has several outputs".into()) };
        let first = node.input.first().map_or("", String::as_str);
        if node.op_type == "Cast" && self.tensors.contains_key(first) {
            self.cast.insert(output.clone(), first.to_owned());
            return Ok(());
        }
        let weights = |at: usize| self.weights(node.input.get(at).map_or("", String::as_str));
        let mut inputs = 1;
        let op = match node.op_type.as_str() {
            "Conv" => {
                let weight = weights(1)?;
                let [output, input, height, width] = weight.size()[..] else { return Err("its weights are no filter".into()) };
                let groups = integer("group", 1);
                let pool = window(node, integers("strides"), integers("pads"))?;
                if integers("dilations").iter().any(|step| *step != 1) {
                    return Err("it is dilated".into());
                }
                let geometry = Conv {
                    input: input.checked_mul(groups).ok_or("its groups are no number of groups")?,
                    output,
                    kernel: [height, width],
                    stride: pool.0,
                    padding: pool.1,
                    groups,
                };
                let bias = if node.input.len() > 2 { Some(weights(2)?) } else { None };
                Op::Conv { geometry, weight, bias, grid: None }
            }
            "Gemm" => {
                let weight = weights(1)?;
                let weight = if integer("transB", 0) == 1 { weight } else { weight.transpose(0, 1).contiguous() };
                let bias = if node.input.len() > 2 {
                    weights(2)?.flatten(0, -1)
                } else {
                    Tensor::zeros([weight.size()[0]], (tch::Kind::Float, tch::Device::Cpu))
                };
                Op::Linear { weight, bias, grid: None }
            }
            "BatchNormalization" => {
                let epsilon = node.attribute.iter().find(|a| a.name == "epsilon").map_or(1e-5, |a| f64::from(a.f));
                Op::BatchNorm { epsilon, values: [weights(1)?, weights(2)?, weights(3)?, weights(4)?] }
            }
            "PRelu" => Op::Prelu(weights(1)?.flatten(0, -1)),
            "Relu" => Op::Relu,
            "Sigmoid" => Op::Sigmoid,
            "GlobalAveragePool" => Op::GlobalPool,
            "Flatten" => Op::Flatten,
            "MaxPool" | "AveragePool" => {
                let (stride, [padding, other]) = window(node, integers("strides"), integers("pads"))?;
                let [kernel, wide] = integers("kernel_shape")[..] else { return Err("its kernel is not two numbers".into()) };
                if kernel != wide || padding != other || integer("ceil_mode", 0) != 0 {
                    return Err("its window is not square".into());
                }
                let pool = Pool { kernel, stride, padding };
                match node.op_type.as_str() {
                    "MaxPool" => Op::MaxPool(pool),
                    _ if padding > 0 && integer("count_include_pad", 0) == 0 => return Err("it leaves padding out".into()),
                    _ => Op::AveragePool(pool),
                }
            }
            "Mul" => match weights(1) {
                Ok(factor) if factor.numel() == 1 => Op::Scale(factor.double_value(&[0])),
                Ok(_) => return Err("its factor is no single number".into()),
                Err(_) => {
                    inputs = 2;
                    Op::Multiply
                }
            },
            "Add" => {
                inputs = 2;
                Op::Add
            }
            "Concat" => {
                inputs = node.input.len();
                Op::Concat
            }
            "Slice" => {
                let index = |at: usize| self.index(node.input.get(at).map_or("", String::as_str));
                if index(3)? != 1 {
                    return Err("it does not cut channels".into());
                }
                Op::Slice { from: index(1)?, to: Some(index(2)?).filter(|to| *to != i64::MAX) }
            }
            "QuantizeLinear" | "DequantizeLinear" => return Err("the file is quantised already".into()),
            _ => return Err("this operator is not known here".into()),
        };
        let find = |name: &String| self.values.get(name).copied().ok_or(format!("nothing makes its input {name:?}"));
        let inputs = node.input.iter().take(inputs).map(find).collect::<Result<Vec<usize>, _>>()?;
        self.values.insert(output.clone(), self.nodes.len());
        self.nodes.push(Node { name: output.clone(), op, inputs });
        Ok(())
    }

    fn weights(&self, name: &str) -> Result<Tensor, String> {
        let stored = self.cast.get(name).map_or(name, String::as_str);
        let tensor = self.tensors.get(stored).ok_or(format!("its input {name:?} is no weight"))?;
        let raw = &tensor.raw_data;
        let values: Vec<f32> = match tensor.data_type {
            kind if kind == DataType::Float as i32 && !tensor.float_data.is_empty() => tensor.float_data.clone(),
            kind if kind == DataType::Float as i32 => {
                raw.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
            }
            kind if kind == DataType::Float16 as i32 => {
                raw.as_chunks::<2>().0.iter().map(|bytes| f32::from(f16::from_le_bytes(*bytes))).collect()
            }
            _ => return Err(format!("{stored:?} is no float")),
        };
        let dims = if tensor.dims.is_empty() { vec![1] } else { tensor.dims.clone() };
        if dims.iter().any(|size| *size < 0)
            || dims.iter().try_fold(1i64, |all, size| all.checked_mul(*size)) != Some(values.len() as i64)
        {
            return Err(format!("{stored:?} has {} values for {dims:?}", values.len()));
        }
        Ok(Tensor::from_slice(&values).view(dims.as_slice()))
    }

    fn index(&self, name: &str) -> Result<i64, String> {
        let tensor = self.tensors.get(name).filter(|tensor| tensor.data_type == DataType::Int64 as i32);
        let tensor = tensor.ok_or(format!("its input {name:?} is no index"))?;
        let raw = tensor.raw_data.first_chunk().map(|bytes| i64::from_le_bytes(*bytes));
        raw.or(tensor.int64_data.first().copied()).ok_or(format!("{name:?} is empty"))
    }
}

/// Stride, and padding of rows and columns.
fn window(node: &NodeProto, strides: &[i64], pads: &[i64]) -> Result<(i64, [i64; 2]), String> {
    let stride = match strides {
        [] => 1,
        [down, across] if down == across && *down > 0 => *down,
        _ => return Err("its strides differ".into()),
    };
    let padding = match pads {
        [] => [0, 0],
        [top, left, bottom, right] if top == bottom && left == right && top.min(left) >= &0 => [*top, *left],
        _ => return Err("its padding is not even".into()),
    };
    let automatic = node.attribute.iter().any(|a| a.name == "auto_pad" && a.s != b"NOTSET" && !a.s.is_empty());
    if automatic { Err("its padding is left to the runtime".into()) } else { Ok((stride, padding)) }
}
