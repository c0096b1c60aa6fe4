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

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::embed::{Embedding, Score};
use crate::error::{Error, ErrorCode, Result};
use crate::face::{Face, Landmarks};
use crate::geometry::{Point, Rect};
use crate::quality::{Quality, Reason};

/// What to tell the person in front of the camera; the first that applies, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Guidance {
    /// No face is seen.
    NoFace,
    /// Someone else is about as near.
    OnePersonOnly,
    /// The face is too near.
    MoveBack,
    /// The face is too far.
    MoveCloser,
    /// The face is cut off, or far from the middle.
    CentreFace,
    /// The head is turned, tilted or leaning.
    LookStraight,
    /// Too dark.
    MoreLight,
    /// Too bright.
    LessLight,
    /// Moving or blurred.
    HoldStill,
    /// Something is before the face.
    UncoverFace,
    /// Nothing to ask for.
    Good,
}

impl Guidance {
    /// Every guidance, in the order in which the first that applies is given.
    pub const ALL: &'static [Guidance] = &[
        Guidance::NoFace,
        Guidance::OnePersonOnly,
        Guidance::MoveBack,
        Guidance::MoveCloser,
        Guidance::CentreFace,
        Guidance::LookStraight,
        Guidance::MoreLight,
        Guidance::LessLight,
        Guidance::HoldStill,
        Guidance::UncoverFace,
        Guidance::Good,
    ];

    /// The name, as JSON and the bindings have it.
    pub const fn name(self) -> &'static str {
        match self {
            Guidance::NoFace => "no_face",
            Guidance::OnePersonOnly => "one_person_only",
            Guidance::MoveBack => "move_back",
            Guidance::MoveCloser => "move_closer",
            Guidance::CentreFace => "centre_face",
            Guidance::LookStraight => "look_straight",
            Guidance::MoreLight => "more_light",
            Guidance::LessLight => "less_light",
            Guidance::HoldStill => "hold_still",
            Guidance::UncoverFace => "uncover_face",
            Guidance::Good => "good",
        }
    }

    /// The sentence to show.
    pub const fn sentence(self) -> &'static str {
        match self {
            Guidance::NoFace => "Look into the camera.",
            Guidance::OnePersonOnly => "Let only one person be in the picture.",
            Guidance::MoveBack => "Move back a little.",
            Guidance::MoveCloser => "Move closer.",
            Guidance::CentreFace => "Bring your face to the middle.",
            Guidance::LookStraight => "Look straight ahead, with your head upright.",
            Guidance::MoreLight => "Find more light.",
            Guidance::LessLight => "Avoid the strong light.",
            Guidance::HoldStill => "Hold still.",
            Guidance::UncoverFace => "Show your whole face.",
            Guidance::Good => "Good. Hold it.",
        }
    }

    /// What answers a reason of the quality policy.
    const fn of(reason: Reason) -> Guidance {
        match reason {
            Reason::SeveralFaces => Guidance::OnePersonOnly,
            Reason::TooSmall => Guidance::MoveCloser,
            Reason::CutByFrame => Guidance::CentreFace,
            Reason::TurnedSideways | Reason::TiltedUpOrDown | Reason::LeaningToShoulder => Guidance::LookStraight,
            Reason::TooDark | Reason::LowContrast => Guidance::MoreLight,
            Reason::TooBright => Guidance::LessLight,
            Reason::Blurred => Guidance::HoldStill,
            Reason::UncertainDetection => Guidance::UncoverFace,
        }
    }

    fn rank(self) -> usize {
        Guidance::ALL.iter().position(|one| *one == self).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for Guidance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

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

/// How a track follows and chooses. [`TrackPolicy::default`] has the stated values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrackPolicy {
    /// While the face is steady, look for it once in so many frames (3).
    pub look_every: u32,
    /// Once in so many frames, look at the whole frame (12).
    pub look_everywhere_every: u32,
    /// Forget a face that was looked for and not found for so long (0.5 s; never longer than 2 s).
    pub lost_after: Duration,
    /// Change what the person is told only when the new advice has held for so long (0.2 s).
    pub settle: Duration,
    /// The fastest that a frame to decide on may move, in distances between the eyes a second (1.5).
    pub max_speed: f32,
    /// The largest share of the frame's shorter side that the face's longer side may take (0.9).
    pub max_share: f32,
    /// The farthest that the face's centre may be from the frame's, as a share of the frame's width or height (0.3).
    pub max_offset: f32,
    /// Someone else is in the way when the distance between their eyes is at least this share of the followed face's (0.5).
    pub rival_share: f32,
    /// How many frames to decide on, 1…[`TrackPolicy::MAX_FRAMES`] (3).
    pub frames: usize,
    /// Embed frames at least so far apart (0.15 s): neighbours differ in little but noise.
    pub spacing: Duration,
    /// Begin anew when a frame's score against a kept one is below this (0.3): someone else took the place.
    pub same_person: f32,
}

impl TrackPolicy {
    /// The most frames that one decision takes.
    pub const MAX_FRAMES: usize = 16;
}

impl Default for TrackPolicy {
    fn default() -> TrackPolicy {
        TrackPolicy {
            look_every: 3,
            look_everywhere_every: 12,
            lost_after: Duration::from_millis(500),
            settle: Duration::from_millis(200),
            max_speed: 1.5,
            max_share: 0.9,
            max_offset: 0.3,
            rival_share: 0.5,
            frames: 3,
            spacing: Duration::from_millis(150),
            same_person: 0.3,
        }
    }
}

/// A frame that is worth an embedding. It serves once.
#[derive(Debug)]
pub struct BestFrame {
    fitness: f32,
    at: Duration,
    generation: u64,
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
    /// Counts the people followed: a frame of an earlier one is not kept.
    generation: u64,
    kept: Vec<Kept>,
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

#[derive(Debug, Clone)]
struct Kept {
    fitness: f32,
    at: Duration,
    embedding: Embedding,
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
            generation: 0,
            kept: Vec::with_capacity(policy.frames),
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
        let wanted = advice == Guidance::Good && self.is_wanted(fitness);
        wanted.then_some(BestFrame { fitness, at: self.now, generation: self.generation })
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
        if frame.generation != self.generation {
            return Ok(());
        }
        let scores = self.kept.iter().map(|kept| kept.embedding.compare(&embedding)).collect::<Result<Vec<_>>>()?;
        if scores.iter().any(|score| score.get() < self.policy.same_person) {
            self.kept.clear();
            self.generation += 1;
        }
        if self.kept.len() >= self.policy.frames
            && let Some(worst) = self.worst()
        {
            self.kept.swap_remove(worst);
        }
        self.kept.push(Kept { fitness: frame.fitness, at: frame.at, embedding });
        Ok(())
    }

    /// Whether as many frames are kept as the policy asks for. A decision may be taken earlier, on fewer.
    pub fn is_ready(&self) -> bool {
        self.kept.len() >= self.policy.frames
    }

    /// The embeddings of the best frames, for enrolment; the best first.
    pub fn embeddings(&self) -> Vec<&Embedding> {
        let mut kept: Vec<&Kept> = self.kept.iter().collect();
        kept.sort_by(|a, b| b.fitness.total_cmp(&a.fitness));
        kept.into_iter().map(|kept| &kept.embedding).collect()
    }

    /// The comparison score of the person followed: the mean over the frames kept. Decide once, when [`Track::is_ready`]; asking again
    /// with every frame until it matches gives an impostor as many draws.
    ///
    /// # Errors
    /// [`ErrorCode::NoFace`] when nobody is followed and no frame is kept; [`ErrorCode::PoorQuality`], with the last frame's reasons,
    /// when no frame was fit yet; as [`Embedding::compare`] otherwise.
    pub fn score(&self, reference: &Embedding) -> Result<Score> {
        if self.kept.is_empty() {
            return Err(match self.followed {
                None => Error::new(ErrorCode::NoFace, "no face is followed"),
                Some(_) => Error::new(ErrorCode::PoorQuality, "no frame was fit yet").with_reasons(self.last_reasons.clone()),
            });
        }
        let mut sum = 0f64;
        for kept in &self.kept {
            sum += f64::from(reference.compare(&kept.embedding)?.get());
        }
        Score::new((sum / self.kept.len() as f64) as f32)
    }

    /// Begins anew: nobody is followed and nothing is kept. The clock goes on.
    pub fn reset(&mut self) {
        self.forget();
        (self.shown, self.pending) = (Guidance::NoFace, None);
    }

    fn forget(&mut self) {
        self.followed = None;
        self.kept.clear();
        self.last_reasons.clear();
        self.generation += 1;
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

    /// Whether a fit frame is worth an embedding: there is room, or it is clearly better than the worst one kept.
    fn is_wanted(&self, fitness: f32) -> bool {
        /// What a better frame must gain to be worth the time of an embedding.
        const GAIN: f32 = 1.1;
        let last = self.kept.iter().map(|kept| kept.at).max();
        if last.is_some_and(|last| self.now - last < self.policy.spacing) {
            return false;
        }
        let worst = self.worst().and_then(|place| self.kept.get(place));
        !self.is_ready() || worst.is_some_and(|worst| fitness > GAIN * worst.fitness)
    }

    fn worst(&self) -> Option<usize> {
        let by_fitness = |a: &(usize, &Kept), b: &(usize, &Kept)| a.1.fitness.total_cmp(&b.1.fitness);
        self.kept.iter().enumerate().min_by(by_fitness).map(|(place, _)| place)
    }
}

/// Ranks the fit frames of a track, 0…1: large, frontal, sharp, steady and surely a face. The factors only order frames of one stream;
/// what is fit at all the quality policy says.
fn fitness(quality: &Quality, speed: f32) -> f32 {
    let size = (quality.eye_distance / 60.0).min(1.0);
    let frontal = quality.pose.yaw.to_radians().cos().max(0.0) * quality.pose.pitch.to_radians().cos().max(0.0);
    let sharp = quality.sharpness.max(0.0) / (quality.sharpness.max(0.0) + 0.05);
    let fitness = size * frontal * sharp * quality.detection_score.0.clamp(0.0, 1.0) / (1.0 + speed);
    if fitness.is_finite() { fitness } else { 0.0 }
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

/// Position and velocity of the box's four edges and the points' ten coordinates.
#[derive(Debug, Clone, Copy)]
struct Motion {
    position: [f32; 14],
    /// A second.
    velocity: [f32; 14],
}

impl Motion {
    /// How much of a surprise is believed. 0.6 halves the detector's noise and lags by a frame or so.
    const ALPHA: f32 = 0.6;
    /// Benedict and Bordner's β = α² / (2 − α).
    const BETA: f32 = Motion::ALPHA * Motion::ALPHA / (2.0 - Motion::ALPHA);
    /// Intervals of which a velocity is taken: shorter ones divide noise by next to nothing.
    const SHORTEST: f32 = 1.0 / 240.0;

    fn at(face: &Face) -> Motion {
        Motion { position: coordinates(face), velocity: [0.0; 14] }
    }

    fn predict(&mut self, seconds: f32) {
        for (position, velocity) in self.position.iter_mut().zip(&self.velocity) {
            *position += velocity * seconds;
        }
    }

    /// Takes a measurement, made `seconds` after the last one, at the predicted state. Returns how far off the points were on average, in
    /// pixels.
    fn correct(&mut self, face: &Face, seconds: f32) -> f32 {
        let measured = coordinates(face);
        let mut off = 0.0;
        for (place, ((position, velocity), measured)) in
            self.position.iter_mut().zip(&mut self.velocity).zip(measured).enumerate()
        {
            let surprise = measured - *position;
            *position += Motion::ALPHA * surprise;
            *velocity += Motion::BETA * surprise / seconds.max(Motion::SHORTEST);
            if place >= 4 {
                off += surprise.abs();
            }
        }
        // Ten coordinates of five points: the mean of the distances in x plus those in y.
        off / 5.0
    }

    /// How fast the points move together, in pixels a second.
    fn speed(&self) -> f32 {
        let points = self.velocity.last_chunk::<10>().map_or(&[][..], |points| points.as_chunks::<2>().0);
        let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), [dx, dy]| (x + dx / 5.0, y + dy / 5.0));
        f32::hypot(x, y)
    }

    /// The smoothed or predicted face. Should its points not be those of a face, which a wild motion may do, `otherwise` it is.
    fn face(&self, otherwise: &Face) -> Face {
        let [left, top, right, bottom, x0, y0, x1, y1, x2, y2, x3, y3, x4, y4] = self.position;
        let points = [Point::new(x0, y0), Point::new(x1, y1), Point::new(x2, y2), Point::new(x3, y3), Point::new(x4, y4)];
        match Landmarks::new(points) {
            Ok(landmarks) => Face { bounding_box: Rect::new(left, top, right, bottom), landmarks, score: otherwise.score },
            Err(_) => *otherwise,
        }
    }
}

fn coordinates(face: &Face) -> [f32; 14] {
    let Rect { left, top, right, bottom } = face.bounding_box;
    let [a, b, c, d, e] = *face.landmarks.points();
    [left, top, right, bottom, a.x, a.y, b.x, b.y, c.x, c.y, d.x, d.y, e.x, e.y]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::embed::ModelId;
    use crate::face::DetectionScore;
    use crate::quality::{Pose, QualityPolicy};

    const SIZE: (u32, u32) = (640, 480);

    /// An upright face around `x`, `y` whose eyes are `eyes` pixels apart: the proportions of the ArcFace template.
    fn face(x: f32, y: f32, eyes: f32) -> Face {
        let points = [(-0.5, -0.5), (0.5, -0.5), (0.0, 0.08), (-0.41, 0.66), (0.42, 0.66)];
        let points = points.map(|(dx, dy)| Point::new(x + eyes * dx, y + eyes * dy));
        Face {
            bounding_box: Rect::new(x - 1.1 * eyes, y - 1.4 * eyes, x + 1.1 * eyes, y + 1.4 * eyes),
            landmarks: Landmarks::new(points).unwrap(),
            score: DetectionScore(0.9),
        }
    }

    fn quality(face: &Face) -> Quality {
        Quality {
            eye_distance: face.landmarks.eye_distance(),
            sharpness: 0.2,
            exposure: 120.0,
            dynamic_range: 120.0,
            pose: Pose { yaw: 0.0, pitch: 0.0, roll: 0.0 },
            cut_off: 0.0,
            faces: 1,
            detection_score: face.score,
        }
    }

    fn person(direction: usize, noise: f32) -> Embedding {
        let mut values = vec![noise; 8];
        values[direction] = 1.0;
        Embedding::from_raw(ModelId::from_bytes([1; 32]), values).unwrap()
    }

    /// A camera of 30 frames a second and whoever stands before it.
    struct Stage {
        track: Track,
        frame: u64,
        looks: usize,
    }

    impl Stage {
        fn new(policy: TrackPolicy) -> Stage {
            Stage { track: Track::new(policy).unwrap(), frame: 0, looks: 0 }
        }

        /// One frame with these faces in it, of which the detector finds those where the track looks.
        fn show(&mut self, faces: &[Face]) -> Sighting {
            self.frame += 1;
            let at = Duration::from_secs_f64(self.frame as f64 / 30.0);
            let look = self.track.look();
            self.looks += usize::from(look != Look::Nowhere);
            let inside =
                |region: Rect| faces.iter().copied().filter(|f| region.intersection(&f.bounding_box) == f.bounding_box).collect();
            let seen: Vec<Face> = match look {
                Look::Region(region) => inside(region),
                _ => faces.to_vec(),
            };
            let found = match look {
                Look::Whole => Found::Everywhere(&seen),
                Look::Region(_) => Found::InRegion(&seen),
                Look::Nowhere => Found::NotLooked,
            };
            self.track.follow(at, SIZE.0, SIZE.1, found)
        }

        /// The whole of a frame: follow, measure, judge, embed as `who`.
        fn step(&mut self, faces: &[Face], who: &Embedding, change: impl Fn(&mut Quality)) -> Option<f32> {
            let Sighting::Seen { face, .. } = self.show(faces) else { return None };
            let mut quality = quality(&face);
            change(&mut quality);
            let best = self.track.judge(&quality, &QualityPolicy::enrol().check(&quality))?;
            let fitness = best.fitness;
            self.track.keep(best, who.clone()).unwrap();
            Some(fitness)
        }

        fn run(&mut self, frames: usize, faces: &[Face], who: &Embedding, change: impl Fn(&mut Quality) + Copy) {
            for _ in 0..frames {
                self.step(faces, who, change);
            }
        }
    }

    fn same(_: &mut Quality) {}

    #[test]
    fn a_steady_face_is_good_ready_and_rarely_looked_for() {
        let mut stage = Stage::new(TrackPolicy::default());
        assert_eq!(stage.track.guidance(), Guidance::NoFace);
        stage.run(90, &[face(320.0, 240.0, 60.0)], &person(0, 0.0), same);
        assert_eq!(stage.track.guidance(), Guidance::Good);
        assert!(stage.track.is_ready());
        // Three seconds: the first frames, then every third.
        assert!(stage.looks <= 33, "{} looks at 90 frames", stage.looks);
        assert_eq!(stage.track.score(&person(0, 0.0)).unwrap().get(), 1.0);
        assert_eq!(stage.track.embeddings().len(), 3);
    }

    #[test]
    fn each_fault_has_its_word() {
        type Fault = (Guidance, Face, fn(&mut Quality));
        let middle = face(320.0, 240.0, 60.0);
        let faults: [Fault; 10] = [
            (Guidance::MoveBack, face(320.0, 240.0, 170.0), same),
            (Guidance::MoveCloser, face(320.0, 240.0, 20.0), same),
            (Guidance::CentreFace, face(100.0, 240.0, 60.0), same),
            (Guidance::CentreFace, middle, |q| q.cut_off = 0.3),
            (Guidance::LookStraight, middle, |q| q.pose.yaw = -40.0),
            (Guidance::LookStraight, middle, |q| q.pose.pitch = 35.0),
            (Guidance::LookStraight, middle, |q| q.pose.roll = 45.0),
            (Guidance::MoreLight, middle, |q| q.exposure = 20.0),
            (Guidance::LessLight, middle, |q| q.exposure = 240.0),
            (Guidance::UncoverFace, middle, |q| q.detection_score = DetectionScore(0.3)),
        ];
        for (guidance, face, change) in faults {
            let mut stage = Stage::new(TrackPolicy::default());
            stage.run(30, &[face], &person(0, 0.0), change);
            assert_eq!(stage.track.guidance(), guidance);
            let error = stage.track.score(&person(0, 0.0)).unwrap_err();
            assert_eq!(error.code(), ErrorCode::PoorQuality, "{guidance:?} keeps no frame");
        }
        assert!(Guidance::ALL.iter().all(|guidance| guidance.sentence().ends_with('.')));
        for guidance in Guidance::ALL {
            assert_eq!(serde_json::to_value(guidance).unwrap(), guidance.name());
        }
    }

    #[test]
    fn nobody_is_nobody() {
        let mut stage = Stage::new(TrackPolicy::default());
        for _ in 0..30 {
            assert_eq!(stage.show(&[]), Sighting::Nobody);
            assert_eq!(stage.track.look(), Look::Whole);
        }
        assert_eq!(stage.track.guidance(), Guidance::NoFace);
        assert_eq!(stage.track.score(&person(0, 0.0)).unwrap_err().code(), ErrorCode::NoFace);
        assert!(stage.track.judge(&quality(&face(0.0, 0.0, 60.0)), &[]).is_none());
    }

    #[test]
    fn a_moving_face_is_followed_and_asked_to_hold_still() {
        let mut stage = Stage::new(TrackPolicy::default());
        for frame in 0..40 {
            // Four pixels a frame are two distances between the eyes a second.
            let sighting = stage.step(&[face(240.0 + 4.0 * frame as f32, 240.0, 60.0)], &person(0, 0.0), same);
            assert!(frame < 10 || sighting.is_none(), "frame {frame}");
        }
        assert_eq!(stage.track.guidance(), Guidance::HoldStill);
        // It was never taken for someone else: it is expected where it goes on.
        let at = match stage.show(&[face(400.0, 240.0, 60.0)]) {
            Sighting::Seen { smooth, .. } | Sighting::Expected(smooth) => smooth.bounding_box.center().x,
            Sighting::Nobody => panic!("lost"),
        };
        assert!((at - 400.0).abs() < 8.0, "{at}");
    }

    #[test]
    fn advice_that_does_not_hold_is_not_shown() {
        let mut stage = Stage::new(TrackPolicy::default());
        let faces = [face(320.0, 240.0, 60.0)];
        stage.run(30, &faces, &person(0, 0.0), same);
        // A blink of darkness, three frames of thirty a second.
        stage.run(3, &faces, &person(0, 0.0), |q| q.exposure = 10.0);
        assert_eq!(stage.track.guidance(), Guidance::Good);
        stage.run(30, &faces, &person(0, 0.0), |q| q.exposure = 10.0);
        assert_eq!(stage.track.guidance(), Guidance::MoreLight);
    }

    #[test]
    fn a_second_person_near_is_in_the_way_and_one_far_off_is_not() {
        let (near, far) = (face(150.0, 240.0, 40.0), face(560.0, 100.0, 20.0));
        let mut stage = Stage::new(TrackPolicy::default());
        stage.run(40, &[face(320.0, 240.0, 60.0), far], &person(0, 0.0), same);
        assert_eq!(stage.track.guidance(), Guidance::Good);
        stage.run(40, &[face(320.0, 240.0, 60.0), near, far], &person(0, 0.0), same);
        assert_eq!(stage.track.guidance(), Guidance::OnePersonOnly);
        stage.run(40, &[face(320.0, 240.0, 60.0), far], &person(0, 0.0), same);
        assert_eq!(stage.track.guidance(), Guidance::Good);
    }

    #[test]
    fn a_new_track_follows_the_large_face_in_the_middle_and_stays_with_it() {
        let (mine, other) = (face(300.0, 240.0, 50.0), face(560.0, 240.0, 52.0));
        let mut stage = Stage::new(TrackPolicy::default());
        for _ in 0..40 {
            match stage.show(&[other, mine]) {
                Sighting::Seen { face, .. } | Sighting::Expected(face) => {
                    assert!(face.bounding_box.center().distance(mine.bounding_box.center()) < 1.0)
                }
                Sighting::Nobody => panic!("lost"),
            }
        }
    }

    #[test]
    fn a_short_gap_keeps_the_frames_and_a_long_one_forgets_them() {
        let faces = [face(320.0, 240.0, 60.0)];
        let mut stage = Stage::new(TrackPolicy::default());
        stage.run(30, &faces, &person(0, 0.0), same);
        stage.run(8, &[], &person(0, 0.0), same);
        assert!(stage.track.is_ready());
        stage.run(3, &faces, &person(0, 0.0), same);
        assert!(stage.track.is_ready());
        stage.run(20, &[], &person(0, 0.0), same);
        assert_eq!(stage.track.score(&person(0, 0.0)).unwrap_err().code(), ErrorCode::NoFace);
        assert_eq!(stage.track.guidance(), Guidance::NoFace);
        assert_eq!(stage.track.look(), Look::Whole);
    }

    #[test]
    fn frames_of_two_people_are_never_mixed() {
        let faces = [face(320.0, 240.0, 60.0)];
        // Someone takes the place between two frames: the box goes on, the embedding does not.
        let mut stage = Stage::new(TrackPolicy { frames: 5, ..TrackPolicy::default() });
        stage.run(10, &faces, &person(0, 0.01), same);
        assert!(!stage.track.embeddings().is_empty() && !stage.track.is_ready());
        stage.run(60, &faces, &person(3, 0.01), same);
        assert!(stage.track.is_ready());
        assert!(stage.track.score(&person(0, 0.01)).unwrap().get() < 0.2);
        assert!(stage.track.score(&person(3, 0.01)).unwrap().get() > 0.99);
        // A frame that was judged before a new track began is not kept in it.
        let late = stage.track.judge(&Quality { sharpness: 9.0, ..quality(&faces[0]) }, &[]);
        stage.track.reset();
        if let Some(late) = late {
            stage.track.keep(late, person(0, 0.0)).unwrap();
        }
        assert!(stage.track.embeddings().is_empty());
    }

    #[test]
    fn another_camera_begins_anew() {
        let mut stage = Stage::new(TrackPolicy::default());
        stage.run(30, &[face(320.0, 240.0, 60.0)], &person(0, 0.0), same);
        let sighting = stage.track.follow(Duration::from_secs(2), 480, 640, Found::Everywhere(&[]));
        assert_eq!((sighting, stage.track.embeddings().len()), (Sighting::Nobody, 0));
    }

    #[test]
    fn the_best_frames_are_kept() {
        let mut stage = Stage::new(TrackPolicy { look_every: 1, ..TrackPolicy::default() });
        let faces = [face(320.0, 240.0, 60.0)];
        stage.run(30, &faces, &person(0, 0.3), |q| q.sharpness = 0.2);
        assert!(stage.track.is_ready());
        stage.run(30, &faces, &person(0, 0.0), |q| q.sharpness = 1.0);
        assert_eq!(stage.track.embeddings(), vec![&person(0, 0.0); 3]);
        // Once the best are kept, frames as good as they are not embedded again.
        let before = stage.track.clone();
        stage.run(30, &faces, &person(0, 0.2), |q| q.sharpness = 1.0);
        assert_eq!(stage.track.embeddings(), before.embeddings());
    }

    #[test]
    fn the_score_is_the_mean_of_the_frames_and_not_the_best() {
        let mut stage = Stage::new(TrackPolicy { look_every: 1, same_person: -1.0, ..TrackPolicy::default() });
        let faces = [face(320.0, 240.0, 60.0)];
        let people = [person(0, 0.0), person(1, 0.0), person(2, 0.0)];
        let mut turn = 0;
        for _ in 0..30 {
            turn += usize::from(stage.step(&faces, &people[turn % 3], same).is_some());
        }
        assert_eq!(turn, 3);
        assert!((stage.track.score(&people[1]).unwrap().get() - 1.0 / 3.0).abs() < 1e-6);
        let other = Embedding::from_raw(ModelId::from_bytes([2; 32]), vec![1.0; 8]).unwrap();
        assert_eq!(stage.track.score(&other).unwrap_err().code(), ErrorCode::ModelMismatch);
    }

    #[test]
    fn smoothing_halves_the_noise_of_a_face_that_holds_still() {
        let mut noise = 1u64;
        let mut next = || {
            noise = noise.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (noise >> 40) as f32 / (1 << 23) as f32 - 1.0
        };
        let mut stage = Stage::new(TrackPolicy { look_every: 1, ..TrackPolicy::default() });
        let (mut raw, mut smoothed) = (0.0, 0.0);
        for frame in 0..300 {
            let shaken = face(320.0 + next(), 240.0 + next(), 60.0);
            let Sighting::Seen { face: seen, smooth } = stage.show(&[shaken]) else { panic!("lost") };
            if frame > 20 {
                let off = |face: &Face| (face.landmarks.points()[2].x - 320.0).powi(2);
                (raw, smoothed) = (raw + off(&seen), smoothed + off(&smooth));
            }
        }
        // The variance of the position of an alpha-beta filter in noise (Benedict and Bordner): (2α² + 2β − 3αβ) / (α (4 − 2α − β)).
        let (a, b) = (Motion::ALPHA, Motion::BETA);
        let expected = (2.0 * a * a + 2.0 * b - 3.0 * a * b) / (a * (4.0 - 2.0 * a - b));
        assert!((smoothed / raw - expected).abs() < 0.1, "{} {expected}", smoothed / raw);
    }

    #[test]
    fn a_policy_that_cannot_be_followed_is_refused() {
        let wrong = [
            TrackPolicy { frames: 0, ..TrackPolicy::default() },
            TrackPolicy { frames: 17, ..TrackPolicy::default() },
            TrackPolicy { look_every: 0, ..TrackPolicy::default() },
            TrackPolicy { look_everywhere_every: 0, ..TrackPolicy::default() },
            TrackPolicy { max_speed: f32::NAN, ..TrackPolicy::default() },
        ];
        for policy in wrong {
            assert_eq!(Track::new(policy).unwrap_err().code(), ErrorCode::InvalidArgument);
        }
        let json = serde_json::to_string(&TrackPolicy::default()).unwrap();
        assert_eq!(serde_json::from_str::<TrackPolicy>(&json).unwrap(), TrackPolicy::default());
    }

    proptest! {
        #[test]
        fn any_stream_is_survived(
            steps in proptest::collection::vec(
                (0u64..5000, 0u8..3, proptest::collection::vec((-2000f32..2000.0, -2000f32..2000.0, 2f32..900.0), 0..4), 0usize..8),
                0..60,
            ),
            back in 0u64..10_000,
        ) {
            let mut track = Track::new(TrackPolicy::default()).unwrap();
            let mut now = back;
            for (passed, kind, faces, who) in steps {
                now += passed;
                let at = Duration::from_millis(if passed % 7 == 0 { now.saturating_sub(back) } else { now });
                let faces: Vec<Face> = faces.into_iter().map(|(x, y, eyes)| face(x, y, eyes)).collect();
                let found = match kind {
                    0 => Found::Everywhere(&faces),
                    1 => Found::InRegion(&faces),
                    _ => Found::NotLooked,
                };
                if let Look::Region(region) = track.look() {
                    prop_assert!(region.left >= -0.5 && region.right <= SIZE.0 as f32 && region.area() >= 1.0);
                }
                if let Sighting::Seen { face, smooth } = track.follow(at, SIZE.0, SIZE.1, found) {
                    prop_assert!(faces.contains(&face));
                    prop_assert!(smooth.bounding_box.left.is_finite());
                    if let Some(best) = track.judge(&quality(&face), &[]) {
                        track.keep(best, person(who, 0.05)).unwrap();
                    }
                }
                prop_assert!(track.embeddings().len() <= 3);
                // Whoever is kept, they are one person.
                let kept = track.embeddings();
                prop_assert!(kept.iter().all(|one| one.compare(kept[0]).unwrap().get() > 0.9));
            }
        }
    }
}
