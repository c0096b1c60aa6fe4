//! What is fuzzed: one function for each place where bytes of others come in. None may panic, hang, or take memory without bound, whatever the
//! bytes are. `fuzz/` gives them to libFuzzer, `tests/fuzzed.rs` to a mutator of our own that needs no nightly compiler.

use std::io::Write;

use sha2::{Digest, Sha256};
use veriface::evaluation::PairList;
use veriface::{
    Bytes, Chip, Frame, Gallery, Landmarks, Limits, Measured, ModelId, Orientation, Pack, PackSigningKey, Photo, Plane, Point,
    Rotation, SealedTemplate, SealingKey, Secret, Template, Trust, Verifier, YuvMatrix, YuvRange, align,
};

use crate::{here, tiny_pack};

/// One entrance.
pub struct Target {
    /// Its name, which is also that of the file in `fuzz/fuzz_targets`.
    pub name: &'static str,
    /// Gives the bytes to the SDK.
    pub run: fn(&[u8]),
    /// Bytes to begin with.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// The most bytes of the heap that one input may take.
    pub memory: usize,
}

/// All of them.
pub const ALL: &[Target] = &[
    Target { name: "picture", run: picture, seeds: pictures, memory: 40 << 20 },
    Target { name: "camera", run: camera, seeds: cameras, memory: 8 << 20 },
    Target { name: "onnx", run: onnx, seeds: networks, memory: 64 << 20 },
    Target { name: "prepared", run: prepared, seeds: prepared_networks, memory: 64 << 20 },
    Target { name: "pack", run: pack, seeds: packs, memory: 96 << 20 },
    Target { name: "template", run: template, seeds: templates, memory: 1 << 20 },
    Target { name: "sealed", run: sealed, seeds: sealed_templates, memory: 1 << 20 },
    Target { name: "gallery", run: gallery, seeds: galleries, memory: 4 << 20 },
    Target { name: "pairs", run: pairs, seeds: lists, memory: 4 << 20 },
];

/// A picture file, EXIF and all, and the chip that is cut from it.
pub fn picture(bytes: &[u8]) {
    let limits = Limits { max_pixels: 1_000_000, max_bytes: 16 << 20 };
    if let Ok(photo) = Photo::decode_with(bytes, &limits) {
        let frame = photo.frame();
        assert!(u64::from(frame.width()) * u64::from(frame.height()) <= limits.max_pixels);
        cut(&frame);
    }
}

fn pictures() -> Vec<Vec<u8>> {
    let files = std::fs::read_dir(here("hostile")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|ending| ending != "py")).collect();
    files.sort();
    files.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// A camera's planes: 32 bytes of geometry, and what follows is memory.
pub fn camera(bytes: &[u8]) {
    let Some((head, memory)) = bytes.split_first_chunk::<32>() else { return };
    let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (width, height, row, pixel) = (number(0), number(4), number(8) as usize, number(12) as usize);
    let (split, chroma_row) = (number(16) as usize, number(20) as usize);
    let (first, rest) = memory.split_at(split.min(memory.len()));
    let (second, third) = rest.split_at((number(24) as usize).min(rest.len()));
    let plane = |bytes, row_stride, pixel_stride| Plane { bytes, row_stride, pixel_stride };
    let matrix = if head[29] & 1 == 0 { YuvMatrix::Bt601 } else { YuvMatrix::Bt709 };
    let range = if head[29] & 2 == 0 { YuvRange::Full } else { YuvRange::Video };
    let luma = plane(first, row, 1);
    let frame = match head[28] % 11 {
        0 => Frame::rgb8(memory, width, height, row),
        1 => Frame::bgr8(memory, width, height, row),
        2 => Frame::rgba8(memory, width, height, row),
        3 => Frame::bgra8(memory, width, height, row),
        4 => Frame::gray8(memory, width, height, row),
        5 => Frame::nv12(luma, plane(rest, chroma_row, pixel), width, height, matrix, range),
        6 => Frame::nv21(luma, plane(rest, chroma_row, pixel), width, height, matrix, range),
        7 => Frame::nv12_contiguous(memory, width, height, row, matrix, range),
        8 => Frame::nv21_contiguous(memory, width, height, row, matrix, range),
        9 => Frame::i420(memory, width, height, row, matrix, range),
        _ => Frame::yuv420(luma, plane(second, chroma_row, pixel), plane(third, chroma_row, pixel), width, height, matrix, range),
    };
    if let Ok(frame) = frame {
        let rotation = [Rotation::None, Rotation::Clockwise90, Rotation::Half, Rotation::Clockwise270][usize::from(head[30] % 4)];
        cut(&frame.with_orientation(Orientation { rotation, mirrored: head[30] & 4 != 0 }));
    }
}

fn cameras() -> Vec<Vec<u8>> {
    let seed = |format: u8, row: u32, memory: usize| {
        let numbers = [16, 12, row, 1 + u32::from(format == 5 || format == 6), 192, if format == 10 { 8 } else { 16 }, 48];
        let mut bytes: Vec<u8> = numbers.iter().flat_map(|number: &u32| number.to_le_bytes()).collect();
        bytes.extend([format, 0, 1, 0]);
        bytes.extend((0..memory).map(|place| (place * 37) as u8));
        bytes
    };
    let packed = [(0, 48, 576), (1, 48, 576), (2, 64, 768), (3, 64, 768), (4, 16, 192)];
    let planar = (5..11).map(|format| (format, 16, 288));
    packed.into_iter().chain(planar).map(|(format, row, memory)| seed(format, row, memory)).collect()
}

/// A chip of the frame, whatever the frame is.
fn cut(frame: &Frame<'_>) {
    let (width, height) = (frame.width() as f32, frame.height() as f32);
    let points = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)];
    if let Ok(landmarks) = Landmarks::new(points.map(|(x, y)| Point::new(x * width, y * height))) {
        let _ = align(frame, &landmarks);
    }
}

const INPUT: [usize; 4] = [1, 3, 24, 24];

/// A network's file: it is refused, or it runs.
pub fn onnx(bytes: &[u8]) {
    if let Ok(network) = Measured::load(bytes, &INPUT) {
        let _ = network.run(|input| input.fill(0.25), |_| ());
    }
}

fn networks() -> Vec<Vec<u8>> {
    let file = |name: &str| std::fs::read(here("../sdk/src/net/golden").join(name)).unwrap();
    vec![file("small_relu_int8.onnx"), file("small_prelu_int8.onnx"), std::fs::read(here("packs/tiny-recogniser.onnx")).unwrap()]
}

/// A network as kernels read it.
pub fn prepared(bytes: &[u8]) {
    // As a part of a pack does, it begins at a multiple of 64, or does not.
    if let Ok(Some(network)) = Measured::load_prepared(&Bytes::from(bytes.to_vec()), &INPUT) {
        let _ = network.run(|input| input.fill(0.25), |_| ());
    }
}

fn prepared_networks() -> Vec<Vec<u8>> {
    networks().iter().filter_map(|onnx| Measured::prepare(onnx, &INPUT).ok().flatten()).collect()
}

/// A pack whose hashes were written by whoever changed it, and a verifier of it.
pub fn pack(bytes: &[u8]) {
    let bytes = rehashed(bytes.to_vec());
    let key = PackSigningKey::from_bytes(&[7; 32]).public();
    let _ = Pack::from_bytes(&bytes, Trust::SignedBy(key));
    if let Ok(pack) = Pack::from_bytes(&bytes, Trust::Unsigned)
        && let Ok(verifier) = Verifier::from_pack(pack)
    {
        let pixels = [90; 64 * 64];
        if let Ok(frame) = Frame::gray8(&pixels, 64, 64, 64) {
            let _ = verifier.verify(frame, frame);
        }
    }
}

fn packs() -> Vec<Vec<u8>> {
    let key = PackSigningKey::from_bytes(&[7; 32]);
    let finished = Verifier::from_pack(tiny_pack()).unwrap().finished_pack(&Chip::drawn_face()).unwrap();
    [tiny_pack().signed(&key), finished].iter().map(|pack| pack.to_bytes().unwrap()).collect()
}

/// What a forger does after a change: every hash is written again, the table's of the parts and the header's over all.
pub fn rehashed(mut bytes: Vec<u8>) -> Vec<u8> {
    const HEADER: usize = 64;
    const ENTRY: usize = 128;
    let number = |bytes: &[u8], at: usize| Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?) as usize);
    let parts = bytes.get(24..28).map_or(0, |field| u32::from_le_bytes(field.try_into().unwrap_or_default()).min(256)) as usize;
    for entry in (0..parts).map(|part| HEADER + part * ENTRY) {
        let range = number(&bytes, entry + 80).zip(number(&bytes, entry + 88));
        let range = range.and_then(|(start, length)| Some(start..start.checked_add(length)?));
        let hash = range.and_then(|range| bytes.get(range)).map(Sha256::digest);
        if let (Some(hash), Some(field)) = (hash, bytes.get_mut(entry + 96..entry + 128)) {
            field.copy_from_slice(&hash);
        }
    }
    let end = number(&bytes, 16).and_then(|manifest| manifest.checked_add(HEADER + parts * ENTRY));
    let described = end.and_then(|end| bytes.get(HEADER..end));
    let hash = described.map(|described| Sha256::new().chain_update(&bytes[..32]).chain_update(described).finalize());
    if let Some(hash) = hash {
        bytes[32..64].copy_from_slice(&hash);
    }
    bytes
}

/// The last 32 bytes become the SHA-256 of those before, as a forger writes them.
fn rechecked(bytes: &[u8]) -> Vec<u8> {
    let content = &bytes[..bytes.len().saturating_sub(32)];
    [content, &Sha256::digest(content)[..]].concat()
}

const MODEL: ModelId = ModelId::from_bytes([7; 32]);

fn example() -> Template {
    let values = (0..16).map(|place| (place as f32 - 7.5) / 3.0).collect();
    Template::enrol(&[veriface::Embedding::from_raw(MODEL, values).unwrap()]).unwrap().template
}

/// A template's bytes: what is read is written again to the bit.
pub fn template(bytes: &[u8]) {
    let _ = Template::from_bytes(bytes);
    let bytes = rechecked(bytes);
    if let Ok(template) = Template::from_bytes(&bytes) {
        assert_eq!(template.to_bytes(), bytes);
    }
}

fn templates() -> Vec<Vec<u8>> {
    vec![example().to_bytes()]
}

/// A sealed template's bytes. Nothing that was changed opens.
pub fn sealed(bytes: &[u8]) {
    let _ = SealedTemplate::from_bytes(bytes);
    if let Ok(sealed) = SealedTemplate::from_bytes(&rechecked(bytes)) {
        // A passphrase is not tried: deriving its key takes the time that it is meant to take.
        let key = SealingKey::from_bytes([7; 32]);
        if let Ok(template) = sealed.unseal(Secret::Key(&key), MODEL, "fuzz") {
            assert_eq!(template, example());
        }
    }
}

fn sealed_templates() -> Vec<Vec<u8>> {
    let key = SealingKey::from_bytes([7; 32]);
    let sealed = |secret| SealedTemplate::seal(&example(), secret, "fuzz").unwrap().as_bytes().to_vec();
    vec![sealed(Secret::Key(&key)), sealed(Secret::Passphrase("fuzz"))]
}

/// A gallery's file, and a search in it.
pub fn gallery(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&rechecked(bytes)).unwrap();
    if let Ok(gallery) = Gallery::open(file.path()) {
        let first = gallery.entries().next().map(|(name, _)| name.to_string());
        if let Some(probe) = first.and_then(|name| gallery.get(&name)) {
            assert_eq!(gallery.search(&probe, 3).unwrap(), gallery.search_exhaustive(&probe, 3).unwrap());
        }
    }
}

fn galleries() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.vfgallery");
    let mut gallery = Gallery::new(MODEL, 16).unwrap();
    gallery.save(&path).unwrap();
    let empty = std::fs::read(&path).unwrap();
    for name in ["one", "zwei", "三"] {
        gallery.add(name, &example()).unwrap();
    }
    gallery.save(&path).unwrap();
    vec![empty, std::fs::read(&path).unwrap()]
}

/// A list of pairs, in either form.
pub fn pairs(bytes: &[u8]) {
    if let Ok(list) = PairList::parse(&String::from_utf8_lossy(bytes)) {
        assert!(list.pairs().iter().all(|pair| pair.a.max(pair.b) < list.pictures().len() && pair.fold < list.folds()));
    }
}

fn lists() -> Vec<Vec<u8>> {
    let lfw = "2\t1\nann\t1\t2\nann\t1\tbob\t1\ncem\t1\t3\nbob\t2\tcem\t1\n";
    let tabs = "# two people\na.jpg\tb.jpg\t1\tgroup\na.jpg\tc.jpg\t0\tgroup\n";
    [lfw, "1\nann 1 2\nann 1 bob 1\n", tabs, "a b.jpg\tc.jpg\t0\n"].map(|text| text.as_bytes().to_vec()).into()
}
