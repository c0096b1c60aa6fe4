//! The kernels in plain Rust: what every other set is tested against.

use super::dense::half_to_f32;
use super::depthwise::PackingI8;
use super::{BEYOND, F32Kernels, FinishI8, I8Kernels, LANES, Packing, RowF32, RowI8, SumI8, TileF32, TileI8};

pub(super) static F32: F32Kernels =
    F32Kernels { name: "portable", tile_shape: (4, 1), narrow_tile: (4, 1), tile, tile_half, depthwise: row };

pub(super) static I8: I8Kernels = I8Kernels {
    name: "portable",
    tile_shape: (4, 1),
    narrow_tile: (4, 1),
    packing: Packing::Quads,
    shift: 0,
    tile: tile_i8,
    depthwise_packing: PackingI8::Taps,
    depthwise: row_i8,
};

/// # Safety
/// Every address that the tile describes must lie in memory that may be read or, for outputs, written.
unsafe fn tile(rows: usize, blocks: usize, t: &TileF32) {
    // SAFETY: the caller's.
    unsafe { any_tile(rows, blocks, t, |at| *t.weights.cast::<f32>().add(at)) }
}

/// # Safety
/// As [`tile`].
unsafe fn tile_half(blocks: usize, t: &TileF32) {
    // SAFETY: the caller's.
    unsafe { any_tile(1, blocks, t, |at| half_to_f32(*t.weights.cast::<u16>().add(at))) }
}

/// # Safety
/// As [`tile`].
#[inline(always)]
unsafe fn any_tile(rows: usize, blocks: usize, t: &TileF32, weight: impl Fn(usize) -> f32) {
    // SAFETY: the caller's.
    unsafe {
        for row in 0..rows {
            for block in 0..blocks {
                let mut sums: [f32; LANES] = std::array::from_fn(|lane| *t.bias.add(block * LANES + lane));
                for group in 0..t.groups {
                    let input = t.input.add(row * t.pixel + *t.offsets.add(group));
                    for step in 0..t.steps {
                        let (value, at) = (*input.add(step), ((block * t.groups + group) * t.steps + step) * LANES);
                        for (lane, sum) in sums.iter_mut().enumerate() {
                            *sum += value * weight(at + lane);
                        }
                    }
                }
                let residual = (!t.residual.is_null()).then(|| t.residual.add(block * t.residual_block + row * LANES));
                for (lane, sum) in sums.into_iter().enumerate() {
                    let added = residual.map_or(0.0, |residual| *residual.add(lane));
                    let mut value = if t.residual_first { sum + added } else { sum };
                    if value < 0.0 {
                        value *= *t.slope.add(block * LANES + lane);
                    }
                    *t.output.add(block * t.output_block + row * LANES + lane) =
                        if t.residual_first { value } else { value + added };
                }
            }
        }
    }
}

/// # Safety
/// As [`tile`], for the row, with a slope for each channel.
pub(super) unsafe fn row(r: &RowF32, slope: *const f32) {
    // SAFETY: the caller's.
    unsafe {
        for x in 0..r.count {
            let mut sums: [f32; LANES] = std::array::from_fn(|lane| *r.bias.add(lane));
            for tap in 0..r.height * r.width {
                let input = r.input.add((tap / r.width) * r.row + (x * r.stride + tap % r.width) * LANES);
                let weights = r.weights.cast::<f32>().add(tap * LANES);
                for (lane, sum) in sums.iter_mut().enumerate() {
                    *sum += *input.add(lane) * *weights.add(lane);
                }
            }
            for (lane, sum) in sums.into_iter().enumerate() {
                *r.output.add(x * LANES + lane) = if sum < 0.0 { sum * *slope.add(lane) } else { sum };
            }
        }
    }
}

/// # Safety
/// As [`tile`].
unsafe fn tile_i8(rows: usize, blocks: usize, t: &TileI8) {
    // SAFETY: the caller's.
    unsafe {
        for row in 0..rows {
            for block in 0..blocks {
                let mut sums: [i32; LANES] = std::array::from_fn(|lane| *t.bias.add(block * LANES + lane));
                for group in 0..t.groups {
                    let input = t.input.add(row * t.pixel + *t.offsets.add(group));
                    for step in 0..t.steps {
                        let quad: [i32; 4] = std::array::from_fn(|one| i32::from(*input.add(step * 4 + one)));
                        let weights = t.weights.cast::<i8>().add(((block * t.groups + group) * t.steps + step) * LANES * 4);
                        for (lane, sum) in sums.iter_mut().enumerate() {
                            for (one, value) in quad.iter().enumerate() {
                                *sum = sum.wrapping_add(value * i32::from(*weights.add(lane * 4 + one)));
                            }
                        }
                    }
                }
                for (lane, sum) in sums.into_iter().enumerate() {
                    let channel = block * LANES + lane;
                    let at = block * t.output_block + row * LANES + lane;
                    if !t.raw.is_null() {
                        *t.raw.add(at) = scaled(sum, channel, &t.finish);
                        continue;
                    }
                    let mut byte = finish(sum, channel, &t.finish);
                    if let Some(sum) = &t.sum {
                        byte = add(byte, i32::from(*t.residual.add(block * t.residual_block + row * LANES + lane)), sum);
                    }
                    *t.output.add(at) = byte as u8;
                }
            }
        }
    }
}

/// # Safety
/// As [`row`].
pub(super) unsafe fn row_i8(r: &RowI8, end: &FinishI8) {
    // SAFETY: the caller's.
    unsafe {
        for x in 0..r.count {
            let mut sums: [i32; LANES] = std::array::from_fn(|lane| *r.bias.add(lane));
            for tap in 0..r.height * r.width {
                let input = r.input.add((tap / r.width) * r.row + (x * r.stride + tap % r.width) * LANES);
                let weights = r.weights.cast::<i8>().add(tap * LANES);
                for (lane, sum) in sums.iter_mut().enumerate() {
                    *sum = sum.wrapping_add(i32::from(*input.add(lane)) * i32::from(*weights.add(lane)));
                }
            }
            for (lane, sum) in sums.into_iter().enumerate() {
                *r.output.add(x * LANES + lane) = finish(sum, lane, end) as u8;
            }
        }
    }
}

/// # Safety
/// `end` must have scales for `channel`.
#[inline(always)]
unsafe fn scaled(sum: i32, channel: usize, end: &FinishI8) -> f32 {
    // SAFETY: the caller's.
    sum as f32 * unsafe { *if sum < 0 { end.negative } else { end.scale }.add(channel) }
}

/// # Safety
/// As [`scaled`].
#[inline(always)]
unsafe fn finish(sum: i32, channel: usize, end: &FinishI8) -> i32 {
    // SAFETY: the caller's.
    rounded(unsafe { scaled(sum, channel, end) }, end.zero, end.least)
}

fn rounded(value: f32, zero: i32, least: i32) -> i32 {
    (value.clamp(-BEYOND, BEYOND).round_ties_even() as i32 + zero).clamp(least, 255)
}

/// Two quantised values added.
pub(in crate::net) fn add(a: i32, b: i32, sum: &SumI8) -> i32 {
    rounded((a - sum.a_zero) as f32 * sum.a_ratio + (b - sum.b_zero) as f32 * sum.b_ratio, sum.zero, sum.least)
}
