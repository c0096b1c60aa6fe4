//! A verification or an enrolment before a camera: frames in, guidance out, one decision at the end.

use std::time::Duration;

use crate::align::{Chip, align_into};
use crate::decide::Decision;
use crate::embed::Embedding;
use crate::error::{Reason, Result};
use crate::face::Face;
use crate::quality::{self, Quality};
use crate::template::{Enrolment, Template};
use crate::track::{Found, Guidance, Look, Sighting, Track, TrackPolicy};
use crate::verifier::{Purpose, Sample, Verifier};

/// One person before a camera. Feed it frames until [`Progress::ready`], telling the person [`Progress::guidance`] meanwhile; then
/// [`VerifierSession::decide`] or [`VerifierSession::enrol`].
///
/// It holds no camera and no clock, so it runs where the frames come. It is not shared between threads: each camera has its own, over
/// clones of one [`Verifier`].
///
/// ```no_run
/// # use std::time::Duration;
/// # use veriface::{Frame, Purpose, Result, Template, Verifier, VerifierSession};
/// # fn main() -> Result<()> {
/// # let (verifier, template): (Verifier, Template) = todo!();
/// # let camera: Vec<(Duration, Frame<'static>)> = vec![];
/// let mut session = VerifierSession::new(&verifier, Purpose::Verify)?;
/// for (at, frame) in camera {
///     let progress = session.frame(frame, at)?;
///     println!("{}", progress.guidance); // "Move closer." …
///     if progress.ready {
///         let decision = session.decide(&template)?;
///         println!("{decision}");
///         break;
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct VerifierSession {
    verifier: Verifier,
    purpose: Purpose,
    track: Track,
    /// What each frame writes to, so that the next one takes nothing from the heap.
    faces: Vec<Face>,
    chip: Chip,
    quality: quality::Workspace,
    spare: Option<Embedding>,
}

/// What one frame brought.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// What to tell the person.
    pub guidance: Guidance,
    /// The face followed, where to draw it.
    pub sighting: Sighting,
    /// What speaks against this frame; empty when it is fit, or was not looked at.
    pub reasons: Vec<Reason>,
    /// Whether as many fit frames are kept as the policy asks for.
    pub ready: bool,
}

impl VerifierSession {
    /// A session with the stated [`TrackPolicy`].
    ///
    /// # Errors
    /// None that [`VerifierSession::with_policy`] has for the default policy.
    pub fn new(verifier: &Verifier, purpose: Purpose) -> Result<VerifierSession> {
        VerifierSession::with_policy(verifier, purpose, TrackPolicy::default())
    }

    /// A session with a policy of one's own for following and choosing frames.
    ///
    /// # Errors
    /// [`crate::ErrorCode::InvalidArgument`] when the policy's numbers are out of range.
    pub fn with_policy(verifier: &Verifier, purpose: Purpose, policy: TrackPolicy) -> Result<VerifierSession> {
        let (verifier, track) = (verifier.clone(), Track::new(policy)?);
        let quality = quality::Workspace::default();
        Ok(VerifierSession { verifier, purpose, track, faces: Vec::new(), chip: Chip::black(), quality, spare: None })
    }

    /// Takes the next frame; `at` is its time since any fixed moment, such as the stream's beginning.
    ///
    /// Where another detector has found the face, its points come with the frame (see [`Sample`]), and ours does not look.
    ///
    /// Detection runs only on frames where the face's movement asks for it, and the recogniser only on frames that are worth it.
    ///
    /// # Errors
    /// [`crate::ErrorCode::NetworkFailed`], [`crate::ErrorCode::InvalidEmbedding`]. A frame without a face, or with a poor one, is no error:
    /// the guidance says so.
    pub fn frame<'f>(&mut self, frame: impl Into<Sample<'f>>, at: Duration) -> Result<Progress> {
        let sample = frame.into();
        let frame = *sample.frame();
        let found = match (sample.landmarks(), self.track.look()) {
            (Some(landmarks), _) => {
                self.faces.clear();
                self.faces.push(Face::from_landmarks(*landmarks));
                Found::Everywhere(&self.faces)
            }
            (None, Look::Nowhere) => Found::NotLooked,
            // The detector's input has one size: a part of the frame costs as much as all of it.
            (None, Look::Region(_) | Look::Whole) => {
                self.verifier.glance(&frame, &mut self.faces)?;
                Found::Everywhere(&self.faces)
            }
        };
        let sighting = self.track.follow(at, frame.width(), frame.height(), found);
        let mut reasons = Vec::new();
        if let Sighting::Seen { face, .. } = sighting {
            align_into(&frame, &face.landmarks, &mut self.chip)?;
            // Others in the picture are the track's to judge: it knows who is near.
            let quality = Quality::measure_in(&mut self.quality, &frame, &face, &self.chip);
            reasons = self.verifier.quality_policy(self.purpose).check(&quality);
            if let Some(best) = self.track.judge(&quality, &reasons) {
                let embedding = self.verifier.embed_again(&self.chip, self.spare.take())?;
                self.spare = self.track.keep_and_give_back(best, embedding)?;
            }
        }
        Ok(Progress { guidance: self.track.guidance(), sighting, reasons, ready: self.track.is_ready() })
    }

    /// Decides whether the person followed is that of the template, by the mean score of the best frames. Decide once, when
    /// [`Progress::ready`]: each further try is another draw for an impostor.
    ///
    /// # Errors
    /// [`crate::ErrorCode::NoFace`] and [`crate::ErrorCode::PoorQuality`] when no frame was fit; [`crate::ErrorCode::ModelMismatch`];
    /// [`crate::ErrorCode::Uncalibrated`].
    pub fn decide(&self, reference: &Template) -> Result<Decision> {
        self.verifier.decide(self.track.score(reference.embedding())?)
    }

    /// A template of the best frames.
    ///
    /// # Errors
    /// [`crate::ErrorCode::NothingToEnrol`] when no frame was fit.
    pub fn enrol(&self) -> Result<Enrolment> {
        let embeddings: Vec<_> = self.track.embeddings().into_iter().cloned().collect();
        Template::enrol(&embeddings)
    }

    /// Forgets the person, for the next one.
    pub fn reset(&mut self) {
        self.track.reset();
    }
}
