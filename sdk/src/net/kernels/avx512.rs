//! AVX-512: f32 with fused multiply-add, int8 with VNNI. A block of sixteen channels is one register.

use std::arch::x86_64::*;
use std::hint::black_box;
use std::mem::MaybeUninit;

use super::depthwise::PackingI8;
use super::{BEYOND, F32Kernels, FinishI8, I8Kernels, LANES, Packing, RowF32, RowI8, SumI8, TileF32, TileI8, portable};

pub(super) static F32: F32Kernels =
    F32Kernels { name: "avx512", tile_shape: (14, 2), narrow_tile: (7, 4), tile, tile_half, depthwise: row };

pub(super) static I8: I8Kernels = I8Kernels {
    name: "avx512vnni",
    tile_shape: (14, 2),
    narrow_tile: (7, 4),
    packing: Packing::Quads,
    shift: 0,
    tile: tile_i8,
    depthwise_packing: PackingI8::Quads,
    depthwise: row_i8,
};

/// Calls the function made for this many pixels and blocks.
macro_rules! made_for {
    ($rows:expr, $blocks:expr, $function:ident, $tile:expr) => {
        made_for!(@ $rows, $blocks, $function, $tile,
            1 1, 2 1, 3 1, 4 1, 5 1, 6 1, 7 1, 8 1, 9 1, 10 1, 11 1, 12 1, 13 1, 14 1,
            1 2, 2 2, 3 2, 4 2, 5 2, 6 2, 7 2, 8 2, 9 2, 10 2, 11 2, 12 2, 13 2, 14 2,
            1 4, 2 4, 3 4, 4 4, 5 4, 6 4, 7 4)
    };
    (@ $rows:expr, $blocks:expr, $function:ident, $tile:expr, $($r:literal $b:literal),*) => {
        match ($rows, $blocks) {
            $(($r, $b) => $function::<$r, $b>($tile),)*
            _ => unreachable!("no tile of {} × {}", $rows, $blocks),
        }
    };
}

/// # Safety
/// AVX-512F, and every address that the tile describes lies in memory that may be read or, for outputs, written. So in this whole file.
unsafe fn tile(rows: usize, blocks: usize, t: &TileF32) {
    // SAFETY: the caller's.
    unsafe {
        if t.pixel == LANES && t.steps == LANES {
            made_for!(rows, blocks, tile_blocked, t)
        } else {
            made_for!(rows, blocks, tile_strided, t)
        }
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn tile_blocked<const M: usize, const N: usize>(t: &TileF32) {
    // SAFETY: the caller's.
    unsafe { any_tile::<M, N>(t, LANES, LANES) }
}

#[target_feature(enable = "avx512f")]
unsafe fn tile_strided<const M: usize, const N: usize>(t: &TileF32) {
    // SAFETY: the caller's.
    unsafe { any_tile::<M, N>(t, t.pixel, t.steps) }
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn any_tile<const M: usize, const N: usize>(t: &TileF32, pixel: usize, steps: usize) {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [[_mm512_setzero_ps(); N]; M];
        for n in 0..N {
            let bias = _mm512_loadu_ps(t.bias.add(n * LANES));
            for sums in &mut sums {
                sums[n] = bias;
            }
        }
        let mut weights = t.weights.cast::<f32>();
        let block = t.groups * steps * LANES;
        for group in 0..t.groups {
            let input = t.input.add(*t.offsets.add(group));
            for step in 0..steps {
                let mut column = [_mm512_setzero_ps(); N];
                for n in 0..N {
                    column[n] = _mm512_load_ps(weights.add(n * block));
                }
                weights = weights.add(LANES);
                for m in 0..M {
                    let value = _mm512_set1_ps(*input.add(m * pixel + step));
                    for n in 0..N {
                        sums[m][n] = _mm512_fmadd_ps(value, column[n], sums[m][n]);
                    }
                }
            }
        }
        finish::<M, N>(t, &sums);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn finish<const M: usize, const N: usize>(t: &TileF32, sums: &[[__m512; N]; M]) {
    // SAFETY: the caller's.
    unsafe {
        for n in 0..N {
            let slope = _mm512_loadu_ps(t.slope.add(n * LANES));
            for m in 0..M {
                let mut value = sums[m][n];
                if !t.residual.is_null() {
                    let residual = _mm512_loadu_ps(t.residual.add(n * t.residual_block + m * LANES));
                    value = if t.residual_first {
                        activated(_mm512_add_ps(value, residual), slope)
                    } else {
                        _mm512_add_ps(activated(value, slope), residual)
                    };
                } else {
                    value = activated(value, slope);
                }
                _mm512_storeu_ps(t.output.add(n * t.output_block + m * LANES), value);
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn activated(value: __m512, slope: __m512) -> __m512 {
    let below = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(value, _mm512_setzero_ps());
    _mm512_mask_mul_ps(value, below, value, slope)
}

unsafe fn tile_half(blocks: usize, t: &TileF32) {
    // SAFETY: the caller's.
    unsafe {
        match blocks {
            1 => one_pixel_half::<1>(t),
            _ => one_pixel_half::<2>(t),
        }
    }
}

#[target_feature(enable = "avx512f")]
unsafe fn one_pixel_half<const N: usize>(t: &TileF32) {
    // SAFETY: the caller's.
    unsafe {
        // Four sums a block, so that no addition waits for the one before it.
        let mut sums = [[_mm512_setzero_ps(); N]; 4];
        for n in 0..N {
            sums[0][n] = _mm512_loadu_ps(t.bias.add(n * LANES));
        }
        let mut weights = t.weights.cast::<u16>();
        let block = t.groups * t.steps * LANES;
        for group in 0..t.groups {
            let input = t.input.add(*t.offsets.add(group));
            let mut step = 0;
            while step < t.steps {
                for part in 0..4.min(t.steps - step) {
                    let value = _mm512_set1_ps(*input.add(step + part));
                    for n in 0..N {
                        let column = _mm512_cvtph_ps(_mm256_loadu_si256(weights.add(n * block).cast()));
                        sums[part][n] = _mm512_fmadd_ps(value, column, sums[part][n]);
                    }
                    weights = weights.add(LANES);
                }
                step += 4;
            }
        }
        let mut total = [[_mm512_setzero_ps(); N]; 1];
        for n in 0..N {
            total[0][n] = _mm512_add_ps(_mm512_add_ps(sums[0][n], sums[1][n]), _mm512_add_ps(sums[2][n], sums[3][n]));
        }
        finish::<1, N>(t, &total);
    }
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

#[target_feature(enable = "avx512f")]
unsafe fn row_of<const K: usize, const S: usize>(r: &RowF32, slope: *const f32) {
    const TOGETHER: usize = 7;
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
#[target_feature(enable = "avx512f")]
unsafe fn pixels<const K: usize, const S: usize, const T: usize>(r: &RowF32, x: usize, slope: *const f32) {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [_mm512_loadu_ps(r.bias); T];
        let weights = r.weights.cast::<f32>();
        for y in 0..K {
            let input = r.input.add(y * r.row + x * S * LANES);
            for k in 0..K {
                let weight = _mm512_load_ps(weights.add((y * K + k) * LANES));
                for t in 0..T {
                    sums[t] = _mm512_fmadd_ps(_mm512_loadu_ps(input.add((t * S + k) * LANES)), weight, sums[t]);
                }
            }
        }
        let slope = _mm512_loadu_ps(slope);
        for t in 0..T {
            _mm512_storeu_ps(r.output.add((x + t) * LANES), activated(sums[t], slope));
        }
    }
}

unsafe fn tile_i8(rows: usize, blocks: usize, t: &TileI8) {
    // SAFETY: the caller's.
    unsafe {
        if t.pixel == LANES && t.steps == LANES / 4 {
            made_for!(rows, blocks, tile_i8_blocked, t)
        } else {
            made_for!(rows, blocks, tile_i8_strided, t)
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn tile_i8_blocked<const M: usize, const N: usize>(t: &TileI8) {
    // SAFETY: the caller's.
    unsafe { any_tile_i8::<M, N>(t, LANES, LANES / 4) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn tile_i8_strided<const M: usize, const N: usize>(t: &TileI8) {
    // SAFETY: the caller's.
    unsafe { any_tile_i8::<M, N>(t, t.pixel, t.steps) }
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn any_tile_i8<const M: usize, const N: usize>(t: &TileI8, pixel: usize, steps: usize) {
    // SAFETY: the caller's.
    unsafe {
        let mut sums = [[_mm512_setzero_si512(); N]; M];
        for n in 0..N {
            let bias = _mm512_loadu_si512(t.bias.add(n * LANES).cast());
            for sums in &mut sums {
                sums[n] = bias;
            }
        }
        let mut weights = t.weights;
        let block = t.groups * steps * 64;
        for group in 0..t.groups {
            let input = t.input.add(*t.offsets.add(group));
            for step in 0..steps {
                let mut column = [_mm512_setzero_si512(); N];
                for n in 0..N {
                    column[n] = _mm512_load_si512(weights.add(n * block).cast());
                }
                weights = weights.add(64);
                for m in 0..M {
                    let quad = input.add(m * pixel + step * 4).cast::<i32>().read_unaligned();
                    let value = _mm512_set1_epi32(quad);
                    for n in 0..N {
                        sums[m][n] = _mm512_dpbusd_epi32(sums[m][n], value, column[n]);
                    }
                }
            }
        }
        // Out of the registers at once: a loop that is not unrolled would otherwise keep the sums in memory from the start.
        let mut done = [[MaybeUninit::<__m512i>::uninit(); N]; M];
        for m in 0..M {
            for n in 0..N {
                _mm512_store_si512(done[m][n].as_mut_ptr(), sums[m][n]);
            }
        }
        for n in 0..N {
            let scale = _mm512_loadu_ps(t.finish.scale.add(n * LANES));
            let negative = _mm512_loadu_ps(t.finish.negative.add(n * LANES));
            for m in 0..M {
                let at = n * t.output_block + m * LANES;
                let scaled = scaled(done[m][n].assume_init(), scale, negative);
                if !t.raw.is_null() {
                    _mm512_storeu_ps(t.raw.add(at), scaled);
                    continue;
                }
                let mut bytes = rounded(scaled, t.finish.zero, t.finish.least);
                if let Some(sum) = &t.sum {
                    let residual = _mm_loadu_si128(t.residual.add(n * t.residual_block + m * LANES).cast());
                    bytes = added(bytes, _mm512_cvtepu8_epi32(residual), sum);
                }
                _mm_storeu_si128(t.output.add(at).cast(), _mm512_cvtusepi32_epi8(bytes));
            }
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn scaled(sum: __m512i, scale: __m512, negative: __m512) -> __m512 {
    let below = _mm512_cmplt_epi32_mask(sum, _mm512_setzero_si512());
    _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_mask_blend_ps(below, scale, negative))
}

/// Not below `least`; above 255 the conversion to bytes saturates.
#[inline]
#[target_feature(enable = "avx512f")]
fn rounded(value: __m512, zero: i32, least: i32) -> __m512i {
    // What lies too far below becomes the smallest i32, which is as good.
    let held = _mm512_min_ps(value, _mm512_set1_ps(BEYOND));
    let whole = _mm512_cvt_roundps_epi32::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(held);
    _mm512_max_epi32(_mm512_add_epi32(whole, _mm512_set1_epi32(zero)), _mm512_set1_epi32(least))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn added(a: __m512i, b: __m512i, sum: &SumI8) -> __m512i {
    let a = _mm512_min_epi32(a, _mm512_set1_epi32(255));
    let a = _mm512_cvtepi32_ps(_mm512_sub_epi32(a, _mm512_set1_epi32(sum.a_zero)));
    let b = _mm512_cvtepi32_ps(_mm512_sub_epi32(b, _mm512_set1_epi32(sum.b_zero)));
    let a = _mm512_mul_ps(a, _mm512_set1_ps(sum.a_ratio));
    let b = _mm512_mul_ps(b, _mm512_set1_ps(sum.b_ratio));
    rounded(_mm512_add_ps(a, b), sum.zero, sum.least)
}

unsafe fn row_i8(r: &RowI8, end: &FinishI8) {
    const TOGETHER: usize = 7;
    // SAFETY: the caller's.
    unsafe {
        let mut x = 0;
        if (r.height, r.width, r.stride) == (3, 3, 1) {
            while x + 8 <= r.count {
                pairs_i8::<4>(r, x, end);
                x += 8;
            }
            if x < r.count && r.count >= 8 {
                return pairs_i8::<4>(r, r.count - 8, end);
            }
        }
        while x + TOGETHER <= r.count {
            pixels_i8::<TOGETHER>(r, x, end);
            x += TOGETHER;
        }
        if x < r.count && r.count >= TOGETHER {
            pixels_i8::<TOGETHER>(r, r.count - TOGETHER, end);
        } else {
            while x < r.count {
                pixels_i8::<1>(r, x, end);
                x += 1;
            }
        }
    }
}

/// Four pixels of sixteen channels → sixteen channels of four pixels: first whole double words, then bytes in each quarter. A compiler
/// that knew the order would take six instructions for these two.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn orders() -> [__m512i; 2] {
    let words = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    let bytes = _mm512_broadcast_i32x4(_mm_set_epi8(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0));
    black_box([words, bytes])
}

/// `2 · T` pixels of a 3 × 3 window with stride 1: what is read and turned for one pixel serves its neighbour, with the weights one
/// place further.
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn pairs_i8<const T: usize>(r: &RowI8, x: usize, end: &FinishI8) {
    // SAFETY: the caller's.
    unsafe {
        let [words, bytes] = orders();
        let mut sums = [[_mm512_loadu_si512(r.bias.cast()); 2]; T];
        for y in 0..3 {
            let weight = _mm512_load_si512(r.weights.add(y * 64).cast());
            let further = _mm512_slli_epi32::<8>(weight);
            let input = r.input.add(y * r.row + x * LANES);
            for t in 0..T {
                let four = _mm512_loadu_si512(input.add(2 * t * LANES).cast());
                let four = _mm512_shuffle_epi8(_mm512_permutexvar_epi32(words, four), bytes);
                sums[t][0] = _mm512_dpbusd_epi32(sums[t][0], four, weight);
                sums[t][1] = _mm512_dpbusd_epi32(sums[t][1], four, further);
            }
        }
        let (scale, negative) = (_mm512_loadu_ps(end.scale), _mm512_loadu_ps(end.negative));
        for t in 0..T {
            for one in 0..2 {
                let bytes = rounded(scaled(sums[t][one], scale, negative), end.zero, end.least);
                _mm_storeu_si128(r.output.add((x + 2 * t + one) * LANES).cast(), _mm512_cvtusepi32_epi8(bytes));
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
unsafe fn pixels_i8<const T: usize>(r: &RowI8, x: usize, end: &FinishI8) {
    // SAFETY: the caller's. Four pixels are read at once, up to three of them behind the window, where weights are zero.
    unsafe {
        let [words, bytes] = orders();
        let mut sums = [_mm512_loadu_si512(r.bias.cast()); T];
        let mut weights = r.weights;
        for y in 0..r.height {
            let mut column = 0;
            while column < r.width {
                let weight = _mm512_load_si512(weights.cast());
                let input = r.input.add(y * r.row + (x * r.stride + column) * LANES);
                for t in 0..T {
                    let four = _mm512_loadu_si512(input.add(t * r.stride * LANES).cast());
                    let four = _mm512_shuffle_epi8(_mm512_permutexvar_epi32(words, four), bytes);
                    sums[t] = _mm512_dpbusd_epi32(sums[t], four, weight);
                }
                weights = weights.add(64);
                column += 4;
            }
        }
        let (scale, negative) = (_mm512_loadu_ps(end.scale), _mm512_loadu_ps(end.negative));
        for t in 0..T {
            let bytes = rounded(scaled(sums[t], scale, negative), end.zero, end.least);
            _mm_storeu_si128(r.output.add((x + t) * LANES).cast(), _mm512_cvtusepi32_epi8(bytes));
        }
    }
}
