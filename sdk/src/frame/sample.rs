//! Reading a frame through a similarity: the one way in which pixels reach a network.
//!
//! The result is the same, bit for bit, on every architecture and however the upright picture is stored. Positions are computed with
//! `f64` operations that IEEE 754 rounds exactly, then rounded once to a grid of 1/2048 pixel; from there on everything is integer.
//! The grid position is mapped to the stored pixels without rounding, so that a turned or mirrored buffer gives the same four
//! neighbours with the same four weights.

mod upright;

use crate::geometry::Similarity;

use super::Frame;
use super::camera::{Memory, Packed, Plane, YuvMatrix, YuvRange};
use upright::{Columns, add_every_second, add_rows, weighted};

/// What lies outside the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// One colour, RGB; positions up to one pixel outside blend towards it, like OpenCV's `BORDER_CONSTANT`.
    Constant([u8; 3]),
    /// The nearest pixel of the edge.
    Replicate,
}

/// Positions lie on a grid of 2⁻¹¹ pixel, and the four weights of a position add up to 2²².
const GRID_BITS: u32 = 11;
const GRID: i32 = 1 << GRID_BITS;
const WEIGHT_BITS: u32 = 2 * GRID_BITS;

/// Fraction bits of the YUV conversion's factors.
const FACTOR_BITS: u32 = 16;

/// The most positions averaged each way for one output pixel. Beyond a shrink of 16 some frame pixels stay unread.
const MOST_POSITIONS: u32 = 8;

/// Output pixels worked on at once: enough for the compiler to vectorise, few enough for the stack.
const CHUNK: usize = 64;

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
    /// Each value is interpolated bilinearly between four pixels and rounded once, half up. YUV is interpolated as such and then
    /// converted, each pixel with the chroma of its 2 × 2 block. Where one step of the output is longer than two frame pixels, the
    /// mean of n × n positions spread evenly over the output pixel takes the place of one, with n = ⌈step / 2⌉ and at most 8: plain
    /// interpolation would skip frame pixels and alias.
    ///
    /// A position that is not a number counts as one outside the frame, to its upper left.
    pub(crate) fn sample(&self, to_frame: &Similarity, width: usize, height: usize, border: Border, rgb: &mut [u8]) {
        debug_assert_eq!(rgb.len(), width * height * 3);
        let mut output = Output { to_frame, width, border, rgb };
        match self.memory {
            Memory::Packed { bytes, row_stride, format } => match format {
                Packed::Rgb8 => output.fill(self, Components::<3, 0, 1, 2> { bytes, row_stride }),
                Packed::Bgr8 => output.fill(self, Components::<3, 2, 1, 0> { bytes, row_stride }),
                Packed::Rgba8 => output.fill(self, Components::<4, 0, 1, 2> { bytes, row_stride }),
                Packed::Bgra8 => output.fill(self, Components::<4, 2, 1, 0> { bytes, row_stride }),
                Packed::Gray8 => output.fill(self, Components::<1, 0, 0, 0> { bytes, row_stride }),
            },
            Memory::Yuv { y, u, v, matrix, range } => output.fill(self, Yuv { y, u, v, to_rgb: YuvToRgb::of(matrix, range) }),
        }
    }
}

/// Stored pixels of one format: three components each, in whatever colour space they are stored.
trait Pixels: Copy {
    /// The pixel stored at (`x`, `y`).
    fn at(self, x: usize, y: usize) -> [i32; 3];

    /// The pixels stored at (`x`, `y`), (`x` + 1, `y`), (`x`, `y` + 1) and (`x` + 1, `y` + 1).
    fn square(self, x: usize, y: usize) -> [[i32; 3]; 4];

    /// Adds a stored row and the next one, each times its weight, to the sums of columns `columns.first`…`last`.
    fn add_rows(self, columns: &mut Columns, last: usize, y: usize, weights: (u16, u16));

    /// The sums of the stored columns `x` and `x` + 1, by component.
    fn square_of_columns(self, columns: &Columns, x: usize) -> [[u32; 2]; 3];

    /// A weighted sum of pixels as RGB, times 2^[`FACTOR_BITS`]; `weight` is the sum of their weights.
    fn to_rgb(self, sum: [i64; 3], weight: i64) -> [i64; 3];
}

/// Packed pixels of `N` bytes with red, green and blue at these places.
#[derive(Clone, Copy)]
struct Components<'a, const N: usize, const R: usize, const G: usize, const B: usize> {
    bytes: &'a [u8],
    row_stride: usize,
}

impl<const N: usize, const R: usize, const G: usize, const B: usize> Pixels for Components<'_, N, R, G, B> {
    #[inline(always)]
    fn at(self, x: usize, y: usize) -> [i32; 3] {
        let start = y * self.row_stride + x * N;
        let pixel = &self.bytes[start..start + N];
        [i32::from(pixel[R]), i32::from(pixel[G]), i32::from(pixel[B])]
    }

    #[inline(always)]
    fn square(self, x: usize, y: usize) -> [[i32; 3]; 4] {
        let start = y * self.row_stride + x * N;
        let above = &self.bytes[start..start + 2 * N];
        let below = &self.bytes[start + self.row_stride..start + self.row_stride + 2 * N];
        let pixel = |row: &[u8], at: usize| [i32::from(row[at + R]), i32::from(row[at + G]), i32::from(row[at + B])];
        [pixel(above, 0), pixel(above, N), pixel(below, 0), pixel(below, N)]
    }

    #[inline(always)]
    fn add_rows(self, columns: &mut Columns, last: usize, y: usize, weights: (u16, u16)) {
        let row = |y: usize| &self.bytes[y * self.row_stride + columns.first * N..y * self.row_stride + (last + 1) * N];
        let (above, below) = (row(y), row(y + 1));
        for (sums, at) in columns.sums.iter_mut().zip([R, G, B]).take(if N == 1 { 1 } else { 3 }) {
            for ((sum, a), b) in sums.iter_mut().zip(above.as_chunks::<N>().0).zip(below.as_chunks::<N>().0) {
                *sum += weighted(a[at], b[at], weights);
            }
        }
    }

    #[inline(always)]
    fn square_of_columns(self, columns: &Columns, x: usize) -> [[u32; 2]; 3] {
        let at = x - columns.first;
        let pair = |of: usize| [columns.sums[of][at], columns.sums[of][at + 1]];
        if N == 1 { [pair(0); 3] } else { [pair(0), pair(1), pair(2)] }
    }

    #[inline(always)]
    fn to_rgb(self, sum: [i64; 3], _weight: i64) -> [i64; 3] {
        [sum[0] << FACTOR_BITS, sum[1] << FACTOR_BITS, sum[2] << FACTOR_BITS]
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
    fn at(self, x: usize, y: usize) -> [i32; 3] {
        let chroma = |plane: Plane<'_>| i32::from(plane.bytes[y / 2 * plane.row_stride + x / 2 * plane.pixel_stride]);
        [i32::from(self.y.bytes[y * self.y.row_stride + x]), chroma(self.u), chroma(self.v)]
    }

    #[inline(always)]
    fn square(self, x: usize, y: usize) -> [[i32; 3]; 4] {
        let start = y * self.y.row_stride + x;
        let above = &self.y.bytes[start..start + 2];
        let below = &self.y.bytes[start + self.y.row_stride..start + self.y.row_stride + 2];
        let chroma = |plane: Plane<'_>| {
            let (left, right) = (x / 2 * plane.pixel_stride, x.div_ceil(2) * plane.pixel_stride);
            let (above, below) = (y / 2 * plane.row_stride, y.div_ceil(2) * plane.row_stride);
            let at = |start: usize| i32::from(plane.bytes[start]);
            [at(above + left), at(above + right), at(below + left), at(below + right)]
        };
        let (u, v) = (chroma(self.u), chroma(self.v));
        [
            [i32::from(above[0]), u[0], v[0]],
            [i32::from(above[1]), u[1], v[1]],
            [i32::from(below[0]), u[2], v[2]],
            [i32::from(below[1]), u[3], v[3]],
        ]
    }

    #[inline(always)]
    fn add_rows(self, columns: &mut Columns, last: usize, y: usize, weights: (u16, u16)) {
        let [luma, u, v] = &mut columns.sums;
        let row = |y: usize| &self.y.bytes[y * self.y.row_stride + columns.first..y * self.y.row_stride + last + 1];
        add_rows(luma, (row(y), row(y + 1)), weights);
        // Blocks of the first pixel to the one behind the last.
        let (first, end) = (columns.first / 2, last.div_ceil(2) + 1);
        for (sums, plane) in [(u, self.u), (v, self.v)] {
            let row = |y: usize| &plane.bytes[y * plane.row_stride + first * plane.pixel_stride..];
            let (above, below) = (row(y / 2), row(y.div_ceil(2)));
            let sums = &mut sums[..end - first];
            match plane.pixel_stride {
                1 => add_rows(sums, (above, below), weights),
                2 => add_every_second(sums, (above, below), weights),
                step => {
                    for ((sum, a), b) in sums.iter_mut().zip(above.iter().step_by(step)).zip(below.iter().step_by(step)) {
                        *sum += weighted(*a, *b, weights);
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn square_of_columns(self, columns: &Columns, x: usize) -> [[u32; 2]; 3] {
        let (at, first) = (x - columns.first, columns.first / 2);
        let (left, right) = (x / 2 - first, x.div_ceil(2) - first);
        let [luma, u, v] = &columns.sums;
        [[luma[at], luma[at + 1]], [u[left], u[right]], [v[left], v[right]]]
    }

    #[inline(always)]
    fn to_rgb(self, sum: [i64; 3], weight: i64) -> [i64; 3] {
        self.to_rgb.apply(sum, weight)
    }
}

/// The conversion in 16.16 fixed point, from the luma weights K_R and K_B: ITU-R BT.601-7 section 2.5, BT.709-6 section 3, and for
/// the full range JFIF 1.02.
#[derive(Clone, Copy)]
struct YuvToRgb {
    black: i64,
    y: i64,
    v_red: i64,
    u_green: i64,
    v_green: i64,
    u_blue: i64,
}

impl YuvToRgb {
    const fn of(matrix: YuvMatrix, range: YuvRange) -> YuvToRgb {
        const BT601: [YuvToRgb; 2] = YuvToRgb::both(0.299, 0.114);
        const BT709: [YuvToRgb; 2] = YuvToRgb::both(0.2126, 0.0722);
        match matrix {
            YuvMatrix::Bt601 => BT601[range as usize],
            YuvMatrix::Bt709 => BT709[range as usize],
        }
    }

    /// Full and video range.
    const fn both(red: f64, blue: f64) -> [YuvToRgb; 2] {
        [YuvToRgb::new(red, blue, 0, 255.0, 255.0), YuvToRgb::new(red, blue, 16, 219.0, 224.0)]
    }

    const fn new(red: f64, blue: f64, black: i64, luma_span: f64, chroma_span: f64) -> YuvToRgb {
        let (green, chroma) = (1.0 - red - blue, 2.0 * 255.0 / chroma_span);
        YuvToRgb {
            black,
            y: fixed(255.0 / luma_span),
            v_red: fixed(chroma * (1.0 - red)),
            u_green: fixed(chroma * blue * (1.0 - blue) / green),
            v_green: fixed(chroma * red * (1.0 - red) / green),
            u_blue: fixed(chroma * (1.0 - blue)),
        }
    }

    /// Luma below black counts as black, as in OpenCV.
    #[inline(always)]
    fn apply(self, [y, u, v]: [i64; 3], weight: i64) -> [i64; 3] {
        let (u, v) = (u - 128 * weight, v - 128 * weight);
        let y = (y - self.black * weight).max(0) * self.y;
        let most = (255 * weight) << FACTOR_BITS;
        let (red, green, blue) = (y + self.v_red * v, y - self.u_green * u - self.v_green * v, y + self.u_blue * u);
        [red.clamp(0, most), green.clamp(0, most), blue.clamp(0, most)]
    }
}

/// A positive factor with [`FACTOR_BITS`] fraction bits, rounded.
const fn fixed(factor: f64) -> i64 {
    (factor * (1 << FACTOR_BITS) as f64 + 0.5) as i64
}

/// What one call of [`Frame::sample`] fills.
struct Output<'r> {
    to_frame: &'r Similarity,
    width: usize,
    border: Border,
    rgb: &'r mut [u8],
}

impl Output<'_> {
    fn fill<P: Pixels>(&mut self, frame: &Frame<'_>, pixels: P) {
        let reader = Reader { pixels, columns: frame.stored_width as i32, rows: frame.stored_height as i32, border: self.border };
        let n = positions_per_side(self.to_frame.scale());
        let mean = Mean::of(n * n);
        if upright::takes(self.to_frame) {
            return upright::fill(self, frame, &reader, n, &mean);
        }
        self.fill_any(frame, &reader, n, &mean);
    }

    fn fill_any<P: Pixels>(&mut self, frame: &Frame<'_>, reader: &Reader<P>, n: u32, mean: &Mean) {
        let offset = |i: u32| f64::from(2 * i + 1) / f64::from(2 * n) - 0.5;
        let (mut xs, mut ys) = ([0; CHUNK], [0; CHUNK]);
        for (v, row) in self.rgb.chunks_exact_mut((self.width * 3).max(1)).enumerate() {
            for (chunk, out) in row.chunks_mut(CHUNK * 3).enumerate() {
                let mut sums = [Sum::default(); CHUNK];
                let sums = &mut sums[..out.len() / 3];
                for (j, i) in (0..n).flat_map(|j| (0..n).map(move |i| (j, i))) {
                    let u = (chunk * CHUNK) as f64 + offset(i);
                    stored_positions(frame, self.to_frame, u, v as f64 + offset(j), &mut xs, &mut ys);
                    for (sum, (x, y)) in sums.iter_mut().zip(xs.iter().zip(&ys)) {
                        reader.add(sum, *x, *y);
                    }
                }
                for (out, sum) in out.chunks_exact_mut(3).zip(sums.iter()) {
                    [out[0], out[1], out[2]] = reader.rounded(sum, mean);
                }
            }
        }
    }
}

/// n = ⌈step / 2⌉, from 1 to [`MOST_POSITIONS`].
fn positions_per_side(step: f64) -> u32 {
    let mut n = 1;
    while n < MOST_POSITIONS && f64::from(2 * n) < step {
        n += 1;
    }
    n
}

/// The stored grid positions of [`CHUNK`] output positions, from (`u`, `v`) to the right.
#[inline]
fn stored_positions(frame: &Frame<'_>, map: &Similarity, u: f64, v: f64, xs: &mut [i32; CHUNK], ys: &mut [i32; CHUNK]) {
    let (width, height) = (f64::from(frame.width()), f64::from(frame.height()));
    for (k, (x, y)) in (0i32..).zip(xs.iter_mut().zip(ys.iter_mut())) {
        let u = u + f64::from(k);
        *x = on_grid(map.a * u - map.b * v + map.tx, width);
        *y = on_grid(map.b * u + map.a * v + map.ty, height);
    }
    let (last_x, last_y) = ((frame.stored_width as i32 - 1) * GRID, (frame.stored_height as i32 - 1) * GRID);
    for (x, y) in xs.iter_mut().zip(ys) {
        (*x, *y) = frame.orientation.to_stored(*x, *y, last_x, last_y);
    }
}

/// The position on the grid, after bringing it to −2…`limit`: beyond that nothing changes any more. Not a number becomes −2.
#[inline(always)]
fn on_grid(position: f64, limit: f64) -> i32 {
    // Between 2⁵² and 2⁵³ doubles are the integers, so this addition rounds to the nearest one, ties to even, and leaves it in the
    // low bits. It is one instruction everywhere, where a conversion is several.
    const INTEGERS: f64 = (3u64 << 51) as f64;
    let position = position.max(-2.0).min(limit);
    (position * GRID as f64 + INTEGERS).to_bits() as i32
}

/// A weighted sum of stored pixels and border.
#[derive(Clone, Copy, Default)]
struct Sum {
    components: [i64; 3],
    /// The weight that fell outside the frame: the border's.
    outside: i64,
}

/// Stored pixels and what surrounds them.
struct Reader<P> {
    pixels: P,
    columns: i32,
    rows: i32,
    border: Border,
}

impl<P: Pixels> Reader<P> {
    /// Adds the four pixels around the stored position (`x`, `y`), weights by closeness.
    #[inline(always)]
    fn add(&self, sum: &mut Sum, x: i32, y: i32) {
        let (column, row) = (x >> GRID_BITS, y >> GRID_BITS);
        let (right, below) = (x & (GRID - 1), y & (GRID - 1));
        let (left, above) = (GRID - right, GRID - below);
        let weights = [left * above, right * above, left * below, right * below];
        // As unsigned numbers, negative ones are large.
        if (column as u32) < (self.columns - 1) as u32 && (row as u32) < (self.rows - 1) as u32 {
            let [a, b, c, d] = self.pixels.square(column as usize, row as usize);
            for (i, sum) in sum.components.iter_mut().enumerate() {
                *sum += i64::from(a[i] * weights[0] + b[i] * weights[1] + c[i] * weights[2] + d[i] * weights[3]);
            }
        } else {
            self.add_at_edge(sum, column, row, weights);
        }
    }

    #[inline(never)]
    fn add_at_edge(&self, sum: &mut Sum, column: i32, row: i32, weights: [i32; 4]) {
        for (i, weight) in (0..).zip(weights) {
            let (x, y) = (column + i % 2, row + i / 2);
            let nearest = (x.clamp(0, self.columns - 1), y.clamp(0, self.rows - 1));
            if nearest != (x, y) && self.border != Border::Replicate {
                sum.outside += i64::from(weight);
                continue;
            }
            let pixel = self.pixels.at(nearest.0 as usize, nearest.1 as usize);
            for (sum, component) in sum.components.iter_mut().zip(pixel) {
                *sum += i64::from(component * weight);
            }
        }
    }

    /// The colour of a sum over so many positions.
    #[inline(always)]
    fn rounded(&self, sum: &Sum, mean: &Mean) -> [u8; 3] {
        let mut rgb = self.pixels.to_rgb(sum.components, mean.whole - sum.outside);
        if let Border::Constant(colour) = self.border {
            for (value, border) in rgb.iter_mut().zip(colour) {
                *value += (i64::from(border) * sum.outside) << FACTOR_BITS;
            }
        }
        [mean.rounded(rgb[0]), mean.rounded(rgb[1]), mean.rounded(rgb[2])]
    }
}

/// The division of a sum over several positions.
struct Mean {
    /// The weights of all positions together.
    whole: i64,
    /// 2²² / positions, rounded up: multiplying by it divides exactly what is at most 255 · positions ≤ 255 · 8².
    reciprocal: u32,
}

impl Mean {
    fn of(positions: u32) -> Mean {
        Mean { whole: i64::from(positions) << WEIGHT_BITS, reciprocal: (1u32 << 22).div_ceil(positions) }
    }

    /// A sum with [`WEIGHT_BITS`] + [`FACTOR_BITS`] fraction bits, divided and rounded half up.
    #[inline(always)]
    fn rounded(&self, sum: i64) -> u8 {
        let halves_added = sum + (self.whole << FACTOR_BITS >> 1);
        // Dropping the fraction first does not change a quotient whose fraction is dropped.
        (((halves_added >> (WEIGHT_BITS + FACTOR_BITS)) as u32 * self.reciprocal) >> 22) as u8
    }
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

    /// The stored form of an upright plane of `size` bytes a pixel, by the public pixel map.
    fn stored(upright: &[u8], width: u32, height: u32, size: usize, orientation: Orientation) -> (Vec<u8>, u32, u32) {
        let (w, h) = orientation.upright_size(width, height);
        let mut bytes = Vec::new();
        for (x, y) in (0..h).flat_map(|y| (0..w).map(move |x| (x, y))) {
            let (x, y) = orientation.upright_pixel(x, y, w, h).unwrap();
            let at = (y * width + x) as usize * size;
            bytes.extend_from_slice(&upright[at..at + size]);
        }
        (bytes, w, h)
    }

    #[test]
    fn means_are_exact_quotients() {
        for positions in (1..=MOST_POSITIONS).map(|n| n * n) {
            let mean = Mean::of(positions);
            for sum in 0..=255 * positions {
                let value = mean.rounded(i64::from(sum) << (WEIGHT_BITS + FACTOR_BITS));
                assert_eq!(u32::from(value), (2 * sum + positions) / (2 * positions), "{sum} / {positions}");
            }
        }
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

    #[test]
    fn every_orientation_of_yuv_gives_the_same_bytes() {
        let (y, uv) = (noise(32 * 22), noise(16 * 11 * 2));
        let map = Similarity { a: 0.9, b: 0.4, tx: 3.3, ty: -2.1 };
        let read = |orientation: Orientation| {
            let (y, w, h) = stored(&y, 32, 22, 1, orientation);
            let (uv, cw, _) = stored(&uv, 16, 11, 2, orientation);
            let luma = Plane { bytes: &y, row_stride: w as usize, pixel_stride: 1 };
            let chroma = Plane { bytes: &uv, row_stride: cw as usize * 2, pixel_stride: 2 };
            let frame = Frame::nv12(luma, chroma, w, h, YuvMatrix::Bt709, YuvRange::Video).unwrap();
            sampled(&frame.with_orientation(orientation), &map, (24, 18), Border::Constant([90, 80, 70]))
        };
        for value in 2..=8 {
            assert_eq!(read(Orientation::from_exif(value).unwrap()), read(Orientation::UPRIGHT), "EXIF {value}");
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
                let (bytes, w, h) = stored(&rgb, 31, 22, 3, orientation);
                let frame = Frame::rgb8(&bytes, w, h, w as usize * 3).unwrap().with_orientation(orientation);
                prop_assert_eq!((frame.width(), frame.height()), (31, 22));
                prop_assert_eq!(&sampled(&frame, &map, (17, 12), border), &expected, "EXIF {}", value);
            }
        }

        /// The way for maps that do not turn against the way for any map.
        #[test]
        fn a_letterbox_is_what_any_map_gives(
            size in (1u32..150, 1u32..90), a in -17.0f64..17.0, tx in -60.0f64..200.0, ty in -60.0f64..120.0, exif in 1u16..9,
            format in 0..7, constant in any::<bool>(), out in (1usize..150, 1usize..20),
        ) {
            let (w, h) = size;
            let bytes = noise((w * h * 4) as usize + 4);
            let (n, c) = (w as usize, w.div_ceil(2) as usize);
            let matrix = (YuvMatrix::Bt601, YuvRange::Video);
            // To the last byte, so that the last chroma sample is the last byte of its plane.
            let pairs = &bytes[..2 * c * (h + h.div_ceil(2)) as usize];
            let frame = match format {
                0 => Frame::rgb8(&bytes, w, h, n * 3),
                1 => Frame::bgra8(&bytes, w, h, n * 4),
                2 => Frame::gray8(&bytes, w, h, n),
                3 => Frame::nv21_contiguous(pairs, w, h, 2 * c, matrix.0, matrix.1),
                4 => Frame::nv12_contiguous(pairs, w, h, 2 * c, matrix.0, matrix.1),
                5 => Frame::i420(&bytes, w, h, n, matrix.0, matrix.1),
                _ => Frame::rgb8(&bytes[1..], w, h, n * 3),
            };
            let frame = frame.unwrap().with_orientation(Orientation::from_exif(exif).unwrap());
            let map = Similarity { a, b: 0.0, tx, ty };
            let border = if constant { Border::Constant([10, 200, 30]) } else { Border::Replicate };
            // A turn too small to move anything, but a turn.
            let turned = Similarity { b: 1e-300, ..map };
            prop_assert!(!upright::takes(&turned));
            prop_assert_eq!(sampled(&frame, &map, out, border), sampled(&frame, &turned, out, border));
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
