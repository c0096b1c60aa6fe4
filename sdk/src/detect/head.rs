//! What a detector's outputs are read as.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode, Result};
use crate::geometry::{Point, Rect};
use crate::net::Output;

use super::{scrfd::Scrfd, yunet::Yunet};

/// How a detector's outputs are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HeadKind {
    /// YuNet's: outputs named `cls_`, `obj_`, `bbox_` and `kps_` with 8, 16 and 32; one anchor a cell.
    Yunet,
    /// SCRFD's: scores, boxes and points for strides 8, 16 and 32, told apart by their shapes; two anchors a cell.
    Scrfd,
}

impl HeadKind {
    pub(super) fn head(self) -> &'static dyn Head {
        match self {
            HeadKind::Yunet => &Yunet,
            HeadKind::Scrfd => &Scrfd,
        }
    }
}

/// Reads candidates out of a network's outputs.
pub(super) trait Head: Send + Sync {
    /// Appends every candidate of at least `min_score`, in pixels of the network's input of `width` × `height`.
    ///
    /// # Errors
    /// [`ErrorCode::UnusableNetwork`] when the outputs are not this head's.
    fn decode(&self, outputs: &[Output], width: usize, height: usize, min_score: f32, found: &mut Vec<Candidate>) -> Result<()>;

    /// The height of an upright face in the network's input, in pixels, from which its points are precise.
    fn clear_height(&self) -> f64;
}

/// A box with five points that may be a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub rect: Rect,
    pub points: [Point; 5],
    pub score: f32,
}

impl Candidate {
    /// Whether every number is one: a network's outputs may be anything.
    pub(super) fn is_finite(&self) -> bool {
        let Rect { left, top, right, bottom } = self.rect;
        [left, top, right, bottom].iter().all(|v| v.is_finite()) && self.points.iter().all(|p| p.x.is_finite() && p.y.is_finite())
    }
}

/// The strides of both heads, in pixels of the input.
pub(super) const STRIDES: [usize; 3] = [8, 16, 32];

/// The cell positions of a stride, row by row, in units of cells.
pub(super) fn cells(width: usize, height: usize, stride: usize) -> impl Iterator<Item = (f32, f32)> {
    let (across, down) = (width / stride, height / stride);
    (0..down).flat_map(move |y| (0..across).map(move |x| (x as f32, y as f32)))
}

/// The error for outputs that are not the head's.
pub(super) fn unfit(head: &str, what: &str, outputs: &[Output]) -> Error {
    let got: Vec<String> = outputs.iter().map(|o| format!("{} {:?}", o.name, o.shape)).collect();
    Error::new(ErrorCode::UnusableNetwork, format!("not a {head} detector: {what}; its outputs are {}", got.join(", ")))
}
