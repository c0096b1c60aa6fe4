//! Decisions.

/// Whether the face was that of a living person at the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Liveness {
    /// Nobody looked: a photo of the person gives the same decision.
    NotAssessed,
}

/// Whether two faces are the same person's, at a named threshold.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Decision {
    /// Whether the score reaches the threshold.
    pub same: bool,
    /// The comparison score, -1…1: a cosine, and no percentage.
    pub score: f32,
    /// The least score of a match.
    pub threshold: f32,
    /// The false-match rate that the threshold was measured at; none when the caller stated the threshold.
    pub false_match_rate: Option<f64>,
    /// Always `NotAssessed`.
    pub liveness: Liveness,
    /// All of it in one sentence, for engineers.
    pub sentence: String,
}

impl From<veriface::Decision> for Decision {
    fn from(decision: veriface::Decision) -> Decision {
        Decision {
            same: decision.same,
            score: decision.score.get(),
            threshold: decision.threshold.get(),
            false_match_rate: decision.fmr.map(|fmr| fmr.get()),
            liveness: Liveness::NotAssessed,
            sentence: decision.to_string(),
        }
    }
}
