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
    /// How much fine detail the chip holds. See [`Quality::measure`].
    pub sharpness: f32,
    /// The mean brightness of the face, 0…255.
    pub exposure: f32,
    /// The 95th less the 5th percentile of the face's brightness, 0…255.
    pub dynamic_range: f32,
    /// How the head is turned.
    pub pose: Pose,
    /// The part of the face's box that lies outside the frame, 0…1.
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
        let mut values: Vec<f32> = luma.iter().flatten().flatten().copied().collect();
        values.sort_by(f32::total_cmp);
        let percentile = |part: f32| values.get((part * values.len() as f32) as usize).copied().unwrap_or(0.0);
        let count = values.len().max(1) as f32;
        let mean = values.iter().sum::<f32>() / count;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / count;
        Quality {
            eye_distance: face.landmarks.eye_distance(),
            sharpness: laplacian_variance(&luma) / variance.max(1.0),
            exposure: mean,
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

/// The face's luma, row by row; `None` where the chip lies outside the frame.
fn face_luma(frame: &Frame<'_>, landmarks: &Landmarks, chip: &Chip) -> Vec<Vec<Option<f32>>> {
    let to_frame = AlignmentTemplate::ARCFACE.similarity(landmarks).ok().and_then(|map| map.inverse());
    let (right, bottom) = (frame.width() as f32 - 1.0, frame.height() as f32 - 1.0);
    let seen = |x: usize, y: usize| {
        to_frame.is_some_and(|map| {
            let p = map.apply(Point::new(x as f32, y as f32));
            (0.0..=right).contains(&p.x) && (0.0..=bottom).contains(&p.y)
        })
    };
    let pixels = chip.rgb().as_chunks::<3>().0;
    let luma = |x: usize, y: usize| {
        let [r, g, b] = pixels.get(y * Chip::SIZE + x)?.map(f32::from);
        seen(x, y).then_some(0.299 * r + 0.587 * g + 0.114 * b)
    };
    FACE_ROWS.map(|y| FACE_COLUMNS.map(|x| luma(x, y)).collect()).collect()
}

/// The mean square of the 4-neighbour Laplacian where all five pixels are seen; its mean is zero but for the edges.
fn laplacian_variance(luma: &[Vec<Option<f32>>]) -> f32 {
    let at = |x: usize, y: usize| luma.get(y).and_then(|row| row.get(x).copied().flatten());
    let (mut sum, mut count) = (0.0, 0u32);
    for y in 1..FACE_ROWS.len() - 1 {
        for x in 1..FACE_COLUMNS.len() - 1 {
            let (Some(c), Some(l), Some(r), Some(u), Some(d)) =
                (at(x, y), at(x - 1, y), at(x + 1, y), at(x, y - 1), at(x, y + 1))
            else {
                continue;
            };
            sum += (l + r + u + d - 4.0 * c).powi(2);
            count += 1;
        }
    }
    sum / count.max(1) as f32
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
            min_eye_distance: 40.0,
            min_sharpness: 0.0,
            min_exposure: 60.0,
            max_exposure: 210.0,
            min_dynamic_range: 50.0,
            max_yaw: 25.0,
            max_pitch: 25.0,
            max_roll: 30.0,
            max_cut_off: 0.05,
            min_detection_score: 0.6,
            allow_several_faces: false,
        }
    }

    /// For verification: refuses only what would make a comparison worth little.
    pub const fn verify() -> QualityPolicy {
        QualityPolicy {
            min_eye_distance: 16.0,
            min_sharpness: 0.0,
            min_exposure: 25.0,
            max_exposure: 235.0,
            min_dynamic_range: 25.0,
            max_yaw: 50.0,
            max_pitch: 40.0,
            max_roll: 50.0,
            max_cut_off: 0.25,
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
