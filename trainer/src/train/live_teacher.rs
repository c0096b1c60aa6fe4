//! A teacher that sees what its student sees: each chip as it is varied at that step.
//!
//! Its answers fit the variation, and no chip is seen twice alike: a student that is to make the same function of its input as the
//! teacher needs no more than inputs (Beyer and others, "Knowledge distillation: a good teacher is patient and consistent", arXiv
//! 2106.05237).

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use tch::{Device, Kind, Tensor, no_grad};

use super::teacher::Normalisation;
use crate::data::chips::ChipSet;
use crate::error::{Error, Result};
use crate::loss::classifier::unit_rows;
use crate::net::input;
use crate::net::onnx::OnnxNetwork;

/// Chips at a time where a whole set is asked about.
const CHUNK: usize = 512;

/// An ONNX recogniser on the training's device.
#[derive(Debug)]
pub struct LiveTeacher {
    path: PathBuf,
    network: OnnxNetwork,
    output: String,
    normalisation: Normalisation,
    mirrored: bool,
    embedding: i64,
    device: Device,
}

impl LiveTeacher {
    /// Loads an ONNX file with one input `[n, 3, 112, 112]`, RGB, whose last value is the embedding `[n, d]`.
    ///
    /// With `mirrored` a row is the direction of the sum of the chip's and the mirrored chip's unit embeddings.
    pub fn open(path: &Path, normalisation: Normalisation, mirrored: bool, device: Device) -> Result<Self> {
        let network = OnnxNetwork::open(path, Kind::Float, device)?;
        let output = network.values().last().unwrap_or_default().to_owned();
        let mut teacher =
            LiveTeacher { path: path.to_path_buf(), network, output, normalisation, mirrored, embedding: 0, device };
        let grey = Tensor::full([2, 3, 112, 112], 0.5, (Kind::Float, device));
        match teacher.embed(&grey)?.size().as_slice() {
            &[2, embedding] => teacher.embedding = embedding,
            other => {
                let reason = format!("of two chips it makes {other:?}, not two embeddings");
                return Err(Error::Teacher { path: teacher.path, reason });
            }
        }
        Ok(teacher)
    }

    /// Length of an embedding.
    pub fn embedding(&self) -> i64 {
        self.embedding
    }

    /// Unit rows `[n, d]`, `f32`, of `n` chips one after the other, without gradient.
    pub fn rows(&self, pixels: &[u8]) -> Result<Tensor> {
        no_grad(|| {
            let Normalisation { mean, scale } = self.normalisation;
            let chips = (input::planes(pixels, self.device) - f64::from(mean)) / f64::from(scale);
            let rows = unit_rows(&self.embed(&chips)?);
            Ok(if self.mirrored { unit_rows(&(rows + unit_rows(&self.embed(&chips.flip([3]))?))) } else { rows })
        })
    }

    /// Unit rows of every chip of a set as it is, on the CPU.
    pub fn rows_of(&self, set: &ChipSet) -> Result<Tensor> {
        let indices: Vec<usize> = (0..set.len()).collect();
        let chunk = |indices: &[usize]| -> Result<Tensor> {
            let chips = indices.par_iter().map(|&index| set.chip(index)).collect::<Result<Vec<_>>>()?;
            Ok(self.rows(&chips.concat())?.to_device(Device::Cpu))
        };
        let chunks = indices.chunks(CHUNK).map(chunk).collect::<Result<Vec<_>>>()?;
        Ok(Tensor::cat(&chunks, 0))
    }

    fn embed(&self, chips: &Tensor) -> Result<Tensor> {
        let rows = self.network.maps(chips, &[&self.output])?.remove(self.output.as_str());
        rows.ok_or_else(|| Error::Teacher { path: self.path.clone(), reason: "it computes nothing".into() })
    }
}
