//! Where the cells of a detector lie, and what their numbers mean: YuNet's form, as the SDK reads it.

use veriface::{Point, Rect};

/// Pixels from one cell to the next, by level.
pub const STRIDES: [usize; 3] = [8, 16, 32];

/// Numbers a cell: class and object logit, four of the box, ten of the points.
pub const NUMBERS: usize = 16;

/// Where the class logit lies among a cell's numbers: that the box is right, if there is a face.
pub const CLASS: usize = 0;
/// Where the object logit lies: that there is a face.
pub const OBJECT: usize = 1;
/// Where the box begins.
pub const BOX: usize = 2;
/// Where the points begin.
pub const POINTS: usize = 6;

/// A cell of a level. Its pixel is (x · stride, y · stride), on which its receptive field is centred.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Column.
    pub x: f32,
    /// Row.
    pub y: f32,
    /// Pixels from one cell to the next.
    pub stride: f32,
}

/// The cells of an input, level by level, row by row.
pub fn cells(width: usize, height: usize) -> Vec<Cell> {
    let level = |stride: usize| {
        let rows = 0..height / stride;
        rows.flat_map(move |y| (0..width / stride).map(move |x| Cell { x: x as f32, y: y as f32, stride: stride as f32 }))
    };
    STRIDES.into_iter().flat_map(level).collect()
}

impl Cell {
    /// Its pixel.
    pub fn centre(&self) -> Point {
        Point::new(self.x * self.stride, self.y * self.stride)
    }

    /// The box that its numbers mean, in pixels.
    pub fn rect(&self, numbers: &[f32; NUMBERS]) -> Rect {
        let [x, y, width, height] = [numbers[BOX], numbers[BOX + 1], numbers[BOX + 2], numbers[BOX + 3]];
        let (x, y) = ((self.x + x) * self.stride, (self.y + y) * self.stride);
        // 20 is beyond any picture and far from infinity.
        let (half_w, half_h) = (width.min(20.0).exp() * self.stride / 2.0, height.min(20.0).exp() * self.stride / 2.0);
        Rect::new(x - half_w, y - half_h, x + half_w, y + half_h)
    }

    /// The points that its numbers mean, in pixels.
    pub fn points(&self, numbers: &[f32; NUMBERS]) -> [Point; 5] {
        std::array::from_fn(|i| {
            let [x, y] = [numbers[POINTS + 2 * i], numbers[POINTS + 2 * i + 1]];
            Point::new((self.x + x) * self.stride, (self.y + y) * self.stride)
        })
    }
}

/// 1 / (1 + e^−x).
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// √(class · object), the score of a cell.
pub fn score(numbers: &[f32; NUMBERS]) -> f32 {
    (sigmoid(numbers[CLASS]) * sigmoid(numbers[OBJECT])).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_means_what_yunets_decoder_reads() {
        // OpenCV's FaceDetectorYN: centre = (cell + box₀₁) · stride, size = exp(box₂₃) · stride, point = (cell + kps) · stride.
        let mut numbers = [0.0; NUMBERS];
        numbers[BOX..BOX + 4].copy_from_slice(&[0.5, -0.25, 2f32.ln(), 0.0]);
        numbers[POINTS + 2..POINTS + 4].copy_from_slice(&[1.0, 0.5]);
        let cell = Cell { x: 2.0, y: 1.0, stride: 16.0 };
        let rect = cell.rect(&numbers);
        for (got, expected) in [(rect.left, 24.0), (rect.top, 4.0), (rect.right, 56.0), (rect.bottom, 20.0)] {
            assert!((got - expected).abs() < 1e-4, "{rect:?}");
        }
        assert_eq!(cell.points(&numbers)[..2], [Point::new(32.0, 16.0), Point::new(48.0, 24.0)]);
        // √(½ · ½), and √(1 / (1 + e⁻¹) · ½).
        assert!((score(&numbers) - 0.5).abs() < 1e-6);
        numbers[OBJECT] = 1.0;
        assert!((score(&numbers) - 0.604_59).abs() < 1e-4);
    }

    #[test]
    fn cells_follow_one_another_as_in_the_sdk() {
        let cells = cells(64, 32);
        assert_eq!(cells.len(), 8 * 4 + 4 * 2 + 2);
        assert_eq!(cells[9], Cell { x: 1.0, y: 1.0, stride: 8.0 });
        assert_eq!(cells[32 + 6], Cell { x: 2.0, y: 1.0, stride: 16.0 });
        assert_eq!(cells[41].centre(), Point::new(32.0, 0.0));
    }
}
