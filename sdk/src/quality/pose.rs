//! How is the head turned? Yaw, pitch and roll from five points.

use serde::{Deserialize, Serialize};

use crate::face::Landmarks;

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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::align::AlignmentTemplate;
    use crate::error::Result;
    use crate::geometry::Point;

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
}
