//! Letterbox → network → boxes and five points.
//!
//! [`Detector`] looks through windows (see `search`) at the frame, reads each with the [`HeadKind`] of its network, and keeps the
//! best of what overlaps. Nothing is returned that is not a face with five plausible points: there is no whole picture as a face.

mod choice;
mod head;
mod letterbox;
mod nms;
mod scrfd;
mod search;
mod yunet;

pub use choice::FaceChoice;
pub use head::HeadKind;
pub use search::Search;

use crate::error::Result;
use crate::face::{DetectionScore, Face, Landmarks};
use crate::frame::{Border, Frame};
use crate::geometry::{Rect, Similarity};
use crate::net::Network;
use crate::pack::{DetectorManifest, InputForm, Pack};

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
    pub fn load(pack: &Pack) -> Result<Detector> {
        let manifest = &pack.manifest().detector;
        Detector::of(pack.bytes_of(&manifest.part), manifest)
    }

    fn of(onnx: &[u8], manifest: &DetectorManifest) -> Result<Detector> {
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
    pub fn detect(&self, frame: &Frame<'_>, search: &Search) -> Result<Vec<Face>> {
        let _ = search;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Photo;
    use crate::pack::{ColourOrder, Layout};

    /// A file of the shared folder, which lies beside the workspace; `None` where there is none.
    fn shared(path: &str) -> Option<Vec<u8>> {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(path);
        let bytes = std::fs::read(&file).ok();
        if bytes.is_none() {
            assert!(std::env::var("VERIFACE_REQUIRE_SHARED").as_deref() != Ok("1"), "{} is missing", file.display());
            eprintln!("skipped: no ../shared");
        }
        bytes
    }

    fn scrfd() -> DetectorManifest {
        let input = InputForm {
            width: 320,
            height: 320,
            layout: Layout::Nchw,
            colour: ColourOrder::Rgb,
            mean: [127.5; 3],
            scale: [1.0 / 128.0; 3],
        };
        DetectorManifest { part: "detector".into(), head: HeadKind::Scrfd, input, score_threshold: 0.5 }
    }

    fn yunet() -> DetectorManifest {
        let input = InputForm { colour: ColourOrder::Bgr, mean: [0.0; 3], scale: [1.0; 3], ..scrfd().input };
        DetectorManifest { head: HeadKind::Yunet, input, ..scrfd() }
    }

    fn detectors() -> Vec<Detector> {
        let files = [("models/scrfd_500m_bnkps_320.onnx", scrfd()), ("models/face_detection_yunet_2026may.onnx", yunet())];
        files.iter().filter_map(|(file, manifest)| Some(Detector::of(&shared(file)?, manifest).unwrap())).collect()
    }

    fn fixture(name: &str) -> Photo {
        Photo::open(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures").join(name)).unwrap()
    }

    #[test]
    fn portraits_have_one_face_with_the_nose_in_the_box() {
        for detector in detectors() {
            for name in ["collins.jpg", "biden.jpg", "obama-smiling.jpg", "obama-speaking.jpg"] {
                let photo = fixture(name);
                let faces = detector.detect(&photo.frame(), &Search::default()).unwrap();
                assert_eq!(faces.len(), 1, "{name} {faces:?}");
                let (face, nose) = (&faces[0], faces[0].landmarks.points()[2]);
                assert!(face.bounding_box.left < nose.x && nose.x < face.bounding_box.right, "{name} {face:?}");
                assert!(face.bounding_box.top < nose.y && nose.y < face.bounding_box.bottom, "{name} {face:?}");
            }
        }
    }

    #[test]
    fn a_detector_with_another_head_is_refused_at_load() {
        let (Some(a), Some(b)) = (shared("models/scrfd_500m_bnkps_320.onnx"), shared("models/face_detection_yunet_2026may.onnx"))
        else {
            return;
        };
        for error in [Detector::of(&a, &yunet()).err(), Detector::of(&b, &scrfd()).err()] {
            assert_eq!(error.unwrap().code(), crate::ErrorCode::UnusableNetwork);
        }
    }

    #[test]
    fn nothing_is_found_where_nothing_is() {
        let noise: Vec<u8> = (0..320 * 240 * 3u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        for detector in detectors() {
            for rgb in [&noise, &vec![0; noise.len()], &vec![255; noise.len()]] {
                let frame = Frame::rgb8(rgb, 320, 240, 960).unwrap();
                assert_eq!(detector.detect(&frame, &Search::default()).unwrap(), []);
            }
        }
    }
}
