//! Reading a frame through a similarity: the one way in which pixels reach a network.
//!
//! The result is the same, bit for bit, on every architecture and however the upright picture is stored. Positions are computed with
//! `f64` operations that IEEE 754 rounds exactly, then rounded once to a grid of 1/2048 pixel; from there on everything is integer.
//! The grid position is mapped to the stored pixels without rounding, so that a turned or mirrored buffer gives the same four
//! neighbours with the same four weights.

use crate::geometry::Similarity;

use super::Frame;
use super::camera::{Memory, Packed, Plane, YuvMatrix, YuvRange};

/// What lies outside the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// One colour, RGB; positions up to one pixel outside blend towards it, like OpenCV's `BORDER_CONSTANT`.
    Constant([u8; 3]),
    /// The nearest pixel of the edge.
    Replicate,
}

/// Positions lie on a grid of 2⁻¹¹ pixel.
const GRID_BITS: u32 = 11;
const GRID: i64 = 1 << GRID_BITS;

/// The most samples averaged each way for one output pixel. Beyond a shrink of 16 some frame pixels stay unread.
const MOST_SAMPLES: u32 = 8;

impl Frame<'_> {
    /// A copy of the whole frame, upright: `width · height · 3` bytes, RGB, rows from the top. To show or draw on; nothing in the SDK
    /// needs it.
    pub fn to_upright_rgb(&self) -> Vec<u8> {
        let (width, height) = (self.width() as usize, self.height() as usize);
        let mut rgb = vec![0; width * height * 3];
        self.sample(&Similarity::IDENTITY, width, height, Border::Replicate, &mut rgb);
        rgb
    }

    /// Fills `rgb` (`width · height · 3` bytes, RGB, rows from the top) with what the upright frame shows through `to_frame`, which
    /// maps pixel positions of the output to pixel positions of the upright frame, centres at integers.
    ///
    /// Each value is interpolated bilinearly between four pixels and rounded once, half up. Where one step of the output is longer
    /// than two frame pixels, the mean of n × n positions spread evenly over the output pixel is taken instead of one, with n =
    /// ⌈step / 2⌉ and at most 8: plain interpolation would skip frame pixels and alias.
    ///
    /// A position that is not a number counts as one outside the frame, to its upper left.
    pub(crate) fn sample(&self, to_frame: &Similarity, width: usize, height: usize, border: Border, rgb: &mut [u8]) {
        debug_assert_eq!(rgb.len(), width * height * 3);
        let mut run = Run { frame: self, to_frame, width, height, border, rgb };
        match self.memory {
            Memory::Packed { bytes, row_stride, format } => match format {
                Packed::Rgb8 => run.fill(Components::<3, 0, 1, 2> { bytes, row_stride }),
                Packed::Bgr8 => run.fill(Components::<3, 2, 1, 0> { bytes, row_stride }),
                Packed::Rgba8 => run.fill(Components::<4, 0, 1, 2> { bytes, row_stride }),
                Packed::Bgra8 => run.fill(Components::<4, 2, 1, 0> { bytes, row_stride }),
                Packed::Gray8 => run.fill(Components::<1, 0, 0, 0> { bytes, row_stride }),
            },
            Memory::Yuv { y, u, v, matrix, range } => run.fill(Yuv { y, u, v, to_rgb: YuvToRgb::of(matrix, range) }),
        }
    }
}

/// Stored pixels, read one at a time as RGB, 0…255.
trait Pixels: Copy {
    fn rgb(self, x: usize, y: usize) -> [i32; 3];
}

/// Packed pixels of `N` bytes with red, green and blue at these places.
#[derive(Clone, Copy)]
struct Components<'a, const N: usize, const R: usize, const G: usize, const B: usize> {
    bytes: &'a [u8],
    row_stride: usize,
}

impl<const N: usize, const R: usize, const G: usize, const B: usize> Pixels for Components<'_, N, R, G, B> {
    #[inline(always)]
    fn rgb(self, x: usize, y: usize) -> [i32; 3] {
        let at = y * self.row_stride + x * N;
        let pixel = &self.bytes[at..at + N];
        [i32::from(pixel[R]), i32::from(pixel[G]), i32::from(pixel[B])]
    }
}

/// 4:2:0 pixels: each 2 × 2 block of luma shares the chroma stored for it.
#[derive(Clone, Copy)]
struct Yuv<'a> {
    y: Plane<'a>,
    u: Plane<'a>,
    v: Plane<'a>,
    to_rgb: YuvToRgb,
}

impl Pixels for Yuv<'_> {
    #[inline(always)]
    fn rgb(self, x: usize, y: usize) -> [i32; 3] {
        let at = |plane: Plane<'_>, x: usize, y: usize| i32::from(plane.bytes[y * plane.row_stride + x * plane.pixel_stride]);
        self.to_rgb.apply(at(self.y, x, y), at(self.u, x / 2, y / 2), at(self.v, x / 2, y / 2))
    }
}

/// The conversion in 16.16 fixed point, from the luma weights K_R and K_B: ITU-R BT.601-7 section 2.5, BT.709-6 section 3, and for
/// the full range JFIF 1.02.
#[derive(Clone, Copy)]
struct YuvToRgb {
    black: i32,
    y: i32,
    v_red: i32,
    u_green: i32,
    v_green: i32,
    u_blue: i32,
}

impl YuvToRgb {
    const fn of(matrix: YuvMatrix, range: YuvRange) -> YuvToRgb {
        const TABLES: [YuvToRgb; 4] = [
            YuvToRgb::new(0.299, 0.114, YuvRange::Full),
            YuvToRgb::new(0.299, 0.114, YuvRange::Video),
            YuvToRgb::new(0.2126, 0.0722, YuvRange::Full),
            YuvToRgb::new(0.2126, 0.0722, YuvRange::Video),
        ];
        TABLES[matrix as usize * 2 + range as usize]
    }

    const fn new(red: f64, blue: f64, range: YuvRange) -> YuvToRgb {
        let (black, y, c) = match range {
            YuvRange::Full => (0, 1.0, 1.0),
            YuvRange::Video => (16, 255.0 / 219.0, 255.0 / 224.0),
        };
        let green = 1.0 - red - blue;
        YuvToRgb {
            black,
            y: fixed(y),
            v_red: fixed(c * 2.0 * (1.0 - red)),
            u_green: fixed(c * 2.0 * blue * (1.0 - blue) / green),
            v_green: fixed(c * 2.0 * red * (1.0 - red) / green),
            u_blue: fixed(c * 2.0 * (1.0 - blue)),
        }
    }

    /// Luma codes below black count as black, as in OpenCV.
    #[inline(always)]
    fn apply(self, y: i32, u: i32, v: i32) -> [i32; 3] {
        let (u, v) = (u - 128, v - 128);
        let y = (y - self.black).max(0) * self.y + (1 << 15);
        [y + self.v_red * v, y - self.u_green * u - self.v_green * v, y + self.u_blue * u].map(|c| (c >> 16).clamp(0, 255))
    }
}

/// A positive factor in 16.16 fixed point, rounded.
const fn fixed(factor: f64) -> i32 {
    (factor * 65536.0 + 0.5) as i32
}

/// One call of [`Frame::sample`].
struct Run<'r, 'a> {
    frame: &'r Frame<'a>,
    to_frame: &'r Similarity,
    width: usize,
    height: usize,
    border: Border,
    rgb: &'r mut [u8],
}

impl Run<'_, '_> {
    fn fill<P: Pixels>(&mut self, pixels: P) {
        if self.width == 0 {
            return;
        }
        let reader = Reader::new(self.frame, pixels, self.border);
        let map = self.to_frame;
        let n = samples_per_side(map.scale());
        for (v, row) in self.rgb.chunks_exact_mut(self.width * 3).take(self.height).enumerate() {
            for (u, out) in row.chunks_exact_mut(3).enumerate() {
                let value = if n == 1 {
                    reader.bilinear(map, u as f64, v as f64).map(|sum| (sum + (1 << (2 * GRID_BITS - 1))) >> (2 * GRID_BITS))
                } else {
                    reader.mean(map, u as f64, v as f64, n)
                };
                for (out, value) in out.iter_mut().zip(value) {
                    *out = value as u8;
                }
            }
        }
    }
}

/// n = ⌈step / 2⌉, from 1 to [`MOST_SAMPLES`].
fn samples_per_side(step: f64) -> u32 {
    let mut n = 1;
    while n < MOST_SAMPLES && f64::from(2 * n) < step {
        n += 1;
    }
    n
}

/// Stored pixels with what is needed to read them at positions of the upright frame.
struct Reader<'r, 'a, P> {
    frame: &'r Frame<'a>,
    pixels: P,
    border: Border,
    /// The highest upright positions of use: one pixel beyond the last.
    limit: (f64, f64),
    /// The last stored column and row, on the grid.
    last: (i64, i64),
}

impl<'r, 'a, P: Pixels> Reader<'r, 'a, P> {
    fn new(frame: &'r Frame<'a>, pixels: P, border: Border) -> Self {
        Reader {
            frame,
            pixels,
            border,
            limit: (f64::from(frame.width()), f64::from(frame.height())),
            last: ((i64::from(frame.stored_width) - 1) * GRID, (i64::from(frame.stored_height) - 1) * GRID),
        }
    }

    /// The interpolated colour at the output position (`u`, `v`), times 2²².
    #[inline(always)]
    fn bilinear(&self, map: &Similarity, u: f64, v: f64) -> [i32; 3] {
        let x = on_grid(map.a * u - map.b * v + map.tx, self.limit.0);
        let y = on_grid(map.b * u + map.a * v + map.ty, self.limit.1);
        let (x, y) = self.frame.orientation.to_stored(x, y, self.last.0, self.last.1);
        let (right, below) = ((x & (GRID - 1)) as i32, (y & (GRID - 1)) as i32);
        let (left, above) = (GRID as i32 - right, GRID as i32 - below);
        let (column, row) = (x >> GRID_BITS, y >> GRID_BITS);
        let inside = x >= 0 && y >= 0 && x < self.last.0 && y < self.last.1;
        let taps = if inside {
            let (column, row) = (column as usize, row as usize);
            [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| self.pixels.rgb(column + dx, row + dy))
        } else {
            [(0, 0), (1, 0), (0, 1), (1, 1)].map(|(dx, dy)| self.near_edge(column + dx, row + dy))
        };
        let weights = [left * above, right * above, left * below, right * below];
        let mut sum = [0; 3];
        for (tap, weight) in taps.iter().zip(weights) {
            for (sum, value) in sum.iter_mut().zip(tap) {
                *sum += value * weight;
            }
        }
        sum
    }

    /// The mean colour of n × n positions spread evenly over the output pixel around (`u`, `v`).
    fn mean(&self, map: &Similarity, u: f64, v: f64, n: u32) -> [i32; 3] {
        let offset = |i: u32| f64::from(2 * i + 1) / f64::from(2 * n) - 0.5;
        let mut sum = [0u64; 3];
        for j in 0..n {
            for i in 0..n {
                let one = self.bilinear(map, u + offset(i), v + offset(j));
                for (sum, one) in sum.iter_mut().zip(one) {
                    *sum += one as u64;
                }
            }
        }
        let count = u64::from(n * n) << (2 * GRID_BITS);
        sum.map(|sum| ((sum + count / 2) / count) as i32)
    }

    /// The stored pixel, or what the border puts in its place.
    #[cold]
    fn near_edge(&self, column: i64, row: i64) -> [i32; 3] {
        let (last_column, last_row) = (i64::from(self.frame.stored_width) - 1, i64::from(self.frame.stored_height) - 1);
        let (x, y) = (column.clamp(0, last_column), row.clamp(0, last_row));
        match self.border {
            Border::Constant(colour) if (x, y) != (column, row) => colour.map(i32::from),
            _ => self.pixels.rgb(x as usize, y as usize),
        }
    }
}

/// The position rounded to the grid, half up, after bringing it to −2…`limit`: beyond that nothing changes any more. Not a number
/// becomes −2.
#[inline(always)]
fn on_grid(position: f64, limit: f64) -> i64 {
    let position = position.max(-2.0).min(limit);
    // The conversion cuts towards zero, so the value is made positive first.
    (position * GRID as f64 + (2 * GRID) as f64 + 0.5) as i64 - 2 * GRID
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;
    use crate::frame::Orientation;

    /// Bytes without a pattern that a wrong index could hit by chance.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 0x2545_f491_4f6c_dd1du64;
        (0..length)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 32) as u8
            })
            .collect()
    }

    fn sampled(frame: &Frame<'_>, map: &Similarity, size: (usize, usize), border: Border) -> Vec<u8> {
        let mut rgb = vec![7; size.0 * size.1 * 3];
        frame.sample(map, size.0, size.1, border, &mut rgb);
        rgb
    }

    /// The stored form of an upright RGB picture, by the public pixel map.
    fn stored(upright: &[u8], width: u32, height: u32, orientation: Orientation) -> (Vec<u8>, u32, u32) {
        let (w, h) = orientation.upright_size(width, height);
        let mut bytes = Vec::new();
        for y in 0..h {
            for x in 0..w {
                let (ux, uy) = orientation.upright_pixel(x, y, w, h).unwrap();
                let at = (uy * width + ux) as usize * 3;
                bytes.extend_from_slice(&upright[at..at + 3]);
            }
        }
        (bytes, w, h)
    }

    #[test]
    fn identity_returns_the_pixels() {
        let rgb = noise(13 * 9 * 3);
        let frame = Frame::rgb8(&rgb, 13, 9, 39).unwrap();
        for border in [Border::Constant([1, 2, 3]), Border::Replicate] {
            assert_eq!(sampled(&frame, &Similarity::IDENTITY, (13, 9), border), rgb);
        }
    }

    #[test]
    fn far_away_is_border() {
        let rgb = noise(5 * 4 * 3);
        let frame = Frame::rgb8(&rgb, 5, 4, 15).unwrap();
        for shift in [-1.0, -1e18, f64::NEG_INFINITY, f64::NAN, 1e18, f64::INFINITY] {
            let map = Similarity { tx: shift, ..Similarity::IDENTITY };
            let out = sampled(&frame, &map, (1, 1), Border::Constant([9, 8, 7]));
            assert_eq!(out, [9, 8, 7], "{shift}");
            let edge = if shift > 0.0 { &rgb[12..15] } else { &rgb[0..3] };
            assert_eq!(sampled(&frame, &map, (1, 1), Border::Replicate), edge, "{shift}");
        }
    }

    #[test]
    fn a_shrink_by_four_is_the_mean_of_each_block() {
        let gray = noise(16 * 8);
        let frame = Frame::gray8(&gray, 16, 8, 16).unwrap();
        let map = Similarity { a: 4.0, b: 0.0, tx: 1.5, ty: 1.5 };
        let out = sampled(&frame, &map, (4, 2), Border::Replicate);
        for v in 0..2 {
            for u in 0..4 {
                let sum: u32 = (0..16).map(|i| u32::from(gray[(4 * v + i / 4) * 16 + 4 * u + i % 4])).sum();
                assert_eq!(u32::from(out[(v * 4 + u) * 3]), (sum + 8) / 16, "({u}, {v})");
            }
        }
    }

    proptest! {
        #[test]
        fn every_orientation_gives_the_same_bytes(
            a in -3.0f64..3.0, b in -3.0f64..3.0, tx in -9.0f64..40.0, ty in -9.0f64..30.0, constant in any::<bool>(),
        ) {
            let rgb = noise(31 * 22 * 3);
            let map = Similarity { a, b, tx, ty };
            let border = if constant { Border::Constant([10, 200, 30]) } else { Border::Replicate };
            let expected = sampled(&Frame::rgb8(&rgb, 31, 22, 93).unwrap(), &map, (17, 12), border);
            for value in 1..=8 {
                let orientation = Orientation::from_exif(value).unwrap();
                let (bytes, w, h) = stored(&rgb, 31, 22, orientation);
                let frame = Frame::rgb8(&bytes, w, h, w as usize * 3).unwrap().with_orientation(orientation);
                prop_assert_eq!((frame.width(), frame.height()), (31, 22));
                prop_assert_eq!(&sampled(&frame, &map, (17, 12), border), &expected, "EXIF {}", value);
            }
        }

        #[test]
        fn no_map_panics(a: f64, b: f64, tx: f64, ty: f64) {
            let rgb = noise(6 * 5 * 3);
            let frame = Frame::rgb8(&rgb, 6, 5, 18).unwrap();
            sampled(&frame, &Similarity { a, b, tx, ty }, (3, 3), Border::Replicate);
        }
    }

    /// `cargo test --release -p veriface speed -- --ignored --nocapture`
    #[test]
    #[ignore = "prints times, asserts nothing"]
    fn speed() {
        let (w, h) = (1280u32, 720u32);
        let y = noise((w * h) as usize);
        let vu = noise((w * h / 2) as usize);
        let rgb = noise((w * h * 3) as usize);
        let luma = Plane { bytes: &y, row_stride: w as usize, pixel_stride: 1 };
        let chroma = Plane { bytes: &vu, row_stride: w as usize, pixel_stride: 2 };
        let frames = [
            ("NV21", Frame::nv21(luma, chroma, w, h, YuvMatrix::Bt601, YuvRange::Full).unwrap()),
            ("RGB8", Frame::rgb8(&rgb, w, h, w as usize * 3).unwrap()),
        ];
        let letterbox = Similarity { a: 4.0, b: 0.0, tx: 1.5, ty: 1.5 };
        let half = Similarity { a: 2.0, b: 0.0, tx: 0.5, ty: 0.5 };
        let warp = Similarity { a: 1.7, b: 0.4, tx: 400.0, ty: 200.0 };
        for (name, frame) in frames {
            for value in [1, 6] {
                let frame = frame.with_orientation(Orientation::from_exif(value).unwrap());
                for (what, map, size) in
                    [("320x180", letterbox, (320, 180)), ("640x360", half, (640, 360)), ("chip", warp, (112, 112))]
                {
                    let size = if value == 6 { (size.1, size.0) } else { size };
                    let mut out = vec![0; size.0 * size.1 * 3];
                    let mut best = f64::MAX;
                    for _ in 0..30 {
                        let start = Instant::now();
                        frame.sample(&map, size.0, size.1, Border::Constant([0; 3]), &mut out);
                        best = best.min(start.elapsed().as_secs_f64() * 1e3);
                    }
                    println!("{name} EXIF {value} {what}: {best:.3} ms");
                }
            }
        }
    }
}
