//! Which of the faces in a picture is meant.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode, Result};
use crate::face::Face;
use crate::frame::Frame;

/// Which of the faces in a picture is meant. There is no rule that falls back to the whole picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaceChoice {
    /// The only one; several are an error.
    #[default]
    Only,
    /// The one with the largest box.
    Largest,
    /// The one with the greatest box area − 2 × squared distance of the box's centre from the picture's: large and near the middle.
    /// It is the rule by which the person meant is taken from a photo of LFW.
    MostCentral,
}

impl FaceChoice {
    /// The face that is meant, of those found in `frame`.
    ///
    /// # Errors
    /// [`ErrorCode::NoFace`] when there is none; [`ErrorCode::MultipleFaces`] with their count, for [`FaceChoice::Only`].
    pub fn choose(self, faces: &[Face], frame: &Frame<'_>) -> Result<Face> {
        let area = |face: &Face| face.bounding_box.area();
        let chosen = match self {
            FaceChoice::Only if faces.len() > 1 => {
                return Err(Error::new(ErrorCode::MultipleFaces, format!("{} faces", faces.len())));
            }
            FaceChoice::Only => faces.first(),
            FaceChoice::Largest => best(faces, area),
            FaceChoice::MostCentral => {
                let (x, y) = ((frame.width() as f32 - 1.0) / 2.0, (frame.height() as f32 - 1.0) / 2.0);
                best(faces, |face| {
                    let centre = face.bounding_box.center();
                    area(face) - 2.0 * ((centre.x - x).powi(2) + (centre.y - y).powi(2))
                })
            }
        };
        chosen.copied().ok_or_else(|| Error::new(ErrorCode::NoFace, ""))
    }
}

/// The face with the greatest value; of equals the first.
fn best(faces: &[Face], value: impl Fn(&Face) -> f32) -> Option<&Face> {
    faces.iter().reduce(|best, face| if value(face) > value(best) { face } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::Landmarks;
    use crate::geometry::{Point, Rect};

    fn face(x: f32, y: f32, side: f32) -> Face {
        let points = [(-0.2, -0.2), (0.2, -0.2), (0.0, 0.0), (-0.15, 0.2), (0.15, 0.2)];
        let landmarks = Landmarks::new(points.map(|(dx, dy)| Point::new(x + side * dx, y + side * dy))).unwrap();
        let half = side / 2.0;
        Face { bounding_box: Rect::new(x - half, y - half, x + half, y + half), ..Face::from_landmarks(landmarks) }
    }

    fn choose(choice: FaceChoice, faces: &[Face]) -> Result<Face> {
        let rgb = vec![0; 201 * 201 * 3];
        choice.choose(faces, &Frame::rgb8(&rgb, 201, 201, 603).unwrap())
    }

    #[test]
    fn nobody_is_an_error_under_every_rule() {
        for choice in [FaceChoice::Only, FaceChoice::Largest, FaceChoice::MostCentral] {
            assert_eq!(choose(choice, &[]).unwrap_err().code(), ErrorCode::NoFace);
        }
    }

    #[test]
    fn several_are_an_error_with_their_count_unless_a_rule_was_chosen() {
        let (central, large) = (face(100.0, 100.0, 50.0), face(170.0, 170.0, 80.0));
        assert_eq!(FaceChoice::default(), FaceChoice::Only);
        assert_eq!(choose(FaceChoice::Only, &[central]).unwrap(), central);
        let error = choose(FaceChoice::Only, &[central, large, central]).unwrap_err();
        assert_eq!((error.code(), error.detail()), (ErrorCode::MultipleFaces, "3 faces"));
        assert_eq!(choose(FaceChoice::Largest, &[central, large]).unwrap(), large);
        // 50² = 2500 against 80² − 2 · (70² + 70²) < 0.
        assert_eq!(choose(FaceChoice::MostCentral, &[large, central]).unwrap(), central);
        // 50² against 80² − 2 · 40² = 3200.
        let nearer = face(140.0, 100.0, 80.0);
        assert_eq!(choose(FaceChoice::MostCentral, &[central, nearer]).unwrap(), nearer);
    }

    #[test]
    fn of_equals_the_first_is_taken() {
        let (left, right) = (face(80.0, 100.0, 50.0), face(120.0, 100.0, 50.0));
        for choice in [FaceChoice::Largest, FaceChoice::MostCentral] {
            assert_eq!(choose(choice, &[left, right]).unwrap(), left);
            assert_eq!(choose(choice, &[right, left]).unwrap(), right);
        }
    }
}
