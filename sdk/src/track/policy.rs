//! How a track follows and chooses.

use std::time::Duration;

use serde::{Deserialize, Serialize};

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
