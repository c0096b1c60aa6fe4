//! Verifiers.

use std::sync::Arc;

use veriface::{FaceChoice, Result, Sample, Which};
use veriface_bridge::{Options, PackSource, latency as latency_of};

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

impl Settings {
    fn pack(&self) -> PackSource<'_> {
        match (&self.pack_file, &self.pack_bytes) {
            (Some(path), _) => PackSource::File(path),
            (None, Some(bytes)) => PackSource::Bytes(bytes),
            (None, None) => PackSource::Embedded,
        }
    }
}

/// A point, in pixels of the upright picture.
#[derive(Debug, Clone, Copy, PartialEq, uniffi::Record)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Down.
    pub y: f32,
}

/// The five points of a face, in pixels of the upright picture. Left is the picture's left, which is the person's right; another order is
/// refused (`InvalidLandmarks`).
#[derive(Debug, Clone, Copy, PartialEq, uniffi::Record)]
pub struct Landmarks {
    /// The eye on the picture's left.
    pub eye_left: Point,
    /// The eye on the picture's right.
    pub eye_right: Point,
    /// The tip of the nose.
    pub nose: Point,
    /// The mouth's corner on the picture's left.
    pub mouth_left: Point,
    /// The mouth's corner on the picture's right.
    pub mouth_right: Point,
}

impl Landmarks {
    pub(crate) fn checked(&self) -> Result<veriface::Landmarks> {
        let points = [self.eye_left, self.eye_right, self.nose, self.mouth_left, self.mouth_right];
        veriface::Landmarks::new(points.map(|point| veriface::Point::new(point.x, point.y)))
    }
}

impl From<veriface::Landmarks> for Landmarks {
    fn from(landmarks: veriface::Landmarks) -> Landmarks {
        let [eye_left, eye_right, nose, mouth_left, mouth_right] =
            landmarks.points().map(|point| Point { x: point.x, y: point.y });
        Landmarks { eye_left, eye_right, nose, mouth_left, mouth_right }
    }
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
    /// The five points.
    pub landmarks: Landmarks,
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
            landmarks: face.landmarks.into(),
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
            Ok(Arc::new(Verifier { inner: options.verifier(settings.pack())? }))
        })
    }

    /// Decides whether two pictures show the same person.
    pub fn verify(&self, reference: Arc<Picture>, probe: Arc<Picture>) -> Result<Decision, VerifaceError> {
        bridged(|| Ok(self.inner.verify(reference.inner.sample()?, probe.inner.sample()?)?.decision.into()))
    }

    /// Decides whether a picture shows the person of a template.
    pub fn verify_template(&self, reference: Arc<Template>, probe: Arc<Picture>) -> Result<Decision, VerifaceError> {
        bridged(|| Ok(self.inner.verify_template(&reference.inner, probe.inner.sample()?)?.decision.into()))
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
            let probe = layout.sample([first, second, third]).map_err(|error| error.of(Which::Probe))?;
            Ok(self.inner.verify_template(&reference.inner, probe)?.decision.into())
        })
    }

    /// Makes a template of one person's pictures.
    pub fn enrol(&self, pictures: Vec<Arc<Picture>>) -> Result<Enrolment, VerifaceError> {
        bridged(|| {
            let samples = pictures.iter().map(|picture| picture.inner.sample()).collect::<Result<Vec<Sample<'_>>>>()?;
            Ok(self.inner.enrol(samples)?.into())
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

/// Times every stage on a picture file's bytes, and gives the JSON of `veriface bench --json`. For the cold start to be one, call this before
/// anything else of the library. Of the settings the pack counts.
#[uniffi::export]
pub fn latency(settings: Settings, picture: &[u8], runs: i32, device: String) -> Result<String, VerifaceError> {
    bridged(|| latency_of(settings.pack(), picture, runs, &device))
}

/// The library's version.
#[uniffi::export]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").into()
}
