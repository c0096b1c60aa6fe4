//! Landmarks of another detector, as they cross a bridge.

use veriface::{Error, ErrorCode, Landmarks, Point, Result};

/// The five points of these numbers: x and y of the eye on the picture's left, the one on its right, the nose, the mouth's left and right
/// corner. No numbers are no landmarks: the verifier looks for the face itself.
///
/// # Errors
/// [`ErrorCode::InvalidArgument`] for another count than 0 or 10; [`ErrorCode::InvalidLandmarks`] for points that are no face's in this order.
pub fn landmarks(numbers: &[f32]) -> Result<Option<Landmarks>> {
    match *numbers {
        [] => Ok(None),
        [a, b, c, d, e, f, g, h, i, j] => {
            let points = [(a, b), (c, d), (e, f), (g, h), (i, j)].map(|(x, y)| Point::new(x, y));
            Landmarks::new(points).map(Some)
        }
        ref other => Err(Error::new(ErrorCode::InvalidArgument, format!("landmarks are 10 numbers, not {}", other.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ArcFace's template, as its reference code has it.
    const FACE: [f32; 10] = [38.2946, 51.6963, 73.5318, 51.5014, 56.0252, 71.7366, 41.5493, 92.3655, 70.7299, 92.2041];

    #[test]
    fn ten_numbers_are_five_points() {
        let found = landmarks(&FACE).unwrap().unwrap();
        assert_eq!(found.points()[2], Point::new(56.0252, 71.7366));
        assert_eq!(landmarks(&[]).unwrap(), None);
    }

    #[test]
    fn a_wrong_count_or_order_is_refused() {
        assert_eq!(landmarks(&FACE[..8]).unwrap_err().code(), ErrorCode::InvalidArgument);
        // The person's left first, as ML Kit names its points.
        let [a, b, c, d, e, f, g, h, i, j] = FACE;
        assert_eq!(landmarks(&[c, d, a, b, e, f, i, j, g, h]).unwrap_err().code(), ErrorCode::InvalidLandmarks);
        assert_eq!(landmarks(&[f32::NAN; 10]).unwrap_err().code(), ErrorCode::InvalidLandmarks);
    }
}
