//! SCRFD's head (Guo et al., "Sample and computation redistribution for efficient face detection", 2021), as insightface reads it.
//!
//! Two anchors a cell, one after the other. Score: already a sigmoid. Box: anchor ∓/± distance · stride, in the order left, top,
//! right, bottom. Point: anchor + kps · stride. The anchor is cell · stride.

use crate::error::Result;
use crate::geometry::{Point, Rect};
use crate::net::Output;

use super::head::{Candidate, Head, STRIDES, cells, unfit};

pub(super) struct Scrfd;

const ANCHORS: usize = 2;

impl Head for Scrfd {
    fn decode(&self, outputs: &[Output], width: usize, height: usize, min_score: f32, found: &mut Vec<Candidate>) -> Result<()> {
        for stride in STRIDES {
            // Exporters number these outputs; stride and kind follow from the shape, in which no two agree.
            let rows = (width / stride) * (height / stride) * ANCHORS;
            let shaped = |what: &str, columns: usize| {
                let mut fitting =
                    outputs.iter().filter(|o| o.shape.ends_with(&[rows, columns]) && o.values.len() == rows * columns);
                match (fitting.next(), fitting.next()) {
                    (Some(output), None) => Ok(&output.values),
                    (None, _) => {
                        Err(unfit("SCRFD", &format!("no output is [{rows}, {columns}], the {what} of stride {stride}"), outputs))
                    }
                    (Some(_), Some(_)) => Err(unfit("SCRFD", &format!("several outputs are [{rows}, {columns}]"), outputs)),
                }
            };
            let (scores, boxes) = (shaped("scores", 1)?, shaped("boxes", 4)?.as_chunks::<4>().0);
            let points = shaped("points", 10)?.as_chunks::<10>().0;
            let size = stride as f32;
            let anchors = cells(width, height, stride).flat_map(|cell| [cell; ANCHORS]);
            for ((((x, y), score), distances), kps) in anchors.zip(scores).zip(boxes).zip(points) {
                // Written so that a score that is no number is left out.
                if !(*score >= min_score) {
                    continue;
                }
                let (x, y) = (x * size, y * size);
                let [left, top, right, bottom] = distances.map(|d| d * size);
                let points = std::array::from_fn(|i| Point::new(x + kps[2 * i] * size, y + kps[2 * i + 1] * size));
                found.push(Candidate {
                    rect: Rect::new(x - left, y - top, x + right, y + bottom),
                    points,
                    score: score.min(1.0),
                });
            }
        }
        Ok(())
    }

    fn clear_height(&self) -> f64 {
        80.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    fn blank() -> Vec<Output> {
        let all = [1, 4, 10].iter().flat_map(|n| STRIDES.map(|s| ((64 / s) * (32 / s) * ANCHORS, *n)));
        all.enumerate()
            .map(|(i, (rows, n))| Output { name: (443 + i).to_string(), shape: vec![rows, n], values: vec![0.0; rows * n] })
            .collect()
    }

    #[test]
    fn an_anchor_is_read_by_the_published_formula() {
        let mut outputs = blank();
        // Stride 16 has 4 × 2 cells of two anchors; row 13 is the second anchor of cell 6, x = 2, y = 1.
        let of = |outputs: &mut Vec<Output>, columns: usize, values: &[f32]| {
            let output = outputs.iter_mut().find(|o| o.shape == [16, columns]).unwrap();
            output.values[13 * columns..][..columns].copy_from_slice(values);
        };
        of(&mut outputs, 1, &[0.75]);
        of(&mut outputs, 4, &[1.0, 0.5, 2.0, 1.5]);
        of(&mut outputs, 10, &[-0.5, 0.0, 1.0, 0.0, 0.25, 0.5, 0.0, 1.0, 1.0, 1.0]);
        // A batch axis before the rows, and another order, change nothing.
        outputs.reverse();
        outputs.iter_mut().for_each(|o| o.shape.insert(0, 1));
        let mut found = Vec::new();
        Scrfd.decode(&outputs, 64, 32, 0.5, &mut found).unwrap();
        let [c] = found[..] else { panic!("{found:?}") };
        assert_eq!((c.rect, c.score), (Rect::new(16.0, 8.0, 64.0, 40.0), 0.75));
        assert_eq!((c.points[0], c.points[2]), (Point::new(24.0, 16.0), Point::new(36.0, 24.0)));
    }

    #[test]
    fn outputs_of_another_network_are_refused_by_shape() {
        let mut missing = blank();
        missing.remove(8);
        let mut doubled = blank();
        doubled.push(Output { name: "again".into(), shape: vec![64, 1], values: vec![0.0; 64] });
        for (outputs, word) in [(missing, "[4, 10]"), (doubled, "several"), (Vec::new(), "[64, 1]")] {
            let error = Scrfd.decode(&outputs, 64, 32, 0.5, &mut Vec::new()).unwrap_err();
            assert_eq!(error.code(), ErrorCode::UnusableNetwork);
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
