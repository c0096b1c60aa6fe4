//! The small operators around the convolutions, in plain Rust.

use super::kernels::{LANES, Plane, SumI8, Window, add_i8};

/// A picture, plane by plane, as a map.
pub(super) fn pack(source: &[f32], plane: &Plane, map: &mut [f32]) {
    let pixels = plane.height * plane.width;
    for (channel, values) in source.chunks_exact(pixels).enumerate().take(plane.channels) {
        for (y, row) in values.chunks_exact(plane.width).enumerate() {
            let at = (channel / plane.lanes) * plane.block() + plane.at(y, 0) + channel % plane.lanes;
            for (to, value) in map[at..].iter_mut().step_by(plane.lanes).zip(row) {
                *to = *value;
            }
        }
    }
}

/// A map as numbers one after the other, channel by channel or pixel by pixel.
pub(super) fn unpack(map: &[f32], plane: &Plane, pixels: bool, row: &mut [f32]) {
    let count = plane.height * plane.width;
    for channel in 0..plane.channels {
        let block = (channel / plane.lanes) * plane.block() + channel % plane.lanes;
        for y in 0..plane.height {
            let values = map[block + plane.at(y, 0)..].iter().step_by(plane.lanes).take(plane.width);
            let (at, step) = if pixels {
                (y * plane.width * plane.channels + channel, plane.channels)
            } else {
                (channel * count + y * plane.width, 1)
            };
            for (to, value) in row[at..].iter_mut().step_by(step).zip(values) {
                *to = *value;
            }
        }
    }
}

/// Calls `work(block, input row, output row)` for the pixels of every row of two maps of one shape, borders left out.
fn rows<A, B>(from: (&Plane, &[A]), to: (&Plane, &mut [B]), mut work: impl FnMut(usize, &[A], &mut [B])) {
    let (width, lanes) = (from.0.width * from.0.lanes, to.0.width * to.0.lanes);
    for block in 0..from.0.blocks() {
        for y in 0..from.0.height {
            let (a, b) = (block * from.0.block() + from.0.at(y, 0), block * to.0.block() + to.0.at(y, 0));
            work(block, &from.1[a..a + width], &mut to.1[b..b + lanes]);
        }
    }
}

/// `factor · x + bias`, then times the slope below zero, for each channel.
pub(super) fn affine(from: (&Plane, &[f32]), to: (&Plane, &mut [f32]), [factor, bias, slope]: [&[f32]; 3]) {
    let lanes = from.0.lanes;
    rows(from, to, |block, from, to| {
        let channels = block * lanes..(block + 1) * lanes;
        let (factor, bias, slope) = (&factor[channels.clone()], &bias[channels.clone()], &slope[channels]);
        for (from, to) in from.chunks_exact(lanes).zip(to.chunks_exact_mut(lanes)) {
            for lane in 0..lanes {
                let value = from[lane] * factor[lane] + bias[lane];
                to[lane] = if value < 0.0 { value * slope[lane] } else { value };
            }
        }
    });
}

pub(super) fn sigmoid(from: &[f32], to: &mut [f32]) {
    for (from, to) in from.iter().zip(to) {
        *to = 1.0 / (1.0 + (-from).exp());
    }
}

/// The sum of two maps.
pub(super) fn add(a: (&Plane, &[f32]), b: (&Plane, &[f32]), to: (&Plane, &mut [f32])) {
    let mut others = row_starts(b.0);
    let width = b.0.width * b.0.lanes;
    rows(a, to, |_, a, to| {
        let at = others.next().unwrap_or(0);
        for ((to, a), b) in to.iter_mut().zip(a).zip(&b.1[at..at + width]) {
            *to = a + b;
        }
    });
}

/// The sum of two quantised maps.
pub(super) fn add_bytes(a: (&Plane, &[u8]), b: (&Plane, &[u8]), to: (&Plane, &mut [u8]), sum: &SumI8) {
    let mut others = row_starts(b.0);
    let width = b.0.width * b.0.lanes;
    rows(a, to, |_, a, to| {
        let at = others.next().unwrap_or(0);
        for ((to, a), b) in to.iter_mut().zip(a).zip(&b.1[at..at + width]) {
            *to = add_i8(i32::from(*a), i32::from(*b), sum) as u8;
        }
    });
}

fn row_starts(plane: &Plane) -> impl Iterator<Item = usize> {
    let plane = *plane;
    (0..plane.blocks()).flat_map(move |block| (0..plane.height).map(move |y| block * plane.block() + plane.at(y, 0)))
}

/// ONNX's QuantizeLinear: `saturate(round_half_even(x / scale) + zero)`. The maps may have different lanes.
pub(super) fn quantize(from: (&Plane, &[f32]), to: (&Plane, &mut [u8]), scale: f32, zero: u8) {
    let lanes = (from.0.lanes, to.0.lanes);
    rows(from, to, |_, from, to| {
        for (from, to) in from.chunks_exact(lanes.0).zip(to.chunks_exact_mut(lanes.1)) {
            for (from, to) in from.iter().zip(to) {
                *to = ((from / scale).round_ties_even() + f32::from(zero)).clamp(0.0, 255.0) as u8;
            }
        }
    });
}

pub(super) fn dequantize(from: (&Plane, &[u8]), to: (&Plane, &mut [f32]), scale: f32, zero: u8) {
    rows(from, to, |_, from, to| {
        for (from, to) in from.iter().zip(to) {
            *to = (i32::from(*from) - i32::from(zero)) as f32 * scale;
        }
    });
}

/// The largest number, or the mean, of each window; what lies outside the map is left out.
pub(super) fn pool(from: (&Plane, &[f32]), to: (&Plane, &mut [f32]), window: &Window, largest: bool) {
    let (input, map) = from;
    let (output, result) = to;
    for block in 0..output.blocks() {
        for (y, x) in (0..output.height).flat_map(|y| (0..output.width).map(move |x| (y, x))) {
            let mut best = [if largest { f32::NEG_INFINITY } else { 0.0 }; LANES];
            let inside = |at: usize, size: usize, before: usize, end: usize| {
                (at * window.stride).saturating_sub(before)..(at * window.stride + size - before).min(end)
            };
            for sy in inside(y, window.height, window.top, input.height) {
                for sx in inside(x, window.width, window.left, input.width) {
                    let at = block * input.block() + input.at(sy, sx);
                    for (best, value) in best.iter_mut().zip(&map[at..at + LANES]) {
                        *best = if largest { best.max(*value) } else { *best + value };
                    }
                }
            }
            if !largest {
                best = best.map(|sum| sum / (window.height * window.width) as f32);
            }
            let at = block * output.block() + output.at(y, x);
            result[at..at + LANES].copy_from_slice(&best);
        }
    }
}

/// Each pixel `factor` × `factor` times.
pub(super) fn upsample(from: (&Plane, &[f32]), to: (&Plane, &mut [f32]), factor: usize) {
    let (input, map) = from;
    let (output, result) = to;
    for block in 0..output.blocks() {
        for y in 0..output.height {
            let (a, b) = (block * input.block() + input.at(y / factor, 0), block * output.block() + output.at(y, 0));
            let source = map[a..a + input.width * LANES].chunks_exact(LANES);
            let target = result[b..b + output.width * LANES].chunks_exact_mut(LANES * factor);
            for (pixel, many) in source.zip(target) {
                for one in many.chunks_exact_mut(LANES) {
                    one.copy_from_slice(pixel);
                }
            }
        }
    }
}
