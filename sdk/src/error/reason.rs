//! Why a face is not fit to decide on, with a sentence for the person in front of the camera.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a face is not fit to decide on. Each has a sentence that an app can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The eyes are too few pixels apart.
    TooSmall,
    /// The face is cut by the edge of the picture.
    CutByFrame,
    /// The head is turned to the side.
    TurnedSideways,
    /// The head is tilted up or down.
    TiltedUpOrDown,
    /// The head leans towards a shoulder.
    LeaningToShoulder,
    /// The face is blurred.
    Blurred,
    /// The face is too dark.
    TooDark,
    /// The face is too bright.
    TooBright,
    /// The face has too little contrast.
    LowContrast,
    /// There is more than one face.
    SeveralFaces,
    /// The detector is not sure that it is a face.
    UncertainDetection,
}

impl Reason {
    /// Every reason.
    pub const ALL: &'static [Reason] = &[
        Reason::TooSmall,
        Reason::CutByFrame,
        Reason::TurnedSideways,
        Reason::TiltedUpOrDown,
        Reason::LeaningToShoulder,
        Reason::Blurred,
        Reason::TooDark,
        Reason::TooBright,
        Reason::LowContrast,
        Reason::SeveralFaces,
        Reason::UncertainDetection,
    ];

    /// The name, as JSON and the bindings have it.
    pub const fn name(&self) -> &'static str {
        match self {
            Reason::TooSmall => "too_small",
            Reason::CutByFrame => "cut_by_frame",
            Reason::TurnedSideways => "turned_sideways",
            Reason::TiltedUpOrDown => "tilted_up_or_down",
            Reason::LeaningToShoulder => "leaning_to_shoulder",
            Reason::Blurred => "blurred",
            Reason::TooDark => "too_dark",
            Reason::TooBright => "too_bright",
            Reason::LowContrast => "low_contrast",
            Reason::SeveralFaces => "several_faces",
            Reason::UncertainDetection => "uncertain_detection",
        }
    }

    /// What to tell the person in front of the camera.
    pub const fn sentence(&self) -> &'static str {
        match self {
            Reason::TooSmall => "Come closer to the camera.",
            Reason::CutByFrame => "Move so that your whole face is in the picture.",
            Reason::TurnedSideways => "Look straight at the camera.",
            Reason::TiltedUpOrDown => "Hold the camera at eye level.",
            Reason::LeaningToShoulder => "Hold your head upright.",
            Reason::Blurred => "Hold still, and wipe the lens.",
            Reason::TooDark => "Find more light.",
            Reason::TooBright => "Avoid the strong light on your face.",
            Reason::LowContrast => "Find more even light; avoid haze and reflections.",
            Reason::SeveralFaces => "Let only one person be in the picture.",
            Reason::UncertainDetection => "Show your uncovered face.",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_have_distinct_names_and_sentences() {
        for (i, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(serde_json::to_string(reason).unwrap(), format!("\"{}\"", reason.name()));
            assert!(reason.sentence().ends_with('.'));
            assert!(Reason::ALL[..i].iter().all(|other| other.sentence() != reason.sentence() && other.name() != reason.name()));
        }
        assert_eq!(Reason::ALL.len(), 11);
    }
}
