//! A camera stream: one face followed, what to tell the person, which frames to decide on.
//!
//! A [`Track`] has no camera, no clock and no network; it is a state machine that its caller feeds. For each frame:
//!
//! 1. [`Track::look`] says where to look for faces: everywhere, in a part of the frame, or not at all.
//! 2. [`Track::follow`] takes what was found and says which face is the one followed.
//! 3. [`Track::judge`] takes that face's quality, if it was seen, and says whether the frame is worth an embedding.
//! 4. [`Track::keep`] takes the embedding, and [`Track::score`] compares the best few with a reference.
//!
//! [`Track::guidance`] is what to tell the person meanwhile.
//!
//! # Following
//! Every coordinate of the box and the points has an alpha-beta filter, its β chosen for its α as Benedict and Bordner did (1962). The
//! filter predicts, smooths what an app draws, and gives the speed. What is embedded is cut at the points as detected: the pack was
//! calibrated on those.
//!
//! # Deciding
//! The score of a track is the **mean of its best frames' scores**, one comparison of the frames' plain mean with the reference. It is
//! not the best of them: that would give an impostor a draw for each frame. Nor is it the cosine of the mean's direction, which stretches
//! impostor scores as it stretches genuine ones. The mean spreads less than one score, so that a threshold's false-match rate holds; of
//! three photos it was a third of one photo's, where the best of them had 2.6 times as many (`docs/fusion.md`).
//!
//! Frames of two people are never mixed: when the face is lost or jumps, and when a frame's embedding does not resemble the kept ones, the
//! track begins anew and forgets them.

mod best;
mod guidance;
mod motion;
mod policy;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::embed::{Embedding, Score};
use crate::error::{Error, ErrorCode, Reason, Result};
use crate::face::Face;
use crate::geometry::{Point, Rect};
use crate::quality::Quality;

pub use best::BestFrame;
use best::{BestFrames, fitness};
pub use guidance::Guidance;
use motion::Motion;
pub use policy::TrackPolicy;

/// Where to look for faces in the next frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Look {
    /// Everywhere: nobody is followed, or it is time to see who else is there.
    Whole,
    /// In this part of the frame, three times as wide and high as the face is expected to be. Looking everywhere serves as well.
    Region(Rect),
    /// Nowhere: the face moves as predicted. Pass [`Found::NotLooked`] on.
    Nowhere,
}

/// The face that a track follows, in one frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Sighting {
    /// Nobody is followed.
    Nobody,
    /// The face was detected in this frame.
    Seen {
        /// As detected: align, measure and embed this one.
        face: Face,
        /// Smoothed over time: draw this one.
        smooth: Face,
    },
    /// It was not looked for, or not found yet again: where it is expected. For drawing only.
    Expected(Face),
}

/// What was found in a frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Found<'a> {
    /// These faces, maybe none, in the whole frame.
    Everywhere(&'a [Face]),
    /// These faces, maybe none, in the part that [`Look::Region`] named.
    InRegion(&'a [Face]),
    /// The frame was not looked at.
    NotLooked,
}

/// A face that was not seen for so long is not predicted further, however slow the camera.
const LONGEST_GAP: Duration = Duration::from_secs(2);

/// One face followed through a stream; see the module's page for the steps of a frame.
#[derive(Debug, Clone)]
pub struct Track {
    policy: TrackPolicy,
    now: Duration,
    frame: (u32, u32),
    followed: Option<Followed>,
    best: BestFrames,
    shown: Guidance,
    pending: Option<(Guidance, Duration)>,
    last_reasons: Vec<Reason>,
}

#[derive(Debug, Clone, Copy)]
struct Followed {
    motion: Motion,
    last: Face,
    seen_at: Duration,
    /// Detections in a row that lay where they were expected.
    steady: u32,
    frames_since_look: u32,
    frames_since_everywhere: u32,
    rivals: bool,
}

impl Track {
    /// A track that follows nobody yet.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] when the policy's number of frames is not 1…[`TrackPolicy::MAX_FRAMES`], it never looks, or one
    /// of its shares is not a number.
    pub fn new(policy: TrackPolicy) -> Result<Track> {
        let refuse = |what: &str| Err(Error::new(ErrorCode::InvalidArgument, format!("track policy: {what}")));
        if !(1..=TrackPolicy::MAX_FRAMES).contains(&policy.frames) {
            return refuse("`frames` is not 1 to 16");
        }
        if policy.look_every == 0 || policy.look_everywhere_every == 0 {
            return refuse("`look_every` and `look_everywhere_every` are at least 1");
        }
        let numbers = [policy.max_speed, policy.max_share, policy.max_offset, policy.rival_share, policy.same_person];
        if numbers.iter().any(|number| number.is_nan()) {
            return refuse("a number is not one");
        }
        Ok(Track {
            policy,
            now: Duration::ZERO,
            frame: (0, 0),
            followed: None,
            best: BestFrames::new(&policy),
            shown: Guidance::NoFace,
            pending: None,
            last_reasons: Vec::new(),
        })
    }

    /// Where to look for faces in the next frame.
    pub fn look(&self) -> Look {
        /// So many detections must have lain where they were expected before a frame is skipped.
        const STEADY: u32 = 3;
        let Some(followed) = &self.followed else { return Look::Whole };
        if followed.frames_since_everywhere.saturating_add(1) >= self.policy.look_everywhere_every {
            return Look::Whole;
        }
        if followed.steady >= STEADY && followed.frames_since_look.saturating_add(1) < self.policy.look_every {
            return Look::Nowhere;
        }
        let (face, centre) = (&followed.last.bounding_box, followed.last.bounding_box.center());
        let (half_width, half_height) = (1.5 * face.width(), 1.5 * face.height());
        let around = Rect::new(centre.x - half_width, centre.y - half_height, centre.x + half_width, centre.y + half_height);
        let region = around.intersection(&Rect::new(-0.5, -0.5, self.frame.0 as f32 - 0.5, self.frame.1 as f32 - 0.5));
        if region.area() >= 1.0 { Look::Region(region) } else { Look::Whole }
    }

    /// Takes what was found in a frame of this width and height. `at` is the frame's time since the stream's beginning; without timestamps,
    /// the frame's number over the rate. A time before the last one counts as the last one.
    ///
    /// Of several faces, a new track follows the one with the greatest box area less twice the squared distance from the middle.
    pub fn follow(&mut self, at: Duration, width: u32, height: u32, found: Found<'_>) -> Sighting {
        let at = at.max(self.now);
        let passed = at - self.now;
        // Another camera or orientation: the coordinates mean something else.
        let changed = self.frame != (width, height);
        (self.now, self.frame) = (at, (width, height));
        let sighting = match self.followed {
            Some(followed) if !changed && at - followed.seen_at <= LONGEST_GAP => self.go_on(followed, passed, found),
            Some(_) => {
                self.forget();
                None
            }
            None => None,
        };
        let sighting = sighting.unwrap_or_else(|| self.begin(found));
        if sighting == Sighting::Nobody {
            // The face was awaited for `lost_after` already.
            (self.shown, self.pending) = (Guidance::NoFace, None);
        }
        sighting
    }

    /// The followed face in this frame; `None` when it is lost.
    fn go_on(&mut self, mut followed: Followed, passed: Duration, found: Found<'_>) -> Option<Sighting> {
        followed.motion.predict(passed.as_secs_f32());
        followed.last = followed.motion.face(&followed.last);
        followed.frames_since_look = followed.frames_since_look.saturating_add(1);
        followed.frames_since_everywhere = followed.frames_since_everywhere.saturating_add(1);
        let faces = match found {
            Found::Everywhere(faces) | Found::InRegion(faces) => faces,
            Found::NotLooked => &[],
        };
        let same = followed.find(faces);
        if found != Found::NotLooked {
            followed.frames_since_look = 0;
            let everywhere = matches!(found, Found::Everywhere(_));
            if everywhere {
                followed.frames_since_everywhere = 0;
            }
            let eyes = self.policy.rival_share * same.unwrap_or(followed.last).landmarks.eye_distance();
            let is_rival = |face: &Face| same.as_ref() != Some(face) && face.landmarks.eye_distance() >= eyes;
            // A look at a part sees only that part: whoever was seen elsewhere may still be there.
            followed.rivals = faces.iter().any(is_rival) || (followed.rivals && !everywhere);
        }
        let unseen = self.now - followed.seen_at;
        let sighting = match same {
            Some(face) => {
                let surprise = followed.motion.correct(&face, unseen.as_secs_f32());
                let expected = surprise < 0.15 * face.landmarks.eye_distance();
                followed.steady = if expected { followed.steady.saturating_add(1) } else { 0 };
                followed.seen_at = self.now;
                followed.last = followed.motion.face(&face);
                Sighting::Seen { face, smooth: followed.last }
            }
            None if unseen >= self.policy.lost_after => {
                self.forget();
                return None;
            }
            None => {
                if found != Found::NotLooked {
                    followed.steady = 0;
                }
                Sighting::Expected(followed.last)
            }
        };
        self.followed = Some(followed);
        Some(sighting)
    }

    /// Takes the quality of a face that was [`Sighting::Seen`], with the reasons that the policy in force has against it. Gives a
    /// [`BestFrame`] when the frame is fit and there is room for it, or it is clearly better than what is kept: embed the face then and
    /// hand both to [`Track::keep`].
    pub fn judge(&mut self, quality: &Quality, reasons: &[Reason]) -> Option<BestFrame> {
        let followed = self.followed?;
        self.last_reasons.clear();
        self.last_reasons.extend_from_slice(reasons);
        let speed = followed.motion.speed() / followed.last.landmarks.eye_distance().max(1.0);
        let advice = self.advice(&followed, reasons, speed);
        self.show(advice);
        let fitness = fitness(quality, speed);
        // The advice of this frame counts, not the one that is shown: that one lags.
        if advice == Guidance::Good { self.best.wanted(&self.policy, fitness, self.now) } else { None }
    }

    /// What to tell the person now. It changes only when the new advice has held for [`TrackPolicy::settle`].
    pub fn guidance(&self) -> Guidance {
        self.shown
    }

    /// Keeps a frame's embedding among the best. When it does not resemble those kept, they are another person's: they are forgotten and
    /// the track begins anew with this one. A frame from before the track last began anew is left aside.
    ///
    /// # Errors
    /// [`ErrorCode::ModelMismatch`] or [`ErrorCode::InvalidEmbedding`] when it is of another model or dimension than those kept.
    pub fn keep(&mut self, frame: BestFrame, embedding: Embedding) -> Result<()> {
        self.keep_and_give_back(frame, embedding).map(|_| ())
    }

    /// The same; gives back an embedding that is not kept, whose memory serves again.
    pub(crate) fn keep_and_give_back(&mut self, frame: BestFrame, embedding: Embedding) -> Result<Option<Embedding>> {
        self.best.keep(&self.policy, frame, embedding)
    }

    /// Whether as many frames are kept as the policy asks for. A decision may be taken earlier, on fewer.
    pub fn is_ready(&self) -> bool {
        self.best.is_ready(&self.policy)
    }

    /// The embeddings of the best frames, for enrolment; the best first.
    pub fn embeddings(&self) -> Vec<&Embedding> {
        self.best.embeddings()
    }

    /// The comparison score of the person followed: the mean over the frames kept. Decide once, when [`Track::is_ready`]; asking again
    /// with every frame until it matches gives an impostor as many draws.
    ///
    /// # Errors
    /// [`ErrorCode::NoFace`] when nobody is followed and no frame is kept; [`ErrorCode::PoorQuality`], with the last frame's reasons,
    /// when no frame was fit yet; as [`Embedding::compare`] otherwise.
    pub fn score(&self, reference: &Embedding) -> Result<Score> {
        self.best.score(reference)?.ok_or_else(|| match self.followed {
            None => Error::new(ErrorCode::NoFace, "no face is followed"),
            Some(_) => Error::new(ErrorCode::PoorQuality, "no frame was fit yet").with_reasons(self.last_reasons.clone()),
        })
    }

    /// Begins anew: nobody is followed and nothing is kept. The clock goes on.
    pub fn reset(&mut self) {
        self.forget();
        (self.shown, self.pending) = (Guidance::NoFace, None);
    }

    fn forget(&mut self) {
        self.followed = None;
        self.best.forget();
        self.last_reasons.clear();
    }

    /// Begins to follow the face that is meant, if there is one.
    fn begin(&mut self, found: Found<'_>) -> Sighting {
        let (faces, everywhere) = match found {
            Found::Everywhere(faces) => (faces, true),
            Found::InRegion(faces) => (faces, false),
            Found::NotLooked => (&[][..], false),
        };
        let middle = Point::new((self.frame.0 as f32 - 1.0) / 2.0, (self.frame.1 as f32 - 1.0) / 2.0);
        let weight = |face: &Face| face.bounding_box.area() - 2.0 * face.bounding_box.center().distance(middle).powi(2);
        let meant = faces.iter().copied().reduce(|best, face| if weight(&face) > weight(&best) { face } else { best });
        let Some(face) = meant else { return Sighting::Nobody };
        let eyes = self.policy.rival_share * face.landmarks.eye_distance();
        self.followed = Some(Followed {
            motion: Motion::at(&face),
            last: face,
            seen_at: self.now,
            steady: 0,
            frames_since_look: 0,
            frames_since_everywhere: if everywhere { 0 } else { u32::MAX },
            rivals: faces.iter().filter(|other| other.landmarks.eye_distance() >= eyes).count() > 1,
        });
        Sighting::Seen { face, smooth: face }
    }

    /// The first thing to ask for.
    fn advice(&self, followed: &Followed, reasons: &[Reason], speed: f32) -> Guidance {
        let (width, height) = (self.frame.0 as f32, self.frame.1 as f32);
        let face = &followed.last.bounding_box;
        let centre = face.center();
        let own = [
            (Guidance::OnePersonOnly, followed.rivals),
            (Guidance::MoveBack, face.width().max(face.height()) > self.policy.max_share * width.min(height)),
            (
                Guidance::CentreFace,
                (centre.x - width / 2.0).abs() > self.policy.max_offset * width
                    || (centre.y - height / 2.0).abs() > self.policy.max_offset * height,
            ),
            (Guidance::HoldStill, speed > self.policy.max_speed),
        ];
        let own = own.into_iter().filter(|(_, applies)| *applies).map(|(advice, _)| advice);
        own.chain(reasons.iter().map(|reason| Guidance::of(*reason))).min_by_key(|advice| advice.rank()).unwrap_or(Guidance::Good)
    }

    /// Shows an advice once it has held, so that the words do not flicker.
    fn show(&mut self, advice: Guidance) {
        if advice == self.shown {
            self.pending = None;
            return;
        }
        let since = match self.pending {
            Some((pending, since)) if pending == advice => since,
            _ => self.now,
        };
        if self.now - since >= self.policy.settle {
            (self.shown, self.pending) = (advice, None);
        } else {
            self.pending = Some((advice, since));
        }
    }
}

impl Followed {
    /// The face that is this one: it overlaps where it is expected most, or lies near with a similar size.
    fn find(&self, faces: &[Face]) -> Option<Face> {
        let expected = &self.last.bounding_box;
        let side = expected.width().max(expected.height()).max(1.0);
        let closeness = |face: &Face| {
            let overlap = expected.iou(&face.bounding_box);
            let distance = expected.center().distance(face.bounding_box.center()) / side;
            let growth = face.bounding_box.width().max(face.bounding_box.height()) / side;
            let near = distance < 0.5 && (0.5..2.0).contains(&growth);
            (overlap >= 0.3 || near).then_some(overlap - distance)
        };
        let found = faces.iter().filter_map(|face| closeness(face).map(|close| (close, *face)));
        found.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, face)| face)
    }
}
