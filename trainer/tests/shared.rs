//! Against the public sets and models that lie beside the workspace, where they do.

use std::path::PathBuf;

use trainer::data::chips::ChipSet;
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
