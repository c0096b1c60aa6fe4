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
mod quality;
mod replace;
mod template;
mod track;

pub use decide::{Calibration, Decision, FalseMatchRate, GroupRate, Groups, ImpostorTail, Liveness, OperatingPoint, Threshold};
pub use embed::{Embedding, ModelId, Score};
pub use error::{Error, ErrorCode, Family, Result, Which};
pub use face::{DetectionScore, Face, Landmarks};
pub use frame::{Border, Frame, Limits, Orientation, Photo, Plane, Rotation, YuvMatrix, YuvRange};
pub use gallery::{Gallery, Match};
pub use geometry::{Point, Rect, Similarity};
pub use quality::Reason;
pub use replace::replace_file;
pub use template::{Enrolment, Template};
