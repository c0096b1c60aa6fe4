//! Faces of every size and lean, at every place, on the public-domain portraits and the reference models.

use image::{Rgb, RgbImage, imageops};
use veriface::{
    FaceChoice, Frame, Landmarks, Photo, Point, Purpose, QualityPolicy, Reason, Score, Search, Verifier, VerifierBuilder,
};
use veriface_tests::{fixture, reference_pack, shared};

const PACKS: [&str; 2] = ["edgeface-scrfd", "edgeface-yunet"];

fn builders() -> impl Iterator<Item = (&'static str, VerifierBuilder)> {
    let builder = |name| Some((name, Verifier::builder(reference_pack(name)?).stated_threshold(Score::new(0.235).unwrap())));
    PACKS.into_iter().filter_map(builder)
}

fn rgb(photo: &Photo) -> RgbImage {
    let frame = photo.frame();
    RgbImage::from_raw(frame.width(), frame.height(), frame.to_upright_rgb()).unwrap()
}

fn frame(picture: &RgbImage) -> Frame<'_> {
    Frame::rgb8(picture, picture.width(), picture.height(), picture.width() as usize * 3).unwrap()
}

/// The head of Eileen Collins without much around it, and where its face lies in it: 116 pixels high.
fn head() -> (RgbImage, [Point; 5]) {
    let crop = imageops::crop_imm(&rgb(&fixture("collins.jpg")), 135, 20, 180, 190).to_image();
    // SCRFD-2.5G at 640, in onnxruntime.
    let points = [(204.3, 100.6), (247.4, 103.0), (223.5, 128.4), (200.8, 138.2), (246.7, 140.3)];
    (crop, points.map(|(x, y)| Point::new(x - 135.0, y - 20.0)))
}

const FACE_HEIGHT: f32 = 116.0;

/// A picture of soft waves with the head in it: the face `height` pixels high, its centre at `(x, y)`, turned clockwise by `degrees`.
fn scene(width: u32, height: u32, face_height: f32, (x, y): (f32, f32), degrees: f32) -> (RgbImage, [Point; 5]) {
    let (head, points) = head();
    let scale = face_height / FACE_HEIGHT;
    let (sin, cos) = degrees.to_radians().sin_cos();
    let centre = Point::new(90.0, 100.0);
    let there = |p: Point| {
        let (dx, dy) = (scale * (p.x - centre.x), scale * (p.y - centre.y));
        Point::new(x + cos * dx - sin * dy, y + sin * dx + cos * dy)
    };
    // Shrinking reads means, as a camera does; the rest is bilinear.
    let shrunk = scale < 0.75;
    let source = if shrunk {
        imageops::resize(&head, (180.0 * scale) as u32, (190.0 * scale) as u32, imageops::FilterType::Triangle)
    } else {
        head
    };
    let (step_x, step_y) = (source.width() as f32 / 180.0, source.height() as f32 / 190.0);
    let mut picture = RgbImage::from_fn(width, height, |px, py| {
        let wave = |length: f32| ((px as f32 / length).sin() + (py as f32 / (0.7 * length)).cos()) * 20.0;
        Rgb([(110.0 + wave(41.0)) as u8, (120.0 + wave(67.0)) as u8, (115.0 + wave(29.0)) as u8])
    });
    let reach = (150.0 * scale).ceil() as i64;
    let range = |middle: f32, side: u32| (middle as i64 - reach).max(0) as u32..((middle as i64 + reach).max(0) as u32).min(side);
    for py in range(y, height) {
        for px in range(x, width) {
            let (dx, dy) = ((px as f32 - x) / scale, (py as f32 - y) / scale);
            let (sx, sy) = (centre.x + cos * dx + sin * dy, centre.y - sin * dx + cos * dy);
            let (sx, sy) = ((sx + 0.5) * step_x - 0.5, (sy + 0.5) * step_y - 0.5);
            if let Some(pixel) = imageops::interpolate_bilinear(&source, sx, sy) {
                picture.put_pixel(px, py, pixel);
            }
        }
    }
    (picture, points.map(there))
}

/// How far the points lie from those expected, as a part of the distance from eyes to mouth.
fn off(found: &Landmarks, expected: &[Point; 5]) -> f32 {
    let unit = expected[0].midpoint(expected[1]).distance(expected[3].midpoint(expected[4]));
    found.points().iter().zip(expected).map(|(a, b)| a.distance(*b)).sum::<f32>() / 5.0 / unit
}

/// The pictures that a detector does not find the one face of, or not where it is.
fn misses(verifier: &Verifier, scenes: &[(String, RgbImage, [Point; 5])]) -> Vec<String> {
    let miss = |(name, picture, expected): &(String, RgbImage, [Point; 5])| match &verifier.detect(frame(picture)).unwrap()[..] {
        [face] if off(&face.landmarks, expected) < 0.2 => None,
        [face] => Some(format!("{name}: points off by {:.2}", off(&face.landmarks, expected))),
        faces => Some(format!("{name}: {} faces", faces.len())),
    };
    scenes.iter().filter_map(miss).collect()
}

/// opencv/opencv_zoo 31: a face was missed because it was too large.
#[test]
fn a_face_of_any_size_is_found_in_a_picture_of_any_size() {
    let cases = [
        (100, 100, 40.0),
        (100, 100, 90.0),
        (160, 120, 180.0),
        (640, 480, 40.0),
        (640, 480, 200.0),
        (640, 480, 700.0),
        (1920, 1080, 40.0),
        (1920, 1080, 150.0),
        (1920, 1080, 1000.0),
        (4000, 3000, 300.0),
        (4000, 3000, 3000.0),
        (4000, 3000, 4200.0),
    ];
    let scenes: Vec<_> = cases
        .iter()
        .map(|&(width, height, face): &(u32, u32, f32)| {
            // Off the middle as far as the face leaves room.
            let place = |side: u32| side as f32 / 2.0 + 0.6 * (side as f32 / 2.0 - 0.75 * face).max(0.0);
            let (picture, points) = scene(width, height, face, (place(width), place(height)), 0.0);
            (format!("{face} in {width} × {height}"), picture, points)
        })
        .collect();
    for (name, builder) in builders() {
        let missed = misses(&builder.build().unwrap(), &scenes);
        assert!(missed.is_empty(), "{name}: {missed:?}");
    }
}

#[test]
fn a_head_that_leans_is_found_and_its_points_lean_with_it() {
    let mut scenes = Vec::new();
    for (width, height, face) in [(640, 480, 60.0), (640, 480, 130.0), (640, 480, 300.0), (1920, 1080, 200.0)] {
        for degrees in [-45, -30, -15, 0, 15, 30, 45] {
            let (picture, points) = scene(width, height, face, (width as f32 * 0.45, height as f32 * 0.5), degrees as f32);
            scenes.push((format!("{face} in {width} × {height} at {degrees}°"), picture, points));
        }
    }
    for (name, builder) in builders() {
        let missed = misses(&builder.build().unwrap(), &scenes);
        assert!(missed.is_empty(), "{name}: {missed:?}");
    }
}

/// Small faces beside a large one are left to the search for every face.
#[test]
fn the_search_says_which_faces_are_found() {
    let (mut picture, large) = scene(1600, 1000, 500.0, (500.0, 500.0), 0.0);
    let (small, _) = scene(200, 200, 45.0, (100.0, 100.0), 0.0);
    imageops::replace(&mut picture, &small, 1300, 700);
    for (name, builder) in builders() {
        let pack = builder.build().unwrap().pack().clone();
        let faces = |search| Verifier::builder(pack.clone()).search(search).build().unwrap().detect(frame(&picture)).unwrap();
        for search in [Search::nearest(), Search::glance()] {
            let [face] = faces(search)[..] else { panic!("{name} {search:?}") };
            assert!(off(&face.landmarks, &large) < 0.2);
        }
        assert_eq!(faces(Search::every_face()).len(), 2, "{name}");
    }
}

/// serengil/deepface 209: a face at the border gave a crop without width. It gives a whole chip here, and a reason.
#[test]
fn a_face_cut_by_any_border_is_aligned_and_said_to_be_cut() {
    let (head, _) = head();
    let (width, height) = head.dimensions();
    // The face's box in it is 45…136 by 36…158: 40 % of it go.
    let cuts = [
        ("left", imageops::crop_imm(&head, 81, 0, width - 81, height).to_image()),
        ("right", imageops::crop_imm(&head, 0, 0, 100, height).to_image()),
        ("top", imageops::crop_imm(&head, 0, 85, width, height - 85).to_image()),
        ("bottom", imageops::crop_imm(&head, 0, 0, width, 110).to_image()),
    ];
    for (name, builder) in builders() {
        let verifier = builder.face_choice(FaceChoice::Largest).build().unwrap();
        for (side, picture) in &cuts {
            let faces = verifier.detect(frame(picture)).unwrap();
            let face = faces.first().unwrap_or_else(|| panic!("{name}: nobody without the {side}"));
            let chip = verifier.align(frame(picture), &face.landmarks).unwrap();
            assert_eq!(chip.rgb().len(), 112 * 112 * 3);
            let quality = verifier.quality(frame(picture), face).unwrap();
            assert!(QualityPolicy::enrol().check(&quality).contains(&Reason::CutByFrame), "{name}, {side}: {quality}");
        }
    }
}

#[test]
fn rooms_without_people_have_no_face() {
    let Some(folder) = shared("photos/valid") else { return };
    let mut scenes: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    scenes.retain(|path| path.file_name().unwrap().to_string_lossy().starts_with("scenes_"));
    scenes.sort();
    assert!(scenes.len() >= 10);
    for (name, builder) in builders() {
        let pack = builder.build().unwrap().pack().clone();
        let verifier = Verifier::builder(pack).search(Search::every_face()).build().unwrap();
        for path in &scenes[..10] {
            let faces = verifier.detect(&Photo::open(path).unwrap()).unwrap();
            assert!(faces.is_empty(), "{name}: {} {faces:?}", path.display());
        }
    }
}

/// vladmandic/human 492: side faces made false matches.
#[test]
fn profiles_are_told_from_frontal_faces() {
    let Some(folder) = shared("cfpfp") else { return };
    for (name, builder) in builders() {
        let verifier = builder.face_choice(FaceChoice::Largest).quality_policy(Purpose::Verify, QualityPolicy::accept_all());
        let verifier = verifier.build().unwrap();
        let yaws = |kind: &str| -> Vec<f32> {
            let files = (10..400).step_by(10).map(|person| folder.join(format!("{person:03}/{kind}/01.jpg")));
            let photos = files.filter(|file| file.exists()).map(|file| Photo::open(file).unwrap());
            photos.filter_map(|photo| Some(verifier.extract(&photo, Purpose::Verify).ok()?.quality.pose.yaw.abs())).collect()
        };
        let (frontal, profile) = (yaws("frontal"), yaws("profile"));
        assert!(frontal.len() >= 30 && profile.len() >= 30, "{name}: {} {}", frontal.len(), profile.len());
        let refused = |yaws: &[f32]| yaws.iter().filter(|yaw| **yaw > QualityPolicy::enrol().max_yaw).count();
        assert!(refused(&frontal) == 0, "{name}: {frontal:?}");
        assert!(refused(&profile) * 5 >= profile.len() * 4, "{name}: {profile:?}");
    }
}
