//! Which frames of a stream to decide on: the best few of one person, and their mean score.

use std::time::Duration;

use super::TrackPolicy;
use crate::embed::{Embedding, Score};
use crate::error::Result;
use crate::quality::Quality;

/// A frame that is worth an embedding. It serves once.
#[derive(Debug)]
pub struct BestFrame {
    pub(super) fitness: f32,
    at: Duration,
    generation: u64,
}

/// The best frames of one person so far.
#[derive(Debug, Clone)]
pub(super) struct BestFrames {
    kept: Vec<Kept>,
    /// Counts the people: a frame of an earlier one is not kept.
    generation: u64,
}

#[derive(Debug, Clone)]
struct Kept {
    fitness: f32,
    at: Duration,
    embedding: Embedding,
}

impl BestFrames {
    pub(super) fn new(policy: &TrackPolicy) -> BestFrames {
        BestFrames { kept: Vec::with_capacity(policy.frames), generation: 0 }
    }

    /// A fit frame, if it is worth an embedding: there is room, or it is clearly better than the worst one kept.
    pub(super) fn wanted(&self, policy: &TrackPolicy, fitness: f32, now: Duration) -> Option<BestFrame> {
        /// What a better frame must gain to be worth the time of an embedding.
        const GAIN: f32 = 1.1;
        let last = self.kept.iter().map(|kept| kept.at).max();
        if last.is_some_and(|last| now - last < policy.spacing) {
            return None;
        }
        let worst = self.worst().and_then(|place| self.kept.get(place));
        let wanted = !self.is_ready(policy) || worst.is_some_and(|worst| fitness > GAIN * worst.fitness);
        wanted.then_some(BestFrame { fitness, at: now, generation: self.generation })
    }

    /// Takes a frame's embedding. When it does not resemble those kept, they are another person's and are forgotten.
    ///
    /// Gives back an embedding that is not kept, whose memory serves again.
    pub(super) fn keep(&mut self, policy: &TrackPolicy, frame: BestFrame, embedding: Embedding) -> Result<Option<Embedding>> {
        if frame.generation != self.generation {
            return Ok(Some(embedding));
        }
        let mut another = false;
        for kept in &self.kept {
            another |= kept.embedding.compare(&embedding)?.get() < policy.same_person;
        }
        if another {
            self.forget();
        }
        let worst = self.worst().filter(|_| self.is_ready(policy));
        let old = worst.map(|worst| self.kept.swap_remove(worst).embedding);
        self.kept.push(Kept { fitness: frame.fitness, at: frame.at, embedding });
        Ok(old)
    }

    pub(super) fn is_ready(&self, policy: &TrackPolicy) -> bool {
        self.kept.len() >= policy.frames
    }

    /// The best first.
    pub(super) fn embeddings(&self) -> Vec<&Embedding> {
        let mut kept: Vec<&Kept> = self.kept.iter().collect();
        kept.sort_by(|a, b| b.fitness.total_cmp(&a.fitness));
        kept.into_iter().map(|kept| &kept.embedding).collect()
    }

    /// The mean score against a reference; none when no frame is kept.
    pub(super) fn score(&self, reference: &Embedding) -> Result<Option<Score>> {
        let mut sum = 0f64;
        for kept in &self.kept {
            sum += f64::from(reference.compare(&kept.embedding)?.get());
        }
        if self.kept.is_empty() {
            return Ok(None);
        }
        Score::new((sum / self.kept.len() as f64) as f32).map(Some)
    }

    pub(super) fn forget(&mut self) {
        self.kept.clear();
        self.generation += 1;
    }

    fn worst(&self) -> Option<usize> {
        let by_fitness = |a: &(usize, &Kept), b: &(usize, &Kept)| a.1.fitness.total_cmp(&b.1.fitness);
        self.kept.iter().enumerate().min_by(by_fitness).map(|(place, _)| place)
    }
}

/// Ranks the fit frames of a track, 0…1: large, frontal, sharp, steady and surely a face. The factors only order frames of one stream;
/// what is fit at all the quality policy says.
pub(super) fn fitness(quality: &Quality, speed: f32) -> f32 {
    let size = (quality.eye_distance / 60.0).min(1.0);
    let frontal = quality.pose.yaw.to_radians().cos().max(0.0) * quality.pose.pitch.to_radians().cos().max(0.0);
    let sharp = quality.sharpness.max(0.0) / (quality.sharpness.max(0.0) + 0.05);
    let fitness = size * frontal * sharp * quality.detection_score.0.clamp(0.0, 1.0) / (1.0 + speed);
    if fitness.is_finite() { fitness } else { 0.0 }
}
