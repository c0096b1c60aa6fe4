//! Greedy non-maximum suppression: of boxes that overlap, the one with the best score stays.

use super::head::Candidate;

/// Boxes that share more than this part of their union are one face: insightface's value.
pub(super) const SAME_FACE_IOU: f32 = 0.4;

/// The most candidates that are compared, the best first: OpenCV's `top_k`. It bounds the work on outputs that are all "face".
const MOST: usize = 5000;

/// Whether two candidates are one face.
pub(super) fn same_face(a: &Candidate, b: &Candidate) -> bool {
    a.rect.iou(&b.rect) > SAME_FACE_IOU
}

/// Whether a candidate lies on a face found before, from which it is at most half as high: a nose or a mouth taken for a face.
pub(super) fn lies_on(face: &Candidate, candidate: &Candidate) -> bool {
    let (centre, rect) = (candidate.rect.center(), &face.rect);
    let inside = (rect.left..rect.right).contains(&centre.x) && (rect.top..rect.bottom).contains(&centre.y);
    inside && candidate.rect.height() * 2.0 <= rect.height()
}

/// Leaves the best of every group of overlapping candidates, best first; those that are not finite go.
pub(super) fn suppress(candidates: &mut Vec<Candidate>) {
    candidates.retain(Candidate::is_finite);
    if candidates.len() > MOST {
        candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
        candidates.truncate(MOST);
    }
    // In place, since frames come by the dozen: the best of the rest moves to the front and takes its like out.
    let mut kept = 0;
    while kept < candidates.len() {
        let better = |best: usize, other: usize| {
            if candidates[other].score.total_cmp(&candidates[best].score).is_gt() { other } else { best }
        };
        let best = (kept..candidates.len()).reduce(better).unwrap_or(kept);
        candidates[kept..=best].rotate_right(1);
        let face = candidates[kept];
        kept += 1;
        let mut place = 0;
        candidates.retain(|candidate| {
            place += 1;
            place <= kept || !same_face(&face, candidate)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Point, Rect};
    use proptest::prelude::*;

    fn at(left: f32, score: f32) -> Candidate {
        Candidate { rect: Rect::new(left, 0.0, left + 10.0, 10.0), points: [Point::default(); 5], score }
    }

    #[test]
    fn the_best_of_overlapping_boxes_stays() {
        // Shifted by 4 of 10 the IoU is 6/14 = 0.43, by 5 it is 5/15 = 0.33.
        let mut candidates = vec![at(0.0, 0.8), at(4.0, 0.9), at(9.0, 0.7), at(40.0, 0.6), at(40.5, f32::NAN)];
        candidates[4].rect.left = f32::INFINITY;
        suppress(&mut candidates);
        assert_eq!(candidates.iter().map(|c| c.score).collect::<Vec<_>>(), [0.9, 0.7, 0.6]);
    }

    #[test]
    fn a_mouth_lies_on_its_face_and_a_neighbour_does_not() {
        let sized = |left: f32, side: f32| Candidate { rect: Rect::new(left, 0.0, left + side, side), ..at(0.0, 0.9) };
        assert!(lies_on(&sized(0.0, 100.0), &sized(30.0, 40.0)));
        for other in [sized(95.0, 40.0), sized(20.0, 60.0)] {
            assert!(!lies_on(&sized(0.0, 100.0), &other), "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn what_stays_is_apart_sorted_and_covers_what_went(boxes in proptest::collection::vec((0f32..100.0, 0f32..1.0), 0..60)) {
            let all: Vec<Candidate> = boxes.iter().map(|(left, score)| at(*left, *score)).collect();
            let mut kept = all.clone();
            suppress(&mut kept);
            prop_assert!(kept.windows(2).all(|w| w[0].score >= w[1].score));
            for (i, a) in kept.iter().enumerate() {
                prop_assert!(kept[..i].iter().all(|b| a.rect.iou(&b.rect) <= SAME_FACE_IOU));
            }
            for a in &all {
                prop_assert!(kept.iter().any(|b| b == a || (b.score >= a.score && b.rect.iou(&a.rect) > SAME_FACE_IOU)));
            }
        }
    }
}
