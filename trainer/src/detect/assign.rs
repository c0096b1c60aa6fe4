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
