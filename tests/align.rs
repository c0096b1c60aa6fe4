//! Alignment and the network together. Chips against OpenCV's are in `sdk/src/align/golden.rs`.

use veriface::{Frame, Landmarks, Point, Verifier, align};
use veriface_tests::{cosine, fixture, reference_pack};

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
