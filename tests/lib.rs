//! What the tests share: where data lies, and packs made of the reference models.

pub mod mutate;
pub mod targets;

use std::path::{Path, PathBuf};

use veriface::{Manifest, Pack, Part, PartKind, Photo};

/// A file of the project's own `tests` folder.
pub fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// One of the public-domain portraits.
pub fn fixture(name: &str) -> Photo {
    Photo::open(here("fixtures").join(name)).unwrap()
}

/// A file of the research data beside the project, which is not part of it. Without it the test says so and passes, unless
/// `VERIFACE_REQUIRE_SHARED=1` asks for it.
pub fn shared(path: &str) -> Option<PathBuf> {
    let file = here("../../shared").join(path);
    if file.exists() {
        return Some(file);
    }
    assert!(std::env::var_os("VERIFACE_REQUIRE_SHARED").is_none_or(|v| v != "1"), "{} is missing", file.display());
    println!("skipped: no ../shared");
    None
}

/// A pack of reference models, by the name of its manifest in `tests/packs`: `edgeface-scrfd`, `mobilefacenet-yunet`, ….
pub fn reference_pack(name: &str) -> Option<Pack> {
    let model = |part: &str| {
        let file = match part {
            "edgeface" => "edgeface_xs_512d.onnx",
            "mobilefacenet" => "mobilefacenet_y1_128d.onnx",
            "scrfd" => "scrfd_500m_bnkps_320.onnx",
            "yunet" => "face_detection_yunet_2026may.onnx",
            other => panic!("no reference model {other}"),
        };
        shared(&format!("models/{file}"))
    };
    let (recogniser, detector) = name.split_once('-').unwrap();
    let (recogniser, detector) = (model(recogniser)?, model(detector)?);
    let manifest = Manifest::from_json(&std::fs::read(here("packs").join(name).with_extension("json")).unwrap()).unwrap();
    let part = |name: &str, path| Part::new(name, PartKind::Onnx, std::fs::read(path).unwrap());
    Some(Pack::new(manifest, vec![part("detector", detector), part("recogniser", recogniser)]).unwrap())
}

/// A pack of two tiny networks made by `packs/tiny.py`: the detector sees the same face in every picture, the recogniser is a small
/// random projection. It recognises nobody, and lets the rooms be tested without data.
pub fn tiny_pack() -> Pack {
    let file = |name: &str| std::fs::read(here("packs").join(name)).unwrap();
    let manifest = Manifest::from_json(&file("tiny.json")).unwrap();
    let part = |name: &str, bytes: Vec<u8>| Part::new(name, PartKind::Onnx, bytes);
    Pack::new(manifest, vec![part("detector", file("tiny-detector.onnx")), part("recogniser", file("tiny-recogniser.onnx"))])
        .unwrap()
}

/// The cosine that the Python references were held to.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
