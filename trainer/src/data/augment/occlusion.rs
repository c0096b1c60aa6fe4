//! Something before the face: a rectangle (Zhong et al., "Random erasing data augmentation", AAAI 2020), or a mask over mouth and
//! nose, drawn where the alignment puts them.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::data::chips::{Chip, SIDE};

/// Either of the two, at random.
pub fn occlude(chip: &mut Chip, rng: &mut ChaCha8Rng) {
    if rng.random_bool(0.5) { rectangle(chip, rng) } else { mask(chip, rng) }
}

/// A rectangle of 3–20 % of the chip with sides of 1:2 to 2:1, of one colour or of coarse noise.
fn rectangle(chip: &mut Chip, rng: &mut ChaCha8Rng) {
    let area = rng.random_range(0.03..0.20f32) * (SIDE * SIDE) as f32;
    let ratio = 2f32.powf(rng.random_range(-1.0..1.0f32));
    let width = ((area * ratio).sqrt() as usize).clamp(4, SIDE - 1);
    let height = ((area / ratio).sqrt() as usize).clamp(4, SIDE - 1);
    let (left, top) = (rng.random_range(0..SIDE - width), rng.random_range(0..SIDE - height));
    let colour: [u8; 3] = rng.random();
    // Squares of 8 pixels: fine noise would be too easy to tell from a face.
    let noise = rng.random_bool(0.5).then(|| (0..15 * 15).map(|_| rng.random()).collect::<Vec<[u8; 3]>>());
    for y in top..top + height {
        for x in left..left + width {
            let colour = noise.as_ref().map_or(colour, |noise| noise[y / 8 * 15 + x / 8]);
            chip[3 * (y * SIDE + x)..][..3].copy_from_slice(&colour);
        }
    }
}

/// A medical mask: from the bridge of the nose down, its upper edge lower at the cheeks, narrowing towards the chin.
///
/// In an aligned chip the nose tip lies at (56, 72) and the mouth at y = 92 (ArcFace's template); a mask's edge crosses the nose
/// between the eyes, y = 52, and the tip.
fn mask(chip: &mut Chip, rng: &mut ChaCha8Rng) {
    let centre = 56.0 + rng.random_range(-3.0..3.0f32);
    let bridge = rng.random_range(58.0..70.0f32);
    let drop = rng.random_range(2.0..10.0f32);
    let half = rng.random_range(36.0..46.0f32);
    let chin = rng.random_range(14.0..24.0f32);
    let base: [f32; 3] = match rng.random_range(0..4) {
        0 => [235.0, 238.0, 240.0],
        1 => [150.0, 195.0, 225.0],
        2 => [35.0, 35.0, 40.0],
        _ => std::array::from_fn(|_| rng.random_range(20.0..235.0f32)),
    };
    let light = rng.random_range(0.6..1.05f32);
    let pleats = rng.random_range(0.0..0.12f32);
    for y in 0..SIDE {
        // How far down the mask this row is: 0 at the bridge of the nose, 1 at the picture's lower edge.
        let down = (y as f32 - bridge) / (SIDE as f32 - bridge);
        let side = half + (chin - half) * down.max(0.0).powi(2);
        for x in 0..SIDE {
            let across = (x as f32 - centre) / side;
            if across.abs() > 1.0 || (y as f32) < bridge + drop * across * across {
                continue;
            }
            // Round like a face: darker towards the cheeks, with folds across.
            let shade = light * (1.0 - 0.35 * across * across) * (1.0 + pleats * (down * 28.0).sin());
            let pixel = base.map(|value| (value * shade).clamp(0.0, 255.0) as u8);
            chip[3 * (y * SIDE + x)..][..3].copy_from_slice(&pixel);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn changed(draw: impl Fn(&mut Chip, &mut ChaCha8Rng), seed: u64) -> Vec<(usize, usize)> {
        // A colour that is drawn with a probability of nought.
        let grey = vec![123; SIDE * SIDE * 3];
        let mut chip = grey.clone();
        draw(&mut chip, &mut ChaCha8Rng::seed_from_u64(seed));
        (0..SIDE * SIDE).filter(|i| chip[3 * i..3 * i + 3] != grey[..3]).map(|i| (i % SIDE, i / SIDE)).collect()
    }

    #[test]
    fn a_rectangle_covers_what_it_says() {
        for seed in 0..50 {
            let covered = changed(rectangle, seed);
            let share = covered.len() as f64 / (SIDE * SIDE) as f64;
            assert!((0.02..=0.21).contains(&share), "{share}");
            let side = |values: Vec<usize>| values.iter().max().expect("some") - values.iter().min().expect("some") + 1;
            let (width, height) = (side(covered.iter().map(|p| p.0).collect()), side(covered.iter().map(|p| p.1).collect()));
            assert_eq!(width * height, covered.len());
            assert!((0.45..=2.2).contains(&(width as f64 / height as f64)), "{width} × {height}");
        }
    }

    /// The points of ArcFace's template: mouth corners (41.5, 92.4) and (70.7, 92.2), nose (56, 71.7), eyes at y = 51.6.
    #[test]
    fn a_mask_covers_mouth_and_nose_and_leaves_the_eyes() {
        for seed in 0..50 {
            let covered = changed(mask, seed);
            for point in [(42, 92), (70, 92), (56, 74), (56, 111)] {
                assert!(covered.contains(&point), "{seed}: {point:?}");
            }
            assert!(covered.iter().all(|(_, y)| *y >= 58), "{seed}");
            assert!(!covered.contains(&(0, 111)) && !covered.contains(&(111, 111)));
        }
    }
}
