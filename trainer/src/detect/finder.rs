//! Finding faces in a labelled picture: with a network under training, or with a pack as a user of the SDK would.

use tch::no_grad;
use veriface::{Detector, Frame, Landmarks, Point, Rect, Search};

use super::canvas::Raster;
use super::grid::{self, NUMBERS};
use super::net::{DetectorNet, from_pixels};
use super::set::Picture;
use crate::error::Result;

/// A face that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Its box, in pixels of the picture.
    pub rect: Rect,
    /// Its points.
    pub points: [Point; 5],
    /// 0…1.
    pub score: f32,
}

/// Something that finds faces.
pub trait Finder {
    /// The faces of a picture, in any order.
    fn find(&self, picture: &Picture) -> Result<Vec<Found>>;
}

/// A network that looks once at the picture at its own size, with black to the next multiple of 32.
#[derive(Debug)]
pub struct OneLook<'a> {
    /// The network.
    pub net: &'a DetectorNet,
    /// The least score of a face.
    pub threshold: f32,
}

/// Boxes that share more than this part of their union are one face, as in the SDK.
const SAME_FACE: f32 = 0.4;

impl Finder for OneLook<'_> {
    fn find(&self, picture: &Picture) -> Result<Vec<Found>> {
        let raster = &picture.halves[0];
        let (width, height) = (raster.width.next_multiple_of(32), raster.height.next_multiple_of(32));
        let padded = pad(raster, width, height);
        let answers = no_grad(|| self.net.forward(&from_pixels(&padded.rgb, width, height, self.net.device()), false));
        let numbers = numbers(&answers)?;
        let mut found = Vec::new();
        for (cell, numbers) in grid::cells(width, height).iter().zip(numbers.as_chunks::<NUMBERS>().0) {
            let score = grid::score(numbers);
            let points = cell.points(numbers);
            if score >= self.threshold && Landmarks::new(points).is_ok() {
                found.push(Found { rect: cell.rect(numbers), points, score });
            }
        }
        Ok(suppress(found))
    }
}

/// The numbers of all cells, of all canvases.
pub fn numbers(answers: &tch::Tensor) -> Result<Vec<f32>> {
    let flat = answers.detach().to_device(tch::Device::Cpu).contiguous().view([-1]);
    let mut numbers = vec![0f32; flat.numel()];
    flat.f_copy_data(&mut numbers, flat.numel())?;
    Ok(numbers)
}

fn pad(raster: &Raster, width: usize, height: usize) -> Raster {
    let mut padded = Raster::black(width, height);
    for (to, from) in padded.rgb.chunks_exact_mut(width * 3).zip(raster.rgb.chunks_exact(raster.width * 3)) {
        to[..from.len()].copy_from_slice(from);
    }
    padded
}

/// Of boxes that overlap, the one with the best score.
fn suppress(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Found> = Vec::new();
    for face in found {
        if kept.iter().all(|better| better.rect.iou(&face.rect) <= SAME_FACE) {
            kept.push(face);
        }
    }
    kept
}

/// A pack's detector, as the SDK runs it.
pub struct Sdk {
    /// The detector.
    pub detector: Detector,
    /// Where it looks.
    pub search: Search,
}

impl Finder for Sdk {
    fn find(&self, picture: &Picture) -> Result<Vec<Found>> {
        let Raster { width, height, rgb } = &picture.halves[0];
        let frame = Frame::rgb8(rgb, *width as u32, *height as u32, width * 3)?;
        let faces = self.detector.detect(&frame, &self.search)?;
        let found =
            |face: &veriface::Face| Found { rect: face.bounding_box, points: *face.landmarks.points(), score: face.score.0 };
        Ok(faces.iter().map(found).collect())
    }
}
