//! A small checkpoint, to keep with a project: what can be computed again is left out, the rest is rounded as little as a limit of
//! size allows.
//!
//! Exact always: the configuration, the position and every count; biases, slopes, normalisation and its running statistics, of the
//! weights and of their average. [`Rounding`] says what happens to the rest. A class matrix that is the teacher's and fixed is left
//! out; its mean row stays, so that another teacher is noticed.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};

use super::checkpoint::{self, Stored};
use crate::error::{Error, Result};

/// Bytes that a slim file takes at most where nobody says otherwise.
pub const LIMIT: u64 = 10_000_000;

/// The class matrix, in a checkpoint.
pub(super) const CLASSES: &str = "loss/classes";
/// Its mean row, in a slim file without it.
pub(super) const MEAN: &str = "loss/classes/mean";
/// How far a coordinate of that mean may be from the one of the matrix that was computed again: unit rows in `f32`, summed in another
/// order, differ by less; those of another teacher by far more.
pub(super) const MEAN_TOLERANCE: f64 = 1e-5;

/// What a slim file rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rounding {
    /// Nothing: the run goes on to the bit.
    Nothing,
    /// Matrices of the average to `f16` (relative error 2⁻¹¹ at most), all that the optimiser remembers to `bf16` (2⁻⁸).
    Memory,
    /// Matrices of weights and loss to `f16` too. A `bf16` run rounds them further in each forward pass.
    Weights,
}

impl Rounding {
    /// For people.
    pub fn in_words(self) -> &'static str {
        match self {
            Rounding::Nothing => "nothing is rounded",
            Rounding::Memory => "weights are exact, the average is rounded to f16, the optimiser's memory to bf16",
            Rounding::Weights => "weights and average are rounded to f16, the optimiser's memory to bf16",
        }
    }
}

/// What became of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slim {
    /// Size of the file.
    pub bytes: u64,
    /// The least rounding with which it fits.
    pub rounding: Rounding,
}

/// Writes the checkpoint `from` as `to`, of `limit` bytes at most; an error where no rounding suffices.
pub fn slim(from: &Path, to: &Path, limit: u64) -> Result<Slim> {
    let fail = |reason: String| Error::Checkpoint { path: from.to_path_buf(), reason };
    let bytes = std::fs::read(from).map_err(Error::file(from))?;
    let mut state = checkpoint::state_of(from, &bytes)?;
    if state.slim.is_some() {
        return Err(fail("it is slim already: copy it".into()));
    }
    let file = SafeTensors::deserialize(&bytes).map_err(|e| fail(format!("not a checkpoint: {e:?}")))?;
    let mut size = 0;
    for rounding in [Rounding::Nothing, Rounding::Memory, Rounding::Weights] {
        state.slim = Some(rounding);
        let mut tensors = BTreeMap::new();
        for (name, tensor) in file.tensors() {
            let values = values(&tensor).ok_or_else(|| fail(format!("{name} is {:?}, not F32", tensor.dtype())))?;
            if name == CLASSES && state.config.classes_fixed {
                let mean = mean_row(&values, tensor.shape().last().copied().unwrap_or(1));
                tensors.insert(MEAN.to_owned(), Stored::exact(vec![mean.len()], &mean));
            } else {
                let stored = stored(&name, tensor.shape().to_vec(), &values, rounding);
                tensors.insert(name, stored);
            }
        }
        let slim = checkpoint::bytes(to, &state, &tensors)?;
        size = slim.len() as u64;
        if size <= limit {
            checkpoint::replace(to, &slim)?;
            return Ok(Slim { bytes: size, rounding });
        }
    }
    Err(fail(format!("as small as it gets it takes {size} bytes, more than the {limit} allowed: raise --limit")))
}

fn values(tensor: &TensorView<'_>) -> Option<Vec<f32>> {
    let values = || tensor.data().chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    (tensor.dtype() == Dtype::F32).then(|| values().collect())
}

fn stored(name: &str, shape: Vec<usize>, values: &[f32], rounding: Rounding) -> Stored {
    let matrix = shape.len() >= 2;
    match (name.split('/').next(), rounding) {
        (_, Rounding::Nothing) => Stored::exact(shape, values),
        (Some("optimiser"), _) => Stored::to_bf16(shape, values),
        (Some("average"), _) if matrix => Stored::to_f16(shape, values),
        (_, Rounding::Weights) if matrix => Stored::to_f16(shape, values),
        _ => Stored::exact(shape, values),
    }
}

fn mean_row(values: &[f32], columns: usize) -> Vec<f32> {
    let mut sums = vec![0f64; columns];
    let rows = values.chunks_exact(columns.max(1));
    let count = rows.len().max(1) as f64;
    rows.for_each(|row| sums.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value)));
    sums.iter().map(|sum| (sum / count) as f32).collect()
}
