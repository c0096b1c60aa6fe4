//! Sessions: one person before a camera.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use veriface::{Sighting, VerifierSession};

use crate::decision::Decision;
use crate::error::{Reason, VerifaceError, bridged};
use crate::picture::{FrameLayout, Picture};
use crate::template::{Enrolment, Template};
use crate::verifier::{Face, Verifier};

/// What a picture is used for: it chooses the quality policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum Purpose {
    /// It becomes part of a template: strict.
    Enrol,
    /// It is compared once.
    Verify,
}

/// What to tell the person in front of the camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
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

/// The guidances in the SDK's order.
const GUIDANCES: [(Guidance, veriface::Guidance); 11] = [
    (Guidance::NoFace, veriface::Guidance::NoFace),
    (Guidance::OnePersonOnly, veriface::Guidance::OnePersonOnly),
    (Guidance::MoveBack, veriface::Guidance::MoveBack),
    (Guidance::MoveCloser, veriface::Guidance::MoveCloser),
    (Guidance::CentreFace, veriface::Guidance::CentreFace),
    (Guidance::LookStraight, veriface::Guidance::LookStraight),
    (Guidance::MoreLight, veriface::Guidance::MoreLight),
    (Guidance::LessLight, veriface::Guidance::LessLight),
    (Guidance::HoldStill, veriface::Guidance::HoldStill),
    (Guidance::UncoverFace, veriface::Guidance::UncoverFace),
    (Guidance::Good, veriface::Guidance::Good),
];

impl From<veriface::Guidance> for Guidance {
    /// One that the list lacks asks for nothing; a test says that there is none.
    fn from(guidance: veriface::Guidance) -> Guidance {
        GUIDANCES.iter().find(|(_, of)| *of == guidance).map_or(Guidance::Good, |(guidance, _)| *guidance)
    }
}

/// The sentence to show.
#[uniffi::export]
pub fn guidance_sentence(guidance: Guidance) -> String {
    GUIDANCES.iter().find(|(one, _)| *one == guidance).map_or_else(String::new, |(_, of)| of.sentence().into())
}

/// What one frame brought.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Progress {
    /// What to tell the person.
    pub guidance: Guidance,
    /// What speaks against this frame.
    pub reasons: Vec<Reason>,
    /// Whether as many fit frames are kept as a decision asks for.
    pub ready: bool,
    /// The face that is followed, where to draw it.
    pub face: Option<Face>,
}

/// One person before a camera. Feed it frames until `ready`, then decide or enrol. One call at a time has it; others wait.
#[derive(uniffi::Object)]
pub struct Session {
    inner: Mutex<VerifierSession>,
}

#[uniffi::export]
impl Session {
    /// A session over this verifier.
    #[uniffi::constructor]
    pub fn new(verifier: Arc<Verifier>, purpose: Purpose) -> Result<Arc<Session>, VerifaceError> {
        let purpose = match purpose {
            Purpose::Enrol => veriface::Purpose::Enrol,
            Purpose::Verify => veriface::Purpose::Verify,
        };
        bridged(|| Ok(Arc::new(Session { inner: Mutex::new(VerifierSession::new(&verifier.inner, purpose)?) })))
    }

    /// Takes the next frame from the caller's memory, which is not copied where the language allows it; planes that the format does not have
    /// are empty. `milliseconds` is its time since any fixed moment.
    pub fn frame(
        &self,
        layout: FrameLayout,
        first: &[u8],
        second: &[u8],
        third: &[u8],
        milliseconds: u64,
    ) -> Result<Progress, VerifaceError> {
        bridged(|| {
            let sample = layout.sample([first, second, third])?;
            Ok(progress(self.lock().frame(sample, Duration::from_millis(milliseconds))?))
        })
    }

    /// Takes a picture as the next frame.
    pub fn picture(&self, picture: Arc<Picture>, milliseconds: u64) -> Result<Progress, VerifaceError> {
        bridged(|| Ok(progress(self.lock().frame(picture.inner.sample()?, Duration::from_millis(milliseconds))?)))
    }

    /// Decides whether the person followed is that of the template, by the best frames. Once, when ready.
    pub fn decide(&self, reference: Arc<Template>) -> Result<Decision, VerifaceError> {
        bridged(|| Ok(self.lock().decide(&reference.inner)?.into()))
    }

    /// A template of the best frames.
    pub fn enrol(&self) -> Result<Enrolment, VerifaceError> {
        bridged(|| Ok(self.lock().enrol()?.into()))
    }

    /// Forgets the person, for the next one.
    pub fn reset(&self) {
        self.lock().reset();
    }
}

impl Session {
    fn lock(&self) -> MutexGuard<'_, VerifierSession> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn progress(progress: veriface::Progress) -> Progress {
    let face = match progress.sighting {
        Sighting::Nobody => None,
        Sighting::Seen { smooth, .. } => Some(smooth),
        Sighting::Expected(face) => Some(face),
    };
    Progress {
        guidance: progress.guidance.into(),
        reasons: Reason::all_of(&progress.reasons),
        ready: progress.ready,
        face: face.map(Face::from),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guidances_are_the_sdk_s() {
        for guidance in veriface::Guidance::ALL {
            assert_eq!(guidance_sentence((*guidance).into()), guidance.sentence());
        }
    }
}
