//! A second look at a face: upright and large in the network's input.
//!
//! Heads find faces that are small or lean, but place their points badly: off by a tenth of the distance from eyes to mouth and more,
//! pulled towards an upright face. Shown the same face upright and [`HEIGHT`] pixels high they place them three times as well, and
//! most of what is no face is not seen again. `docs/detection.md` has the measurements.

use crate::error::Result;
use crate::face::Landmarks;
use crate::frame::Frame;

use super::Detector;
use super::head::Candidate;
use super::letterbox::{Size, Turn, centred, whole};
use super::nms::same_face;
use super::search::Window;

/// The cosine of the lean up to which points are precise: 10°.
const CLEAR_COS: f64 = 0.985;

/// The height in the input at which a face is looked at again, in pixels, and what counts as that face.
const HEIGHT: f64 = 200.0;

/// The share of the score threshold that suffices to be seen again. At the whole threshold a tenth of small, masked faces is lost; at
/// half of it hardly one is, and two thirds of what is no face still go.
const SCORE: f32 = 0.5;

/// Each look turns further towards upright, since the points of a leaning face make it seem to lean less.
const MOST_LOOKS: usize = 3;

/// The most faces of a frame that are looked at again. In a larger crowd the others keep the points of the first look.
pub(super) const MOST_FACES: usize = 64;

/// Whether the look at the whole frame already shows the face upright and at least `clear_height` pixels high in the input.
pub(super) fn is_clear(candidate: &Candidate, frame: Size, input: Size, clear_height: f64) -> bool {
    let step = whole(frame, input, 1.0, Turn::NONE).scale();
    f64::from(candidate.rect.height()) >= clear_height * step && lean(candidate).is_some_and(|turn| turn.cos >= CLEAR_COS)
}

/// The face as the second look shows it, with the better of both scores; `None` when it is not seen again.
pub(super) fn look_again(detector: &Detector, frame: &Frame<'_>, first: &Candidate) -> Result<Option<Candidate>> {
    let input = detector.input_size();
    let mut face = *first;
    for _ in 0..MOST_LOOKS {
        let Some(turn) = lean(&face) else { return Ok(None) };
        let centre = face.rect.center();
        let step = f64::from(face.rect.height()) / HEIGHT;
        let to_frame = centred(f64::from(centre.x), f64::from(centre.y), input, step, turn);
        let (mut seen, mut rgb) = (Vec::new(), Vec::new());
        let window = Window::of_all(to_frame, HEIGHT / 2.0..HEIGHT * 2.0);
        detector.look(frame, &window, detector.score_threshold * SCORE, &mut rgb, &mut seen)?;
        let overlap = |candidate: &Candidate| candidate.rect.iou(&face.rect);
        match seen.into_iter().max_by(|a, b| overlap(a).total_cmp(&overlap(b))) {
            Some(again) if same_face(&again, &face) => face = Candidate { score: again.score.max(face.score), ..again },
            _ => return Ok(None),
        }
        let still_leans = lean(&face).is_none_or(|now| now.cos * turn.cos + now.sin * turn.sin < CLEAR_COS);
        if !still_leans {
            break;
        }
    }
    Ok(Some(face))
}

/// The turn from an upright face to this one; `None` where the points are not a face's.
fn lean(candidate: &Candidate) -> Option<Turn> {
    let (cos, sin) = Landmarks::new(candidate.points).ok()?.lean();
    Some(Turn { cos, sin })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::align::AlignmentTemplate;
    use crate::geometry::{Point, Rect, Similarity};

    fn candidate(map: &Similarity, height: f32) -> Candidate {
        let points = AlignmentTemplate::ARCFACE.points().map(|p| map.apply(Point::new(p[0] as f32, p[1] as f32)));
        Candidate { rect: Rect::new(0.0, 0.0, height * 0.8, height), points, score: 0.9 }
    }

    #[test]
    fn large_and_upright_is_clear() {
        let (frame, input) = (Size { width: 640.0, height: 480.0 }, Size { width: 320.0, height: 320.0 });
        let leaning = Similarity { a: 0.8, b: 0.6, tx: 300.0, ty: 0.0 };
        assert!(is_clear(&candidate(&Similarity::IDENTITY, 192.0), frame, input, 96.0));
        assert!(!is_clear(&candidate(&Similarity::IDENTITY, 191.0), frame, input, 96.0), "half as high in the input");
        assert!(!is_clear(&candidate(&leaning, 192.0), frame, input, 96.0));
    }
}
