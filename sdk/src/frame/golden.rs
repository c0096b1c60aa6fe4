//! The sampler against OpenCV and against the colour formulas; `tests/golden/frame.py` made the cases.

use std::path::PathBuf;

use serde::Deserialize;

use super::{Border, Frame, YuvMatrix, YuvRange};
use crate::geometry::Similarity;

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Case {
    Warp(Sampled),
    Resize(Sampled),
    Defined(Sampled),
    Convert(Converted),
}

#[derive(Deserialize)]
struct Sampled {
    name: String,
    source: String,
    format: String,
    width: u32,
    height: u32,
    to_frame: Similarity,
    out: (usize, usize),
    border: serde_json::Value,
    expected: String,
}

#[derive(Deserialize)]
struct Converted {
    name: String,
    source: String,
    width: u32,
    height: u32,
    matrix: String,
    range: String,
    luma_from: u8,
    expected: String,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/frame")
}

fn read(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name)).unwrap()
}

fn cases() -> Vec<Case> {
    serde_json::from_slice::<Cases>(&read("cases.json")).unwrap().cases
}

/// The share of values within one grey level, and the largest difference.
fn agreement(got: &[u8], expected: &[u8]) -> (f64, u8) {
    assert_eq!(got.len(), expected.len());
    let differences = || got.iter().zip(expected).map(|(a, b)| a.abs_diff(*b));
    (differences().filter(|d| *d <= 1).count() as f64 / got.len() as f64, differences().max().unwrap())
}

fn sampled(case: &Sampled) -> (f64, u8) {
    let source = read(&case.source);
    let i420 = |matrix| Frame::i420(&source, case.width, case.height, case.width as usize, matrix, YuvRange::Video);
    let frame = match case.format.as_str() {
        "i420" => i420(YuvMatrix::Bt601),
        "i420-bt709" => i420(YuvMatrix::Bt709),
        _ => Frame::rgb8(&source, case.width, case.height, case.width as usize * 3),
    };
    let border = match serde_json::from_value(case.border.clone()) {
        Ok(colour) => Border::Constant(colour),
        Err(_) => Border::Replicate,
    };
    let mut rgb = vec![0; case.out.0 * case.out.1 * 3];
    frame.unwrap().sample(&case.to_frame, case.out.0, case.out.1, border, &mut rgb);
    agreement(&rgb, &read(&case.expected))
}

#[test]
fn warps_equal_opencv() {
    let mut count = 0;
    for case in cases() {
        if let Case::Warp(case) = case {
            let (within_one, largest) = sampled(&case);
            println!("{}: {:.3} % within ±1, largest {largest}", case.name, within_one * 100.0);
            assert!(within_one >= 0.99, "{}: {within_one}", case.name);
            count += 1;
        }
    }
    assert_eq!(count, 7);
}

#[test]
fn resizes_equal_opencv() {
    let mut count = 0;
    for case in cases() {
        if let Case::Resize(case) = case {
            let (within_one, largest) = sampled(&case);
            println!("{}: {:.3} % within ±1, largest {largest}", case.name, within_one * 100.0);
            assert!(within_one == 1.0, "{}: {within_one}", case.name);
            count += 1;
        }
    }
    assert_eq!(count, 5);
}

/// No tolerance: an architecture or a compiler that rounds otherwise is found here.
#[test]
fn every_bit_is_as_defined() {
    let mut count = 0;
    for case in cases() {
        if let Case::Defined(case) = case {
            assert_eq!(sampled(&case).1, 0, "{}", case.name);
            count += 1;
        }
    }
    assert_eq!(count, 3);
}

#[test]
fn yuv_equals_opencv_and_the_formulas() {
    let mut count = 0;
    for case in cases() {
        let Case::Convert(case) = case else { continue };
        let matrix = if case.matrix == "bt709" { YuvMatrix::Bt709 } else { YuvMatrix::Bt601 };
        let range = if case.range == "full" { YuvRange::Full } else { YuvRange::Video };
        let source = read(&case.source);
        let expected = read(&case.expected);
        let (w, h) = (case.width as usize, case.height as usize);
        let mut rgb = vec![0; w * h * 3];
        let frame = Frame::i420(&source, case.width, case.height, w, matrix, range).unwrap();
        frame.sample(&Similarity::IDENTITY, w, h, Border::Replicate, &mut rgb);
        let mut largest = 0;
        for (i, luma) in source[..w * h].iter().enumerate().filter(|(_, luma)| **luma >= case.luma_from) {
            let (_, difference) = agreement(&rgb[i * 3..i * 3 + 3], &expected[i * 3..i * 3 + 3]);
            assert!(difference <= 1, "{}: pixel {i}, luma {luma}, off by {difference}", case.name);
            largest = largest.max(difference);
        }
        println!("{}: largest {largest}", case.name);
        count += 1;
    }
    assert_eq!(count, 5);
}
