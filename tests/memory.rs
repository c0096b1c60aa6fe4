//! Memory: a photo of 48 megapixels is bounded and gives the same chip as a small version of it; many frames leave nothing behind.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use image::codecs::jpeg::JpegEncoder;
use veriface::{Chip, Frame, Landmarks, Photo, Point, Purpose, QualityPolicy, Verifier, VerifierSession, align};
use veriface_tests::tiny_pack;

/// Names the file for the process whose memory is measured.
const PHOTO: &str = "VERIFACE_TEST_PHOTO";

/// Says that this is the process that runs through many frames.
const FRAMES: &str = "VERIFACE_TEST_FRAMES";

/// The same soft scene at any size.
fn jpeg(width: u32, height: u32) -> Vec<u8> {
    let wave = |t: f32| (127.5 + 110.0 * t.sin()) as u8;
    let (across, down): (Vec<_>, Vec<_>) = (
        (0..width).map(|x| (x as f32 + 0.5) / width as f32 * 9.0).map(|t| (wave(t), wave(1.0 - t))).collect(),
        (0..height).map(|y| wave((y as f32 + 0.5) / height as f32 * 7.0)).collect(),
    );
    let mut rgb = Vec::with_capacity((width * height * 3) as usize);
    for green in down {
        rgb.extend(across.iter().flat_map(|(red, blue)| [*red, green, *blue]));
    }
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 95).encode(&rgb, width, height, image::ExtendedColorType::Rgb8).unwrap();
    bytes
}

/// A face of the template's shape, `scale` times the size that it has in a picture of 800 × 600.
fn chip(photo: &Photo, scale: f32) -> Chip {
    let template = [(38.3, 51.7), (73.5, 51.5), (56.0, 71.7), (41.5, 92.4), (70.7, 92.2)];
    let place = |t: f32, shift: f32| (t * 3.0 + shift + 0.5) * scale - 0.5;
    align(&photo.frame(), &Landmarks::new(template.map(|(x, y)| Point::new(place(x, 240.0), place(y, 130.0)))).unwrap()).unwrap()
}

#[test]
fn a_48_megapixel_photo_gives_the_chip_of_its_small_version_in_bounded_memory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("48.jpg");
    let bytes = jpeg(8000, 6000);
    std::fs::write(&path, &bytes).unwrap();

    let large = chip(&Photo::open(&path).unwrap(), 10.0);
    let small = chip(&Photo::decode(&jpeg(800, 600)).unwrap(), 1.0);
    let largest = large.rgb().iter().zip(small.rgb()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(largest <= 3, "off by {largest}");

    if cfg!(target_os = "linux") {
        let peak = peak_of_a_process_that_reads(&path);
        // Three bytes a pixel, the file twice, and 24 MiB for the process and everything else.
        let bound = 8000 * 6000 * 3 + 2 * bytes.len() + (24 << 20);
        println!("{} MiB at the peak, the bound is {} MiB", peak >> 20, bound >> 20);
        assert!(peak <= bound, "{peak} bytes at the peak, more than {bound}");
    }
}

fn peak_of_a_process_that_reads(photo: &Path) -> usize {
    said_alone("memory::measured", PHOTO, photo, "peak ")
}

/// What a test of this file, alone in a process of its own, says after `word`.
fn said_alone(test: &str, variable: &str, value: impl AsRef<OsStr>, word: &str) -> usize {
    let child = Command::new(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(variable, value)
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let output = String::from_utf8(child.stdout).unwrap();
    output.lines().find_map(|line| line.strip_prefix(word)).unwrap().parse().unwrap()
}

/// tensorflower/seetaFace6Python 53: memory grew with every picture.
#[test]
fn ten_thousand_frames_leave_memory_level() {
    if cfg!(target_os = "linux") {
        let grown = said_alone("memory::frames", FRAMES, "1", "grown by ");
        assert!(grown <= 1 << 20, "{grown} bytes in 9,000 frames");
    }
}

/// Run by the test above: how much more memory this process holds after 10,000 frames than after 1,000.
#[test]
fn frames() {
    if std::env::var_os(FRAMES).is_none() {
        return;
    }
    let verifier = Verifier::builder(tiny_pack()).quality_policy(Purpose::Verify, QualityPolicy::accept_all()).build().unwrap();
    let mut session = VerifierSession::new(&verifier, Purpose::Verify).unwrap();
    let mut rgb = vec![90; 96 * 96 * 3];
    let mut after_a_thousand = 0;
    for number in 0..10_000u32 {
        rgb[(number % 9_000) as usize] ^= 0x1f;
        let frame = Frame::rgb8(&rgb, 96, 96, 96 * 3).unwrap();
        session.frame(frame, Duration::from_millis(33) * number).unwrap();
        if number % 10 == 0 {
            verifier.extract(frame, Purpose::Verify).unwrap();
        }
        if number == 1_000 {
            after_a_thousand = held("VmRSS:");
        }
    }
    println!("\ngrown by {}", held("VmRSS:").saturating_sub(after_a_thousand));
}

/// Memory of this process, in bytes, by its line in the system's account.
fn held(line: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|one| one.starts_with(line)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() << 10
}

/// Run by the test of the photo: prints the most memory that this process ever held, once it has made a chip.
#[test]
fn measured() {
    let Some(path) = std::env::var_os(PHOTO) else { return };
    chip(&Photo::open(path).unwrap(), 10.0);
    println!("\npeak {}", held("VmHWM:"));
}
