//! What the cells' answers cost: whether there is a face, how well the box fits, where it lies, where its points are.

use serde::{Deserialize, Serialize};
use tch::{Kind, Reduction, Tensor};
use veriface::Rect;

use super::assign::Assignment;
use super::grid::{BOX, CLASS, Cell, NUMBERS, OBJECT, POINTS};
use super::label::LabelledFace;

/// What each part counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Weights {
    /// Cross-entropy of the object logit over all cells that are not ignored.
    pub object: f64,
    /// Cross-entropy of the class logit with the box's overlap, over cells that answer for a face.
    pub class: f64,
    /// EIoU of the box.
    pub rect: f64,
    /// Smooth L1 of the points, in sides of the face.
    pub points: f64,
}

/// Below this distance, in sides of a face, the loss on points is quadratic.
const POINTS_BETA: f64 = 0.01;

/// What a batch's cells should answer. Cells are numbered through the batch.
#[derive(Debug, Default)]
pub struct Targets {
    positives: Vec<i64>,
    overlaps: Vec<f32>,
    /// Left, top, right and bottom, in strides of the cell, from the cell.
    boxes: Vec<f32>,
    /// x and y of each point, in strides of the cell, from the cell.
    points: Vec<f32>,
    /// Strides of a cell in a side of its face.
    sides: Vec<f32>,
    /// Whether a cell counts, and whether there is a face.
    counts: Vec<f32>,
    objects: Vec<f32>,
}

impl Targets {
    /// Adds the next canvas of the batch.
    pub fn add(&mut self, cells: &[Cell], faces: &[LabelledFace], assignment: &Assignment) {
        let first = self.objects.len();
        self.objects.resize(first + cells.len(), 0.0);
        self.counts.resize(first + cells.len(), 1.0);
        for &cell in &assignment.ignored {
            self.counts[first + cell] = 0.0;
        }
        for positive in &assignment.positives {
            let (cell, face) = (&cells[positive.cell], &faces[positive.face]);
            let strides = |pixels: f32, cell_at: f32| pixels / cell.stride - cell_at;
            self.positives.push((first + positive.cell) as i64);
            self.objects[first + positive.cell] = 1.0;
            self.overlaps.push(positive.iou);
            let Rect { left, top, right, bottom } = face.rect;
            self.boxes.extend([strides(left, cell.x), strides(top, cell.y), strides(right, cell.x), strides(bottom, cell.y)]);
            self.points.extend(face.points.iter().flat_map(|p| [strides(p.x, cell.x), strides(p.y, cell.y)]));
            self.sides.push((face.rect.width() * face.rect.height()).sqrt() / cell.stride);
        }
    }

    /// Cells that answer for a face.
    pub fn positives(&self) -> usize {
        self.positives.len()
    }
}

/// The loss and its parts before their weights, each a number.
#[derive(Debug)]
pub struct Parts {
    /// The weighted sum.
    pub sum: Tensor,
    /// Of the object logits.
    pub object: Tensor,
    /// Of the class logits.
    pub class: Tensor,
    /// Of the boxes.
    pub rect: Tensor,
    /// Of the points.
    pub points: Tensor,
}

/// The loss of `[n, cells, 16]` answers, a mean over the cells that answer for a face.
pub fn loss(answers: &Tensor, targets: &Targets, weights: &Weights) -> Parts {
    let device = answers.device();
    let on = |values: &[f32]| Tensor::from_slice(values).to_device(device).to_kind(answers.kind());
    let all = answers.reshape([-1, NUMBERS as i64]);
    let mean = 1.0 / targets.positives().max(1) as f64;
    let column = |of: &Tensor, at: usize, count: usize| of.narrow(1, at as i64, count as i64);
    let entropy = |logits: &Tensor, targets: &Tensor, counts: Option<Tensor>| {
        logits.binary_cross_entropy_with_logits(targets, counts, None::<Tensor>, Reduction::Sum) * mean
    };
    let object = entropy(&column(&all, OBJECT, 1).squeeze_dim(1), &on(&targets.objects), Some(on(&targets.counts)));
    let chosen = all.index_select(0, &Tensor::from_slice(&targets.positives).to_device(device));
    let class = entropy(&column(&chosen, CLASS, 1).squeeze_dim(1), &on(&targets.overlaps), None);
    let rect = eiou(&column(&chosen, BOX, 4), &on(&targets.boxes).view([-1, 4])).sum(answers.kind()) * mean;
    let sides = on(&targets.sides).view([-1, 1]);
    let (points, expected) = (column(&chosen, POINTS, 10) / &sides, on(&targets.points).view([-1, 10]) / &sides);
    let points = points.smooth_l1_loss(&expected, Reduction::Sum, POINTS_BETA) * (mean / 10.0);
    let sum = &object * weights.object + &class * weights.class + &rect * weights.rect + &points * weights.points;
    Parts { sum, object, class, rect, points }
}

/// The EIoU loss (Zhang and others, arXiv 2101.08158) of each row: overlap, distance of the centres, and difference of the sides, each
/// relative to the box around both. `answers` are centre and logarithms of the sides, `expected` left, top, right, bottom.
pub fn eiou(answers: &Tensor, expected: &Tensor) -> Tensor {
    let halves = answers.narrow(1, 2, 2).clamp_max(10.0).exp() / 2.0;
    let centre = answers.narrow(1, 0, 2);
    let (low, high) = (&centre - &halves, &centre + &halves);
    let (low_of, high_of) = (expected.narrow(1, 0, 2), expected.narrow(1, 2, 2));
    let area = |sides: &Tensor| sides.select(1, 0) * sides.select(1, 1);
    let common = area(&(high.minimum(&high_of) - low.maximum(&low_of)).clamp_min(0.0));
    let (sides, sides_of) = (&halves * 2.0, &high_of - &low_of);
    let union = area(&sides) + area(&sides_of) - &common;
    let around = high.maximum(&high_of) - low.minimum(&low_of);
    let diagonal = around.square().sum_dim_intlist(1, false, None::<Kind>);
    let apart = (&centre - (&low_of + &high_of) / 2.0).square().sum_dim_intlist(1, false, None::<Kind>);
    let unlike = ((&sides - &sides_of) / &around).square().sum_dim_intlist(1, false, None::<Kind>);
    1.0 - common / union + apart / diagonal + unlike
}
