//! Alignment against scikit-image and OpenCV, on what `tests/golden/align.py` made. `tests/arm.sh` runs these for another architecture.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::{AlignmentTemplate, Chip, align};
use crate::face::Landmarks;
use crate::frame::Photo;
use crate::geometry::{Point, Similarity};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/align").join(name)
}

fn chips() -> BTreeMap<String, Chip> {
    let cases: BTreeMap<String, [[f32; 2]; 5]> = serde_json::from_slice(&std::fs::read(file("warps.json")).unwrap()).unwrap();
    let chip = |(name, points): (String, [[f32; 2]; 5])| {
        let picture = Photo::open(file(&format!("{name}.png"))).unwrap();
        let landmarks = Landmarks::new(points.map(|[x, y]| Point::new(x, y))).unwrap();
        (name, align(&picture.frame(), &landmarks).unwrap())
    };
    cases.into_iter().map(chip).collect()
}

#[test]
fn similarities_are_those_of_scikit_image() {
    let rows: Vec<Vec<f64>> = serde_json::from_slice(&std::fs::read(file("similarities.json")).unwrap()).unwrap();
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
    let chips = chips();
    assert_eq!(chips.len(), 5);
    for (name, chip) in chips {
        let reference = Photo::open(file(&format!("{name}.chip.png"))).unwrap().frame().to_upright_rgb();
        let off: Vec<u8> = chip.rgb().iter().zip(&reference).map(|(a, b)| a.abs_diff(*b)).collect();
        let near = off.iter().filter(|d| **d <= 1).count() as f64 / off.len() as f64;
        assert!(near >= 0.99, "{name}: {near} within one grey level, at most {:?}", off.iter().max());
    }
}

/// google-ai-edge/mediapipe 4635: other pixels on another machine. `tests/arm.sh` runs it on Arm.
#[test]
fn chips_are_the_same_to_the_bit_on_every_architecture() {
    // FNV-1a, over the chips in the order of their names.
    let bytes = chips().into_values().flat_map(|chip| chip.rgb().to_vec());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    assert_eq!(hash, 0x8aa2_73bf_dbaa_b2ff);
}
