//! A photo of 48 megapixels: bounded memory, and the same chip as from a small version of it.

use std::path::Path;
use std::process::Command;

use image::codecs::jpeg::JpegEncoder;
use veriface::{Chip, Landmarks, Photo, Point, align};

/// Names the file for the process whose memory is measured.
const PHOTO: &str = "VERIFACE_TEST_PHOTO";

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
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["memory::measured", "--exact", "--nocapture"])
        .env(PHOTO, photo)
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    let output = String::from_utf8(child.stdout).unwrap();
    output.lines().find_map(|line| line.strip_prefix("peak ")).unwrap().parse().unwrap()
}

/// Run by the test above: prints the most memory that this process ever held, once it has made a chip.
#[test]
fn measured() {
    let Some(path) = std::env::var_os(PHOTO) else { return };
    chip(&Photo::open(path).unwrap(), 10.0);
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    let kib: usize = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    println!("\npeak {}", kib << 10);
}
