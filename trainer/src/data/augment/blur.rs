//! Blur: out of focus, or moved while the shutter was open.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::data::chips::{CHIP_BYTES, Chip, SIDE};

/// Either of the two, at random.
pub fn blur(chip: Chip, rng: &mut ChaCha8Rng) -> Chip {
    if rng.random_bool(0.5) {
        defocus(chip, rng.random_range(0.6..2.4f32))
    } else {
        motion(&chip, rng.random_range(3.0..9.0f32), rng.random_range(0.0..std::f32::consts::PI))
    }
}

/// A Gaussian of standard deviation `sigma` pixels.
fn defocus(chip: Chip, sigma: f32) -> Chip {
    image::imageops::blur(&super::picture(chip), sigma).into_raw()
}

/// The mean along a line of `length` pixels in direction `angle`; edge pixels are repeated.
fn motion(chip: &[u8], length: f32, angle: f32) -> Chip {
    let steps = length.ceil() as i32;
    let (sin, cos) = angle.sin_cos();
    let offsets: Vec<(i32, i32)> = (0..=steps)
        .map(|step| (step as f32 / steps as f32 - 0.5) * length)
        .map(|along| ((along * cos).round() as i32, (along * sin).round() as i32))
        .collect();
    let last = SIDE as i32 - 1;
    let count = offsets.len() as u32;
    let mut out = Vec::with_capacity(CHIP_BYTES);
    for y in 0..=last {
        for x in 0..=last {
            let mut sum = [0u32; 3];
            for (dx, dy) in &offsets {
                let at = 3 * ((y + dy).clamp(0, last) * SIDE as i32 + (x + dx).clamp(0, last)) as usize;
                sum.iter_mut().zip(&chip[at..at + 3]).for_each(|(sum, value)| *sum += u32::from(*value));
            }
            out.extend(sum.map(|sum| ((sum + count / 2) / count) as u8));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A white pixel in the middle of black.
    fn point() -> Chip {
        let mut chip = vec![0; CHIP_BYTES];
        chip[3 * (56 * SIDE + 56)..][..3].fill(255);
        chip
    }

    fn red(chip: &[u8], x: usize, y: usize) -> u8 {
        chip[3 * (y * SIDE + x)]
    }

    /// The density of the two-dimensional normal distribution, σ = 1.5: 255 / (2πσ²) · exp(−r² / 2σ²).
    #[test]
    fn a_point_out_of_focus_is_a_gaussian() {
        let blurred = defocus(point(), 1.5);
        for (dx, dy) in [(0usize, 0usize), (1, 0), (0, 1), (1, 1), (2, 1), (3, 0)] {
            let r2 = (dx * dx + dy * dy) as f64;
            let expected = 255.0 / (2.0 * std::f64::consts::PI * 2.25) * (-r2 / 4.5).exp();
            let found = f64::from(red(&blurred, 56 + dx, 56 + dy));
            assert!((found - expected).abs() <= 1.5, "{dx}, {dy}: {found} where {expected:.1} is expected");
        }
    }

    #[test]
    fn a_moved_point_is_a_line_of_the_same_light() {
        let blurred = motion(&point(), 4.0, 0.0);
        let row: Vec<u8> = (50..63).map(|x| red(&blurred, x, 56)).collect();
        assert_eq!(row, [0, 0, 0, 0, 51, 51, 51, 51, 51, 0, 0, 0, 0]);
        assert_eq!(red(&blurred, 56, 55), 0);
        let upright = motion(&point(), 4.0, std::f32::consts::FRAC_PI_2);
        assert_eq!((red(&upright, 56, 54), red(&upright, 54, 56)), (51, 0));
    }

    #[test]
    fn an_even_chip_stays_as_it_is() {
        let even = vec![77; CHIP_BYTES];
        assert_eq!(defocus(even.clone(), 2.0), even);
        assert_eq!(motion(&even, 8.0, 1.0), even);
    }
}
