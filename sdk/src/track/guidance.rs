//! What to tell the person in front of the camera.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::Reason;

/// What to tell the person in front of the camera; the first that applies, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Guidance {
    /// No face is seen.
    NoFace,
    /// Someone else is about as near.
    OnePersonOnly,
    /// The face is too near.
    MoveBack,
    /// The face is too far.
    MoveCloser,
    /// The face is cut off, or far from the middle.
    CentreFace,
    /// The head is turned, tilted or leaning.
    LookStraight,
    /// Too dark.
    MoreLight,
    /// Too bright.
    LessLight,
    /// Moving or blurred.
    HoldStill,
    /// Something is before the face.
    UncoverFace,
    /// Nothing to ask for.
    Good,
}

impl Guidance {
    /// Every guidance, in the order in which the first that applies is given.
    pub const ALL: &'static [Guidance] = &[
        Guidance::NoFace,
        Guidance::OnePersonOnly,
        Guidance::MoveBack,
        Guidance::MoveCloser,
        Guidance::CentreFace,
        Guidance::LookStraight,
        Guidance::MoreLight,
        Guidance::LessLight,
        Guidance::HoldStill,
        Guidance::UncoverFace,
        Guidance::Good,
    ];

    /// The name, as JSON and the bindings have it.
    pub const fn name(self) -> &'static str {
        match self {
            Guidance::NoFace => "no_face",
            Guidance::OnePersonOnly => "one_person_only",
            Guidance::MoveBack => "move_back",
            Guidance::MoveCloser => "move_closer",
            Guidance::CentreFace => "centre_face",
            Guidance::LookStraight => "look_straight",
            Guidance::MoreLight => "more_light",
            Guidance::LessLight => "less_light",
            Guidance::HoldStill => "hold_still",
            Guidance::UncoverFace => "uncover_face",
            Guidance::Good => "good",
        }
    }

    /// The sentence to show.
    pub const fn sentence(self) -> &'static str {
        match self {
            Guidance::NoFace => "Look into the camera.",
            Guidance::OnePersonOnly => "Let only one person be in the picture.",
            Guidance::MoveBack => "Move back a little.",
            Guidance::MoveCloser => "Move closer.",
            Guidance::CentreFace => "Bring your face to the middle.",
            Guidance::LookStraight => "Look straight ahead, with your head upright.",
            Guidance::MoreLight => "Find more light.",
            Guidance::LessLight => "Avoid the strong light.",
            Guidance::HoldStill => "Hold still.",
            Guidance::UncoverFace => "Show your whole face.",
            Guidance::Good => "Good. Hold it.",
        }
    }

    /// What answers a reason of the quality policy.
    pub(super) const fn of(reason: Reason) -> Guidance {
        match reason {
            Reason::SeveralFaces => Guidance::OnePersonOnly,
            Reason::TooSmall => Guidance::MoveCloser,
            Reason::CutByFrame => Guidance::CentreFace,
            Reason::TurnedSideways | Reason::TiltedUpOrDown | Reason::LeaningToShoulder => Guidance::LookStraight,
            Reason::TooDark | Reason::LowContrast => Guidance::MoreLight,
            Reason::TooBright => Guidance::LessLight,
            Reason::Blurred => Guidance::HoldStill,
            Reason::UncertainDetection => Guidance::UncoverFace,
        }
    }

    pub(super) fn rank(self) -> usize {
        Guidance::ALL.iter().position(|one| *one == self).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Guidance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}
