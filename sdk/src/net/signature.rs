//! What an ONNX file says of itself.

use tract_onnx::pb::{GraphProto, ModelProto, ValueInfoProto, tensor_shape_proto::dimension, type_proto};
use tract_onnx::prelude::{Framework, TractResult};
use tract_onnx::tract_core::internal::{bail, format_err};

pub(super) fn parse(onnx: &[u8]) -> TractResult<ModelProto> {
    tract_onnx::onnx().proto_model_for_read(&mut &*onnx)
}

pub(super) fn graph(proto: &ModelProto) -> TractResult<&GraphProto> {
    proto.graph.as_ref().ok_or_else(|| format_err!("the file has no graph"))
}

/// The graph's one input. Files of IR version 3 list their weights among the inputs as well.
pub(super) fn input(graph: &GraphProto) -> TractResult<&ValueInfoProto> {
    let weights: std::collections::HashSet<&str> = graph.initializer.iter().map(|weights| weights.name.as_str()).collect();
    let inputs: Vec<_> = graph.input.iter().filter(|input| !weights.contains(input.name.as_str())).collect();
    let [input] = inputs[..] else { bail!("the graph has {} inputs, not one", inputs.len()) };
    Ok(input)
}

/// The input's shape as far as the file fixes it; `None` where a dimension is symbolic.
pub(super) fn stated_shape(input: &ValueInfoProto) -> Vec<Option<usize>> {
    let Some(type_proto::Value::TensorType(tensor)) = input.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return Vec::new();
    };
    let dimensions = tensor.shape.iter().flat_map(|shape| &shape.dim);
    dimensions
        .map(|dim| match dim.value {
            Some(dimension::Value::DimValue(n)) => usize::try_from(n).ok().filter(|n| *n > 0),
            _ => None,
        })
        .collect()
}
