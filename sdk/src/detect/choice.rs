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
