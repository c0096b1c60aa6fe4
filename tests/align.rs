//! Alignment and the network together. Chips against OpenCV's are in `sdk/src/align/golden.rs`.

use veriface::{AlignmentTemplate, Frame, Landmarks, Photo, Point, Verifier, align};
use veriface_tests::{cosine, fixture, reference_pack, shared};

/// Bilinear between four pixels and black outside, in floating point: the warp that recognisers were trained with.
fn plain_warp(rgb: &[u8], (width, height): (i64, i64), landmarks: &Landmarks) -> Vec<f64> {
    let map = AlignmentTemplate::ARCFACE.similarity(landmarks).unwrap().inverse().unwrap();
    let pixel = |x: i64, y: i64, channel: usize| match (0..width).contains(&x) && (0..height).contains(&y) {
        true => f64::from(rgb[(y * width + x) as usize * 3 + channel]),
        false => 0.0,
    };
    let mut chip = Vec::new();
    for place in 0..112 * 112 {
        let (u, v) = (f64::from(place % 112), f64::from(place / 112));
        let (x, y) = (map.a * u - map.b * v + map.tx, map.b * u + map.a * v + map.ty);
        let (left, top, fx, fy) = (x.floor() as i64, y.floor() as i64, x - x.floor(), y - y.floor());
        chip.extend((0..3).map(|channel| {
            let row = |y: i64| pixel(left, y, channel) * (1.0 - fx) + pixel(left + 1, y, channel) * fx;
            row(top) * (1.0 - fy) + row(top + 1) * fy
        }));
    }
    chip
}

/// Xiaoccer/MobileFaceNet_Pytorch 3: points were lost to another alignment. A hundred faces that the chip shrinks to a half at most; beyond
/// that the SDK averages where the plain warp skips pixels.
#[test]
fn chips_of_a_hundred_faces_are_those_of_the_plain_warp() {
    let (Some(labels), Some(folder)) = (shared("photos/valid.jsonl"), shared("photos/valid")) else { return };
    let (mut faces, mut worst) = (0, 0.0f64);
    for line in std::fs::read_to_string(labels).unwrap().lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        let Some(points) = record["faces"].get(0).map(|face| face["points"].clone()) else { continue };
        let points: [[f32; 2]; 5] = serde_json::from_value(points).unwrap();
        let Ok(landmarks) = Landmarks::new(points.map(|[x, y]| Point::new(x, y))) else { continue };
        let shrinks_by = AlignmentTemplate::ARCFACE.similarity(&landmarks).unwrap().scale().recip();
        if !(0.5..1.99).contains(&shrinks_by) || faces == 100 {
            continue;
        }
        let photo = Photo::open(folder.join(record["file"].as_str().unwrap())).unwrap();
        let frame = photo.frame();
        let size = (frame.width().into(), frame.height().into());
        let expected = plain_warp(&frame.to_upright_rgb(), size, &landmarks);
        let chip = align(&frame, &landmarks).unwrap();
        let off = chip.rgb().iter().zip(&expected).map(|(found, expected)| (f64::from(*found) - expected).abs()).sum::<f64>();
        worst = worst.max(off / expected.len() as f64);
        faces += 1;
    }
    assert_eq!(faces, 100);
    // Rounding alone is a quarter of a level; the report's own bound is two.
    assert!(worst <= 0.5, "{worst}");
}

/// deepinsight/insightface 29: photos cropped close give chips with black corners. What that costs is bounded.
#[test]
fn a_close_crop_costs_little() {
    let Some(pack) = reference_pack("edgeface-scrfd") else { return };
    let verifier = Verifier::from_pack(pack).unwrap();
    let photo = fixture("collins.jpg");
    let (pixels, row) = (photo.frame().to_upright_rgb(), photo.frame().width() as usize * 3);
    let face = verifier.detect(&photo).unwrap()[0];
    let whole = verifier.embed(&align(&photo.frame(), &face.landmarks).unwrap()).unwrap();
    for (margin, least) in [(0.0, 0.9), (0.1, 0.97), (0.3, 0.995)] {
        let (box_, grow) = (face.bounding_box, margin * face.bounding_box.width());
        let [left, top, right, bottom] =
            [box_.left - grow, box_.top - grow, box_.right + grow, box_.bottom + grow].map(|edge| edge.max(0.0) as usize);
        let crop = &pixels[top * row + left * 3..];
        let crop = Frame::rgb8(crop, (right - left) as u32, (bottom - top) as u32, row).unwrap();
        let moved = face.landmarks.points().map(|p| Point::new(p.x - left as f32, p.y - top as f32));
        let chip = align(&crop, &Landmarks::new(moved).unwrap()).unwrap();
        let cosine = cosine(verifier.embed(&chip).unwrap().values(), whole.values());
        assert!(cosine >= least, "margin {margin}: {cosine}");
    }
}
