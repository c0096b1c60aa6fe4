//! A detected face: its box, its five points and the detector's score.

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorCode, Result};
use crate::geometry::{Point, Rect};

/// How sure the detector is that this is a face, 0…1. It says nothing of the picture's fitness: that is [`crate::Quality`]. Nor is it
/// the score of a comparison:
///
/// ```compile_fail,E0308
/// let score: veriface::Score = veriface::DetectionScore(0.9);
/// ```
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
    /// The bounds are those of a head turned by up to 70° in the plane and 50° up or down, and of a profile; what detectors
    /// give for the photos of LFW and CFP lies well inside them. Every other order of an upright, frontal face's points is refused.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidLandmarks`] when a coordinate is not finite, points coincide, eyes or mouth corners are swapped, the whole
    /// set is mirrored or upside down, or the nose lies where no face has it.
    pub fn new(points: [Point; 5]) -> Result<Landmarks> {
        match objection(&points) {
            None => Ok(Landmarks { points }),
            Some(why) => Err(Error::new(ErrorCode::InvalidLandmarks, why)),
        }
    }

    /// The five points, in the order of [`Landmarks::new`].
    pub fn points(&self) -> &[Point; 5] {
        &self.points
    }

    /// The cosine and sine of the head's turn in the picture's plane, clockwise as seen: the direction of "across" and of "down" turned
    /// by a right angle, together, so that it holds for a profile as well.
    pub(crate) fn lean(&self) -> (f64, f64) {
        let [eye_left, eye_right, _, mouth_left, mouth_right] = self.points.map(|p| (f64::from(p.x), f64::from(p.y)));
        let across =
            (eye_right.0 - eye_left.0 + mouth_right.0 - mouth_left.0, eye_right.1 - eye_left.1 + mouth_right.1 - mouth_left.1);
        let down =
            (mouth_left.0 + mouth_right.0 - eye_left.0 - eye_right.0, mouth_left.1 + mouth_right.1 - eye_left.1 - eye_right.1);
        let (x, y) = (across.0 + down.1, across.1 - down.0);
        let length = (x * x + y * y).sqrt();
        (x / length, y / length)
    }

    /// The distance between the eyes, in pixels: the usual measure of a face's resolution.
    pub fn eye_distance(&self) -> f32 {
        self.points[0].distance(self.points[1])
    }
}

/// Why these are not the points of a face in the stated order.
///
/// "Down" leads from between the eyes to between the mouth corners and is the unit of length; "across" leads from the picture's left
/// to its right, the mean of both pairs. In a profile a pair may almost coincide, so the two are judged together first.
fn objection(points: &[Point; 5]) -> Option<&'static str> {
    if !points.iter().all(|p| p.x.abs() < 1e6 && p.y.abs() < 1e6) {
        return Some("a coordinate is not finite or beyond a million pixels");
    }
    let [eye_left, eye_right, nose, mouth_left, mouth_right] = points.map(|p| (f64::from(p.x), f64::from(p.y)));
    let from = |a: (f64, f64), b: (f64, f64)| (b.0 - a.0, b.1 - a.1);
    let middle = |a: (f64, f64), b: (f64, f64)| ((a.0 + b.0) / 2.0, (a.1 + b.1) / 2.0);
    let dot = |a: (f64, f64), b: (f64, f64)| a.0 * b.0 + a.1 * b.1;
    let eyes = middle(eye_left, eye_right);
    let down = from(eyes, middle(mouth_left, mouth_right));
    let across = middle(from(eye_left, eye_right), from(mouth_left, mouth_right));
    let unit = dot(down, down);
    if unit < 1.0 {
        return Some("eyes and mouth lie within one pixel");
    }
    if dot(across, across) < 0.0004 * unit {
        return Some("the left and right points coincide");
    }
    // Turned by 90° counter-clockwise on the screen, "down" points to the face's right side as seen.
    let right = (down.1, -down.0);
    if dot(across, right) <= 0.0 {
        return Some("the points are mirrored, or eyes and mouth corners are swapped");
    }
    if dot(from(eye_left, eye_right), right) < -0.1 * unit {
        return Some("the eyes are swapped");
    }
    if dot(from(mouth_left, mouth_right), right) < -0.1 * unit {
        return Some("the mouth corners are swapped");
    }
    // cos 70°
    if down.1 < 0.342 * unit.sqrt() {
        return Some("the face lies on its side or upside down: state the frame's rotation");
    }
    if dot(across, across) > 4.0 * unit || dot(across, down).abs() > 0.5 * unit {
        return Some("eyes and mouth do not lie as in a face");
    }
    let nose = from(eyes, nose);
    if !(-0.1..=1.1).contains(&(dot(nose, down) / unit)) || dot(nose, right).abs() > 0.75 * unit {
        return Some("the nose does not lie between eyes and mouth");
    }
    None
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

impl Face {
    /// A face whose landmarks another detector found. The box is the one that detectors draw around such points, by the median over
    /// photographs: in units of the distance from eyes to mouth 2.07 wide, 2.8 high, its centre 0.16 above the middle of the four.
    pub fn from_landmarks(landmarks: Landmarks) -> Face {
        let [eye_left, eye_right, _, mouth_left, mouth_right] = *landmarks.points();
        let (eyes, mouth) = (eye_left.midpoint(eye_right), mouth_left.midpoint(mouth_right));
        let (middle, unit) = (eyes.midpoint(mouth), eyes.distance(mouth));
        let (x, y) = (middle.x + 0.16 * (eyes.x - mouth.x), middle.y + 0.16 * (eyes.y - mouth.y));
        let (half_width, half_height) = (1.035 * unit, 1.4 * unit);
        let bounding_box = Rect::new(x - half_width, y - half_height, x + half_width, y + half_height);
        Face { bounding_box, landmarks, score: DetectionScore(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::AlignmentTemplate;
    use proptest::prelude::*;

    fn template() -> [Point; 5] {
        AlignmentTemplate::ARCFACE.points().map(|p| Point::new(p[0] as f32, p[1] as f32))
    }

    fn turned(points: [Point; 5], degrees: f32, scale: f32, shift: f32) -> [Point; 5] {
        let (sin, cos) = degrees.to_radians().sin_cos();
        points.map(|p| Point::new(scale * (cos * p.x - sin * p.y) + shift, scale * (sin * p.x + cos * p.y) + shift))
    }

    fn permutations() -> Vec<[usize; 5]> {
        let all = (0..5usize.pow(5)).map(|n| [n % 5, n / 5 % 5, n / 25 % 5, n / 125 % 5, n / 625]);
        all.filter(|order| (0..5).all(|point| order.contains(&point))).collect()
    }

    #[test]
    fn only_the_stated_order_is_taken() {
        let mirrored = template().map(|p| Point::new(111.0 - p.x, p.y));
        for degrees in [-15.0, 0.0, 15.0] {
            for order in permutations() {
                let taken = |points: [Point; 5]| Landmarks::new(turned(order.map(|i| points[i]), degrees, 1.0, 0.0)).is_ok();
                assert_eq!(taken(template()), order == [0, 1, 2, 3, 4], "{order:?} at {degrees}°");
                assert_eq!(taken(mirrored), order == [1, 0, 2, 4, 3], "mirrored {order:?} at {degrees}°");
            }
        }
    }

    #[test]
    fn swapped_eyes_are_refused_with_their_number() {
        let [left, right, nose, mouth_left, mouth_right] = template();
        let error = Landmarks::new([right, left, nose, mouth_left, mouth_right]).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidLandmarks);
        assert!(error.to_string().contains("swapped"), "{error}");
    }

    /// opencv/opencv#22567: the ten numbers read as five x and then five y, or rows for columns.
    #[test]
    fn numbers_read_in_another_layout_are_refused() {
        let flat: Vec<f32> = template().iter().flat_map(|p| [p.x, p.y]).collect();
        let planar: Vec<Point> = (0..5).map(|i| Point::new(flat[i], flat[i + 5])).collect();
        assert!(Landmarks::new(planar.try_into().unwrap()).is_err());
        assert!(Landmarks::new(template().map(|p| Point::new(p.y, p.x))).is_err());
    }

    #[test]
    fn what_is_no_point_or_no_face_is_refused() {
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 2e6, f32::MIN_POSITIVE - 3e7] {
            for index in 0..5 {
                let mut points = template();
                points[index].x = bad;
                assert!(Landmarks::new(points).is_err(), "{bad} at {index}");
            }
        }
        assert!(Landmarks::new([Point::new(5.0, 5.0); 5]).is_err());
        assert!(Landmarks::new(template().map(|p| Point::new(50.0, p.y))).is_err(), "a line");
        assert!(Landmarks::new(template().map(|p| Point::new(p.x, 50.0))).is_err(), "a line across");
    }

    /// The reference detector's box for the same face: SCRFD-500M on the portrait of Eileen Collins.
    #[test]
    fn the_box_around_given_points_is_much_like_a_detectors() {
        let points = [(203.2, 100.3), (246.2, 102.2), (224.0, 127.9), (201.4, 139.0), (245.5, 140.7)];
        let face = Face::from_landmarks(Landmarks::new(points.map(|(x, y)| Point::new(x, y))).unwrap());
        let iou = face.bounding_box.iou(&Rect::new(179.5, 60.1, 269.7, 177.6));
        assert!(iou > 0.8, "{iou}");
        assert_eq!(face.score, DetectionScore(1.0));
    }

    #[test]
    fn json_cannot_smuggle_a_wrong_order_in() {
        let landmarks = Landmarks::new(template()).unwrap();
        let json = serde_json::to_string(&landmarks).unwrap();
        assert_eq!(serde_json::from_str::<Landmarks>(&json).unwrap(), landmarks);
        let mut points = template();
        points.swap(0, 1);
        assert!(serde_json::from_str::<Landmarks>(&serde_json::to_string(&points).unwrap()).is_err());
    }

    proptest! {
        #[test]
        fn a_turned_face_of_any_size_is_taken(degrees in -65f32..65.0, scale in 0.1f32..50.0, shift in -300f32..8000.0) {
            prop_assert!(Landmarks::new(turned(template(), degrees, scale, shift)).is_ok());
        }

        #[test]
        fn a_lean_is_the_turn(degrees in -65f32..65.0, scale in 0.1f32..50.0, narrow in 0.05f32..1.0) {
            let face = template().map(|p| Point::new(56.0 + narrow * (p.x - 56.0), p.y));
            let (cos, sin) = Landmarks::new(turned(face, degrees, scale, 0.0)).unwrap().lean();
            let found = sin.atan2(cos).to_degrees();
            prop_assert!((found - f64::from(degrees)).abs() < 0.5, "{found} for {degrees}");
        }

        #[test]
        fn an_upside_down_face_is_refused(degrees in 95f32..265.0, scale in 0.1f32..50.0) {
            prop_assert!(Landmarks::new(turned(template(), degrees, scale, 0.0)).is_err());
        }

        #[test]
        fn no_numbers_panic(bits in proptest::array::uniform10(proptest::num::u32::ANY)) {
            let points = std::array::from_fn(|i| Point::new(f32::from_bits(bits[2 * i]), f32::from_bits(bits[2 * i + 1])));
            if let Ok(landmarks) = Landmarks::new(points) {
                prop_assert!(AlignmentTemplate::ARCFACE.similarity(&landmarks).is_ok());
            }
        }
    }
}
