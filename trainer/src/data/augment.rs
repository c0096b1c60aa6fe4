//! Variation of training chips: what a camera, a detector or a codec would change, and the person not.
//!
//! Everything is drawn from the visit's own generator ([`super::sampler::Visit`]), so that a run that goes on sees the same pixels. A
//! variation of probability 0 draws nothing: switching one on leaves the others' draws before it as they were.

mod blur;
mod occlusion;
mod recompression;

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
    /// Probability of a blur: out of focus or moved.
    pub blur: f64,
    /// Probability of compression as a JPEG of quality 15–75.
    pub jpeg: f64,
    /// Probability of something before the face: a rectangle, or a mask over mouth and nose.
    pub occlusion: f64,
}

impl Augmentation {
    /// Chips as they are.
    pub const NONE: Augmentation =
        Augmentation { mirror: 0.0, jitter: 0.0, colour: 0.0, low_resolution: 0.0, blur: 0.0, jpeg: 0.0, occlusion: 0.0 };

    /// Varies one chip, in the order in which it happens to a picture: the scene, the optics, the sensor, the codec. The same
    /// generator state gives the same pixels.
    pub fn apply(&self, chip: Chip, rng: &mut ChaCha8Rng) -> Chip {
        let mut chip = chip;
        if chance(self.mirror, rng) {
            chip = mirror(&chip);
        }
        if chance(self.jitter, rng) {
            let scale = rng.random_range(0.94..1.06f32);
            let angle = rng.random_range(-5.0..5.0f32).to_radians();
            let shift = [rng.random_range(-3.0..3.0f32), rng.random_range(-3.0..3.0f32)];
            chip = similarity(&chip, scale, angle, shift);
        }
        if chance(self.occlusion, rng) {
            occlusion::occlude(&mut chip, rng);
        }
        if chance(self.blur, rng) {
            chip = blur::blur(chip, rng);
        }
        if chance(self.low_resolution, rng) {
            chip = low_resolution(chip, rng.random_range(20..=64));
        }
        if chance(self.colour, rng) {
            colour(&mut chip, rng);
        }
        if chance(self.jpeg, rng) {
            chip = recompression::jpeg(chip, rng.random_range(15..=75));
        }
        chip
    }
}

fn chance(probability: f64, rng: &mut ChaCha8Rng) -> bool {
    probability > 0.0 && rng.random_bool(probability.min(1.0))
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
    resize(&resize(&picture(chip), side, side, Triangle), full, full, Triangle).into_raw()
}

/// The chip as the `image` crate's picture.
fn picture(chip: Chip) -> image::RgbImage {
    image::RgbImage::from_raw(SIDE as u32, SIDE as u32, chip).unwrap_or_else(|| unreachable!("a chip has SIDE × SIDE pixels"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    /// A chip of smooth and of fine structure.
    fn chip() -> Chip {
        let at = |x: usize, y: usize| [(x * 2) as u8, (y * 2) as u8, if (x / 4 + y / 4).is_multiple_of(2) { 40 } else { 210 }];
        (0..SIDE * SIDE).flat_map(|i| at(i % SIDE, i / SIDE)).collect()
    }

    fn kinds() -> [(&'static str, Augmentation); 7] {
        let none = Augmentation::NONE;
        [
            ("mirror", Augmentation { mirror: 1.0, ..none }),
            ("jitter", Augmentation { jitter: 1.0, ..none }),
            ("colour", Augmentation { colour: 1.0, ..none }),
            ("low_resolution", Augmentation { low_resolution: 1.0, ..none }),
            ("blur", Augmentation { blur: 1.0, ..none }),
            ("jpeg", Augmentation { jpeg: 1.0, ..none }),
            ("occlusion", Augmentation { occlusion: 1.0, ..none }),
        ]
    }

    #[test]
    fn nothing_is_varied_unless_asked_for() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert_eq!(Augmentation::NONE.apply(chip(), &mut rng), chip());
        assert_eq!(rng.get_word_pos(), 0, "a variation of probability 0 draws nothing");
    }

    /// The sampler gives each visit 4,096 words; a variation that drew more would run into the next one's.
    #[test]
    fn a_visit_repeats_itself_and_keeps_to_its_words() {
        let all =
            Augmentation { mirror: 0.5, jitter: 1.0, colour: 1.0, low_resolution: 1.0, blur: 1.0, jpeg: 1.0, occlusion: 1.0 };
        for (name, augmentation) in kinds().into_iter().chain([("all", all)]) {
            for seed in 0..40 {
                let vary = || {
                    let mut rng = ChaCha8Rng::seed_from_u64(seed);
                    let varied = augmentation.apply(chip(), &mut rng);
                    (varied, rng.get_word_pos())
                };
                let (varied, words) = vary();
                assert_eq!((varied.len(), vary()), (CHIP_BYTES, (varied.clone(), words)), "{name}");
                assert!(words < 4096, "{name}: {words}");
                assert_ne!(varied, chip(), "{name}");
            }
        }
    }

    #[test]
    fn two_mirrors_are_none() {
        assert_eq!(mirror(&mirror(&chip())), chip());
        assert_eq!(mirror(&chip())[..3], chip()[3 * (SIDE - 1)..3 * SIDE]);
    }

    /// The identity, and a shift by whole pixels, computed by hand.
    #[test]
    fn a_similarity_moves_pixels_where_it_says() {
        assert_eq!(similarity(&chip(), 1.0, 0.0, [0.0, 0.0]), chip());
        let moved = similarity(&chip(), 1.0, 0.0, [3.0, 0.0]);
        let pixel = |chip: &[u8], x: usize, y: usize| chip[3 * (y * SIDE + x)..][..3].to_vec();
        assert_eq!(pixel(&moved, 50, 20), pixel(&chip(), 47, 20));
        assert_eq!(pixel(&moved, 1, 20), pixel(&chip(), 0, 20), "the edge is repeated");
    }
}
