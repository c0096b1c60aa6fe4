//! How much of its finest detail does the face hold?

/// How much of its finest detail the face holds, from 0.07 for a smear to 0.5 for a crisp portrait.
///
/// The energy of the second derivative at the chip's resolution, over that at half of it, both after a 3 × 3 binomial filter against
/// noise; the least over four directions, so that motion blur, which spares one, counts. A ratio of two octaves does not depend on
/// contrast or light, and detail that the chip cannot have, because the face was small and is enlarged, is missing in it alike.
///
/// The other planes are what it works in.
pub(super) fn sharpness(luma: &Plane, [halved, rows, smooth]: &mut [Plane; 3]) -> f32 {
    luma.smooth(rows, smooth);
    let fine = directional_energy(smooth);
    luma.halve(halved);
    halved.smooth(rows, smooth);
    let coarse = directional_energy(smooth);
    let ratio = |(fine, coarse): (f32, f32)| if coarse > 0.0 { fine / coarse } else { 0.0 };
    fine.into_iter().zip(coarse).map(ratio).fold(f32::INFINITY, f32::min)
}

/// The mean square of the second difference along the row, the column and both diagonals.
fn directional_energy(plane: &Plane) -> [f32; 4] {
    [(1, 0, 1.0), (0, 1, 1.0), (1, 1, 0.5), (1, -1, 0.5)].map(|(dx, dy, weight)| {
        let (mut sum, mut count) = (0.0, 0u32);
        for y in 1..plane.height as isize - 1 {
            for x in 1..plane.width as isize - 1 {
                if let (Some(before), Some(at), Some(after)) =
                    (plane.at(x - dx, y - dy), plane.at(x, y), plane.at(x + dx, y + dy))
                {
                    sum += (weight * (before + after - 2.0 * at)).powi(2);
                    count += 1;
                }
            }
        }
        sum / count.max(1) as f32
    })
}

/// Brightness, row by row; `None` where the chip shows what lies outside the frame.
#[derive(Debug, Default)]
pub(super) struct Plane {
    width: usize,
    height: usize,
    pub(super) values: Vec<Option<f32>>,
}

impl Plane {
    /// Becomes the plane of these values, in the memory that it has.
    pub(super) fn fill(&mut self, width: usize, height: usize, value: impl Fn(isize, isize) -> Option<f32>) {
        (self.width, self.height) = (width, height);
        self.values.clear();
        let positions = (0..height as isize).flat_map(|y| (0..width as isize).map(move |x| (x, y)));
        self.values.extend(positions.map(|(x, y)| value(x, y)));
    }

    fn at(&self, x: isize, y: isize) -> Option<f32> {
        let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
        if x < self.width { self.values.get(y * self.width + x).copied().flatten() } else { None }
    }

    /// The sum of the values around a position, each times its weight; `None` where one is missing.
    fn around(&self, x: isize, y: isize, weights: &[(isize, isize, f32)]) -> Option<f32> {
        weights.iter().map(|(dx, dy, weight)| Some(weight * self.at(x + dx, y + dy)?)).sum()
    }

    /// Filtered by (1 2 1)/4 both ways, the first of them in `rows`.
    fn smooth(&self, rows: &mut Plane, smooth: &mut Plane) {
        let line = [(-1, 0.25), (0, 0.5), (1, 0.25)];
        let across = line.map(|(at, weight)| (at, 0, weight));
        let down = line.map(|(at, weight)| (0, at, weight));
        rows.fill(self.width, self.height, |x, y| self.around(x, y, &across));
        smooth.fill(self.width, self.height, |x, y| rows.around(x, y, &down));
    }

    /// The means of blocks of 2 × 2.
    fn halve(&self, halved: &mut Plane) {
        let block = [(0, 0, 0.25), (1, 0, 0.25), (0, 1, 0.25), (1, 1, 0.25)];
        halved.fill(self.width / 2, self.height / 2, |x, y| self.around(2 * x, 2 * y, &block));
    }
}
