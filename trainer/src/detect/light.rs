//! What optics, light and sensor change on a canvas: blur, exposure, colour, noise.

use rand::{Rng, RngCore};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::canvas::Raster;

/// Probabilities, each of one canvas.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Light {
    /// Of a blur.
    pub blur: f64,
    /// Of another brightness, contrast, gamma and colour balance.
    pub exposure: f64,
    /// Of losing its colours.
    pub grey: f64,
    /// Of noise.
    pub noise: f64,
}

impl Light {
    /// Varies the pixels, in the order in which it happens to a picture. The same generator state gives the same pixels.
    pub fn vary(&self, raster: &mut Raster, rng: &mut ChaCha8Rng) {
        if chance(self.blur, rng) {
            for _ in 0..rng.random_range(1..=4) {
                blur(raster);
            }
        }
        if chance(self.grey, rng) {
            grey(raster);
        }
        if chance(self.exposure, rng) {
            expose(raster, rng);
        }
        if chance(self.noise, rng) {
            noise(raster, rng.random_range(2..=16), rng);
        }
    }
}

/// Whether this happens now. What never happens draws nothing.
pub fn chance(probability: f64, rng: &mut ChaCha8Rng) -> bool {
    probability > 0.0 && rng.random_bool(probability.min(1.0))
}

/// (1 2 1) / 4 along rows, then along columns; the edge stays.
fn blur(raster: &mut Raster) {
    let row = raster.width * 3;
    let mean = |a: u8, b: u8, c: u8| ((u16::from(a) + 2 * u16::from(b) + u16::from(c) + 2) >> 2) as u8;
    let before = raster.rgb.clone();
    for (to, from) in raster.rgb.chunks_exact_mut(row).zip(before.chunks_exact(row)) {
        for at in 3..row.saturating_sub(3) {
            to[at] = mean(from[at - 3], from[at], from[at + 3]);
        }
    }
    let before = raster.rgb.clone();
    for at in row..before.len().saturating_sub(row) {
        raster.rgb[at] = mean(before[at - row], before[at], before[at + row]);
    }
}

/// ITU-R BT.601 luma in 1/256.
fn grey(raster: &mut Raster) {
    for pixel in raster.rgb.as_chunks_mut::<3>().0 {
        let luma = (77 * u32::from(pixel[0]) + 150 * u32::from(pixel[1]) + 29 * u32::from(pixel[2]) + 128) >> 8;
        *pixel = [luma as u8; 3];
    }
}

/// Gamma 0.6–1.7, contrast ×0.5–1.3 about the middle grey, brightness ±40, each channel ±12.
fn expose(raster: &mut Raster, rng: &mut ChaCha8Rng) {
    let gamma = rng.random_range(-0.5..0.5f32).exp();
    let contrast = rng.random_range(0.5..1.3f32);
    let brightness = rng.random_range(-40.0..40.0f32);
    let tables: [[u8; 256]; 3] = std::array::from_fn(|_| {
        let shift = 127.5 + brightness + rng.random_range(-12.0..12.0f32);
        std::array::from_fn(|x| (((x as f32 / 255.0).powf(gamma) - 0.5) * 255.0 * contrast + shift).round() as u8)
    });
    for pixel in raster.rgb.as_chunks_mut::<3>().0 {
        *pixel = std::array::from_fn(|channel| tables[channel][usize::from(pixel[channel])]);
    }
}

/// Adds a triangular noise of up to ± `most` to each value.
fn noise(raster: &mut Raster, most: i32, rng: &mut ChaCha8Rng) {
    let mut random = vec![0; raster.rgb.len() * 2];
    rng.fill_bytes(&mut random);
    for (value, [a, b]) in raster.rgb.iter_mut().zip(random.as_chunks::<2>().0) {
        let shift = ((i32::from(*a) - i32::from(*b)) * most) >> 8;
        *value = (i32::from(*value) + shift).clamp(0, 255) as u8;
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn raster() -> Raster {
        Raster { width: 8, height: 6, rgb: (0..8 * 6 * 3).map(|i| (i * 7 % 256) as u8).collect() }
    }

    #[test]
    fn what_never_happens_changes_and_draws_nothing() {
        let (mut raster, mut rng) = (raster(), ChaCha8Rng::seed_from_u64(1));
        let before = (raster.clone(), rng.clone());
        Light { blur: 0.0, exposure: 0.0, grey: 0.0, noise: 0.0 }.vary(&mut raster, &mut rng);
        assert_eq!((raster, rng), before);
    }

    #[test]
    fn grey_is_luma() {
        // BT.601: 0.299 R + 0.587 G + 0.114 B.
        let mut one = Raster { width: 2, height: 1, rgb: vec![255, 0, 0, 10, 200, 30] };
        grey(&mut one);
        assert_eq!(one.rgb, [77, 77, 77, 124, 124, 124]);
    }

    #[test]
    fn a_blur_keeps_an_even_area_and_spreads_a_dot() {
        let mut even = Raster { width: 5, height: 5, rgb: vec![90; 75] };
        blur(&mut even);
        assert_eq!(even.rgb, [90; 75]);
        let mut dot = Raster::black(5, 5);
        dot.rgb[(2 * 5 + 2) * 3] = 160;
        blur(&mut dot);
        let red = |x: usize, y: usize| dot.rgb[(y * 5 + x) * 3];
        assert_eq!([red(2, 2), red(1, 2), red(2, 3), red(3, 3), red(0, 2)], [40, 20, 20, 10, 0]);
    }

    #[test]
    fn noise_stays_within_its_bound() {
        let (mut varied, before) = (raster(), raster());
        noise(&mut varied, 5, &mut ChaCha8Rng::seed_from_u64(3));
        assert!(varied.rgb.iter().zip(&before.rgb).all(|(a, b)| a.abs_diff(*b) <= 5));
        assert_ne!(varied, before);
    }
}
