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
