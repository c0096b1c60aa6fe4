//! A teacher that needs no model: the chip's 4×4 mean colours, mixed by a fixed matrix.

use std::path::{Path, PathBuf};

use prost::Message;
use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension};
use tract_onnx::pb::type_proto::{self, Tensor};
use tract_onnx::pb::{
    AttributeProto, GraphProto, ModelProto, NodeProto, OperatorSetIdProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto,
};

const FLOAT: i32 = 1;
const FEATURES: i64 = 48;

/// Writes `folder/name`, an ONNX recogniser with embeddings of this length; `mix` makes one teacher differ from another.
pub fn teacher(folder: &Path, name: &str, embedding: i64, mix: f32) -> PathBuf {
    let weights = (0..FEATURES * embedding).map(|index| (index as f32 * mix).sin()).collect();
    let graph = GraphProto {
        name: "teacher".into(),
        node: vec![
            node("AveragePool", &["chip"], "means", vec![integers("kernel_shape", 28), integers("strides", 28)]),
            node("Flatten", &["means"], "features", vec![]),
            node("MatMul", &["features", "weights"], "embedding", vec![]),
        ],
        initializer: vec![TensorProto {
            name: "weights".into(),
            dims: vec![FEATURES, embedding],
            data_type: FLOAT,
            float_data: weights,
            ..Default::default()
        }],
        input: vec![value("chip", &[1, 3, 112, 112])],
        output: vec![value("embedding", &[1, embedding])],
        ..Default::default()
    };
    let model = ModelProto {
        ir_version: 8,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 13 }],
        graph: Some(graph),
        ..Default::default()
    };
    let path = folder.join(name);
    std::fs::write(&path, model.encode_to_vec()).expect("written");
    path
}

fn node(operator: &str, inputs: &[&str], output: &str, attribute: Vec<AttributeProto>) -> NodeProto {
    let input = inputs.iter().map(|&name| name.to_owned()).collect();
    NodeProto {
        op_type: operator.into(),
        name: output.into(),
        input,
        output: vec![output.into()],
        attribute,
        ..Default::default()
    }
}

fn integers(name: &str, value: i64) -> AttributeProto {
    const INTS: i32 = 7;
    AttributeProto { name: name.into(), r#type: INTS, ints: vec![value, value], ..Default::default() }
}

fn value(name: &str, shape: &[i64]) -> ValueInfoProto {
    let dimension = |&size| Dimension { value: Some(dimension::Value::DimValue(size)), ..Default::default() };
    let shape = TensorShapeProto { dim: shape.iter().map(dimension).collect() };
    let tensor = Tensor { elem_type: FLOAT, shape: Some(shape) };
    let r#type = TypeProto { value: Some(type_proto::Value::TensorType(tensor)), ..Default::default() };
    ValueInfoProto { name: name.into(), r#type: Some(r#type), ..Default::default() }
}
