//! Compression as a JPEG, as chat programs and cameras do it.

use image::codecs::jpeg::JpegEncoder;

use crate::data::chips::{CHIP_BYTES, Chip, SIDE};

/// The chip after a JPEG of this quality, 1 to 100.
pub fn jpeg(chip: Chip, quality: u8) -> Chip {
    let mut bytes = Vec::with_capacity(8192);
    let side = SIDE as u32;
    let encoded = JpegEncoder::new_with_quality(&mut bytes, quality).encode(&chip, side, side, image::ExtendedColorType::Rgb8);
    let decoded = encoded.and_then(|()| image::load_from_memory_with_format(&bytes, image::ImageFormat::Jpeg));
    // Neither fails on a chip; a chip left as it was is no harm.
    decoded.map(|picture| picture.into_rgb8().into_raw()).ok().filter(|varied| varied.len() == CHIP_BYTES).unwrap_or(chip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_the_quality_the_further_off() {
        let chip: Chip = (0..SIDE * SIDE).flat_map(|i| [(i % 112 * 2) as u8, (i / 112 * 2) as u8, (i * 7 % 160) as u8]).collect();
        let miss = |quality| {
            let varied = jpeg(chip.clone(), quality);
            chip.iter().zip(&varied).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / CHIP_BYTES as f64
        };
        let misses = [95, 75, 40, 15].map(miss);
        assert!(misses.is_sorted(), "{misses:?}");
        assert!(misses[0] > 0.0 && misses[3] < 60.0, "{misses:?}");
        let even = vec![128; CHIP_BYTES];
        assert!(jpeg(even, 15).iter().all(|value| value.abs_diff(128) <= 1));
    }
}
