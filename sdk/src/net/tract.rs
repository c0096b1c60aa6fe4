//! A graph that runs on tract as a whole.

use std::sync::Arc;

use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;

use super::Output;

/// What tract says when it fails.
pub(super) type Fault = TractError;

/// The graph, and why it is not on our own kernels.
pub(super) struct Tract {
    plan: Arc<TypedRunnableModel>,
    why: String,
}

impl Tract {
    pub(super) fn new(proto: &ModelProto, input_shape: &[usize], why: String) -> TractResult<Tract> {
        let plan = tract_onnx::onnx()
            .model_for_proto_model(proto)?
            .with_input_fact(0, f32::fact(input_shape).into())?
            .into_optimized()?
            .into_runnable()?;
        Ok(Tract { plan, why })
    }

    pub(super) fn why(&self) -> &str {
        &self.why
    }

    pub(super) fn run(&self, input_shape: &[usize], names: &[String], fill: impl FnOnce(&mut [f32])) -> TractResult<Vec<Output>> {
        let mut input = vec![0.0; input_shape.iter().product()];
        fill(&mut input);
        let outputs = self.plan.run(tvec!(Tensor::from_shape(input_shape, &input)?.into()))?;
        let read = |(index, value): (usize, &TValue)| {
            let values = value.cast_to::<f32>()?.try_as_plain_ram()?.as_slice::<f32>()?.to_vec();
            Ok(Output { name: names.get(index).cloned().unwrap_or_default(), shape: value.shape().to_vec(), values })
        };
        outputs.iter().enumerate().map(read).collect()
    }
}
