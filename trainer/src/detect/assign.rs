//! Which cells answer for which face: SimOTA (Ge and others, YOLOX, arXiv 2107.08430, section 2.1), as YuNet uses it.
//!
//! A cell may answer for a face in whose box or near whose centre it lies. The cost of the pair is how badly the cell answers now. A
//! face gets as many cells as the sum of its ten best overlaps says, the cheapest ones; a cell that two faces want goes to the cheaper.

use veriface::Rect;

use super::grid::{self, Cell, NUMBERS};
use super::label::LabelledFace;

/// A cell within this many strides of a face's centre, in each direction, is near it.
const NEAR: f32 = 2.5;

/// Overlaps that are summed up.
const BEST: usize = 10;

/// What an overlap costs, relative to a score.
const OVERLAP_WEIGHT: f32 = 3.0;

/// What it costs to lie outside the box or far from its centre: more than any answer.
const OUTSIDE: f32 = 1e5;

/// A cell that answers for a face.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Positive {
    /// The cell's place in the grid.
    pub cell: usize,
    /// The face's place in the list.
    pub face: usize,
    /// Overlap of the box that it answers now with the face's, 0…1.
    pub iou: f32,
}

/// What every cell of a canvas should learn.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Assignment {
    /// By cell.
    pub positives: Vec<Positive>,
    /// Cells of which nothing is known.
    pub ignored: Vec<usize>,
}

/// Assigns cells by their present answers, [`NUMBERS`] a cell.
pub fn assign(cells: &[Cell], numbers: &[[f32; NUMBERS]], faces: &[LabelledFace], ignored: &[Rect]) -> Assignment {
    // For each cell the cheapest face that wants it.
    let mut owners: Vec<Option<(f32, Positive)>> = vec![None; cells.len().min(numbers.len())];
    for (index, face) in faces.iter().enumerate() {
        let mut wanted = candidates(cells, numbers, face, index);
        let mut overlaps: Vec<f32> = wanted.iter().map(|(_, positive)| positive.iou).collect();
        overlaps.sort_by(|a, b| b.total_cmp(a));
        let count = (overlaps.iter().take(BEST).sum::<f32>() as usize).max(1);
        wanted.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        for (cost, positive) in wanted.into_iter().take(count) {
            let owner = &mut owners[positive.cell];
            if owner.is_none_or(|(cheapest, _)| cost < cheapest) {
                *owner = Some((cost, positive));
            }
        }
    }
    let unknown = |(index, owner): (usize, &Option<_>)| {
        let at = cells[index].centre();
        let within = |place: &Rect| (place.left..place.right).contains(&at.x) && (place.top..place.bottom).contains(&at.y);
        (owner.is_none() && ignored.iter().any(within)).then_some(index)
    };
    let ignored = owners.iter().enumerate().filter_map(unknown).collect();
    Assignment { positives: owners.iter().flatten().map(|(_, positive)| *positive).collect(), ignored }
}

/// The cells that may answer for the face, with their costs.
fn candidates(cells: &[Cell], numbers: &[[f32; NUMBERS]], face: &LabelledFace, index: usize) -> Vec<(f32, Positive)> {
    let (rect, centre) = (&face.rect, face.rect.center());
    let mut wanted = Vec::new();
    for (at, (cell, numbers)) in cells.iter().zip(numbers).enumerate() {
        let place = cell.centre();
        let inside = rect.left < place.x && place.x < rect.right && rect.top < place.y && place.y < rect.bottom;
        let near = (place.x - centre.x).abs() < NEAR * cell.stride && (place.y - centre.y).abs() < NEAR * cell.stride;
        if !(inside || near) {
            continue;
        }
        let iou = cell.rect(numbers).iou(rect);
        let answer = -grid::score(numbers).max(1e-8).ln();
        let outside = if inside && near { 0.0 } else { OUTSIDE };
        let cost = answer - OVERLAP_WEIGHT * (iou + 1e-8).ln() + outside;
        wanted.push((cost, Positive { cell: at, face: index, iou }));
    }
    wanted
}

#[cfg(test)]
mod tests {
    use veriface::Point;

    use super::*;
    use crate::detect::grid::{BOX, CLASS, OBJECT};

    fn face(left: f32, top: f32, right: f32, bottom: f32) -> LabelledFace {
        LabelledFace { rect: Rect::new(left, top, right, bottom), points: [Point::default(); 5] }
    }

    /// Cells of 64 × 64 that answer boxes of `strides` strides around themselves, all with the same score.
    fn answers(strides: f32) -> (Vec<Cell>, Vec<[f32; NUMBERS]>) {
        let cells = grid::cells(64, 64);
        let mut numbers = [0.0; NUMBERS];
        numbers[BOX + 2..BOX + 4].fill(strides.ln());
        let all = vec![numbers; cells.len()];
        (cells, all)
    }

    fn at(cells: &[Cell], x: f32, y: f32, stride: f32) -> usize {
        cells.iter().position(|cell| *cell == Cell { x, y, stride }).expect("a cell")
    }

    #[test]
    fn the_best_fit_answers_for_the_face() {
        // Boxes of 4 strides: at stride 8 the cell (4, 4) answers exactly this face, at stride 16 one of four times its area.
        let (cells, numbers) = answers(4.0);
        let found = assign(&cells, &numbers, &[face(16.0, 16.0, 48.0, 48.0)], &[]).positives;
        let best = found.iter().max_by(|a, b| a.iou.total_cmp(&b.iou)).expect("one");
        assert_eq!((best.cell, best.face), (at(&cells, 4.0, 4.0, 8.0), 0));
        assert!((best.iou - 1.0).abs() < 1e-5);
        // Shifted by one cell: 24 · 32 / (2 · 1024 − 768) = 0.6; diagonally 24² / (2 · 1024 − 576) = 0.3913; by two cells 1 / 3, of which
        // the ten best hold one. 1 + 4 · 0.6 + 4 · 0.3913 + 1 / 3 = 5.3: five cells, the middle and its neighbours.
        let expected = [(4.0, 3.0), (3.0, 4.0), (4.0, 4.0), (5.0, 4.0), (4.0, 5.0)].map(|(x, y)| at(&cells, x, y, 8.0));
        assert_eq!(found.iter().map(|positive| positive.cell).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn of_cells_that_fit_equally_the_surer_one_answers() {
        // At stride 8 alone, boxes of half a stride overlap too little for more than one cell.
        let (cells, mut numbers) = answers(0.5);
        let sure = at(&cells, 3.0, 4.0, 8.0);
        numbers[sure][CLASS] = 3.0;
        numbers[sure][OBJECT] = 3.0;
        let found = assign(&cells[..64], &numbers[..64], &[face(20.0, 20.0, 44.0, 44.0)], &[]).positives;
        assert_eq!(found.iter().map(|positive| positive.cell).collect::<Vec<_>>(), [sure]);
    }

    #[test]
    fn a_cell_that_two_faces_want_goes_to_the_one_it_fits() {
        let (cells, numbers) = answers(4.0);
        let faces = [face(16.0, 16.0, 48.0, 48.0), face(18.0, 18.0, 46.0, 46.0)];
        let found = assign(&cells, &numbers, &faces, &[]).positives;
        let middle = at(&cells, 4.0, 4.0, 8.0);
        let owner = found.iter().find(|positive| positive.cell == middle).expect("owned");
        assert_eq!(owner.face, 0);
        let mut owned: Vec<usize> = found.iter().map(|positive| positive.cell).collect();
        owned.dedup();
        assert_eq!(owned.len(), found.len(), "each cell once");
    }

    #[test]
    fn a_face_smaller_than_a_cell_gets_one_all_the_same() {
        let (cells, numbers) = answers(4.0);
        // It holds no cell's pixel: only nearness makes candidates.
        assert_eq!(assign(&cells, &numbers, &[face(17.0, 17.0, 23.0, 23.0)], &[]).positives.len(), 1);
    }

    #[test]
    fn nothing_is_said_of_cells_on_places_to_be_ignored_unless_they_answer_for_a_face() {
        let (cells, numbers) = answers(4.0);
        let place = Rect::new(-1.0, -1.0, 9.0, 1.0);
        let ignored = assign(&cells, &numbers, &[], &[place]).ignored;
        // (0, 0) on each level, and (1, 0) at stride 8.
        assert_eq!(ignored, [0, 1, 64, 80]);
        let everywhere = Rect::new(-1.0, -1.0, 64.0, 64.0);
        let found = assign(&cells, &numbers, &[face(16.0, 16.0, 48.0, 48.0)], &[everywhere]);
        assert_eq!(found.positives.len() + found.ignored.len(), cells.len());
    }

    #[test]
    fn answers_that_are_no_numbers_do_not_stop_it() {
        let (cells, mut numbers) = answers(4.0);
        numbers.iter_mut().for_each(|numbers| numbers.fill(f32::NAN));
        let _ = assign(&cells, &numbers, &[face(16.0, 16.0, 48.0, 48.0)], &[]);
    }
}
