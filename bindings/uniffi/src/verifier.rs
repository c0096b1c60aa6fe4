//! Verifiers.

use std::sync::Arc;

use veriface::{FaceChoice, Frame, Result, Which};
use veriface_bridge::{Options, PackSource, camera_frame};

use crate::decision::Decision;
use crate::error::{VerifaceError, bridged};
use crate::picture::{FrameLayout, Picture};
use crate::template::{Enrolment, Template};

/// Which face is meant when a picture shows several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum FaceRule {
    /// The only one; several are an error.
    Only,
    /// The one with the largest box.
    Largest,
    /// A large one near the middle.
    MostCentral,
}

/// What a verifier is made with. Nothing stated: the built-in pack at its default rate, and one face a picture.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Settings {
    /// The pack's file; the built-in pack where neither file nor bytes are given.
    #[uniffi(default = None)]
    pub pack_file: Option<String>,
    /// The pack's bytes, such as an app's asset.
    #[uniffi(default = None)]
    pub pack_bytes: Option<Vec<u8>>,
    /// The key that the file or bytes must be signed with, 64 hexadecimal digits. Without one the caller vouches for them, as an app does for its own
    /// assets.
    #[uniffi(default = None)]
    pub pack_key: Option<String>,
    /// The false-match rate to decide at, one that the pack was measured at.
    #[uniffi(default = None)]
    pub false_match_rate: Option<f64>,
    /// A threshold that the caller answers for, instead of a rate.
    #[uniffi(default = None)]
    pub stated_threshold: Option<f32>,
    /// Which face is meant; the only one where nothing is stated.
    #[uniffi(default = None)]
    pub face_rule: Option<FaceRule>,
}

/// A point, in pixels of the upright picture.
#[derive(Debug, Clone, Copy, PartialEq, uniffi::Record)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
}

/// A face that was found, in pixels of the upright picture.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct Face {
    /// The box's left edge.
    pub left: f32,
    /// The box's top edge.
    pub top: f32,
    /// The box's right edge.
    pub right: f32,
    /// The box's bottom edge.
    pub bottom: f32,
    /// How sure the detector is that it is a face, 0…1. It says nothing of the face's fitness.
    pub detection_score: f32,
    /// The eye on the picture's left, the one on its right, the nose, the mouth's left and right corner.
    pub landmarks: Vec<Point>,
}

impl From<veriface::Face> for Face {
    fn from(face: veriface::Face) -> Face {
        let bounds = face.bounding_box;
        Face {
            left: bounds.left,
            top: bounds.top,
            right: bounds.right,
            bottom: bounds.bottom,
            detection_score: face.score.0,
            landmarks: face.landmarks.points().iter().map(|point| Point { x: point.x, y: point.y }).collect(),
        }
    }
}

/// Answers whether two pictures show the same person. Make one and share it between threads.
#[derive(uniffi::Object)]
pub struct Verifier {
    pub(crate) inner: veriface::Verifier,
}

#[uniffi::export]
impl Verifier {
    /// Loads the pack and checks that this device computes what the pack states.
    #[uniffi::constructor]
    pub fn new(settings: Settings) -> Result<Arc<Verifier>, VerifaceError> {
        bridged(|| {
            let pack = match (&settings.pack_file, &settings.pack_bytes) {
                (Some(path), _) => PackSource::File(path),
                (None, Some(bytes)) => PackSource::Bytes(bytes),
                (None, None) => PackSource::Embedded,
            };
            let options = Options {
                false_match_rate: settings.false_match_rate,
                stated_threshold: settings.stated_threshold,
                face_choice: match settings.face_rule {
                    None | Some(FaceRule::Only) => FaceChoice::Only,
                    Some(FaceRule::Largest) => FaceChoice::Largest,
                    Some(FaceRule::MostCentral) => FaceChoice::MostCentral,
                },
                pack_key: settings.pack_key.as_deref().map(str::parse).transpose()?,
            };
            Ok(Arc::new(Verifier { inner: options.verifier(pack)? }))
        })
    }

    /// Decides whether two pictures show the same person.
    pub fn verify(&self, reference: Arc<Picture>, probe: Arc<Picture>) -> Result<Decision, VerifaceError> {
        bridged(|| Ok(self.inner.verify(reference.inner.frame()?, probe.inner.frame()?)?.decision.into()))
    }

    /// Decides whether a picture shows the person of a template.
    pub fn verify_template(&self, reference: Arc<Template>, probe: Arc<Picture>) -> Result<Decision, VerifaceError> {
        bridged(|| Ok(self.inner.verify_template(&reference.inner, probe.inner.frame()?)?.decision.into()))
    }

    /// The same for a frame in the caller's memory, which is not copied where the language allows it; planes that the format does not have are
    /// empty.
    pub fn verify_frame(
        &self,
        reference: Arc<Template>,
        layout: FrameLayout,
        first: &[u8],
        second: &[u8],
        third: &[u8],
    ) -> Result<Decision, VerifaceError> {
        bridged(|| {
            let probe = camera_frame(&layout.numbers()?, &layout.planes([first, second, third]));
            let probe = probe.map_err(|error| error.of(Which::Probe))?;
            Ok(self.inner.verify_template(&reference.inner, probe)?.decision.into())
        })
    }

    /// Makes a template of one person's pictures.
    pub fn enrol(&self, pictures: Vec<Arc<Picture>>) -> Result<Enrolment, VerifaceError> {
        bridged(|| {
            let frames = pictures.iter().map(|picture| picture.inner.frame()).collect::<Result<Vec<Frame<'_>>>>()?;
            Ok(self.inner.enrol(frames)?.into())
        })
    }

    /// The faces of a picture, the surest first.
    pub fn detect(&self, picture: Arc<Picture>) -> Result<Vec<Face>, VerifaceError> {
        bridged(|| Ok(self.inner.detect(picture.inner.frame()?)?.into_iter().map(Face::from).collect()))
    }

    /// What every template of this verifier carries, in 64 hexadecimal digits.
    pub fn model_id(&self) -> String {
        self.inner.model_id().hex()
    }
}

/// The library's version.
#[uniffi::export]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").into()
}
