//! Pictures that come in: frames in the caller's memory, and files.

use std::ffi::{CStr, c_char};

use veriface::{Error, ErrorCode, Photo, Plane, Result, Sample};
use veriface_bridge::{Layout, camera_frame, landmarks};

/// Three bytes a pixel: red, green, blue.
pub const VF_FORMAT_RGB8: i32 = 1;
/// Three bytes a pixel: blue, green, red.
pub const VF_FORMAT_BGR8: i32 = 2;
/// Four bytes a pixel: red, green, blue, alpha, which is ignored.
pub const VF_FORMAT_RGBA8: i32 = 3;
/// Four bytes a pixel: blue, green, red, alpha, which is ignored.
pub const VF_FORMAT_BGRA8: i32 = 4;
/// One byte a pixel.
pub const VF_FORMAT_GRAY8: i32 = 5;
/// Luma, then U, V pairs: one buffer or two planes.
pub const VF_FORMAT_NV12: i32 = 6;
/// Luma, then V, U pairs: one buffer or two planes.
pub const VF_FORMAT_NV21: i32 = 7;
/// Luma, U, V: one buffer or three planes.
pub const VF_FORMAT_I420: i32 = 8;
/// Three planes with the strides that an Android camera reports.
pub const VF_FORMAT_YUV_420_888: i32 = 9;

/// ITU-R BT.601: JPEG, and most cameras.
pub const VF_MATRIX_BT601: i32 = 601;
/// ITU-R BT.709: high-definition video.
pub const VF_MATRIX_BT709: i32 = 709;

/// 0…255: JPEG, most cameras' analysis streams.
pub const VF_RANGE_FULL: i32 = 0;
/// 16…235 for luma and 16…240 for chroma: video, and V4L2's default for YUV.
pub const VF_RANGE_VIDEO: i32 = 1;

/// One plane of a frame.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct vf_plane {
    /// The first byte; NULL when the frame has no such plane.
    pub bytes: *const u8,
    /// How many bytes may be read. The last row may end at its last pixel.
    pub length: usize,
    /// Bytes from one row's start to the next's (V4L2's `bytesperline`); 0 for rows without a gap.
    pub row_stride: usize,
    /// Bytes from one sample to the next; 0 for the format's own.
    pub pixel_stride: usize,
}

/// A frame in the caller's memory, which is read during the call and not copied.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct vf_frame {
    /// One of `VF_FORMAT_…`.
    pub format: i32,
    /// The width as stored, in pixels.
    pub width: i32,
    /// The height as stored, in pixels.
    pub height: i32,
    /// Degrees clockwise to upright: 0, 90, 180 or 270.
    pub rotation: i32,
    /// Whether the stored pixels are mirrored; a mirrored preview does not mean that they are.
    pub mirrored: bool,
    /// `VF_MATRIX_BT601` or `VF_MATRIX_BT709`, for YUV formats.
    pub matrix: i32,
    /// `VF_RANGE_FULL` or `VF_RANGE_VIDEO`, for YUV formats.
    pub range: i32,
    /// The planes, in the format's order.
    pub planes: [vf_plane; 3],
    /// Whether another detector has found the face, at `landmarks`; then nothing is detected in the frame.
    pub has_landmarks: bool,
    /// x and y, in pixels of the upright frame, of the eye on the picture's left, the one on its right, the nose, the mouth's left and right
    /// corner. Another order is `VF_ERROR_INVALID_LANDMARKS`.
    pub landmarks: [f32; 10],
}

/// The frame that lies in the caller's memory.
///
/// # Safety
/// `frame` is null or points to a frame whose planes may be read, and are not written, for as long as the result lives.
pub(crate) unsafe fn borrowed<'a>(frame: *const vf_frame) -> Result<Sample<'a>> {
    // SAFETY: it is null or may be read.
    let frame = unsafe { frame.as_ref() }.ok_or_else(|| missing("frame"))?;
    let layout = Layout::from_numbers(
        frame.format,
        (frame.width, frame.height),
        frame.matrix,
        frame.range,
        frame.rotation,
        frame.mirrored,
    )?;
    let planes = frame.planes.map(|plane| Plane {
        // SAFETY: the caller says that `length` bytes may be read.
        bytes: unsafe { slice(plane.bytes, plane.length) },
        row_stride: plane.row_stride,
        pixel_stride: plane.pixel_stride,
    });
    let landmarks = landmarks(if frame.has_landmarks { &frame.landmarks } else { &[] })?;
    Ok(Sample::new(camera_frame(&layout, &planes)?, landmarks))
}

/// `length` elements, or none where the pointer is null.
///
/// # Safety
/// `length` elements may be read, and are not written, for as long as the result lives.
pub(crate) unsafe fn slice<'a, T>(first: *const T, length: usize) -> &'a [T] {
    if first.is_null() || length > isize::MAX as usize / size_of::<T>().max(1) {
        return &[];
    }
    // SAFETY: it is not null and no longer than memory can be; the rest is the caller's promise.
    unsafe { std::slice::from_raw_parts(first, length) }
}

/// The picture file at this path.
///
/// # Safety
/// `path` is null or ends with a zero.
pub(crate) unsafe fn photo(path: *const c_char) -> Result<Photo> {
    // SAFETY: the caller's promise.
    Photo::open(unsafe { words("path", path) }?)
}

/// A C string as text.
///
/// # Safety
/// `words` is null or ends with a zero, and lives as long as the result.
pub(crate) unsafe fn words<'a>(name: &str, words: *const c_char) -> Result<&'a str> {
    if words.is_null() {
        return Err(missing(name));
    }
    // SAFETY: it is not null, and the caller has it that it ends.
    let words = unsafe { CStr::from_ptr(words) };
    words.to_str().map_err(|_| Error::new(ErrorCode::InvalidArgument, format!("`{name}` is not UTF-8")))
}

pub(crate) fn missing(name: &str) -> Error {
    Error::new(ErrorCode::InvalidArgument, format!("`{name}` is NULL"))
}
