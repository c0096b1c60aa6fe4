//! Alignment against scikit-image and OpenCV, on what `golden/align.py` made.

use std::collections::BTreeMap;

use veriface::{AlignmentTemplate, Chip, Frame, Landmarks, Photo, Point, Similarity, Verifier, align};
use veriface_tests::{cosine, fixture, here, reference_pack};

fn golden_chips() -> BTreeMap<String, Chip> {
    let cases: BTreeMap<String, [[f32; 2]; 5]> =
        serde_json::from_slice(&std::fs::read(here("golden/align/warps.json")).unwrap()).unwrap();
    let chip = |(name, points): (String, [[f32; 2]; 5])| {
        let picture = Photo::open(here("golden/align").join(format!("{name}.png"))).unwrap();
        let landmarks = Landmarks::new(points.map(|[x, y]| Point::new(x, y))).unwrap();
        (name, align(&picture.frame(), &landmarks).unwrap())
    };
    cases.into_iter().map(chip).collect()
}

#[test]
fn similarities_are_those_of_scikit_image() {
    let rows: Vec<Vec<f64>> = serde_json::from_slice(&std::fs::read(here("golden/align/similarities.json")).unwrap()).unwrap();
    assert_eq!(rows.len(), 200);
    for row in rows {
        let points: [[f64; 2]; 5] = std::array::from_fn(|i| [row[2 * i], row[2 * i + 1]]);
        let found = Similarity::least_squares(&points, AlignmentTemplate::ARCFACE.points()).unwrap();
        for (found, expected) in [found.a, found.b, found.tx, found.ty].iter().zip(&row[10..]) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected} of {points:?}");
        }
    }
}

#[test]
fn chips_are_those_of_opencv() {
    let chips = golden_chips();
    assert_eq!(chips.len(), 5);
    for (name, chip) in chips {
        let reference = Photo::open(here("golden/align").join(format!("{name}.chip.png"))).unwrap().frame().to_upright_rgb();
        let off: Vec<u8> = chip.rgb().iter().zip(&reference).map(|(a, b)| a.abs_diff(*b)).collect();
        let near = off.iter().filter(|d| **d <= 1).count() as f64 / off.len() as f64;
        assert!(near >= 0.99, "{name}: {near} within one grey level, at most {:?}", off.iter().max());
    }
}

/// google-ai-edge/mediapipe 4635: other pixels on another machine. Run it on each.
#[test]
fn chips_are_the_same_to_the_bit_on_every_architecture() {
    // FNV-1a, over the chips in the order of their names.
    let bytes = golden_chips().into_values().flat_map(|chip| chip.rgb().to_vec());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    assert_eq!(hash, 0x8aa2_73bf_dbaa_b2ff);
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
