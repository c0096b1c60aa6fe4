//! Embeddings of chips, in batches.

use std::path::PathBuf;

use tch::{Device, Kind, Tensor, no_grad};

use crate::data::chips::decode;
use crate::error::{Error, Result};
use crate::loss::classifier::unit_rows;
use crate::net::{Network, input};

const BATCH: usize = 64;

/// Unit embeddings of aligned chips, in `f32` arithmetic, each as it is without its mirror image.
pub fn pictures(network: &Network, pictures: &[PathBuf]) -> Result<Vec<Vec<f32>>> {
    let mut embeddings = Vec::with_capacity(pictures.len());
    for batch in pictures.chunks(BATCH) {
        let mut pixels = Vec::new();
        for path in batch {
            let bytes = std::fs::read(path).map_err(Error::file(path))?;
            pixels.extend(decode(&bytes).map_err(|reason| Error::data(path.display().to_string(), reason))?);
        }
        embeddings.extend(chips(network, &pixels)?);
    }
    Ok(embeddings)
}

/// Unit embeddings of chips that lie one after the other.
fn chips(network: &Network, pixels: &[u8]) -> Result<Vec<Vec<f32>>> {
    let rows = no_grad(|| unit_rows(&network.forward(&input::from_pixels(pixels, Kind::Float, network.device()), false)));
    let rows: Tensor = rows.to_device(Device::Cpu).contiguous();
    Ok(Vec::<Vec<f32>>::try_from(rows)?)
}

/// Cosine of two unit vectors.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}
