//! Picture files: recognised by content, bounded before memory is taken, upright by their EXIF orientation.

use std::fmt;
use std::fs::File;
use std::io::{Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::metadata::Orientation as ExifOrientation;
use image::{ColorType, ImageDecoder, ImageError, ImageFormat, ImageReader};

use super::camera::{LONGEST_SIDE, Memory, Packed};
use super::outline::outline;
use super::{Frame, Orientation};
use crate::error::{Error, ErrorCode, Result};

/// Bounds checked from a file's header before pixels are decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most pixels a picture may have.
    pub max_pixels: u64,
    /// The most bytes of memory: the file itself, the decoder's working memory and the pixels together.
    pub max_bytes: u64,
}

impl Default for Limits {
    /// 64 megapixels and 512 MiB.
    fn default() -> Limits {
        Limits { max_pixels: 64_000_000, max_bytes: 512 << 20 }
    }
}

/// No side of a picture may be shorter: a face of so few pixels tells nobody apart.
const SHORTEST_SIDE: u32 = 16;

/// A decoded picture file: JPEG, PNG, WebP or BMP.
///
/// The pixels stay as the file stores them, 8 bits a component; the EXIF orientation is carried by [`Photo::frame`] and costs no
/// copy. Of 16-bit files each component is rounded to 8 bits. Alpha is dropped: a transparent pixel counts with the colour that the
/// file gives it. Of an animation the first picture is taken. Colour profiles are not applied.
///
/// Reading takes the file, twice for a JPEG, the pixels (1, 3 or 4 bytes each, twice that while a 16-bit file is read), and what the
/// decoder needs: 2 to 8 bytes a pixel for a progressive JPEG or a WebP. A photo of 48 megapixels peaks at 150 MB as a
/// baseline JPEG or PNG, at 300 to 450 MB as a progressive JPEG and at 230 to 345 MB as a WebP.
pub struct Photo {
    pixels: Vec<u8>,
    format: Packed,
    width: u32,
    height: u32,
    orientation: Orientation,
}

impl Photo {
    /// Reads a picture file within the default [`Limits`].
    ///
    /// # Errors
    /// As [`Photo::open_with`].
    pub fn open(path: impl AsRef<Path>) -> Result<Photo> {
        Photo::open_with(path, &Limits::default())
    }

    /// Reads a picture file.
    ///
    /// # Errors
    /// [`ErrorCode::CannotRead`] when there is no such file or it is a folder; otherwise as [`Photo::decode_with`]. Each names the
    /// file.
    pub fn open_with(path: impl AsRef<Path>, limits: &Limits) -> Result<Photo> {
        let path = path.as_ref();
        read_bounded(path, limits.max_bytes)
            .and_then(|bytes| Photo::decode_with(&bytes, limits))
            .map_err(|error| error.in_file(path))
    }

    /// Decodes a picture file held in memory within the default [`Limits`].
    ///
    /// # Errors
    /// As [`Photo::decode_with`].
    pub fn decode(bytes: &[u8]) -> Result<Photo> {
        Photo::decode_with(bytes, &Limits::default())
    }

    /// Decodes a picture file held in memory.
    ///
    /// # Errors
    /// - [`ErrorCode::UnknownPictureFormat`]: the bytes begin like no picture.
    /// - [`ErrorCode::UnsupportedPicture`]: a picture, but of a kind that is not read (HEIC, GIF, a 12-bit JPEG), by name.
    /// - [`ErrorCode::DamagedPicture`]: it does not decode to its end. A JPEG that lacks its end marker is refused even where a
    ///   viewer would show it, since the missing part would be grey.
    /// - [`ErrorCode::PictureTooLarge`]: its header promises more than the limits; nothing was allocated.
    /// - [`ErrorCode::PictureTooSmall`]: a side is shorter than 16 pixels.
    pub fn decode_with(bytes: &[u8], limits: &Limits) -> Result<Photo> {
        let format = recognise(bytes)?;
        // Decoders of untrusted files have panicked before; whatever state they leave behind is dropped here.
        catch_unwind(AssertUnwindSafe(|| decode(bytes, format, limits)))
            .unwrap_or_else(|_| Err(Error::new(ErrorCode::DamagedPicture, format!("the {} decoder gave up", name(format)))))
    }

    /// The picture, upright by its EXIF orientation.
    pub fn frame(&self) -> Frame<'_> {
        let row_stride = self.width as usize * self.format.bytes_per_pixel();
        let memory = Memory::Packed { bytes: &self.pixels, row_stride, format: self.format };
        Frame::trusted(self.width, self.height, memory).with_orientation(self.orientation)
    }
}

impl<'a> From<&'a Photo> for Frame<'a> {
    fn from(photo: &'a Photo) -> Frame<'a> {
        photo.frame()
    }
}

impl fmt::Debug for Photo {
    /// Format, size and orientation; never the pixels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Photo").field(&self.frame()).finish()
    }
}

/// The whole file, if it has at most `max_bytes`.
fn read_bounded(path: &Path, max_bytes: u64) -> Result<Vec<u8>> {
    let cannot = |error: std::io::Error| Error::new(ErrorCode::CannotRead, error.to_string());
    let file = File::open(path).map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    if metadata.is_dir() {
        return Err(Error::new(ErrorCode::CannotRead, "it is a folder"));
    }
    let too_large = || Error::new(ErrorCode::PictureTooLarge, format!("the file is larger than {max_bytes} bytes"));
    if metadata.len() > max_bytes {
        return Err(too_large());
    }
    // A pipe or device states no length, so the reading is bounded as well.
    let mut bytes = Vec::new();
    file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > max_bytes { Err(too_large()) } else { Ok(bytes) }
}

/// The format by the first bytes; never by a name.
fn recognise(bytes: &[u8]) -> Result<ImageFormat> {
    if bytes.is_empty() {
        return Err(Error::new(ErrorCode::UnknownPictureFormat, "the file is empty"));
    }
    match image::guess_format(bytes) {
        Ok(format @ (ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::WebP | ImageFormat::Bmp)) => Ok(format),
        Ok(other) => Err(unsupported(name(other))),
        Err(_) => Err(match foreign(bytes) {
            Some(name) => unsupported(name),
            None => Error::new(ErrorCode::UnknownPictureFormat, "no known signature in the first bytes"),
        }),
    }
}

/// Formats that people do hand over and that `image` has no name for.
fn foreign(bytes: &[u8]) -> Option<&'static str> {
    // ISO/IEC 14496-12: a box length, "ftyp", and the brand.
    if bytes.get(4..8) == Some(b"ftyp") {
        return match bytes.get(8..12)? {
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => Some("HEIC, the iPhone's format"),
            b"avis" => Some("AVIF"),
            _ => Some("a video or another ISO media file"),
        };
    }
    let signatures: [(&[u8], &str); 5] = [
        (b"%PDF-", "PDF"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "JPEG XL"),
        (b"\xff\x0a", "JPEG XL"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"<svg", "SVG"),
    ];
    signatures.iter().find(|(signature, _)| bytes.starts_with(signature)).map(|(_, name)| *name)
}

fn name(format: ImageFormat) -> &'static str {
    match format {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Gif => "GIF",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Avif => "AVIF",
        other => other.extensions_str().first().copied().unwrap_or("another format"),
    }
}

fn unsupported(what: &str) -> Error {
    Error::new(ErrorCode::UnsupportedPicture, what)
}

fn decode(bytes: &[u8], format: ImageFormat, limits: &Limits) -> Result<Photo> {
    let mut working = bytes.len() as u64;
    let mut exif = None;
    if let Some(outline) = outline(bytes, format)? {
        check_pixels(outline.width, outline.height, limits)?;
        working = working.saturating_add(outline.working_bytes);
        exif = outline.exif.and_then(ExifOrientation::from_exif_chunk);
    }
    if format == ImageFormat::Jpeg {
        // The decoder keeps a copy of the file.
        working = working.saturating_add(bytes.len() as u64);
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut bounds = image::Limits::no_limits();
    bounds.max_alloc = Some(limits.max_bytes);
    reader.limits(bounds);
    let mut decoder = reader.into_decoder().map_err(explain)?;
    let (width, height) = decoder.dimensions();
    check_pixels(width, height, limits)?;
    let colour = decoder.color_type();
    let needed = decoder.total_bytes();
    let total = working.saturating_add(needed);
    let length = usize::try_from(needed).ok().filter(|_| total <= limits.max_bytes).ok_or_else(|| {
        let detail = format!("{width}×{height} pixels need {total} bytes, the limit is {}", limits.max_bytes);
        Error::new(ErrorCode::PictureTooLarge, detail)
    })?;
    let exif = exif.or_else(|| decoder.orientation().ok());
    let mut pixels = Vec::new();
    pixels
        .try_reserve_exact(length)
        .map_err(|_| Error::new(ErrorCode::PictureTooLarge, format!("the system has no {length} bytes to give")))?;
    pixels.resize(length, 0);
    decoder.read_image(&mut pixels).map_err(explain)?;
    let format = reduce(&mut pixels, colour)?;
    let orientation = exif.and_then(|exif| Orientation::from_exif(exif.to_exif().into())).unwrap_or_default();
    Ok(Photo { pixels, format, width, height, orientation })
}

fn check_pixels(width: u32, height: u32, limits: &Limits) -> Result<()> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits.max_pixels {
        let detail = format!("{width}×{height} are {pixels} pixels, the limit is {}", limits.max_pixels);
        return Err(Error::new(ErrorCode::PictureTooLarge, detail));
    }
    if width.max(height) > LONGEST_SIDE {
        let detail = format!("{width}×{height} pixels, no side may exceed {LONGEST_SIDE}");
        return Err(Error::new(ErrorCode::PictureTooLarge, detail));
    }
    if width.min(height) < SHORTEST_SIDE {
        let detail = format!("{width}×{height} pixels, each side needs {SHORTEST_SIDE}");
        return Err(Error::new(ErrorCode::PictureTooSmall, detail));
    }
    Ok(())
}

fn explain(error: ImageError) -> Error {
    let code = match &error {
        ImageError::Unsupported(_) => ErrorCode::UnsupportedPicture,
        ImageError::Limits(_) => ErrorCode::PictureTooLarge,
        _ => ErrorCode::DamagedPicture,
    };
    Error::new(code, error.to_string())
}

/// Brings decoded pixels to 8 bits a component and one of our formats, in place.
fn reduce(pixels: &mut Vec<u8>, colour: ColorType) -> Result<Packed> {
    let format = match colour {
        ColorType::L8 => return Ok(Packed::Gray8),
        ColorType::Rgb8 => return Ok(Packed::Rgb8),
        ColorType::Rgba8 => return Ok(Packed::Rgba8),
        ColorType::La8 | ColorType::La16 | ColorType::L16 => Packed::Gray8,
        ColorType::Rgb16 => Packed::Rgb8,
        ColorType::Rgba16 => Packed::Rgba8,
        other => return Err(unsupported(&format!("{other:?}"))),
    };
    match colour {
        ColorType::La8 => keep(pixels, 2, |pixel| pixel[0]),
        ColorType::La16 => keep(pixels, 4, |pixel| to_eight_bits(pixel[0], pixel[1])),
        _ => keep(pixels, 2, |component| to_eight_bits(component[0], component[1])),
    }
    pixels.shrink_to_fit();
    Ok(format)
}

/// Puts one byte in the place of each `size` bytes.
fn keep(pixels: &mut Vec<u8>, size: usize, byte: impl Fn(&[u8]) -> u8) {
    let count = pixels.len() / size;
    for i in 0..count {
        pixels[i] = byte(&pixels[i * size..(i + 1) * size]);
    }
    pixels.truncate(count);
}

/// A 16-bit component in memory order, rounded to 8 bits: PNG's sample depth rescaling (PNG, third edition, section 12.4).
fn to_eight_bits(first: u8, second: u8) -> u8 {
    ((u32::from(u16::from_ne_bytes([first, second])) * 255 + 32767) / 65535) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(format: ImageFormat) -> (Vec<u8>, Vec<u8>) {
        let rgb: Vec<u8> = (0..32 * 24).flat_map(|i: u32| [(i % 32 * 7) as u8, (i / 32 * 9) as u8, 128]).collect();
        let picture = image::RgbImage::from_raw(32, 24, rgb.clone()).unwrap();
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        (bytes.into_inner(), rgb)
    }

    #[test]
    fn lossless_formats_return_their_pixels() {
        for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Bmp] {
            let (bytes, rgb) = encoded(format);
            let photo = Photo::decode(&bytes).unwrap();
            assert_eq!((photo.frame().width(), photo.frame().height()), (32, 24));
            assert_eq!(photo.pixels, rgb, "{format:?}");
        }
    }

    #[test]
    fn every_prefix_of_a_jpeg_is_an_error() {
        let (bytes, _) = encoded(ImageFormat::Jpeg);
        assert!(Photo::decode(&bytes).is_ok());
        for length in 0..bytes.len() {
            assert!(Photo::decode(&bytes[..length]).is_err(), "{length} of {} bytes", bytes.len());
        }
    }
}
