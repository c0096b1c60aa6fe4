//! AVX2 with fused multiply-add; int8 by way of i16, whose pairwise products and sums are exact. A block is two registers.

use std::arch::x86_64::*;
use std::mem::MaybeUninit;

use super::depthwise::PackingI8;
use super::{BEYOND, F32Kernels, FinishI8, I8Kernels, LANES, Packing, RowF32, RowI8, SumI8, TileF32, TileI8, portable};

pub(super) static F32: F32Kernels =
    F32Kernels { name: "avx2", tile_shape: (6, 1), narrow_tile: (6, 1), tile, tile_half, depthwise: row };

pub(super) static I8: I8Kernels = I8Kernels {
    name: "avx2",
    tile_shape: (6, 1),
    narrow_tile: (6, 1),
    packing: Packing::Pairs,
    shift: 0,
    tile: tile_i8,
    depthwise_packing: PackingI8::Pairs,
    depthwise: row_i8,
};

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

/// # Safety
/// AVX2, FMA and F16C, and every address that the tile describes lies in memory that may be read or, for outputs, written. So in this
/// whole file.
unsafe fn tile(rows: usize, _blocks: usize, t: &TileF32) {
    // SAFETY: the caller's.
    unsafe { made_for!(rows, tile_of, t) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn tile_of<const M: usize>(t: &TileF32) {
    // SAFETY: the caller's.
    unsafe {
        let bias = [_mm256_loadu_ps(t.bias), _mm256_loadu_ps(t.bias.add(8))];
        let mut sums = [bias; M];
        let mut weights = t.weights.cast::<f32>();
        for group in 0..t.groups {
            let input = t.input.add(*t.offsets.add(group));
            for step in 0..t.steps {
                let column = [_mm256_load_ps(weights), _mm256_load_ps(weights.add(8))];
                weights = weights.add(LANES);
                for m in 0..M {
                    let value = _mm256_broadcast_ss(&*input.add(m * t.pixel + step));
                    for n in 0..2 {
                        sums[m][n] = _mm256_fmadd_ps(value, column[n], sums[m][n]);
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

#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn one_pixel_half(t: &TileF32) {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [[_mm256_setzero_ps(); 2]; 4];
        sums[0] = [_mm256_loadu_ps(t.bias), _mm256_loadu_ps(t.bias.add(8))];
        let mut weights = t.weights.cast::<u16>();
        for group in 0..t.groups {
            let input = t.input.add(*t.offsets.add(group));
            let mut step = 0;
            while step < t.steps {
                for part in 0..4.min(t.steps - step) {
                    let value = _mm256_broadcast_ss(&*input.add(step + part));
                    for n in 0..2 {
                        let column = _mm256_cvtph_ps(_mm_loadu_si128(weights.add(n * 8).cast()));
                        sums[part][n] = _mm256_fmadd_ps(value, column, sums[part][n]);
                    }
                    weights = weights.add(LANES);
                }
                step += 4;
            }
        }
        let mut total = sums[0];
        for n in 0..2 {
            total[n] = _mm256_add_ps(_mm256_add_ps(sums[0][n], sums[1][n]), _mm256_add_ps(sums[2][n], sums[3][n]));
        }
        finish(t, &[total]);
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn finish<const M: usize>(t: &TileF32, sums: &[[__m256; 2]; M]) {
    // SAFETY: the caller's.
    unsafe {
        for n in 0..2 {
            let slope = _mm256_loadu_ps(t.slope.add(n * 8));
            for m in 0..M {
                let at = m * LANES + n * 8;
                let mut value = sums[m][n];
                if t.residual.is_null() {
                    value = activated(value, slope);
                } else {
                    let residual = _mm256_loadu_ps(t.residual.add(at));
                    value = if t.residual_first {
                        activated(_mm256_add_ps(value, residual), slope)
                    } else {
                        _mm256_add_ps(activated(value, slope), residual)
                    };
                }
                _mm256_storeu_ps(t.output.add(at), value);
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn activated(value: __m256, slope: __m256) -> __m256 {
    // `blendv` looks at the sign bit alone: −0 times a slope is a zero as well.
    _mm256_blendv_ps(value, _mm256_mul_ps(value, slope), value)
}

unsafe fn row(r: &RowF32, slope: *const f32) {
    // SAFETY: the caller's.
    unsafe {
        match (r.height, r.width, r.stride) {
            (3, 3, 1) => row_of::<3, 1>(r, slope),
            (3, 3, 2) => row_of::<3, 2>(r, slope),
            (5, 5, 1) => row_of::<5, 1>(r, slope),
            (5, 5, 2) => row_of::<5, 2>(r, slope),
            (7, 7, 1) => row_of::<7, 1>(r, slope),
            _ => portable::row(r, slope),
        }
    }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn row_of<const K: usize, const S: usize>(r: &RowF32, slope: *const f32) {
    const TOGETHER: usize = 4;
    // SAFETY: the caller's.
    unsafe {
        let mut x = 0;
        while x + TOGETHER <= r.count {
            pixels::<K, S, TOGETHER>(r, x, slope);
            x += TOGETHER;
        }
        if x < r.count && r.count >= TOGETHER {
            pixels::<K, S, TOGETHER>(r, r.count - TOGETHER, slope);
        } else {
            while x < r.count {
                pixels::<K, S, 1>(r, x, slope);
                x += 1;
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn pixels<const K: usize, const S: usize, const T: usize>(r: &RowF32, x: usize, slope: *const f32) {
    // SAFETY: the caller's.
    unsafe {
        for half in [0, 8] {
            let mut sums = [_mm256_loadu_ps(r.bias.add(half)); T];
            let weights = r.weights.cast::<f32>().add(half);
            for y in 0..K {
                let input = r.input.add(y * r.row + x * S * LANES + half);
                for k in 0..K {
                    let weight = _mm256_load_ps(weights.add((y * K + k) * LANES));
                    for t in 0..T {
                        sums[t] = _mm256_fmadd_ps(_mm256_loadu_ps(input.add((t * S + k) * LANES)), weight, sums[t]);
                    }
                }
            }
            let slope = _mm256_loadu_ps(slope.add(half));
            for t in 0..T {
                _mm256_storeu_ps(r.output.add((x + t) * LANES + half), activated(sums[t], slope));
            }
        }
    }
}

unsafe fn tile_i8(rows: usize, _blocks: usize, t: &TileI8) {
    // SAFETY: the caller's.
    unsafe { made_for!(rows, tile_i8_of, t) }
}

#[target_feature(enable = "avx2")]
unsafe fn tile_i8_of<const M: usize>(t: &TileI8) {
    // SAFETY: the caller's.
    unsafe {
        let bias = [_mm256_loadu_si256(t.bias.cast()), _mm256_loadu_si256(t.bias.add(8).cast())];
        let mut sums = [bias; M];
        let mut weights = t.weights.cast::<i16>();
        for group in 0..t.groups {
            let input = t.input.add(*t.offsets.add(group));
            for step in 0..t.steps {
                // The four inputs of each pixel, widened: two pairs.
                let mut fours = [_mm_setzero_si128(); M];
                for m in 0..M {
                    let quad = input.add(m * t.pixel + step * 4).cast::<i32>().read_unaligned();
                    fours[m] = _mm_cvtepu8_epi16(_mm_cvtsi32_si128(quad));
                }
                for pair in 0..2 {
                    let column = [_mm256_load_si256(weights.cast()), _mm256_load_si256(weights.add(16).cast())];
                    weights = weights.add(2 * LANES);
                    for m in 0..M {
                        let value = if pair == 0 {
                            _mm256_broadcastd_epi32(fours[m])
                        } else {
                            _mm256_broadcastd_epi32(_mm_srli_si128::<4>(fours[m]))
                        };
                        for n in 0..2 {
                            sums[m][n] = _mm256_add_epi32(sums[m][n], _mm256_madd_epi16(value, column[n]));
                        }
                    }
                }
            }
        }
        // Out of the registers at once: a loop that is not unrolled would otherwise keep the sums in memory from the start.
        let mut done = [[MaybeUninit::<__m256i>::uninit(); 2]; M];
        for m in 0..M {
            for n in 0..2 {
                _mm256_store_si256(done[m][n].as_mut_ptr(), sums[m][n]);
            }
        }
        let load = |numbers: *const f32| [_mm256_loadu_ps(numbers), _mm256_loadu_ps(numbers.add(8))];
        let (scale, negative) = (load(t.finish.scale), load(t.finish.negative));
        for m in 0..M {
            let sums = done[m].map(|half| half.assume_init());
            let scaled = [scaled(sums[0], scale[0], negative[0]), scaled(sums[1], scale[1], negative[1])];
            if !t.raw.is_null() {
                _mm256_storeu_ps(t.raw.add(m * LANES), scaled[0]);
                _mm256_storeu_ps(t.raw.add(m * LANES + 8), scaled[1]);
                continue;
            }
            let mut bytes = scaled.map(|half| rounded(half, t.finish.zero, t.finish.least));
            if let Some(sum) = &t.sum {
                for (n, half) in bytes.iter_mut().enumerate() {
                    let residual = _mm_loadl_epi64(t.residual.add(m * LANES + n * 8).cast());
                    *half = added(*half, _mm256_cvtepu8_epi32(residual), sum);
                }
            }
            _mm_storeu_si128(t.output.add(m * LANES).cast(), packed(bytes));
        }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn scaled(sum: __m256i, scale: __m256, negative: __m256) -> __m256 {
    _mm256_mul_ps(_mm256_cvtepi32_ps(sum), _mm256_blendv_ps(scale, negative, _mm256_castsi256_ps(sum)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn rounded(value: __m256, zero: i32, least: i32) -> __m256i {
    // What lies too far below becomes the smallest i32, which is as good.
    let held = _mm256_min_ps(value, _mm256_set1_ps(BEYOND));
    let whole = _mm256_cvtps_epi32(_mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(held));
    let least = _mm256_max_epi32(_mm256_add_epi32(whole, _mm256_set1_epi32(zero)), _mm256_set1_epi32(least));
    _mm256_min_epi32(least, _mm256_set1_epi32(255))
}

#[inline]
#[target_feature(enable = "avx2")]
fn added(a: __m256i, b: __m256i, sum: &SumI8) -> __m256i {
    let a = _mm256_cvtepi32_ps(_mm256_sub_epi32(a, _mm256_set1_epi32(sum.a_zero)));
    let b = _mm256_cvtepi32_ps(_mm256_sub_epi32(b, _mm256_set1_epi32(sum.b_zero)));
    let a = _mm256_mul_ps(a, _mm256_set1_ps(sum.a_ratio));
    let b = _mm256_mul_ps(b, _mm256_set1_ps(sum.b_ratio));
    rounded(_mm256_add_ps(a, b), sum.zero, sum.least)
}

/// Sixteen numbers of 0…255 as bytes in order.
#[inline]
#[target_feature(enable = "avx2")]
fn packed(halves: [__m256i; 2]) -> __m128i {
    let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(halves[0], halves[1]));
    _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words))
}

unsafe fn row_i8(r: &RowI8, end: &FinishI8) {
    // SAFETY: the caller's.
    unsafe {
        let mut x = 0;
        while x + 2 <= r.count {
            pixels_i8::<2>(r, x, end);
            x += 2;
        }
        if x < r.count {
            pixels_i8::<1>(r, x, end);
        }
    }
}

#[target_feature(enable = "avx2")]
unsafe fn pixels_i8<const T: usize>(r: &RowI8, x: usize, end: &FinishI8) {
    // SAFETY: the caller's.
    unsafe {
        // Unpacking two taps gives channels 0–3 and 8–11, then 4–7 and 12–15; weights lie in that order.
        let bias = [_mm256_loadu_si256(r.bias.cast()), _mm256_loadu_si256(r.bias.add(8).cast())];
        let bias = [_mm256_permute2x128_si256::<0x20>(bias[0], bias[1]), _mm256_permute2x128_si256::<0x31>(bias[0], bias[1])];
        let mut sums = [bias; T];
        let mut weights = r.weights.cast::<i16>();
        let taps = r.height * r.width;
        let place = |tap: usize| (tap / r.width) * r.row + (x * r.stride + tap % r.width) * LANES;
        let mut tap = 0;
        while tap < taps {
            let (one, two) = (place(tap), place((tap + 1).min(taps - 1)));
            let column = [_mm256_load_si256(weights.cast()), _mm256_load_si256(weights.add(16).cast())];
            for t in 0..T {
                let load = |at: usize| _mm256_cvtepu8_epi16(_mm_loadu_si128(r.input.add(at + t * r.stride * LANES).cast()));
                let (a, b) = (load(one), load(two));
                sums[t][0] = _mm256_add_epi32(sums[t][0], _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), column[0]));
                sums[t][1] = _mm256_add_epi32(sums[t][1], _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), column[1]));
            }
            weights = weights.add(2 * LANES);
            tap += 2;
        }
        for t in 0..T {
            let low = _mm256_permute2x128_si256::<0x20>(sums[t][0], sums[t][1]);
            let high = _mm256_permute2x128_si256::<0x31>(sums[t][0], sums[t][1]);
            let finish = |sum, at| {
                let (scale, negative) = (_mm256_loadu_ps(end.scale.add(at)), _mm256_loadu_ps(end.negative.add(at)));
                rounded(scaled(sum, scale, negative), end.zero, end.least)
            };
            _mm_storeu_si128(r.output.add((x + t) * LANES).cast(), packed([finish(low, 0), finish(high, 8)]));
        }
    }
}
