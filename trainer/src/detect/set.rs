//! Labelled pictures, decoded once and kept in memory.

use std::path::Path;

use sha2::{Digest, Sha256};
use veriface::{Photo, Similarity};

use super::canvas::{Canvas, Layer, Raster};
use super::label::{self, Labels};
use crate::error::{Error, Result};

/// A picture, at its own size and at halves of it, with what is known of it.
#[derive(Debug)]
pub struct Picture {
    /// Each half the size of the one before, so that a shrunk look at the picture reads every pixel.
    pub halves: Vec<Raster>,
    /// Its faces.
    pub labels: Labels,
}

/// The pictures of one list.
#[derive(Debug)]
pub struct PictureSet {
    /// In the list's order.
    pub pictures: Vec<Picture>,
    /// Of the list, not of the pixels.
    pub fingerprint: String,
}

/// The shorter side below which no half is kept.
const LEAST_SIDE: usize = 32;

impl PictureSet {
    /// Opens `FOLDER.jsonl`, whose pictures lie in `FOLDER`.
    pub fn open(list: &Path) -> Result<Self> {
        let folder = list.with_extension("");
        let text = std::fs::read(list).map_err(Error::file(list))?;
        let pictures = label::read(list)?.into_iter().map(|labels| picture(&folder, labels)).collect::<Result<Vec<_>>>()?;
        if pictures.is_empty() {
            return Err(Error::data(list.display().to_string(), "it names no picture"));
        }
        let fingerprint = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(PictureSet { pictures, fingerprint })
    }
}

fn picture(folder: &Path, labels: Labels) -> Result<Picture> {
    let path = folder.join(&labels.file);
    let photo = Photo::open(&path)?;
    let frame = photo.frame();
    let (width, height) = (frame.width() as usize, frame.height() as usize);
    if (width, height) != (labels.width, labels.height) {
        let reason = format!("it is {width} × {height}, its labels are for {} × {}", labels.width, labels.height);
        return Err(Error::data(path.display().to_string(), reason));
    }
    Ok(Picture::new(Raster { width, height, rgb: frame.to_upright_rgb() }, labels))
}

impl Picture {
    /// Pixels with what is known of them; `labels` are for their size.
    pub fn new(raster: Raster, labels: Labels) -> Self {
        let mut halves = vec![raster];
        while let Some(last) = halves.last().filter(|last| last.width.min(last.height) >= 2 * LEAST_SIDE) {
            let half = last.half();
            halves.push(half);
        }
        Picture { halves, labels }
    }

    /// The picture in a square of `side` pixels, whole, in its middle, turned by `degrees` clockwise on the screen.
    pub fn turned(&self, side: usize, degrees: f64) -> Self {
        let Labels { file, width, height, .. } = &self.labels;
        let (width, height) = (*width as f64, *height as f64);
        let (sin, cos) = degrees.to_radians().sin_cos();
        let across = width * cos.abs() + height * sin.abs();
        let down = width * sin.abs() + height * cos.abs();
        let scale = side as f64 / across.max(down);
        let (a, b, middle) = (scale * cos, scale * sin, (side as f64 - 1.0) / 2.0);
        let (cx, cy) = ((width - 1.0) / 2.0, (height - 1.0) / 2.0);
        let to_canvas = Similarity { a, b, tx: middle - (a * cx - b * cy), ty: middle - (b * cx + a * cy) };
        let layer = Layer { picture: self, to_canvas, part: [0, 0, side, side] };
        let Canvas { raster, faces, ignored } = Canvas::draw(side, side, &[layer], 0.0);
        Picture::new(raster, Labels { file: file.clone(), width: side, height: side, faces, ignored })
    }
}
