//! Whole layers of dense convolutions, a fully connected layer among them: a window as large as the map.

use super::memory::{Memory, Weights};
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
    /// First block, and blocks.
    panels: Vec<(usize, usize)>,
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
        let (mut panels, mut first) = (Vec::new(), 0);
        while first < output.blocks() {
            // Kernels have tiles of one, two and four blocks.
            let mut blocks = tile.1.min(output.blocks() - first);
            blocks = if blocks == 3 { 2 } else { blocks };
            panels.push((first, blocks));
            first += blocks;
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

    /// Calls `put(place, (output channel, input channel, y, x))` for every weight. Places go in the order [block][run][step][channel of
    /// the block][beside], `beside` inputs beside each other, whatever the instruction set.
    fn each_weight(&self, beside: usize, mut put: impl FnMut(usize, (usize, usize, usize, usize))) {
        let mut at = 0;
        for first in (0..self.output.blocks()).map(|block| block * LANES) {
            let lanes = LANES.min(self.output.channels - first);
            for run in 0..self.offsets.len() {
                for number in 0..self.steps * self.unit {
                    let (from, y, x) = self.source(run, number);
                    if from < self.input.channels {
                        let place = at + (number / beside) * LANES * beside + number % beside;
                        for lane in 0..lanes {
                            put(place + lane * beside, (first + lane, from, y, x));
                        }
                    }
                }
                at += self.steps * self.unit * LANES;
            }
        }
    }

    /// Weights of one block, those in the place of missing channels among them.
    fn block_weights(&self) -> usize {
        self.offsets.len() * self.steps * self.unit * LANES
    }

    /// Every tile of the layer: pixels, blocks, first block, and where input and output begin.
    fn tiles(&self, bytes: usize, mut tile: impl FnMut(usize, usize, usize, usize, (usize, usize))) {
        let across = self.output.width.div_ceil(self.tile.0);
        let row_bytes = (self.input.row() * self.input.blocks() * self.window.stride * bytes).max(1);
        let rows = (NEAR / row_bytes).clamp(1, self.output.height.max(1));
        for top in (0..self.output.height).step_by(rows) {
            for (first, blocks) in &self.panels {
                for y in top..(top + rows).min(self.output.height) {
                    let mut x = 0;
                    for part in 0..across {
                        // Tiles of nearly one size.
                        let end = (part + 1) * self.output.width / across;
                        let input = self.corner(y, x);
                        tile(end - x, *blocks, *first, input, (y, x));
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

/// Input, output and window of a layer.
pub(in crate::net) type Shape = (Plane, Plane, Window);

/// Whether the weights are held in half precision.
fn is_half((input, output, _): &Shape) -> bool {
    output.height * output.width == 1 && size_of::<f32>() * output.channels * input.len() > LARGE
}

/// The weights of a dense f32 layer as every set reads them; `weight(output channel, input channel, y, x)`.
pub(in crate::net) fn pack_f32(shape: Shape, weight: impl Fn(usize, usize, usize, usize) -> f32) -> Weights {
    let walk = Walk::new(shape.0, shape.1, shape.2, 1, (1, 1), (1, 1));
    let count = walk.block_weights() * shape.1.blocks();
    let mut weights = Memory::zeroed(count * if is_half(&shape) { 2 } else { 4 });
    if is_half(&shape) {
        let packed = weights.view_mut::<u16>();
        walk.each_weight(1, |at, (o, i, y, x)| packed[at] = half_of(weight(o, i, y, x)));
    } else {
        let packed = weights.view_mut::<f32>();
        walk.each_weight(1, |at, (o, i, y, x)| packed[at] = weight(o, i, y, x));
    }
    weights.into()
}

/// A dense convolution in f32, ready to run.
pub(in crate::net) struct DenseF32 {
    kernels: &'static F32Kernels,
    walk: Walk,
    weights: Weights,
    half: bool,
    bias: Memory,
    slope: Memory,
    /// Whether the residual is added before the activation.
    residual: Option<Residual<bool>>,
}

impl DenseF32 {
    /// Weights as [`pack_f32`] makes them; `bias` and `slope` have a value for each output channel. `None` when the sizes do not fit.
    pub(in crate::net) fn new(
        kernels: &'static F32Kernels,
        shape: Shape,
        weights: Weights,
        bias: &[f32],
        slope: &[f32],
        residual: Option<Residual<bool>>,
    ) -> Option<DenseF32> {
        let half = is_half(&shape);
        let (input, output, window) = shape;
        let narrow = if half { kernels.tile_shape } else { kernels.narrow_tile };
        let walk = Walk::new(input, output, window, 1, kernels.tile_shape, narrow);
        let (lanes, needed) = (output.blocks() * LANES, walk.block_weights() * output.blocks() * if half { 2 } else { 4 });
        let fits = weights.bytes().len() >= needed && [bias, slope].iter().all(|values| values.len() == output.channels);
        fits.then(|| DenseF32 { kernels, walk, weights, half, bias: padded(bias, lanes), slope: padded(slope, lanes), residual })
    }

    pub(in crate::net) fn run(&self, input: &[f32], residual: Option<&[f32]>, output: &mut [f32]) {
        let walk = &self.walk;
        walk.check(input.len(), output.len(), self.residual.as_ref().map(|r| (&r.plane, residual.map(<[f32]>::len))));
        let (weights, bias, slope) = (self.weights.bytes(), self.bias.view::<f32>(), self.slope.view::<f32>());
        let block = walk.block_weights() * if self.half { 2 } else { 4 };
        walk.tiles(4, |rows, blocks, first, from, (y, x)| {
            let added = self.residual.as_ref().zip(residual);
            let tile = TileF32 {
                input: input[from..].as_ptr(),
                pixel: walk.window.stride * walk.input.lanes,
                offsets: walk.offsets.as_ptr(),
                groups: walk.offsets.len(),
                steps: walk.steps,
                weights: weights[first * block..].as_ptr(),
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
        self.weights.bytes().len()
    }
}

/// The weights of a dense int8 layer, four inputs beside each other, and their sum for each output channel;
/// `weight(output channel, input channel, y, x)` in −127…127.
pub(in crate::net) fn pack_i8(shape: Shape, weight: impl Fn(usize, usize, usize, usize) -> i8) -> (Weights, Vec<i32>) {
    let walk = Walk::new(shape.0, shape.1, shape.2, 4, (1, 1), (1, 1));
    let mut weights = Memory::zeroed(walk.block_weights() * shape.1.blocks());
    let mut sums = vec![0_i32; shape.1.channels];
    let packed = weights.view_mut::<i8>();
    walk.each_weight(4, |at, (o, i, y, x)| {
        packed[at] = weight(o, i, y, x);
        sums[o] = sums[o].wrapping_add(i32::from(packed[at]));
    });
    (weights.into(), sums)
}

/// Quads of weights as pairs of i16: [step][channel][4] → [half a step][channel][2].
fn paired(quads: &[u8]) -> Memory {
    let mut weights = Memory::zeroed(quads.len() * 2);
    for (to, from) in weights.view_mut::<i16>().chunks_exact_mut(LANES * 4).zip(quads.chunks_exact(LANES * 4)) {
        let (first, second) = to.split_at_mut(LANES * 2);
        for ((quad, first), second) in from.chunks_exact(4).zip(first.chunks_exact_mut(2)).zip(second.chunks_exact_mut(2)) {
            first.copy_from_slice(&[i16::from(quad[0] as i8), i16::from(quad[1] as i8)]);
            second.copy_from_slice(&[i16::from(quad[2] as i8), i16::from(quad[3] as i8)]);
        }
    }
    weights
}

/// The numbers of an int8 convolution beside its weights.
pub(in crate::net) struct RequantI8<'a> {
    pub input_zero: u8,
    pub bias: &'a [i32],
    /// The sum of each output channel's weights.
    pub sums: &'a [i32],
    /// `(s_x · s_w) / s_y`, and the same times the PReLU's slope. For dequantised output `s_x · s_w`.
    pub scale: &'a [f32],
    pub negative: &'a [f32],
    pub zero: u8,
    pub least: u8,
}

impl RequantI8<'_> {
    /// That every channel has its numbers.
    pub(super) fn fits(&self, channels: usize) -> bool {
        [self.bias.len(), self.sums.len(), self.scale.len(), self.negative.len()] == [channels; 4]
    }

    /// The bias that makes up for the inputs' zero point and for what kernels subtract from every input.
    pub(super) fn bias(&self, shift: i32, lanes: usize) -> Memory {
        let shift = shift - i32::from(self.input_zero);
        let mut bias: Vec<i32> =
            self.bias.iter().zip(self.sums).map(|(bias, sum)| bias.wrapping_add(shift.wrapping_mul(*sum))).collect();
        bias.resize(lanes, 0);
        Memory::of(&bias)
    }
}

/// A dense convolution in int8, ready to run.
pub(in crate::net) struct DenseI8 {
    kernels: &'static I8Kernels,
    walk: Walk,
    weights: Weights,
    bias: Memory,
    scale: Memory,
    negative: Memory,
    zero: u8,
    least: u8,
    residual: Option<Residual<SumI8>>,
}

impl DenseI8 {
    /// Weights as [`pack_i8`] makes them. `None` when the sizes do not fit.
    pub(in crate::net) fn new(
        kernels: &'static I8Kernels,
        (input, output, window): Shape,
        weights: Weights,
        numbers: &RequantI8<'_>,
        residual: Option<Residual<SumI8>>,
    ) -> Option<DenseI8> {
        let walk = Walk::new(input, output, window, 4, kernels.tile_shape, kernels.narrow_tile);
        let needed = walk.block_weights() * output.blocks();
        if weights.bytes().len() < needed || !numbers.fits(output.channels) {
            return None;
        }
        let weights = match kernels.packing {
            Packing::Quads => weights,
            Packing::Pairs => paired(&weights.bytes()[..needed]).into(),
        };
        let lanes = output.blocks() * LANES;
        Some(DenseI8 {
            kernels,
            walk,
            weights,
            bias: numbers.bias(kernels.shift, lanes),
            scale: padded(numbers.scale, lanes),
            negative: padded(numbers.negative, lanes),
            zero: numbers.zero,
            least: numbers.least,
            residual,
        })
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
        let (weights, bias) = (self.weights.bytes(), self.bias.view::<i32>());
        let (scale, negative) = (self.scale.view::<f32>(), self.negative.view::<f32>());
        let block = walk.block_weights() * if self.kernels.packing == Packing::Pairs { 2 } else { 1 };
        walk.tiles(1, |rows, blocks, first, from, (y, x)| {
            let added = self.residual.as_ref().zip(residual);
            let (output, raw) = to(first * walk.output.block() + walk.output.at(y, x));
            let tile = TileI8 {
                input: input[from..].as_ptr(),
                pixel: walk.window.stride * walk.input.lanes,
                offsets: walk.offsets.as_ptr(),
                groups: walk.offsets.len(),
                steps: walk.steps,
                weights: weights[first * block..].as_ptr(),
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
        self.weights.bytes().len()
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
