//! NEON: f32 with fused multiply-add; int8 with the dot product instructions where the processor has them, with widening products
//! otherwise. A block is four registers.
//!
//! Both int8 sets take 128 off the inputs, so that they are signed as the weights are; the bias makes up for it. Without dot products,
//! two products of at most 128 · 127 fit into i16 together, which is why weights must not be −128.

use std::arch::aarch64::*;

use super::depthwise::PackingI8;
use super::{BEYOND, F32Kernels, FinishI8, I8Kernels, LANES, Packing, RowF32, RowI8, SumI8, TileF32, TileI8};

pub(super) static F32: F32Kernels =
    F32Kernels { name: "neon", tile_shape: (6, 1), narrow_tile: (6, 1), tile, tile_half, depthwise: row };

pub(super) static I8: I8Kernels = I8Kernels {
    name: "neon",
    tile_shape: (4, 1),
    narrow_tile: (4, 1),
    packing: Packing::Quads,
    shift: 128,
    tile: tile_widening,
    depthwise_packing: PackingI8::Taps,
    depthwise: row_i8,
};

pub(super) static I8_DOT: I8Kernels =
    I8Kernels { name: "neon dotprod", tile_shape: (6, 1), narrow_tile: (6, 1), tile: tile_dot, ..I8 };

macro_rules! made_for {
    ($rows:expr, $function:ident, $tile:expr) => {
        match $rows {
            1 => $function::<1>($tile),
            2 => $function::<2>($tile),
            3 => $function::<3>($tile),
            4 => $function::<4>($tile),
            5 => $function::<5>($tile),
            6 => $function::<6>($tile),
            _ => unreachable!("no tile of {} pixels", $rows),
        }
    };
}

#[inline]
#[target_feature(enable = "neon")]
unsafe fn load_f32(from: *const f32) -> [float32x4_t; 4] {
    // SAFETY: the caller's.
    unsafe { [0, 4, 8, 12].map(|at| vld1q_f32(from.add(at))) }
}

/// # Safety
/// Every address that the tile describes lies in memory that may be read or, for outputs, written. So in this whole file.
unsafe fn tile(rows: usize, _blocks: usize, t: &TileF32) {
    // SAFETY: the caller's.
    unsafe { made_for!(rows, tile_of, t) }
}

#[target_feature(enable = "neon")]
unsafe fn tile_of<const M: usize>(t: &TileF32) {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [load_f32(t.bias); M];
        let mut weights = t.weights.cast::<f32>();
        for group in 0..t.groups {
            let input = t.input.add(*t.offsets.add(group));
            for step in 0..t.steps {
                let column = load_f32(weights);
                weights = weights.add(LANES);
                for m in 0..M {
                    let value = *input.add(m * t.pixel + step);
                    for n in 0..4 {
                        sums[m][n] = vfmaq_n_f32(sums[m][n], column[n], value);
                    }
                }
            }
        }
        finish(t, &sums);
    }
}

unsafe fn tile_half(_blocks: usize, t: &TileF32) {
    // SAFETY: the caller's.
    unsafe { one_pixel_half(t) }
}

#[target_feature(enable = "neon")]
unsafe fn one_pixel_half(t: &TileF32) {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [load_f32(t.bias), [vdupq_n_f32(0.0); 4]];
        let mut weights = t.weights.cast::<u16>();
        for group in 0..t.groups {
            let input = t.input.add(*t.offsets.add(group));
            for step in 0..t.steps {
                let value = *input.add(step);
                for n in 0..4 {
                    let column = widened(vld1_u16(weights.add(n * 4)));
                    sums[step % 2][n] = vfmaq_n_f32(sums[step % 2][n], column, value);
                }
                weights = weights.add(LANES);
            }
        }
        let total: [float32x4_t; 4] = std::array::from_fn(|n| vaddq_f32(sums[0][n], sums[1][n]));
        finish(t, &[total]);
    }
}

/// Halves as f32. Moving exponent and fraction into place gives the value times 2⁻¹¹², for numbers too small to be normal as well.
#[inline]
#[target_feature(enable = "neon")]
fn widened(halves: uint16x4_t) -> float32x4_t {
    let bits = vmovl_u16(halves);
    let sign = vshlq_n_u32::<16>(vandq_u32(bits, vdupq_n_u32(0x8000)));
    let size = vshlq_n_u32::<13>(vandq_u32(bits, vdupq_n_u32(0x7fff)));
    let size = vmulq_n_f32(vreinterpretq_f32_u32(size), f32::from_bits((127 + 112) << 23));
    vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(size), sign))
}

#[inline]
#[target_feature(enable = "neon")]
unsafe fn finish<const M: usize>(t: &TileF32, sums: &[[float32x4_t; 4]; M]) {
    // SAFETY: the caller's.
    unsafe {
        let slope = load_f32(t.slope);
        for m in 0..M {
            for n in 0..4 {
                let at = m * LANES + n * 4;
                let mut value = sums[m][n];
                if t.residual.is_null() {
                    value = activated(value, slope[n]);
                } else {
                    let residual = vld1q_f32(t.residual.add(at));
                    value = if t.residual_first {
                        activated(vaddq_f32(value, residual), slope[n])
                    } else {
                        vaddq_f32(activated(value, slope[n]), residual)
                    };
                }
                vst1q_f32(t.output.add(at), value);
            }
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn activated(value: float32x4_t, slope: float32x4_t) -> float32x4_t {
    vbslq_f32(vcltzq_f32(value), vmulq_f32(value, slope), value)
}

unsafe fn row(r: &RowF32, slope: *const f32) {
    // SAFETY: the caller's.
    unsafe { row_of(r, slope) }
}

#[target_feature(enable = "neon")]
unsafe fn row_of(r: &RowF32, slope: *const f32) {
    // SAFETY: the caller's.
    unsafe {
        let mut x = 0;
        while x + 4 <= r.count {
            pixels::<4>(r, x, slope);
            x += 4;
        }
        while x < r.count {
            pixels::<1>(r, x, slope);
            x += 1;
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
unsafe fn pixels<const T: usize>(r: &RowF32, x: usize, slope: *const f32) {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [load_f32(r.bias); T];
        let mut weights = r.weights.cast::<f32>();
        for y in 0..r.height {
            for k in 0..r.width {
                let weight = load_f32(weights);
                weights = weights.add(LANES);
                let input = r.input.add(y * r.row + (x * r.stride + k) * LANES);
                for t in 0..T {
                    let value = load_f32(input.add(t * r.stride * LANES));
                    for n in 0..4 {
                        sums[t][n] = vfmaq_f32(sums[t][n], value[n], weight[n]);
                    }
                }
            }
        }
        let slope = load_f32(slope);
        for t in 0..T {
            for n in 0..4 {
                vst1q_f32(r.output.add((x + t) * LANES + n * 4), activated(sums[t][n], slope[n]));
            }
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
unsafe fn load_i32(from: *const i32) -> [int32x4_t; 4] {
    // SAFETY: the caller's.
    unsafe { [0, 4, 8, 12].map(|at| vld1q_s32(from.add(at))) }
}

/// Four inputs, less 128 each, in every lane.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn quad(from: *const u8) -> int8x16_t {
    // SAFETY: the caller's.
    let word = unsafe { from.cast::<u32>().read_unaligned() } ^ 0x8080_8080;
    vreinterpretq_s8_u32(vdupq_n_u32(word))
}

unsafe fn tile_dot(rows: usize, _blocks: usize, t: &TileI8) {
    // SAFETY: the caller's.
    unsafe { made_for!(rows, tile_dot_of, t) }
}

#[target_feature(enable = "neon,dotprod")]
unsafe fn tile_dot_of<const M: usize>(t: &TileI8) {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [load_i32(t.bias); M];
        let mut weights = t.weights.cast::<i8>();
        for group in 0..t.groups {
            let input = t.input.add(*t.offsets.add(group));
            for step in 0..t.steps {
                let column = [0, 16, 32, 48].map(|at| vld1q_s8(weights.add(at)));
                weights = weights.add(64);
                for m in 0..M {
                    let value = quad(input.add(m * t.pixel + step * 4));
                    for n in 0..4 {
                        // The intrinsic of this instruction is not stable in Rust yet.
                        std::arch::asm!(
                            "sdot {sum:v}.4s, {value:v}.16b, {column:v}.16b",
                            sum = inout(vreg) sums[m][n],
                            value = in(vreg) value,
                            column = in(vreg) column[n],
                            options(pure, nomem, nostack, preserves_flags),
                        );
                    }
                }
            }
        }
        finish_i8(t, &sums);
    }
}

unsafe fn tile_widening(rows: usize, _blocks: usize, t: &TileI8) {
    // SAFETY: the caller's.
    unsafe { made_for!(rows, tile_widening_of, t) }
}

#[target_feature(enable = "neon")]
unsafe fn tile_widening_of<const M: usize>(t: &TileI8) {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [load_i32(t.bias); M];
        let mut weights = t.weights.cast::<i8>();
        for group in 0..t.groups {
            let input = t.input.add(*t.offsets.add(group));
            for step in 0..t.steps {
                let column = [0, 16, 32, 48].map(|at| vld1q_s8(weights.add(at)));
                weights = weights.add(64);
                for m in 0..M {
                    let value = quad(input.add(m * t.pixel + step * 4));
                    for n in 0..4 {
                        let low = vmull_s8(vget_low_s8(value), vget_low_s8(column[n]));
                        let high = vmull_high_s8(value, column[n]);
                        sums[m][n] = vpadalq_s16(sums[m][n], vpaddq_s16(low, high));
                    }
                }
            }
        }
        finish_i8(t, &sums);
    }
}

#[inline]
#[target_feature(enable = "neon")]
unsafe fn finish_i8<const M: usize>(t: &TileI8, sums: &[[int32x4_t; 4]; M]) {
    // SAFETY: the caller's.
    unsafe {
        let (scale, negative) = (load_f32(t.finish.scale), load_f32(t.finish.negative));
        for m in 0..M {
            let scaled: [float32x4_t; 4] = std::array::from_fn(|n| scaled(sums[m][n], scale[n], negative[n]));
            if !t.raw.is_null() {
                for n in 0..4 {
                    vst1q_f32(t.raw.add(m * LANES + n * 4), scaled[n]);
                }
                continue;
            }
            let mut bytes = scaled.map(|value| rounded(value, t.finish.zero, t.finish.least));
            if let Some(sum) = &t.sum {
                let residual = vld1q_u8(t.residual.add(m * LANES));
                let (low, high) = (vmovl_u8(vget_low_u8(residual)), vmovl_high_u8(residual));
                let words =
                    [vmovl_u16(vget_low_u16(low)), vmovl_high_u16(low), vmovl_u16(vget_low_u16(high)), vmovl_high_u16(high)];
                for n in 0..4 {
                    bytes[n] = added(bytes[n], vreinterpretq_s32_u32(words[n]), sum);
                }
            }
            vst1q_u8(t.output.add(m * LANES), packed(bytes));
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
fn scaled(sum: int32x4_t, scale: float32x4_t, negative: float32x4_t) -> float32x4_t {
    vmulq_f32(vcvtq_f32_s32(sum), vbslq_f32(vcltzq_s32(sum), negative, scale))
}

#[inline]
#[target_feature(enable = "neon")]
fn rounded(value: float32x4_t, zero: i32, least: i32) -> int32x4_t {
    let held = vmaxq_f32(vminq_f32(value, vdupq_n_f32(BEYOND)), vdupq_n_f32(-BEYOND));
    let whole = vaddq_s32(vcvtnq_s32_f32(held), vdupq_n_s32(zero));
    vminq_s32(vmaxq_s32(whole, vdupq_n_s32(least)), vdupq_n_s32(255))
}

#[inline]
#[target_feature(enable = "neon")]
fn added(a: int32x4_t, b: int32x4_t, sum: &SumI8) -> int32x4_t {
    let a = vmulq_n_f32(vcvtq_f32_s32(vsubq_s32(a, vdupq_n_s32(sum.a_zero))), sum.a_ratio);
    let b = vmulq_n_f32(vcvtq_f32_s32(vsubq_s32(b, vdupq_n_s32(sum.b_zero))), sum.b_ratio);
    rounded(vaddq_f32(a, b), sum.zero, sum.least)
}

/// Sixteen numbers of 0…255 as bytes.
#[inline]
#[target_feature(enable = "neon")]
fn packed(words: [int32x4_t; 4]) -> uint8x16_t {
    let halves = [0, 2].map(|n| vcombine_u16(vqmovun_s32(words[n]), vqmovun_s32(words[n + 1])));
    vcombine_u8(vqmovn_u16(halves[0]), vqmovn_u16(halves[1]))
}

unsafe fn row_i8(r: &RowI8, end: &FinishI8) {
    // SAFETY: the caller's.
    unsafe { row_i8_of(r, end) }
}

#[target_feature(enable = "neon")]
unsafe fn row_i8_of(r: &RowI8, end: &FinishI8) {
    // SAFETY: the caller's.
    unsafe {
        let mut x = 0;
        while x + 4 <= r.count {
            pixels_i8::<4>(r, x, end);
            x += 4;
        }
        while x < r.count {
            pixels_i8::<1>(r, x, end);
            x += 1;
        }
    }
}

#[inline]
#[target_feature(enable = "neon")]
unsafe fn pixels_i8<const T: usize>(r: &RowI8, x: usize, end: &FinishI8) {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [load_i32(r.bias); T];
        let mut weights = r.weights.cast::<i8>();
        for y in 0..r.height {
            for k in 0..r.width {
                let weight = vld1q_s8(weights);
                weights = weights.add(LANES);
                let weight = [vmovl_s8(vget_low_s8(weight)), vmovl_high_s8(weight)];
                let input = r.input.add(y * r.row + (x * r.stride + k) * LANES);
                for t in 0..T {
                    let value = vld1q_u8(input.add(t * r.stride * LANES));
                    let value = [vmovl_u8(vget_low_u8(value)), vmovl_high_u8(value)].map(|half| vreinterpretq_s16_u16(half));
                    for half in 0..2 {
                        let low = (vget_low_s16(value[half]), vget_low_s16(weight[half]));
                        sums[t][2 * half] = vmlal_s16(sums[t][2 * half], low.0, low.1);
                        sums[t][2 * half + 1] = vmlal_high_s16(sums[t][2 * half + 1], value[half], weight[half]);
                    }
                }
            }
        }
        let (scale, negative) = (load_f32(end.scale), load_f32(end.negative));
        for t in 0..T {
            let bytes: [int32x4_t; 4] =
                std::array::from_fn(|n| rounded(scaled(sums[t][n], scale[n], negative[n]), end.zero, end.least));
            vst1q_u8(r.output.add((x + t) * LANES), packed(bytes));
        }
    }
}
