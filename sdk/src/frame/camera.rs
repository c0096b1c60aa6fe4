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
/// Matrix and range are stated by the caller because the memory does not tell them. Luma has a pixel stride of 1 in every format.
impl<'a> Frame<'a> {
    /// Three planes, as Android's `YUV_420_888` delivers them: chroma may be planar (pixel stride 1) or interleaved (2), and in
    /// memory U may come before V or after it.
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
        check_pixel_stride("Y", &y, 1)?;
        let chroma = (width.div_ceil(2), height.div_ceil(2));
        for (name, plane, (width, height)) in [("Y", y, (width, height)), ("U", u, chroma), ("V", v, chroma)] {
            check_plane(name, plane.bytes.len(), plane.row_stride, plane.pixel_stride, 1, width, height)?;
        }
        Ok(Frame::trusted(width, height, Memory::Yuv { y, u, v, matrix, range }))
    }

    /// A luma plane and one plane of U, V pairs (pixel stride 2), as iOS's `420f` and `420v` buffers hold them.
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
        let (u, v) = split_pairs(chroma, width, height)?;
        Frame::yuv420(luma, u, v, width, height, matrix, range)
    }

    /// A luma plane and one plane of V, U pairs (pixel stride 2): [`Frame::nv12`] with the pairs the other way round.
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
        let (v, u) = split_pairs(chroma, width, height)?;
        Frame::yuv420(luma, u, v, width, height, matrix, range)
    }

    /// [`Frame::nv12`] in one buffer: `height` rows of luma, and right after them the pairs in rows of the same stride.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidFrame`] when `bytes` or `row_stride` do not fit the size.
    pub fn nv12_contiguous(
        bytes: &'a [u8],
        width: u32,
        height: u32,
        row_stride: usize,
        matrix: YuvMatrix,
        range: YuvRange,
    ) -> Result<Frame<'a>> {
        let (luma, rest) = split_luma(bytes, height, row_stride)?;
        Frame::nv12(luma, Plane { bytes: rest, row_stride, pixel_stride: 2 }, width, height, matrix, range)
    }

    /// [`Frame::nv21`] in one buffer: `height` rows of luma, and right after them the pairs in rows of the same stride.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidFrame`] when `bytes` or `row_stride` do not fit the size.
    pub fn nv21_contiguous(
        bytes: &'a [u8],
        width: u32,
        height: u32,
        row_stride: usize,
        matrix: YuvMatrix,
        range: YuvRange,
    ) -> Result<Frame<'a>> {
        let (luma, rest) = split_luma(bytes, height, row_stride)?;
        Frame::nv21(luma, Plane { bytes: rest, row_stride, pixel_stride: 2 }, width, height, matrix, range)
    }

    /// I420 in one buffer: `height` rows of luma, then the rows of U, then those of V, both at half the stride rounded up. Where the
    /// three lie apart or in another order, use [`Frame::yuv420`].
    ///
    /// # Errors
    /// [`ErrorCode::InvalidFrame`] when `bytes` or `row_stride` do not fit the size.
    pub fn i420(
        bytes: &'a [u8],
        width: u32,
        height: u32,
        row_stride: usize,
        matrix: YuvMatrix,
        range: YuvRange,
    ) -> Result<Frame<'a>> {
        let (y, rest) = split_luma(bytes, height, row_stride)?;
        let (u, v) = split_rows("U", rest, height.div_ceil(2), row_stride.div_ceil(2))?;
        Frame::yuv420(y, u, Plane { bytes: v, ..u }, width, height, matrix, range)
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

fn check_pixel_stride(name: &str, plane: &Plane<'_>, expected: usize) -> Result<()> {
    if plane.pixel_stride != expected {
        return Err(invalid(format!("{name}: expected a pixel stride of {expected}, got {}", plane.pixel_stride)));
    }
    Ok(())
}

/// The first and the second of each pair of an interleaved chroma plane, as planes of their own.
fn split_pairs(chroma: Plane<'_>, width: u32, height: u32) -> Result<(Plane<'_>, Plane<'_>)> {
    check_size(width, height)?;
    check_pixel_stride("chroma", &chroma, 2)?;
    check_plane("chroma", chroma.bytes.len(), chroma.row_stride, 2, 2, width.div_ceil(2), height.div_ceil(2))?;
    Ok((chroma, Plane { bytes: chroma.bytes.get(1..).unwrap_or_default(), ..chroma }))
}

fn split_luma(bytes: &[u8], height: u32, row_stride: usize) -> Result<(Plane<'_>, &[u8])> {
    split_rows("luma", bytes, height, row_stride)
}

/// A plane of whole rows, and what follows it.
fn split_rows<'a>(name: &str, bytes: &'a [u8], rows: u32, row_stride: usize) -> Result<(Plane<'a>, &'a [u8])> {
    let needed = (rows as usize).saturating_mul(row_stride);
    match bytes.split_at_checked(needed) {
        Some((plane, rest)) => Ok((Plane { bytes: plane, row_stride, pixel_stride: 1 }, rest)),
        None => Err(invalid(format!("{name}: expected at least {needed} bytes before what follows it, got {}", bytes.len()))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use static_assertions::assert_impl_all;

    use super::*;
    use crate::frame::{Border, Rotation};
    use crate::geometry::Similarity;

    assert_impl_all!(Frame<'static>: Copy, Send, Sync);

    const BT601: (YuvMatrix, YuvRange) = (YuvMatrix::Bt601, YuvRange::Full);

    /// Bytes without a pattern that a wrong index could hit by chance.
    fn noise(length: usize) -> Vec<u8> {
        (0..length as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
    }

    /// The whole upright frame as RGB.
    fn rgb(frame: Frame<'_>) -> Vec<u8> {
        let (width, height) = (frame.width() as usize, frame.height() as usize);
        let mut rgb = vec![0; width * height * 3];
        frame.sample(&Similarity::IDENTITY, width, height, Border::Replicate, &mut rgb);
        rgb
    }

    /// The same rows of `row` bytes at a larger stride, the gaps filled, the last row without its gap.
    fn padded(tight: &[u8], row: usize, stride: usize) -> Vec<u8> {
        let mut bytes: Vec<u8> = tight.chunks(row).flat_map(|r| r.iter().copied().chain(vec![0xee; stride - row])).collect();
        bytes.truncate(bytes.len() - (stride - row));
        bytes
    }

    fn detail(result: Result<Frame<'_>>) -> String {
        let error = result.unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidFrame);
        error.detail().to_string()
    }

    type PackedConstructor = for<'a> fn(&'a [u8], u32, u32, usize) -> Result<Frame<'a>>;
    const PACKED: [(PackedConstructor, usize); 5] = [
        (|b, w, h, s| Frame::rgb8(b, w, h, s), 3),
        (|b, w, h, s| Frame::bgr8(b, w, h, s), 3),
        (|b, w, h, s| Frame::rgba8(b, w, h, s), 4),
        (|b, w, h, s| Frame::bgra8(b, w, h, s), 4),
        (|b, w, h, s| Frame::gray8(b, w, h, s), 1),
    ];

    #[test]
    fn a_stride_changes_nothing_in_packed_formats() {
        for (constructor, size) in PACKED {
            let tight = noise(13 * 7 * size);
            let expected = rgb(constructor(&tight, 13, 7, 13 * size).unwrap());
            for stride in [13 * size + 1, 64] {
                let bytes = padded(&tight, 13 * size, stride);
                assert_eq!(rgb(constructor(&bytes, 13, 7, stride).unwrap()), expected, "{size} bytes a pixel, stride {stride}");
                assert_eq!(
                    detail(constructor(&bytes[1..], 13, 7, stride)),
                    format!("the pixels: expected at least {} bytes, got {}", bytes.len(), bytes.len() - 1)
                );
            }
        }
    }

    #[test]
    fn component_orders_read_the_same() {
        let bytes = noise(6 * 4 * 3);
        let with = |order: [usize; 3], alpha: Option<u8>| -> Vec<u8> {
            bytes.chunks(3).flat_map(|p| order.iter().map(|&c| p[c]).chain(alpha)).collect()
        };
        assert_eq!(rgb(Frame::rgb8(&bytes, 6, 4, 18).unwrap()), bytes);
        assert_eq!(rgb(Frame::bgr8(&with([2, 1, 0], None), 6, 4, 18).unwrap()), bytes);
        assert_eq!(rgb(Frame::rgba8(&with([0, 1, 2], Some(0)), 6, 4, 24).unwrap()), bytes);
        assert_eq!(rgb(Frame::bgra8(&with([2, 1, 0], Some(9)), 6, 4, 24).unwrap()), bytes);
        let gray: Vec<u8> = bytes.iter().flat_map(|&g| [g, g, g]).collect();
        assert_eq!(rgb(Frame::gray8(&bytes, 18, 4, 18).unwrap()), gray);
    }

    /// Y, U and V, tight.
    fn planes(width: usize, height: usize) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let chroma = width.div_ceil(2) * height.div_ceil(2);
        let all = noise(width * height + 2 * chroma);
        (all[..width * height].to_vec(), all[width * height..][..chroma].to_vec(), all[width * height + chroma..].to_vec())
    }

    fn plane(bytes: &[u8], row_stride: usize, pixel_stride: usize) -> Plane<'_> {
        Plane { bytes, row_stride, pixel_stride }
    }

    fn pairs(first: &[u8], second: &[u8]) -> Vec<u8> {
        first.iter().zip(second).flat_map(|(a, b)| [*a, *b]).collect()
    }

    #[test]
    fn every_yuv_layout_reads_the_same() {
        let (matrix, range) = BT601;
        for (w, h) in [(10usize, 6usize), (11, 7), (1, 1), (2, 1)] {
            let (width, height) = (w as u32, h as u32);
            let (cw, ch) = (w.div_ceil(2), h.div_ceil(2));
            let (y, u, v) = planes(w, h);
            let luma = plane(&y[..], w, 1);
            let expected = rgb(Frame::yuv420(luma, plane(&u, cw, 1), plane(&v, cw, 1), width, height, matrix, range).unwrap());

            for (cs, ys) in [(cw * 2, w), (cw * 2 + 5, w + 3), (64, 64)] {
                let y = padded(&y, w, ys);
                let luma = plane(&y, ys, 1);
                let uv = padded(&pairs(&u, &v), cw * 2, cs);
                let vu = padded(&pairs(&v, &u), cw * 2, cs);
                let nv12 = Frame::nv12(luma, plane(&uv, cs, 2), width, height, matrix, range).unwrap();
                let nv21 = Frame::nv21(luma, plane(&vu, cs, 2), width, height, matrix, range).unwrap();
                assert_eq!(rgb(nv12), expected, "NV12 {w}×{h} stride {cs}");
                assert_eq!(rgb(nv21), expected, "NV21 {w}×{h} stride {cs}");
                // Android's interleaved planes overlap, and each ends one byte before the other's last.
                let last = uv.len() - 1;
                let (u_first, v_second) = (plane(&uv[..last], cs, 2), plane(&uv[1..], cs, 2));
                assert_eq!(rgb(Frame::yuv420(luma, u_first, v_second, width, height, matrix, range).unwrap()), expected);
                let (v_first, u_second) = (plane(&vu[..last], cs, 2), plane(&vu[1..], cs, 2));
                assert_eq!(rgb(Frame::yuv420(luma, u_second, v_first, width, height, matrix, range).unwrap()), expected);
                let (u, v) = (padded(&u, cw, cs), padded(&v, cw, cs));
                assert_eq!(
                    rgb(Frame::yuv420(luma, plane(&u, cs, 1), plane(&v, cs, 1), width, height, matrix, range).unwrap()),
                    expected
                );
            }

            for stride in [cw * 2, cw * 2 + 5, 64] {
                let gap = |mut rows: Vec<u8>, length: usize| {
                    rows.resize(length, 0xee);
                    rows
                };
                let y = gap(padded(&y, w, stride), stride * h);
                let half = stride.div_ceil(2);
                let i420 = [y.clone(), gap(padded(&u, cw, half), half * ch), padded(&v, cw, half)].concat();
                let nv12 = [y.clone(), padded(&pairs(&u, &v), cw * 2, stride)].concat();
                let nv21 = [y, padded(&pairs(&v, &u), cw * 2, stride)].concat();
                assert_eq!(rgb(Frame::i420(&i420, width, height, stride, matrix, range).unwrap()), expected);
                assert_eq!(rgb(Frame::nv12_contiguous(&nv12, width, height, stride, matrix, range).unwrap()), expected);
                assert_eq!(rgb(Frame::nv21_contiguous(&nv21, width, height, stride, matrix, range).unwrap()), expected);
                detail(Frame::i420(&i420[..i420.len() - 1], width, height, stride, matrix, range));
                detail(Frame::nv21_contiguous(&nv21[..nv21.len() - 1], width, height, stride, matrix, range));
            }
        }
    }

    /// A phone's frame of 864 × 480 in rows of 896 bytes: the planes end at the last pixel.
    #[test]
    fn a_last_row_short_of_its_stride_is_normal() {
        let (w, h, stride) = (864usize, 480usize, 896usize);
        let (matrix, range) = BT601;
        let y = noise(stride * (h - 1) + w);
        let vu = noise(stride * (h / 2 - 1) + w);
        let luma = Plane { bytes: &y, row_stride: stride, pixel_stride: 1 };
        let v = Plane { bytes: &vu[..vu.len() - 1], row_stride: stride, pixel_stride: 2 };
        let u = Plane { bytes: &vu[1..], row_stride: stride, pixel_stride: 2 };
        let frame = Frame::yuv420(luma, u, v, w as u32, h as u32, matrix, range).unwrap();
        assert_eq!((frame.width(), frame.height()), (864, 480));
        let short = Plane { bytes: &vu[2..], row_stride: stride, pixel_stride: 2 };
        let needed = stride * (h / 2 - 1) + w - 1;
        assert_eq!(
            detail(Frame::yuv420(luma, short, v, w as u32, h as u32, matrix, range)),
            format!("U: expected at least {needed} bytes, got {}", needed - 1)
        );
    }

    #[test]
    fn impossible_geometry_is_refused() {
        let bytes = [0u8; 64];
        let (matrix, range) = BT601;
        assert_eq!(detail(Frame::rgb8(&bytes, 0, 4, 12)), "expected sides of 1…524288 pixels, got 0×4");
        assert_eq!(detail(Frame::gray8(&bytes, 4, 0, 4)), "expected sides of 1…524288 pixels, got 4×0");
        assert_eq!(detail(Frame::gray8(&bytes, u32::MAX, 1, 4)), "expected sides of 1…524288 pixels, got 4294967295×1");
        assert_eq!(detail(Frame::rgba8(&bytes, 4, 4, 15)), "the pixels: expected a row stride of at least 16 bytes, got 15");
        assert!(detail(Frame::gray8(&bytes, 4, 4, usize::MAX)).contains("more than can be addressed"));
        assert!(detail(Frame::i420(&bytes, 4, 4, usize::MAX, matrix, range)).contains("expected at least"));
        let plane = |row_stride, pixel_stride| Plane { bytes: &bytes, row_stride, pixel_stride };
        let nv21 = |luma, chroma| Frame::nv21(luma, chroma, 4, 4, matrix, range);
        assert!(nv21(plane(4, 1), plane(4, 2)).is_ok());
        assert_eq!(detail(nv21(plane(8, 2), plane(4, 2))), "Y: expected a pixel stride of 1, got 2");
        assert_eq!(detail(nv21(plane(4, 1), plane(4, 1))), "chroma: expected a pixel stride of 2, got 1");
        assert_eq!(detail(nv21(plane(4, 1), plane(3, 2))), "chroma: expected a row stride of at least 4 bytes, got 3");
        let yuv420 = Frame::yuv420(plane(4, 1), plane(2, 0), plane(2, 1), 4, 4, matrix, range);
        assert_eq!(detail(yuv420), "U: expected a pixel stride of at least 1, got 0");
    }

    /// Three planes of YUV_420_888 joined as they come are not NV21: one byte is missing at the least.
    #[test]
    fn joined_planes_are_not_taken_for_nv21() {
        let (w, h) = (640u32, 480u32);
        let joined = vec![0u8; (w * h + w * h / 4) as usize];
        let result = Frame::nv21_contiguous(&joined, w, h, w as usize, YuvMatrix::Bt601, YuvRange::Full);
        assert_eq!(detail(result), "chroma: expected at least 153600 bytes, got 76800");
    }

    #[test]
    fn boxes_map_back_to_the_buffer() {
        let bytes = noise(640 * 480);
        let orientation = Orientation { rotation: Rotation::Clockwise90, mirrored: true };
        let frame = Frame::gray8(&bytes, 640, 480, 640).unwrap().with_orientation(orientation);
        assert_eq!((frame.width(), frame.height(), frame.orientation()), (480, 640, orientation));
        // Turned and mirrored is transposed.
        assert_eq!(frame.stored_point(Point::new(10.5, 20.0)), Point::new(20.0, 10.5));
        let upright = Rect::new(10.0, 20.0, 110.0, 170.0);
        assert_eq!(frame.stored_rect(upright), Rect::new(20.0, 10.0, 170.0, 110.0));
        assert_eq!(frame.upright_rect(frame.stored_rect(upright)), upright);
        let turned = frame.with_orientation(Orientation { mirrored: false, ..orientation });
        assert_eq!(turned.stored_rect(upright), Rect::new(20.0, 369.0, 170.0, 469.0));
        assert_eq!(turned.upright_rect(turned.stored_rect(upright)), upright);
    }

    #[test]
    fn debug_shows_no_pixels() {
        let bytes = [201u8; 48];
        let frame = Frame::rgb8(&bytes, 4, 4, 12).unwrap();
        let plane = Plane { bytes: &bytes, row_stride: 4, pixel_stride: 1 };
        for text in [format!("{frame:?}"), format!("{plane:?}")] {
            assert!(!text.contains("201"), "{text}");
        }
        assert!(format!("{frame:?}").contains("Rgb8"));
    }

    proptest! {
        /// Whatever is accepted can be read in full.
        #[test]
        fn accepted_frames_are_readable(
            length in 0usize..400, w in 0u32..20, h in 0u32..20, stride in 0usize..40, pixel_stride in 0usize..3, cut in 0usize..20,
        ) {
            let bytes = noise(length);
            let (matrix, range) = BT601;
            let plane = |pixel_stride| Plane { bytes: &bytes[cut.min(length)..], row_stride: stride, pixel_stride };
            let frames = [
                Frame::yuv420(plane(1), plane(pixel_stride), plane(1), w, h, matrix, range),
                Frame::nv12(plane(1), plane(2), w, h, matrix, range),
                Frame::nv21_contiguous(&bytes, w, h, stride, matrix, range),
                Frame::i420(&bytes, w, h, stride, matrix, range),
            ];
            for frame in frames.into_iter().chain(PACKED.map(|(constructor, _)| constructor(&bytes, w, h, stride))).flatten() {
                prop_assert_eq!(rgb(frame).len(), (w * h * 3) as usize);
            }
        }
    }
}
