//! A network to learn from: an ONNX recogniser, run one chip at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::internal::DimLike;

use crate::data::chips::{CHIP_BYTES, SIDE};
use crate::error::{Error, Result};

/// How bytes become the network's input: `(x − mean) / scale`, RGB, planes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Normalisation {
    /// Subtracted from each byte.
    pub mean: f32,
    /// What the difference is divided by.
    pub scale: f32,
}

/// A loaded recogniser; cheap to share between threads.
#[derive(Clone)]
pub struct Teacher {
    path: PathBuf,
    plan: Arc<TypedRunnableModel>,
    normalisation: Normalisation,
    digest: String,
    embedding: usize,
}

impl Teacher {
    /// Loads an ONNX file with one input `[1, 3, 112, 112]` and one output `[1, n]`.
    pub fn open(path: impl AsRef<Path>, normalisation: Normalisation) -> Result<Self> {
        let path = path.as_ref().to_path_buf();
        let bytes = std::fs::read(&path).map_err(Error::file(&path))?;
        let digest = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        let load = || -> TractResult<_> {
            let fact = f32::fact([1, 3, SIDE, SIDE]);
            let model = tract_onnx::onnx().model_for_read(&mut bytes.as_slice())?.with_input_fact(0, fact.into())?;
            let model = model.into_optimized()?;
            let embedding = model.output_fact(0)?.shape.volume().to_usize()?;
            Ok((model.into_runnable()?, embedding))
        };
        let (plan, embedding) = load().map_err(|e| failed(&path, &e))?;
        Ok(Teacher { path, plan, normalisation, digest, embedding })
    }

    /// Length of an embedding.
    pub fn embedding(&self) -> usize {
        self.embedding
    }

    /// SHA-256 of the ONNX file, in hexadecimal.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The unit embedding of a chip.
    pub fn embed(&self, chip: &[u8]) -> Result<Vec<f32>> {
        unit(self.output(chip)?).ok_or_else(|| failed(&self.path, &"the output is zero or not finite"))
    }

    /// The network's output for a chip, as it is.
    pub fn output(&self, chip: &[u8]) -> Result<Vec<f32>> {
        if chip.len() != CHIP_BYTES {
            return Err(failed(&self.path, &format!("a chip has {CHIP_BYTES} bytes, not {}", chip.len())));
        }
        let Normalisation { mean, scale } = self.normalisation;
        let planes: Vec<f32> = (0..3)
            .flat_map(|channel| chip.iter().skip(channel).step_by(3).map(move |&x| (f32::from(x) - mean) / scale))
            .collect();
        let run = || -> TractResult<Vec<f32>> {
            let input = Tensor::from_shape(&[1, 3, SIDE, SIDE], &planes)?;
            let output = self.plan.run(tvec!(input.into()))?;
            Ok(output[0].try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
        };
        run().map_err(|e| failed(&self.path, &e))
    }
}

/// Divides a vector by its length; none if that is zero or not finite.
pub fn unit(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if !length.is_normal() {
        return None;
    }
    vector.iter_mut().for_each(|x| *x /= length);
    Some(vector)
}

fn failed(path: &Path, reason: &dyn std::fmt::Display) -> Error {
    Error::Teacher { path: path.to_path_buf(), reason: format!("{reason:#}") }
}
