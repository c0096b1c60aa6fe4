//! A still picture that an object on the other side of a bridge stands for.

use std::fmt;

use veriface::{Frame, Photo, Plane, Result};

use crate::frame::{Layout, camera_frame};

/// A still picture: a decoded file, or pixels that were handed over once.
pub struct Picture {
    pixels: Pixels,
}

enum Pixels {
    Photo(Photo),
    Copied { layout: Layout, planes: Vec<(Vec<u8>, usize, usize)> },
}

impl Picture {
    /// A copy of a frame's planes, checked first.
    ///
    /// # Errors
    /// As [`camera_frame`].
    pub fn copied(layout: Layout, planes: &[Plane<'_>]) -> Result<Picture> {
        camera_frame(&layout, planes)?;
        let planes = planes.iter().map(|plane| (plane.bytes.to_vec(), plane.row_stride, plane.pixel_stride)).collect();
        Ok(Picture { pixels: Pixels::Copied { layout, planes } })
    }

    /// The picture, upright.
    ///
    /// # Errors
    /// None: [`Picture::copied`] looked at the planes.
    pub fn frame(&self) -> Result<Frame<'_>> {
        match &self.pixels {
            Pixels::Photo(photo) => Ok(photo.frame()),
            Pixels::Copied { layout, planes } => {
                let planes: Vec<Plane<'_>> = planes
                    .iter()
                    .map(|(bytes, row_stride, pixel_stride)| Plane {
                        bytes,
                        row_stride: *row_stride,
                        pixel_stride: *pixel_stride,
                    })
                    .collect();
                camera_frame(layout, &planes)
            }
        }
    }
}

impl From<Photo> for Picture {
    fn from(photo: Photo) -> Picture {
        Picture { pixels: Pixels::Photo(photo) }
    }
}

impl fmt::Debug for Picture {
    /// What it is; never the pixels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.pixels {
            Pixels::Photo(photo) => photo.fmt(f),
            Pixels::Copied { layout, .. } => write!(f, "Picture({layout:?})"),
        }
    }
}
