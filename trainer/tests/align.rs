//! Photos into a set, with the tiny pack, whose detector sees the same face in every picture.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use trainer::data::align::{AlignSettings, Encoding, align};
use trainer::data::chips::ChipSet;
use trainer::data::folder::Folder;
use veriface::{Detector, FaceChoice, Photo, Search};
use veriface_tests::{here, tiny_pack};

const SETTINGS: AlignSettings =
    AlignSettings { face: FaceChoice::MostCentral, least_score: 0.5, least_eye_distance: 0.0, encoding: Encoding::Png };

/// Copies pictures of the project's tests to `PERSON/NAME`.
fn photos(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().expect("a folder");
    let photos = root.path().join("photos");
    for (from, to) in files {
        let to = photos.join(to);
        std::fs::create_dir_all(to.parent().expect("a parent")).expect("made");
        std::fs::copy(here(from), to).expect("copied");
    }
    (root, photos)
}

fn four() -> (tempfile::TempDir, PathBuf) {
    photos(&[
        ("fixtures/collins.jpg", "collins/1.jpg"),
        ("hostile/cut.jpg", "nobody/1.jpg"),
        ("fixtures/obama-smiling.jpg", "obama/1.jpg"),
        ("hostile/picture.gif", "obama/2.jpg"),
        ("fixtures/obama-speaking.jpg", "obama/3.jpg"),
    ])
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("read")
}

#[test]
fn a_bad_file_stops_nothing_and_chips_are_the_sdks() {
    let (root, photos) = four();
    let set = root.path().join("set.rec");
    let folder = Folder::open(&photos).expect("photos");
    let aligned = align(&folder, &tiny_pack(), &SETTINGS, &set, |_, _| {}).expect("aligned");
    assert_eq!((aligned.chips, aligned.identities), (3, 2));
    let failed = BTreeMap::from([((202, "UnsupportedPicture".to_owned()), 1), ((203, "DamagedPicture".to_owned()), 1)]);
    assert_eq!(aligned.failed, failed);

    let chips = ChipSet::open(&set, false).expect("a set");
    assert_eq!((0..3).map(|chip| chips.identity(chip)).collect::<Vec<_>>(), [0, 1, 1]);
    let detector = Detector::load(&tiny_pack()).expect("a detector");
    for (chip, photo) in ["collins/1.jpg", "obama/1.jpg", "obama/3.jpg"].iter().enumerate() {
        let photo = Photo::open(photos.join(photo)).expect("a photo");
        let faces = detector.detect(&photo.frame(), &Search::default()).expect("faces");
        let face = FaceChoice::MostCentral.choose(&faces, &photo.frame()).expect("a face");
        let expected = veriface::align(&photo.frame(), &face.landmarks).expect("a chip");
        assert!(chips.chip(chip).expect("a chip") == expected.rgb());
        let line = read(&set.with_extension("tsv")).lines().nth(chip + 1).expect("a line").to_owned();
        let ending = format!("{:.1}\t{:.3}", face.landmarks.eye_distance(), face.score.0);
        assert!(line.starts_with(&format!("{}\t", chip + 1)) && line.ends_with(&ending), "{line}");
    }
    assert_eq!(read(&set.with_extension("names.tsv")), "identity\tname\n0\tcollins\n1\tobama\n");
    let failures = read(&set.with_extension("failures.tsv"));
    let failures: Vec<&str> = failures.lines().collect();
    assert!(failures[1].starts_with("nobody/1.jpg\t203\tDamagedPicture\t"), "{failures:?}");
    assert!(failures[2].starts_with("obama/2.jpg\t202\tUnsupportedPicture\t") && failures[2].contains("GIF"), "{failures:?}");
    assert!(!set.with_extension("align").exists() && !set.with_extension("align.chips").exists());
}

/// Killed after the first block of 64, with half a line and half a chip behind it.
#[test]
fn a_killed_run_goes_on_and_gives_the_same_set() {
    let names: Vec<String> = (0..90).map(|i| format!("person{}/{i:03}.jpg", i / 30)).collect();
    let sources = ["fixtures/collins.jpg", "hostile/cut.jpg", "fixtures/biden.jpg"];
    let files: Vec<(&str, &str)> = names.iter().enumerate().map(|(i, name)| (sources[i % 3], name.as_str())).collect();
    let (root, photos) = photos(&files);
    let folder = Folder::open(&photos).expect("photos");
    let settings = AlignSettings { encoding: Encoding::Jpeg(90), ..SETTINGS };
    let [whole, parts] = ["whole.rec", "parts.rec"].map(|name| root.path().join(name));
    align(&folder, &tiny_pack(), &settings, &whole, |_, _| {}).expect("aligned");

    let killed = catch_unwind(AssertUnwindSafe(|| {
        align(&folder, &tiny_pack(), &settings, &parts, |done, _| assert!(done == 0, "killed"))
    }));
    assert!(killed.is_err() && !parts.exists());
    for ending in ["align", "align.chips"] {
        let path = parts.with_extension(ending);
        let torn = [std::fs::read(&path).expect("work"), b"{\"chip\":{\"bytes\":7".to_vec()].concat();
        std::fs::write(path, torn).expect("written");
    }
    let other = AlignSettings { least_score: 0.6, ..settings };
    let refused = align(&folder, &tiny_pack(), &other, &parts, |_, _| {}).expect_err("refused").to_string();
    assert!(refused.contains("other settings"), "{refused}");

    let mut begun = None;
    let aligned = align(&folder, &tiny_pack(), &settings, &parts, |done, _| {
        begun.get_or_insert(done);
    });
    assert_eq!((begun, aligned.expect("aligned").chips), (Some(64), 60));
    for ending in ["rec", "idx", "tsv", "names.tsv", "failures.tsv"] {
        let read = |path: &Path| std::fs::read(path.with_extension(ending)).expect("read");
        assert!(read(&whole) == read(&parts), "{ending}");
    }
}

#[test]
fn limits_and_what_is_there_already_are_kept() {
    let (root, photos) = four();
    let folder = Folder::open(&photos).expect("photos");
    let set = root.path().join("set.rec");
    let strict = AlignSettings { least_eye_distance: 1e6, ..SETTINGS };
    let error = align(&folder, &tiny_pack(), &strict, &set, |_, _| {}).expect_err("no chip").to_string();
    assert!(error.contains("none of 5 photos"), "{error}");
    assert!(read(&set.with_extension("failures.tsv")).contains("303\tPoorQuality"));
    std::fs::write(&set, b"").expect("written");
    let error = align(&folder, &tiny_pack(), &SETTINGS, &set, |_, _| {}).expect_err("refused").to_string();
    assert!(error.contains("there already"), "{error}");
}
