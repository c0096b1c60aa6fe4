//! How well faces are found: recall, precision and the error of the points, over labelled pictures.
//!
//! Counted are labelled faces whose eyes are at least [`Rules::least_eye_distance`] apart. What is found goes, best score first, to the
//! counted face that it overlaps most, if that is not taken and shares at least half of the union. Found faces that lie on a smaller
//! labelled face or on a place to be ignored are not counted, nor are those that fit no label and whose own eyes are closer together
//! than the rule asks: nobody checked the labels there.

use std::collections::BTreeMap;

use serde::Serialize;
use veriface::Rect;

use super::finder::{Finder, Found};
use super::label::{LabelledFace, Labels};
use super::set::Picture;
use crate::error::Result;

/// What counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rules {
    /// The least distance of the eyes, in pixels of the picture.
    pub least_eye_distance: f32,
    /// The least intersection over union.
    pub least_iou: f32,
}

impl Default for Rules {
    fn default() -> Self {
        Rules { least_eye_distance: 12.0, least_iou: 0.5 }
    }
}

/// One found face that counts.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Counted {
    score: f32,
    right: bool,
}

/// Figures of a group of faces.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Group {
    /// Counted labelled faces.
    pub faces: usize,
    /// Of these, found.
    pub found: usize,
    /// found / faces.
    pub recall: f64,
    /// Mean over found faces of the mean distance of the five points from the labelled ones, in distances of the labelled eyes.
    pub point_error: f64,
    #[serde(skip)]
    error_sum: f64,
}

impl Group {
    fn add(&mut self, error: Option<f64>) {
        self.faces += 1;
        self.found += usize::from(error.is_some());
        self.error_sum += error.unwrap_or(0.0);
        self.recall = self.found as f64 / self.faces as f64;
        self.point_error = self.error_sum / self.found.max(1) as f64;
    }
}

/// Figures over a set of pictures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What counted.
    pub rules: Rules,
    /// Pictures.
    pub pictures: usize,
    /// All counted faces.
    pub all: Group,
    /// Found faces that are none.
    pub wrong: usize,
    /// found / (found + wrong).
    pub precision: f64,
    /// Area under the curve of precision over recall, the precision made monotonous.
    pub average_precision: f64,
    /// By the distance of the eyes in pixels.
    pub by_eye_distance: BTreeMap<String, Group>,
    /// By the lean of the line between the eyes in degrees.
    pub by_lean: BTreeMap<String, Group>,
}

/// Bounds of the groups by distance of the eyes.
const EYE_DISTANCES: [f32; 4] = [12.0, 16.0, 24.0, 48.0];

/// Bounds of the groups by lean.
const LEANS: [f32; 4] = [0.0, 10.0, 20.0, 35.0];

/// Looks at every picture; `done` hears how many are.
pub fn evaluate<'a>(
    finder: &dyn Finder,
    pictures: impl IntoIterator<Item = &'a Picture>,
    rules: Rules,
    mut done: impl FnMut(usize),
) -> Result<Report> {
    let mut tally = Tally::new(rules);
    for picture in pictures {
        tally.add(&picture.labels, finder.find(picture)?);
        done(tally.report.pictures);
    }
    Ok(tally.finish())
}

struct Tally {
    report: Report,
    counted: Vec<Counted>,
}

impl Tally {
    fn new(rules: Rules) -> Self {
        let report = Report {
            rules,
            pictures: 0,
            all: Group::default(),
            wrong: 0,
            precision: 0.0,
            average_precision: 0.0,
            by_eye_distance: BTreeMap::new(),
            by_lean: BTreeMap::new(),
        };
        Tally { report, counted: Vec::new() }
    }

    fn add(&mut self, labels: &Labels, mut found: Vec<Found>) {
        let Rules { least_eye_distance, least_iou } = self.report.rules;
        let (faces, small): (Vec<&LabelledFace>, Vec<_>) =
            labels.faces.iter().partition(|face| face.eye_distance() >= least_eye_distance);
        let mut taken = vec![None; faces.len()];
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        for face in &found {
            let free = faces.iter().enumerate().filter(|(index, _)| taken[*index].is_none());
            let best = free.map(|(index, label)| (index, label.rect.iou(&face.rect))).max_by(|a, b| a.1.total_cmp(&b.1));
            let right = match best {
                Some((index, iou)) if iou >= least_iou => {
                    taken[index] = Some(point_error(face, faces[index]));
                    true
                }
                _ => {
                    let on_small = small.iter().any(|label| label.rect.iou(&face.rect) >= least_iou);
                    let unknown = labels.ignored.iter().any(|place| lies_on(&face.rect, place));
                    if on_small || unknown || face.points[0].distance(face.points[1]) < least_eye_distance {
                        continue;
                    }
                    self.report.wrong += 1;
                    false
                }
            };
            self.counted.push(Counted { score: face.score, right });
        }
        self.report.pictures += 1;
        for (label, error) in faces.iter().zip(taken) {
            self.report.all.add(error);
            let eyes = group(label.eye_distance(), &EYE_DISTANCES, "px");
            self.report.by_eye_distance.entry(eyes).or_default().add(error);
            self.report.by_lean.entry(group(label.lean().abs(), &LEANS, "°")).or_default().add(error);
        }
    }

    fn finish(mut self) -> Report {
        let (found, wrong) = (self.report.all.found, self.report.wrong);
        self.report.precision = if found + wrong > 0 { found as f64 / (found + wrong) as f64 } else { 0.0 };
        self.report.average_precision = average_precision(&mut self.counted, self.report.all.faces);
        self.report
    }
}

/// Whether at least half of the found box is within the place, or it is the same box.
fn lies_on(found: &Rect, place: &Rect) -> bool {
    found.intersection(place).area() >= 0.5 * found.area() || found.iou(place) >= 0.5
}

fn point_error(found: &Found, label: &LabelledFace) -> f64 {
    let sum: f32 = found.points.iter().zip(label.points).map(|(a, b)| a.distance(b)).sum();
    f64::from(sum / 5.0 / label.eye_distance())
}

/// A name that sorts, such as `016…024 px`.
fn group(value: f32, bounds: &[f32], unit: &str) -> String {
    let above = bounds.iter().rposition(|bound| value >= *bound).unwrap_or(0);
    match bounds.get(above + 1) {
        Some(next) => format!("{:03}…{next:03} {unit}", bounds[above]),
        None => format!("{:03}… {unit}", bounds[above]),
    }
}

fn average_precision(counted: &mut [Counted], faces: usize) -> f64 {
    counted.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut right = 0.0;
    let mut precisions: Vec<(f64, bool)> = Vec::new();
    for (index, found) in counted.iter().enumerate() {
        right += f64::from(u8::from(found.right));
        precisions.push((right / (index + 1) as f64, found.right));
    }
    // From the end on, each recall gets the best precision at it or beyond.
    let (mut best, mut area) = (0f64, 0.0);
    for (precision, gains) in precisions.into_iter().rev() {
        best = best.max(precision);
        if gains {
            area += best;
        }
    }
    area / faces.max(1) as f64
}

#[cfg(test)]
mod tests {
    use veriface::Point;

    use super::*;

    /// A face 40 pixels high whose eyes are 16 pixels apart, or another scale of it.
    fn face(x: f32, scale: f32) -> LabelledFace {
        let at = |dx: f32, dy: f32| Point::new(x + dx * scale, dy * scale);
        LabelledFace {
            rect: Rect::new(x, 0.0, x + 32.0 * scale, 40.0 * scale),
            points: [at(8.0, 14.0), at(24.0, 14.0), at(16.0, 22.0), at(10.0, 30.0), at(22.0, 30.0)],
        }
    }

    fn found(face: LabelledFace, score: f32) -> Found {
        Found { rect: face.rect, points: face.points, score }
    }

    fn report(faces: Vec<LabelledFace>, ignored: Vec<Rect>, found: Vec<Found>) -> Report {
        let mut tally = Tally::new(Rules::default());
        tally.add(&Labels { file: String::new(), width: 999, height: 99, faces, ignored }, found);
        tally.finish()
    }

    #[test]
    fn precision_and_recall_by_hand() {
        // Best first: right, wrong, right, wrong; one of three faces is missed.
        let (a, b, c) = (face(0.0, 1.0), face(100.0, 1.0), face(200.0, 1.0));
        let seen = vec![found(b, 0.7), found(face(300.0, 1.0), 0.8), found(a, 0.9), found(face(400.0, 1.0), 0.6)];
        let report = report(vec![a, b, c], vec![], seen);
        assert_eq!((report.all.faces, report.all.found, report.wrong), (3, 2, 2));
        assert!((report.all.recall - 2.0 / 3.0).abs() < 1e-12 && (report.precision - 0.5).abs() < 1e-12);
        // Precision 1 up to a recall of 1/3, then 2/3 up to 2/3.
        assert!((report.average_precision - (1.0 + 2.0 / 3.0) / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_face_is_found_once() {
        let a = face(0.0, 1.0);
        let report = report(vec![a], vec![], vec![found(a, 0.9), found(face(2.0, 1.0), 0.8)]);
        assert_eq!((report.all.found, report.wrong), (1, 1));
    }

    #[test]
    fn half_of_the_union_is_enough_and_less_is_not() {
        // 32 wide: shifted by 10 the IoU is 22 / 42 = 0.524, by 11 it is 21 / 43 = 0.488.
        for (shift, right) in [(10.0, 1), (11.0, 0)] {
            let report = report(vec![face(0.0, 1.0)], vec![], vec![found(face(shift, 1.0), 0.9)]);
            assert_eq!((report.all.found, report.wrong), (right, 1 - right));
        }
    }

    #[test]
    fn small_faces_and_places_to_be_ignored_count_neither_way() {
        let small = face(0.0, 0.7);
        let place = Rect::new(200.0, 0.0, 260.0, 60.0);
        let seen = vec![found(small, 0.9), found(face(210.0, 1.0), 0.9), found(face(400.0, 0.7), 0.9)];
        let report = report(vec![small], vec![place], seen);
        assert_eq!((report.all.faces, report.all.found, report.wrong), (0, 0, 0));
    }

    #[test]
    fn the_error_of_points_is_in_distances_of_the_eyes() {
        let label = face(0.0, 1.0);
        let mut seen = found(label, 0.9);
        seen.points[2].x += 8.0;
        seen.points[4].y -= 4.0;
        let report = report(vec![label], vec![], vec![seen]);
        // (8 + 4) / 5 / 16.
        assert!((report.all.point_error - 0.15).abs() < 1e-6);
        assert_eq!(report.by_eye_distance.keys().collect::<Vec<_>>(), ["016…024 px"]);
        assert_eq!(report.by_lean.keys().collect::<Vec<_>>(), ["000…010 °"]);
    }
}
