//! Is this face fit to decide on? Numbers, and the policy that turns them into reasons.

mod policy;
mod pose;
mod sharpness;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::align::{AlignmentTemplate, Chip};
use crate::face::{DetectionScore, Face, Landmarks};
use crate::frame::Frame;
use crate::geometry::{Point, Rect};

pub use policy::QualityPolicy;
pub use pose::Pose;
use sharpness::{Plane, sharpness};

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

/// The memory that measuring takes, for the next face: a session's frames take none from the heap.
#[derive(Debug, Default)]
pub(crate) struct Workspace {
    luma: Plane,
    values: Vec<f32>,
    filtered: [Plane; 3],
}

/// The part of the chip that shows the face whatever the hair and the background: columns and rows.
const FACE_COLUMNS: std::ops::Range<usize> = 24..88;

const FACE_ROWS: std::ops::Range<usize> = 36..100;

impl Quality {
    /// Measures a face and its chip. `faces` is 1; say otherwise with [`Quality::among`].
    ///
    /// Brightness is BT.601 luma over columns 24…87 and rows 36…99 of the chip, what lies outside the frame left out.
    pub fn measure(frame: &Frame<'_>, face: &Face, chip: &Chip) -> Quality {
        Quality::measure_in(&mut Workspace::default(), frame, face, chip)
    }

    /// As [`Quality::measure`], in memory of earlier calls.
    pub(crate) fn measure_in(workspace: &mut Workspace, frame: &Frame<'_>, face: &Face, chip: &Chip) -> Quality {
        let Workspace { luma, values, filtered } = workspace;
        face_luma(luma, frame, &face.landmarks, chip);
        values.clear();
        values.extend(luma.values.iter().flatten());
        values.sort_unstable_by(f32::total_cmp);
        let percentile = |part: f32| values.get((part * values.len() as f32) as usize).copied().unwrap_or(0.0);
        let count = values.len().max(1) as f32;
        Quality {
            eye_distance: face.landmarks.eye_distance(),
            sharpness: sharpness(luma, filtered),
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
fn face_luma(luma: &mut Plane, frame: &Frame<'_>, landmarks: &Landmarks, chip: &Chip) {
    let to_frame = AlignmentTemplate::ARCFACE.similarity(landmarks).ok().and_then(|map| map.inverse());
    let (right, bottom) = (frame.width() as f32 - 1.0, frame.height() as f32 - 1.0);
    let in_frame = |x: usize, y: usize| {
        to_frame.is_some_and(|map| {
            let p = map.apply(Point::new(x as f32, y as f32));
            (0.0..=right).contains(&p.x) && (0.0..=bottom).contains(&p.y)
        })
    };
    let pixels = chip.rgb().as_chunks::<3>().0;
    luma.fill(FACE_COLUMNS.len(), FACE_ROWS.len(), |x, y| {
        let (x, y) = (FACE_COLUMNS.start + x as usize, FACE_ROWS.start + y as usize);
        let [r, g, b] = pixels.get(y * Chip::SIZE + x)?.map(f32::from);
        in_frame(x, y).then_some(0.299 * r + 0.587 * g + 0.114 * b)
    });
}

fn cut_off(frame: &Frame<'_>, face: &Rect) -> f32 {
    let whole = Rect::new(-0.5, -0.5, frame.width() as f32 - 0.5, frame.height() as f32 - 0.5);
    if face.area() > 0.0 { 1.0 - face.intersection(&whole).area() / face.area() } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
