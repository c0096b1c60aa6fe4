//! The chunks of a WebP file: RFC 9649, section 2.

use super::{Outline, damaged};
use crate::error::Result;

/// Walks the chunks, and refuses a file shorter than it says. The size is the largest that any chunk states, since the decoder takes
/// memory for a frame before it compares the frame with the canvas.
pub(super) fn outline(bytes: &[u8]) -> Result<Outline<'static>> {
    let (_, riff) = next_chunk(bytes).ok_or_else(|| damaged("the WebP file is shorter than it says"))?;
    let mut found = Found { largest: (0, 0), bytes_per_pixel: 0 };
    walk(riff.body.get(4..).unwrap_or_default(), &mut found, Level::File)?;
    let (width, height) = found.largest;
    Ok(Outline { width, height, working_bytes: u64::from(width) * u64::from(height) * found.bytes_per_pixel, exif: None })
}

struct Found {
    largest: (u32, u32),
    bytes_per_pixel: u64,
}

impl Found {
    /// Something of this size is decoded with so many bytes a pixel beside the output.
    fn add(&mut self, width: u32, height: u32, bytes_per_pixel: u64) {
        let area = |(w, h): (u32, u32)| u64::from(w) * u64::from(h);
        if area((width, height)) > area(self.largest) {
            self.largest = (width, height);
        }
        self.bytes_per_pixel += bytes_per_pixel;
    }
}

struct Chunk<'a> {
    name: &'a [u8],
    body: &'a [u8],
}

/// The first chunk and what follows it; `None` when it is cut short.
fn next_chunk(bytes: &[u8]) -> Option<(&[u8], Chunk<'_>)> {
    let (name, rest) = bytes.split_at_checked(4)?;
    let (size, rest) = rest.split_first_chunk::<4>()?;
    let size = usize::try_from(u32::from_le_bytes(*size)).ok()?;
    let (body, rest) = rest.split_at_checked(size)?;
    // Chunks start at even offsets; the last one's filler byte is often left out.
    Some((rest.get(size % 2..).unwrap_or_default(), Chunk { name, body }))
}

/// Frames hold chunks; chunks of frames within frames are not looked at.
#[derive(Clone, Copy, PartialEq)]
enum Level {
    File,
    Frame,
}

fn walk(mut rest: &[u8], found: &mut Found, level: Level) -> Result<()> {
    let mut frames = 0;
    while !rest.is_empty() {
        let (after, Chunk { name, body }) = next_chunk(rest).ok_or_else(|| damaged("a WebP chunk is cut short"))?;
        rest = after;
        let little = |at: usize, size: usize| {
            let bytes = body.get(at..at + size).ok_or_else(|| damaged("a WebP chunk without its header"))?;
            Ok(bytes.iter().rev().fold(0u32, |value, byte| value << 8 | u32::from(*byte)))
        };
        match name {
            // The frame's luma and chroma.
            b"VP8 " => found.add(little(6, 2)? & 0x3fff, little(8, 2)? & 0x3fff, 2),
            // Four bytes a pixel, of which three are kept.
            b"VP8L" => {
                let sides = little(1, 4)?;
                found.add((sides & 0x3fff) + 1, (sides >> 14 & 0x3fff) + 1, 4);
            }
            b"VP8X" => found.add(little(4, 3)? + 1, little(7, 3)? + 1, 0),
            // Alpha is a lossless picture of its own.
            b"ALPH" => found.add(0, 0, 6),
            // Only the first frame is decoded, into a frame and a canvas of four bytes a pixel; all are checked for their size.
            b"ANMF" if level == Level::File => {
                let mut frame = Found { largest: (0, 0), bytes_per_pixel: 8 };
                frame.add(little(6, 3)? + 1, little(9, 3)? + 1, 0);
                walk(body.get(16..).unwrap_or_default(), &mut frame, Level::Frame)?;
                found.add(frame.largest.0, frame.largest.1, if frames == 0 { frame.bytes_per_pixel } else { 0 });
                frames += 1;
            }
            _ => {}
        }
    }
    Ok(())
}
