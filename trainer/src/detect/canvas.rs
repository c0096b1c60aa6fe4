//! Drawing: pictures laid over one another through similarities, with their faces.

use veriface::{Rect, Similarity};

use super::label::{self, LabelledFace};
use super::set::Picture;

/// RGB, rows from the top.
#[derive(Debug, Clone, PartialEq)]
pub struct Raster {
    /// Pixels across.
    pub width: usize,
    /// Pixels down.
    pub height: usize,
    /// `width · height · 3` bytes.
    pub rgb: Vec<u8>,
}

impl Raster {
    /// Black.
    pub fn black(width: usize, height: usize) -> Self {
        Raster { width, height, rgb: vec![0; width * height * 3] }
    }

    /// The mean of each 2 × 2 pixels; an odd last row or column is left out.
    pub fn half(&self) -> Self {
        let (width, height, row) = (self.width / 2, self.height / 2, self.width * 3);
        let mut rgb = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            let (above, below) = (&self.rgb[2 * y * row..][..row], &self.rgb[(2 * y + 1) * row..][..row]);
            for x in 0..width {
                for at in 6 * x..6 * x + 3 {
                    let sum = [above[at], above[at + 3], below[at], below[at + 3]].map(u32::from).iter().sum::<u32>();
                    rgb.push(((sum + 2) / 4) as u8);
                }
            }
        }
        Raster { width, height, rgb }
    }
}

/// A picture's place on a canvas.
#[derive(Debug, Clone, Copy)]
pub struct Layer<'a> {
    /// The picture.
    pub picture: &'a Picture,
    /// From the picture's pixels to the canvas's.
    pub to_canvas: Similarity,
    /// The part of the canvas that it may cover: left, top, right, bottom.
    pub part: [usize; 4],
}

/// Pixels with their faces.
#[derive(Debug, Clone, PartialEq)]
pub struct Canvas {
    /// The pixels.
    pub raster: Raster,
    /// Faces to find.
    pub faces: Vec<LabelledFace>,
    /// Places of which nothing is known.
    pub ignored: Vec<Rect>,
}

/// The share of a face's box that must be in sight for the face to be found.
const IN_SIGHT: f32 = 0.7;

/// Below this share there is nothing to be seen of it.
const OUT_OF_SIGHT: f32 = 0.1;

impl Canvas {
    /// Draws the layers, the last one on top, on black. Faces lower than `least_height` pixels, and those of which too little is in
    /// sight, are ignored.
    pub fn draw(width: usize, height: usize, layers: &[Layer<'_>], least_height: f32) -> Self {
        let mut canvas = Canvas { raster: Raster::black(width, height), faces: Vec::new(), ignored: Vec::new() };
        for (index, layer) in layers.iter().enumerate() {
            layer.paint(&mut canvas.raster);
            let above = &layers[index + 1..];
            for face in &layer.picture.labels.faces {
                let face = face.carried(&layer.to_canvas);
                let share = layer.in_sight(&face.rect, above);
                if share >= IN_SIGHT && face.rect.height() >= least_height {
                    canvas.faces.push(face);
                } else if share > OUT_OF_SIGHT {
                    canvas.ignored.push(face.rect);
                }
            }
            for place in &layer.picture.labels.ignored {
                let place = label::carried(place, &layer.to_canvas);
                if layer.in_sight(&place, above) > 0.0 {
                    canvas.ignored.push(place);
                }
            }
        }
        canvas
    }

    /// As seen in a mirror.
    pub fn mirrored(self) -> Self {
        let Canvas { raster: Raster { width, height, mut rgb }, faces, ignored } = self;
        for row in rgb.chunks_exact_mut(width * 3) {
            let (pixels, _) = row.as_chunks_mut::<3>();
            pixels.reverse();
        }
        Canvas {
            raster: Raster { width, height, rgb },
            faces: faces.iter().map(|face| face.mirrored(width)).collect(),
            ignored: ignored.iter().map(|place| label::mirrored(place, width)).collect(),
        }
    }
}

impl Layer<'_> {
    /// Where the picture lies at most: its part of the canvas, within the box around the picture.
    fn covers(&self) -> Rect {
        let (width, height) = (self.picture.labels.width as f32, self.picture.labels.height as f32);
        let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)];
        let corners = corners.map(|(x, y)| self.to_canvas.apply(veriface::Point::new(x - 0.5, y - 0.5)));
        let low = |of: fn(&veriface::Point) -> f32| corners.iter().map(of).fold(f32::INFINITY, f32::min);
        let high = |of: fn(&veriface::Point) -> f32| corners.iter().map(of).fold(f32::NEG_INFINITY, f32::max);
        let around = Rect::new(low(|p| p.x), low(|p| p.y), high(|p| p.x), high(|p| p.y));
        let [left, top, right, bottom] = self.part.map(|edge| edge as f32 - 0.5);
        around.intersection(&Rect::new(left, top, right, bottom))
    }

    /// The share of `rect` that this layer may show and no layer above covers. Layers above that overlap count twice, and the black
    /// beside a turned picture counts as cover: it is never more than is in sight.
    fn in_sight(&self, rect: &Rect, above: &[Layer<'_>]) -> f32 {
        let [left, top, right, bottom] = self.part.map(|edge| edge as f32 - 0.5);
        let shown = rect.intersection(&Rect::new(left, top, right, bottom));
        let covered: f32 = above.iter().map(|layer| layer.covers().intersection(&shown).area()).sum();
        (shown.area() - covered) / rect.area().max(f32::MIN_POSITIVE)
    }

    /// Bilinear, from the half of the picture that is shrunk least but by less than two; what lies outside the picture stays as it is.
    fn paint(&self, onto: &mut Raster) {
        let Some(back) = self.to_canvas.inverse() else { return };
        let shrink = back.scale().log2().floor().max(0.0) as usize;
        let level = shrink.min(self.picture.halves.len() - 1);
        let Raster { width, height, rgb } = &self.picture.halves[level];
        // A half's pixel centre lies between those of two whole pixels: half = (whole + ½) / 2ⁿ − ½.
        let part = 1.0 / (1u32 << level) as f64;
        let half = Similarity { a: part, b: 0.0, tx: 0.5 * part - 0.5, ty: 0.5 * part - 0.5 };
        let to_half = back.then(&half);
        let [left, top, right, bottom] = self.part;
        let (right, bottom) = (right.min(onto.width), bottom.min(onto.height));
        let (step_x, step_y) = (to_half.a as f32, to_half.b as f32);
        let (last_x, last_y) = (*width as f32 - 1.0, *height as f32 - 1.0);
        for y in top..bottom {
            let start_x = (to_half.a * left as f64 - to_half.b * y as f64 + to_half.tx) as f32;
            let start_y = (to_half.b * left as f64 + to_half.a * y as f64 + to_half.ty) as f32;
            for x in left..right {
                let along = (x - left) as f32;
                let (px, py) = (start_x + along * step_x, start_y + along * step_y);
                if !(px > -0.5 && py > -0.5 && px < last_x + 0.5 && py < last_y + 0.5) {
                    continue;
                }
                let (px, py) = (px.clamp(0.0, last_x), py.clamp(0.0, last_y));
                let (x0, y0) = (px as usize, py as usize);
                let (fx, fy) = (((px - x0 as f32) * 256.0) as u32, ((py - y0 as f32) * 256.0) as u32);
                let (a, down) = ((y0 * width + x0) * 3, if y0 + 1 < *height { width * 3 } else { 0 });
                let b = if x0 + 1 < *width { a + 3 } else { a };
                let to = (y * onto.width + x) * 3;
                for channel in 0..3 {
                    let at = |place: usize| u32::from(rgb[place + channel]);
                    let upper = at(a) * (256 - fx) + at(b) * fx;
                    let lower = at(a + down) * (256 - fx) + at(b + down) * fx;
                    onto.rgb[to + channel] = ((upper * (256 - fy) + lower * fy + (1 << 15)) >> 16) as u8;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use veriface::Point;

    use super::*;
    use crate::detect::label::Labels;

    const COLOURS: [[u8; 3]; 5] = [[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 0], [0, 250, 250]];

    /// A grey picture with a face whose five points are discs of five colours.
    fn picture() -> Picture {
        let points = [(35.0, 40.0), (65.0, 40.0), (50.0, 55.0), (38.0, 70.0), (62.0, 70.0)].map(|(x, y)| Point::new(x, y));
        let face = LabelledFace { rect: Rect::new(20.0, 20.0, 80.0, 90.0), points };
        let mut raster = Raster { width: 100, height: 110, rgb: vec![128; 100 * 110 * 3] };
        for (index, pixel) in raster.rgb.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            let at = Point::new((index % 100) as f32, (index / 100) as f32);
            if let Some(point) = points.iter().position(|point| point.distance(at) <= 5.0) {
                *pixel = COLOURS[point];
            }
        }
        let labels = Labels { file: "drawn".into(), width: 100, height: 110, faces: vec![face], ignored: vec![] };
        Picture::new(raster, labels)
    }

    fn colour(canvas: &Canvas, at: Point) -> Option<[u8; 3]> {
        let Raster { width, height, rgb } = &canvas.raster;
        let inside = at.x >= 0.0 && at.y >= 0.0 && at.x < *width as f32 - 0.5 && at.y < *height as f32 - 0.5;
        inside.then(|| rgb.as_chunks::<3>().0[at.y.round() as usize * width + at.x.round() as usize])
    }

    #[test]
    fn the_identity_changes_nothing() {
        let picture = picture();
        let layer = Layer { picture: &picture, to_canvas: Similarity::IDENTITY, part: [0, 0, 100, 110] };
        let canvas = Canvas::draw(100, 110, &[layer], 0.0);
        assert_eq!(canvas.raster, picture.halves[0]);
        assert_eq!((canvas.faces, canvas.ignored), (picture.labels.faces.clone(), vec![]));
    }

    #[test]
    fn a_half_is_the_mean_of_four() {
        let raster = Raster { width: 3, height: 2, rgb: [[0; 3], [10; 3], [99; 3], [20; 3], [31; 3], [99; 3]].concat() };
        // (0 + 10 + 20 + 31) / 4 = 15.25.
        assert_eq!(raster.half(), Raster { width: 1, height: 1, rgb: vec![15; 3] });
    }

    #[test]
    fn a_face_under_another_picture_is_not_to_be_found() {
        let picture = picture();
        let at = |x: f64| Similarity { tx: x, ..Similarity::IDENTITY };
        let layer = |x| Layer { picture: &picture, to_canvas: at(x), part: [0, 0, 200, 110] };
        let draw = |second: f64| Canvas::draw(200, 110, &[layer(0.0), layer(second)], 0.0);
        // The first face reaches from 20 to 80: the second picture, from its place on, covers all, half, or none of it.
        assert_eq!(
            [0.0, 50.0, 90.0].map(|second| (draw(second).faces.len(), draw(second).ignored.len())),
            [(1, 0), (1, 1), (2, 0)]
        );
    }

    #[test]
    fn a_face_too_low_is_ignored() {
        let picture = picture();
        let to_canvas = Similarity { a: 0.1, b: 0.0, tx: 5.0, ty: 5.0 };
        let layer = Layer { picture: &picture, to_canvas, part: [0, 0, 64, 64] };
        let canvas = Canvas::draw(64, 64, &[layer], 8.0);
        assert_eq!((canvas.faces.len(), canvas.ignored.len()), (0, 1));
    }

    proptest! {
        /// Wherever the picture goes, the labels' points lie on the discs that were drawn for them.
        #[test]
        fn points_stay_on_the_face(
            scale in 0.4..4f64, angle in -3.2..3.2f64, x in 20.0..236f64, y in 20.0..236f64, mirror in proptest::bool::ANY
        ) {
            let picture = picture();
            let (a, b) = (scale * angle.cos(), scale * angle.sin());
            let to_canvas = Similarity { a, b, tx: x - (a * 50.0 - b * 55.0), ty: y - (b * 50.0 + a * 55.0) };
            let layer = Layer { picture: &picture, to_canvas, part: [0, 0, 256, 256] };
            let mut canvas = Canvas::draw(256, 256, &[layer], 0.0);
            // In a mirror the left eye is the right one.
            let order = if mirror { [1, 0, 2, 4, 3] } else { [0, 1, 2, 3, 4] };
            if mirror {
                canvas = canvas.mirrored();
            }
            for face in &canvas.faces {
                for (point, disc) in face.points.iter().zip(order) {
                    if let Some(seen) = colour(&canvas, *point) {
                        let far = seen.iter().zip(COLOURS[disc]).map(|(a, b)| a.abs_diff(b)).max();
                        prop_assert!(far <= Some(130 / 2), "{point:?}: {seen:?} instead of {:?}", COLOURS[disc]);
                    }
                    prop_assert!(face.rect.left < point.x && point.x < face.rect.right);
                    prop_assert!(face.rect.top < point.y && point.y < face.rect.bottom);
                }
            }
        }
    }
}
