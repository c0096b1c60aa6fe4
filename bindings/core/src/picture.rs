//! A still picture that an object on the other side of a bridge stands for.

use std::fmt;
use std::sync::Arc;

use veriface::{Frame, Landmarks, Photo, Plane, Result, Sample};

use crate::frame::{Layout, camera_frame};

/// A still picture: a decoded file, or pixels that were handed over once; and where its face is, if another detector found it.
#[derive(Clone)]
pub struct Picture {
    pixels: Arc<Pixels>,
    landmarks: Option<Landmarks>,
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
        Ok(Picture { pixels: Arc::new(Pixels::Copied { layout, planes }), landmarks: None })
    }

    /// The same pixels with the face's points.
    pub fn at(&self, landmarks: Landmarks) -> Picture {
        Picture { landmarks: Some(landmarks), ..self.clone() }
    }

    /// The picture, upright.
    ///
    /// # Errors
    /// None: [`Picture::copied`] looked at the planes.
    pub fn frame(&self) -> Result<Frame<'_>> {
        match &*self.pixels {
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

    /// The picture with its face's points, as calls take it.
    ///
    /// # Errors
    /// As [`Picture::frame`].
    pub fn sample(&self) -> Result<Sample<'_>> {
        Ok(Sample::new(self.frame()?, self.landmarks))
    }
}

impl From<Photo> for Picture {
    fn from(photo: Photo) -> Picture {
        Picture { pixels: Arc::new(Pixels::Photo(photo)), landmarks: None }
    }
}

impl fmt::Debug for Picture {
    /// What it is; never the pixels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.pixels {
            Pixels::Photo(photo) => photo.fmt(f),
            Pixels::Copied { layout, .. } => write!(f, "Picture({layout:?})"),
        }
    }
}
