//! A hash of a chip's pixels that a second compression, a small change of light or a smaller size leave almost as it is.

use crate::data::chips::SIDE;

/// Squares along a side, of 7 pixels each.
const SQUARES: usize = 16;
const SQUARE: usize = SIDE / SQUARES;
/// By how much a square must be lighter, times its pixels: even walls and black borders are then zeros, whatever the codec's noise.
const LIGHTER: u32 = 2 * (SQUARE * SQUARE) as u32;

/// For each two neighbours in a row of 16×16 mean greys, whether the second is lighter by two levels: 240 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PixelHash {
    upright: [u64; 4],
    mirrored: [u64; 4],
}

impl PixelHash {
    /// Of a chip and its mirror image.
    pub fn of(chip: &[u8]) -> PixelHash {
        let mut greys = [[0u32; SQUARES]; SQUARES];
        for (i, pixel) in chip.chunks_exact(3).enumerate().take(SIDE * SIDE) {
            // ITU-R BT.601 luma.
            let grey = 299 * u32::from(pixel[0]) + 587 * u32::from(pixel[1]) + 114 * u32::from(pixel[2]);
            greys[i / SIDE / SQUARE][i % SIDE / SQUARE] += grey / 1000;
        }
        let bits = |lighter: &dyn Fn(&[u32; SQUARES], usize) -> bool| {
            let mut bits = [0u64; 4];
            for (y, row) in greys.iter().enumerate() {
                for x in 0..SQUARES - 1 {
                    let bit = y * (SQUARES - 1) + x;
                    bits[bit / 64] |= u64::from(lighter(row, x)) << (bit % 64);
                }
            }
            bits
        };
        PixelHash {
            upright: bits(&|row, x| row[x + 1] > row[x] + LIGHTER),
            mirrored: bits(&|row, x| row[SQUARES - 2 - x] > row[SQUARES - 1 - x] + LIGHTER),
        }
    }

    /// In how many bits two chips differ, 0 to 240; the smaller count of the chip and its mirror image.
    pub fn distance(&self, other: &PixelHash) -> u32 {
        let count = |a: &[u64; 4], b: &[u64; 4]| a.iter().zip(b).map(|(a, b)| (a ^ b).count_ones()).sum::<u32>();
        count(&self.upright, &other.upright).min(count(&self.mirrored, &other.upright))
    }

    #[cfg(test)]
    pub(super) fn from_bits(upright: [u64; 4]) -> PixelHash {
        PixelHash { upright, mirrored: upright.map(|bits| !bits.rotate_left(17)) }
    }

    #[cfg(test)]
    pub(super) fn with_flipped(mut self, bits: &[usize]) -> PixelHash {
        bits.iter().for_each(|bit| self.upright[bit / 64] ^= 1 << (bit % 64));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::{Augmentation, mirror};
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Blobs of light, smooth as a face is.
    fn chip(seed: u64) -> Vec<u8> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let blobs: Vec<[f32; 4]> = (0..40)
            .map(|_| {
                [
                    rng.random_range(0.0..112.0),
                    rng.random_range(0.0..112.0),
                    rng.random_range(6.0..20.0),
                    rng.random_range(-90.0..90.0),
                ]
            })
            .collect();
        let grey = |x: f32, y: f32| {
            let light = |[cx, cy, size, light]: &[f32; 4]| light * (-((x - cx).powi(2) + (y - cy).powi(2)) / (size * size)).exp();
            (128.0 + blobs.iter().map(light).sum::<f32>()).clamp(0.0, 255.0) as u8
        };
        (0..SIDE * SIDE).flat_map(|i| [grey((i % SIDE) as f32, (i / SIDE) as f32); 3]).collect()
    }

    #[test]
    fn the_same_photo_is_near_and_another_far() {
        let none = Augmentation::NONE;
        let jpeg = Augmentation { jpeg: 1.0, ..none };
        for seed in 0..20 {
            let (a, b) = (chip(seed), chip(seed + 100));
            let lighter = a.iter().map(|value| value.saturating_add(10)).collect();
            let again = jpeg.apply(lighter, &mut ChaCha8Rng::seed_from_u64(seed));
            let hash = PixelHash::of(&a);
            assert_eq!((hash.distance(&hash), hash.distance(&PixelHash::of(&mirror(&a)))), (0, 0));
            assert!(hash.distance(&PixelHash::of(&again)) <= 24, "{}", hash.distance(&PixelHash::of(&again)));
            assert!(hash.distance(&PixelHash::of(&b)) > 48, "{}", hash.distance(&PixelHash::of(&b)));
        }
    }

    /// Light from left to right: each square is lighter than the one before; mirrored, none is.
    #[test]
    fn a_slope_is_all_ones() {
        let slope: Vec<u8> = (0..SIDE * SIDE).flat_map(|i| [(2 * (i % SIDE)) as u8; 3]).collect();
        let ones: u32 = PixelHash::of(&slope).upright.iter().map(|bits| bits.count_ones()).sum();
        assert_eq!(ones, 240);
        assert_eq!(PixelHash::of(&mirror(&slope)).upright, [0; 4]);
    }
}
