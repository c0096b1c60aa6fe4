//! Is this face fit to decide on? Numbers, and reasons with a sentence for the person.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::align::{AlignmentTemplate, Chip};
use crate::face::{DetectionScore, Face, Landmarks};
use crate::frame::Frame;
use crate::geometry::{Point, Rect};

/// How a head is turned, in degrees, estimated from five points.
///
/// The estimate is the weak-perspective fit of a mean face (see [`Pose::of`]). It is meant for gates: a few degrees of it are the
/// detector's noise and the difference between this face and the mean one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pose {
    /// Turned to the side: positive towards the picture's right, ±90 in profile.
    pub yaw: f32,
    /// Tilted: positive up.
    pub pitch: f32,
    /// Leaning, in the picture's plane: positive clockwise as seen.
    pub roll: f32,
}

/// The mean face: MediaPipe's canonical face model (google-ai-edge/mediapipe, `canonical_face_model.obj`), in centimetres, with x to
/// the picture's right, y down, z away from the camera. Eyes are the middles of their corners (vertices 33 and 133), the nose tip is
/// vertex 1, the mouth corner vertex 61; the other side is the mirror image.
const MEAN_FACE: [[f64; 3]; 5] = [
    [-3.151_146, -2.624_618, -3.465_663],
    [3.151_146, -2.624_618, -3.465_663],
    [0.0, 1.126_865, -7.475_604],
    [-2.456_206, 4.342_621, -4.283_884],
    [2.456_206, 4.342_621, -4.283_884],
];

impl Pose {
    /// Fits the mean face to the points by an affine camera, by least squares, and takes the rotation nearest to it: the first step
    /// of POS (DeMenthon and Davis, "Model-based object pose in 25 lines of code", 1995). Exact for a face of the mean shape seen
    /// without perspective. Roll is the direction of the head's vertical axis, so that it stays defined in profile.
    pub fn of(landmarks: &Landmarks) -> Pose {
        let points = landmarks.points().map(|p| [f64::from(p.x), f64::from(p.y)]);
        let (model, seen) = (centred(&MEAN_FACE), centred(&points));
        // Normal equations. x is uncorrelated with y and z, the model being its own mirror image.
        let sum = |term: &dyn Fn(usize) -> f64| (0..5).map(term).sum::<f64>();
        let xx = sum(&|i| model[i][0] * model[i][0]);
        let [yy, yz, zz] = [(1, 1), (1, 2), (2, 2)].map(|(j, k)| sum(&|i| model[i][j] * model[i][k]));
        let det = yy * zz - yz * yz;
        let rows = [0, 1].map(|row| {
            let [x, y, z] = [0, 1, 2].map(|j| sum(&|i| model[i][j] * seen[i][row]));
            [x / xx, (zz * y - yz * z) / det, (yy * z - yz * y) / det]
        });
        // The nearest pair of orthogonal rows of one length is (M Mᵀ)^(−1/2) M, and a 2×2 root has a closed form. Scale drops out.
        let dot = |a: [f64; 3], b: [f64; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
        let [p, q, r] = [dot(rows[0], rows[0]), dot(rows[0], rows[1]), dot(rows[1], rows[1])];
        let root = (p * r - q * q).max(0.0).sqrt();
        let along = |own: f64, own_row: [f64; 3], other_row: [f64; 3]| {
            let v = [0, 1, 2].map(|j| (own + root) * own_row[j] - q * other_row[j]);
            let length = dot(v, v).sqrt();
            v.map(|x| if length > 0.0 { x / length } else { 0.0 })
        };
        let (r1, r2) = (along(r, rows[0], rows[1]), along(p, rows[1], rows[0]));
        let r3 = [r1[1] * r2[2] - r1[2] * r2[1], r1[2] * r2[0] - r1[0] * r2[2], r1[0] * r2[1] - r1[1] * r2[0]];
        let degrees = |radians: f64| radians.to_degrees() as f32;
        Pose {
            yaw: degrees(r3[0].atan2(r3[2])),
            pitch: degrees(-r3[1].clamp(-1.0, 1.0).asin()),
            roll: degrees((-r1[1]).atan2(r2[1])),
        }
    }
}

fn centred<const D: usize>(points: &[[f64; D]; 5]) -> [[f64; D]; 5] {
    let mean: [f64; D] = std::array::from_fn(|j| points.iter().map(|p| p[j]).sum::<f64>() / 5.0);
    points.map(|p| std::array::from_fn(|j| p[j] - mean[j]))
}

/// How fit a face is to decide on, in numbers. [`QualityPolicy::check`] turns them into reasons.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// The distance between the eyes, in pixels of the frame.
    pub eye_distance: f32,
    /// How much of its finest detail the face holds: about 0.45 for a crisp portrait, 0.2 when it is blurred by one pixel of the chip or
    /// enlarged from eyes 16 pixels apart, 0.11 when blurred by two pixels, 0.08 for a smear. Light and contrast do not change it.
    pub sharpness: f32,
    /// The mean brightness of the face, 0…255.
    pub exposure: f32,
    /// The 95th less the 5th percentile of the face's brightness, 0…255.
    pub dynamic_range: f32,
    /// How the head is turned.
    pub pose: Pose,
    /// The part of the face's box that lies outside the frame, 0…1. Detectors guess about half of what they cannot see, so that a face
    /// cut by a third gives about 0.15.
    pub cut_off: f32,
    /// How many faces the picture shows.
    pub faces: usize,
    /// How sure the detector is that this is a face.
    pub detection_score: DetectionScore,
}

/// The part of the chip that shows the face whatever the hair and the background: columns and rows.
const FACE_COLUMNS: std::ops::Range<usize> = 24..88;
const FACE_ROWS: std::ops::Range<usize> = 36..100;

impl Quality {
    /// Measures a face and its chip. `faces` is 1; say otherwise with [`Quality::among`].
    ///
    /// Brightness is BT.601 luma over columns 24…87 and rows 36…99 of the chip, what lies outside the frame left out.
    pub fn measure(frame: &Frame<'_>, face: &Face, chip: &Chip) -> Quality {
        let luma = face_luma(frame, &face.landmarks, chip);
        let mut values: Vec<f32> = luma.values.iter().flatten().copied().collect();
        values.sort_by(f32::total_cmp);
        let percentile = |part: f32| values.get((part * values.len() as f32) as usize).copied().unwrap_or(0.0);
        let count = values.len().max(1) as f32;
        Quality {
            eye_distance: face.landmarks.eye_distance(),
            sharpness: sharpness(&luma),
            exposure: values.iter().sum::<f32>() / count,
            dynamic_range: percentile(0.95) - percentile(0.05),
            pose: Pose::of(&face.landmarks),
            cut_off: cut_off(frame, &face.bounding_box),
            faces: 1,
            detection_score: face.score,
        }
    }

    /// The same, of a picture that shows this many faces.
    pub fn among(mut self, faces: usize) -> Quality {
        self.faces = faces;
        self
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "eyes {:.0} px apart, sharpness {:.3}, exposure {:.0}, range {:.0}, yaw {:+.0}°, pitch {:+.0}°, roll {:+.0}°, {:.0} % cut off, \
             {} face{}, detection {:.2}",
            self.eye_distance,
            self.sharpness,
            self.exposure,
            self.dynamic_range,
            self.pose.yaw,
            self.pose.pitch,
            self.pose.roll,
            self.cut_off * 100.0,
            self.faces,
            if self.faces == 1 { "" } else { "s" },
            self.detection_score.0,
        )
    }
}

/// The face's brightness, BT.601 luma.
fn face_luma(frame: &Frame<'_>, landmarks: &Landmarks, chip: &Chip) -> Plane {
    let to_frame = AlignmentTemplate::ARCFACE.similarity(landmarks).ok().and_then(|map| map.inverse());
    let (right, bottom) = (frame.width() as f32 - 1.0, frame.height() as f32 - 1.0);
    let in_frame = |x: usize, y: usize| {
        to_frame.is_some_and(|map| {
            let p = map.apply(Point::new(x as f32, y as f32));
            (0.0..=right).contains(&p.x) && (0.0..=bottom).contains(&p.y)
        })
    };
    let pixels = chip.rgb().as_chunks::<3>().0;
    Plane::new(FACE_COLUMNS.len(), FACE_ROWS.len(), |x, y| {
        let (x, y) = (FACE_COLUMNS.start + x as usize, FACE_ROWS.start + y as usize);
        let [r, g, b] = pixels.get(y * Chip::SIZE + x)?.map(f32::from);
        in_frame(x, y).then_some(0.299 * r + 0.587 * g + 0.114 * b)
    })
}

/// How much of its finest detail the face holds, from 0.07 for a smear to 0.5 for a crisp portrait.
///
/// The energy of the second derivative at the chip's resolution, over that at half of it, both after a 3 × 3 binomial filter against
/// noise; the least over four directions, so that motion blur, which spares one, counts. A ratio of two octaves does not depend on
/// contrast or light, and detail that the chip cannot have, because the face was small and is enlarged, is missing in it alike.
fn sharpness(luma: &Plane) -> f32 {
    let (fine, coarse) = (directional_energy(&luma.smoothed()), directional_energy(&luma.halved().smoothed()));
    let ratio = |(fine, coarse): (f32, f32)| if coarse > 0.0 { fine / coarse } else { 0.0 };
    fine.into_iter().zip(coarse).map(ratio).fold(f32::INFINITY, f32::min)
}

/// The mean square of the second difference along the row, the column and both diagonals.
fn directional_energy(plane: &Plane) -> [f32; 4] {
    [(1, 0, 1.0), (0, 1, 1.0), (1, 1, 0.5), (1, -1, 0.5)].map(|(dx, dy, weight)| {
        let (mut sum, mut count) = (0.0, 0u32);
        for y in 1..plane.height as isize - 1 {
            for x in 1..plane.width as isize - 1 {
                if let (Some(before), Some(at), Some(after)) =
                    (plane.at(x - dx, y - dy), plane.at(x, y), plane.at(x + dx, y + dy))
                {
                    sum += (weight * (before + after - 2.0 * at)).powi(2);
                    count += 1;
                }
            }
        }
        sum / count.max(1) as f32
    })
}

/// Brightness, row by row; `None` where the chip shows what lies outside the frame.
struct Plane {
    width: usize,
    height: usize,
    values: Vec<Option<f32>>,
}

impl Plane {
    fn new(width: usize, height: usize, value: impl Fn(isize, isize) -> Option<f32>) -> Plane {
        let positions = (0..height as isize).flat_map(|y| (0..width as isize).map(move |x| (x, y)));
        Plane { width, height, values: positions.map(|(x, y)| value(x, y)).collect() }
    }

    fn at(&self, x: isize, y: isize) -> Option<f32> {
        let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
        if x < self.width { self.values.get(y * self.width + x).copied().flatten() } else { None }
    }

    /// The sum of the values around a position, each times its weight; `None` where one is missing.
    fn around(&self, x: isize, y: isize, weights: &[(isize, isize, f32)]) -> Option<f32> {
        weights.iter().map(|(dx, dy, weight)| Some(weight * self.at(x + dx, y + dy)?)).sum()
    }

    /// Filtered by (1 2 1)/4 both ways.
    fn smoothed(&self) -> Plane {
        let line = [(-1, 0.25), (0, 0.5), (1, 0.25)];
        let across = line.map(|(at, weight)| (at, 0, weight));
        let down = line.map(|(at, weight)| (0, at, weight));
        let rows = Plane::new(self.width, self.height, |x, y| self.around(x, y, &across));
        Plane::new(self.width, self.height, |x, y| rows.around(x, y, &down))
    }

    /// The means of blocks of 2 × 2.
    fn halved(&self) -> Plane {
        let block = [(0, 0, 0.25), (1, 0, 0.25), (0, 1, 0.25), (1, 1, 0.25)];
        Plane::new(self.width / 2, self.height / 2, |x, y| self.around(2 * x, 2 * y, &block))
    }
}

fn cut_off(frame: &Frame<'_>, face: &Rect) -> f32 {
    let whole = Rect::new(-0.5, -0.5, frame.width() as f32 - 0.5, frame.height() as f32 - 0.5);
    if face.area() > 0.0 { 1.0 - face.intersection(&whole).area() / face.area() } else { 0.0 }
}

/// Why a face is not fit to decide on. Each has a sentence that an app can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Reason {
    /// The eyes are too few pixels apart.
    TooSmall,
    /// The face is cut by the edge of the picture.
    CutByFrame,
    /// The head is turned to the side.
    TurnedSideways,
    /// The head is tilted up or down.
    TiltedUpOrDown,
    /// The head leans towards a shoulder.
    LeaningToShoulder,
    /// The face is blurred.
    Blurred,
    /// The face is too dark.
    TooDark,
    /// The face is too bright.
    TooBright,
    /// The face has too little contrast.
    LowContrast,
    /// There is more than one face.
    SeveralFaces,
    /// The detector is not sure that it is a face.
    UncertainDetection,
}

impl Reason {
    /// Every reason.
    pub const ALL: &'static [Reason] = &[
        Reason::TooSmall,
        Reason::CutByFrame,
        Reason::TurnedSideways,
        Reason::TiltedUpOrDown,
        Reason::LeaningToShoulder,
        Reason::Blurred,
        Reason::TooDark,
        Reason::TooBright,
        Reason::LowContrast,
        Reason::SeveralFaces,
        Reason::UncertainDetection,
    ];

    /// The name, as JSON and the bindings have it.
    pub const fn name(&self) -> &'static str {
        match self {
            Reason::TooSmall => "too_small",
            Reason::CutByFrame => "cut_by_frame",
            Reason::TurnedSideways => "turned_sideways",
            Reason::TiltedUpOrDown => "tilted_up_or_down",
            Reason::LeaningToShoulder => "leaning_to_shoulder",
            Reason::Blurred => "blurred",
            Reason::TooDark => "too_dark",
            Reason::TooBright => "too_bright",
            Reason::LowContrast => "low_contrast",
            Reason::SeveralFaces => "several_faces",
            Reason::UncertainDetection => "uncertain_detection",
        }
    }

    /// What to tell the person in front of the camera.
    pub const fn sentence(&self) -> &'static str {
        match self {
            Reason::TooSmall => "Come closer to the camera.",
            Reason::CutByFrame => "Move so that your whole face is in the picture.",
            Reason::TurnedSideways => "Look straight at the camera.",
            Reason::TiltedUpOrDown => "Hold the camera at eye level.",
            Reason::LeaningToShoulder => "Hold your head upright.",
            Reason::Blurred => "Hold still, and wipe the lens.",
            Reason::TooDark => "Find more light.",
            Reason::TooBright => "Avoid the strong light on your face.",
            Reason::LowContrast => "Find more even light; avoid haze and reflections.",
            Reason::SeveralFaces => "Let only one person be in the picture.",
            Reason::UncertainDetection => "Show your uncovered face.",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

/// The bounds that a face must keep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QualityPolicy {
    /// The least distance between the eyes, in pixels.
    pub min_eye_distance: f32,
    /// The least [`Quality::sharpness`].
    pub min_sharpness: f32,
    /// The least mean brightness, 0…255.
    pub min_exposure: f32,
    /// The greatest mean brightness, 0…255.
    pub max_exposure: f32,
    /// The least [`Quality::dynamic_range`], 0…255.
    pub min_dynamic_range: f32,
    /// The greatest turn to either side, in degrees.
    pub max_yaw: f32,
    /// The greatest tilt up or down, in degrees.
    pub max_pitch: f32,
    /// The greatest lean to either shoulder, in degrees.
    pub max_roll: f32,
    /// The greatest part of the face's box outside the frame, 0…1.
    pub max_cut_off: f32,
    /// The least detection score, 0…1.
    pub min_detection_score: f32,
    /// Whether other faces in the picture are accepted.
    pub allow_several_faces: bool,
}

impl QualityPolicy {
    /// For enrolment: strict, because a bad reference spoils every later comparison.
    pub const fn enrol() -> QualityPolicy {
        QualityPolicy {
            min_eye_distance: 32.0,
            min_sharpness: 0.18,
            min_exposure: 60.0,
            max_exposure: 210.0,
            min_dynamic_range: 50.0,
            max_yaw: 30.0,
            max_pitch: 30.0,
            max_roll: 30.0,
            max_cut_off: 0.05,
            min_detection_score: 0.6,
            allow_several_faces: false,
        }
    }

    /// For verification: refuses only what would make a comparison worth little.
    pub const fn verify() -> QualityPolicy {
        QualityPolicy {
            min_eye_distance: 12.0,
            min_sharpness: 0.1,
            min_exposure: 25.0,
            max_exposure: 235.0,
            min_dynamic_range: 20.0,
            max_yaw: 60.0,
            max_pitch: 40.0,
            max_roll: 50.0,
            max_cut_off: 0.15,
            min_detection_score: 0.5,
            allow_several_faces: true,
        }
    }

    /// Refuses nothing: for measuring, and where the caller judges by [`Quality`] himself.
    pub const fn accept_all() -> QualityPolicy {
        QualityPolicy {
            min_eye_distance: 0.0,
            min_sharpness: 0.0,
            min_exposure: 0.0,
            max_exposure: 255.0,
            min_dynamic_range: 0.0,
            max_yaw: 180.0,
            max_pitch: 90.0,
            max_roll: 180.0,
            max_cut_off: 1.0,
            min_detection_score: 0.0,
            allow_several_faces: true,
        }
    }

    /// Every reason against this face, in the order in which to tell a person; none when it is fit.
    pub fn check(&self, quality: &Quality) -> Vec<Reason> {
        let Pose { yaw, pitch, roll } = quality.pose;
        let findings = [
            (Reason::SeveralFaces, quality.faces > 1 && !self.allow_several_faces),
            (Reason::TooSmall, quality.eye_distance < self.min_eye_distance),
            (Reason::CutByFrame, quality.cut_off > self.max_cut_off),
            (Reason::TurnedSideways, yaw.abs() > self.max_yaw),
            (Reason::TiltedUpOrDown, pitch.abs() > self.max_pitch),
            (Reason::LeaningToShoulder, roll.abs() > self.max_roll),
            (Reason::TooDark, quality.exposure < self.min_exposure),
            (Reason::TooBright, quality.exposure > self.max_exposure),
            (Reason::LowContrast, quality.dynamic_range < self.min_dynamic_range),
            (Reason::Blurred, quality.sharpness < self.min_sharpness),
            (Reason::UncertainDetection, quality.detection_score.0 < self.min_detection_score),
        ];
        findings.into_iter().filter(|(_, found)| *found).map(|(reason, _)| reason).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Result;
    use proptest::prelude::*;

    /// The mean face turned by roll after pitch after yaw, seen without perspective.
    fn projected(yaw: f32, pitch: f32, roll: f32, scale: f64, shift: f64) -> Result<Landmarks> {
        let [yaw, pitch, roll] = [-yaw, -pitch, roll].map(|degrees| f64::from(degrees).to_radians());
        Landmarks::new(MEAN_FACE.map(|[x, y, z]| {
            let (x, z) = (x * yaw.cos() + z * yaw.sin(), z * yaw.cos() - x * yaw.sin());
            let y = y * pitch.cos() - z * pitch.sin();
            let (x, y) = (x * roll.cos() - y * roll.sin(), x * roll.sin() + y * roll.cos());
            Point::new((scale * x + shift) as f32, (scale * y + shift) as f32)
        }))
    }

    #[test]
    fn angles_have_the_stated_signs() {
        let frontal = projected(0.0, 0.0, 0.0, 20.0, 100.0).unwrap();
        let moved = |dx: f32, dy: f32| {
            let mut points = *frontal.points();
            points[2] = Point::new(points[2].x + dx, points[2].y + dy);
            Pose::of(&Landmarks::new(points).unwrap())
        };
        assert!(moved(15.0, 0.0).yaw > 5.0 && moved(-15.0, 0.0).yaw < -5.0, "the nose points to the side of the turn");
        assert!(moved(0.0, -15.0).pitch > 5.0 && moved(0.0, 15.0).pitch < -5.0, "the nose rises with the head");
        let mut lower_right = *frontal.points();
        lower_right[1].y += 20.0;
        assert!(Pose::of(&Landmarks::new(lower_right).unwrap()).roll > 2.0, "clockwise lowers the eye on the right");
    }

    #[test]
    fn the_template_looks_straight_ahead() {
        let points = AlignmentTemplate::ARCFACE.points().map(|p| Point::new(p[0] as f32, p[1] as f32));
        let pose = Pose::of(&Landmarks::new(points).unwrap());
        assert!(pose.yaw.abs() < 1.0 && pose.pitch.abs() < 6.0 && pose.roll.abs() < 1.0, "{pose:?}");
    }

    proptest! {
        #[test]
        fn a_pose_is_found_again(
            yaw in -80f32..80.0, pitch in -40f32..40.0, roll in -60f32..60.0, scale in 2f64..200.0, shift in 0f64..4000.0
        ) {
            let Ok(landmarks) = projected(yaw, pitch, roll, scale, shift) else { return Ok(()) };
            let pose = Pose::of(&landmarks);
            for (found, expected) in [(pose.yaw, yaw), (pose.pitch, pitch), (pose.roll, roll)] {
                prop_assert!((found - expected).abs() < 0.2, "{pose:?} for {yaw} {pitch} {roll}");
            }
        }
    }

    /// A chip whose pixel (x, y) is grey of this brightness, measured as the whole frame.
    fn measured(brightness: impl Fn(usize, usize) -> f32) -> Quality {
        let grey = (0..112 * 112).map(|i| brightness(i % 112, i / 112).clamp(0.0, 255.0).round() as u8);
        let rgb: Vec<u8> = grey.flat_map(|v| [v; 3]).collect();
        let frame = Frame::rgb8(&rgb, 112, 112, 336).unwrap();
        let points = AlignmentTemplate::ARCFACE.points().map(|p| Point::new(p[0] as f32, p[1] as f32));
        let face = Face::from_landmarks(Landmarks::new(points).unwrap());
        Quality::measure(&frame, &face, &Chip::from_aligned(rgb.clone()).unwrap())
    }

    /// Detail of every length, the same at every call.
    fn detail(x: usize, y: usize) -> f32 {
        let mut state = (x * 112 + y) as u32;
        state = (state ^ 61 ^ (state >> 16)).wrapping_mul(9);
        state = (state ^ (state >> 4)).wrapping_mul(0x27d4_eb2d);
        let noise = ((state ^ (state >> 15)) & 0xff) as f32 - 127.5;
        let waves = [3.0, 5.0, 9.0, 17.0, 33.0].map(|length| {
            let (x, y) = (x as f32 / length, y as f32 / length);
            (length / 3.0).sqrt() * ((2.0 * x + y).sin() + (x - 2.0 * y).cos())
        });
        110.0 + 0.12 * noise + 6.0 * waves.iter().sum::<f32>()
    }

    fn blurred(radius_x: isize, radius_y: isize) -> impl Fn(usize, usize) -> f32 {
        move |x, y| {
            let at = |v: usize, d: isize| v.saturating_add_signed(d).min(111);
            let window = (-radius_y..=radius_y).flat_map(|dy| (-radius_x..=radius_x).map(move |dx| (dx, dy)));
            let values: Vec<f32> = window.map(|(dx, dy)| detail(at(x, dx), at(y, dy))).collect();
            values.iter().sum::<f32>() / values.len() as f32
        }
    }

    #[test]
    fn brightness_is_measured_in_levels() {
        let flat = measured(|_, _| 90.0);
        assert_eq!((flat.exposure.round(), flat.dynamic_range, flat.sharpness), (90.0, 0.0, 0.0));
        // Columns 24…87 of a ramp of 2 levels a pixel: 48…174, mean 111; 90 % of them is 115.
        let ramp = measured(|x, _| 2.0 * x as f32);
        assert!((ramp.exposure - 111.0).abs() < 0.5 && (ramp.dynamic_range - 115.0).abs() < 3.0, "{ramp}");
    }

    #[test]
    fn blur_lowers_sharpness_in_whatever_direction() {
        let crisp = measured(detail).sharpness;
        let [a_little, more] = [1, 2].map(|radius| measured(blurred(radius, radius)).sharpness);
        assert!(crisp > 1.3 * a_little && a_little > 1.1 * more, "{crisp} {a_little} {more}");
        for sharpness in [measured(blurred(3, 0)).sharpness, measured(blurred(0, 3)).sharpness] {
            assert!(sharpness < 0.7 * crisp, "{sharpness} {crisp}");
        }
    }

    #[test]
    fn light_and_contrast_do_not_change_sharpness() {
        let crisp = measured(detail).sharpness;
        for sharpness in [measured(|x, y| 0.5 * detail(x, y)).sharpness, measured(|x, y| 0.4 * detail(x, y) + 140.0).sharpness] {
            assert!((sharpness / crisp - 1.0).abs() < 0.05, "{sharpness} {crisp}");
        }
    }

    #[test]
    fn an_enlarged_face_is_not_sharp() {
        let enlarged = measured(|x, y| {
            let (x, y) = (x as f32 / 4.0, y as f32 / 4.0);
            let at = |dx: usize, dy: usize| blurred(2, 2)(((x as usize + dx) * 4).min(111), ((y as usize + dy) * 4).min(111));
            let (fx, fy) = (x.fract(), y.fract());
            (at(0, 0) * (1.0 - fx) + at(1, 0) * fx) * (1.0 - fy) + (at(0, 1) * (1.0 - fx) + at(1, 1) * fx) * fy
        });
        assert!(enlarged.sharpness < 0.6 * measured(detail).sharpness, "{enlarged}");
    }

    #[test]
    fn what_lies_outside_the_frame_counts_as_cut_off_and_not_as_dark() {
        let rgb = vec![120; 100 * 100 * 3];
        let frame = Frame::rgb8(&rgb, 100, 100, 300).unwrap();
        let points = AlignmentTemplate::ARCFACE.points().map(|p| Point::new(p[0] as f32 - 56.5, p[1] as f32));
        let mut face = Face::from_landmarks(Landmarks::new(points).unwrap());
        face.bounding_box = Rect::new(-30.5, 20.0, 29.5, 90.0);
        let quality = Quality::measure(&frame, &face, &crate::align::align(&frame, &face.landmarks).unwrap());
        assert!((quality.cut_off - 0.5).abs() < 1e-6 && (quality.exposure - 120.0).abs() < 0.01, "{quality}");
    }

    fn good() -> Quality {
        Quality {
            eye_distance: 80.0,
            sharpness: 0.4,
            exposure: 120.0,
            dynamic_range: 120.0,
            pose: Pose { yaw: 3.0, pitch: -4.0, roll: 2.0 },
            cut_off: 0.0,
            faces: 1,
            detection_score: DetectionScore(0.9),
        }
    }

    #[test]
    fn each_fault_has_its_reason() {
        type Fault = (Reason, fn(&mut Quality));
        let faults: [Fault; 11] = [
            (Reason::TooSmall, |q| q.eye_distance = 11.0),
            (Reason::CutByFrame, |q| q.cut_off = 0.3),
            (Reason::TurnedSideways, |q| q.pose.yaw = -70.0),
            (Reason::TiltedUpOrDown, |q| q.pose.pitch = -45.0),
            (Reason::LeaningToShoulder, |q| q.pose.roll = 55.0),
            (Reason::Blurred, |q| q.sharpness = 0.08),
            (Reason::TooDark, |q| q.exposure = 15.0),
            (Reason::TooBright, |q| q.exposure = 245.0),
            (Reason::LowContrast, |q| q.dynamic_range = 10.0),
            (Reason::SeveralFaces, |q| q.faces = 2),
            (Reason::UncertainDetection, |q| q.detection_score = DetectionScore(0.4)),
        ];
        assert_eq!(QualityPolicy::enrol().check(&good()), []);
        let only_one = QualityPolicy { allow_several_faces: false, ..QualityPolicy::verify() };
        for (reason, fault) in faults {
            let mut quality = good();
            fault(&mut quality);
            assert_eq!(only_one.check(&quality), [reason]);
            assert!(QualityPolicy::enrol().check(&quality).contains(&reason), "enrolment is no laxer: {reason:?}");
            assert_eq!(QualityPolicy::accept_all().check(&quality), []);
        }
    }

    #[test]
    fn reasons_have_distinct_names_and_sentences() {
        for (i, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(serde_json::to_string(reason).unwrap(), format!("\"{}\"", reason.name()));
            assert!(reason.sentence().ends_with('.'));
            assert!(Reason::ALL[..i].iter().all(|other| other.sentence() != reason.sentence() && other.name() != reason.name()));
        }
        assert_eq!(Reason::ALL.len(), 11);
    }

    #[test]
    fn policies_and_qualities_pass_through_json() {
        for policy in [QualityPolicy::enrol(), QualityPolicy::verify(), QualityPolicy::accept_all()] {
            assert_eq!(serde_json::from_str::<QualityPolicy>(&serde_json::to_string(&policy).unwrap()).unwrap(), policy);
        }
        assert_eq!(serde_json::from_str::<Quality>(&serde_json::to_string(&good()).unwrap()).unwrap(), good());
    }
}
