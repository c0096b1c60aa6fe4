//! Whole layers of depthwise convolutions.

use super::dense::{RequantI8, Shape, padded};
use super::memory::{Memory, Number, Weights};
use super::plane::{Plane, Window};
use super::{F32Kernels, FinishI8, I8Kernels, LANES, Row};

/// How a set wants a block's weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum PackingI8 {
    /// `[y][x][channel]`, i8.
    Taps,
    /// `[y][x / 4][channel][4]`, i8, filled up with zeros.
    Quads,
    /// `[tap / 2][channel][2]`, i16, channels in the order 0–3, 8–11, 4–7, 12–15.
    Pairs,
}

fn check(input: &Plane, output: &Plane, window: &Window) {
    let border = window.border((input.height, input.width), (output.height, output.width));
    let same = input.channels == output.channels && input.lanes == LANES && output.lanes == LANES;
    assert!(same && input.border >= border, "planes that do not fit the window");
}

fn corner(input: &Plane, window: &Window, y: usize) -> usize {
    (y * window.stride + input.border - window.top) * input.row() + (input.border - window.left) * LANES
}

/// The weights of a depthwise layer, `[block][y][x][channel]`, from `weight(channel, y, x)`.
pub(in crate::net) fn pack<T: Number>((_, output, window): Shape, weight: impl Fn(usize, usize, usize) -> T) -> Weights {
    let taps = window.height * window.width;
    let mut weights = Memory::zeroed(output.blocks() * LANES * taps * size_of::<T>());
    let packed = weights.view_mut::<T>();
    for channel in 0..output.channels {
        for tap in 0..taps {
            let at = ((channel / LANES) * taps + tap) * LANES + channel % LANES;
            packed[at] = weight(channel, tap / window.width, tap % window.width);
        }
    }
    weights.into()
}

/// A depthwise convolution in f32, ready to run.
pub(in crate::net) struct DepthwiseF32 {
    kernels: &'static F32Kernels,
    input: Plane,
    output: Plane,
    window: Window,
    weights: Weights,
    bias: Memory,
    slope: Memory,
}

impl DepthwiseF32 {
    /// Weights as [`pack`] makes them of f32. `None` when the sizes do not fit.
    pub(in crate::net) fn new(
        kernels: &'static F32Kernels,
        (input, output, window): Shape,
        weights: Weights,
        bias: &[f32],
        slope: &[f32],
    ) -> Option<DepthwiseF32> {
        check(&input, &output, &window);
        let lanes = output.blocks() * LANES;
        let fits = weights.bytes().len() >= lanes * window.height * window.width * size_of::<f32>()
            && [bias, slope].iter().all(|values| values.len() == output.channels);
        fits.then(|| DepthwiseF32 {
            kernels,
            input,
            output,
            window,
            weights,
            bias: padded(bias, lanes),
            slope: padded(slope, lanes),
        })
    }

    pub(in crate::net) fn run(&self, input: &[f32], output: &mut [f32]) {
        assert!(self.input.len() <= input.len() && self.output.len() <= output.len(), "a layer that leaves its maps");
        let taps = self.window.height * self.window.width;
        for block in 0..self.output.blocks() {
            for y in 0..self.output.height {
                let row = Row {
                    input: input[block * self.input.block() + corner(&self.input, &self.window, y)..].as_ptr(),
                    row: self.input.row(),
                    output: output[block * self.output.block() + self.output.at(y, 0)..].as_mut_ptr(),
                    count: self.output.width,
                    height: self.window.height,
                    width: self.window.width,
                    stride: self.window.stride,
                    weights: self.weights.bytes()[block * taps * LANES * size_of::<f32>()..].as_ptr(),
                    bias: self.bias.view::<f32>()[block * LANES..].as_ptr(),
                };
                // SAFETY: `new` has shown that the input's border holds every window, and the lengths are checked above; weights,
                // bias and slope were made for as many blocks; the set was chosen because the processor has its instructions.
                unsafe { (self.kernels.depthwise)(&row, self.slope.view::<f32>()[block * LANES..].as_ptr()) }
            }
        }
    }

    pub(in crate::net) fn bytes(&self) -> usize {
        self.weights.bytes().len()
    }
}

/// A depthwise convolution in int8, ready to run.
pub(in crate::net) struct DepthwiseI8 {
    kernels: &'static I8Kernels,
    input: Plane,
    output: Plane,
    window: Window,
    weights: Weights,
    /// Bytes of a block's weights.
    block: usize,
    bias: Memory,
    scale: Memory,
    negative: Memory,
    zero: u8,
    least: u8,
}

/// Bytes that a kernel may read behind the last pixel of a map.
pub(in crate::net) const OVERREAD: usize = 64;

impl DepthwiseI8 {
    /// Weights as [`pack`] makes them of i8. `None` when the sizes do not fit.
    pub(in crate::net) fn new(
        kernels: &'static I8Kernels,
        (input, output, window): Shape,
        weights: Weights,
        numbers: &RequantI8<'_>,
    ) -> Option<DepthwiseI8> {
        check(&input, &output, &window);
        let (lanes, taps) = (output.blocks() * LANES, window.height * window.width);
        if weights.bytes().len() < lanes * taps || !numbers.fits(output.channels) {
            return None;
        }
        let (weights, block) = match kernels.depthwise_packing {
            PackingI8::Taps => (weights, taps * LANES),
            packing => packed_for(packing, &window, &weights.bytes()[..lanes * taps]),
        };
        Some(DepthwiseI8 {
            kernels,
            input,
            output,
            window,
            weights,
            block,
            bias: numbers.bias(0, lanes),
            scale: padded(numbers.scale, lanes),
            negative: padded(numbers.negative, lanes),
            zero: numbers.zero,
            least: numbers.least,
        })
    }

    /// `input` holds [`OVERREAD`] bytes more than its plane.
    pub(in crate::net) fn run(&self, input: &[u8], output: &mut [u8]) {
        let held = self.input.len() + OVERREAD <= input.len() && self.output.len() <= output.len();
        assert!(held, "a layer that leaves its maps");
        for block in 0..self.output.blocks() {
            let lanes = block * LANES;
            let finish = FinishI8 {
                scale: self.scale.view::<f32>()[lanes..].as_ptr(),
                negative: self.negative.view::<f32>()[lanes..].as_ptr(),
                zero: i32::from(self.zero),
                least: i32::from(self.least),
            };
            for y in 0..self.output.height {
                let row = Row {
                    input: input[block * self.input.block() + corner(&self.input, &self.window, y)..].as_ptr(),
                    row: self.input.row(),
                    output: output[block * self.output.block() + self.output.at(y, 0)..].as_mut_ptr(),
                    count: self.output.width,
                    height: self.window.height,
                    width: self.window.width,
                    stride: self.window.stride,
                    weights: self.weights.bytes()[block * self.block..].as_ptr(),
                    bias: self.bias.view::<i32>()[lanes..].as_ptr(),
                };
                // SAFETY: as for f32; what a kernel reads behind the last window, at most three pixels, lies inside by `OVERREAD`.
                unsafe { (self.kernels.depthwise)(&row, &finish) }
            }
        }
    }

    pub(in crate::net) fn bytes(&self) -> usize {
        self.weights.bytes().len()
    }
}

/// `[block][y][x][channel]` in a set's own order, and the bytes of a block.
fn packed_for(packing: PackingI8, window: &Window, all: &[u8]) -> (Weights, usize) {
    let taps = window.height * window.width;
    let block = match packing {
        PackingI8::Taps => taps * LANES,
        PackingI8::Quads => window.height * window.width.div_ceil(4) * LANES * 4,
        PackingI8::Pairs => taps.div_ceil(2) * LANES * 4,
    };
    let mut memory = Memory::zeroed(all.len() / (taps * LANES) * block);
    for (number, values) in all.chunks_exact(taps * LANES).enumerate() {
        let start = number * block;
        for (at, value) in values.iter().enumerate() {
            let (tap, lane) = (at / LANES, at % LANES);
            match packing {
                PackingI8::Taps => memory.view_mut::<u8>()[start + at] = *value,
                PackingI8::Quads => {
                    let (y, x) = (tap / window.width, tap % window.width);
                    let quad = (y * window.width.div_ceil(4) + x / 4) * LANES + lane;
                    memory.view_mut::<u8>()[start + quad * 4 + x % 4] = *value;
                }
                PackingI8::Pairs => {
                    let place = [0, 2, 1, 3][lane / 4] * 4 + lane % 4;
                    memory.view_mut::<i16>()[start / 2 + ((tap / 2) * LANES + place) * 2 + tap % 2] = i16::from(*value as i8);
                }
            }
        }
    }
    (memory.into(), block)
}
