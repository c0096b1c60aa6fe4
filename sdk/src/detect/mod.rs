//! Letterbox → network → boxes and five points.
//!
//! [`Detector`] looks through windows (see `search`) at the frame, reads each with the [`HeadKind`] of its network, and keeps the
//! best of what overlaps. Nothing is returned that is not a face with five plausible points: there is no whole picture as a face.

mod choice;
mod head;
mod letterbox;
mod nms;
mod scrfd;
mod yunet;

pub use choice::FaceChoice;
pub use head::HeadKind;

use crate::error::Result;
use crate::face::{DetectionScore, Face, Landmarks};
use crate::frame::{Border, Frame};
use crate::geometry::{Rect, Similarity};
use crate::net::Network;
use crate::pack::{DetectorManifest, InputForm};

use head::Candidate;
use letterbox::{Size, Turn};

/// A network that finds faces, ready to run from any thread.
pub struct Detector {
    network: Network,
    input: InputForm,
    head: HeadKind,
    score_threshold: f32,
}

impl Detector {
    /// Prepares the network and runs it once on a blank picture, so that outputs which do not fit the head are refused now.
    ///
    /// # Errors
    /// [`crate::ErrorCode::UnusableNetwork`].
    pub(crate) fn load(onnx: &[u8], manifest: &DetectorManifest) -> Result<Detector> {
        let input = manifest.input;
        let network = Network::load(onnx, &input.shape())?;
        let detector = Detector { network, input, head: manifest.head, score_threshold: manifest.score_threshold };
        detector.candidates(&vec![0; input.width * input.height * 3], &mut Vec::new())?;
        Ok(detector)
    }

    /// The faces of a frame, the best score first; none is no error.
    ///
    /// # Errors
    /// [`crate::ErrorCode::NetworkFailed`].
    pub fn detect(&self, frame: &Frame<'_>) -> Result<Vec<Face>> {
        let size = Size { width: f64::from(frame.width()), height: f64::from(frame.height()) };
        let input = Size { width: self.input.width as f64, height: self.input.height as f64 };
        let mut found = Vec::new();
        self.look(frame, &letterbox::whole(size, input, 1.0, Turn::NONE), &mut found)?;
        nms::suppress(&mut found);
        Ok(found.iter().filter_map(face).collect())
    }

    /// Appends the candidates seen through one window, in pixels of the frame.
    fn look(&self, frame: &Frame<'_>, to_frame: &Similarity, found: &mut Vec<Candidate>) -> Result<()> {
        let mut rgb = vec![0; self.input.width * self.input.height * 3];
        frame.sample(to_frame, self.input.width, self.input.height, Border::Constant([0, 0, 0]), &mut rgb);
        let first = found.len();
        self.candidates(&rgb, found)?;
        for candidate in &mut found[first..] {
            *candidate = carried(candidate, to_frame);
        }
        Ok(())
    }

    fn candidates(&self, rgb: &[u8], found: &mut Vec<Candidate>) -> Result<()> {
        let mut input = Vec::new();
        self.input.append(rgb, &mut input);
        let outputs = self.network.run(&input)?;
        self.head.head().decode(&outputs, self.input.width, self.input.height, self.score_threshold, found)
    }
}

/// The candidate under a map. The box keeps its proportions and stays upright: its centre moves with the map and its sides grow with
/// the scale, because the box around a turned box would be larger than the face.
fn carried(candidate: &Candidate, map: &Similarity) -> Candidate {
    let centre = map.apply(candidate.rect.center());
    let grown = |side: f32| (f64::from(side) * map.scale() / 2.0) as f32;
    let (half_w, half_h) = (grown(candidate.rect.width()), grown(candidate.rect.height()));
    Candidate {
        rect: Rect::new(centre.x - half_w, centre.y - half_h, centre.x + half_w, centre.y + half_h),
        points: candidate.points.map(|p| map.apply(p)),
        score: candidate.score,
    }
}

/// The candidate as a face; `None` where its points are not those of one.
fn face(candidate: &Candidate) -> Option<Face> {
    let landmarks = Landmarks::new(candidate.points).ok()?;
    Some(Face { bounding_box: candidate.rect, landmarks, score: DetectionScore(candidate.score) })
}
