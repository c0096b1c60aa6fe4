//! Variation of training chips: what a camera, a detector or a codec would change, and the person not.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::chips::{CHIP_BYTES, Chip, SIDE};

/// How much chips are varied. Each probability is of one chip at one visit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Augmentation {
    /// Probability of the mirror image.
    pub mirror: f64,
    /// Probability of a small similarity: what a different detector's points would have given.
    pub jitter: f64,
    /// Probability of a change of brightness, contrast and colour balance.
    pub colour: f64,
    /// Probability of shrinking to 20–64 pixels and back.
    pub low_resolution: f64,
}

impl Augmentation {
    /// Chips as they are.
    pub const NONE: Augmentation = Augmentation { mirror: 0.0, jitter: 0.0, colour: 0.0, low_resolution: 0.0 };

    /// Varies one chip. The same generator state gives the same pixels.
    pub fn apply(&self, chip: Chip, rng: &mut ChaCha8Rng) -> Chip {
        let mut chip = chip;
        if rng.random_bool(self.mirror) {
            chip = mirror(&chip);
        }
        if rng.random_bool(self.jitter) {
            let scale = rng.random_range(0.94..1.06f32);
            let angle = rng.random_range(-5.0..5.0f32).to_radians();
            let shift = [rng.random_range(-3.0..3.0f32), rng.random_range(-3.0..3.0f32)];
            chip = similarity(&chip, scale, angle, shift);
        }
        if rng.random_bool(self.low_resolution) {
            chip = low_resolution(chip, rng.random_range(20..=64));
        }
        if rng.random_bool(self.colour) {
            colour(&mut chip, rng);
        }
        chip
    }
}

/// The chip seen in a mirror.
pub fn mirror(chip: &[u8]) -> Chip {
    chip.chunks_exact(3 * SIDE).flat_map(|row| row.chunks_exact(3).rev().flatten().copied()).collect()
}

/// Scales, turns (radians) and shifts (pixels) about the chip's centre; bilinear, edge pixels repeated.
fn similarity(chip: &[u8], scale: f32, angle: f32, shift: [f32; 2]) -> Chip {
    let centre = (SIDE as f32 - 1.0) / 2.0;
    let last = SIDE as f32 - 1.0;
    let (sin, cos) = (angle.sin() / scale, angle.cos() / scale);
    let mut out = Vec::with_capacity(CHIP_BYTES);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (dx, dy) = (x as f32 - centre - shift[0], y as f32 - centre - shift[1]);
            let sx = (cos * dx + sin * dy + centre).clamp(0.0, last);
            let sy = (cos * dy - sin * dx + centre).clamp(0.0, last);
            let (x0, y0) = (sx as usize, sy as usize);
            let (fx, fy) = (sx - x0 as f32, sy - y0 as f32);
            let (x1, y1) = ((x0 + 1).min(SIDE - 1), (y0 + 1).min(SIDE - 1));
            let [a, b] = [3 * (y0 * SIDE + x0), 3 * (y0 * SIDE + x1)];
            let [c, d] = [3 * (y1 * SIDE + x0), 3 * (y1 * SIDE + x1)];
            for channel in 0..3 {
                let at = |pixel: usize| f32::from(chip[pixel + channel]);
                let top = at(a) + fx * (at(b) - at(a));
                let bottom = at(c) + fx * (at(d) - at(c));
                out.push((top + fy * (bottom - top) + 0.5) as u8);
            }
        }
    }
    out
}

/// Shrinks to `side` pixels and enlarges again, both with a triangle filter: a face from far off.
fn low_resolution(chip: Chip, side: u32) -> Chip {
    use image::imageops::{FilterType::Triangle, resize};
    let full = SIDE as u32;
    match image::RgbImage::from_raw(full, full, chip) {
        Some(picture) => resize(&resize(&picture, side, side, Triangle), full, full, Triangle).into_raw(),
        None => unreachable!("a chip has SIDE × SIDE pixels"),
    }
}

/// Contrast ×0.7–1.3 about the middle grey, brightness ±30, each channel ±10, and one chip in five without colour.
fn colour(chip: &mut Chip, rng: &mut ChaCha8Rng) {
    if rng.random_bool(0.2) {
        for pixel in chip.chunks_exact_mut(3) {
            // ITU-R BT.601 luma in 1/256.
            let grey = (77 * u32::from(pixel[0]) + 150 * u32::from(pixel[1]) + 29 * u32::from(pixel[2]) + 128) >> 8;
            pixel.fill(grey as u8);
        }
    }
    let contrast = rng.random_range(0.7..1.3f32);
    let brightness = rng.random_range(-30.0..30.0f32);
    let tables: [[u8; 256]; 3] = std::array::from_fn(|_| {
        let shift = brightness + rng.random_range(-10.0..10.0f32);
        std::array::from_fn(|x| ((x as f32 - 127.5) * contrast + 127.5 + shift).round().clamp(0.0, 255.0) as u8)
    });
    for pixel in chip.chunks_exact_mut(3) {
        pixel.iter_mut().zip(&tables).for_each(|(x, table)| *x = table[usize::from(*x)]);
    }
}
