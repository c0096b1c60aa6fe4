//! The detector as an ONNX file with YuNet's outputs: `cls_`, `obj_`, `bbox_` and `kps_` with 8, 16 and 32, `[1, cells, …]`, the first
//! two as probabilities. Its input is one picture, RGB, `x / 255`, height and width free multiples of 32. Batch normalisation
//! is folded into the convolutions.

use prost::Message;
use tch::{Device, Kind, Tensor};
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto,
    TypeProto, ValueInfoProto, attribute_proto::AttributeType, tensor_proto::DataType, type_proto,
};

use super::grid::{BOX, CLASS, OBJECT, POINTS, STRIDES};
use super::net::{DetectorNet, Maps, UNITS_BEFORE_HEADS};
use crate::error::{Error, Result};
use crate::net::layer::{Conv, Layer, Pool};

/// The operator set of the file: 13 is the first with per-channel quantisation.
const OPSET: i64 = 13;

/// The version of the format that came with it.
const IR_VERSION: i64 = 7;

/// Name, place among a cell's numbers, how many, and whether it is a probability.
const OUTPUTS: [(&str, usize, usize, bool); 4] =
    [("cls", CLASS, 1, true), ("obj", OBJECT, 1, true), ("bbox", BOX, 4, false), ("kps", POINTS, 10, false)];

/// The file's bytes; `about` are key and value of its metadata.
pub fn onnx(net: &DetectorNet, about: &[(&str, String)]) -> Result<Vec<u8>> {
    let mut graph = Graph::default();
    net.walk("input".to_owned(), &mut graph)?;
    let picture = [dim(1), dim(3), free("height"), free("width")];
    let outputs = STRIDES.iter().flat_map(|stride| OUTPUTS.map(|(name, _, count, _)| (name, count, *stride)));
    let outputs = outputs.map(|(name, count, stride)| {
        value(&format!("{name}_{stride}"), vec![dim(1), free(&format!("cells_{stride}")), dim(count as i64)])
    });
    let graph = GraphProto {
        name: "detector".into(),
        input: vec![value("input", picture.to_vec())],
        output: outputs.collect(),
        node: graph.nodes,
        initializer: graph.constants,
        ..GraphProto::default()
    };
    let property = |(key, value): &(&str, String)| StringStringEntryProto { key: (*key).into(), value: value.clone() };
    let model = ModelProto {
        ir_version: IR_VERSION,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: OPSET }],
        producer_name: "veriface trainer".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph),
        metadata_props: about.iter().map(property).collect(),
        ..ModelProto::default()
    };
    Ok(model.encode_to_vec())
}

#[derive(Default)]
struct Graph {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl Graph {
    /// Adds a node with one output, whose name comes back.
    fn node(&mut self, operator: &str, input: Vec<String>, attribute: Vec<AttributeProto>) -> String {
        let name = format!("{}_{}", operator.to_lowercase(), self.nodes.len());
        self.nodes.push(NodeProto {
            input,
            output: vec![name.clone()],
            name: name.clone(),
            op_type: operator.into(),
            attribute,
            ..NodeProto::default()
        });
        name
    }

    fn floats(&mut self, name: &str, dims: &[i64], values: &[f32]) -> String {
        let raw_data = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.constant(name, DataType::Float, dims, raw_data)
    }

    fn constant(&mut self, name: &str, kind: DataType, dims: &[i64], raw_data: Vec<u8>) -> String {
        let name = format!("{name}_{}", self.constants.len());
        self.constants.push(TensorProto {
            name: name.clone(),
            dims: dims.to_vec(),
            data_type: kind as i32,
            raw_data,
            ..TensorProto::default()
        });
        name
    }

    /// Adds convolutions, each with the normalisation behind it.
    fn chain(&mut self, layers: &[Layer], mut map: String) -> Result<String> {
        let mut rest = layers;
        loop {
            (map, rest) = match rest {
                [] => return Ok(map),
                [
                    Layer::Conv { geometry, weight, bias },
                    Layer::BatchNorm { epsilon, weight: gamma, bias: beta, mean, variance },
                    rest @ ..,
                ] => {
                    let [gamma, beta, mean, variance] = [gamma, beta, mean, variance].map(double);
                    let factor = gamma / (variance + *epsilon).sqrt();
                    let before = bias.as_ref().map_or_else(|| mean.zeros_like(), double);
                    let folded = double(weight) * factor.view([-1, 1, 1, 1]);
                    (self.convolution(geometry, &folded, &(beta + (before - mean) * factor), map)?, rest)
                }
                [Layer::Conv { geometry, weight, bias: Some(bias) }, rest @ ..] => {
                    (self.convolution(geometry, &double(weight), &double(bias), map)?, rest)
                }
                [Layer::Chain(layers), rest @ ..] => (self.chain(layers, map)?, rest),
                [other, ..] => return Err(unknown(other)),
            };
        }
    }

    fn convolution(&mut self, geometry: &Conv, weight: &Tensor, bias: &Tensor, map: String) -> Result<String> {
        let Conv { kernel, stride, padding, groups, .. } = *geometry;
        let weight = self.floats("weight", &weight.size(), &floats(weight)?);
        let bias = self.floats("bias", &bias.size(), &floats(bias)?);
        let [rows, columns] = padding;
        let attributes = vec![
            ints("kernel_shape", &kernel),
            ints("strides", &[stride; 2]),
            ints("pads", &[rows, columns, rows, columns]),
            AttributeProto { name: "group".into(), r#type: AttributeType::Int as i32, i: groups, ..AttributeProto::default() },
        ];
        Ok(self.node("Conv", vec![map, weight, bias], attributes))
    }

    /// A head, cut into one for each output, each with its cells one after the other.
    fn head(&mut self, head: &Layer, map: &str, stride: usize) -> Result<()> {
        let [
            Layer::Conv { geometry: across, weight, bias: Some(bias) },
            Layer::Conv { geometry: along, weight: deep, bias: Some(last) },
        ] = head.chain()
        else {
            return Err(unknown(head));
        };
        for (name, at, count, probability) in OUTPUTS {
            let [weight, bias, deep, last] =
                [weight, bias, deep, last].map(|tensor| double(&tensor.narrow(0, at as i64, count as i64)));
            let mut cells = self.convolution(across, &weight, &bias, map.to_owned())?;
            cells = self.convolution(&Conv { groups: count as i64, ..*along }, &deep, &last, cells)?;
            if probability {
                cells = self.node("Sigmoid", vec![cells], Vec::new());
            }
            let cells = self.node("Transpose", vec![cells], vec![ints("perm", &[0, 2, 3, 1])]);
            let shape = [1, -1, count as i64].iter().flat_map(|size| size.to_le_bytes()).collect();
            let shape = self.constant("shape", DataType::Int64, &[3], shape);
            self.node("Reshape", vec![cells, shape], Vec::new());
            if let Some(output) = self.nodes.last_mut().and_then(|node| node.output.first_mut()) {
                *output = format!("{name}_{stride}");
            }
        }
        Ok(())
    }
}

impl Maps for Graph {
    type Map = String;
    type Error = Error;

    fn unit(&mut self, unit: usize, layer: &Layer, map: &String) -> Result<String> {
        match unit.checked_sub(UNITS_BEFORE_HEADS).and_then(|level| STRIDES.get(level)) {
            Some(stride) => self.head(layer, map, *stride).map(|()| String::new()),
            None => self.chain(layer.chain(), map.clone()),
        }
    }

    fn plain(&mut self, layer: &Layer, map: &String) -> Result<String> {
        match layer {
            Layer::Relu => Ok(self.node("Relu", vec![map.clone()], Vec::new())),
            Layer::MaxPool(Pool { kernel, stride, padding: 0 }) => {
                let attributes = vec![ints("kernel_shape", &[*kernel; 2]), ints("strides", &[*stride; 2])];
                Ok(self.node("MaxPool", vec![map.clone()], attributes))
            }
            other => Err(unknown(other)),
        }
    }

    fn join(&mut self, fine: &String, coarse: &String) -> Result<String> {
        let attributes = [("mode", "nearest"), ("coordinate_transformation_mode", "asymmetric"), ("nearest_mode", "floor")];
        let attributes = attributes.map(|(name, value)| text(name, value)).to_vec();
        let scales = self.floats("scales", &[4], &[1.0, 1.0, 2.0, 2.0]);
        let large = self.node("Resize", vec![coarse.clone(), String::new(), scales], attributes);
        Ok(self.node("Add", vec![fine.clone(), large], Vec::new()))
    }
}

fn unknown(layer: &Layer) -> Error {
    Error::data("export", format!("a detector has no layer like {layer:?}"))
}

fn double(tensor: &Tensor) -> Tensor {
    tensor.detach().to_device(Device::Cpu).to_kind(Kind::Double)
}

fn floats(tensor: &Tensor) -> Result<Vec<f32>> {
    let flat = tensor.to_kind(Kind::Float).contiguous().view([-1]);
    let mut values = vec![0f32; flat.numel()];
    flat.f_copy_data(&mut values, flat.numel())?;
    Ok(values)
}

fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::String as i32, s: value.into(), ..AttributeProto::default() }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { name: name.into(), r#type: AttributeType::Ints as i32, ints: values.to_vec(), ..AttributeProto::default() }
}

fn dim(size: i64) -> Dimension {
    Dimension { value: Some(dimension::Value::DimValue(size)), ..Dimension::default() }
}

fn free(name: &str) -> Dimension {
    Dimension { value: Some(dimension::Value::DimParam(name.into())), ..Dimension::default() }
}

fn value(name: &str, dim: Vec<Dimension>) -> ValueInfoProto {
    let tensor = type_proto::Tensor { elem_type: DataType::Float as i32, shape: Some(TensorShapeProto { dim }) };
    let r#type = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..TypeProto::default() };
    ValueInfoProto { name: name.into(), r#type: Some(r#type), ..ValueInfoProto::default() }
}
