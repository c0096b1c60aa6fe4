//! How stored pixels have to be turned to be upright, and where a pixel or a point of one lies in the other.

use std::ops::Sub;

use serde::{Deserialize, Serialize};

use crate::geometry::Point;

/// How far the stored picture must be turned **clockwise** to be upright: the sense of CameraX's `rotationDegrees`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Rotation {
    /// It is upright as stored.
    #[default]
    None,
    /// A quarter turn clockwise makes it upright.
    Clockwise90,
    /// A half turn makes it upright.
    Half,
    /// Three quarter turns clockwise, one counter-clockwise.
    Clockwise270,
}

impl Rotation {
    /// From CameraX's `rotationDegrees`: 0, 90, 180 or 270; anything else is `None`.
    pub const fn from_degrees(degrees: i32) -> Option<Rotation> {
        match degrees {
            0 => Some(Rotation::None),
            90 => Some(Rotation::Clockwise90),
            180 => Some(Rotation::Half),
            270 => Some(Rotation::Clockwise270),
            _ => None,
        }
    }

    const fn from_quarters(quarters: u8) -> Rotation {
        match quarters % 4 {
            0 => Rotation::None,
            1 => Rotation::Clockwise90,
            2 => Rotation::Half,
            _ => Rotation::Clockwise270,
        }
    }
}

/// The turn and the mirror that make stored pixels upright: one of the eight of EXIF.
///
/// The turn comes first; then, where `mirrored`, left and right change places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Orientation {
    /// The clockwise turn to upright.
    pub rotation: Rotation,
    /// Whether, once turned, the picture is a mirror image (a front camera's preview) and has to be mirrored back.
    pub mirrored: bool,
}

impl Orientation {
    /// Upright as stored.
    pub const UPRIGHT: Orientation = Orientation { rotation: Rotation::None, mirrored: false };

    /// From the value of EXIF's tag 0x0112 (Exif 2.32, section 4.6.4), 1…8; anything else is `None`.
    pub const fn from_exif(value: u16) -> Option<Orientation> {
        let (rotation, mirrored) = match value {
            1 => (Rotation::None, false),
            2 => (Rotation::None, true),
            3 => (Rotation::Half, false),
            4 => (Rotation::Half, true),
            5 => (Rotation::Clockwise90, true),
            6 => (Rotation::Clockwise90, false),
            7 => (Rotation::Clockwise270, true),
            8 => (Rotation::Clockwise270, false),
            _ => return None,
        };
        Some(Orientation { rotation, mirrored })
    }

    /// The orientation of a picture that needs `self` first and `next` after it.
    pub const fn then(self, next: Orientation) -> Orientation {
        // A turn met by an earlier mirror goes the other way round.
        let turn = if self.mirrored { 4 - next.rotation as u8 } else { next.rotation as u8 };
        Orientation { rotation: Rotation::from_quarters(self.rotation as u8 + turn), mirrored: self.mirrored != next.mirrored }
    }

    /// Whether width and height change places.
    pub const fn swaps_sides(self) -> bool {
        matches!(self.rotation, Rotation::Clockwise90 | Rotation::Clockwise270)
    }

    /// The upright width and height of a picture stored with these.
    pub const fn upright_size(self, stored_width: u32, stored_height: u32) -> (u32, u32) {
        if self.swaps_sides() { (stored_height, stored_width) } else { (stored_width, stored_height) }
    }

    /// Where the upright picture's pixel (`x`, `y`) is stored, in a picture of `stored_width` × `stored_height`; `None` outside it.
    pub fn stored_pixel(self, x: u32, y: u32, stored_width: u32, stored_height: u32) -> Option<(u32, u32)> {
        let (width, height) = self.upright_size(stored_width, stored_height);
        (x < width && y < height).then(|| self.to_stored(x, y, stored_width - 1, stored_height - 1))
    }

    /// Where the pixel stored at (`x`, `y`) lies in the upright picture; `None` outside it.
    pub fn upright_pixel(self, x: u32, y: u32, stored_width: u32, stored_height: u32) -> Option<(u32, u32)> {
        (x < stored_width && y < stored_height).then(|| self.to_upright(x, y, stored_width - 1, stored_height - 1))
    }

    /// Where a point of the upright picture lies among the stored pixels. Points may lie outside.
    pub fn stored_point(self, upright: Point, stored_width: u32, stored_height: u32) -> Point {
        let (x, y) = self.to_stored(upright.x, upright.y, stored_width as f32 - 1.0, stored_height as f32 - 1.0);
        Point::new(x, y)
    }

    /// Where a point among the stored pixels lies in the upright picture. Points may lie outside.
    pub fn upright_point(self, stored: Point, stored_width: u32, stored_height: u32) -> Point {
        let (x, y) = self.to_upright(stored.x, stored.y, stored_width as f32 - 1.0, stored_height as f32 - 1.0);
        Point::new(x, y)
    }

    /// The map of coordinates, in any unit: `last_x` and `last_y` are those of the last stored column and row.
    #[inline]
    pub(super) fn to_stored<T: Copy + Sub<Output = T>>(self, x: T, y: T, last_x: T, last_y: T) -> (T, T) {
        let last_across = if self.swaps_sides() { last_y } else { last_x };
        let x = if self.mirrored { last_across - x } else { x };
        match self.rotation {
            Rotation::None => (x, y),
            Rotation::Clockwise90 => (y, last_y - x),
            Rotation::Half => (last_x - x, last_y - y),
            Rotation::Clockwise270 => (last_x - y, x),
        }
    }

    fn to_upright<T: Copy + Sub<Output = T>>(self, x: T, y: T, last_x: T, last_y: T) -> (T, T) {
        let (across, down) = match self.rotation {
            Rotation::None => (x, y),
            Rotation::Clockwise90 => (last_y - y, x),
            Rotation::Half => (last_x - x, last_y - y),
            Rotation::Clockwise270 => (y, last_x - x),
        };
        let last_across = if self.swaps_sides() { last_y } else { last_x };
        (if self.mirrored { last_across - across } else { across }, down)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The upright picture "abc / def" as the eight orientations store it, written by hand from the wording of Exif 2.32: which
    /// visual side of the picture the stored row 0 and column 0 are.
    const STORED: [(u16, &[&str]); 8] = [
        (1, &["abc", "def"]),     // row 0 is the top, column 0 the left
        (2, &["cba", "fed"]),     // top, right
        (3, &["fed", "cba"]),     // bottom, right
        (4, &["def", "abc"]),     // bottom, left
        (5, &["ad", "be", "cf"]), // left, top
        (6, &["cf", "be", "ad"]), // right, top
        (7, &["fc", "eb", "da"]), // right, bottom
        (8, &["da", "eb", "fc"]), // left, bottom
    ];

    #[test]
    fn exif_orientations_show_the_same_picture() {
        for (value, stored) in STORED {
            let orientation = Orientation::from_exif(value).unwrap();
            let (width, height) = (stored[0].len() as u32, stored.len() as u32);
            assert_eq!(orientation.upright_size(width, height), (3, 2), "EXIF {value}");
            for (y, row) in ["abc", "def"].iter().enumerate() {
                for (x, &pixel) in row.as_bytes().iter().enumerate() {
                    let (sx, sy) = orientation.stored_pixel(x as u32, y as u32, width, height).unwrap();
                    assert_eq!(stored[sy as usize].as_bytes()[sx as usize], pixel, "EXIF {value} at ({x}, {y})");
                    assert_eq!(orientation.upright_pixel(sx, sy, width, height), Some((x as u32, y as u32)), "EXIF {value}");
                }
            }
        }
        assert_eq!(Orientation::from_exif(0), None);
        assert_eq!(Orientation::from_exif(9), None);
    }

    #[test]
    fn rotation_is_that_of_camerax() {
        // ImageInfo.getRotationDegrees: "the clockwise rotation in degrees that needs to be applied to make the image upright".
        // A phone held upright has its sensor's top at the right: the upright top-left pixel is the buffer's bottom-left one.
        let upright = Orientation { rotation: Rotation::from_degrees(90).unwrap(), mirrored: false };
        assert_eq!(upright.stored_pixel(0, 0, 640, 480), Some((0, 479)));
        assert_eq!(Rotation::from_degrees(45), None);
        assert_eq!(Rotation::from_degrees(-90), None);
    }

    fn any_orientation() -> impl Strategy<Value = Orientation> {
        (1u16..=8).prop_map(|value| Orientation::from_exif(value).unwrap())
    }

    proptest! {
        #[test]
        fn pixels_go_there_and_back(o in any_orientation(), w in 1u32..500, h in 1u32..500, at in any::<(u32, u32)>()) {
            let (width, height) = o.upright_size(w, h);
            let (x, y) = (at.0 % width, at.1 % height);
            let (sx, sy) = o.stored_pixel(x, y, w, h).unwrap();
            prop_assert!(sx < w && sy < h);
            prop_assert_eq!(o.upright_pixel(sx, sy, w, h), Some((x, y)));
            let point = o.stored_point(Point::new(x as f32, y as f32), w, h);
            prop_assert_eq!(point, Point::new(sx as f32, sy as f32));
            prop_assert_eq!(o.upright_point(point, w, h), Point::new(x as f32, y as f32));
            prop_assert_eq!(o.stored_pixel(width, y, w, h), None);
            prop_assert_eq!(o.upright_pixel(sx, h, w, h), None);
        }

        #[test]
        fn composition_is_one_after_the_other(first in any_orientation(), next in any_orientation(), w in 1u32..99, h in 1u32..99) {
            let both = first.then(next);
            for (sx, sy) in [(0, 0), (w - 1, 0), (0, h - 1), (w / 2, h / 3)] {
                let (mx, my) = first.upright_pixel(sx, sy, w, h).unwrap();
                let (mw, mh) = first.upright_size(w, h);
                prop_assert_eq!(both.upright_pixel(sx, sy, w, h), next.upright_pixel(mx, my, mw, mh));
            }
        }
    }
}
