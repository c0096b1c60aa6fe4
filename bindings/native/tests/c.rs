//! The C interface from C: compiled with the system's compiler, linked with the native library, run.
//!
//! `bindings/arm.sh` runs the same tests on the same library built for another processor: `VERIFACE_CC` is then that processor's compiler,
//! `VERIFACE_LIBRARY` the folder of the library, and `VERIFACE_RUNNER` the command that emulates it. A processor that does not fuse products and
//! sums (`VERIFACE_UNFUSED`: 32-bit Arm) rounds the detector's floats otherwise, so its points differ in their last bits, its chips by a code
//! value here and there, and what is asked of templates whose faces were detected is a cosine.

mod library;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use veriface::{Chip, Frame, Pack, Plane, Template, Verifier, YuvMatrix, YuvRange};
use veriface_tests::{cosine, fixture, here, reference_pack};

/// Compiles a C source against the header and the native library, as strictly as the compiler can.
fn compiled(source: &str, folder: &Path) -> PathBuf {
    let bindings = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let program = folder.join("program");
    let library = std::env::var_os("VERIFACE_LIBRARY").map_or_else(library::folder, PathBuf::from);
    let status = Command::new(std::env::var_os("VERIFACE_CC").unwrap_or_else(|| "cc".into()))
        .args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1", "-pthread"])
        .arg(bindings.join("c").join(source))
        .arg("-I")
        .arg(bindings.join("c/include"))
        .arg("-L")
        .arg(&library)
        .arg("-lveriface_native")
        .arg(format!("-Wl,-rpath,{}", library.display()))
        .arg("-o")
        .arg(&program)
        .status()
        .unwrap();
    assert!(status.success());
    program
}

/// The program, under the emulator where there is one.
fn run(program: PathBuf) -> Command {
    let Ok(runner) = std::env::var("VERIFACE_RUNNER") else { return Command::new(program) };
    let mut words = runner.split_whitespace();
    let mut command = Command::new(words.next().unwrap());
    command.args(words).arg(program);
    command
}

fn output(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn the_contract_holds_and_templates_are_rust_s_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let template = folder.path().join("obama.vftemplate");
    let printed = output(run(compiled("tests/contract.c", folder.path())).arg(here("fixtures")).arg(&template));
    print!("{}", String::from_utf8_lossy(&printed.stdout));
    let verifier = Verifier::from_pack(Pack::embedded().unwrap()).unwrap();
    let expected = verifier.enrol([&fixture("obama-smiling.jpg")]).unwrap().template;
    let found = std::fs::read(template).unwrap();
    if unfused() {
        let found = Template::from_bytes(&found).unwrap();
        let cosine = cosine(found.embedding().values(), expected.embedding().values());
        println!("unfused: cosine {cosine}");
        assert!(cosine > 0.995, "{cosine}");
    } else {
        assert!(found == expected.to_bytes());
    }
}

fn unfused() -> bool {
    std::env::var_os("VERIFACE_UNFUSED").is_some()
}

/// With the points given, alignment and the int8 recogniser are whole numbers: the same template to the bit on every processor.
#[test]
fn a_template_at_given_points_is_rust_s_to_the_bit() {
    let verifier = Verifier::from_pack(Pack::embedded().unwrap()).unwrap();
    let photo = fixture("obama-smiling.jpg");
    let frame = photo.frame();
    let landmarks = verifier.detect(&photo).unwrap()[0].landmarks;
    let folder = tempfile::tempdir().unwrap();
    let (rgb, template) = (folder.path().join("rgb"), folder.path().join("template"));
    std::fs::write(&rgb, frame.to_upright_rgb()).unwrap();
    let mut program = run(compiled("tests/points.c", folder.path()));
    program.arg(rgb).args([frame.width().to_string(), frame.height().to_string()]);
    program.args(landmarks.points().iter().flat_map(|point| [point.x.to_string(), point.y.to_string()]));
    output(program.arg(&template));
    let expected = verifier.enrol([(frame, landmarks)]).unwrap().template;
    assert!(std::fs::read(template).unwrap() == expected.to_bytes());
}

/// A frame as V4L2 gives it: rows with a gap, luma and chroma in one buffer.
#[test]
fn an_nv12_frame_gives_rust_s_score() {
    let photo = fixture("obama-standing.jpg");
    let frame = photo.frame();
    let (width, height) = (frame.width(), frame.height());
    let stride = width.next_multiple_of(64) as usize + 64;
    let nv12 = nv12(&frame.to_upright_rgb(), width as usize, height as usize, stride);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("frame.nv12");
    std::fs::write(&file, &nv12).unwrap();
    let printed =
        output(run(compiled("examples/nv12.c", folder.path())).arg(here("fixtures/obama-smiling.jpg")).arg(file).args([
            width.to_string(),
            height.to_string(),
            stride.to_string(),
        ]));
    let printed = String::from_utf8(printed.stdout).unwrap();

    let verifier = Verifier::from_pack(Pack::embedded().unwrap()).unwrap();
    let template = verifier.enrol([&fixture("obama-smiling.jpg")]).unwrap().template;
    let (luma, pairs) = nv12.split_at(stride * height as usize);
    let plane = |bytes, pixel_stride| Plane { bytes, row_stride: stride, pixel_stride };
    let frame = Frame::nv12(plane(luma, 1), plane(pairs, 2), width, height, YuvMatrix::Bt601, YuvRange::Full).unwrap();
    let decision = verifier.verify_template(&template, frame).unwrap().decision;
    assert!(decision.same);
    if unfused() {
        let score: f32 = printed.split_whitespace().nth(3).unwrap().parse().unwrap();
        println!("unfused: score {score}, {} fused", decision.score.get());
        assert!(printed.starts_with("same 1") && (score - decision.score.get()).abs() < 0.02, "{printed}");
    } else {
        assert!(printed.starts_with(&format!("same 1 score {:.6}", decision.score.get())), "{printed} {}", decision.score.get());
    }
}

/// The default pack's recogniser computes in whole numbers, so its templates are equal everywhere; one that computes in floats is equal but
/// for their rounding.
#[test]
fn an_fp32_network_gives_rust_s_embedding() {
    let Some(pack) = reference_pack("mobilefacenet-yunet") else { return };
    let verifier = Verifier::from_pack(pack).unwrap();
    let pack = verifier.finished_pack(&Chip::drawn_face()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (file, template) = (folder.path().join("fp32.vfpack"), folder.path().join("obama.vftemplate"));
    std::fs::write(&file, pack.to_bytes().unwrap()).unwrap();
    output(
        run(compiled("examples/enrol.c", folder.path()))
            .arg("--pack")
            .arg(&file)
            .arg(&template)
            .arg(here("fixtures/obama-smiling.jpg")),
    );
    let expected = Verifier::from_pack(pack).unwrap().enrol([&fixture("obama-smiling.jpg")]).unwrap().template;
    let found = Template::from_bytes(&std::fs::read(template).unwrap()).unwrap();
    let cosine = cosine(found.embedding().values(), expected.embedding().values());
    println!("fp32: 1 - cosine = {:e}", 1.0 - cosine);
    assert!(cosine >= 0.99999, "{cosine}");
}

/// JFIF's full-range BT.601, the chroma of each second pixel.
fn nv12(rgb: &[u8], width: usize, height: usize, stride: usize) -> Vec<u8> {
    let rows = height + height.div_ceil(2);
    let mut bytes = vec![0; stride * rows];
    for (at, pixel) in rgb.chunks(3).enumerate() {
        let (x, y) = (at % width, at / width);
        let [r, g, b] = [0, 1, 2].map(|channel| f32::from(pixel[channel]));
        bytes[y * stride + x] = (0.299 * r + 0.587 * g + 0.114 * b).round() as u8;
        if x % 2 == 0 && y % 2 == 0 {
            let pair = (height + y / 2) * stride + x;
            bytes[pair] = (128.0 - 0.168_736 * r - 0.331_264 * g + 0.5 * b).round() as u8;
            bytes[pair + 1] = (128.0 + 0.5 * r - 0.418_688 * g - 0.081_312 * b).round() as u8;
        }
    }
    bytes
}
