//! Face verification on the device: from a photo or a camera frame to a decision with a named false-match rate.
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod align;
mod decide;
mod detect;
mod embed;
mod error;
pub mod evaluation;
mod face;
mod frame;
mod gallery;
mod geometry;
mod net;
mod pack;
mod pool;
mod quality;
mod random;
mod replace;
mod session;
mod template;
mod track;
mod verifier;

pub use align::{AlignmentTemplate, Chip, align};
pub use decide::{Calibration, Decision, FalseMatchRate, GroupRate, Groups, ImpostorTail, Liveness, OperatingPoint, Threshold};
pub use detect::{Detector, FaceChoice, HeadKind, Search};
pub use embed::{Embedding, ModelId, Score};
pub use error::{Error, ErrorCode, Family, Reason, Result, Which};
pub use face::{DetectionScore, Face, Landmarks};
pub use frame::{Border, Frame, Limits, Orientation, Photo, Plane, Rotation, YuvMatrix, YuvRange};
pub use gallery::{Gallery, Match};
pub use geometry::{Point, Rect, Similarity};
#[cfg(feature = "onnx")]
#[doc(hidden)]
pub use net::Measured;
pub use pack::{
    Alignment, Bytes, ColourOrder, DetectorManifest, Digest, InputForm, Layout, Manifest, Pack, PackKey, PackSigningKey, Part,
    PartKind, Provenance, QualityPolicies, RecogniserManifest, SelfTest, Trust,
};
pub use pool::Pool;
pub use quality::{Pose, Quality, QualityPolicy};
pub use replace::replace_file;
pub use session::{Progress, VerifierSession};
pub use template::{Enrolment, SealedTemplate, SealingKey, Secret, Template};
pub use track::{BestFrame, Found, Guidance, Look, Sighting, Track, TrackPolicy};
pub use verifier::{DEFAULT_FMR, Extraction, Purpose, Sample, Verification, Verifier, VerifierBuilder};
