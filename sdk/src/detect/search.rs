//! Where to look for faces, and how long.
//!
//! A network reads faces of a range of sizes: both heads find nearly all of those that are [`READABLE`] or more pixels high in the
//! network's input, and none below a third of that (`docs/detection.md` has the table). So a frame is looked at in levels. The first
//! shows it whole. Each further level doubles the scale and cuts the frame into overlapping windows, until the smallest face that is
//! looked for is readable.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::geometry::Similarity;

use super::letterbox::{Size, Turn, centred, whole};

/// The height of a face in the network's input, in pixels, from which it is reliably found.
pub(super) const READABLE: f64 = 32.0;

/// By how much windows of a level overlap, in pixels of the input: the largest face that the level before could miss, with a margin.
const OVERLAP: f64 = 2.0 * READABLE + 16.0;

/// The most windows of a level. Finer levels of a larger frame are left out: it bounds the work on frames beyond 200 megapixels.
const MOST_WINDOWS: usize = 4096;

/// The share of the input's side from which a face counts in the look at the frame at half size: there it fills half of the frame.
const OVERFULL: f64 = 0.25;

/// The sense and angle of the looks for leaning heads: the 3-4-5 triangle's 36.87°, with which ±45° leaves 8°.
const LEANS: [Turn; 2] = [Turn { cos: 0.8, sin: 0.6 }, Turn { cos: 0.8, sin: -0.6 }];

/// Leaning heads are looked for on the whole frame and on this many finer levels: down to 1/28 of the longer side.
const LEANING_LEVELS: usize = 2;

/// Where to look for faces, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    smallest_face: f64,
    stop: Stop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stop {
    AfterOneLook,
    WhenFound,
    AtTheEnd,
}

impl Default for Search {
    fn default() -> Search {
        Search::nearest()
    }
}

impl Search {
    /// For verification: the largest faces. The whole frame comes first; leaning heads and finer levels, down to faces 40 pixels
    /// high, only as long as nothing is found.
    pub const fn nearest() -> Search {
        Search { smallest_face: 40.0, stop: Stop::WhenFound }
    }

    /// For a camera stream: one look at the whole frame, which finds upright faces from a tenth of its longer side. The work is the
    /// same for every frame.
    pub const fn glance() -> Search {
        Search { smallest_face: 40.0, stop: Stop::AfterOneLook }
    }

    /// For group photos: every face down to 40 pixels high. Windows grow with the picture's pixels: about 23 a megapixel for an input
    /// of 320×320.
    pub const fn every_face() -> Search {
        Search { smallest_face: 40.0, stop: Stop::AtTheEnd }
    }

    /// The same search for faces from this height in pixels; below 16 counts as 16. Twice the height is a quarter of the work.
    pub fn down_to(self, pixels: f64) -> Search {
        Search { smallest_face: pixels.max(16.0), ..self }
    }

    pub(super) fn looks_again(&self) -> bool {
        self.stop != Stop::AfterOneLook
    }

    pub(super) fn goes_on(&self, found_one: bool) -> bool {
        match self.stop {
            Stop::AfterOneLook => false,
            Stop::WhenFound => !found_one,
            Stop::AtTheEnd => true,
        }
    }

    /// What to look at, in turn: fills `windows` with the look of this number; `false` behind the last. After each the search may end.
    pub(super) fn look(&self, number: usize, frame: Size, input: Size, windows: &mut Vec<Window>) -> bool {
        windows.clear();
        let any = 0.0..f64::INFINITY;
        match number {
            0 => windows.push(Window::of_all(whole(frame, input, 1.0, Turn::NONE), any)),
            1 => windows.extend(LEANS.map(|lean| Window::of_all(whole(frame, input, 1.0, lean), any.clone()))),
            2 => {
                let overfull = input.height.min(input.width) * OVERFULL..f64::INFINITY;
                windows.push(Window::of_all(whole(frame, input, 0.5, Turn::NONE), overfull));
            }
            _ => {
                let level = (number - 3) / 2;
                let Some(step) = self.step(level, whole(frame, input, 1.0, Turn::NONE).scale()) else { return false };
                if number % 2 == 1 {
                    tiles(frame, input, step, Turn::NONE, windows);
                } else if level < LEANING_LEVELS {
                    LEANS.iter().for_each(|lean| tiles(frame, input, step, *lean, windows));
                }
            }
        }
        true
    }

    /// Frame pixels a pixel of the input on a finer level: half of those of the level before, at last those at which the smallest face is
    /// readable. `first` is that of the whole frame.
    fn step(&self, level: usize, first: f64) -> Option<f64> {
        let finest = self.smallest_face / READABLE;
        let halved = |level: usize| first / 2f64.powi(level.min(64) as i32);
        match () {
            _ if halved(level + 1) > finest => Some(halved(level + 1)),
            // One level more, when there was anything to halve.
            _ if first > finest && (level == 0 || halved(level) > finest) => Some(finest),
            _ => None,
        }
    }
}

/// A part of the frame as it lies in the network's input.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Window {
    /// From the input's pixels to the frame's.
    pub to_frame: Similarity,
    /// Whether a neighbouring window goes on at the left, right, top and bottom: a face cut there is the neighbour's.
    pub goes_on: [bool; 4],
    /// The heights of a face, in the input's pixels, that this window is for; others are for other levels.
    pub heights: Range<f64>,
}

impl Window {
    pub(super) fn of_all(to_frame: Similarity, heights: Range<f64>) -> Window {
        Window { to_frame, goes_on: [false; 4], heights }
    }
}

/// Adds windows of `step` frame pixels a pixel that cover the frame, overlapping by at least [`OVERLAP`].
fn tiles(frame: Size, input: Size, step: f64, turn: Turn, all: &mut Vec<Window>) {
    let across = (frame.width * turn.cos.abs() + frame.height * turn.sin.abs()) / step;
    let down = (frame.width * turn.sin.abs() + frame.height * turn.cos.abs()) / step;
    let (columns, rows) = (offsets(across, input.width), offsets(down, input.height));
    let (middle_x, middle_y) = ((frame.width - 1.0) / 2.0, (frame.height - 1.0) / 2.0);
    if columns.len().saturating_mul(rows.len()) > MOST_WINDOWS {
        return;
    }
    for (row, dy) in rows.iter().enumerate() {
        for (column, dx) in columns.iter().enumerate() {
            let x = middle_x + step * (turn.cos * dx - turn.sin * dy);
            let y = middle_y + step * (turn.sin * dx + turn.cos * dy);
            let to_frame = centred(x, y, input, step, turn);
            if meets(&to_frame, input, frame) {
                let goes_on = [column > 0, column + 1 < columns.len(), row > 0, row + 1 < rows.len()];
                all.push(Window { to_frame, goes_on, heights: 0.0..2.0 * OVERLAP });
            }
        }
    }
}

/// The middles of evenly spread windows of length `window` over `length`, relative to its middle.
fn offsets(length: f64, window: f64) -> Vec<f64> {
    if length <= window {
        return vec![0.0];
    }
    // A network whose input is hardly wider than the overlap gets windows that touch instead.
    let stride = if window > 2.0 * OVERLAP { window - OVERLAP } else { window };
    let count = ((length - window) / stride).ceil().min(1e6) as usize + 1;
    let spread = length - window;
    (0..count).map(|i| spread * (i as f64 / (count - 1) as f64 - 0.5)).collect()
}

/// Whether a turned window shows any of the frame: the corners of the frame's surrounding box show none.
fn meets(to_frame: &Similarity, input: Size, frame: Size) -> bool {
    let corners = [(0.0, 0.0), (input.width, 0.0), (0.0, input.height), (input.width, input.height)];
    let at = corners.map(|(x, y)| (to_frame.a * x - to_frame.b * y + to_frame.tx, to_frame.b * x + to_frame.a * y + to_frame.ty));
    let range = |of: &dyn Fn(&(f64, f64)) -> f64| {
        at.iter().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
    };
    let ((left, right), (top, bottom)) = (range(&|p| p.0), range(&|p| p.1));
    right > 0.0 && left < frame.width && bottom > 0.0 && top < frame.height
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const INPUT: Size = Size { width: 320.0, height: 320.0 };

    fn size(width: f64, height: f64) -> Size {
        Size { width, height }
    }

    fn looks(search: Search, frame: Size) -> Vec<Vec<Window>> {
        let look = |number: usize| {
            let mut windows = Vec::new();
            search.look(number, frame, INPUT, &mut windows).then_some(windows)
        };
        (0..).map_while(look).filter(|windows| !windows.is_empty()).collect()
    }

    fn all(search: Search, frame: Size) -> Vec<Window> {
        looks(search, frame).concat()
    }

    /// Where a position of the frame lies in the window's input.
    fn seen_at(window: &Window, x: f64, y: f64) -> (f64, f64) {
        let map = window.to_frame.inverse().unwrap();
        (map.a * x - map.b * y + map.tx, map.b * x + map.a * y + map.ty)
    }

    #[test]
    fn the_first_look_shows_the_whole_frame() {
        let first = looks(Search::nearest(), size(1920.0, 1080.0)).swap_remove(0);
        let [window] = &first[..] else { panic!("{first:?}") };
        assert_eq!((window.to_frame.a, window.to_frame.b), (6.0, 0.0));
        let (left, top) = seen_at(window, -0.5, -0.5);
        assert!((left + 0.5).abs() < 1e-9 && (top - 69.5).abs() < 1e-9, "{left} {top}");
    }

    #[test]
    fn only_the_search_for_every_face_goes_on_after_one() {
        assert!(!Search::nearest().goes_on(true) && Search::nearest().goes_on(false));
        assert!(!Search::glance().goes_on(true) && !Search::glance().goes_on(false));
        assert!(Search::every_face().goes_on(true) && Search::every_face().goes_on(false));
    }

    #[test]
    fn the_finest_level_makes_the_smallest_face_readable() {
        for frame in [size(500.0, 400.0), size(1920.0, 1080.0), size(8000.0, 6000.0), size(60.0, 9000.0)] {
            let finest = all(Search::every_face(), frame).iter().map(|w| w.to_frame.scale()).fold(f64::INFINITY, f64::min);
            assert!((finest - 1.25).abs() < 1e-9, "{finest}");
        }
        // 400 pixels over an input of 320: a face of 40 is readable at once.
        assert_eq!(looks(Search::every_face(), size(400.0, 300.0)).len(), 3);
    }

    #[test]
    fn twice_the_height_is_about_a_quarter_of_the_work() {
        let frame = size(8000.0, 6000.0);
        let (fine, coarse) = (all(Search::every_face(), frame).len(), all(Search::every_face().down_to(80.0), frame).len());
        assert!((3.0..4.5).contains(&(fine as f64 / coarse as f64)), "{fine} {coarse}");
        assert!(fine < 24 * 48, "{fine} windows for 48 megapixels");
    }

    #[test]
    fn the_work_is_bounded_for_any_frame() {
        for frame in [size(4e9, 1.0), size(1.0, 4e9), size(4e9, 4e9), size(1.0, 1.0)] {
            assert!(all(Search::every_face().down_to(0.0), frame).len() < 20 * MOST_WINDOWS);
        }
    }

    proptest! {
        /// A face that a level is for lies whole in one of its windows, wherever it is.
        #[test]
        fn every_face_is_whole_in_some_window(
            width in 50.0..6000f64, height in 50.0..6000f64, x in 0.0..1f64, y in 0.0..1f64, part in 0.0..1f64
        ) {
            let frame = size(width, height);
            let largest = width.min(height);
            let face = (40.0 + part * 400.0).min(largest);
            let (x, y) = (x * (width - face) + face / 2.0, y * (height - face) + face / 2.0);
            let readable = all(Search::every_face(), frame).into_iter().any(|window| {
                let (cx, cy) = seen_at(&window, x, y);
                let half = face / window.to_frame.scale() / 2.0;
                let inside = |c: f64, side: f64| c - half >= -0.5 - 1e-6 && c + half <= side + 1e-6;
                window.to_frame.b == 0.0
                    && (2.0 * half >= READABLE - 1e-6 || face < 40.0)
                    && window.heights.contains(&(2.0 * half))
                    && inside(cx, INPUT.width)
                    && inside(cy, INPUT.height)
            });
            prop_assert!(readable, "{face} at {x} {y}");
        }
    }
}
