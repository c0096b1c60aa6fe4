//! A detected face: its box, its five points and the detector's score.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode, Result};
use crate::geometry::{Point, Rect};

/// How sure the detector is that this is a face, 0…1. It says nothing of the picture's fitness: that is [`crate::Quality`].
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DetectionScore(pub f32);

/// Five points of an upright face, in pixels of the upright frame, named as they lie **in the picture**: "left" is the viewer's
/// left, which is the person's right.
///
/// The order can only be right: [`Landmarks::new`] refuses swapped or mirrored points.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Landmarks {
    points: [Point; 5],
}

impl Landmarks {
    /// Takes the points in the order: eye on the picture's left, eye on its right, nose tip, mouth corner left, mouth corner right.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidLandmarks`] when a coordinate is not finite, points coincide, or the order is not that of a face turned
    /// in the plane by less than 90°: eyes swapped, mouth corners swapped, or the whole set mirrored.
    pub fn new(points: [Point; 5]) -> Result<Landmarks> {
        let refuse = |why: &str| Err(Error::new(ErrorCode::InvalidLandmarks, why));
        if !points.iter().all(|p| p.x.is_finite() && p.y.is_finite() && p.x.abs() < 1e6 && p.y.abs() < 1e6) {
            return refuse("a coordinate is not finite or beyond a million pixels");
        }
        let [eye_left, eye_right, _, mouth_left, mouth_right] = points;
        let (eyes, mouth) = (eye_left.midpoint(eye_right), mouth_left.midpoint(mouth_right));
        if eyes.distance(mouth) < 1.0 {
            return refuse("eyes and mouth lie within one pixel");
        }
        // "Across" points from the picture's left to its right, "down" from the eyes to the mouth. In a profile both eyes may almost
        // coincide, so the two pairs are judged together and then each against the whole.
        let across =
            (eye_right.x - eye_left.x + mouth_right.x - mouth_left.x, eye_right.y - eye_left.y + mouth_right.y - mouth_left.y);
        let down = (mouth.x - eyes.x, mouth.y - eyes.y);
        let length = across.0.hypot(across.1);
        if length < 0.5 {
            return refuse("the left and right points coincide");
        }
        if across.0 * down.1 - across.1 * down.0 <= 0.0 {
            return refuse("the points are mirrored, or eyes and mouth corners are swapped");
        }
        let along = |from: Point, to: Point| ((to.x - from.x) * across.0 + (to.y - from.y) * across.1) / length;
        let slack = -0.1 * eyes.distance(mouth);
        if along(eye_left, eye_right) < slack {
            return refuse("the eyes are swapped");
        }
        if along(mouth_left, mouth_right) < slack {
            return refuse("the mouth corners are swapped");
        }
        if down.1 <= 0.0 && across.0 <= 0.0 {
            return refuse("the face is upside down: state the frame's rotation");
        }
        Ok(Landmarks { points })
    }

    /// The five points, in the order of [`Landmarks::new`].
    pub fn points(&self) -> &[Point; 5] {
        &self.points
    }

    /// The distance between the eyes, in pixels: the usual measure of a face's resolution.
    pub fn eye_distance(&self) -> f32 {
        self.points[0].distance(self.points[1])
    }
}

impl<'de> Deserialize<'de> for Landmarks {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Landmarks, D::Error> {
        Landmarks::new(<[Point; 5]>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// One face in a frame.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Face {
    /// The box around the face, which may reach beyond the frame.
    pub bounding_box: Rect,
    /// The five points.
    pub landmarks: Landmarks,
    /// The detector's score; 1 when the caller handed the landmarks over.
    pub score: DetectionScore,
}
