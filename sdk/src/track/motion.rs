//! Where will the face be in the next frame? An alpha-beta filter over its box and points.

use crate::face::{Face, Landmarks};
use crate::geometry::{Point, Rect};

/// Position and velocity of the box's four edges and the points' ten coordinates.
#[derive(Debug, Clone, Copy)]
pub(super) struct Motion {
    position: [f32; 14],
    /// A second.
    velocity: [f32; 14],
}

impl Motion {
    /// How much of a surprise is believed. 0.6 halves the detector's noise and lags by a frame or so.
    pub(super) const ALPHA: f32 = 0.6;
    /// Benedict and Bordner's β = α² / (2 − α).
    pub(super) const BETA: f32 = Motion::ALPHA * Motion::ALPHA / (2.0 - Motion::ALPHA);
    /// Intervals of which a velocity is taken: shorter ones divide noise by next to nothing.
    const SHORTEST: f32 = 1.0 / 240.0;

    pub(super) fn at(face: &Face) -> Motion {
        Motion { position: coordinates(face), velocity: [0.0; 14] }
    }

    pub(super) fn predict(&mut self, seconds: f32) {
        for (position, velocity) in self.position.iter_mut().zip(&self.velocity) {
            *position += velocity * seconds;
        }
    }

    /// Takes a measurement, made `seconds` after the last one, at the predicted state. Returns how far off the points were on average, in
    /// pixels.
    pub(super) fn correct(&mut self, face: &Face, seconds: f32) -> f32 {
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
    pub(super) fn speed(&self) -> f32 {
        let points = self.velocity.last_chunk::<10>().map_or(&[][..], |points| points.as_chunks::<2>().0);
        let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), [dx, dy]| (x + dx / 5.0, y + dy / 5.0));
        f32::hypot(x, y)
    }

    /// The smoothed or predicted face. Should its points not be those of a face, which a wild motion may do, `otherwise` it is.
    pub(super) fn face(&self, otherwise: &Face) -> Face {
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
