//! `trainer clean` and `trainer data` from outside: a set of drawn chips, the tiny pack's recogniser, and a test set that shares people with it.

mod drawn;

use clap::Parser;
use trainer::cmd::{clean, data};
use trainer::data::chips::ChipSet;
use trainer::data::verification_bin::VerificationBin;
use veriface_tests::tiny_pack;

#[derive(Parser)]
struct Clean {
    #[command(flatten)]
    arguments: clean::Arguments,
}

#[derive(Parser)]
struct Data {
    #[command(flatten)]
    arguments: data::Arguments,
}

fn data(arguments: &[&str]) {
    let arguments: Vec<&str> = [&["data"], arguments].concat();
    data::run(&Data::parse_from(arguments).arguments).expect("done");
}

/// Ten pairs of one picture of identity 2 and itself, or of identity 4 and itself: two people that no training set may have.
fn test_bin(set: &ChipSet, path: &std::path::Path) {
    let picture = |identity: u32| {
        let chip = (0..set.len()).find(|&chip| set.identity(chip) == identity).expect("a chip");
        set.encoded(chip).expect("read")
    };
    let pictures = (0..10).flat_map(|pair| [picture(2 + pair % 2 * 2), picture(2 + pair % 2 * 2)]).collect();
    VerificationBin::new(pictures, vec![true; 10]).expect("a set").write(path).expect("written");
}

/// The tiny recogniser knows nobody, but a picture is like itself: at limits near 1 only what is the same is found.
#[test]
fn test_people_and_copies_are_dropped_and_the_rest_is_kept_as_it_was() {
    let root = tempfile::tempdir().expect("a folder");
    let at = |name: &str| root.path().join(name).display().to_string();
    let before = ChipSet::open(drawn::set(root.path(), 6, 1), false).expect("a set");
    std::fs::write(at("faces.tsv"), "record\tidentity\tsource\n1\t0\tdrawn one\n2\t1\tdrawn two\n").expect("written");
    tiny_pack().save(at("tiny.vfpack")).expect("saved");
    test_bin(&before, at("test.bin").as_ref());

    let (set, cleaned, pack, against) = (at("faces.rec"), at("out/cleaned.rec"), at("tiny.vfpack"), at("test.bin"));
    let command = |more: &[&str]| {
        let fixed = ["clean", &set, &cleaned, "--pack", &pack, "--against", &against, "--no-mirror"];
        let limits = ["--overlap", "0.99999", "--merge", "0.99999", "--duplicate-bits", "0"];
        clean::run(&Clean::parse_from([&fixed[..], &limits, more].concat()).arguments)
    };
    command(&["--dry-run"]).expect("cleaned");
    assert!(!std::path::Path::new(&cleaned).exists());
    command(&[]).expect("cleaned");
    let dropped = std::fs::read_to_string(at("out/cleaned.dropped.tsv")).expect("read");
    let dropped: Vec<Vec<&str>> = dropped.lines().skip(1).map(|line| line.split('\t').collect()).collect();
    assert_eq!(
        dropped.iter().map(|line| (line[0], line[1], line[2])).collect::<Vec<_>>(),
        [("3", "2", "test-person"), ("5", "4", "test-person")]
    );
    assert!(dropped[1][4].contains("test.bin") && dropped[1][4].ends_with("by centre"), "{dropped:?}");
    let sheet = image::open(at("out/cleaned.test-person.png")).expect("a picture");
    assert_eq!(sheet.width(), 2 * (2 * 112 + 4) + 4);

    let after = ChipSet::open(&cleaned, false).expect("a set");
    assert_eq!((after.len(), after.identities()), (4, 4));
    for (new, old) in [0, 1, 3, 5].into_iter().enumerate() {
        assert_eq!((after.identity(new), after.encoded(new).expect("read")), (new as u32, before.encoded(old).expect("read")));
    }
    let table = std::fs::read_to_string(at("out/cleaned.tsv")).expect("read");
    let expected = "record\tidentity\tsource\twas_record\twas_identity\n1\t0\tdrawn one\t1\t0\n2\t1\tdrawn two\t2\t1\n3\t2\t\t4\t3\n4\t3\t\t6\t5\n";
    assert_eq!(table, expected);
    assert!(command(&[]).expect_err("refused").to_string().contains("there already"));
}

#[test]
fn sets_and_lists_go_from_one_form_into_another_and_back() {
    let root = tempfile::tempdir().expect("a folder");
    let at = |name: &str| root.path().join(name).display().to_string();
    let set = ChipSet::open(drawn::set(root.path(), 5, 2), false).expect("a set");
    let records = at("faces.rec");
    data(&["info", &records]);
    data(&["unpack", &records, &at("folder")]);
    data(&["pack", &at("folder"), &at("again.rec")]);
    let same = |name: &str| std::fs::read(at(name)).expect("read");
    assert!(same("faces.rec") == same("again.rec") && same("faces.idx") == same("again.idx"));
    assert_eq!(std::fs::read_to_string(at("again.names.tsv")).expect("read").lines().nth(1), Some("0\t0000000"));

    test_bin(&set, at("test.bin").as_ref());
    data(&["unpack-pairs", &at("test.bin"), &at("pairs")]);
    data(&["pack-pairs", &at("pairs/pairs.tsv"), &at("again.bin")]);
    assert!(same("test.bin") == same("again.bin"));
    data(&["sheet", &records, &at("sheet.png"), "--chips", "2"]);
    assert_eq!(image::open(at("sheet.png")).expect("a picture").width(), 9 * 116 + 4);
}
