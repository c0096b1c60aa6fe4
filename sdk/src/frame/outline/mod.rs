//! The outline of a picture file, read from its container before a decoder sees it.
//!
//! The decoders do not bound the memory they take, do not tell a file that was cut short from a whole one, and do not find an EXIF
//! block everywhere it may stand. The containers tell.

mod jpeg;
mod png;
mod webp;

use image::ImageFormat;

use crate::error::{Error, ErrorCode, Result};

/// What the container promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outline<'a> {
    pub(super) width: u32,
    pub(super) height: u32,
    /// What the decoder takes beside the file and the pixels.
    pub(super) working_bytes: u64,
    /// The EXIF block, where the decoder may not find it.
    pub(super) exif: Option<&'a [u8]>,
}

/// The outline of a file; `None` for BMP, whose decoder says all of it.
///
/// # Errors
/// [`ErrorCode::DamagedPicture`] when the file is cut short or its structure makes no sense, [`ErrorCode::UnsupportedPicture`] for a
/// variant that the decoder does not know.
pub(super) fn outline(bytes: &[u8], format: ImageFormat) -> Result<Option<Outline<'_>>> {
    match format {
        ImageFormat::Jpeg => jpeg::outline(bytes).map(Some),
        ImageFormat::Png => png::outline(bytes).map(Some),
        ImageFormat::WebP => webp::outline(bytes).map(Some),
        _ => Ok(None),
    }
}

fn damaged(detail: &str) -> Error {
    Error::new(ErrorCode::DamagedPicture, detail)
}

fn unsupported(detail: &str) -> Error {
    Error::new(ErrorCode::UnsupportedPicture, detail)
}
