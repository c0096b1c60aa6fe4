//! Each room's time on one thread. `cargo bench -p veriface`; docs/performance.md has a table.
//!
//! Detection and embedding need the reference models beside the project; without them their rows are left out.

use criterion::{Criterion, criterion_group, criterion_main};
use veriface::{Frame, Photo, Plane, Purpose, Score, Search, Verifier, YuvMatrix, YuvRange, align};
use veriface_tests::{fixture, here, reference_pack};

fn pictures(c: &mut Criterion) {
    let jpeg = std::fs::read(here("fixtures/collins.jpg")).unwrap();
    c.bench_function("decode/jpeg 512×512", |b| b.iter(|| Photo::decode(&jpeg).unwrap()));
}

fn networks(c: &mut Criterion) {
    let photo = fixture("collins.jpg");
    let camera = Nv21::of(&photo, 640, 480);
    for pack in ["edgeface-scrfd", "mobilefacenet-yunet"] {
        let Some(pack) = reference_pack(pack) else { return };
        let threshold = Score::new(0.25).unwrap();
        let verifier = Verifier::builder(pack.clone()).stated_threshold(threshold).build().unwrap();
        let (recogniser, detector) = pack.manifest().id.trim_end_matches("-reference").split_once('-').unwrap();
        let found = verifier.extract(&photo, Purpose::Verify).unwrap();
        let chip = verifier.align(&photo, &found.face.landmarks).unwrap();
        c.bench_function(&format!("detect/{detector} 512×512 photo"), |b| b.iter(|| verifier.detect(&photo).unwrap()));
        c.bench_function(&format!("detect/{detector} 640×480 NV21"), |b| b.iter(|| verifier.detect(camera.frame()).unwrap()));
        c.bench_function(&format!("embed/{recogniser}"), |b| b.iter(|| verifier.embed(&chip).unwrap()));
        c.bench_function(&format!("verify/{detector} + {recogniser}, two photos"), |b| {
            b.iter(|| verifier.verify(&photo, &photo).unwrap())
        });
        if detector == "scrfd" {
            c.bench_function("align/photo", |b| b.iter(|| align(&photo.frame(), &found.face.landmarks).unwrap()));
            c.bench_function("quality", |b| b.iter(|| verifier.quality(&photo, &found.face).unwrap()));
            let every = Verifier::builder(pack).search(Search::every_face()).build().unwrap();
            c.bench_function("detect/scrfd 512×512 every face", |b| b.iter(|| every.detect(&photo).unwrap()));
        }
    }
}

/// Camera memory made of a photo.
struct Nv21 {
    bytes: Vec<u8>,
    width: u32,
    height: u32,
}

impl Nv21 {
    fn of(photo: &Photo, width: u32, height: u32) -> Nv21 {
        let (rgb, from) = (photo.frame().to_upright_rgb(), photo.frame());
        let mut bytes = vec![128; (width * height * 3 / 2) as usize];
        for y in 0..height.min(from.height()) {
            for x in 0..width.min(from.width()) {
                let at = (y * from.width() + x) as usize * 3;
                let [r, g, b] = [rgb[at], rgb[at + 1], rgb[at + 2]].map(u32::from);
                bytes[(y * width + x) as usize] = ((77 * r + 150 * g + 29 * b) >> 8) as u8;
            }
        }
        Nv21 { bytes, width, height }
    }

    fn frame(&self) -> Frame<'_> {
        let (luma, chroma) = self.bytes.split_at((self.width * self.height) as usize);
        let stride = self.width as usize;
        let luma = Plane { bytes: luma, row_stride: stride, pixel_stride: 1 };
        let chroma = Plane { bytes: chroma, row_stride: stride, pixel_stride: 2 };
        Frame::nv21(luma, chroma, self.width, self.height, YuvMatrix::Bt601, YuvRange::Full).unwrap()
    }
}

criterion_group!(benches, pictures, networks);
criterion_main!(benches);
