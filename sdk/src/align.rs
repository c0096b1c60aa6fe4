//! Five points → similarity → 112×112 chip.
//!
//! The similarity is the least-squares one (S. Umeyama, "Least-squares estimation of transformation parameters between two point
//! patterns", PAMI 13(4), 1991) with reflections excluded; the warp is bilinear and black outside the frame, as in the pipelines
//! that ArcFace-family recognisers were trained with.

#[cfg(test)]
mod golden;

use std::fmt;

use crate::error::{Error, ErrorCode, Result};
use crate::face::Landmarks;
use crate::frame::{Border, Frame};
use crate::geometry::Similarity;

/// Where the five points lie in an aligned picture: eye on the picture's left, eye on its right, nose, mouth left, mouth right.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AlignmentTemplate {
    points: [[f64; 2]; 5],
    size: u32,
}

impl AlignmentTemplate {
    /// ArcFace's template at 112×112: the constants of insightface's `face_align.py`. The 112×96 template of SphereFace has the same
    /// points 8 pixels further left; used at 112×112 it costs accuracy without any error.
    pub const ARCFACE: AlignmentTemplate = AlignmentTemplate {
        points: [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
        size: Chip::SIZE as u32,
    };

    /// The same template for an aligned picture of `size`×`size` pixels: every coordinate times `size / 112`.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] when `size` is not 16…4096.
    pub fn arcface(size: u32) -> Result<AlignmentTemplate> {
        if !(16..=4096).contains(&size) {
            return Err(Error::new(ErrorCode::InvalidArgument, format!("template size {size}, must be 16 to 4096 pixels")));
        }
        let ratio = f64::from(size) / f64::from(Self::ARCFACE.size);
        Ok(AlignmentTemplate { points: Self::ARCFACE.points.map(|p| p.map(|v| v * ratio)), size })
    }

    /// The five points, x then y, in pixels of the aligned picture.
    pub fn points(&self) -> &[[f64; 2]; 5] {
        &self.points
    }

    /// The aligned picture's width and height, in pixels.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// The similarity that carries the landmarks nearest to the template, from frame to aligned picture.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidLandmarks`] when no similarity fits, which no landmarks of a face lead to.
    pub fn similarity(&self, landmarks: &Landmarks) -> Result<Similarity> {
        Similarity::least_squares(&landmarks.points().map(|p| [f64::from(p.x), f64::from(p.y)]), &self.points)
            .ok_or_else(|| Error::new(ErrorCode::InvalidLandmarks, "no similarity carries the points to the template"))
    }
}

impl Similarity {
    /// The similarity that carries `from` nearest to `to`, by the sum of squared distances; `None` when the points of `from`
    /// coincide, or correlate in no rotation with those of `to`.
    ///
    /// In two dimensions Umeyama's solution without reflection has a closed form. With both sets centred on their means, and points
    /// read as complex numbers, a + ib = Σ conj(from)·to / Σ |from|². It needs +, −, ×, ÷ only, in one order, so that the result is
    /// the same bits on every architecture.
    pub fn least_squares<const N: usize>(from: &[[f64; 2]; N], to: &[[f64; 2]; N]) -> Option<Similarity> {
        let mean = |points: &[[f64; 2]; N]| {
            let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p[0], y + p[1]));
            (x / N as f64, y / N as f64)
        };
        let ((from_x, from_y), (to_x, to_y)) = (mean(from), mean(to));
        let (mut spread, mut along, mut across) = (0.0, 0.0, 0.0);
        for (p, q) in from.iter().zip(to) {
            let (x, y, u, v) = (p[0] - from_x, p[1] - from_y, q[0] - to_x, q[1] - to_y);
            spread += x * x + y * y;
            along += x * u + y * v;
            across += x * v - y * u;
        }
        let (a, b) = (along / spread, across / spread);
        let map = Similarity { a, b, tx: to_x - (a * from_x - b * from_y), ty: to_y - (b * from_x + a * from_y) };
        (map.inverse().is_some() && map.tx.is_finite() && map.ty.is_finite()).then_some(map)
    }
}

/// An aligned face: 112×112 pixels, RGB, rows from the top. What a recogniser sees.
#[derive(Clone, PartialEq, Eq)]
pub struct Chip {
    rgb: Vec<u8>,
}

impl Chip {
    /// Width and height, in pixels.
    pub const SIZE: usize = 112;
    /// Bytes of a chip: 112 · 112 · 3.
    pub const BYTES: usize = Self::SIZE * Self::SIZE * 3;

    /// Takes pixels that **already are** an aligned face, such as a data set of chips. A face that is merely cropped is not: its
    /// scores would be worthless; use [`align`].
    ///
    /// # Errors
    /// [`ErrorCode::InvalidArgument`] when `rgb` is not 112 · 112 · 3 bytes.
    pub fn from_aligned(rgb: impl Into<Vec<u8>>) -> Result<Chip> {
        let rgb = rgb.into();
        if rgb.len() != Self::BYTES {
            let detail = format!("{} bytes for a chip, must be 112 × 112 × 3 = {}", rgb.len(), Self::BYTES);
            return Err(Error::new(ErrorCode::InvalidArgument, detail));
        }
        Ok(Chip { rgb })
    }

    /// A face drawn with a few ellipses: any picture serves to compare two machines, and this one belongs to nobody. What packs carry as
    /// the chip of their self-test.
    pub fn drawn_face() -> Chip {
        // Centre, radii, colour, later ones over earlier ones.
        const ELLIPSES: [([i32; 2], [i32; 2], [u8; 3]); 7] = [
            ([56, 60], [40, 52], [205, 160, 135]),
            ([38, 52], [9, 5], [240, 240, 235]),
            ([74, 52], [9, 5], [240, 240, 235]),
            ([38, 52], [4, 4], [70, 50, 40]),
            ([74, 52], [4, 4], [70, 50, 40]),
            ([56, 70], [6, 9], [185, 135, 115]),
            ([56, 92], [16, 4], [160, 70, 75]),
        ];
        let mut rgb = vec![0; Chip::BYTES];
        for (index, pixel) in rgb.chunks_exact_mut(3).enumerate() {
            let (x, y) = ((index % Chip::SIZE) as i32, (index / Chip::SIZE) as i32);
            let mut colour = [60, 80 + (y / 2) as u8, 110];
            for ([cx, cy], [rx, ry], inside) in ELLIPSES {
                if (x - cx).pow(2) * ry * ry + (y - cy).pow(2) * rx * rx <= rx * rx * ry * ry {
                    colour = inside;
                }
            }
            // Light from the left.
            let light = 120 - x / 3;
            pixel.copy_from_slice(&colour.map(|c| (i32::from(c) * light / 120).min(255) as u8));
        }
        Chip { rgb }
    }

    /// To be written to.
    pub(crate) fn black() -> Chip {
        Chip { rgb: vec![0; Chip::BYTES] }
    }

    /// The pixels: 112 rows of 112 times R, G, B.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// The chip with left and right exchanged.
    pub fn mirrored(&self) -> Chip {
        let mut rgb = Vec::with_capacity(Self::BYTES);
        for row in self.rgb.chunks_exact(Self::SIZE * 3) {
            rgb.extend(row.chunks_exact(3).rev().flatten());
        }
        Chip { rgb }
    }
}

impl fmt::Debug for Chip {
    /// Names the type only: a face's pixels do not belong in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chip(112×112)")
    }
}

/// Warps the face to ArcFace's template: bilinear, black where the chip reaches beyond the frame.
///
/// # Errors
/// [`ErrorCode::InvalidLandmarks`] when no similarity carries the landmarks to the template.
pub fn align(frame: &Frame<'_>, landmarks: &Landmarks) -> Result<Chip> {
    let mut chip = Chip::black();
    align_into(frame, landmarks, &mut chip)?;
    Ok(chip)
}

/// The same into a chip that is used again.
pub(crate) fn align_into(frame: &Frame<'_>, landmarks: &Landmarks, chip: &mut Chip) -> Result<()> {
    let to_frame = AlignmentTemplate::ARCFACE
        .similarity(landmarks)?
        .inverse()
        .ok_or_else(|| Error::new(ErrorCode::InvalidLandmarks, "the similarity to the template has no inverse"))?;
    frame.sample(&to_frame, Chip::SIZE, Chip::SIZE, Border::Constant([0, 0, 0]), &mut chip.rgb);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;
    use proptest::prelude::*;

    type Five = [[f64; 2]; 5];

    fn landmarks(points: &Five) -> Landmarks {
        Landmarks::new(points.map(|p| Point::new(p[0] as f32, p[1] as f32))).unwrap()
    }

    fn moved(points: &Five, map: &Similarity) -> Five {
        points.map(|[x, y]| [map.a * x - map.b * y + map.tx, map.b * x + map.a * y + map.ty])
    }

    fn miss(from: &Five, to: &Five, map: &Similarity) -> f64 {
        moved(from, map).iter().zip(to).map(|(p, q)| (p[0] - q[0]).powi(2) + (p[1] - q[1]).powi(2)).sum()
    }

    /// deepinsight/insightface#849: the 112×96 template of SphereFace used at 112×112.
    #[test]
    fn the_template_is_arcfaces_at_112() {
        let pinned = [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]];
        assert_eq!(AlignmentTemplate::ARCFACE.points(), &pinned);
        let sphereface = [[30.2946, 51.6963], [65.5318, 51.5014], [48.0252, 71.7366], [33.5493, 92.3655], [62.7299, 92.2041]];
        for (ours, theirs) in pinned.iter().zip(sphereface) {
            assert!((ours[0] - theirs[0] - 8.0).abs() < 1e-9 && ours[1] == theirs[1]);
        }
        // The middle of the face is the middle of the picture.
        let mean = pinned.iter().map(|p| p[0]).sum::<f64>() / 5.0;
        assert!((mean - 56.0).abs() < 0.05, "{mean}");
    }

    #[test]
    fn the_template_scales_with_the_picture() {
        let double = AlignmentTemplate::arcface(224).unwrap();
        assert_eq!(double.size(), 224);
        assert_eq!(double.points()[0], [76.5892, 103.3926]);
        for size in [0, 15, 4097, u32::MAX] {
            assert_eq!(AlignmentTemplate::arcface(size).unwrap_err().code(), ErrorCode::InvalidArgument);
        }
    }

    #[test]
    fn the_template_goes_to_itself_unchanged() {
        let template = AlignmentTemplate::ARCFACE.points();
        let exact = Similarity::least_squares(template, template).unwrap();
        let rounded = AlignmentTemplate::ARCFACE.similarity(&landmarks(template)).unwrap();
        // Landmarks are f32, whose step at 92 pixels is 8e-6.
        for (map, tolerance) in [(exact, 1e-6), (rounded, 8e-6)] {
            for (found, expected) in [map.a, map.b, map.tx, map.ty].iter().zip([1.0, 0.0, 0.0, 0.0]) {
                assert!((found - expected).abs() < tolerance, "{map:?}");
            }
        }
    }

    #[test]
    fn points_that_coincide_have_no_similarity() {
        assert_eq!(Similarity::least_squares(&[[3.0, 4.0]; 5], AlignmentTemplate::ARCFACE.points()), None);
        assert_eq!(Similarity::least_squares(&[[f64::NAN, 0.0]; 5], AlignmentTemplate::ARCFACE.points()), None);
        assert_eq!(Similarity::least_squares(&[], &[]), None);
    }

    #[test]
    fn a_chip_is_112_by_112_by_3_bytes() {
        assert!(Chip::from_aligned(vec![0; 37_632]).is_ok());
        for bytes in [0, 37_631, 37_633, 112 * 96 * 3] {
            assert_eq!(Chip::from_aligned(vec![0; bytes]).unwrap_err().code(), ErrorCode::InvalidArgument);
        }
    }

    #[test]
    fn a_mirrored_chip_exchanges_columns_and_no_channels() {
        let rgb: Vec<u8> = (0..Chip::BYTES).map(|i| (i % 251) as u8).collect();
        let chip = Chip::from_aligned(rgb.clone()).unwrap();
        let mirrored = chip.mirrored();
        let at = |rgb: &[u8], x: usize, y: usize| rgb[(y * 112 + x) * 3..][..3].to_vec();
        assert_eq!(at(mirrored.rgb(), 0, 0), at(&rgb, 111, 0));
        assert_eq!(at(mirrored.rgb(), 30, 77), at(&rgb, 81, 77));
        assert_eq!(mirrored.mirrored(), chip);
    }

    #[test]
    fn a_chip_does_not_print_its_pixels() {
        assert_eq!(format!("{:?}", Chip::from_aligned(vec![9; Chip::BYTES]).unwrap()), "Chip(112×112)");
    }

    #[test]
    fn a_chip_of_the_template_is_the_picture_itself() {
        let rgb: Vec<u8> = (0..Chip::BYTES).map(|i| (i * 7 % 256) as u8).collect();
        let frame = Frame::rgb8(&rgb, 112, 112, 336).unwrap();
        // f32 landmarks are off the template by up to 4e-6 pixel, less than half of the sampler's grid.
        assert_eq!(align(&frame, &landmarks(AlignmentTemplate::ARCFACE.points())).unwrap().rgb(), rgb);
    }

    /// serengil/deepface#209: a face at the border gave a crop of zero width.
    #[test]
    fn a_face_cut_by_any_border_gives_a_whole_chip_black_outside() {
        let rgb = vec![200; 200 * 200 * 3];
        let frame = Frame::rgb8(&rgb, 200, 200, 600).unwrap();
        for (dx, dy, outside) in [(-100.0, 40.0, 56), (180.0, 40.0, 111 * 3), (40.0, -100.0, 56), (40.0, 180.0, 111 * 336)] {
            let points = moved(AlignmentTemplate::ARCFACE.points(), &Similarity { tx: dx, ty: dy, ..Similarity::IDENTITY });
            let chip = align(&frame, &landmarks(&points)).unwrap();
            assert_eq!(chip.rgb()[outside], 0, "{dx} {dy}");
            assert!(chip.rgb().contains(&200));
        }
    }

    proptest! {
        /// onnx/models#612: a similarity, not an affine map: one scale, no shear, no mirror.
        #[test]
        fn a_similarity_is_found_again(angle in -3.1f64..3.1, scale in 0.01f64..50.0, tx in -1e4f64..1e4, ty in -1e4f64..1e4) {
            let map = Similarity { a: scale * angle.cos(), b: scale * angle.sin(), tx, ty };
            let template = AlignmentTemplate::ARCFACE.points();
            let found = Similarity::least_squares(template, &moved(template, &map)).unwrap();
            let tolerance = 1e-9 * (1.0 + scale + tx.abs() + ty.abs());
            for (found, expected) in [(found.a, map.a), (found.b, map.b), (found.tx, map.tx), (found.ty, map.ty)] {
                prop_assert!((found - expected).abs() < tolerance, "{found} {expected}");
            }
            // Through `apply`, so that this holds of the map in use and not of four numbers.
            let [origin, x, y] = [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)].map(|(x, y)| found.apply(Point::new(x, y)));
            let (across, down) = ((x.x - origin.x, x.y - origin.y), (y.x - origin.x, y.y - origin.y));
            let slack = 4e-3f32.max(scale as f32 * 1e-3);
            prop_assert!((across.0 - down.1).abs() < slack && (across.1 + down.0).abs() < slack);
            prop_assert!(across.0 * down.1 - across.1 * down.0 > 0.0 || scale < 0.02);
        }

        #[test]
        fn no_neighbour_of_the_least_squares_map_is_nearer(
            points in proptest::array::uniform10(-200f64..200.0), step in proptest::array::uniform4(-0.01f64..0.01)
        ) {
            let from: Five = std::array::from_fn(|i| [points[2 * i], points[2 * i + 1]]);
            let template = AlignmentTemplate::ARCFACE.points();
            let best = Similarity::least_squares(&from, template).unwrap();
            let near = Similarity { a: best.a + step[0], b: best.b + step[1], tx: best.tx + step[2], ty: best.ty + step[3] };
            prop_assert!(miss(&from, template, &best) <= miss(&from, template, &near) * (1.0 + 1e-12));
        }

        #[test]
        fn landmarks_of_a_face_always_have_a_similarity(noise in proptest::array::uniform10(-25f32..25.0), scale in 0.1f32..80.0) {
            let template = AlignmentTemplate::ARCFACE.points();
            let at = |i: usize, axis: usize| (template[i][axis] as f32 + noise[2 * i + axis]) * scale;
            if let Ok(landmarks) = Landmarks::new(std::array::from_fn(|i| Point::new(at(i, 0), at(i, 1)))) {
                let map = AlignmentTemplate::ARCFACE.similarity(&landmarks).unwrap();
                prop_assert!(map.inverse().is_some() && map.scale() > 0.0);
            }
        }
    }
}
