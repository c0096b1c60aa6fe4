//! What is known of a picture: its faces, and places of which nothing is known.

use std::path::Path;

use serde::Deserialize;
use veriface::{Point, Rect, Similarity};

use crate::error::{Error, Result};

/// Labels of a lower score are not certain: the place is to be ignored, not to be learnt as a face or as background.
pub const LEAST_SCORE: f32 = 0.6;

/// A face: its upright box and five points, in pixels of its picture, centres at integers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelledFace {
    /// The box; it may reach beyond the picture.
    pub rect: Rect,
    /// Eye on the picture's left, eye on its right, nose, mouth left, mouth right.
    pub points: [Point; 5],
}

impl LabelledFace {
    /// Between the two eyes, in pixels.
    pub fn eye_distance(&self) -> f32 {
        self.points[0].distance(self.points[1])
    }

    /// The lean of the line between the eyes, in degrees, clockwise on the screen.
    pub fn lean(&self) -> f32 {
        let [a, b, ..] = self.points;
        (b.y - a.y).atan2(b.x - a.x).to_degrees()
    }

    /// The face under a map. The box is taken for that of an upright ellipse, and becomes the box of the turned one.
    pub fn carried(&self, map: &Similarity) -> Self {
        LabelledFace { rect: carried(&self.rect, map), points: self.points.map(|point| map.apply(point)) }
    }

    /// The face in a mirror that is `width` pixels wide: left and right change places.
    pub fn mirrored(&self, width: usize) -> Self {
        let x = |x: f32| width as f32 - 1.0 - x;
        let [left_eye, right_eye, nose, mouth_left, mouth_right] = self.points.map(|point| Point::new(x(point.x), point.y));
        LabelledFace { rect: mirrored(&self.rect, width), points: [right_eye, left_eye, nose, mouth_right, mouth_left] }
    }
}

/// The box of an ellipse that filled `rect`, after the map.
pub fn carried(rect: &Rect, map: &Similarity) -> Rect {
    let centre = map.apply(rect.center());
    let (a, b) = (map.a as f32, map.b as f32);
    let (half_w, half_h) = (rect.width() / 2.0, rect.height() / 2.0);
    let (half_w, half_h) = ((a * half_w).hypot(b * half_h), (b * half_w).hypot(a * half_h));
    Rect::new(centre.x - half_w, centre.y - half_h, centre.x + half_w, centre.y + half_h)
}

/// The box in a mirror that is `width` pixels wide.
pub fn mirrored(rect: &Rect, width: usize) -> Rect {
    let x = |x: f32| width as f32 - 1.0 - x;
    Rect::new(x(rect.right), rect.top, x(rect.left), rect.bottom)
}

/// All that is known of one picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Labels {
    /// The picture's name within its folder.
    pub file: String,
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// Its certain faces.
    pub faces: Vec<LabelledFace>,
    /// Where there may be faces.
    pub ignored: Vec<Rect>,
}

#[derive(Deserialize)]
struct Line {
    file: String,
    width: usize,
    height: usize,
    faces: Vec<LineFace>,
    #[serde(default)]
    ignore: Vec<[f32; 4]>,
}

#[derive(Deserialize)]
struct LineFace {
    bbox: [f32; 4],
    points: [[f32; 2]; 5],
    score: f32,
}

/// Reads a list of labels: a JSON object a line with `file`, `width`, `height`, `faces` (`bbox` left, top, right, bottom, five
/// `points`, `score`) and `ignore` boxes. Other keys are left alone.
pub fn read(list: &Path) -> Result<Vec<Labels>> {
    parse(&std::fs::read_to_string(list).map_err(Error::file(list))?, list)
}

fn parse(text: &str, list: &Path) -> Result<Vec<Labels>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let labels = lines.map(|(index, line)| {
        let fail = |reason: String| Error::data(format!("{}, line {}", list.display(), index + 1), reason);
        let line: Line = serde_json::from_str(line).map_err(|error| fail(error.to_string()))?;
        labels(line).map_err(|reason| fail(format!("{reason}: correct the line or leave it out")))
    });
    labels.collect()
}

fn labels(line: Line) -> Result<Labels, String> {
    let Line { file, width, height, faces, ignore } = line;
    if file.is_empty() || Path::new(&file).components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
        return Err(format!("{file:?} is no file name within the folder"));
    }
    let rect = |[left, top, right, bottom]: [f32; 4]| {
        let sound = [left, top, right, bottom].iter().all(|v| v.abs() < 1e6) && left < right && top < bottom;
        sound.then(|| Rect::new(left, top, right, bottom)).ok_or_else(|| "a box without area".to_owned())
    };
    let mut labels = Labels { file, width, height, faces: Vec::new(), ignored: Vec::new() };
    for face in faces {
        if face.points.iter().flatten().any(|v| !(v.abs() < 1e6)) {
            return Err("a point that is nowhere".into());
        }
        let (rect, points) = (rect(face.bbox)?, face.points.map(|[x, y]| Point::new(x, y)));
        if face.score >= LEAST_SCORE {
            labels.faces.push(LabelledFace { rect, points });
        } else {
            labels.ignored.push(rect);
        }
    }
    for place in ignore {
        labels.ignored.push(rect(place)?);
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face() -> LabelledFace {
        let points = [(14.0, 20.0), (26.0, 20.0), (20.0, 26.0), (15.0, 32.0), (25.0, 32.0)];
        LabelledFace { rect: Rect::new(10.0, 10.0, 30.0, 40.0), points: points.map(|(x, y)| Point::new(x, y)) }
    }

    #[test]
    fn a_mirror_exchanges_left_and_right() {
        let seen = face().mirrored(100);
        assert_eq!(seen.rect, Rect::new(69.0, 10.0, 89.0, 40.0));
        assert_eq!(seen.points[0], Point::new(73.0, 20.0), "what was the right eye lies on the left");
        assert!(seen.points[0].x < seen.points[1].x && seen.points[3].x < seen.points[4].x);
        assert_eq!(seen.mirrored(100), face());
    }

    #[test]
    fn a_quarter_turn_exchanges_width_and_height() {
        let map = Similarity { a: 0.0, b: 2.0, tx: 100.0, ty: 0.0 };
        // (x, y) goes to (100 − 2y, 2x): the centre (20, 25) to (50, 40), 20 × 30 to 60 × 40.
        let carried = face().carried(&map);
        assert_eq!(carried.rect, Rect::new(20.0, 20.0, 80.0, 60.0));
        assert_eq!(carried.points[2], Point::new(48.0, 40.0));
        assert_eq!(carried.lean(), 90.0);
    }

    #[test]
    fn a_circle_keeps_its_size_at_any_turn() {
        let turned = carried(&Rect::new(-5.0, -5.0, 5.0, 5.0), &Similarity { a: 0.8, b: 0.6, tx: 0.0, ty: 0.0 });
        assert!((turned.width() - 10.0).abs() < 1e-5 && (turned.height() - 10.0).abs() < 1e-5, "{turned:?}");
    }

    #[test]
    fn what_is_not_certain_is_to_be_ignored() {
        let text = r#"{"file": "a.png", "width": 9, "height": 8, "source": "x", "ignore": [[0, 0, 2, 2]], "faces": [
            {"bbox": [1, 1, 5, 6], "points": [[1, 2], [3, 2], [2, 3], [1, 4], [3, 4]], "score": 0.6, "label": "mask"},
            {"bbox": [2, 1, 6, 6], "points": [[1, 2], [3, 2], [2, 3], [1, 4], [3, 4]], "score": 0.59}]}"#;
        let labels = parse(&text.replace('\n', " "), Path::new("list")).expect("labels");
        assert_eq!((labels[0].faces.len(), labels[0].faces[0].rect), (1, Rect::new(1.0, 1.0, 5.0, 6.0)));
        assert_eq!(labels[0].ignored, [Rect::new(2.0, 1.0, 6.0, 6.0), Rect::new(0.0, 0.0, 2.0, 2.0)]);
    }

    #[test]
    fn a_line_that_is_no_label_is_named() {
        let faces = |bbox: &str| {
            format!(
                r#"{{"file": "a", "width": 9, "height": 8, "faces": [{{"bbox": {bbox}, "points": [[1,2],[3,2],[2,3],[1,4],[3,4]], "score": 1}}]}}"#
            )
        };
        let of = |file: &str| format!(r#"{{"file": "{file}", "width": 9, "height": 8, "faces": []}}"#);
        for bad in ["x".into(), "{}".into(), of("../a"), of("/a"), of(""), faces("[5, 1, 1, 6]"), faces("[0, 0, 1e30, 1]")] {
            let error = parse(&format!("{}\n{bad}", of("a")), Path::new("some.jsonl")).expect_err(&bad).to_string();
            assert!(error.contains("some.jsonl, line 2"), "{error}");
        }
    }
}
