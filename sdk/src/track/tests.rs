//! A track before a stage: a camera of 30 frames a second and whoever stands before it.

use proptest::prelude::*;

use super::*;
use crate::embed::ModelId;
use crate::face::{DetectionScore, Landmarks};
use crate::quality::{Pose, QualityPolicy};

const SIZE: (u32, u32) = (640, 480);

/// An upright face around `x`, `y` whose eyes are `eyes` pixels apart: the proportions of the ArcFace template.
fn face(x: f32, y: f32, eyes: f32) -> Face {
    let points = [(-0.5, -0.5), (0.5, -0.5), (0.0, 0.08), (-0.41, 0.66), (0.42, 0.66)];
    let points = points.map(|(dx, dy)| Point::new(x + eyes * dx, y + eyes * dy));
    Face {
        bounding_box: Rect::new(x - 1.1 * eyes, y - 1.4 * eyes, x + 1.1 * eyes, y + 1.4 * eyes),
        landmarks: Landmarks::new(points).unwrap(),
        score: DetectionScore(0.9),
    }
}

fn quality(face: &Face) -> Quality {
    Quality {
        eye_distance: face.landmarks.eye_distance(),
        sharpness: 0.2,
        exposure: 120.0,
        dynamic_range: 120.0,
        pose: Pose { yaw: 0.0, pitch: 0.0, roll: 0.0 },
        cut_off: 0.0,
        faces: 1,
        detection_score: face.score,
    }
}

fn person(direction: usize, noise: f32) -> Embedding {
    let mut values = vec![noise; 8];
    values[direction] = 1.0;
    Embedding::from_raw(ModelId::from_bytes([1; 32]), values).unwrap()
}

/// A camera of 30 frames a second and whoever stands before it.
struct Stage {
    track: Track,
    frame: u64,
    looks: usize,
}

impl Stage {
    fn new(policy: TrackPolicy) -> Stage {
        Stage { track: Track::new(policy).unwrap(), frame: 0, looks: 0 }
    }

    /// One frame with these faces in it, of which the detector finds those where the track looks.
    fn show(&mut self, faces: &[Face]) -> Sighting {
        self.frame += 1;
        let at = Duration::from_secs_f64(self.frame as f64 / 30.0);
        let look = self.track.look();
        self.looks += usize::from(look != Look::Nowhere);
        let inside =
            |region: Rect| faces.iter().copied().filter(|f| region.intersection(&f.bounding_box) == f.bounding_box).collect();
        let seen: Vec<Face> = match look {
            Look::Region(region) => inside(region),
            _ => faces.to_vec(),
        };
        let found = match look {
            Look::Whole => Found::Everywhere(&seen),
            Look::Region(_) => Found::InRegion(&seen),
            Look::Nowhere => Found::NotLooked,
        };
        self.track.follow(at, SIZE.0, SIZE.1, found)
    }

    /// The whole of a frame: follow, measure, judge, embed as `who`.
    fn step(&mut self, faces: &[Face], who: &Embedding, change: impl Fn(&mut Quality)) -> Option<f32> {
        let Sighting::Seen { face, .. } = self.show(faces) else { return None };
        let mut quality = quality(&face);
        change(&mut quality);
        let best = self.track.judge(&quality, &QualityPolicy::enrol().check(&quality))?;
        let fitness = best.fitness;
        self.track.keep(best, who.clone()).unwrap();
        Some(fitness)
    }

    fn run(&mut self, frames: usize, faces: &[Face], who: &Embedding, change: impl Fn(&mut Quality) + Copy) {
        for _ in 0..frames {
            self.step(faces, who, change);
        }
    }
}

fn same(_: &mut Quality) {}

#[test]
fn a_steady_face_is_good_ready_and_rarely_looked_for() {
    let mut stage = Stage::new(TrackPolicy::default());
    assert_eq!(stage.track.guidance(), Guidance::NoFace);
    stage.run(90, &[face(320.0, 240.0, 60.0)], &person(0, 0.0), same);
    assert_eq!(stage.track.guidance(), Guidance::Good);
    assert!(stage.track.is_ready());
    // Three seconds: the first frames, then every third.
    assert!(stage.looks <= 33, "{} looks at 90 frames", stage.looks);
    assert_eq!(stage.track.score(&person(0, 0.0)).unwrap().get(), 1.0);
    assert_eq!(stage.track.embeddings().len(), 3);
}

#[test]
fn each_fault_has_its_word() {
    type Fault = (Guidance, Face, fn(&mut Quality));
    let middle = face(320.0, 240.0, 60.0);
    let faults: [Fault; 10] = [
        (Guidance::MoveBack, face(320.0, 240.0, 170.0), same),
        (Guidance::MoveCloser, face(320.0, 240.0, 20.0), same),
        (Guidance::CentreFace, face(100.0, 240.0, 60.0), same),
        (Guidance::CentreFace, middle, |q| q.cut_off = 0.3),
        (Guidance::LookStraight, middle, |q| q.pose.yaw = -40.0),
        (Guidance::LookStraight, middle, |q| q.pose.pitch = 45.0),
        (Guidance::LookStraight, middle, |q| q.pose.roll = 80.0),
        (Guidance::MoreLight, middle, |q| q.exposure = 5.0),
        (Guidance::LessLight, middle, |q| q.exposure = 240.0),
        (Guidance::UncoverFace, middle, |q| q.detection_score = DetectionScore(0.3)),
    ];
    for (guidance, face, change) in faults {
        let mut stage = Stage::new(TrackPolicy::default());
        stage.run(30, &[face], &person(0, 0.0), change);
        assert_eq!(stage.track.guidance(), guidance);
        let error = stage.track.score(&person(0, 0.0)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::PoorQuality, "{guidance:?} keeps no frame");
    }
    assert!(Guidance::ALL.iter().all(|guidance| guidance.sentence().ends_with('.')));
    for guidance in Guidance::ALL {
        assert_eq!(serde_json::to_value(guidance).unwrap(), guidance.name());
    }
}

#[test]
fn nobody_is_nobody() {
    let mut stage = Stage::new(TrackPolicy::default());
    for _ in 0..30 {
        assert_eq!(stage.show(&[]), Sighting::Nobody);
        assert_eq!(stage.track.look(), Look::Whole);
    }
    assert_eq!(stage.track.guidance(), Guidance::NoFace);
    assert_eq!(stage.track.score(&person(0, 0.0)).unwrap_err().code(), ErrorCode::NoFace);
    assert!(stage.track.judge(&quality(&face(0.0, 0.0, 60.0)), &[]).is_none());
}

#[test]
fn a_moving_face_is_followed_and_asked_to_hold_still() {
    let mut stage = Stage::new(TrackPolicy::default());
    for frame in 0..40 {
        // Four pixels a frame are two distances between the eyes a second.
        let sighting = stage.step(&[face(240.0 + 4.0 * frame as f32, 240.0, 60.0)], &person(0, 0.0), same);
        assert!(frame < 10 || sighting.is_none(), "frame {frame}");
    }
    assert_eq!(stage.track.guidance(), Guidance::HoldStill);
    // It was never taken for someone else: it is expected where it goes on.
    let at = match stage.show(&[face(400.0, 240.0, 60.0)]) {
        Sighting::Seen { smooth, .. } | Sighting::Expected(smooth) => smooth.bounding_box.center().x,
        Sighting::Nobody => panic!("lost"),
    };
    assert!((at - 400.0).abs() < 8.0, "{at}");
}

#[test]
fn advice_that_does_not_hold_is_not_shown() {
    let mut stage = Stage::new(TrackPolicy::default());
    let faces = [face(320.0, 240.0, 60.0)];
    stage.run(30, &faces, &person(0, 0.0), same);
    // A blink of darkness, three frames of thirty a second.
    stage.run(3, &faces, &person(0, 0.0), |q| q.exposure = 5.0);
    assert_eq!(stage.track.guidance(), Guidance::Good);
    stage.run(30, &faces, &person(0, 0.0), |q| q.exposure = 5.0);
    assert_eq!(stage.track.guidance(), Guidance::MoreLight);
}

#[test]
fn a_second_person_near_is_in_the_way_and_one_far_off_is_not() {
    let (near, far) = (face(150.0, 240.0, 40.0), face(560.0, 100.0, 20.0));
    let mut stage = Stage::new(TrackPolicy::default());
    stage.run(40, &[face(320.0, 240.0, 60.0), far], &person(0, 0.0), same);
    assert_eq!(stage.track.guidance(), Guidance::Good);
    stage.run(40, &[face(320.0, 240.0, 60.0), near, far], &person(0, 0.0), same);
    assert_eq!(stage.track.guidance(), Guidance::OnePersonOnly);
    stage.run(40, &[face(320.0, 240.0, 60.0), far], &person(0, 0.0), same);
    assert_eq!(stage.track.guidance(), Guidance::Good);
}

#[test]
fn a_new_track_follows_the_large_face_in_the_middle_and_stays_with_it() {
    let (mine, other) = (face(300.0, 240.0, 50.0), face(560.0, 240.0, 52.0));
    let mut stage = Stage::new(TrackPolicy::default());
    for _ in 0..40 {
        match stage.show(&[other, mine]) {
            Sighting::Seen { face, .. } | Sighting::Expected(face) => {
                assert!(face.bounding_box.center().distance(mine.bounding_box.center()) < 1.0)
            }
            Sighting::Nobody => panic!("lost"),
        }
    }
}

#[test]
fn a_short_gap_keeps_the_frames_and_a_long_one_forgets_them() {
    let faces = [face(320.0, 240.0, 60.0)];
    let mut stage = Stage::new(TrackPolicy::default());
    stage.run(30, &faces, &person(0, 0.0), same);
    stage.run(8, &[], &person(0, 0.0), same);
    assert!(stage.track.is_ready());
    stage.run(3, &faces, &person(0, 0.0), same);
    assert!(stage.track.is_ready());
    stage.run(20, &[], &person(0, 0.0), same);
    assert_eq!(stage.track.score(&person(0, 0.0)).unwrap_err().code(), ErrorCode::NoFace);
    assert_eq!(stage.track.guidance(), Guidance::NoFace);
    assert_eq!(stage.track.look(), Look::Whole);
}

#[test]
fn frames_of_two_people_are_never_mixed() {
    let faces = [face(320.0, 240.0, 60.0)];
    // Someone takes the place between two frames: the box goes on, the embedding does not.
    let mut stage = Stage::new(TrackPolicy { frames: 5, ..TrackPolicy::default() });
    stage.run(10, &faces, &person(0, 0.01), same);
    assert!(!stage.track.embeddings().is_empty() && !stage.track.is_ready());
    stage.run(60, &faces, &person(3, 0.01), same);
    assert!(stage.track.is_ready());
    assert!(stage.track.score(&person(0, 0.01)).unwrap().get() < 0.2);
    assert!(stage.track.score(&person(3, 0.01)).unwrap().get() > 0.99);
    // A frame that was judged before a new track began is not kept in it.
    let late = stage.track.judge(&Quality { sharpness: 9.0, ..quality(&faces[0]) }, &[]);
    stage.track.reset();
    if let Some(late) = late {
        stage.track.keep(late, person(0, 0.0)).unwrap();
    }
    assert!(stage.track.embeddings().is_empty());
}

#[test]
fn another_camera_begins_anew() {
    let mut stage = Stage::new(TrackPolicy::default());
    stage.run(30, &[face(320.0, 240.0, 60.0)], &person(0, 0.0), same);
    let sighting = stage.track.follow(Duration::from_secs(2), 480, 640, Found::Everywhere(&[]));
    assert_eq!((sighting, stage.track.embeddings().len()), (Sighting::Nobody, 0));
}

#[test]
fn the_best_frames_are_kept() {
    let mut stage = Stage::new(TrackPolicy { look_every: 1, ..TrackPolicy::default() });
    let faces = [face(320.0, 240.0, 60.0)];
    stage.run(30, &faces, &person(0, 0.3), |q| q.sharpness = 0.2);
    assert!(stage.track.is_ready());
    stage.run(30, &faces, &person(0, 0.0), |q| q.sharpness = 1.0);
    assert_eq!(stage.track.embeddings(), vec![&person(0, 0.0); 3]);
    // Once the best are kept, frames as good as they are not embedded again.
    let before = stage.track.clone();
    stage.run(30, &faces, &person(0, 0.2), |q| q.sharpness = 1.0);
    assert_eq!(stage.track.embeddings(), before.embeddings());
}

#[test]
fn the_score_is_the_mean_of_the_frames_and_not_the_best() {
    let mut stage = Stage::new(TrackPolicy { look_every: 1, same_person: -1.0, ..TrackPolicy::default() });
    let faces = [face(320.0, 240.0, 60.0)];
    let people = [person(0, 0.0), person(1, 0.0), person(2, 0.0)];
    let mut turn = 0;
    for _ in 0..30 {
        turn += usize::from(stage.step(&faces, &people[turn % 3], same).is_some());
    }
    assert_eq!(turn, 3);
    assert!((stage.track.score(&people[1]).unwrap().get() - 1.0 / 3.0).abs() < 1e-6);
    let other = Embedding::from_raw(ModelId::from_bytes([2; 32]), vec![1.0; 8]).unwrap();
    assert_eq!(stage.track.score(&other).unwrap_err().code(), ErrorCode::ModelMismatch);
}

#[test]
fn smoothing_halves_the_noise_of_a_face_that_holds_still() {
    let mut noise = 1u64;
    let mut next = || {
        noise = noise.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (noise >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let mut stage = Stage::new(TrackPolicy { look_every: 1, ..TrackPolicy::default() });
    let (mut raw, mut smoothed) = (0.0, 0.0);
    for frame in 0..300 {
        let shaken = face(320.0 + next(), 240.0 + next(), 60.0);
        let Sighting::Seen { face: seen, smooth } = stage.show(&[shaken]) else { panic!("lost") };
        if frame > 20 {
            let off = |face: &Face| (face.landmarks.points()[2].x - 320.0).powi(2);
            (raw, smoothed) = (raw + off(&seen), smoothed + off(&smooth));
        }
    }
    // The variance of the position of an alpha-beta filter in noise (Benedict and Bordner): (2α² + 2β − 3αβ) / (α (4 − 2α − β)).
    let (a, b) = (Motion::ALPHA, Motion::BETA);
    let expected = (2.0 * a * a + 2.0 * b - 3.0 * a * b) / (a * (4.0 - 2.0 * a - b));
    assert!((smoothed / raw - expected).abs() < 0.1, "{} {expected}", smoothed / raw);
}

#[test]
fn a_policy_that_cannot_be_followed_is_refused() {
    let wrong = [
        TrackPolicy { frames: 0, ..TrackPolicy::default() },
        TrackPolicy { frames: 17, ..TrackPolicy::default() },
        TrackPolicy { look_every: 0, ..TrackPolicy::default() },
        TrackPolicy { look_everywhere_every: 0, ..TrackPolicy::default() },
        TrackPolicy { max_speed: f32::NAN, ..TrackPolicy::default() },
    ];
    for policy in wrong {
        assert_eq!(Track::new(policy).unwrap_err().code(), ErrorCode::InvalidArgument);
    }
    let json = serde_json::to_string(&TrackPolicy::default()).unwrap();
    assert_eq!(serde_json::from_str::<TrackPolicy>(&json).unwrap(), TrackPolicy::default());
}

proptest! {
    #[test]
    fn any_stream_is_survived(
        steps in proptest::collection::vec(
            (0u64..5000, 0u8..3, proptest::collection::vec((-2000f32..2000.0, -2000f32..2000.0, 2f32..900.0), 0..4), 0usize..8),
            0..60,
        ),
        back in 0u64..10_000,
    ) {
        let mut track = Track::new(TrackPolicy::default()).unwrap();
        let mut now = back;
        for (passed, kind, faces, who) in steps {
            now += passed;
            let at = Duration::from_millis(if passed % 7 == 0 { now.saturating_sub(back) } else { now });
            let faces: Vec<Face> = faces.into_iter().map(|(x, y, eyes)| face(x, y, eyes)).collect();
            let found = match kind {
                0 => Found::Everywhere(&faces),
                1 => Found::InRegion(&faces),
                _ => Found::NotLooked,
            };
            if let Look::Region(region) = track.look() {
                prop_assert!(region.left >= -0.5 && region.right <= SIZE.0 as f32 && region.area() >= 1.0);
            }
            if let Sighting::Seen { face, smooth } = track.follow(at, SIZE.0, SIZE.1, found) {
                prop_assert!(faces.contains(&face));
                prop_assert!(smooth.bounding_box.left.is_finite());
                if let Some(best) = track.judge(&quality(&face), &[]) {
                    track.keep(best, person(who, 0.05)).unwrap();
                }
            }
            prop_assert!(track.embeddings().len() <= 3);
            // Whoever is kept, they are one person.
            let kept = track.embeddings();
            prop_assert!(kept.iter().all(|one| one.compare(kept[0]).unwrap().get() > 0.9));
        }
    }
}
