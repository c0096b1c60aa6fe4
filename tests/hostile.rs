//! Picture files that are odd and must be read, and files that must be refused with the right number. `tests/hostile/make.py` made them.

use std::path::{Path, PathBuf};

use veriface::{Chip, ErrorCode, Landmarks, Limits, Photo, Point, align};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("hostile").join(name)
}

/// The upper left 112 × 112 pixels of the upright picture: the chip of a face whose points lie on the template (ArcFace's, at 112).
fn pixels(photo: &Photo) -> Chip {
    let template = [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)];
    align(&photo.frame(), &Landmarks::new(template.map(|(x, y)| Point::new(x, y))).unwrap()).unwrap()
}

type Fields = [[u8; 3]; 4];
const COLOUR: Fields = [[200, 40, 60], [40, 180, 70], [50, 60, 210], [230, 220, 90]];
const DARKENED: Fields = [[133, 27, 40], [27, 120, 47], [33, 40, 140], [153, 147, 60]];
const GRAY: Fields = [[30; 3], [90; 3], [150; 3], [210; 3]];
const BLACK_AND_WHITE: Fields = [[0; 3], [255; 3], [255; 3], [0; 3]];

/// Each of the four flat fields has its colour, up to `tolerance`, at all pixels farther than 4 from the neighbouring field.
fn assert_fields(name: &str, expected: Fields, tolerance: u8) {
    let photo = Photo::open(file(name)).unwrap();
    assert_eq!((photo.frame().width(), photo.frame().height()), (128, 112), "{name}");
    let chip = pixels(&photo);
    for (i, got) in chip.rgb().chunks_exact(3).enumerate() {
        let (x, y) = (i % 112, i / 112);
        if x.abs_diff(64) > 4 && y.abs_diff(64) > 4 {
            let field = expected[usize::from(x > 64) + 2 * usize::from(y > 64)];
            let off = got.iter().zip(field).map(|(a, b)| a.abs_diff(b)).max().unwrap();
            assert!(off <= tolerance, "{name}: ({x}, {y}) is {got:?}, should be {field:?}");
        }
    }
}

macro_rules! read {
    ($($test:ident: $name:literal, $fields:ident, $tolerance:literal;)+) => {
        const READ: &[&str] = &[$($name),+];
        mod read {
            $(#[test] fn $test() { super::assert_fields($name, super::$fields, $tolerance) })+
        }
    };
}

read! {
    baseline_jpeg: "baseline.jpg", COLOUR, 4;
    subsampled_jpeg: "subsampled.jpg", COLOUR, 4;
    progressive_jpeg: "progressive.jpg", COLOUR, 4;
    jpeg_with_restarts: "restarts.jpg", COLOUR, 4;
    gray_jpeg: "gray.jpg", GRAY, 2;
    jpeg_with_a_trailer: "trailer.jpg", COLOUR, 4;
    cmyk_jpeg: "cmyk.jpg", COLOUR, 4;
    cmyk_jpeg_with_black: "cmyk-black.jpg", DARKENED, 4;
    ycck_jpeg: "ycck.jpg", COLOUR, 5;
    exif_1: "exif-1.jpg", COLOUR, 4;
    exif_2: "exif-2.jpg", COLOUR, 4;
    exif_3: "exif-3.jpg", COLOUR, 4;
    exif_4: "exif-4.jpg", COLOUR, 4;
    exif_5: "exif-5.jpg", COLOUR, 4;
    exif_6: "exif-6.jpg", COLOUR, 4;
    exif_7: "exif-7.jpg", COLOUR, 4;
    exif_8: "exif-8.jpg", COLOUR, 4;
    exif_in_png: "exif-6.png", COLOUR, 0;
    exif_after_the_pixels_of_a_png: "exif-6-late.png", COLOUR, 0;
    exif_in_webp: "exif-6.webp", COLOUR, 0;
    png: "rgb8.png", COLOUR, 0;
    png_with_alpha: "rgba8.png", COLOUR, 0;
    png_gray_with_alpha: "gray-alpha.png", GRAY, 0;
    png_of_16_bits: "rgb16.png", COLOUR, 0;
    png_of_16_bits_with_alpha: "rgba16.png", COLOUR, 0;
    png_gray_of_16_bits: "gray16.png", GRAY, 0;
    png_gray_of_16_bits_with_alpha: "gray-alpha16.png", GRAY, 0;
    png_with_palette: "palette.png", COLOUR, 0;
    png_with_transparent_palette: "palette-alpha.png", COLOUR, 0;
    png_of_one_bit: "one-bit.png", BLACK_AND_WHITE, 0;
    jpeg_named_png: "jpeg-named.png", COLOUR, 4;
    webp_lossy: "lossy.webp", COLOUR, 4;
    webp_lossless: "lossless.webp", COLOUR, 0;
    webp_with_alpha: "alpha.webp", COLOUR, 0;
    bmp_with_palette: "palette.bmp", COLOUR, 0;
}

fn assert_refused(name: &str, code: ErrorCode, words: &str) {
    let error = Photo::open(file(name)).unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert_eq!(error.file(), Some(file(name).as_path()));
    assert!(error.detail().contains(words), "{error}");
}

macro_rules! refused {
    ($($test:ident: $name:literal, $code:ident, $words:literal;)+) => {
        const REFUSED: &[&str] = &[$($name),+];
        mod refused {
            $(#[test] fn $test() { super::assert_refused($name, veriface::ErrorCode::$code, $words) })+
        }
    };
}

refused! {
    empty_file: "empty.jpg", UnknownPictureFormat, "empty";
    text: "text.jpg", UnknownPictureFormat, "";
    heic: "photo.heic", UnsupportedPicture, "HEIC";
    avif: "photo.avif", UnsupportedPicture, "AVIF";
    video: "clip.mp4", UnsupportedPicture, "video";
    gif: "picture.gif", UnsupportedPicture, "GIF";
    tiff: "picture.tif", UnsupportedPicture, "TIFF";
    pdf: "page.pdf", UnsupportedPicture, "PDF";
    lossless_jpeg: "lossless.jpg", UnsupportedPicture, "lossless";
    arithmetic_jpeg: "arithmetic.jpg", UnsupportedPicture, "arithmetic";
    jpeg_of_twelve_bits: "twelve-bits.jpg", UnsupportedPicture, "12 bits";
    four_byte_jpeg: "four-bytes.jpg", DamagedPicture, "";
    jpeg_cut_short: "cut.jpg", DamagedPicture, "end-of-image";
    jpeg_cut_after_its_thumbnail: "cut-after-thumbnail.jpg", DamagedPicture, "end-of-image";
    jpeg_without_end_marker: "no-end-marker.jpg", DamagedPicture, "end-of-image";
    jpeg_without_scan: "no-scan.jpg", DamagedPicture, "";
    jpeg_without_height: "no-height.jpg", DamagedPicture, "";
    png_cut_short: "cut.png", DamagedPicture, "";
    png_with_bad_checksum: "bad-checksum.png", DamagedPicture, "";
    webp_cut_short: "cut.webp", DamagedPicture, "";
    bmp_cut_short: "cut.bmp", DamagedPicture, "";
    jpeg_bomb: "bomb.jpg", PictureTooLarge, "65500×65500";
    png_bomb: "bomb.png", PictureTooLarge, "64000×64000";
    webp_bomb: "bomb.webp", PictureTooLarge, "60000×60000";
    webp_bomb_in_a_small_canvas: "bomb-inside.webp", PictureTooLarge, "16383×16383";
    bmp_bomb: "bomb.bmp", PictureTooLarge, "64000×64000";
    side_too_long: "too-wide.png", PictureTooLarge, "600000×16";
    too_small: "tiny.png", PictureTooSmall, "8×8";
}

#[test]
fn every_file_has_its_test() {
    for entry in std::fs::read_dir(file("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let known = READ.contains(&name.as_str()) || REFUSED.contains(&name.as_str()) || name == "make.py";
        assert!(known, "{name} has no line in read! or refused!");
    }
}

#[test]
fn a_folder_and_a_missing_file_are_named() {
    for (path, words) in [(file(""), "folder"), (file("no-such-file.jpg"), "")] {
        let error = Photo::open(&path).unwrap_err();
        assert_eq!(error.code(), ErrorCode::CannotRead);
        assert_eq!(error.file(), Some(path.as_path()));
        assert!(error.detail().contains(words), "{error}");
    }
}

#[test]
fn a_file_cut_anywhere_is_refused_or_whole() {
    for name in READ {
        let bytes = std::fs::read(file(name)).unwrap();
        let whole = pixels(&Photo::decode(&bytes).unwrap());
        let end_of_jpeg =
            bytes.starts_with(&[0xff, 0xd8]).then(|| bytes.windows(2).rposition(|w| w == [0xff, 0xd9]).unwrap() + 2);
        for length in 0..bytes.len() {
            let decoded = Photo::decode(&bytes[..length]);
            if end_of_jpeg.is_some_and(|end| length < end) {
                assert!(decoded.is_err(), "{name}: {length} of {} bytes", bytes.len());
            } else if let Ok(photo) = decoded {
                assert!(pixels(&photo) == whole, "{name}: {length} of {} bytes give another picture", bytes.len());
            }
        }
    }
}

#[test]
fn altered_files_never_panic() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as usize
    };
    let limits = Limits { max_pixels: 1_000_000, max_bytes: 16 << 20 };
    for name in READ {
        let original = std::fs::read(file(name)).unwrap();
        for _ in 0..100 {
            let mut bytes = original.clone();
            for _ in 0..1 + random() % 4 {
                let at = random() % bytes.len();
                bytes[at] = random() as u8;
            }
            if let Ok(photo) = Photo::decode_with(&bytes, &limits) {
                assert!(u64::from(photo.frame().width()) * u64::from(photo.frame().height()) <= limits.max_pixels);
            }
        }
    }
}

#[test]
fn limits_hold_to_the_pixel_and_the_byte() {
    let bytes = std::fs::read(file("rgb8.png")).unwrap();
    let decode = |max_pixels, max_bytes| Photo::decode_with(&bytes, &Limits { max_pixels, max_bytes }).map_err(|e| e.code());
    assert!(decode(128 * 112, 1 << 20).is_ok());
    assert_eq!(decode(128 * 112 - 1, 1 << 20).unwrap_err(), ErrorCode::PictureTooLarge);
    assert_eq!(decode(128 * 112, 128 * 112 * 3).unwrap_err(), ErrorCode::PictureTooLarge);
    let limits = Limits { max_bytes: bytes.len() as u64 - 1, ..Limits::default() };
    assert_eq!(Photo::open_with(file("rgb8.png"), &limits).unwrap_err().code(), ErrorCode::PictureTooLarge);
}
