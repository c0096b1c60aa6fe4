//! The markers of a JPEG: ITU-T T.81, Annex B.

use super::{Outline, damaged, unsupported};
use crate::error::Result;

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;

/// Walks the markers from the first to the end of the image, and refuses what lacks an end, a frame header or a scan, and coding
/// processes other than baseline, extended and progressive Huffman at 8 bits.
pub(super) fn outline(bytes: &[u8]) -> Result<Outline<'static>> {
    let cut_short = || damaged("the JPEG ends before its end-of-image marker");
    let mut rest = bytes.strip_prefix(&[0xff, SOI]).ok_or_else(|| damaged("a JPEG without a start marker"))?;
    let mut frame: Option<FrameHeader> = None;
    let mut scanned = false;
    loop {
        // Between segments and after entropy-coded data, anything up to the next marker is skipped; 0xff may be repeated as filler.
        let start = rest.windows(2).position(|pair| pair[0] == 0xff && is_segment_or_end(pair[1])).ok_or_else(cut_short)?;
        let marker = rest[start + 1];
        rest = &rest[start + 2..];
        if marker == EOI {
            break;
        }
        let length = match rest {
            [high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
            _ => return Err(cut_short()),
        };
        if length < 2 {
            return Err(damaged("a JPEG segment shorter than its own length field"));
        }
        let segment = rest.get(2..length).ok_or_else(cut_short)?;
        rest = &rest[length..];
        match marker {
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                if frame.is_some() {
                    return Err(damaged("a JPEG with two frame headers"));
                }
                frame = Some(FrameHeader::parse(marker, segment)?);
            }
            SOS => {
                let frame = frame.as_mut().ok_or_else(|| damaged("a JPEG scan before its frame header"))?;
                scanned = true;
                frame.several_scans |= segment.first() < Some(&frame.components);
            }
            _ => {}
        }
    }
    match frame {
        Some(frame) if scanned => Ok(frame.outline()),
        _ => Err(damaged("a JPEG without picture data")),
    }
}

/// Whether the byte after 0xff opens a segment or ends the image; stuffed zeros, restart markers, TEM and filler do not.
fn is_segment_or_end(byte: u8) -> bool {
    matches!(byte, 0xc0..=0xcf | EOI..=0xfe)
}

struct FrameHeader {
    width: u32,
    height: u32,
    components: u8,
    /// Blocks of 8 × 8 over all components in one minimum coded unit, and that unit's size in blocks.
    blocks: u64,
    unit: (u64, u64),
    several_scans: bool,
}

impl FrameHeader {
    fn parse(marker: u8, segment: &[u8]) -> Result<FrameHeader> {
        match marker {
            0xc0..=0xc2 => {}
            0xc3 => return Err(unsupported("a lossless JPEG")),
            0xc9..=0xcb | 0xcd..=0xcf => return Err(unsupported("an arithmetic-coded JPEG")),
            _ => return Err(unsupported("a hierarchical JPEG")),
        }
        let [precision, h1, h0, w1, w0, components, specifications @ ..] = segment else {
            return Err(damaged("a JPEG frame header that is too short"));
        };
        if *precision != 8 {
            return Err(unsupported(&format!("a JPEG of {precision} bits a component")));
        }
        if !matches!(components, 1 | 3 | 4) {
            return Err(unsupported(&format!("a JPEG of {components} components")));
        }
        let (height, width) = (u16::from_be_bytes([*h1, *h0]), u16::from_be_bytes([*w1, *w0]));
        let factors: Vec<(u64, u64)> = specifications
            .chunks_exact(3)
            .take(usize::from(*components))
            .map(|c| (u64::from(c[1] >> 4), u64::from(c[1] & 15)))
            .collect();
        let valid = factors.iter().all(|(h, v)| (1..=4).contains(h) && (1..=4).contains(v));
        if factors.len() < usize::from(*components) || !valid || width == 0 || height == 0 {
            return Err(damaged("a JPEG frame header with impossible values"));
        }
        Ok(FrameHeader {
            width: width.into(),
            height: height.into(),
            components: *components,
            blocks: factors.iter().map(|(h, v)| h * v).sum(),
            unit: factors.iter().fold((1, 1), |most, f| (most.0.max(f.0), most.1.max(f.1))),
            several_scans: marker == 0xc2,
        })
    }

    fn outline(&self) -> Outline<'static> {
        let units = |side: u32, blocks: u64| u64::from(side).div_ceil(8 * blocks);
        let coefficients = units(self.width, self.unit.0) * units(self.height, self.unit.1) * self.blocks * 64;
        // Coefficients that arrive over several scans are held, two bytes each, until the last one.
        let working_bytes = if self.several_scans { coefficients * 2 } else { 0 };
        Outline { width: self.width, height: self.height, working_bytes, exif: None }
    }
}
