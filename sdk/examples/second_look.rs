//! What the second look at a face gains: the table of `docs/detection.md`.
//!
//!     cargo run --release -p veriface --example second_look -- PACK FOLDER
//!
//! Takes each picture of the folder with one upright face at least 100 pixels high, and shows that face 50, 90 and 150 pixels high and
//! leaning by 0° … 45° in a grey picture of 640 × 480. The points found there by one look, and with the second, are held against those of
//! the original, and so are the embeddings.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use veriface::{Face, FaceChoice, Frame, Pack, Photo, Point, Purpose, QualityPolicy, Result, Search, Trust, Verifier};

const HEIGHTS: [f32; 3] = [50.0, 90.0, 150.0];
const LEANS: [f32; 4] = [0.0, 15.0, 30.0, 45.0];

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [pack, folder] = &arguments[..] else { panic!("usage: second_look PACK FOLDER") };
    let pack = Pack::open(pack, Trust::Unsigned)?;
    let verifier = |search| {
        let builder = Verifier::builder(pack.clone()).search(search).face_choice(FaceChoice::Largest);
        builder.quality_policy(Purpose::Verify, QualityPolicy::accept_all()).build()
    };
    let (one_look, two_looks) = (verifier(Search::glance())?, verifier(Search::nearest())?);
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path()).collect();
    files.sort();

    // By lean, then by search: errors, cosines, faces missed.
    let mut found = [[(); 2]; LEANS.len()].map(|searches| searches.map(|()| (Vec::new(), Vec::new(), 0)));
    let mut originals = 0;
    for photo in files.iter().filter_map(|file| Photo::open(file).ok()) {
        let [face] = two_looks.detect(&photo)?[..] else { continue };
        let quality = two_looks.quality(&photo, &face)?;
        if face.bounding_box.height() < 100.0 || quality.pose.roll.abs() > 10.0 || quality.cut_off > 0.0 {
            continue;
        }
        originals += 1;
        let original = two_looks.extract((&photo, face.landmarks), Purpose::Verify)?.embedding;
        let frame = photo.frame();
        let pixels = RgbImage::from_raw(frame.width(), frame.height(), frame.to_upright_rgb()).expect("as many bytes as pixels");
        for (lean, found) in LEANS.iter().zip(&mut found) {
            for height in HEIGHTS {
                let (scene, expected) = scene(&pixels, &face, height, *lean);
                let frame = Frame::rgb8(&scene, scene.width(), scene.height(), scene.width() as usize * 3)?;
                for (verifier, (errors, cosines, missed)) in [&one_look, &two_looks].into_iter().zip(found.iter_mut()) {
                    let Ok(seen) = verifier.extract(frame, Purpose::Verify) else {
                        *missed += 1;
                        continue;
                    };
                    let unit = expected[0].midpoint(expected[1]).distance(expected[3].midpoint(expected[4]));
                    let off = seen.face.landmarks.points().iter().zip(&expected).map(|(a, b)| a.distance(*b)).sum::<f32>();
                    errors.push(off / 5.0 / unit);
                    cosines.push(original.compare(&seen.embedding)?.get());
                }
            }
        }
    }
    println!("{}: {originals} faces, {} pictures a lean", pack.manifest().id, originals * HEIGHTS.len());
    println!("lean  looks  mean error  mean cosine  5th percentile  missed");
    for (lean, found) in LEANS.iter().zip(&mut found) {
        for (looks, (errors, cosines, missed)) in ["one", "two"].iter().zip(found) {
            let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len().max(1) as f32;
            cosines.sort_by(f32::total_cmp);
            let low = cosines.get(cosines.len() / 20).copied().unwrap_or(f32::NAN);
            println!("{lean:>3}°  {looks:>5}  {:>10.3}  {:>11.3}  {low:>14.3}  {missed:>6}", mean(errors), mean(cosines));
        }
    }
    Ok(())
}

/// The picture with its face `height` pixels high and turned clockwise by `lean` degrees about the middle of 640 × 480 grey pixels, and
/// where the face's points are then.
fn scene(photo: &RgbImage, face: &Face, height: f32, lean: f32) -> (RgbImage, [Point; 5]) {
    let scale = height / face.bounding_box.height();
    // Shrinking reads means, as a camera does; the rest is bilinear.
    let shrunk = |side: u32| ((side as f32 * scale.min(1.0)).round() as u32).max(1);
    let source = imageops::resize(photo, shrunk(photo.width()), shrunk(photo.height()), FilterType::Triangle);
    let (step_x, step_y) = (source.width() as f32 / photo.width() as f32, source.height() as f32 / photo.height() as f32);
    let (sin, cos) = lean.to_radians().sin_cos();
    let (middle, centre) = (Point::new(319.5, 239.5), face.bounding_box.center());
    let picture = RgbImage::from_fn(640, 480, |x, y| {
        let (dx, dy) = ((x as f32 - middle.x) / scale, (y as f32 - middle.y) / scale);
        let (px, py) = (centre.x + cos * dx + sin * dy, centre.y - sin * dx + cos * dy);
        let (sx, sy) = ((px + 0.5) * step_x - 0.5, (py + 0.5) * step_y - 0.5);
        imageops::interpolate_bilinear(&source, sx, sy).unwrap_or(Rgb([120; 3]))
    });
    let there = |p: &Point| {
        let (dx, dy) = (scale * (p.x - centre.x), scale * (p.y - centre.y));
        Point::new(middle.x + cos * dx - sin * dy, middle.y + sin * dx + cos * dy)
    };
    (picture, face.landmarks.points().each_ref().map(there))
}
