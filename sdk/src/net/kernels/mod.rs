//! The arithmetic: blocks of sixteen channels, in f32 and in int8, for each instruction set. Beside `pack/mapped` the one room with `unsafe`.
//!
//! A set of kernels has two functions for each kind of number. A **tile** is some neighbouring output pixels of one row times some
//! blocks of output channels of a dense convolution; it stays in registers until it is finished with bias, activation, residual and, in
//! int8, requantisation. A **row** is one row of one block of a depthwise convolution. [`dense`] and [`depthwise`] walk whole layers
//! with them, after they have checked that every address lies inside its slice.
//!
//! int8 gives the same bits with every set: sums are exact in i32, and the steps after them are single IEEE f32 operations in one order.

#![allow(unsafe_code)]
// Registers of a tile go by their places, in loops of fixed length that the compiler unrolls.
#![allow(clippy::needless_range_loop)]

mod dense;
mod depthwise;
mod memory;
mod plane;
mod portable;

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;

#[cfg(test)]
mod tests;

pub(super) use dense::{DenseF32, DenseI8, RequantI8, Residual, Shape, pack_f32, pack_i8};
pub(super) use depthwise::{DepthwiseF32, DepthwiseI8, OVERREAD, pack as pack_depthwise};
pub(super) use memory::{Memory, Weights, numbers, numbers_mut};
pub(super) use plane::{Plane, Window};
pub(super) use portable::add as add_i8;

/// Channels of a block.
pub(super) const LANES: usize = 16;

/// A tile of a dense convolution in f32: for each pixel and output channel, the bias plus the sum over `groups` runs of `steps`
/// consecutive inputs times weights, then the activation and the residual.
struct TileF32 {
    /// The first input of the first pixel, and the distance from pixel to pixel.
    input: *const f32,
    pixel: usize,
    /// Where each run begins, from a pixel's first input.
    offsets: *const usize,
    groups: usize,
    steps: usize,
    /// `[block][group][step][16]`: f32, or IEEE half precision in `tile_half`.
    weights: *const u8,
    /// `[blocks · 16]`. A value below zero is multiplied by its channel's slope.
    bias: *const f32,
    slope: *const f32,
    output: *mut f32,
    output_block: usize,
    /// What is added before (`residual_first`) or after the activation; null when there is none.
    residual: *const f32,
    residual_block: usize,
    residual_first: bool,
}

/// A tile of a dense convolution in int8; runs are of `steps` times four bytes.
struct TileI8 {
    input: *const u8,
    pixel: usize,
    offsets: *const usize,
    groups: usize,
    steps: usize,
    /// `[block][group][step]` in the set's [`Packing`].
    weights: *const u8,
    bias: *const i32,
    finish: FinishI8,
    output: *mut u8,
    output_block: usize,
    residual: *const u8,
    residual_block: usize,
    sum: Option<SumI8>,
    /// Where dequantised sums go instead of `output`, when not null.
    raw: *mut f32,
}

/// From an exact sum to a byte: `clamp(round_half_even(sum · scale), least − zero, 255 − zero) + zero`, with `negative` in the place of
/// `scale` below zero.
#[derive(Clone, Copy)]
struct FinishI8 {
    scale: *const f32,
    negative: *const f32,
    zero: i32,
    least: i32,
}

/// The sum of two quantised values: `clamp(round_half_even((a − a_zero) · a_ratio + (b − b_zero) · b_ratio) + zero, least, 255)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::net) struct SumI8 {
    pub a_zero: i32,
    pub a_ratio: f32,
    pub b_zero: i32,
    pub b_ratio: f32,
    pub zero: i32,
    pub least: i32,
}

/// One output row of one block of a depthwise convolution.
struct Row<T, B> {
    /// The window's upper left corner for the first output, and the distance from one input row to the next.
    input: *const T,
    row: usize,
    output: *mut T,
    count: usize,
    height: usize,
    width: usize,
    stride: usize,
    weights: *const u8,
    bias: *const B,
}

type RowF32 = Row<f32, f32>;
type RowI8 = Row<u8, i32>;

/// How a set wants its int8 weights.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Packing {
    /// Four inputs of an output channel beside each other, i8.
    Quads,
    /// Two, as i16.
    Pairs,
}

/// The kernels of one instruction set for f32.
pub(super) struct F32Kernels {
    pub(super) name: &'static str,
    /// The largest tile, pixels × blocks, and the one for rows of few pixels.
    tile_shape: (usize, usize),
    narrow_tile: (usize, usize),
    tile: unsafe fn(rows: usize, blocks: usize, &TileF32),
    /// One pixel, weights in half precision, blocks as in `tile_shape`.
    tile_half: unsafe fn(blocks: usize, &TileF32),
    /// With each channel's slope.
    depthwise: unsafe fn(&RowF32, *const f32),
}

/// The kernels of one instruction set for int8.
pub(super) struct I8Kernels {
    pub(super) name: &'static str,
    tile_shape: (usize, usize),
    narrow_tile: (usize, usize),
    packing: Packing,
    /// What the kernels subtract from every input; the bias makes up for it.
    shift: i32,
    tile: unsafe fn(rows: usize, blocks: usize, &TileI8),
    depthwise_packing: depthwise::PackingI8,
    depthwise: unsafe fn(&RowI8, &FinishI8),
}

impl F32Kernels {
    /// Every set that this processor can run, the fastest first.
    pub(super) fn available() -> Vec<&'static F32Kernels> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx2") {
                sets.push(&avx512::F32);
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c") {
                sets.push(&avx2::F32);
            }
        }
        #[cfg(target_arch = "aarch64")]
        sets.push(&neon::F32);
        sets.push(&portable::F32);
        sets
    }

    pub(super) fn best() -> &'static F32Kernels {
        F32Kernels::available()[0]
    }

    pub(super) fn portable() -> &'static F32Kernels {
        &portable::F32
    }
}

impl I8Kernels {
    /// Every set that this processor can run, the fastest first.
    pub(super) fn available() -> Vec<&'static I8Kernels> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512vnni")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512f")
            {
                sets.push(&avx512::I8);
            }
            if is_x86_feature_detected!("avx2") {
                sets.push(&avx2::I8);
            }
        }
        #[cfg(target_arch = "aarch64")]
        {
            if std::arch::is_aarch64_feature_detected!("dotprod") {
                sets.push(&neon::I8_DOT);
            }
            sets.push(&neon::I8);
        }
        sets.push(&portable::I8);
        sets
    }

    pub(super) fn best() -> &'static I8Kernels {
        I8Kernels::available()[0]
    }

    pub(super) fn portable() -> &'static I8Kernels {
        &portable::I8
    }
}

/// Beyond every clamp and within every conversion: what a scaled sum is held to before it is rounded.
const BEYOND: f32 = 1024.0;
