//! Whole layers of dense convolutions, a fully connected layer among them: a window as large as the map.

use super::memory::Memory;
use super::plane::{Plane, Window};
use super::{F32Kernels, FinishI8, I8Kernels, LANES, Packing, SumI8, TileF32, TileI8};

/// Bytes of input that are kept near while every panel of weights passes over them.
const NEAR: usize = 160 << 10;

/// Above this size, a fully connected layer's weights are held in half precision: it waits for memory and nothing else. Relative
/// rounding of 2⁻¹¹ of single weights stays below 1e-6 in the cosine of embeddings.
const LARGE: usize = 1 << 20;

/// How tiles are laid over a layer.
struct Walk {
    input: Plane,
    output: Plane,
    window: Window,
    offsets: Vec<usize>,
    /// Of `unit` inputs.
    steps: usize,
    unit: usize,
    tile: (usize, usize),
    /// First block, blocks, and where the weights begin, in steps of one block.
    panels: Vec<(usize, usize, usize)>,
}

impl Walk {
    fn new(input: Plane, output: Plane, window: Window, unit: usize, wide: (usize, usize), narrow: (usize, usize)) -> Walk {
        let border = window.border((input.height, input.width), (output.height, output.width));
        assert!(input.border >= border && output.lanes == LANES, "planes that do not fit the window");
        let mut offsets = Vec::new();
        let steps = if input.lanes == LANES {
            for block in 0..input.blocks() {
                for y in 0..window.height {
                    offsets.extend((0..window.width).map(|x| block * input.block() + y * input.row() + x * LANES));
                }
            }
            LANES / unit
        } else {
            assert!(input.blocks() == 1 && input.lanes.is_multiple_of(unit), "a map of a few channels is one block");
            offsets.extend((0..window.height).map(|y| y * input.row()));
            window.width * input.lanes / unit
        };
        let tile = if output.width <= narrow.0 && output.blocks() >= narrow.1 { narrow } else { wide };
        let (mut panels, mut first, mut at) = (Vec::new(), 0, 0);
        while first < output.blocks() {
            // Kernels have tiles of one, two and four blocks.
            let mut blocks = tile.1.min(output.blocks() - first);
            blocks = if blocks == 3 { 2 } else { blocks };
            panels.push((first, blocks, at));
            first += blocks;
            at += blocks * offsets.len() * steps;
        }
        Walk { input, output, window, offsets, steps, unit, tile, panels }
    }

    /// The input channel, row and column of the window that a run's number stands for.
    fn source(&self, run: usize, number: usize) -> (usize, usize, usize) {
        if self.input.lanes == LANES {
            let (x, rest) = (run % self.window.width, run / self.window.width);
            ((rest / self.window.height) * LANES + number, rest % self.window.height, x)
        } else {
            (number % self.input.lanes, run, number / self.input.lanes)
        }
    }

    /// Calls `put(output channel, input channel, y, x)` for every weight in the order [panel][run][step][channel][beside], `beside`
    /// inputs beside each other.
    fn each_weight(&self, beside: usize, mut put: impl FnMut(Option<(usize, usize, usize, usize)>)) {
        for (first, blocks, _) in &self.panels {
            for run in 0..self.offsets.len() {
                for step in 0..self.steps * self.unit / beside {
                    for channel in first * LANES..(first + blocks) * LANES {
                        for one in 0..beside {
                            let (from, y, x) = self.source(run, step * beside + one);
                            let inside = channel < self.output.channels && from < self.input.channels;
                            put(inside.then_some((channel, from, y, x)));
                        }
                    }
                }
            }
        }
    }

    fn weights(&self) -> usize {
        self.offsets.len() * self.steps * self.output.blocks() * LANES
    }

    /// Every tile of the layer: pixels, blocks, first block, where the weights begin, and where input and output begin.
    fn tiles(&self, bytes: usize, mut tile: impl FnMut(usize, usize, usize, usize, usize, (usize, usize))) {
        let across = self.output.width.div_ceil(self.tile.0);
        let row_bytes = (self.input.row() * self.input.blocks() * self.window.stride * bytes).max(1);
        let rows = (NEAR / row_bytes).clamp(1, self.output.height.max(1));
        for top in (0..self.output.height).step_by(rows) {
            for (first, blocks, weights) in &self.panels {
                for y in top..(top + rows).min(self.output.height) {
                    let mut x = 0;
                    for part in 0..across {
                        // Tiles of nearly one size.
                        let end = (part + 1) * self.output.width / across;
                        let input = self.corner(y, x);
                        tile(end - x, *blocks, *first, *weights, input, (y, x));
                        x = end;
                    }
                }
            }
        }
    }

    fn corner(&self, y: usize, x: usize) -> usize {
        (y * self.window.stride + self.input.border - self.window.top) * self.input.row()
            + (x * self.window.stride + self.input.border - self.window.left) * self.input.lanes
    }

    /// That no tile leaves its slices.
    fn check(&self, input: usize, output: usize, residual: Option<(&Plane, Option<usize>)>) {
        let last = self.corner(self.output.height - 1, self.output.width - 1);
        let reach = last + self.offsets.iter().max().unwrap_or(&0) + self.steps * self.unit;
        assert!(reach <= input && self.output.len() <= output, "a layer that leaves its maps");
        if let Some((plane, length)) = residual {
            let same = (plane.channels, plane.height, plane.width, plane.lanes)
                == (self.output.channels, self.output.height, self.output.width, LANES);
            assert!(same && length.is_some_and(|length| plane.len() <= length), "a residual of another shape");
        }
    }
}

/// What is added to a convolution's result.
#[derive(Clone, Copy, Debug)]
pub(in crate::net) struct Residual<How> {
    pub plane: Plane,
    pub how: How,
}

/// A dense convolution in f32, ready to run.
pub(in crate::net) struct DenseF32 {
    kernels: &'static F32Kernels,
    walk: Walk,
    weights: Memory,
    half: bool,
    bias: Memory,
    slope: Memory,
    /// Whether the residual is added before the activation.
    residual: Option<Residual<bool>>,
}

impl DenseF32 {
    /// `weight(output channel, input channel, y, x)`; `bias` and `slope` have a value for each output channel.
    pub(in crate::net) fn new(
        kernels: &'static F32Kernels,
        (input, output, window): (Plane, Plane, Window),
        weight: impl Fn(usize, usize, usize, usize) -> f32,
        bias: &[f32],
        slope: &[f32],
        residual: Option<Residual<bool>>,
    ) -> DenseF32 {
        let half = output.height * output.width == 1 && size_of::<f32>() * output.channels * input.len() > LARGE;
        let narrow = if half { kernels.tile_shape } else { kernels.narrow_tile };
        let walk = Walk::new(input, output, window, 1, kernels.tile_shape, narrow);
        let mut weights = Memory::zeroed(walk.weights() * if half { 2 } else { 4 });
        let mut at = 0;
        if half {
            let packed = weights.view_mut::<u16>();
            walk.each_weight(1, |from| {
                packed[at] = from.map_or(0, |(o, i, y, x)| half_of(weight(o, i, y, x)));
                at += 1;
            });
        } else {
            let packed = weights.view_mut::<f32>();
            walk.each_weight(1, |from| {
                packed[at] = from.map_or(0.0, |(o, i, y, x)| weight(o, i, y, x));
                at += 1;
            });
        }
        let lanes = output.blocks() * LANES;
        DenseF32 { kernels, walk, weights, half, bias: padded(bias, lanes), slope: padded(slope, lanes), residual }
    }

    pub(in crate::net) fn run(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        let walk = &self.walk;
        walk.check(input.len(), output.len(), self.residual.as_ref().map(|r| (&r.plane, residual.map(<[f32]>::len))));
        let (weights, bias, slope) = (self.weights.view::<u8>(), self.bias.view::<f32>(), self.slope.view::<f32>());
        let size = if self.half { 2 } else { 4 };
        walk.tiles(4, |rows, blocks, first, at, from, (y, x)| {
            let added = self.residual.as_ref().zip(residual);
            let tile = TileF32 {
                input: input[from..].as_ptr(),
                pixel: walk.window.stride * walk.input.lanes,
                offsets: walk.offsets.as_ptr(),
                groups: walk.offsets.len(),
                steps: walk.steps,
                weights: weights[at * LANES * size..].as_ptr(),
                bias: bias[first * LANES..].as_ptr(),
                slope: slope[first * LANES..].as_ptr(),
                output: output[first * walk.output.block() + walk.output.at(y, x)..].as_mut_ptr(),
                output_block: walk.output.block(),
                residual: added.map_or(std::ptr::null(), |(r, map)| map[first * r.plane.block() + r.plane.at(y, x)..].as_ptr()),
                residual_block: added.map_or(0, |(r, _)| r.plane.block()),
                residual_first: added.is_some_and(|(r, _)| r.how),
            };
            // SAFETY: `check` has shown that all pixels, runs and blocks of the walk lie inside the slices; weights, bias and slope
            // were made for as many; the set was chosen because the processor has its instructions.
            unsafe {
                match self.half {
                    true => (self.kernels.tile_half)(blocks, &tile),
                    false => (self.kernels.tile)(rows, blocks, &tile),
                }
            }
        });
    }

    #[cfg(test)]
    pub(super) fn is_half(&self) -> bool {
        self.half
    }

    pub(in crate::net) fn bytes(&self) -> usize {
        self.weights.bytes()
    }
}

/// The numbers of an int8 convolution beside its weights.
pub(in crate::net) struct RequantI8<'a> {
    pub input_zero: u8,
    pub bias: &'a [i32],
    /// `(s_x · s_w) / s_y`, and the same times the PReLU's slope. For dequantised output `s_x · s_w`.
    pub scale: &'a [f32],
    pub negative: &'a [f32],
    pub zero: u8,
    pub least: u8,
}

/// A dense convolution in int8, ready to run.
pub(in crate::net) struct DenseI8 {
    kernels: &'static I8Kernels,
    walk: Walk,
    weights: Memory,
    bias: Memory,
    scale: Memory,
    negative: Memory,
    zero: u8,
    least: u8,
    residual: Option<Residual<SumI8>>,
}

impl DenseI8 {
    /// `weight(output channel, input channel, y, x)` in −127…127.
    pub(in crate::net) fn new(
        kernels: &'static I8Kernels,
        (input, output, window): (Plane, Plane, Window),
        weight: impl Fn(usize, usize, usize, usize) -> i8,
        numbers: &RequantI8<'_>,
        residual: Option<Residual<SumI8>>,
    ) -> DenseI8 {
        let walk = Walk::new(input, output, window, 4, kernels.tile_shape, kernels.narrow_tile);
        let lanes = output.blocks() * LANES;
        let mut bias = vec![0_i32; lanes];
        bias[..numbers.bias.len()].copy_from_slice(numbers.bias);
        let shift = kernels.shift - i32::from(numbers.input_zero);
        for (channel, bias) in bias.iter_mut().enumerate().take(output.channels) {
            for from in 0..input.channels {
                for y in 0..window.height {
                    let row = (0..window.width).map(|x| i32::from(weight(channel, from, y, x)));
                    *bias = bias.wrapping_add(shift.wrapping_mul(row.sum()));
                }
            }
        }
        let mut weights = Memory::zeroed(walk.weights() * if kernels.packing == Packing::Pairs { 8 } else { 4 });
        let mut at = 0;
        match kernels.packing {
            Packing::Quads => {
                let packed = weights.view_mut::<i8>();
                walk.each_weight(4, |from| {
                    packed[at] = from.map_or(0, |(o, i, y, x)| weight(o, i, y, x));
                    at += 1;
                });
            }
            Packing::Pairs => {
                let packed = weights.view_mut::<i16>();
                walk.each_weight(2, |from| {
                    packed[at] = from.map_or(0, |(o, i, y, x)| i16::from(weight(o, i, y, x)));
                    at += 1;
                });
            }
        }
        DenseI8 {
            kernels,
            walk,
            weights,
            bias: Memory::of(&bias),
            scale: padded(numbers.scale, lanes),
            negative: padded(numbers.negative, lanes),
            zero: numbers.zero,
            least: numbers.least,
            residual,
        }
    }

    /// To bytes.
    pub(in crate::net) fn run(&self, input: &[u8], residual: Option<&[u8]>, output: &mut [u8]) {
        self.walk.check(input.len(), output.len(), self.residual.as_ref().map(|r| (&r.plane, residual.map(<[u8]>::len))));
        self.tiles(input, residual, |at| (output[at..].as_mut_ptr(), std::ptr::null_mut()));
    }

    /// To numbers: sums times `scale`.
    pub(in crate::net) fn run_raw(&self, input: &[u8], output: &mut [f32]) {
        self.walk.check(input.len(), output.len(), None);
        self.tiles(input, None, |at| (std::ptr::null_mut(), output[at..].as_mut_ptr()));
    }

    fn tiles(&self, input: &[u8], residual: Option<&[u8]>, mut to: impl FnMut(usize) -> (*mut u8, *mut f32)) {
        let walk = &self.walk;
        let (weights, bias) = (self.weights.view::<u8>(), self.bias.view::<i32>());
        let (scale, negative) = (self.scale.view::<f32>(), self.negative.view::<f32>());
        let step = LANES * if self.kernels.packing == Packing::Pairs { 8 } else { 4 };
        walk.tiles(1, |rows, blocks, first, at, from, (y, x)| {
            let added = self.residual.as_ref().zip(residual);
            let (output, raw) = to(first * walk.output.block() + walk.output.at(y, x));
            let tile = TileI8 {
                input: input[from..].as_ptr(),
                pixel: walk.window.stride * walk.input.lanes,
                offsets: walk.offsets.as_ptr(),
                groups: walk.offsets.len(),
                steps: walk.steps,
                weights: weights[at * step..].as_ptr(),
                bias: bias[first * LANES..].as_ptr(),
                finish: FinishI8 {
                    scale: scale[first * LANES..].as_ptr(),
                    negative: negative[first * LANES..].as_ptr(),
                    zero: i32::from(self.zero),
                    least: i32::from(self.least),
                },
                output,
                output_block: walk.output.block(),
                residual: added.map_or(std::ptr::null(), |(r, map)| map[first * r.plane.block() + r.plane.at(y, x)..].as_ptr()),
                residual_block: added.map_or(0, |(r, _)| r.plane.block()),
                sum: added.map(|(r, _)| r.how),
                raw,
            };
            // SAFETY: as for f32.
            unsafe { (self.kernels.tile)(rows, blocks, &tile) }
        });
    }

    pub(in crate::net) fn bytes(&self) -> usize {
        self.weights.bytes()
    }
}

/// A value for each channel, and zeros up to whole blocks.
pub(super) fn padded(values: &[f32], lanes: usize) -> Memory {
    let mut memory = Memory::zeroed(lanes * size_of::<f32>());
    memory.view_mut()[..values.len()].copy_from_slice(values);
    memory
}

/// IEEE 754 half precision, rounded to nearest even; what is too large becomes the largest.
pub(super) fn half_of(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let size = f32::from_bits(bits & 0x7fff_ffff);
    if size < 6.103_515_6e-5 {
        // Below the smallest normal half, halves are multiples of 2⁻²⁴.
        return sign | (size * 16_777_216.0).round_ties_even() as u16;
    }
    let rounded = (bits & 0x7fff_ffff).saturating_add(0xfff + ((bits >> 13) & 1));
    sign | ((rounded >> 13).saturating_sub(112 << 10)).min(0x7bff) as u16
}

/// The value of a half.
pub(super) fn half_to_f32(half: u16) -> f32 {
    let sign = if half & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = ((half >> 10) & 31, half & 0x3ff);
    match exponent {
        0 => sign * f32::from(fraction) * 2f32.powi(-24),
        _ => sign * f32::from_bits((u32::from(exponent) + 112) << 23 | u32::from(fraction) << 13),
    }
}
