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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;
    use proptest::prelude::*;

    const INPUT: Size = Size { width: 320.0, height: 320.0 };

    #[test]
    fn a_square_frame_is_sampled_where_opencv_resizes() {
        let map = whole(Size { width: 250.0, height: 250.0 }, INPUT, 1.0, Turn::NONE);
        for at in [0.0, 1.0, 159.5, 319.0] {
            let expected = (at + 0.5) * 250.0 / 320.0 - 0.5;
            assert!((map.apply(Point::new(at, at)).x - expected).abs() < 1e-4);
        }
    }

    #[test]
    fn half_the_fill_leaves_a_quarter_on_each_side() {
        let back = whole(Size { width: 640.0, height: 640.0 }, INPUT, 0.5, Turn::NONE).inverse().unwrap();
        let corner = back.apply(Point::new(-0.5, -0.5));
        assert!((corner.x - 79.5).abs() < 1e-4 && (corner.y - 79.5).abs() < 1e-4, "{corner:?}");
    }

    proptest! {
        #[test]
        fn the_frame_lies_whole_in_the_input_and_touches_two_sides(
            width in 1.0..9000f64, height in 1.0..9000f64, turned in proptest::bool::ANY
        ) {
            let turn = if turned { Turn { cos: 0.8, sin: -0.6 } } else { Turn::NONE };
            let back = whole(Size { width, height }, INPUT, 1.0, turn).inverse().unwrap();
            let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)].map(|(x, y)| {
                let (x, y) = (x - 0.5, y - 0.5);
                (back.a * x - back.b * y + back.tx + 0.5, back.b * x + back.a * y + back.ty + 0.5)
            });
            let low = corners.iter().fold(f64::INFINITY, |low, c| low.min(c.0).min(c.1));
            let high = corners.iter().fold(0f64, |high, c| high.max(c.0).max(c.1));
            prop_assert!(low.abs() < 1e-6 && (high - 320.0).abs() < 1e-6, "{low} {high}");
        }

        #[test]
        fn the_way_back_is_exact(x in 0f32..320.0, y in 0f32..320.0, width in 10.0..9000f64, height in 10.0..9000f64) {
            let map = whole(Size { width, height }, INPUT, 1.0, Turn { cos: 0.8, sin: 0.6 });
            let there_and_back = map.then(&map.inverse().unwrap()).apply(Point::new(x, y));
            prop_assert!((there_and_back.x - x).abs() < 1e-3 && (there_and_back.y - y).abs() < 1e-3);
        }
    }
}
