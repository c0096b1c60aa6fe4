//! Frames as they cross a bridge: numbers and planes, made a [`Frame`] without a copy.

use veriface::{Error, ErrorCode, Frame, Orientation, Plane, Result, Rotation, YuvMatrix, YuvRange};

/// How a frame's pixels lie in memory. Its numbers are the same in every binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum PixelFormat {
    /// Three bytes a pixel: red, green, blue.
    Rgb8 = 1,
    /// Three bytes a pixel: blue, green, red.
    Bgr8 = 2,
    /// Four bytes a pixel: red, green, blue, alpha, which is ignored.
    Rgba8 = 3,
    /// Four bytes a pixel: blue, green, red, alpha, which is ignored.
    Bgra8 = 4,
    /// One byte a pixel.
    Gray8 = 5,
    /// Luma, then U, V pairs: one buffer or two planes.
    Nv12 = 6,
    /// Luma, then V, U pairs: one buffer or two planes.
    Nv21 = 7,
    /// Luma, U, V: one buffer or three planes.
    I420 = 8,
    /// Android's `YUV_420_888`: three planes with the strides that the camera reports.
    Yuv420 = 9,
}

impl PixelFormat {
    /// Every format, in the order of the numbers.
    pub const ALL: [PixelFormat; 9] = [
        PixelFormat::Rgb8,
        PixelFormat::Bgr8,
        PixelFormat::Rgba8,
        PixelFormat::Bgra8,
        PixelFormat::Gray8,
        PixelFormat::Nv12,
        PixelFormat::Nv21,
        PixelFormat::I420,
        PixelFormat::Yuv420,
    ];

    /// The format with this number.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`].
    pub fn from_number(number: i32) -> Result<PixelFormat> {
        let found = PixelFormat::ALL.into_iter().find(|format| *format as i32 == number);
        found.ok_or_else(|| Error::new(ErrorCode::InvalidArgument, format!("a pixel format is 1…9, not {number}")))
    }

    fn is_yuv(self) -> bool {
        matches!(self, PixelFormat::Nv12 | PixelFormat::Nv21 | PixelFormat::I420 | PixelFormat::Yuv420)
    }

    fn bytes_per_pixel(self) -> usize {
        match self {
            PixelFormat::Rgb8 | PixelFormat::Bgr8 => 3,
            PixelFormat::Rgba8 | PixelFormat::Bgra8 => 4,
            _ => 1,
        }
    }
}

/// What a frame's memory means, apart from the planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The format.
    pub format: PixelFormat,
    /// The width as stored, in pixels.
    pub width: u32,
    /// The height as stored, in pixels.
    pub height: u32,
    /// The luma weights of a YUV format.
    pub matrix: YuvMatrix,
    /// The code values of a YUV format.
    pub range: YuvRange,
    /// How the stored pixels have to be turned and mirrored to be upright.
    pub orientation: Orientation,
}

impl Layout {
    /// A layout from the numbers that cross a bridge: `matrix` 601 or 709 and `range` 0 for full or 1 for video, which only the YUV formats
    /// have; `rotation` the degrees clockwise to upright (CameraX's `rotationDegrees`).
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] for a number that means nothing, [`ErrorCode::InvalidFrame`] for a size below 1.
    pub fn from_numbers(
        format: i32,
        (width, height): (i32, i32),
        matrix: i32,
        range: i32,
        rotation: i32,
        mirrored: bool,
    ) -> Result<Layout> {
        let invalid = |what: &str, number: i32| Error::new(ErrorCode::InvalidArgument, format!("{what}, not {number}"));
        let side = |side: i32| {
            u32::try_from(side).map_err(|_| {
                Error::new(ErrorCode::InvalidFrame, format!("expected sides of at least 1 pixel, got {width}×{height}"))
            })
        };
        let format = PixelFormat::from_number(format)?;
        // The packed formats have neither, and whoever fills in a frame of theirs may leave both at 0.
        let (matrix, range) = if format.is_yuv() { (matrix, range) } else { (601, 0) };
        Ok(Layout {
            format,
            width: side(width)?,
            height: side(height)?,
            matrix: match matrix {
                601 => YuvMatrix::Bt601,
                709 => YuvMatrix::Bt709,
                other => return Err(invalid("a YUV matrix is 601 or 709", other)),
            },
            range: match range {
                0 => YuvRange::Full,
                1 => YuvRange::Video,
                other => return Err(invalid("a YUV range is 0 (full) or 1 (video)", other)),
            },
            orientation: Orientation {
                rotation: Rotation::from_degrees(rotation)
                    .ok_or_else(|| invalid("a rotation is 0, 90, 180 or 270 degrees", rotation))?,
                mirrored,
            },
        })
    }
}

/// The frame that lies in these planes. A row stride of 0 stands for rows without a gap, a pixel stride of 0 for the format's own; a plane
/// without bytes is not there.
///
/// # Errors
/// [`ErrorCode::InvalidFrame`] when the number of planes, a length or a stride does not fit the format and size.
pub fn camera_frame<'a>(layout: &Layout, planes: &[Plane<'a>]) -> Result<Frame<'a>> {
    let Layout { format, width, height, matrix, range, orientation } = *layout;
    let given = planes.iter().position(|plane| plane.bytes.is_empty()).unwrap_or(planes.len());
    let planes = planes.get(..given).unwrap_or_default();
    let tight = |plane: Plane<'a>, row: usize, pixel: usize| Plane {
        row_stride: if plane.row_stride == 0 { row } else { plane.row_stride },
        pixel_stride: if plane.pixel_stride == 0 { pixel } else { plane.pixel_stride },
        ..plane
    };
    let (row, half) = (width as usize, width.div_ceil(2) as usize);
    let frame = match (format, planes) {
        (PixelFormat::Rgb8 | PixelFormat::Bgr8 | PixelFormat::Rgba8 | PixelFormat::Bgra8 | PixelFormat::Gray8, &[plane]) => {
            let size = format.bytes_per_pixel();
            let plane = tight(plane, row.saturating_mul(size), size);
            if plane.pixel_stride != size {
                return Err(invalid(format!("expected a pixel stride of {size}, got {}", plane.pixel_stride)));
            }
            let make = match format {
                PixelFormat::Rgb8 => Frame::rgb8,
                PixelFormat::Bgr8 => Frame::bgr8,
                PixelFormat::Rgba8 => Frame::rgba8,
                PixelFormat::Bgra8 => Frame::bgra8,
                _ => Frame::gray8,
            };
            make(plane.bytes, width, height, plane.row_stride)
        }
        (PixelFormat::Nv12 | PixelFormat::Nv21 | PixelFormat::I420, &[all]) => {
            let all = tight(all, half.saturating_mul(2), 1);
            let make = match format {
                PixelFormat::Nv12 => Frame::nv12_contiguous,
                PixelFormat::Nv21 => Frame::nv21_contiguous,
                _ => Frame::i420,
            };
            make(all.bytes, width, height, all.row_stride, matrix, range)
        }
        (PixelFormat::Nv12 | PixelFormat::Nv21, &[luma, pairs]) => {
            let make = if format == PixelFormat::Nv12 { Frame::nv12 } else { Frame::nv21 };
            make(tight(luma, row, 1), tight(pairs, half.saturating_mul(2), 2), width, height, matrix, range)
        }
        (PixelFormat::I420 | PixelFormat::Yuv420, &[y, u, v]) => {
            Frame::yuv420(tight(y, row, 1), tight(u, half, 1), tight(v, half, 1), width, height, matrix, range)
        }
        (format, planes) => Err(invalid(format!("{format:?} in {} planes with bytes", planes.len()))),
    }?;
    Ok(frame.with_orientation(orientation))
}

fn invalid(detail: String) -> Error {
    Error::new(ErrorCode::InvalidFrame, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(format: PixelFormat) -> Layout {
        Layout::from_numbers(format as i32, (5, 3), 601, 0, 0, false).unwrap()
    }

    fn plane(bytes: &[u8]) -> Plane<'_> {
        Plane { bytes, row_stride: 0, pixel_stride: 0 }
    }

    fn rgb(format: PixelFormat, planes: &[Plane<'_>]) -> Vec<u8> {
        camera_frame(&layout(format), planes).unwrap().to_upright_rgb()
    }

    /// 5 × 3: sides that halve to 3 × 2.
    #[test]
    fn every_format_reads_the_pixels_that_it_names() {
        let colours: Vec<[u8; 3]> = (0..15).map(|i| [i * 3, 100 + i, 250 - i * 2]).collect();
        let expected = colours.concat();
        let of = |order: &dyn Fn(&[u8; 3]) -> Vec<u8>| colours.iter().flat_map(order).collect::<Vec<u8>>();
        assert_eq!(rgb(PixelFormat::Rgb8, &[plane(&expected)]), expected);
        assert_eq!(rgb(PixelFormat::Bgr8, &[plane(&of(&|c| vec![c[2], c[1], c[0]]))]), expected);
        assert_eq!(rgb(PixelFormat::Rgba8, &[plane(&of(&|c| vec![c[0], c[1], c[2], 7]))]), expected);
        assert_eq!(rgb(PixelFormat::Bgra8, &[plane(&of(&|c| vec![c[2], c[1], c[0], 7]))]), expected);
        let grey: Vec<u8> = (0..15).collect();
        assert_eq!(rgb(PixelFormat::Gray8, &[plane(&grey)]), grey.iter().flat_map(|g| [*g; 3]).collect::<Vec<u8>>());
    }

    #[test]
    fn every_yuv_layout_reads_the_same() {
        let y: Vec<u8> = (0..15).map(|i| 60 + i * 9).collect();
        let u = [90, 120, 160, 100, 128, 200];
        let v = [200, 150, 128, 30, 90, 70];
        let pairs = |a: &[u8], b: &[u8]| a.iter().zip(b).flat_map(|(a, b)| [*a, *b]).collect::<Vec<u8>>();
        let (uv, vu) = (pairs(&u, &v), pairs(&v, &u));
        let expected = rgb(PixelFormat::Yuv420, &[plane(&y), plane(&u), plane(&v)]);
        assert_eq!(rgb(PixelFormat::I420, &[plane(&y), plane(&u), plane(&v)]), expected);
        assert_eq!(rgb(PixelFormat::Nv12, &[plane(&y), plane(&uv)]), expected);
        assert_eq!(rgb(PixelFormat::Nv21, &[plane(&y), plane(&vu), plane(&[])]), expected);
        // One buffer has one stride; that of an odd width is rounded up to whole pairs.
        let rows: Vec<u8> = y.chunks(5).flat_map(|row| row.iter().copied().chain([0])).collect();
        assert_eq!(rgb(PixelFormat::Nv12, &[plane(&[&rows[..], &uv].concat())]), expected);
        assert_eq!(rgb(PixelFormat::Nv21, &[plane(&[&rows[..], &vu].concat())]), expected);
        assert_eq!(rgb(PixelFormat::I420, &[plane(&[&rows[..], &u, &v].concat())]), expected);
        // Interleaved chroma as Android reports it.
        let strided = |bytes| Plane { bytes, row_stride: 6, pixel_stride: 2 };
        assert_eq!(rgb(PixelFormat::Yuv420, &[plane(&y), strided(&uv[..11]), strided(&uv[1..])]), expected);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let bytes = [0; 64];
        let code = |format, planes: &[Plane<'_>]| camera_frame(&layout(format), planes).unwrap_err().code();
        assert_eq!(code(PixelFormat::Rgb8, &[]), ErrorCode::InvalidFrame);
        assert_eq!(code(PixelFormat::Rgb8, &[plane(&bytes), plane(&bytes)]), ErrorCode::InvalidFrame);
        assert_eq!(code(PixelFormat::Rgb8, &[plane(&bytes[..44])]), ErrorCode::InvalidFrame);
        assert_eq!(code(PixelFormat::Rgb8, &[Plane { pixel_stride: 4, ..plane(&bytes) }]), ErrorCode::InvalidFrame);
        assert_eq!(code(PixelFormat::Yuv420, &[plane(&bytes), plane(&bytes)]), ErrorCode::InvalidFrame);
        for (numbers, code) in [
            ((0, (5, 3), 601, 0, 0), ErrorCode::InvalidArgument),
            ((10, (5, 3), 601, 0, 0), ErrorCode::InvalidArgument),
            ((1, (-5, 3), 601, 0, 0), ErrorCode::InvalidFrame),
            ((6, (5, 3), 0, 0, 0), ErrorCode::InvalidArgument),
            ((9, (5, 3), 601, 2, 0), ErrorCode::InvalidArgument),
            ((1, (5, 3), 601, 0, 45), ErrorCode::InvalidArgument),
        ] {
            let (format, size, matrix, range, rotation) = numbers;
            assert_eq!(
                Layout::from_numbers(format, size, matrix, range, rotation, false).unwrap_err().code(),
                code,
                "{numbers:?}"
            );
        }
    }

    /// HyperInspire/InspireFace 164: the degrees are CameraX's, clockwise to upright.
    #[test]
    fn rotation_is_clockwise_to_upright() {
        let grey: Vec<u8> = (0..15).collect();
        let turned = Layout::from_numbers(5, (5, 3), 601, 0, 90, false).unwrap();
        let frame = camera_frame(&turned, &[plane(&grey)]).unwrap();
        assert_eq!((frame.width(), frame.height()), (3, 5));
        // The stored lower left corner becomes the upper left one.
        assert_eq!(frame.to_upright_rgb()[0], 10);
        let mirrored = Layout::from_numbers(5, (5, 3), 601, 0, 0, true).unwrap();
        assert_eq!(camera_frame(&mirrored, &[plane(&grey)]).unwrap().to_upright_rgb()[0], 4);
    }
}
