//! Sampling through a map that does not turn: the letterbox of every first look.
//!
//! The four weights of a position are then products of a row's and a column's, so the sum goes down the columns first, along whole
//! stored rows, and then along the row. The integers are the same in another order, and so are the bits.

use super::{CHUNK, FACTOR_BITS, GRID, GRID_BITS, MOST_POSITIONS, Mean, Output, Pixels, Reader, Sum, on_grid};
use crate::frame::Frame;
use crate::frame::sample::Border;
use crate::geometry::Similarity;

/// The most stored columns that one chunk of outputs spans: two a position, and one more.
const SPAN: usize = CHUNK * 2 * MOST_POSITIONS as usize + 2;

/// Sums down the columns of some neighbouring stored pixels, by component; chroma counts from the first pixel's block.
pub(super) struct Columns {
    /// The first stored column.
    pub first: usize,
    pub sums: [[u32; SPAN]; 3],
}

/// One coordinate of a position: the pixel before it and the weight of the one behind.
#[derive(Clone, Copy, Default)]
struct Tap {
    pixel: i32,
    behind: i32,
}

impl Tap {
    fn of(position: i32) -> Tap {
        Tap { pixel: position >> GRID_BITS, behind: position & (GRID - 1) }
    }

    /// Whether both pixels are among this many.
    fn is_inside(self, pixels: i32) -> bool {
        (self.pixel as u32) < (pixels - 1) as u32
    }

    /// Whether neither is.
    fn is_outside(self, pixels: i32) -> bool {
        self.pixel < -1 || self.pixel >= pixels
    }
}

/// Adds `before` times one row's bytes and `behind` times the next one's.
#[inline(always)]
pub(super) fn add_rows(sums: &mut [u32], rows: (&[u8], &[u8]), weights: (u16, u16)) {
    for ((sum, a), b) in sums.iter_mut().zip(rows.0).zip(rows.1) {
        *sum += weighted(*a, *b, weights);
    }
}

/// The same for every second byte, the last of which may be the rows' last.
#[inline(always)]
pub(super) fn add_every_second(sums: &mut [u32], rows: (&[u8], &[u8]), weights: (u16, u16)) {
    let ((above, last_above), (below, last_below)) = (rows.0.as_chunks::<2>(), rows.1.as_chunks::<2>());
    let (whole, rest) = sums.split_at_mut(sums.len().min(above.len()).min(below.len()));
    for ((sum, a), b) in whole.iter_mut().zip(above).zip(below) {
        *sum += weighted(a[0], b[0], weights);
    }
    let after = |chunks: &[[u8; 2]], last: &[u8]| chunks.get(whole.len()).map(|pair| pair[0]).or(last.first().copied());
    if let (Some(sum), Some(a), Some(b)) = (rest.first_mut(), after(above, last_above), after(below, last_below)) {
        *sum += weighted(a, b, weights);
    }
}

/// Sixteen bits times eight: vector units multiply sixteen-bit numbers fastest.
#[inline(always)]
pub(super) fn weighted(a: u8, b: u8, (before, behind): (u16, u16)) -> u32 {
    u32::from(before) * u32::from(a) + u32::from(behind) * u32::from(b)
}

/// Whether [`fill`] takes this map: it neither turns nor skips pixels.
pub(super) fn takes(map: &Similarity) -> bool {
    let step = map.a.abs();
    map.b == 0.0 && step <= f64::from(2 * MOST_POSITIONS) && [map.a, map.tx, map.ty].iter().all(|v| v.is_finite())
}

/// What [`Output::fill`] does, of a map that [`takes`] accepts.
pub(super) fn fill<P: Pixels>(output: &mut Output<'_>, frame: &Frame<'_>, reader: &Reader<P>, n: u32, mean: &Mean) {
    let map = output.to_frame;
    let (width, height) = (output.width, output.rgb.len() / (output.width * 3).max(1));
    let turned = frame.orientation.swaps_sides();
    let (last_x, last_y) = ((reader.columns - 1) * GRID, (reader.rows - 1) * GRID);
    let (upright_width, upright_height) = (f64::from(frame.width()), f64::from(frame.height()));
    let offset = |i: u32| f64::from(2 * i + 1) / f64::from(2 * n) - 0.5;
    // The sums of `stored_positions`, from which only the terms with b = 0 are gone.
    let across = |u: usize, i: u32| {
        let u = ((u / CHUNK * CHUNK) as f64 + offset(i)) + (u % CHUNK) as f64;
        on_grid(map.a * u + map.tx, upright_width)
    };
    let down = |v: usize, j: u32| on_grid(map.a * (v as f64 + offset(j)) + map.ty, upright_height);
    // Stored columns and rows of the outputs along and across stored rows.
    let column = |at: usize, i: u32| match turned {
        false => frame.orientation.to_stored(across(at, i), 0, last_x, last_y).0,
        true => frame.orientation.to_stored(0, down(at, i), last_x, last_y).0,
    };
    let row = |at: usize, i: u32| match turned {
        false => frame.orientation.to_stored(0, down(at, i), last_x, last_y).1,
        true => frame.orientation.to_stored(across(at, i), 0, last_x, last_y).1,
    };
    let (alongs, acrosses) = if turned { (height, width) } else { (width, height) };
    let (along_step, across_step) = if turned { (width * 3, 3) } else { (3, width * 3) };

    let mut columns = Columns { first: 0, sums: [[0; SPAN]; 3] };
    let mut taps = [[Tap::default(); CHUNK]; MOST_POSITIONS as usize];
    for start in (0..alongs).step_by(CHUNK) {
        let count = CHUNK.min(alongs - start);
        for (i, taps) in (0..n).zip(&mut taps) {
            for (k, tap) in taps[..count].iter_mut().enumerate() {
                *tap = Tap::of(column(start + k, i));
            }
        }
        let taps = &taps[..n as usize];
        let inside: [bool; CHUNK] = std::array::from_fn(|k| taps.iter().all(|taps| taps[k].is_inside(reader.columns)));
        let outside: [bool; CHUNK] = std::array::from_fn(|k| taps.iter().all(|taps| taps[k].is_outside(reader.columns)));
        let pixels = (0..count).filter(|k| inside[*k]).flat_map(|k| taps.iter().map(move |taps| taps[k].pixel as usize));
        let (first, last) = pixels.fold((usize::MAX, 0), |(first, last), pixel| (first.min(pixel), last.max(pixel + 1)));
        let spans = first < last && last - first < SPAN;
        for line in 0..acrosses {
            let mut rows = [Tap::default(); MOST_POSITIONS as usize];
            (0..n).zip(&mut rows).for_each(|(j, tap)| *tap = Tap::of(row(line, j)));
            let rows = &rows[..n as usize];
            let place = |k: usize| (start + k) * along_step + line * across_step;
            if let Border::Constant(colour) = reader.border
                && rows.iter().all(|row| row.is_outside(reader.rows))
            {
                (0..count).for_each(|k| put(output.rgb, place(k), colour));
                continue;
            }
            let summed = spans && rows.iter().all(|row| row.is_inside(reader.rows));
            if summed {
                columns.first = first;
                columns.sums.iter_mut().for_each(|sums| sums[..last - first + 1].fill(0));
                for tap in rows {
                    let weights = ((GRID - tap.behind) as u16, tap.behind as u16);
                    reader.pixels.add_rows(&mut columns, last, tap.pixel as usize, weights);
                }
            }
            for k in 0..count {
                let mut sum = Sum::default();
                if summed && inside[k] {
                    for taps in taps {
                        let tap = taps[k];
                        let sums = reader.pixels.square_of_columns(&columns, tap.pixel as usize);
                        for (sum, [before, behind]) in sum.components.iter_mut().zip(sums) {
                            *sum += i64::from(before) * i64::from(GRID - tap.behind) + i64::from(behind) * i64::from(tap.behind);
                        }
                    }
                } else if let Border::Constant(colour) = reader.border
                    && outside[k]
                {
                    put(output.rgb, place(k), colour);
                    continue;
                } else {
                    for (row, taps) in rows.iter().flat_map(|row| taps.iter().map(move |taps| (row, taps))) {
                        let tap = taps[k];
                        reader.add(&mut sum, tap.pixel * GRID + tap.behind, row.pixel * GRID + row.behind);
                    }
                }
                put(output.rgb, place(k), reader.rounded(&sum, mean));
            }
        }
    }
}

#[inline(always)]
fn put(rgb: &mut [u8], at: usize, colour: [u8; 3]) {
    if let Some(pixel) = rgb.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<3>()) {
        *pixel = colour;
    }
}

/// The largest sum of a column is 255 · 2048 · 8, and of a position 2048 times that: what the types are chosen for.
const _: () = assert!((255 * GRID as u64 * MOST_POSITIONS as u64) < u32::MAX as u64 && FACTOR_BITS < 24);
