//! Camera memory: packed and planar formats with strides, checked against their geometry before a byte is read.

use std::fmt;

use super::Orientation;
use crate::error::{Error, ErrorCode, Result};
use crate::geometry::{Point, Rect};

/// The longest side of a frame, in pixels: positions on the sampler's grid fit 32 bits with one bit to spare.
pub(super) const LONGEST_SIDE: u32 = 1 << 19;

/// A view of pixels and how to read them. Cheap to copy; borrows the camera's or the photo's memory.
///
/// Each format has a constructor of its own, so that BGR read as RGB, or NV12 as NV21, is a name in the caller's code and not a
/// default. Every constructor checks the length of the memory against the geometry and fails with [`ErrorCode::InvalidFrame`]; after
/// that nothing can be read out of bounds. A last row that ends at its last pixel, short of the stride, is normal.
///
/// Sizes and coordinates are those of the **upright** frame, see [`Frame::with_orientation`].
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    pub(super) stored_width: u32,
    pub(super) stored_height: u32,
    pub(super) orientation: Orientation,
    pub(super) memory: Memory<'a>,
}

/// The pixels in one of the two ways in which they lie in memory.
#[derive(Clone, Copy)]
pub(super) enum Memory<'a> {
    /// One plane, all of a pixel's components side by side.
    Packed { bytes: &'a [u8], row_stride: usize, format: Packed },
    /// Luma in full resolution, chroma in half of it each way: every 4:2:0 format is this, with its own strides.
    Yuv { y: Plane<'a>, u: Plane<'a>, v: Plane<'a>, matrix: YuvMatrix, range: YuvRange },
}

/// The order of a packed pixel's components, one byte each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packed {
    Rgb8,
    Bgr8,
    Rgba8,
    Bgra8,
    Gray8,
}

impl Packed {
    pub(super) const fn bytes_per_pixel(self) -> usize {
        match self {
            Packed::Rgb8 | Packed::Bgr8 => 3,
            Packed::Rgba8 | Packed::Bgra8 => 4,
            Packed::Gray8 => 1,
        }
    }
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

impl fmt::Debug for Plane<'_> {
    /// The layout; never the pixels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plane")
            .field("bytes", &self.bytes.len())
            .field("row_stride", &self.row_stride)
            .field("pixel_stride", &self.pixel_stride)
            .finish()
    }
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

/// Packed formats. `row_stride` is in bytes and at least one row of pixels long.
impl<'a> Frame<'a> {
    /// Three bytes a pixel: red, green, blue.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidFrame`] when `bytes` or `row_stride` do not fit the size.
    pub fn rgb8(bytes: &'a [u8], width: u32, height: u32, row_stride: usize) -> Result<Frame<'a>> {
        Frame::packed(bytes, width, height, row_stride, Packed::Rgb8)
    }

    /// Three bytes a pixel: blue, green, red (OpenCV's order).
    ///
    /// # Errors
    /// [`ErrorCode::InvalidFrame`] when `bytes` or `row_stride` do not fit the size.
    pub fn bgr8(bytes: &'a [u8], width: u32, height: u32, row_stride: usize) -> Result<Frame<'a>> {
        Frame::packed(bytes, width, height, row_stride, Packed::Bgr8)
    }

    /// Four bytes a pixel: red, green, blue, alpha. Alpha is ignored: the colours count as if opaque.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidFrame`] when `bytes` or `row_stride` do not fit the size.
    pub fn rgba8(bytes: &'a [u8], width: u32, height: u32, row_stride: usize) -> Result<Frame<'a>> {
        Frame::packed(bytes, width, height, row_stride, Packed::Rgba8)
    }

    /// Four bytes a pixel: blue, green, red, alpha (iOS's `32BGRA`). Alpha is ignored: the colours count as if opaque.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidFrame`] when `bytes` or `row_stride` do not fit the size.
    pub fn bgra8(bytes: &'a [u8], width: u32, height: u32, row_stride: usize) -> Result<Frame<'a>> {
        Frame::packed(bytes, width, height, row_stride, Packed::Bgra8)
    }

    /// One byte a pixel, read as red = green = blue.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidFrame`] when `bytes` or `row_stride` do not fit the size.
    pub fn gray8(bytes: &'a [u8], width: u32, height: u32, row_stride: usize) -> Result<Frame<'a>> {
        Frame::packed(bytes, width, height, row_stride, Packed::Gray8)
    }

    fn packed(bytes: &'a [u8], width: u32, height: u32, row_stride: usize, format: Packed) -> Result<Frame<'a>> {
        let pixel = format.bytes_per_pixel();
        check_size(width, height)?;
        check_plane("the pixels", bytes.len(), row_stride, pixel, pixel, width, height)?;
        Ok(Frame::trusted(width, height, Memory::Packed { bytes, row_stride, format }))
    }

    /// A frame whose memory is known to fit.
    pub(super) fn trusted(stored_width: u32, stored_height: u32, memory: Memory<'a>) -> Frame<'a> {
        Frame { stored_width, stored_height, orientation: Orientation::UPRIGHT, memory }
    }
}

/// YUV 4:2:0 formats: luma for every pixel, chroma for every second one each way, rounded up where a side is odd.
///
/// Matrix and range are stated by the caller because the memory does not tell them.
impl<'a> Frame<'a> {
    /// Three planes, as Android's `YUV_420_888` delivers them: any chroma pixel stride, interleaved or not, in either order.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidFrame`] when a plane or a stride does not fit the size.
    pub fn yuv420(
        y: Plane<'a>,
        u: Plane<'a>,
        v: Plane<'a>,
        width: u32,
        height: u32,
        matrix: YuvMatrix,
        range: YuvRange,
    ) -> Result<Frame<'a>> {
        check_size(width, height)?;
        let chroma = (width.div_ceil(2), height.div_ceil(2));
        for (name, plane, (width, height)) in [("Y", y, (width, height)), ("U", u, chroma), ("V", v, chroma)] {
            check_plane(name, plane.bytes.len(), plane.row_stride, plane.pixel_stride, 1, width, height)?;
        }
        Ok(Frame::trusted(width, height, Memory::Yuv { y, u, v, matrix, range }))
    }

    /// A luma plane and one chroma plane of U, V pairs, as iOS's `420f` and `420v` buffers hold them.
    ///
    /// The luma's pixel stride is 1, the chroma's 2.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidFrame`] when a plane or a stride does not fit the size.
    pub fn nv12(
        luma: Plane<'a>,
        chroma: Plane<'a>,
        width: u32,
        height: u32,
        matrix: YuvMatrix,
        range: YuvRange,
    ) -> Result<Frame<'a>> {
        let (u, v) = split_pairs(luma, chroma, width, height)?;
        Frame::yuv420(luma, u, v, width, height, matrix, range)
    }

    /// A luma plane and one chroma plane of V, U pairs: [`Frame::nv12`] with the pairs the other way round.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidFrame`] when a plane or a stride does not fit the size.
    pub fn nv21(
        luma: Plane<'a>,
        chroma: Plane<'a>,
        width: u32,
        height: u32,
        matrix: YuvMatrix,
        range: YuvRange,
    ) -> Result<Frame<'a>> {
        let (v, u) = split_pairs(luma, chroma, width, height)?;
        Frame::yuv420(luma, u, v, width, height, matrix, range)
    }
}

/// What a frame is, and where its upright pixels are stored.
impl<'a> Frame<'a> {
    /// The same pixels, to be read turned and mirrored like this. It replaces what was said before; see [`Orientation::then`].
    pub fn with_orientation(self, orientation: Orientation) -> Frame<'a> {
        Frame { orientation, ..self }
    }

    /// How the stored pixels have to be turned to be upright.
    pub fn orientation(&self) -> Orientation {
        self.orientation
    }

    /// The upright width, in pixels; at least 1.
    pub fn width(&self) -> u32 {
        self.orientation.upright_size(self.stored_width, self.stored_height).0
    }

    /// The upright height, in pixels; at least 1.
    pub fn height(&self) -> u32 {
        self.orientation.upright_size(self.stored_width, self.stored_height).1
    }

    /// Where a point of the upright frame lies in the buffer as stored, in pixels.
    pub fn stored_point(&self, upright: Point) -> Point {
        self.orientation.stored_point(upright, self.stored_width, self.stored_height)
    }

    /// Where a point of the buffer as stored lies in the upright frame, in pixels.
    pub fn upright_point(&self, stored: Point) -> Point {
        self.orientation.upright_point(stored, self.stored_width, self.stored_height)
    }

    /// Where a rectangle of the upright frame, such as a face's box, lies in the buffer as stored, in pixels.
    pub fn stored_rect(&self, upright: Rect) -> Rect {
        spanned(
            self.stored_point(Point::new(upright.left, upright.top)),
            self.stored_point(Point::new(upright.right, upright.bottom)),
        )
    }

    /// Where a rectangle of the buffer as stored lies in the upright frame, in pixels.
    pub fn upright_rect(&self, stored: Rect) -> Rect {
        spanned(
            self.upright_point(Point::new(stored.left, stored.top)),
            self.upright_point(Point::new(stored.right, stored.bottom)),
        )
    }
}

impl fmt::Debug for Frame<'_> {
    /// Format, size and orientation; never the pixels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Frame");
        match &self.memory {
            Memory::Packed { format, .. } => debug.field("format", format),
            Memory::Yuv { matrix, range, .. } => debug.field("format", &format_args!("Yuv420 {matrix:?} {range:?}")),
        };
        debug.field("width", &self.width()).field("height", &self.height()).field("orientation", &self.orientation).finish()
    }
}

/// The rectangle between two opposite corners.
fn spanned(a: Point, b: Point) -> Rect {
    Rect::new(a.x.min(b.x), a.y.min(b.y), a.x.max(b.x), a.y.max(b.y))
}

fn invalid(detail: String) -> Error {
    Error::new(ErrorCode::InvalidFrame, detail)
}

fn check_size(width: u32, height: u32) -> Result<()> {
    if !(1..=LONGEST_SIDE).contains(&width) || !(1..=LONGEST_SIDE).contains(&height) {
        return Err(invalid(format!("expected sides of 1…{LONGEST_SIDE} pixels, got {width}×{height}")));
    }
    Ok(())
}

/// Checks that a plane of `columns` × `rows` samples of `sample` bytes each lies within `length` bytes. The last row may end at its
/// last sample.
fn check_plane(
    name: &str,
    length: usize,
    row_stride: usize,
    pixel_stride: usize,
    sample: usize,
    columns: u32,
    rows: u32,
) -> Result<()> {
    if pixel_stride < sample {
        return Err(invalid(format!("{name}: expected a pixel stride of at least {sample}, got {pixel_stride}")));
    }
    let row = (columns as usize - 1).checked_mul(pixel_stride).and_then(|n| n.checked_add(sample));
    let needed = row.and_then(|row| (rows as usize - 1).checked_mul(row_stride)?.checked_add(row));
    let (Some(row), Some(needed)) = (row, needed) else {
        return Err(invalid(format!(
            "{name}: {columns}×{rows} samples in rows of {row_stride} bytes are more than can be addressed"
        )));
    };
    if rows > 1 && row_stride < row {
        return Err(invalid(format!("{name}: expected a row stride of at least {row} bytes, got {row_stride}")));
    }
    if length < needed {
        return Err(invalid(format!("{name}: expected at least {needed} bytes, got {length}")));
    }
    Ok(())
}

/// The first and the second of each pair of an interleaved chroma plane, as planes of their own.
fn split_pairs<'a>(luma: Plane<'a>, chroma: Plane<'a>, width: u32, height: u32) -> Result<(Plane<'a>, Plane<'a>)> {
    check_size(width, height)?;
    if luma.pixel_stride != 1 {
        return Err(invalid(format!("luma: expected a pixel stride of 1, got {}", luma.pixel_stride)));
    }
    if chroma.pixel_stride != 2 {
        return Err(invalid(format!("chroma: expected a pixel stride of 2, got {}", chroma.pixel_stride)));
    }
    check_plane("chroma", chroma.bytes.len(), chroma.row_stride, 2, 2, width.div_ceil(2), height.div_ceil(2))?;
    Ok((chroma, Plane { bytes: chroma.bytes.get(1..).unwrap_or_default(), ..chroma }))
}
