//! A picture of many chips with a caption each, to look at.

use std::path::Path;

use image::{Rgb, RgbImage};

use super::chips::SIDE;
use crate::error::{Error, Result};

/// Letters are 8×8 pixels.
const LETTER: usize = 8;
const GAP: usize = 4;
const PAPER: Rgb<u8> = Rgb([245, 245, 245]);
const INK: Rgb<u8> = Rgb([20, 20, 20]);
/// The most pixels of a sheet.
const MOST_PIXELS: usize = 60_000_000;

/// Chips side by side, and lines of text below them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tile {
    /// Each `SIDE`×`SIDE` pixels of RGB.
    pub chips: Vec<Vec<u8>>,
    /// Plain letters; what is too long is cut.
    pub caption: Vec<String>,
}

/// Draws tiles in rows of `columns`, each as wide as the widest, and writes a PNG.
pub fn write(path: &Path, tiles: &[Tile], columns: usize) -> Result<()> {
    let sheet = draw(tiles, columns).map_err(|reason| Error::data(path.display().to_string(), reason))?;
    let mut bytes = std::io::Cursor::new(Vec::new());
    sheet.write_to(&mut bytes, image::ImageFormat::Png).map_err(|e| Error::data(path.display().to_string(), e.to_string()))?;
    Ok(veriface::replace_file(path, |to| to.write_all(bytes.get_ref()))?)
}

fn draw(tiles: &[Tile], columns: usize) -> Result<RgbImage, String> {
    let columns = columns.clamp(1, tiles.len().max(1));
    let chips = tiles.iter().map(|tile| tile.chips.len()).max().unwrap_or(0).max(1);
    let lines = tiles.iter().map(|tile| tile.caption.len()).max().unwrap_or(0);
    let (width, height) = (chips * SIDE + GAP, SIDE + lines * (LETTER + 2) + 2 * GAP);
    let (wide, high) = (columns * width + GAP, tiles.len().div_ceil(columns) * height + GAP);
    if wide.saturating_mul(high) > MOST_PIXELS {
        return Err(format!("a contact sheet of {wide}×{high} pixels is too large; show fewer tiles"));
    }
    let mut sheet = RgbImage::from_pixel(wide as u32, high as u32, PAPER);
    for (number, tile) in tiles.iter().enumerate() {
        let (left, top) = (GAP + number % columns * width, GAP + number / columns * height);
        for (place, chip) in tile.chips.iter().enumerate() {
            for (i, pixel) in chip.chunks_exact(3).take(SIDE * SIDE).enumerate() {
                let (x, y) = (left + place * SIDE + i % SIDE, top + i / SIDE);
                sheet.put_pixel(x as u32, y as u32, Rgb([pixel[0], pixel[1], pixel[2]]));
            }
        }
        for (line, text) in tile.caption.iter().enumerate() {
            let fits = (width - GAP) / LETTER;
            for (column, letter) in text.chars().take(fits).enumerate() {
                print(&mut sheet, letter, left + column * LETTER, top + SIDE + GAP + line * (LETTER + 2));
            }
        }
    }
    Ok(sheet)
}

fn print(sheet: &mut RgbImage, letter: char, left: usize, top: usize) {
    let shape = font8x8::legacy::BASIC_LEGACY.get(letter as usize).unwrap_or(&font8x8::legacy::BASIC_LEGACY['?' as usize]);
    for (y, row) in shape.iter().enumerate() {
        for x in (0..LETTER).filter(|x| row >> x & 1 == 1) {
            sheet.put_pixel((left + x) as u32, (top + y) as u32, INK);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_lie_in_rows_with_their_captions_below() {
        let tile = |shade: u8, text: &str| Tile { chips: vec![vec![shade; SIDE * SIDE * 3]], caption: vec![text.into()] };
        let sheet = draw(&[tile(1, "|"), tile(2, ""), tile(3, "much too long for a tile, and ümlaut")], 2).expect("a sheet");
        assert_eq!(sheet.dimensions(), ((2 * (112 + 4) + 4) as u32, (2 * (112 + 10 + 8) + 4) as u32));
        assert_eq!([(4, 4), (120, 4), (4, 134)].map(|(x, y)| sheet.get_pixel(x, y)[0]), [1, 2, 3]);
        // The bar is the pixels 3 and 4 of each of its rows.
        assert_eq!((*sheet.get_pixel(4 + 3, 4 + 112 + 4), *sheet.get_pixel(4 + 1, 4 + 112 + 4)), (INK, PAPER));
        assert!(draw(&vec![tile(1, ""); 100_000], 10).expect_err("too large").contains("too large"));
        assert!(draw(&[], 3).is_ok());
    }
}
