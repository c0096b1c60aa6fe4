//! The network runtime: the one room that knows tract.
//!
//! A [`Network`] is an ONNX graph at one concrete input shape, optimised and ready to run from any thread.

mod input;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{bail, format_err};

use crate::error::{Error, ErrorCode, Result};

/// A graph with one f32 input of a fixed shape and any number of f32 outputs.
pub(crate) struct Network {
    plan: Arc<TypedRunnableModel>,
    input_shape: Vec<usize>,
    output_names: Vec<String>,
}

/// One output of a run, with the name that the ONNX file gives it.
pub(crate) struct Output {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// What an ONNX file says of itself, read without preparing it to run.
pub(crate) struct Signature {
    /// The input's shape as far as the file fixes it; `None` where a dimension is symbolic.
    pub input_shape: Vec<Option<usize>>,
    pub output_names: Vec<String>,
}

impl Signature {
    /// # Errors
    /// [`ErrorCode::UnusableNetwork`] when the bytes are not ONNX or the graph has not exactly one input.
    pub(crate) fn read(onnx: &[u8]) -> Result<Signature> {
        guarded(|| {
            let proto = tract_onnx::onnx().proto_model_for_read(&mut &*onnx)?;
            let graph = proto.graph.as_ref().ok_or_else(|| format_err!("the file has no graph"))?;
            // Files of IR version 3 list their weights among the inputs as well.
            let inputs: Vec<_> =
                graph.input.iter().filter(|input| graph.initializer.iter().all(|weights| weights.name != input.name)).collect();
            let [input] = inputs[..] else { bail!("the graph has {} inputs, not one", inputs.len()) };
            Ok(Signature {
                input_shape: stated_shape(input),
                output_names: graph.output.iter().map(|o| o.name.clone()).collect(),
            })
        })
    }
}

fn stated_shape(input: &tract_onnx::pb::ValueInfoProto) -> Vec<Option<usize>> {
    use tract_onnx::pb::{tensor_shape_proto::dimension, type_proto};
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

impl Network {
    /// Reads and optimises the graph for inputs of this shape.
    ///
    /// # Errors
    /// [`ErrorCode::UnusableNetwork`] with the runtime's words: not ONNX, an operator that is not supported, a shape that does not fit.
    pub(crate) fn load(onnx: &[u8], input_shape: &[usize]) -> Result<Network> {
        let signature = Signature::read(onnx)?;
        let fits = signature.input_shape.len() == input_shape.len()
            && signature.input_shape.iter().zip(input_shape).all(|(stated, wanted)| stated.is_none_or(|n| n == *wanted));
        if !fits {
            let stated: Vec<String> = signature.input_shape.iter().map(|d| d.map_or("?".into(), |n| n.to_string())).collect();
            let detail = format!("the graph takes an input of [{}], not {input_shape:?}", stated.join(", "));
            return Err(Error::new(ErrorCode::UnusableNetwork, detail));
        }
        let plan = guarded(|| {
            tract_onnx::onnx()
                .model_for_read(&mut &*onnx)?
                .with_input_fact(0, f32::fact(input_shape).into())?
                .into_optimized()?
                .into_runnable()
        })?;
        Ok(Network { plan, input_shape: input_shape.to_vec(), output_names: signature.output_names })
    }

    /// Runs the graph on one input, in the order of the input's axes; outputs come in the file's order.
    ///
    /// # Errors
    /// [`ErrorCode::NetworkFailed`] when the input's length does not fit or the runtime fails.
    pub(crate) fn run(&self, input: &[f32]) -> Result<Vec<Output>> {
        let failed = |why: String| Error::new(ErrorCode::NetworkFailed, why);
        let input = Tensor::from_shape(&self.input_shape, input).map_err(|e| failed(format!("{e:#}")))?;
        let outputs = self.plan.run(tvec!(input.into())).map_err(|e| failed(format!("{e:#}")))?;
        let read = |(index, value): (usize, &TValue)| -> TractResult<Output> {
            let values = value.cast_to::<f32>()?.try_as_plain_ram()?.as_slice::<f32>()?.to_vec();
            let name = self.output_names.get(index).cloned().unwrap_or_default();
            Ok(Output { name, shape: value.shape().to_vec(), values })
        };
        outputs.iter().enumerate().map(read).collect::<TractResult<_>>().map_err(|e| failed(format!("{e:#}")))
    }
}

/// A graph comes from a file, and the importer may panic on a malformed one: that becomes an error like any other.
fn guarded<T>(load: impl FnOnce() -> TractResult<T>) -> Result<T> {
    let words = match catch_unwind(AssertUnwindSafe(load)) {
        Ok(Ok(loaded)) => return Ok(loaded),
        Ok(Err(error)) => format!("{error:#}"),
        Err(panic) => match panic.downcast_ref::<&str>().map(|s| s.to_string()).or(panic.downcast_ref::<String>().cloned()) {
            Some(words) => words,
            None => "the importer failed".into(),
        },
    };
    Err(Error::new(ErrorCode::UnusableNetwork, words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_onnx_are_refused() {
        for bytes in [&b""[..], b"hello", &[0xff; 64], &[8, 7, 58, 200]] {
            assert_eq!(Network::load(bytes, &[1, 3, 112, 112]).err().map(|e| e.code()), Some(ErrorCode::UnusableNetwork));
        }
    }
}
