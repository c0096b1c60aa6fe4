//! A [`Graph`] as an ONNX file.

use half::f16;
use prost::Message;
use tch::{Device, Kind, Tensor, no_grad};
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, attribute_proto::AttributeType, type_proto,
};

use super::graph::{Graph, Node, Op};
use crate::data::chips::SIDE;
use crate::error::Result;
use crate::net::layer::{Conv, Pool};

/// The operator set: the first with quantisation along an axis.
pub const OPSET: i64 = 13;
/// The file format that came with it.
const IR_VERSION: i64 = 7;
/// The name of the input, `[N, 3, 112, 112]`.
pub const INPUT: &str = "chip";
/// The name of the output, `[N, embedding]`.
pub const OUTPUT: &str = "embedding";

/// How many chips the file takes at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Batch {
    /// As many as are given.
    Symbolic,
    /// This many.
    Fixed(u32),
}

impl std::str::FromStr for Batch {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(chips @ 1..=65_536) => Ok(Batch::Fixed(chips)),
            _ if text == "symbolic" => Ok(Batch::Symbolic),
            _ => Err(format!("{text:?} is neither a number of chips from 1 to 65536 nor `symbolic`")),
        }
    }
}

/// What float weights are stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// 32 bits.
    Single,
    /// 16 bits, cast to 32 when the file is loaded. A layer with a value beyond 65,504 keeps 32.
    Half,
}

/// An ONNX file in memory.
#[derive(Debug, Clone)]
pub struct File {
    /// The file.
    pub bytes: Vec<u8>,
    /// Values of weights, biases and slopes in it; those of steps and shapes are not counted.
    pub values: usize,
    /// Bytes that those take.
    pub payload: usize,
}

impl File {
    /// Bytes that are no weight: names, structure, metadata, and the steps of quantised values.
    pub fn header(&self) -> usize {
        self.bytes.len() - self.payload
    }
}

/// Writes the graph. `metadata` are keys and values.
pub fn file(graph: &Graph, metadata: Vec<(String, String)>, batch: Batch, weights: Weights) -> Result<File> {
    let mut writer = Writer { graph, weights, nodes: Vec::new(), tensors: Vec::new(), values: 0, payload: 0 };
    for number in 0..graph.nodes.len() {
        no_grad(|| writer.node(number))?;
    }
    let n = match batch {
        Batch::Symbolic => dimension::Value::DimParam("N".into()),
        Batch::Fixed(chips) => dimension::Value::DimValue(i64::from(chips)),
    };
    let side = SIDE as i64;
    let graph = GraphProto {
        name: "recogniser".into(),
        node: writer.nodes,
        initializer: writer.tensors,
        input: vec![described(INPUT, &n, &[3, side, side])],
        output: vec![described(OUTPUT, &n, &[graph.embedding])],
        ..Default::default()
    };
    let model = ModelProto {
        ir_version: IR_VERSION,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        producer_name: "trainer".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph),
        metadata_props: metadata.into_iter().map(|(key, value)| StringStringEntryProto { key, value }).collect(),
        ..Default::default()
    };
    Ok(File { bytes: model.encode_to_vec(), values: writer.values, payload: writer.payload })
}

struct Writer<'g> {
    graph: &'g Graph,
    weights: Weights,
    nodes: Vec<NodeProto>,
    tensors: Vec<TensorProto>,
    values: usize,
    payload: usize,
}

impl Writer<'_> {
    fn node(&mut self, number: usize) -> Result<()> {
        let Node { name, op, inputs } = &self.graph.nodes[number];
        let mut input: Vec<String> = inputs.iter().map(|&input| self.value(input)).collect();
        let mut attributes = Vec::new();
        match op {
            Op::Input => return Ok(()),
            Op::Conv { geometry, weight, bias, grid } => {
                let Conv { kernel, stride, padding: [rows, columns], groups, .. } = *geometry;
                input.extend(self.layer(name, weight, bias.as_ref(), grid.as_ref())?);
                attributes = window(&kernel, stride, &[rows, columns, rows, columns]);
                attributes.push(integer("group", groups));
                attributes.push(integers("dilations", &[1, 1]));
            }
            Op::Linear { weight, bias, grid } => {
                input.extend(self.layer(name, weight, Some(bias), grid.as_ref())?);
                attributes.push(integer("transB", 1));
            }
            Op::BatchNorm { epsilon, values } => {
                for (part, tensor) in ["scale", "shift", "mean", "variance"].into_iter().zip(values) {
                    input.push(self.floats(format!("{name}.{part}"), tensor, &tensor.size())?);
                }
                attributes.push(float("epsilon", *epsilon as f32));
            }
            Op::Prelu(slope) => {
                // A map's axes are lined up from the right: without the two ones the slopes would run along its columns.
                let shape = if self.is_map(inputs[0]) { vec![slope.numel() as i64, 1, 1] } else { slope.size() };
                input.push(self.floats(format!("{name}.slope"), slope, &shape)?);
            }
            Op::Scale(factor) => input.push(self.constant(format!("{name}.factor"), &[*factor as f32])),
            Op::MaxPool(pool) => attributes = pooled(pool),
            Op::AveragePool(pool) => {
                attributes = pooled(pool);
                attributes.push(integer("count_include_pad", 1));
            }
            Op::Concat => attributes.push(integer("axis", 1)),
            Op::Slice { from, to } => {
                for (part, value) in [("from", *from), ("to", to.unwrap_or(i64::MAX)), ("axis", 1)] {
                    input.push(self.indices(format!("{name}.{part}"), value));
                }
            }
            Op::Flatten => attributes.push(integer("axis", 1)),
            Op::Quantise { scale, zero } => {
                let scale = self.scalar(format!("{name}.scale"), DataType::Float, scale.to_le_bytes().to_vec());
                let zero = self.scalar(format!("{name}.zero"), DataType::Uint8, vec![*zero]);
                let rounded = format!("{name}.q");
                input.extend([scale.clone(), zero.clone()]);
                self.push(op.kind(), &rounded, input, Vec::new());
                let value = self.value(number);
                self.push("DequantizeLinear", &value, vec![rounded, scale, zero], Vec::new());
                return Ok(());
            }
            Op::Relu | Op::Sigmoid | Op::GlobalPool | Op::Add | Op::Multiply => {}
        }
        let value = self.value(number);
        self.push(op.kind(), &value, input, attributes);
        Ok(())
    }

    fn push(&mut self, kind: &str, output: &str, input: Vec<String>, attribute: Vec<AttributeProto>) {
        let (name, output) = (output.to_owned(), vec![output.to_owned()]);
        self.nodes.push(NodeProto { name, op_type: kind.into(), input, output, attribute, ..Default::default() });
    }

    /// The name of a node's value.
    fn value(&self, number: usize) -> String {
        match number {
            0 => INPUT.into(),
            _ if number + 1 == self.graph.nodes.len() => OUTPUT.into(),
            _ => self.graph.nodes[number].name.clone(),
        }
    }

    /// Whether a value is a map, not a vector.
    fn is_map(&self, number: usize) -> bool {
        let node = &self.graph.nodes[number];
        match node.op {
            Op::Linear { .. } | Op::Flatten => false,
            _ => node.inputs.first().is_none_or(|input| self.is_map(*input)),
        }
    }

    /// Weights and bias as inputs of a layer.
    fn layer(
        &mut self,
        name: &str,
        weight: &Tensor,
        bias: Option<&Tensor>,
        grid: Option<&super::graph::Grid>,
    ) -> Result<Vec<String>> {
        let [weight_name, bias_name] = ["weight", "bias"].map(|part| format!("{name}.{part}"));
        let mut inputs = Vec::new();
        match grid {
            None => {
                inputs.push(self.matrix(weight_name, weight)?);
                if let Some(bias) = bias {
                    inputs.push(self.floats(bias_name, bias, &bias.size())?);
                }
            }
            Some(grid) => {
                let counts = values(weight)?;
                let bytes = counts.iter().map(|count| count.clamp(-127.0, 127.0) as i8 as u8).collect();
                inputs.push(self.quantised(weight_name, DataType::Int8, weight.size(), bytes, &grid.weight));
                if let Some(bias) = bias {
                    let counts = values(bias)?;
                    let bytes = counts.iter().flat_map(|count| (*count as i32).to_le_bytes()).collect();
                    inputs.push(self.quantised(bias_name, DataType::Int32, bias.size(), bytes, &grid.bias()));
                }
            }
        }
        Ok(inputs)
    }

    /// Whole numbers of steps, a step an output channel, behind DequantizeLinear.
    fn quantised(&mut self, name: String, kind: DataType, dims: Vec<i64>, raw_data: Vec<u8>, steps: &[f32]) -> String {
        let channels = steps.len();
        self.values += dims.iter().product::<i64>() as usize;
        self.payload += raw_data.len();
        let rounded = format!("{name}.q");
        self.tensors.push(TensorProto { name: rounded.clone(), dims, data_type: kind as i32, raw_data, ..Default::default() });
        let scale = self.constant(format!("{name}.scale"), steps);
        let zero = format!("{name}.zero");
        let zeros = vec![0; channels * if kind == DataType::Int8 { 1 } else { 4 }];
        let dims = vec![channels as i64];
        self.tensors.push(TensorProto {
            name: zero.clone(),
            dims,
            data_type: kind as i32,
            raw_data: zeros,
            ..Default::default()
        });
        self.push("DequantizeLinear", &name, vec![rounded, scale, zero], vec![integer("axis", 0)]);
        name
    }

    /// Weights in the precision that was asked for.
    fn matrix(&mut self, name: String, tensor: &Tensor) -> Result<String> {
        let values = values(tensor)?;
        if self.weights == Weights::Single || values.iter().any(|value| value.abs() > f32::from(f16::MAX)) {
            return self.floats(name, tensor, &tensor.size());
        }
        let raw_data: Vec<u8> = values.iter().flat_map(|value| f16::from_f32(*value).to_le_bytes()).collect();
        self.values += values.len();
        self.payload += raw_data.len();
        let stored = format!("{name}.half");
        let (dims, data_type) = (tensor.size(), DataType::Float16 as i32);
        self.tensors.push(TensorProto { name: stored.clone(), dims, data_type, raw_data, ..Default::default() });
        self.push("Cast", &name, vec![stored], vec![integer("to", DataType::Float as i64)]);
        Ok(name)
    }

    fn floats(&mut self, name: String, tensor: &Tensor, shape: &[i64]) -> Result<String> {
        let values = values(tensor)?;
        self.values += values.len();
        self.payload += 4 * values.len();
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let (dims, data_type) = (shape.to_vec(), DataType::Float as i32);
        self.tensors.push(TensorProto { name: name.clone(), dims, data_type, raw_data, ..Default::default() });
        Ok(name)
    }

    /// Numbers that are no weights.
    fn constant(&mut self, name: String, values: &[f32]) -> String {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let (dims, data_type) = (vec![values.len() as i64], DataType::Float as i32);
        self.tensors.push(TensorProto { name: name.clone(), dims, data_type, raw_data, ..Default::default() });
        name
    }

    fn scalar(&mut self, name: String, kind: DataType, raw_data: Vec<u8>) -> String {
        self.tensors.push(TensorProto { name: name.clone(), data_type: kind as i32, raw_data, ..Default::default() });
        name
    }

    fn indices(&mut self, name: String, value: i64) -> String {
        let (dims, data_type, raw_data) = (vec![1], DataType::Int64 as i32, value.to_le_bytes().to_vec());
        self.tensors.push(TensorProto { name: name.clone(), dims, data_type, raw_data, ..Default::default() });
        name
    }
}

/// A tensor's values, row-major, whatever its layout in memory.
pub(crate) fn values(tensor: &Tensor) -> Result<Vec<f32>> {
    let flat = tensor.detach().to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view([-1]);
    let mut values = vec![0f32; flat.numel()];
    flat.f_copy_data(&mut values, flat.numel())?;
    Ok(values)
}

fn described(name: &str, batch: &dimension::Value, rest: &[i64]) -> ValueInfoProto {
    let dimension = |value| Dimension { value: Some(value), ..Default::default() };
    let rest = rest.iter().map(|&size| dimension(dimension::Value::DimValue(size)));
    let dim = std::iter::once(dimension(batch.clone())).chain(rest).collect();
    let tensor = type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(TensorShapeProto { dim }) };
    let r#type = Some(TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() });
    ValueInfoProto { name: name.into(), r#type, ..Default::default() }
}

fn pooled(pool: &Pool) -> Vec<AttributeProto> {
    window(&[pool.kernel; 2], pool.stride, &[pool.padding; 4])
}

fn window(kernel: &[i64], stride: i64, pads: &[i64]) -> Vec<AttributeProto> {
    vec![integers("kernel_shape", kernel), integers("strides", &[stride; 2]), integers("pads", pads)]
}

fn integers(name: &str, ints: &[i64]) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Ints as i32, ints: ints.to_vec(), ..Default::default() }
}

fn integer(name: &str, i: i64) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Int as i32, i, ..Default::default() }
}

fn float(name: &str, f: f32) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Float as i32, f, ..Default::default() }
}
