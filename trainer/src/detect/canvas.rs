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
const IN_SIGHT: f32 = 0.6;

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
