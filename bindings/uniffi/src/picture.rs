//! Pictures and frames that come in.

use std::sync::Arc;

use veriface::{Photo, Plane, Result, Sample};
use veriface_bridge::{Layout, PixelFormat, camera_frame};

use crate::error::{VerifaceError, bridged};
use crate::verifier::Landmarks;

/// How a frame's pixels lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum PixelLayout {
    /// Three bytes a pixel: red, green, blue.
    Rgb8,
    /// Three bytes a pixel: blue, green, red.
    Bgr8,
    /// Four bytes a pixel: red, green, blue, alpha, which is ignored.
    Rgba8,
    /// Four bytes a pixel: blue, green, red, alpha, which is ignored.
    Bgra8,
    /// One byte a pixel.
    Gray8,
    /// Luma, then U, V pairs: one buffer or two planes.
    Nv12,
    /// Luma, then V, U pairs: one buffer or two planes.
    Nv21,
    /// Luma, U, V: one buffer or three planes.
    I420,
    /// Three planes with the strides that an Android camera reports.
    Yuv420,
}

/// Which luma weights a YUV frame was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum YuvMatrix {
    /// ITU-R BT.601: JPEG, and most cameras.
    Bt601,
    /// ITU-R BT.709: high-definition video.
    Bt709,
}

/// Which code values a YUV frame uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum YuvRange {
    /// 0…255: JPEG, Android's YUV_420_888, iOS's 420f.
    Full,
    /// 16…235 for luma and 16…240 for chroma: iOS's 420v, most video.
    Video,
}

/// What a frame's memory means.
#[derive(Debug, Clone, PartialEq, uniffi::Record)]
pub struct FrameLayout {
    /// The format.
    pub format: PixelLayout,
    /// The width as stored, in pixels.
    pub width: u32,
    /// The height as stored, in pixels.
    pub height: u32,
    /// Bytes from one row to the next, a plane each; 0, or too short a list, stands for rows without a gap.
    #[uniffi(default = [])]
    pub row_strides: Vec<u64>,
    /// Bytes from one sample to the next, a plane each; 0, or too short a list, stands for the format's own.
    #[uniffi(default = [])]
    pub pixel_strides: Vec<u64>,
    /// Degrees clockwise to upright: 0, 90, 180 or 270.
    #[uniffi(default = 0)]
    pub rotation: i32,
    /// Whether the stored pixels are mirrored; a mirrored preview does not mean that they are.
    #[uniffi(default = false)]
    pub mirrored: bool,
    /// The luma weights of a YUV format; BT.601 where nobody says otherwise.
    #[uniffi(default = None)]
    pub matrix: Option<YuvMatrix>,
    /// The code values of a YUV format; the full range where nobody says otherwise.
    #[uniffi(default = None)]
    pub range: Option<YuvRange>,
    /// The face's points, where another detector has found them; then nothing is detected in the frame.
    #[uniffi(default = None)]
    pub landmarks: Option<Landmarks>,
}

impl FrameLayout {
    fn numbers(&self) -> Result<Layout> {
        let format = match self.format {
            PixelLayout::Rgb8 => PixelFormat::Rgb8,
            PixelLayout::Bgr8 => PixelFormat::Bgr8,
            PixelLayout::Rgba8 => PixelFormat::Rgba8,
            PixelLayout::Bgra8 => PixelFormat::Bgra8,
            PixelLayout::Gray8 => PixelFormat::Gray8,
            PixelLayout::Nv12 => PixelFormat::Nv12,
            PixelLayout::Nv21 => PixelFormat::Nv21,
            PixelLayout::I420 => PixelFormat::I420,
            PixelLayout::Yuv420 => PixelFormat::Yuv420,
        };
        let side = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
        let matrix = if self.matrix == Some(YuvMatrix::Bt709) { 709 } else { 601 };
        let range = i32::from(self.range == Some(YuvRange::Video));
        Layout::from_numbers(format as i32, (side(self.width), side(self.height)), matrix, range, self.rotation, self.mirrored)
    }

    /// The frame in this memory, with its face's points.
    pub(crate) fn sample<'a>(&self, bytes: [&'a [u8]; 3]) -> Result<Sample<'a>> {
        let landmarks = self.landmarks.as_ref().map(Landmarks::checked).transpose()?;
        Ok(Sample::new(camera_frame(&self.numbers()?, &self.planes(bytes))?, landmarks))
    }

    fn planes<'a>(&self, bytes: [&'a [u8]; 3]) -> [Plane<'a>; 3] {
        let stride =
            |strides: &[u64], place: usize| strides.get(place).map_or(0, |stride| usize::try_from(*stride).unwrap_or(usize::MAX));
        let plane = |place: usize, bytes| Plane {
            bytes,
            row_stride: stride(&self.row_strides, place),
            pixel_stride: stride(&self.pixel_strides, place),
        };
        let [first, second, third] = bytes;
        [plane(0, first), plane(1, second), plane(2, third)]
    }
}

/// A still picture: a file, or pixels.
#[derive(uniffi::Object)]
pub struct Picture {
    pub(crate) inner: veriface_bridge::Picture,
}

#[uniffi::export]
impl Picture {
    /// A JPEG, PNG, WebP or BMP file, upright by its EXIF orientation.
    #[uniffi::constructor]
    pub fn open(path: String) -> Result<Arc<Picture>, VerifaceError> {
        bridged(|| Ok(Arc::new(Picture { inner: Photo::open(path)?.into() })))
    }

    /// The bytes of such a file.
    #[uniffi::constructor]
    pub fn decode(bytes: &[u8]) -> Result<Arc<Picture>, VerifaceError> {
        bridged(|| Ok(Arc::new(Picture { inner: Photo::decode(bytes)?.into() })))
    }

    /// Pixels, which are copied; planes that the format does not have are empty. For a camera's stream use `Session.frame`.
    #[uniffi::constructor]
    pub fn pixels(layout: FrameLayout, first: &[u8], second: &[u8], third: &[u8]) -> Result<Arc<Picture>, VerifaceError> {
        bridged(|| {
            let planes = layout.planes([first, second, third]);
            let inner = veriface_bridge::Picture::copied(layout.numbers()?, &planes)?;
            let inner = match &layout.landmarks {
                Some(landmarks) => inner.at(landmarks.checked()?),
                None => inner,
            };
            Ok(Arc::new(Picture { inner }))
        })
    }

    /// The same picture with its face's points as another detector found them; then nothing is detected in it.
    pub fn at(&self, landmarks: Landmarks) -> Result<Arc<Picture>, VerifaceError> {
        bridged(|| Ok(Arc::new(Picture { inner: self.inner.at(landmarks.checked()?) })))
    }

    /// The upright width, in pixels.
    pub fn width(&self) -> u32 {
        self.inner.frame().map_or(0, |frame| frame.width())
    }

    /// The upright height, in pixels.
    pub fn height(&self) -> u32 {
        self.inner.frame().map_or(0, |frame| frame.height())
    }
}
