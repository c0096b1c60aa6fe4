//! A network on our own kernels takes no memory from the heap once it has run, nor does a camera frame on its way through the rooms;
//! many frames leave nothing behind.

use std::time::Duration;

use veriface::{
    Frame, Measured, Pack, Plane, Purpose, QualityPolicy, Sighting, TrackPolicy, Verifier, VerifierSession, YuvMatrix, YuvRange,
};
use veriface_tests::{fixture, here, shared, tiny_pack};

use crate::heap;

fn allocations_of_the_second_run(onnx: &[u8], side: usize) -> usize {
    let network = Measured::load(onnx, &[1, 3, side, side]).unwrap();
    let run = || network.run(|input| input.fill(0.25), |_| ()).unwrap();
    run();
    let before = heap::allocations();
    run();
    run();
    heap::allocations() - before
}

#[test]
fn a_second_run_allocates_nothing() {
    let golden = here("../sdk/src/net/golden");
    for name in ["small_relu_int8.onnx", "small_prelu_int8.onnx"] {
        assert_eq!(allocations_of_the_second_run(&std::fs::read(golden.join(name)).unwrap(), 24), 0, "{name}");
    }
    for (name, side) in [("mobilefacenet_y1_128d.onnx", 112), ("scrfd_500m_bnkps_320.onnx", 320)] {
        if let Some(file) = shared(&format!("models/{name}")) {
            assert_eq!(allocations_of_the_second_run(&std::fs::read(file).unwrap(), side), 0, "{name}");
        }
    }
}

fn allocations<T>(work: impl FnOnce() -> T) -> (usize, T) {
    let before = heap::allocations();
    let made = work();
    (heap::allocations() - before, made)
}

/// A portrait as a camera's memory, NV21 of the full range.
fn nv21(name: &str) -> (Vec<u8>, Vec<u8>, u32, u32) {
    let photo = fixture(name);
    let (width, height) = (photo.frame().width() / 2 * 2, photo.frame().height() / 2 * 2);
    let (rgb, row) = (photo.frame().to_upright_rgb(), photo.frame().width() as usize * 3);
    let pixel = |x: u32, y: u32| {
        let at = y as usize * row + x as usize * 3;
        [0, 1, 2].map(|i| f32::from(rgb[at + i]))
    };
    let mut luma = Vec::new();
    let mut chroma = Vec::new();
    for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
        let [r, g, b] = pixel(x, y);
        luma.push((0.299 * r + 0.587 * g + 0.114 * b) as u8);
        if x % 2 == 0 && y % 2 == 0 {
            chroma.push((0.5 * r - 0.419 * g - 0.081 * b + 128.0) as u8);
            chroma.push((-0.169 * r - 0.331 * g + 0.5 * b + 128.0) as u8);
        }
    }
    (luma, chroma, width, height)
}

/// Camera planes → letterbox → detector → chip → quality → embedding → score.
#[test]
fn a_camera_frame_takes_nothing_from_the_heap() {
    let (luma, chroma, width, height) = nv21("collins.jpg");
    let plane = |bytes, pixel_stride| Plane { bytes, row_stride: width as usize, pixel_stride };
    let frame = Frame::nv21(plane(&luma, 1), plane(&chroma, 2), width, height, YuvMatrix::Bt601, YuvRange::Full).unwrap();
    for mirror in [false, true] {
        let accept = QualityPolicy::accept_all();
        let verifier = Verifier::builder(Pack::embedded().unwrap()).quality_policy(Purpose::Verify, accept);
        let verifier = verifier.mirror_averaging(mirror).unwrap().build().unwrap();
        let policy = TrackPolicy { look_every: 1, max_offset: 1.0, spacing: Duration::ZERO, ..TrackPolicy::default() };
        let mut session = VerifierSession::with_policy(&verifier, Purpose::Verify, policy).unwrap();
        let mut seen = None;
        for number in 0..30 {
            let at = Duration::from_millis(33 * number);
            let (taken, progress) = allocations(|| session.frame(frame, at).unwrap());
            let Sighting::Seen { face, .. } = progress.sighting else { panic!("{progress:?}") };
            if number >= 10 {
                assert!(progress.ready);
                assert_eq!(taken, 0, "frame {number}");
            }
            seen = Some(verifier.align(frame, &face.landmarks).unwrap());
        }
        // Outside of a session the vector and the chip that are handed out are all.
        let chip = seen.unwrap();
        let (taken, embedding) = allocations(|| verifier.embed(&chip).unwrap());
        assert_eq!(taken, 1);
        assert_eq!(allocations(|| embedding.compare(&embedding).unwrap()).0, 0);
    }
}

/// tensorflower/seetaFace6Python 53: memory grew with every picture. Counted to the byte, since the system gives pages as it likes.
#[test]
fn ten_thousand_frames_leave_nothing_behind() {
    let verifier = Verifier::builder(tiny_pack()).quality_policy(Purpose::Verify, QualityPolicy::accept_all()).build().unwrap();
    let mut session = VerifierSession::new(&verifier, Purpose::Verify).unwrap();
    let mut rgb = vec![90; 96 * 96 * 3];
    let mut after_a_thousand = 0;
    for number in 0..10_000u32 {
        rgb[(number % 9_000) as usize] ^= 0x1f;
        let frame = Frame::rgb8(&rgb, 96, 96, 96 * 3).unwrap();
        session.frame(frame, Duration::from_millis(33) * number).unwrap();
        if number % 10 == 0 {
            verifier.extract(frame, Purpose::Verify).unwrap();
        }
        if number == 1_000 {
            after_a_thousand = heap::held();
        }
    }
    assert_eq!(heap::held() - after_a_thousand, 0, "bytes in 9,000 frames");
}
