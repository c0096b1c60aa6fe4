//! YuNet's head (Wu, Peng, Yu, "YuNet: A tiny millisecond-level face detector", 2023), as OpenCV's `FaceDetectorYN` reads it.
//!
//! Per cell: score = √(cls · obj), both already sigmoids; centre = (cell + box₀₁) · stride; size = exp(box₂₃) · stride;
//! point = (cell + kps) · stride.

use crate::error::Result;
use crate::geometry::{Point, Rect};
use crate::net::Output;

use super::head::{Candidate, Head, STRIDES, cells, unfit};

pub(super) struct Yunet;

impl Head for Yunet {
    fn decode(&self, outputs: &[Output], width: usize, height: usize, min_score: f32, found: &mut Vec<Candidate>) -> Result<()> {
        for stride in STRIDES {
            let cell_count = (width / stride) * (height / stride);
            let named = |kind: &str, per_cell: usize| {
                let is_it = |o: &&Output| o.name.strip_prefix(kind).and_then(|n| n.parse().ok()) == Some(stride);
                match outputs.iter().find(is_it) {
                    Some(output) if output.values.len() == cell_count * per_cell => Ok(&output.values),
                    Some(_) => {
                        Err(unfit("YuNet", &format!("{kind}{stride} should hold {cell_count} × {per_cell} numbers"), outputs))
                    }
                    None => Err(unfit("YuNet", &format!("there is no output {kind}{stride}"), outputs)),
                }
            };
            let (classes, objects) = (named("cls_", 1)?, named("obj_", 1)?);
            let (boxes, points) = (named("bbox_", 4)?.as_chunks::<4>().0, named("kps_", 10)?.as_chunks::<10>().0);
            let size = stride as f32;
            let scores = classes.iter().zip(objects).map(|(c, o)| (c.clamp(0.0, 1.0) * o.clamp(0.0, 1.0)).sqrt());
            for ((((x, y), score), bbox), kps) in cells(width, height, stride).zip(scores).zip(boxes).zip(points) {
                // Written so that a score that is no number is left out.
                if !(score >= min_score) {
                    continue;
                }
                let (centre_x, centre_y) = ((x + bbox[0]) * size, (y + bbox[1]) * size);
                let (half_w, half_h) = (bbox[2].exp() * size / 2.0, bbox[3].exp() * size / 2.0);
                let rect = Rect::new(centre_x - half_w, centre_y - half_h, centre_x + half_w, centre_y + half_h);
                let points = std::array::from_fn(|i| Point::new((x + kps[2 * i]) * size, (y + kps[2 * i + 1]) * size));
                found.push(Candidate { rect, points, score });
            }
        }
        Ok(())
    }

    /// The published network pulls the points of a face 120 pixels high that leans by 30° to 12°, at 240 pixels to 22°.
    fn clear_height(&self) -> f64 {
        200.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;

    fn blank() -> Vec<Output> {
        let sizes = [("cls_", 1), ("obj_", 1), ("bbox_", 4), ("kps_", 10)];
        let all = sizes.iter().flat_map(|(kind, n)| STRIDES.map(|s| (format!("{kind}{s}"), (64 / s) * (32 / s), *n)));
        all.map(|(name, cells, n)| Output { name, shape: vec![1, cells, n], values: vec![0.0; cells * n] }).collect()
    }

    fn set(outputs: &mut [Output], name: &str, at: usize, values: &[f32]) {
        let output = outputs.iter_mut().find(|o| o.name == name).unwrap();
        output.values[at..at + values.len()].copy_from_slice(values);
    }

    #[test]
    fn a_cell_is_read_by_the_published_formula() {
        let mut outputs = blank();
        // 64 × 32 at stride 16 has 4 × 2 cells; cell 6 is x = 2, y = 1.
        set(&mut outputs, "cls_16", 6, &[0.81]);
        set(&mut outputs, "obj_16", 6, &[0.64]);
        set(&mut outputs, "bbox_16", 24, &[0.5, -0.25, 2f32.ln(), 0.0]);
        set(&mut outputs, "kps_16", 60, &[0.0, 0.0, 1.0, 0.0, 0.5, 0.5, 0.0, 1.0, 1.0, 1.0]);
        let mut found = Vec::new();
        Yunet.decode(&outputs, 64, 32, 0.5, &mut found).unwrap();
        let [c] = found[..] else { panic!("{found:?}") };
        assert!((c.score - 0.72).abs() < 1e-6);
        let expected = [24.0, 4.0, 56.0, 20.0];
        for (got, want) in [c.rect.left, c.rect.top, c.rect.right, c.rect.bottom].iter().zip(expected) {
            assert!((got - want).abs() < 1e-4, "{c:?}");
        }
        assert_eq!(c.points[1], Point::new(48.0, 16.0));
        assert_eq!(c.points[2], Point::new(40.0, 24.0));
    }

    #[test]
    fn outputs_are_found_by_name_whatever_their_order() {
        let mut outputs = blank();
        set(&mut outputs, "cls_8", 3, &[1.0]);
        set(&mut outputs, "obj_8", 3, &[1.0]);
        outputs.reverse();
        let mut found = Vec::new();
        Yunet.decode(&outputs, 64, 32, 0.5, &mut found).unwrap();
        assert_eq!(found[0].rect, Rect::new(20.0, -4.0, 28.0, 4.0));
    }

    #[test]
    fn scores_that_are_no_numbers_are_left_out() {
        let mut outputs = blank();
        set(&mut outputs, "cls_8", 0, &[f32::NAN; 32]);
        set(&mut outputs, "obj_8", 0, &[1.0; 32]);
        let mut found = Vec::new();
        Yunet.decode(&outputs, 64, 32, 0.1, &mut found).unwrap();
        assert!(found.is_empty());
    }

    #[test]
    fn outputs_of_another_network_are_refused_by_name() {
        let mut missing = blank();
        missing.retain(|o| o.name != "kps_32");
        let mut short = blank();
        short[0].values.pop();
        for (outputs, word) in [(missing, "kps_32"), (short, "cls_8"), (Vec::new(), "cls_8")] {
            let error = Yunet.decode(&outputs, 64, 32, 0.5, &mut Vec::new()).unwrap_err();
            assert_eq!(error.code(), ErrorCode::UnusableNetwork);
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
