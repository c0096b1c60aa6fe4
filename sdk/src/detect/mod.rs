//! Letterbox → network → boxes and five points.
//!
//! [`Detector`] looks at the frame through windows (`search`), reads each with the [`HeadKind`] of its network, keeps the best of what
//! overlaps (`nms`), and looks again at what was small or leaning (`second_look`). Nothing is returned that is not a face with five
//! plausible points: there is no whole picture as a face.

mod choice;
mod head;
mod letterbox;
mod nms;
mod scrfd;
mod search;
mod second_look;
mod yunet;

pub use choice::FaceChoice;
pub use head::HeadKind;
pub use search::Search;

use std::sync::{Mutex, PoisonError};

use crate::error::Result;
use crate::face::{DetectionScore, Face, Landmarks};
use crate::frame::{Border, Frame};
use crate::geometry::{Rect, Similarity};
use crate::net::{Network, Output};
use crate::pack::{DetectorManifest, InputForm, Pack};

use head::Candidate;
use letterbox::Size;
use search::Window;

/// A network that finds faces, ready to run from any thread.
pub struct Detector {
    network: Network,
    input: InputForm,
    head: HeadKind,
    score_threshold: f32,
    /// What calls that go on write to, kept for the next ones.
    idle: Mutex<Vec<Scratch>>,
}

/// Memory of one call.
#[derive(Default)]
struct Scratch {
    rgb: Vec<u8>,
    windows: Vec<Window>,
    seen: Vec<Candidate>,
    found: Vec<Candidate>,
}

impl Detector {
    /// Prepares the network; outputs which do not fit the head are refused now.
    ///
    /// # Errors
    /// [`crate::ErrorCode::UnusableNetwork`].
    pub fn load(pack: &Pack) -> Result<Detector> {
        let manifest = &pack.manifest().detector;
        Detector::of(Network::of_pack(pack, &manifest.part, &manifest.input.shape())?, manifest)
    }

    /// The prepared form of the pack's network, by the name of its part; `None` when it runs on tract.
    pub(crate) fn prepare(pack: &Pack) -> Result<Option<(String, Vec<u8>)>> {
        let manifest = &pack.manifest().detector;
        Network::prepare_part(pack, &manifest.part, &manifest.input.shape())
    }

    fn of(network: Network, manifest: &DetectorManifest) -> Result<Detector> {
        let input = manifest.input;
        let (head, score_threshold) = (manifest.head, manifest.score_threshold);
        let detector = Detector { network, input, head, score_threshold, idle: Mutex::default() };
        let decode = |outputs: &[Output]| head.head().decode(outputs, input.width, input.height, 0.5, &mut Vec::new());
        detector.network.without_a_run(decode)??;
        Ok(detector)
    }

    /// The faces of a frame, the best score first; none is no error.
    ///
    /// # Errors
    /// [`crate::ErrorCode::NetworkFailed`].
    pub fn detect(&self, frame: &Frame<'_>, search: &Search) -> Result<Vec<Face>> {
        let mut faces = Vec::new();
        self.detect_into(frame, search, &mut faces)?;
        Ok(faces)
    }

    /// The same into a list that is used again: where the first look suffices, nothing is taken from the heap once one frame was seen.
    pub(crate) fn detect_into(&self, frame: &Frame<'_>, search: &Search, faces: &mut Vec<Face>) -> Result<()> {
        faces.clear();
        let mut scratch = self.scratch();
        let result = self.detect_with(frame, search, &mut scratch);
        faces.extend(scratch.found.iter().filter_map(face));
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        result
    }

    fn scratch(&self) -> Scratch {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    fn detect_with(&self, frame: &Frame<'_>, search: &Search, scratch: &mut Scratch) -> Result<()> {
        let size = Size { width: f64::from(frame.width()), height: f64::from(frame.height()) };
        let Scratch { rgb, windows, seen, found } = scratch;
        found.clear();
        let mut second_looks = second_look::MOST_FACES;
        for number in 0.. {
            if !search.look(number, size, self.input_size(), windows) {
                break;
            }
            if windows.is_empty() {
                continue;
            }
            seen.clear();
            for window in windows.iter() {
                self.look(frame, window, self.score_threshold, rgb, seen)?;
            }
            nms::suppress(seen);
            for candidate in seen.iter() {
                if found.iter().any(|face| nms::same_face(face, candidate) || nms::lies_on(face, candidate)) {
                    continue;
                }
                let clear = || second_look::is_clear(candidate, size, self.input_size(), self.head.head().clear_height());
                if search.looks_again() && second_looks > 0 && !clear() {
                    second_looks -= 1;
                    found.extend(second_look::look_again(self, frame, candidate)?);
                } else {
                    found.push(*candidate);
                }
            }
            nms::suppress(found);
            if !search.goes_on(!found.is_empty()) {
                break;
            }
        }
        Ok(())
    }

    fn input_size(&self) -> Size {
        Size { width: self.input.width as f64, height: self.input.height as f64 }
    }

    /// Appends the faces seen through one window, in pixels of the frame: candidates with plausible points that are not cut where a
    /// neighbouring window shows them whole.
    fn look(
        &self,
        frame: &Frame<'_>,
        window: &Window,
        min_score: f32,
        rgb: &mut Vec<u8>,
        found: &mut Vec<Candidate>,
    ) -> Result<()> {
        rgb.resize(self.input.width * self.input.height * 3, 0);
        frame.sample(&window.to_frame, self.input.width, self.input.height, Border::Constant([0, 0, 0]), rgb);
        let mut scratch = self.scratch();
        let seen = &mut scratch.found;
        seen.clear();
        let result = self.candidates(rgb, min_score, seen);
        let [left, right, top, bottom] = window.goes_on;
        let (width, height) = (self.input.width as f32, self.input.height as f32);
        seen.retain(|Candidate { rect, .. }| {
            let cut =
                left && rect.left < 0.0 || right && rect.right > width || top && rect.top < 0.0 || bottom && rect.bottom > height;
            !cut && window.heights.contains(&f64::from(rect.height()))
        });
        nms::suppress(seen);
        let carried = seen.iter().map(|candidate| carried(candidate, &window.to_frame));
        found.extend(carried.filter(|candidate| face(candidate).is_some()));
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        result
    }

    fn candidates(&self, rgb: &[u8], min_score: f32, found: &mut Vec<Candidate>) -> Result<()> {
        let (width, height) = (self.input.width, self.input.height);
        let decode = |outputs: &[Output]| self.head.head().decode(outputs, width, height, min_score, found);
        self.network.run(|input| self.input.write(rgb, input), decode)?
    }

    /// What runs where.
    pub(crate) fn plan(&self) -> Vec<String> {
        self.network.describe()
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

    fn load(onnx: &[u8], manifest: DetectorManifest) -> Result<Detector> {
        Detector::of(Network::load(onnx, &manifest.input.shape())?, &manifest)
    }

    fn detectors() -> Vec<Detector> {
        let files = [("models/scrfd_500m_bnkps_320.onnx", scrfd()), ("models/face_detection_yunet_2026may.onnx", yunet())];
        files.into_iter().filter_map(|(file, manifest)| Some(load(&shared(file)?, manifest).unwrap())).collect()
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
        for error in [load(&a, yunet()).err(), load(&b, scrfd()).err()] {
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
