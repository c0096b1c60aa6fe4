//! How a frame, or a part of it, is laid into a network's input, and the exact way back.

use crate::geometry::Similarity;

/// A width and a height, in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Size {
    pub width: f64,
    pub height: f64,
}

/// Cosine and sine of an angle, so that no trigonometry is needed to compute with it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Turn {
    pub cos: f64,
    pub sin: f64,
}

impl Turn {
    pub(super) const NONE: Turn = Turn { cos: 1.0, sin: 0.0 };
}

/// The map from the input's pixels to the frame's, under which the frame lies whole and centred in the input, covers `fill` of the
/// side that it reaches first, and is turned clockwise on the screen by the inverse of `turn`.
///
/// Pixel centres are at integers. With no turn and a square frame and input this is where `cv2.resize` samples:
/// frame = (input + ½) / scale − ½. The scale is one number for both axes, not rounded to whole pixels.
pub(super) fn whole(frame: Size, input: Size, fill: f64, turn: Turn) -> Similarity {
    let across = frame.width * turn.cos.abs() + frame.height * turn.sin.abs();
    let down = frame.width * turn.sin.abs() + frame.height * turn.cos.abs();
    let step = (across / input.width).max(down / input.height) / fill;
    centred((frame.width - 1.0) / 2.0, (frame.height - 1.0) / 2.0, input, step, turn)
}

/// The map from the input's pixels to the frame's that puts the frame's position (x, y) at the input's centre; one step in the input
/// is `step` pixels in the frame.
pub(super) fn centred(x: f64, y: f64, input: Size, step: f64, turn: Turn) -> Similarity {
    let (a, b) = (step * turn.cos, step * turn.sin);
    let (cx, cy) = ((input.width - 1.0) / 2.0, (input.height - 1.0) / 2.0);
    Similarity { a, b, tx: x - (a * cx - b * cy), ty: y - (b * cx + a * cy) }
}
