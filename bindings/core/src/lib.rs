//! What the bridges share, once: handles, the border that panics do not cross, errors and frames.
//!
//! A bridge translates and decides nothing. Each of its functions takes its arguments apart, calls the SDK inside [`guarded`], and
//! hands the outcome over in its language's form.
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod error;
mod frame;
mod guard;
mod handle;
mod landmarks;
mod latency;
mod options;
mod picture;

pub use error::{NO_PICTURE, PROBE, REFERENCE, guidance_number, picture_number, reason_number};
pub use frame::{Layout, PixelFormat, camera_frame};
pub use guard::guarded;
pub use handle::{Handles, PICTURES, SESSIONS, TEMPLATES, VERIFIERS, open_handles};
pub use landmarks::landmarks;
pub use latency::latency;
pub use options::{Options, PackSource, face_choice, purpose};
pub use picture::Picture;
