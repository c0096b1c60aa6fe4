//! Pixels in: a [`Frame`] is a view of a camera's or a file's memory together with what is needed to read it upright.
//!
//! Format, range, matrix, rotation and mirror are part of the type or of the value, never guessed. Whatever comes in, what goes on
//! is RGB in the upright, un-mirrored frame. Nothing is copied: detection and alignment sample the planes through
//! [`Frame::sample`].

mod camera;
#[cfg(test)]
mod golden;
mod orientation;
mod outline;
mod photo;
mod sample;

pub use camera::{Frame, Plane, YuvMatrix, YuvRange};
pub use orientation::{Orientation, Rotation};
pub use photo::{Limits, Photo};
pub use sample::Border;
