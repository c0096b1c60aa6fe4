//! How time grows with a batch, a gallery and a picture.

use veriface::{Chip, Embedding, Extraction, Frame, Gallery, Photo, Purpose, Result, Verifier};

use crate::report::Stage;
use crate::stopwatch::time;

/// Batches of chips, galleries of noise, and enlargements of the picture.
pub(crate) fn growth(
    verifier: &Verifier,
    photo: &Photo,
    first: &Extraction,
    runs: usize,
    most_entries: usize,
) -> Result<Vec<Stage>> {
    let mut rows = Vec::new();
    let chip = verifier.align(photo, &first.face.landmarks)?;
    for batch in [1, 2, 4, 8, 16, 32] {
        let chips: Vec<&Chip> = vec![&chip; batch];
        rows.push(time("embed a batch of", Some(batch as f64), runs, || verifier.embed_all(chips.iter().copied()))?);
    }
    let mut gallery = Gallery::new(verifier.model_id(), first.embedding.dimension())?;
    for entries in [1_000, 10_000, 100_000, 1_000_000].into_iter().filter(|entries| *entries <= most_entries) {
        for place in gallery.len()..entries {
            gallery.add(&place.to_string(), &noise(verifier, first.embedding.dimension(), place as u64)?)?;
        }
        rows.push(time("search, entries", Some(entries as f64), runs, || {
            gallery.search(&first.embedding, 5).map(|found| found.len())
        })?);
    }
    let (width, height) = (photo.frame().width() as usize, photo.frame().height() as usize);
    let rgb = photo.frame().to_upright_rgb();
    for megapixels in [0.3, 1.0, 3.0, 12.0, 48.0] {
        let scale = (megapixels * 1e6 / (width * height) as f64).sqrt();
        let (wide, high) = ((width as f64 * scale).round().max(1.0) as usize, (height as f64 * scale).round().max(1.0) as usize);
        let mut large = Vec::with_capacity(wide * high * 3);
        for y in 0..high {
            let row = &rgb[(y * height / high) * width * 3..][..width * 3];
            large.extend((0..wide).flat_map(|x| {
                let at = (x * width / wide) * 3;
                [row[at], row[at + 1], row[at + 2]]
            }));
        }
        let frame = Frame::rgb8(&large, wide as u32, high as u32, wide * 3)?;
        rows.push(time("extract, megapixels", Some(megapixels), runs.min(20), || verifier.extract(frame, Purpose::Verify))?);
    }
    Ok(rows)
}

/// A direction of no meaning (Knuth's MMIX generator).
fn noise(verifier: &Verifier, dimension: usize, seed: u64) -> Result<Embedding> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut value = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    Embedding::from_raw(verifier.model_id(), (0..dimension).map(|_| value() + value() + value()).collect())
}
