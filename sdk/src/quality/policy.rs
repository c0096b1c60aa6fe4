//! Which faces are fit to decide on: the bounds of each measure, for enrolment and for verification.

use serde::{Deserialize, Serialize};

use super::{Pose, Quality};
use crate::error::Reason;

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
    /// For enrolment: strict, because a bad reference spoils every later comparison. Where the bounds lie, and what each does to the error
    /// rates, `docs/accuracy.md` has measured, on spoilt photos of people that nothing is evaluated on.
    pub const fn enrol() -> QualityPolicy {
        QualityPolicy {
            min_eye_distance: 32.0,
            min_sharpness: 0.18,
            min_exposure: 10.0,
            max_exposure: 210.0,
            min_dynamic_range: 15.0,
            max_yaw: 30.0,
            max_pitch: 40.0,
            max_roll: 75.0,
            max_cut_off: 0.1,
            min_detection_score: 0.6,
            allow_several_faces: false,
        }
    }

    /// For verification: refuses only what would make a comparison worth little. Measured as those of [`QualityPolicy::enrol`].
    pub const fn verify() -> QualityPolicy {
        QualityPolicy {
            min_eye_distance: 8.0,
            min_sharpness: 0.1,
            min_exposure: 10.0,
            max_exposure: 235.0,
            min_dynamic_range: 10.0,
            max_yaw: 60.0,
            max_pitch: 40.0,
            max_roll: 75.0,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::DetectionScore;

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
            (Reason::TooSmall, |q| q.eye_distance = 7.0),
            (Reason::CutByFrame, |q| q.cut_off = 0.3),
            (Reason::TurnedSideways, |q| q.pose.yaw = -70.0),
            (Reason::TiltedUpOrDown, |q| q.pose.pitch = -45.0),
            (Reason::LeaningToShoulder, |q| q.pose.roll = 80.0),
            (Reason::Blurred, |q| q.sharpness = 0.08),
            (Reason::TooDark, |q| q.exposure = 5.0),
            (Reason::TooBright, |q| q.exposure = 245.0),
            (Reason::LowContrast, |q| q.dynamic_range = 8.0),
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
    fn policies_and_qualities_pass_through_json() {
        for policy in [QualityPolicy::enrol(), QualityPolicy::verify(), QualityPolicy::accept_all()] {
            assert_eq!(serde_json::from_str::<QualityPolicy>(&serde_json::to_string(&policy).unwrap()).unwrap(), policy);
        }
        assert_eq!(serde_json::from_str::<Quality>(&serde_json::to_string(&good()).unwrap()).unwrap(), good());
    }
}
