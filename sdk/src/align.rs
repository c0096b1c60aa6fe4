//! Five points → similarity → 112×112 chip.
//!
//! The similarity is the least-squares one (S. Umeyama, "Least-squares estimation of transformation parameters between two point
//! patterns", PAMI 13(4), 1991) with reflections excluded; the warp is bilinear and black outside the frame, as in the pipelines
//! that ArcFace-family recognisers were trained with.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode, Result};
use crate::face::Landmarks;
use crate::frame::{Border, Frame};
use crate::geometry::{Point, Similarity};

/// Where the five points lie in an aligned picture: eye on the picture's left, eye on its right, nose, mouth left, mouth right.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AlignmentTemplate {
    points: [[f64; 2]; 5],
    size: u32,
}

impl AlignmentTemplate {
    /// ArcFace's template at 112×112: the constants of insightface's `face_align.py`. The 112×96 template of SphereFace has the same
    /// points 8 pixels further left; used at 112×112 it costs accuracy without any error.
    pub const ARCFACE: AlignmentTemplate = AlignmentTemplate {
        points: [
            [38.2946, 51.6963],
            [73.5318, 51.5014],
            [56.0252, 71.7366],
            [41.5493, 92.3655],
            [70.7299, 92.2041],
        ],
        size: Chip::SIZE as u32,
    };

    /// The same template for an aligned picture of `size`×`size` pixels: every coordinate times `size / 112`.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] when `size` is not 16…4096.
    pub fn arcface(size: u32) -> Result<AlignmentTemplate> {
        if !(16..=4096).contains(&size) {
            return Err(Error::new(ErrorCode::InvalidArgument, format!("template size {size}, must be 16 to 4096 pixels")));
        }
        let ratio = f64::from(size) / f64::from(Self::ARCFACE.size);
        Ok(AlignmentTemplate { points: Self::ARCFACE.points.map(|p| p.map(|v| v * ratio)), size })
    }

    /// The five points, x then y, in pixels of the aligned picture.
    pub fn points(&self) -> &[[f64; 2]; 5] {
        &self.points
    }

    /// The aligned picture's width and height, in pixels.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// The similarity that carries the landmarks nearest to the template, from frame to aligned picture.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidLandmarks`] when no similarity fits, which no landmarks of a face lead to.
    pub fn similarity(&self, landmarks: &Landmarks) -> Result<Similarity> {
        Similarity::least_squares(&landmarks.points().map(|p| [f64::from(p.x), f64::from(p.y)]), &self.points)
            .ok_or_else(|| Error::new(ErrorCode::InvalidLandmarks, "no similarity carries the points to the template"))
    }
}

impl Default for AlignmentTemplate {
    fn default() -> AlignmentTemplate {
        AlignmentTemplate::ARCFACE
    }
}

impl Similarity {
    /// The similarity that carries `from` nearest to `to`, by the sum of squared distances; `None` when the points of `from`
    /// coincide, or correlate in no rotation with those of `to`.
    ///
    /// In two dimensions Umeyama's solution without reflection has a closed form. With both sets centred on their means, and points
    /// read as complex numbers, a + ib = Σ conj(from)·to / Σ |from|². It needs +, −, ×, ÷ only, in one order, so that the result is
    /// the same bits on every architecture.
    pub fn least_squares<const N: usize>(from: &[[f64; 2]; N], to: &[[f64; 2]; N]) -> Option<Similarity> {
        let mean = |points: &[[f64; 2]; N]| {
            let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p[0], y + p[1]));
            (x / N as f64, y / N as f64)
        };
        let ((from_x, from_y), (to_x, to_y)) = (mean(from), mean(to));
        let (mut spread, mut along, mut across) = (0.0, 0.0, 0.0);
        for (p, q) in from.iter().zip(to) {
            let (x, y, u, v) = (p[0] - from_x, p[1] - from_y, q[0] - to_x, q[1] - to_y);
            spread += x * x + y * y;
            along += x * u + y * v;
            across += x * v - y * u;
        }
        let (a, b) = (along / spread, across / spread);
        let map = Similarity { a, b, tx: to_x - (a * from_x - b * from_y), ty: to_y - (b * from_x + a * from_y) };
        (map.inverse().is_some() && map.tx.is_finite() && map.ty.is_finite()).then_some(map)
    }
}

/// An aligned face: 112×112 pixels, RGB, rows from the top. What a recogniser sees.
#[derive(Clone, PartialEq, Eq)]
pub struct Chip {
    rgb: Vec<u8>,
}

impl Chip {
    /// Width and height, in pixels.
    pub const SIZE: usize = 112;
    /// Bytes of a chip: 112 · 112 · 3.
    pub const BYTES: usize = Self::SIZE * Self::SIZE * 3;

    /// Takes pixels that **already are** an aligned face, such as a data set of chips. A face that is merely cropped is not: its
    /// scores would be worthless; use [`align`].
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] when `rgb` is not 112 · 112 · 3 bytes.
    pub fn from_aligned(rgb: impl Into<Vec<u8>>) -> Result<Chip> {
        let rgb = rgb.into();
        if rgb.len() != Self::BYTES {
            let detail = format!("{} bytes for a chip, must be 112 × 112 × 3 = {}", rgb.len(), Self::BYTES);
            return Err(Error::new(ErrorCode::InvalidArgument, detail));
        }
        Ok(Chip { rgb })
    }

    /// The pixels: 112 rows of 112 times R, G, B.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The chip with left and right exchanged.
    pub fn mirrored(&self) -> Chip {
        let mut rgb = Vec::with_capacity(Self::BYTES);
        for row in self.rgb.chunks_exact(Self::SIZE * 3) {
            rgb.extend(row.chunks_exact(3).rev().flatten());
        }
        Chip { rgb }
    }
}

impl fmt::Debug for Chip {
    /// Names the type only: a face's pixels do not belong in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chip(112×112)")
    }
}

/// Warps the face to ArcFace's template: bilinear, black where the chip reaches beyond the frame.
///
/// # Errors
/// [`ErrorCode::InvalidLandmarks`] when no similarity carries the landmarks to the template.
pub fn align(frame: &Frame<'_>, landmarks: &Landmarks) -> Result<Chip> {
    let to_frame = AlignmentTemplate::ARCFACE
        .similarity(landmarks)?
        .inverse()
        .ok_or_else(|| Error::new(ErrorCode::InvalidLandmarks, "the similarity to the template has no inverse"))?;
    let mut rgb = vec![0; Chip::BYTES];
    frame.sample(&to_frame, Chip::SIZE, Chip::SIZE, Border::Constant([0, 0, 0]), &mut rgb);
    Ok(Chip { rgb })
}
