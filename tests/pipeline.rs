//! All rooms together, on the public-domain portraits and the reference models: what users of such software report, as tests.

use std::time::Duration;

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, RgbImage};
use veriface::{
    Chip, ErrorCode, FaceChoice, Frame, Guidance, Landmarks, Orientation, Pack, Photo, Plane, Point, Purpose, QualityPolicy,
    Rotation, Score, Sighting, Trust, Verifier, VerifierSession, Which, YuvMatrix, YuvRange,
};
use veriface_tests::{cosine, fixture, here, reference_pack, shared, tiny_pack};

fn reference() -> Option<Verifier> {
    let pack = reference_pack("edgeface-scrfd")?;
    Some(Verifier::builder(pack).stated_threshold(Score::new(0.235).unwrap()).build().unwrap())
}

fn rgb(name: &str) -> RgbImage {
    let photo = fixture(name);
    let frame = photo.frame();
    RgbImage::from_raw(frame.width(), frame.height(), frame.to_upright_rgb()).unwrap()
}

fn frame(picture: &RgbImage) -> Frame<'_> {
    Frame::rgb8(picture, picture.width(), picture.height(), picture.width() as usize * 3).unwrap()
}

fn embedding<'f>(verifier: &Verifier, picture: impl Into<Frame<'f>>) -> Vec<f32> {
    verifier.extract(picture, Purpose::Verify).unwrap().embedding.values().to_vec()
}

#[test]
fn the_same_man_matches_and_others_do_not() {
    let Some(verifier) = reference() else { return };
    let verify = |a: &str, b: &str| verifier.verify(&fixture(a), &fixture(b)).unwrap().decision;
    for other in ["obama-speaking.jpg", "obama-standing.jpg"] {
        assert!(verify("obama-smiling.jpg", other).same, "{other}");
    }
    for (a, b) in [("obama-smiling.jpg", "biden.jpg"), ("biden.jpg", "collins.jpg"), ("collins.jpg", "obama-speaking.jpg")] {
        assert!(!verify(a, b).same, "{a} {b}");
    }
}

/// A round trip cannot see swapped channels or a wrong template; another implementation's embedding can
/// (blakeblackshear/frigate 23712, deepinsight/insightface 849).
#[test]
fn embeddings_equal_the_python_reference() {
    let Some(verifier) = reference() else { return };
    let golden: serde_json::Value =
        serde_json::from_slice(&std::fs::read(here("golden/embedding/collins.json")).unwrap()).unwrap();
    let expected: Vec<f32> = serde_json::from_value(golden["embedding"].clone()).unwrap();
    let chip = Photo::open(here("golden/embedding/collins.png")).unwrap();
    let chip = Chip::from_aligned(chip.frame().to_upright_rgb()).unwrap();
    let of_chip = cosine(verifier.embed(&chip).unwrap().values(), &expected);
    assert!(of_chip >= 0.9999, "{of_chip}");
    let photo = fixture("collins.jpg");
    let landmarks: [[f32; 2]; 5] = serde_json::from_value(golden["landmarks"].clone()).unwrap();
    let landmarks = Landmarks::new(landmarks.map(|[x, y]| Point::new(x, y))).unwrap();
    let of_points = verifier.extract((&photo, landmarks), Purpose::Verify).unwrap();
    let of_points = cosine(of_points.embedding.values(), &expected);
    assert!(of_points >= 0.999, "{of_points}");
    // The reference looks once; this face is small enough in its 320 pixels to be looked at again, which moves the points by 2 pixels
    // towards those of SCRFD-2.5G at 640.
    let of_photo = cosine(&embedding(&verifier, &photo), &expected);
    assert!(of_photo >= 0.96, "{of_photo}");
}

/// ageitgey/face_recognition 381, BSI-OFIQ/OFIQ-Project 38.
#[test]
fn every_exif_orientation_gives_the_upright_embedding() {
    let Some(verifier) = reference() else { return };
    let upright = rgb("collins.jpg");
    let expected = embedding(&verifier, frame(&upright));
    // What is stored so that the orientation of this number makes it upright again (EXIF 2.32, tag 0x0112).
    let stored = |exif: u8| {
        let picture = DynamicImage::ImageRgb8(upright.clone());
        match exif {
            1 => picture,
            2 => picture.fliph(),
            3 => picture.rotate180(),
            4 => picture.flipv(),
            5 => picture.rotate90().fliph(),
            6 => picture.rotate270(),
            7 => picture.rotate270().fliph(),
            _ => picture.rotate90(),
        }
    };
    for exif in 1..=8 {
        let mut jpeg = Vec::new();
        JpegEncoder::new_with_quality(&mut jpeg, 100).encode_image(&stored(exif)).unwrap();
        let found = embedding(&verifier, &Photo::decode(&with_exif_orientation(&jpeg, exif)).unwrap());
        assert!(cosine(&found, &expected) >= 0.999, "orientation {exif}: {}", cosine(&found, &expected));
        // Without JPEG's losses in between it is the same to the bit.
        let pixels = stored(exif).into_rgb8();
        let exact = frame(&pixels).with_orientation(Orientation::from_exif(exif.into()).unwrap());
        assert_eq!(embedding(&verifier, exact), expected, "orientation {exif}");
    }
}

/// An APP1 segment with nothing but the orientation, behind the start of the file.
fn with_exif_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut tiff = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    tiff.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let mut bytes = jpeg[..2].to_vec();
    bytes.extend([0xff, 0xe1]);
    bytes.extend((tiff.len() as u16 + 2).to_be_bytes());
    bytes.extend(&tiff);
    bytes.extend(&jpeg[2..]);
    bytes
}

/// Conezi/face_camera 44, deepinsight/insightface 524, HyperInspire/InspireFace 164.
#[test]
fn every_camera_format_gives_the_same_embedding() {
    let Some(verifier) = reference() else { return };
    let picture = rgb("collins.jpg");
    let (width, height) = picture.dimensions();
    let expected = embedding(&verifier, frame(&picture));

    let swapped: Vec<u8> = picture.pixels().flat_map(|p| [p[2], p[1], p[0]]).collect();
    assert_eq!(embedding(&verifier, Frame::bgr8(&swapped, width, height, width as usize * 3).unwrap()), expected);
    let rgba: Vec<u8> = picture.pixels().flat_map(|p| [p[0], p[1], p[2], 7]).collect();
    assert_eq!(embedding(&verifier, Frame::rgba8(&rgba, width, height, width as usize * 4).unwrap()), expected);
    let row = width as usize;
    let bgra: Vec<u8> = picture.pixels().flat_map(|p| [p[2], p[1], p[0], 7]).collect();
    assert_eq!(embedding(&verifier, Frame::bgra8(&bgra, width, height, row * 4).unwrap()), expected);
    let grey: Vec<u8> = DynamicImage::ImageRgb8(picture.clone()).into_luma8().into_raw();
    let as_rgb: Vec<u8> = grey.iter().flat_map(|v| [*v; 3]).collect();
    let as_rgb = embedding(&verifier, Frame::rgb8(&as_rgb, width, height, row * 3).unwrap());
    assert_eq!(embedding(&verifier, Frame::gray8(&grey, width, height, row).unwrap()), as_rgb);
    assert!(cosine(&as_rgb, &expected) >= 0.8, "{}", cosine(&as_rgb, &expected));

    // A sensor's buffer in each of CameraX's rotations, and mirrored.
    let upright = DynamicImage::ImageRgb8(picture.clone());
    for (degrees, stored) in
        [(0, upright.clone()), (90, upright.rotate270()), (180, upright.rotate180()), (270, upright.rotate90())]
    {
        let rotation = Rotation::from_degrees(degrees).unwrap();
        let buffer = stored.to_rgb8();
        assert_eq!(embedding(&verifier, frame(&buffer).with_orientation(Orientation { rotation, mirrored: false })), expected);
    }
    let buffer = upright.fliph().into_rgb8();
    let mirrored = Orientation { rotation: Rotation::None, mirrored: true };
    assert_eq!(embedding(&verifier, frame(&buffer).with_orientation(mirrored)), expected);
    // react-native-camera/react-native-camera 2261: said or not, the first point is the eye on the left of the picture that is seen.
    for orientation in [Orientation::default(), mirrored] {
        let face = verifier.detect(frame(&buffer).with_orientation(orientation)).unwrap()[0];
        let [left, right, ..] = face.landmarks.points();
        assert!(left.x < right.x, "{orientation:?}");
    }
}

/// opencv/opencv 13526, QuickBirdEng/yuvToMat 5, expo/expo 17524.
#[test]
fn every_layout_of_yuv_gives_the_same_embedding() {
    let Some(verifier) = reference() else { return };
    let picture = rgb("collins.jpg");
    let (width, height) = picture.dimensions();
    let expected = embedding(&verifier, frame(&picture));
    let [y, u, v] = yuv420(&picture);
    let (row, chroma_row) = (width as usize, width.div_ceil(2) as usize);

    fn plane(bytes: &[u8], row_stride: usize) -> Plane<'_> {
        Plane { bytes, row_stride, pixel_stride: 1 }
    }
    let (matrix, range) = (YuvMatrix::Bt601, YuvRange::Full);
    let planar = Frame::yuv420(plane(&y, row), plane(&u, chroma_row), plane(&v, chroma_row), width, height, matrix, range);
    let planar = embedding(&verifier, planar.unwrap());
    assert!(cosine(&planar, &expected) >= 0.99, "{}", cosine(&planar, &expected));
    // The same samples in every other layout give the same to the bit.
    let vu: Vec<u8> = v.iter().zip(&u).flat_map(|(v, u)| [*v, *u]).collect();
    let pairs = Plane { bytes: &vu, row_stride: chroma_row * 2, pixel_stride: 2 };
    let nv21 = Frame::nv21(plane(&y, row), pairs, width, height, matrix, range).unwrap();
    assert_eq!(embedding(&verifier, nv21), planar);
    let uv: Vec<u8> = u.iter().zip(&v).flat_map(|(u, v)| [*u, *v]).collect();
    let (nv21, nv12, i420) = ([&y[..], &vu].concat(), [&y[..], &uv].concat(), [&y[..], &u, &v].concat());
    let one_buffer = [
        Frame::nv21_contiguous(&nv21, width, height, row, matrix, range),
        Frame::nv12_contiguous(&nv12, width, height, row, matrix, range),
        Frame::i420(&i420, width, height, row, matrix, range),
    ];
    for frame in one_buffer {
        assert_eq!(embedding(&verifier, frame.unwrap()), planar);
    }
    // Android's interleaved planes with padded rows, the last of which ends with its last sample.
    let stride = chroma_row * 2 + 14;
    let padded: Vec<u8> = uv.chunks(chroma_row * 2).flat_map(|row| [row, &[9; 14]].concat()).collect();
    let end = padded.len() - 14;
    let interleaved = |from: usize, to: usize| Plane { bytes: &padded[from..to], row_stride: stride, pixel_stride: 2 };
    let android = Frame::yuv420(plane(&y, row), interleaved(0, end - 1), interleaved(1, end), width, height, matrix, range);
    assert_eq!(embedding(&verifier, android.unwrap()), planar);
}

/// JFIF's full-range BT.601, chroma averaged over 2 × 2.
fn yuv420(picture: &RgbImage) -> [Vec<u8>; 3] {
    let (width, height) = picture.dimensions();
    let of = |p: &image::Rgb<u8>| {
        let [r, g, b] = p.0.map(f32::from);
        [
            0.299 * r + 0.587 * g + 0.114 * b,
            128.0 - 0.168_736 * r - 0.331_264 * g + 0.5 * b,
            128.0 + 0.5 * r - 0.418_688 * g - 0.081_312 * b,
        ]
    };
    let luma = picture.pixels().map(|p| of(p)[0].round() as u8).collect();
    let chroma = |channel: usize| {
        let blocks = (0..height.div_ceil(2)).flat_map(|y| (0..width.div_ceil(2)).map(move |x| (2 * x, 2 * y)));
        blocks
            .map(|(x, y)| {
                let corners = [(x, y), (x + 1, y), (x, y + 1), (x + 1, y + 1)];
                let sum: f32 =
                    corners.iter().map(|&(x, y)| of(picture.get_pixel(x.min(width - 1), y.min(height - 1)))[channel]).sum();
                (sum / 4.0).round() as u8
            })
            .collect()
    };
    [luma, chroma(1), chroma(2)]
}

/// serengil/deepface 876: no fall-back to the whole picture.
#[test]
fn noise_has_no_face_and_no_score() {
    let Some(verifier) = reference() else { return };
    let mut state = 1u32;
    let noise = RgbImage::from_fn(320, 240, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        image::Rgb([(state >> 24) as u8, (state >> 16) as u8, (state >> 8) as u8])
    });
    let error = verifier.verify(frame(&noise), frame(&noise)).unwrap_err();
    assert_eq!((error.code(), error.which()), (ErrorCode::NoFace, Some(Which::Reference)));
    // serengil/deepface 1056: the error says which picture.
    let error = verifier.verify(&fixture("collins.jpg"), frame(&noise)).unwrap_err();
    assert_eq!((error.code(), error.which()), (ErrorCode::NoFace, Some(Which::Probe)));
}

/// exadel-inc/CompreFace 407.
#[test]
fn several_faces_need_a_rule() {
    let Some(verifier) = reference() else { return };
    let (left, right) = (rgb("collins.jpg"), rgb("obama-smiling.jpg"));
    let mut group = RgbImage::new(left.width() + right.width(), left.height().max(right.height()));
    image::imageops::replace(&mut group, &left, 0, 0);
    image::imageops::replace(&mut group, &right, left.width().into(), 0);
    let error = verifier.verify(frame(&left), frame(&group)).unwrap_err();
    assert_eq!((error.code(), error.which()), (ErrorCode::MultipleFaces, Some(Which::Probe)));
    assert!(error.detail().contains('2'), "{error}");
    let largest = Verifier::builder(verifier.pack().clone())
        .stated_threshold(Score::new(0.235).unwrap())
        .face_choice(FaceChoice::Largest)
        .build()
        .unwrap();
    let outcome = largest.verify(frame(&right), frame(&group)).unwrap();
    assert!(outcome.decision.same);
    assert_eq!((outcome.probe.faces_found, outcome.probe.choice), (2, FaceChoice::Largest));
}

/// serengil/deepface 374: a constant embedding would pass every round trip.
#[test]
fn different_chips_give_different_embeddings() {
    let Some(verifier) = reference() else { return };
    let names = ["collins.jpg", "obama-smiling.jpg", "obama-standing.jpg", "biden.jpg"];
    let embeddings: Vec<Vec<f32>> = names.iter().map(|name| embedding(&verifier, &fixture(name))).collect();
    for (i, a) in embeddings.iter().enumerate() {
        for b in &embeddings[..i] {
            assert!(cosine(a, b) < 0.95);
        }
    }
}

/// The same of a hundred people and the pack that is built in: no two alike, and the whole sphere in use.
#[test]
fn a_hundred_people_differ() {
    let Some(folder) = shared("cfpfp") else { return };
    let verifier = Verifier::from_pack(Pack::embedded().unwrap()).unwrap();
    let files = (1..=500).map(|person| folder.join(format!("{person:03}/frontal/01.jpg"))).filter(|file| file.exists());
    let embed = |file| {
        let chip = Chip::from_aligned(Photo::open(file).unwrap().frame().to_upright_rgb()).unwrap();
        verifier.embed(&chip).unwrap().values().to_vec()
    };
    let embeddings: Vec<Vec<f32>> = files.take(100).map(embed).collect();
    assert_eq!(embeddings.len(), 100);
    for (i, a) in embeddings.iter().enumerate() {
        for b in &embeddings[..i] {
            assert!(cosine(a, b) < 0.95);
        }
    }
    // The variance of unit vectors is 1 less the square of their mean's length.
    let mean = (0..embeddings[0].len()).map(|at| embeddings.iter().map(|values| f64::from(values[at])).sum::<f64>() / 100.0);
    let variance = 1.0 - mean.map(|value| value * value).sum::<f64>();
    assert!(variance > 0.8, "{variance}");
}

/// FacePlusPlus/MegviiFacepp-iOS-SDK 38: a pack for a later SDK names both versions.
#[test]
fn a_pack_for_a_later_sdk_is_refused_with_both_versions() {
    let pack = tiny_pack();
    let mut manifest = pack.manifest().clone();
    manifest.min_sdk = Some("999.0.0".into());
    let error = Pack::new(manifest, pack.parts().to_vec()).unwrap_err();
    assert_eq!(error.code(), ErrorCode::PackNeedsNewerSdk);
    assert!(error.to_string().contains("999.0.0") && error.to_string().contains(env!("CARGO_PKG_VERSION")), "{error}");
}

/// HyperInspire/InspireFace 322: a pack that is missing, cut or altered is refused by file, and an altered one by both hashes.
#[test]
fn a_damaged_pack_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.vfpack");
    let refused = |words: &[&str]| {
        let error = Pack::open(&path, Trust::Unsigned).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("mine.vfpack") && words.iter().all(|word| text.contains(word)), "{text}");
        error.code()
    };
    assert_eq!(refused(&[]), ErrorCode::CannotRead);
    let bytes = tiny_pack().to_bytes().unwrap();
    std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(refused(&[]), ErrorCode::TruncatedPack);
    let mut altered = bytes.clone();
    altered[bytes.len() / 2] ^= 1;
    std::fs::write(&path, &altered).unwrap();
    assert_eq!(refused(&["expected SHA-256", "found"]), ErrorCode::AlteredPack);
}

/// kdr/overcast 33: a change of detector, alignment or preprocessing changes the vectors as much as a change of the recogniser.
#[test]
fn whatever_changes_embeddings_changes_the_model_id() {
    let pack = tiny_pack();
    let with = |change: &dyn Fn(&mut veriface::Manifest, &mut Vec<veriface::Part>)| {
        let (mut manifest, mut parts) = (pack.manifest().clone(), pack.parts().to_vec());
        change(&mut manifest, &mut parts);
        veriface::Pack::new(manifest, parts).unwrap().model_id()
    };
    let longer = |part: &mut veriface::Part| {
        let bytes = [&part.bytes().unwrap()[..], &[0]].concat();
        *part = veriface::Part::new(part.name.clone(), part.kind, bytes);
    };
    let mut ids = vec![
        pack.model_id(),
        with(&|_, parts| longer(&mut parts[0])),
        with(&|_, parts| longer(&mut parts[1])),
        with(&|manifest, _| manifest.recogniser.mirror = true),
        with(&|manifest, _| manifest.recogniser.input.mean[0] = 128.0),
        with(&|manifest, _| manifest.detector.input.colour = veriface::ColourOrder::Rgb),
    ];
    ids.sort_by_key(|id| id.hex());
    ids.dedup();
    assert_eq!(ids.len(), 6);
    assert_eq!(with(&|manifest, _| manifest.id = "renamed".into()), pack.model_id());
}

/// A pack that was made with the defaults of its day must not keep them for ever.
#[test]
fn a_pack_stores_only_the_policies_that_differ() {
    let mut manifest = tiny_pack().manifest().clone();
    manifest.quality = veriface::QualityPolicies::default();
    let json = |manifest: &veriface::Manifest| serde_json::from_slice::<serde_json::Value>(&manifest.to_json()).unwrap();
    assert!(json(&manifest).get("quality").is_none());
    manifest.quality.verify.max_yaw = 20.0;
    assert!(json(&manifest)["quality"].get("enrol").is_none());
    assert_eq!(json(&manifest)["quality"]["verify"]["max_yaw"], 20.0);
    assert_eq!(veriface::Manifest::from_json(&manifest.to_json()).unwrap(), manifest);
}

/// deepinsight/insightface 1838.
#[test]
fn a_template_of_another_model_is_refused() {
    let pack = tiny_pack();
    let verifier = |pack| {
        Verifier::builder(pack)
            .stated_threshold(Score::new(0.5).unwrap())
            .quality_policy(Purpose::Enrol, QualityPolicy::accept_all())
            .quality_policy(Purpose::Verify, QualityPolicy::accept_all())
    };
    let enrolled = verifier(pack.clone()).build().unwrap().enrol([&fixture("collins.jpg")]).unwrap().template;
    let other = verifier(pack.clone()).mirror_averaging(true).unwrap().build().unwrap();
    let error = other.verify_template(&enrolled, &fixture("collins.jpg")).unwrap_err();
    assert_eq!((error.code(), error.which()), (ErrorCode::ModelMismatch, Some(Which::Reference)));
    assert!(
        error.to_string().contains(&pack.model_id().to_string()) && error.to_string().contains(&other.model_id().to_string())
    );
}

/// serengil/deepface 401.
#[test]
fn an_uncalibrated_pack_decides_nothing() {
    let verifier = Verifier::from_pack(tiny_pack()).unwrap();
    let error = verifier.verify(&fixture("collins.jpg"), &fixture("collins.jpg")).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Uncalibrated);
}

/// openvinotoolkit/openvino 260: a device that computes something else says so.
#[test]
fn a_device_that_computes_something_else_fails_the_self_test() {
    let chip = Chip::from_aligned((0..Chip::BYTES).map(|i| (i * 7 % 251) as u8).collect::<Vec<u8>>()).unwrap();
    let tested = Verifier::from_pack(tiny_pack()).unwrap().finished_pack(&chip).unwrap();
    assert!(Verifier::from_pack(tested.clone()).is_ok());
    let mut parts = tested.parts().to_vec();
    let stated = parts.iter_mut().find(|part| part.name == "self-test-embedding").unwrap();
    let values: Vec<u8> = (0..16).flat_map(|i| (i as f32 - 3.0).to_le_bytes()).collect();
    *stated = veriface::Part::new(stated.name.clone(), stated.kind, values);
    let altered = veriface::Pack::new(tested.manifest().clone(), parts).unwrap();
    assert_eq!(Verifier::from_pack(altered).unwrap_err().code(), ErrorCode::SelfTestFailed);
}

/// tensorflow/flutter-tflite 168, ShiqiYu/libfacedetection 77.
#[test]
fn eight_threads_give_what_one_gives() {
    let verifier = Verifier::builder(tiny_pack()).quality_policy(Purpose::Verify, QualityPolicy::accept_all()).build().unwrap();
    let pictures: Vec<RgbImage> = ["collins.jpg", "obama-smiling.jpg", "biden.jpg"].map(rgb).into();
    let chips: Vec<Chip> =
        (0..3u8).map(|i| Chip::from_aligned(vec![60 * i + 40; Chip::BYTES]).unwrap()).chain([Chip::drawn_face()]).collect();
    let alone: Vec<_> = chips.iter().map(|chip| verifier.embed(chip).unwrap()).collect();
    let serial: Vec<Vec<f32>> = pictures.iter().map(|picture| embedding(&verifier, frame(picture))).collect();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            // One verifier, shared: what Send and Sync promise.
            let (verifier, pictures, serial, chips, alone) = (&verifier, &pictures, &serial, &chips, &alone);
            scope.spawn(move || {
                for round in 0..1000 {
                    let at = (thread + round) % chips.len();
                    assert_eq!(verifier.embed(&chips[at]).unwrap(), alone[at]);
                    if round % 10 == 0 {
                        let at = (thread + round) % pictures.len();
                        assert_eq!(embedding(verifier, frame(&pictures[at])), serial[at]);
                    }
                }
            });
        }
    });
}

/// opencv/opencv 22567: another detector's points are taken in the stated order or refused.
#[test]
fn landmarks_of_another_detector_are_taken_or_refused() {
    let Some(verifier) = reference() else { return };
    let photo = fixture("collins.jpg");
    let found = verifier.extract(&photo, Purpose::Verify).unwrap();
    let given = verifier.extract((&photo, found.face.landmarks), Purpose::Verify).unwrap();
    assert_eq!(given.embedding, found.embedding);
    // Nothing is detected: where there is no face either, quality is all that can be said.
    let grey = [128; 640 * 480];
    let nobody = Frame::gray8(&grey, 640, 480, 640).unwrap();
    assert_eq!(verifier.extract(nobody, Purpose::Verify).unwrap_err().code(), ErrorCode::NoFace);
    assert_eq!(verifier.extract((nobody, found.face.landmarks), Purpose::Verify).unwrap_err().code(), ErrorCode::PoorQuality);
    let mut session = VerifierSession::new(&verifier, Purpose::Verify).unwrap();
    let seen = session.frame((nobody, found.face.landmarks), Duration::ZERO).unwrap();
    assert!(matches!(seen.sighting, Sighting::Seen { face, .. } if face.landmarks == found.face.landmarks), "{seen:?}");
    let template = verifier.enrol([(&photo, found.face.landmarks)]).unwrap().template;
    assert_eq!(template.embedding(), &found.embedding);
    let [left, right, nose, mouth_left, mouth_right] = *found.face.landmarks.points();
    let refused = |points: [Point; 5]| Landmarks::new(points).unwrap_err().code();
    assert_eq!(refused([right, left, nose, mouth_left, mouth_right]), ErrorCode::InvalidLandmarks);
    assert_eq!(refused([right, left, nose, mouth_right, mouth_left]), ErrorCode::InvalidLandmarks);
}

/// A person who holds still before the camera is guided to "good", and decided on; another person is not taken for them.
#[test]
fn a_session_before_a_camera_decides() {
    let Some(verifier) = reference() else { return };
    let enrolled = verifier.enrol([&fixture("obama-smiling.jpg"), &fixture("obama-standing.jpg")]).unwrap().template;
    let decide = |name: &str| {
        let picture = rgb(name);
        let mut session = VerifierSession::new(&verifier, Purpose::Verify).unwrap();
        assert_eq!(session.decide(&enrolled).unwrap_err().code(), ErrorCode::NoFace);
        let mut ready_after = None;
        for number in 0..60u32 {
            let progress = session.frame(frame(&picture), Duration::from_millis(33) * number).unwrap();
            if progress.ready {
                assert_eq!(progress.guidance, Guidance::Good, "{name}");
                ready_after = Some(number);
                break;
            }
        }
        assert!(ready_after.is_some_and(|frames| frames >= 3), "{name}: {ready_after:?}");
        session.decide(&enrolled).unwrap().same
    };
    assert!(decide("obama-smiling.jpg"));
    assert!(!decide("collins.jpg"));
}

/// An empty room guides to nobody, and decides nothing.
#[test]
fn a_session_without_a_face_says_so() {
    let Some(verifier) = reference() else { return };
    let grey = RgbImage::from_pixel(320, 240, image::Rgb([120, 120, 120]));
    let mut session = VerifierSession::new(&verifier, Purpose::Verify).unwrap();
    for number in 0..5u32 {
        let progress = session.frame(frame(&grey), Duration::from_millis(33) * number).unwrap();
        assert_eq!((progress.guidance, progress.ready), (Guidance::NoFace, false));
    }
    assert_eq!(session.enrol().unwrap_err().code(), ErrorCode::NothingToEnrol);
}
