//! Against the public sets and models that lie beside the workspace, where they do.

use std::path::PathBuf;

use trainer::data::align::{AlignSettings, Encoding, align};
use trainer::data::chips::ChipSet;
use trainer::data::folder::Folder;
use trainer::data::test_set::TestSet;

/// `../shared/…` beside the workspace; none where it is missing and not required.
fn shared(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(name);
    if path.exists() {
        return Some(path);
    }
    assert!(std::env::var_os("VERIFACE_REQUIRE_SHARED").is_none(), "{} is missing", path.display());
    eprintln!("skipped: no ../shared");
    None
}

#[test]
fn the_face_set_has_the_size_that_its_page_states() {
    let Some(path) = shared("faces/faces.rec") else { return };
    let set = ChipSet::open(path, false).expect("the set");
    assert_eq!((set.len(), set.identities()), (51_277, 9_733));
    for index in [0, 1, 20_000, 51_276] {
        assert_eq!(set.chip(index).expect("a chip").len(), 112 * 112 * 3);
    }
    let tsv = std::fs::read_to_string(shared("faces/faces.tsv").expect("the table")).expect("read");
    for (index, line) in tsv.lines().skip(1).enumerate() {
        assert_eq!(line.split('\t').nth(1).expect("an identity"), set.identity(index).to_string(), "record {}", index + 1);
    }
}

#[test]
fn the_cfp_lists_are_seven_thousand_pairs_in_ten_folds() {
    for name in ["cfpfp/pairs.tsv", "cfpfp/pairs_ff.tsv"] {
        let Some(path) = shared(name) else { return };
        let set = TestSet::open(&path, None).expect("the list");
        let pairs = set.list().pairs();
        assert_eq!(pairs.len(), 7_000);
        for fold in 0..10 {
            let in_fold: Vec<_> = pairs.iter().filter(|pair| pair.fold == fold).collect();
            assert_eq!(in_fold.len(), 700);
            assert_eq!(in_fold.iter().filter(|pair| pair.same).count(), 350);
        }
    }
}

/// LFW only checks here. The reference page: no photo of LFW is missed, and the lowest score is above 0.5.
#[test]
fn photos_of_lfw_become_chips_with_the_reference_detector() {
    let (Some(lfw), Some(pack)) = (shared("lfw/photos"), veriface_tests::reference_pack("edgeface-scrfd")) else { return };
    let root = tempfile::tempdir().expect("a folder");
    let photos = root.path().join("photos");
    let mut people: Vec<PathBuf> = std::fs::read_dir(lfw).expect("people").map(|entry| entry.expect("a person").path()).collect();
    people.sort();
    for person in people.iter().step_by(85).take(50) {
        let photo = std::fs::read_dir(person).expect("photos").next().expect("a photo").expect("a photo").path();
        let to = photos.join(person.file_name().expect("a name"));
        std::fs::create_dir_all(&to).expect("made");
        std::fs::copy(photo, to.join("1.jpg")).expect("copied");
    }
    let settings = AlignSettings {
        face: veriface::FaceChoice::MostCentral,
        least_score: 0.5,
        least_eye_distance: 0.0,
        encoding: Encoding::Jpeg(95),
    };
    let set = root.path().join("lfw.rec");
    let aligned = align(&Folder::open(&photos).expect("photos"), &pack, &settings, &set, |_, _| {}).expect("aligned");
    assert_eq!((aligned.chips, aligned.identities, aligned.failed.len()), (50, 50, 0));
    let table = std::fs::read_to_string(set.with_extension("tsv")).expect("read");
    // LFW's faces are cut out by one rule; deep-funneled, the eyes lie about 42 of 250 pixels apart.
    let distances: Vec<f32> =
        table.lines().skip(1).map(|line| line.split('\t').nth(3).expect("a field").parse().expect("a number")).collect();
    let mean = distances.iter().sum::<f32>() / 50.0;
    assert!((35.0..50.0).contains(&mean), "{mean}");
}
