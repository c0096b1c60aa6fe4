//! Planning a training canvas: which pictures lie where, how large and how leaning.
//!
//! Everything is drawn from one generator, which the number of the canvas alone seeds: a run that goes on sees the same pixels.

use rand::Rng;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use veriface::{Point, Similarity};

use super::canvas::{Canvas, Layer};
use super::light::{self, Light};
use super::set::Picture;

/// How much canvases vary. Probabilities are of one canvas.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Variation {
    /// Side of the canvas, in pixels: a multiple of 32.
    pub side: usize,
    /// The height at which a face is aimed at, from …
    pub least_height: f64,
    /// … to this, evenly over its logarithm.
    pub most_height: f64,
    /// Lower faces are ignored.
    pub ignore_below: f64,
    /// Probability of four pictures beside one another.
    pub mosaic: f64,
    /// Probability of single faces laid over a picture.
    pub paste: f64,
    /// Probability that a picture is turned.
    pub lean: f64,
    /// By how much at most, in degrees.
    pub most_lean: f64,
    /// Probability of the mirror image.
    pub mirror: f64,
    /// What happens to the pixels.
    pub light: Light,
}

/// The most by which a picture is enlarged.
const MOST_ENLARGED: f64 = 6.0;

/// The least share of its part's shorter side that a picture's longer side covers: more of black teaches nothing.
const LEAST_COVER: f64 = 0.9;

/// Single faces laid over a picture, at most.
const MOST_PASTED: usize = 3;

/// Probability that a face may be cut by the edge of its part, or lie where there is more black than need be.
const ANYWHERE: f64 = 0.1;

/// The canvas of this number. `photos` are whole pictures, with or without faces; `crops` show one face closely, and may be none.
pub fn canvas(variation: &Variation, photos: &[Picture], crops: &[Picture], seed: u64, number: u64) -> Canvas {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(number);
    let rng = &mut rng;
    let side = variation.side;
    let whole = [0, 0, side, side];
    let mut layers = Vec::new();
    if light::chance(variation.mosaic, rng) {
        let [x, y] = [(); 2].map(|()| rng.random_range(side / 4..=side - side / 4));
        for part in [[0, 0, x, y], [x, 0, side, y], [0, y, x, side], [x, y, side, side]] {
            let source = if rng.random_bool(0.5) { photos } else { crops };
            layers.extend(place(variation, source, part, rng));
        }
    } else {
        layers.extend(place(variation, photos, whole, rng));
        if light::chance(variation.paste, rng) {
            for _ in 0..rng.random_range(1..=MOST_PASTED) {
                layers.extend(place(variation, crops, whole, rng));
            }
        }
    }
    let mut canvas = Canvas::draw(side, side, &layers, variation.ignore_below as f32);
    if light::chance(variation.mirror, rng) {
        canvas = canvas.mirrored();
    }
    variation.light.vary(&mut canvas.raster, rng);
    canvas
}

/// Puts one of the pictures on a part of the canvas: a face of it, at a height and with a lean of the generator's choice, where it lies
/// whole within the part and the picture covers as much of the part as it can; a picture without faces at any place.
fn place<'a>(variation: &Variation, pictures: &'a [Picture], part: [usize; 4], rng: &mut ChaCha8Rng) -> Option<Layer<'a>> {
    let picture = pictures.get(rng.random_range(0..pictures.len().max(1)))?;
    let [left, top, right, bottom] = part.map(|edge| edge as f64);
    let (across, down) = (right - left, bottom - top);
    let labels = &picture.labels;
    let (width, height) = (labels.width as f64, labels.height as f64);
    let angle = if light::chance(variation.lean, rng) { rng.random_range(-1.0..1.0) * variation.most_lean } else { 0.0 };
    let (sin, cos) = angle.to_radians().sin_cos();
    let (anchor, scale, room) = if labels.faces.is_empty() {
        let scale = (across.max(down) / width.min(height)) * 2f64.powf(rng.random_range(-0.5..1.0));
        (Point::new(rng.random_range(0.0..width) as f32, rng.random_range(0.0..height) as f32), scale, 0.0)
    } else {
        let face = &labels.faces[rng.random_range(0..labels.faces.len())];
        let (least, most) = (variation.least_height, variation.most_height.min(across.min(down)));
        let aim = least * (most / least).max(1.0).powf(rng.random_range(0.0..1.0));
        let scale = (aim / f64::from(face.rect.height())).min(MOST_ENLARGED);
        (face.rect.center(), scale.max(LEAST_COVER * across.min(down) / width.max(height)), f64::from(face.rect.height()) / 2.0)
    };
    let (ax, ay) = (f64::from(anchor.x), f64::from(anchor.y));
    let anywhere = rng.random_bool(ANYWHERE);
    let mut within = |length: f64, before: f64, after: f64| {
        let room = if anywhere { 0.0 } else { (room * scale).min(length / 2.0) };
        let (low, high) = (room.max(length - after * scale), (length - room).min(before * scale));
        let (low, high) = if anywhere || low > high { (room, length - room) } else { (low, high) };
        low + (high - low) * rng.random_range(0.0..1.0)
    };
    let (x, y) = (left + within(across, ax, width - ax), top + within(down, ay, height - ay));
    let (a, b) = (scale * cos, scale * sin);
    let to_canvas = Similarity { a, b, tx: x - (a * ax - b * ay), ty: y - (b * ax + a * ay) };
    Some(Layer { picture, to_canvas, part })
}

#[cfg(test)]
mod tests {
    use veriface::Rect;

    use super::*;
    use crate::detect::canvas::Raster;
    use crate::detect::config::DetectorConfig;
    use crate::detect::label::{LabelledFace, Labels};

    fn pictures(faces: usize) -> Vec<Picture> {
        let rgb = (0..120 * 90 * 3).map(|i| (i % 251) as u8).collect();
        let at = |i: usize| LabelledFace {
            rect: Rect::new(10.0 + 50.0 * i as f32, 20.0, 40.0 + 50.0 * i as f32, 60.0),
            points: [(18.0, 35.0), (32.0, 35.0), (25.0, 42.0), (20.0, 50.0), (30.0, 50.0)]
                .map(|(x, y)| Point::new(x + 50.0 * i as f32, y)),
        };
        let faces = (0..faces).map(at).collect();
        let labels = Labels { file: "drawn".into(), width: 120, height: 90, faces, ignored: vec![] };
        vec![Picture::new(Raster { width: 120, height: 90, rgb }, labels)]
    }

    #[test]
    fn the_number_alone_decides() {
        let (photos, crops) = (pictures(2), pictures(1));
        let variation = DetectorConfig::default().variation();
        let of = |number| canvas(&variation, &photos, &crops, 7, number);
        for number in 0..20 {
            assert!(of(number) == of(number));
        }
        assert!((1..20).all(|number| of(number) != of(0)));
    }

    #[test]
    fn most_canvases_have_a_face_at_an_aimed_height() {
        let (photos, crops) = (pictures(2), pictures(1));
        let variation = Variation { lean: 0.0, mosaic: 0.0, paste: 0.0, ..DetectorConfig::default().variation() };
        let heights: Vec<f32> = (0..200)
            .flat_map(|number| canvas(&variation, &photos, &crops, 7, number).faces)
            .map(|face| face.rect.height())
            .collect();
        assert!(heights.len() > 180, "{}", heights.len());
        // The picture must cover most of the canvas, so that its faces are at least 0.9 · 256 / 120 times as high as they were.
        assert!(heights.iter().all(|height| (40.0 * 1.91..=251.0).contains(height)), "{heights:?}");
    }

    #[test]
    fn there_may_be_no_faces_and_no_crops() {
        let variation = DetectorConfig::default().variation();
        for number in 0..20 {
            assert_eq!(canvas(&variation, &pictures(0), &[], 7, number).faces, []);
        }
    }
}
