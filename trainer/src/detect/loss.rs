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

#[cfg(test)]
mod tests {
    use veriface::Point;

    use super::*;
    use crate::detect::assign::Positive;
    use crate::detect::grid;
    use tch::Device;

    /// The EIoU loss by its definition, on left, top, right, bottom.
    fn by_definition(a: [f64; 4], b: [f64; 4]) -> f64 {
        let area = |r: [f64; 4]| (r[2] - r[0]) * (r[3] - r[1]);
        let common = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0) * (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
        let iou = common / (area(a) + area(b) - common);
        let (cw, ch) = (a[2].max(b[2]) - a[0].min(b[0]), a[3].max(b[3]) - a[1].min(b[1]));
        let (dx, dy) = ((a[0] + a[2] - b[0] - b[2]) / 2.0, (a[1] + a[3] - b[1] - b[3]) / 2.0);
        let (dw, dh) = ((a[2] - a[0]) - (b[2] - b[0]), (a[3] - a[1]) - (b[3] - b[1]));
        1.0 - iou + (dx * dx + dy * dy) / (cw * cw + ch * ch) + (dw / cw).powi(2) + (dh / ch).powi(2)
    }

    #[test]
    fn boxes_cost_what_the_definition_says() {
        let expected = [[0.0, 0.0, 4.0, 4.0], [1.0, -2.0, 4.0, 3.0], [10.0, 10.0, 11.0, 13.0]];
        let answers: [[f64; 4]; 3] = [[2.0, 2.0, 4f64.ln(), 4f64.ln()], [2.0, 1.0, 0.5, 1.2], [0.0, 0.0, 0.1, -0.3]];
        let tensor = |rows: &[[f64; 4]]| Tensor::from_slice(&rows.concat()).view([-1, 4]);
        let got = Vec::<f64>::try_from(eiou(&tensor(&answers), &tensor(&expected))).expect("numbers");
        assert!(got[0].abs() < 1e-12, "the same box costs nothing");
        for ((answer, expected), got) in answers.into_iter().zip(expected).zip(got) {
            let [x, y, w, h] = [answer[0], answer[1], answer[2].exp() / 2.0, answer[3].exp() / 2.0];
            assert!((got - by_definition([x - w, y - h, x + w, y + h], expected)).abs() < 1e-12);
        }
    }

    fn case() -> (Vec<Cell>, Targets) {
        let cells = grid::cells(32, 32);
        let points = [(10.0, 12.0), (18.0, 12.5), (14.0, 16.0), (11.0, 20.0), (17.0, 20.5)].map(|(x, y)| Point::new(x, y));
        let face = LabelledFace { rect: Rect::new(6.0, 5.0, 22.0, 25.0), points };
        let positive = |cell, iou| Positive { cell, face: 0, iou };
        let assignment = Assignment { positives: vec![positive(5, 0.7), positive(16, 0.4)], ignored: vec![0, 20] };
        let mut targets = Targets::default();
        targets.add(&cells, &[face], &assignment);
        targets.add(&cells, &[], &Assignment::default());
        (cells, targets)
    }

    /// Some answers for two canvases of 32 × 32, in double precision.
    fn some(cells: usize) -> Tensor {
        let values: Vec<f64> = (0..2 * cells * NUMBERS).map(|i| ((i * 37 % 101) as f64 / 101.0 - 0.4) * 1.7).collect();
        Tensor::from_slice(&values).view([2, cells as i64, NUMBERS as i64])
    }

    const WEIGHTS: Weights = Weights { object: 1.5, class: 0.5, rect: 3.0, points: 20.0 };

    #[test]
    fn parts_cost_what_their_definitions_say() {
        let (cells, targets) = case();
        let answers = some(cells.len());
        let parts = loss(&answers, &targets, &WEIGHTS);
        let at = |cell: usize, number: usize| {
            answers.double_value(&[(cell / cells.len()) as i64, (cell % cells.len()) as i64, number as i64])
        };
        let entropy = |x: f64, t: f64| -(t * (1.0 / (1.0 + (-x).exp())).ln() + (1.0 - t) * (1.0 / (1.0 + x.exp())).ln());
        let object: f64 = (0..2 * cells.len())
            .filter(|cell| ![0, 20].contains(cell))
            .map(|cell| entropy(at(cell, OBJECT), f64::from(u8::from([5, 16].contains(&cell)))))
            .sum();
        assert!((parts.object.double_value(&[]) - object / 2.0).abs() < 1e-9);
        let class = entropy(at(5, CLASS), f64::from(0.7f32)) + entropy(at(16, CLASS), f64::from(0.4f32));
        assert!((parts.class.double_value(&[]) - class / 2.0).abs() < 1e-9);
        // Cell 5 is (1, 1) at stride 8, cell 16 (0, 0) at stride 16; the face's side is √(16 · 20).
        let side = 320f64.sqrt();
        let points = [(10.0, 12.0), (18.0, 12.5), (14.0, 16.0), (11.0, 20.0), (17.0, 20.5)];
        let mut sum = 0.0;
        for (cell, x, y, stride) in [(5, 1.0, 1.0, 8.0), (16, 0.0, 0.0, 16.0)] {
            for (i, (px, py)) in points.into_iter().enumerate() {
                for (answer, place, pixel) in [(at(cell, POINTS + 2 * i), x, px), (at(cell, POINTS + 2 * i + 1), y, py)] {
                    let far = f64::abs((answer + place) * stride - pixel) / side;
                    sum += if far < POINTS_BETA { far * far / 2.0 / POINTS_BETA } else { far - POINTS_BETA / 2.0 };
                }
            }
        }
        assert!((parts.points.double_value(&[]) - sum / 20.0).abs() < 1e-6);
        let whole = 1.5 * object / 2.0 + 0.5 * class / 2.0 + 3.0 * parts.rect.double_value(&[]) + sum;
        assert!((parts.sum.double_value(&[]) - whole).abs() < 1e-5);
    }

    #[test]
    fn its_gradient_is_the_slope() {
        let (cells, targets) = case();
        let answers = some(cells.len()).set_requires_grad(true);
        loss(&answers, &targets, &WEIGHTS).sum.backward();
        let slope = answers.grad();
        for (cell, number) in [(5, 0), (5, 1), (5, 2), (5, 4), (5, 9), (16, 3), (16, 5), (16, 15), (2, 1), (0, 1), (9, 7)] {
            let moved = |by: f64| {
                let moved = answers.detach().copy();
                let place = moved.get(0).get(cell).get(number);
                place.shallow_clone().copy_(&(&place + by));
                loss(&moved, &targets, &WEIGHTS).sum.double_value(&[])
            };
            let (expected, got) = ((moved(1e-5) - moved(-1e-5)) / 2e-5, slope.double_value(&[0, cell, number]));
            assert!((got - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{cell} {number}: {got} {expected}");
        }
    }

    #[test]
    fn a_batch_without_faces_has_a_loss_too() {
        let cells = grid::cells(32, 32);
        let mut targets = Targets::default();
        targets.add(&cells, &[], &Assignment::default());
        let answers = Tensor::zeros([1, cells.len() as i64, NUMBERS as i64], (Kind::Double, Device::Cpu));
        let parts = loss(&answers, &targets, &WEIGHTS);
        assert!((parts.object.double_value(&[]) - cells.len() as f64 * 2f64.ln()).abs() < 1e-9);
        assert_eq!([parts.class, parts.rect, parts.points].map(|part| part.double_value(&[])), [0.0; 3]);
    }
}
