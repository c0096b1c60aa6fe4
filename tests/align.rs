//! Alignment against scikit-image and OpenCV, on what `golden/align.py` made.

use std::collections::BTreeMap;

use veriface::{AlignmentTemplate, Landmarks, Photo, Point, Similarity, align};
use veriface_tests::here;

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
    let cases: BTreeMap<String, [[f32; 2]; 5]> =
        serde_json::from_slice(&std::fs::read(here("golden/align/warps.json")).unwrap()).unwrap();
    let open = |name: &str| Photo::open(here("golden/align").join(name)).unwrap();
    for (name, points) in &cases {
        let landmarks = Landmarks::new(points.map(|[x, y]| Point::new(x, y))).unwrap();
        let chip = align(&open(&format!("{name}.png")).frame(), &landmarks).unwrap();
        let reference = open(&format!("{name}.chip.png")).frame().to_upright_rgb();
        let off: Vec<u8> = chip.rgb().iter().zip(&reference).map(|(a, b)| a.abs_diff(*b)).collect();
        let near = off.iter().filter(|d| **d <= 1).count() as f64 / off.len() as f64;
        println!("{name}: {:.2} % within one level, at most {}", 100.0 * near, off.iter().max().unwrap());
        assert!(near >= 0.99, "{name}: {near} within one grey level, at most {:?}", off.iter().max());
    }
    assert_eq!(cases.len(), 5);
}
