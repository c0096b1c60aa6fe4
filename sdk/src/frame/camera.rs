//! Camera memory: packed and planar formats with strides, checked against their geometry before a byte is read.

use super::Orientation;

/// A view of pixels and how to read them. Cheap to copy; borrows the camera's or the photo's memory.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    width: u32,
    height: u32,
    orientation: Orientation,
    planes: std::marker::PhantomData<&'a [u8]>,
}

/// One plane of a camera frame.
#[derive(Clone, Copy)]
pub struct Plane<'a> {
    /// The bytes. The last row may end at its last pixel, short of the stride.
    pub bytes: &'a [u8],
    /// Bytes from one row's start to the next's.
    pub row_stride: usize,
    /// Bytes from one sample to the next in a row: 1 for planar, 2 for interleaved chroma.
    pub pixel_stride: usize,
}

/// Which luma weights a YUV frame was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum YuvMatrix {
    /// ITU-R BT.601: JPEG, and what Android and iOS cameras deliver for analysis unless they say otherwise.
    #[default]
    Bt601,
    /// ITU-R BT.709: high-definition video.
    Bt709,
}

/// Which code values a YUV frame uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum YuvRange {
    /// 0…255 for luma and chroma: JPEG, Android's YUV_420_888, iOS's `420f`.
    #[default]
    Full,
    /// 16…235 for luma and 16…240 for chroma: iOS's `420v`, most video.
    Video,
}

impl<'a> Frame<'a> {
    /// The upright width, in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// The upright height, in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }
}
