//! Is this face fit to decide on? Numbers, and reasons with a sentence for the person.

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
