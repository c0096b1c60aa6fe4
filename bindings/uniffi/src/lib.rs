//! The interface that UniFFI turns into Swift, Python, and Kotlin over JNA. Android has its own, hand-written one: `bindings/jni`.
//!
//! Swift's and Python's own layers (`ios/Sources/Veriface`, `bindings/python/veriface`) stand on what is generated from here, and their
//! users see those.
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod decision;
mod error;
mod picture;
mod session;
mod template;
mod verifier;

pub use decision::{Decision, Liveness};
pub use error::{ErrorNumber, PictureOfCall, Reason, VerifaceError, error_advice, reason_sentence};
pub use picture::{FrameLayout, Picture, PixelLayout, YuvMatrix, YuvRange};
pub use session::{Guidance, Progress, Purpose, Session, guidance_sentence};
pub use template::{Enrolment, Template};
pub use verifier::{Face, FaceRule, Landmarks, Point, Settings, Verifier, latency, version};

uniffi::setup_scaffolding!("veriface");
