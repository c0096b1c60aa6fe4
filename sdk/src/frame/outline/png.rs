//! The chunks of a PNG file: PNG, third edition, section 5.

use super::{Outline, damaged};
use crate::error::Result;

/// Walks the chunks to the end, and refuses a file that has none. The EXIF block is taken from wherever it stands: `eXIf` may come
/// after the picture data, where the decoder does not look in time.
pub(super) fn outline(bytes: &[u8]) -> Result<Outline<'_>> {
    let cut_short = || damaged("the PNG ends before its end chunk");
    let mut rest = bytes.get(8..).ok_or_else(cut_short)?;
    let mut outline = Outline { width: 0, height: 0, working_bytes: 0, exif: None };
    loop {
        let (after, name, body) = next_chunk(rest).ok_or_else(cut_short)?;
        rest = after;
        match (name, body) {
            (b"IHDR", [w3, w2, w1, w0, h3, h2, h1, h0, ..]) => {
                outline.width = u32::from_be_bytes([*w3, *w2, *w1, *w0]);
                outline.height = u32::from_be_bytes([*h3, *h2, *h1, *h0]);
            }
            (b"eXIf", body) => outline.exif = Some(body),
            (b"IEND", _) if outline.width == 0 || outline.height == 0 => return Err(damaged("a PNG without a size")),
            (b"IEND", _) => return Ok(outline),
            _ => {}
        }
    }
}

/// What follows the first chunk, its name and its body; `None` when it is cut short.
fn next_chunk(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (name, rest) = rest.split_at_checked(4)?;
    let (body, rest) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    Some((rest.get(4..)?, name, body)) // 4 bytes of checksum
}
