//! Picture files: recognised by content, bounded before memory is taken, upright by their EXIF orientation.

/// Bounds checked from a file's header before pixels are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most pixels a picture may have.
    pub max_pixels: u64,
    /// The most bytes the decoder may take, its own buffers included.
    pub max_bytes: u64,
}

impl Default for Limits {
    /// 64 megapixels and 512 MiB.
    fn default() -> Limits {
        Limits { max_pixels: 64_000_000, max_bytes: 512 << 20 }
    }
}

/// A decoded picture file.
pub struct Photo {
    pixels: Vec<u8>,
}
