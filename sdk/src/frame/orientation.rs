//! How stored pixels have to be turned to be upright.

use serde::{Deserialize, Serialize};

/// How far the stored picture must be turned **clockwise** to be upright: the sense of CameraX's `rotationDegrees`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Rotation {
    /// It is upright as stored.
    #[default]
    None,
    /// A quarter turn clockwise makes it upright.
    Clockwise90,
    /// A half turn makes it upright.
    Half,
    /// Three quarter turns clockwise, one counter-clockwise.
    Clockwise270,
}

impl Rotation {
    /// From CameraX's `rotationDegrees`: 0, 90, 180 or 270; anything else is `None`.
    pub const fn from_degrees(degrees: i32) -> Option<Rotation> {
        match degrees {
            0 => Some(Rotation::None),
            90 => Some(Rotation::Clockwise90),
            180 => Some(Rotation::Half),
            270 => Some(Rotation::Clockwise270),
            _ => None,
        }
    }
}

/// The turn and the mirror that make stored pixels upright: one of the eight of EXIF.
///
/// The turn comes first; then, where `mirrored`, left and right change places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Orientation {
    /// The clockwise turn to upright.
    pub rotation: Rotation,
    /// Whether, once turned, the picture is a mirror image (a front camera's preview) and has to be mirrored back.
    pub mirrored: bool,
}
