//! Against the public sets and models that lie beside the workspace, where they do.

use std::path::PathBuf;

use trainer::data::align::{AlignSettings, Encoding, align};
use trainer::data::chips::ChipSet;
use trainer::data::folder::Folder;
use trainer::data::test_set::TestSet;
use trainer::eval::embed::PictureKind;
use trainer::eval::faces::Faces;
use trainer::eval::identification::identify;
use trainer::eval::model::Model;
use trainer::eval::report::SetResult;
use trainer::train::teacher::Normalisation;
use veriface::evaluation::Options;
use veriface::{Chip, FaceChoice, FalseMatchRate, Pack, Photo, Purpose, QualityPolicy, Trust, Verifier};

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

/// A pack on photos: the scores are those that the SDK gives an application that takes the same face.
#[test]
fn a_pack_on_photos_compares_as_the_sdk_does() {
    let Some(lfw) = shared("lfw/photos") else { return };
    let root = tempfile::tempdir().expect("a folder");
    let mut people: Vec<PathBuf> =
        std::fs::read_dir(&lfw).expect("people").map(|entry| entry.expect("a person").path()).collect();
    people.sort();
    let photos = |person: &PathBuf| {
        let mut photos: Vec<PathBuf> = std::fs::read_dir(person).expect("photos").map(|e| e.expect("a photo").path()).collect();
        photos.sort();
        photos
    };
    let several: Vec<Vec<PathBuf>> = people.iter().map(photos).filter(|photos| photos.len() > 1).take(20).collect();
    // Ten folds of two pairs of one person and two of neighbours.
    let mut lines = Vec::new();
    let mut pairs = Vec::new();
    for fold in several.chunks_exact(2) {
        let [first, second] = fold else { continue };
        for (a, b, same) in
            [(&first[0], &first[1], 1), (&second[0], &second[1], 1), (&first[0], &second[0], 0), (&first[1], &second[1], 0)]
        {
            lines.push(format!("{}\t{}\t{same}\n", a.display(), b.display()));
            pairs.push((a.clone(), b.clone(), same == 1));
        }
    }
    let list = root.path().join("pairs.tsv");
    std::fs::write(&list, lines.concat()).expect("written");
    let pack = root.path().join("default.vfpack");
    std::fs::write(&pack, Pack::embedded().expect("a pack").to_bytes().expect("bytes")).expect("written");

    let model = Model::open(&pack, None, Normalisation { mean: 127.5, scale: 127.5 }).expect("a model");
    let set = TestSet::open(&list, Some(&PathBuf::from("/"))).expect("a list");
    let kind = PictureKind::Photos(model.verifier().expect("a pack's"));
    let result = SetResult::measure(&model, &set, kind, &Options::default(), 4, |_| ()).expect("figures");
    assert_eq!((result.pictures, result.report.used, result.report.failure_to_enrol), ("photos", 40, 0));

    let verifier = Verifier::builder(Pack::open(&pack, Trust::Unsigned).expect("a pack"))
        .quality_policy(Purpose::Enrol, QualityPolicy::accept_all())
        .quality_policy(Purpose::Verify, QualityPolicy::accept_all())
        .build()
        .expect("a verifier");
    let embedding = |path: &PathBuf| {
        let photo = Photo::open(path).expect("a photo");
        let faces = verifier.detect(&photo).expect("faces");
        let face = FaceChoice::MostCentral.choose(&faces, &photo.frame()).expect("a face");
        verifier.embed(&verifier.align(&photo, &face.landmarks).expect("a chip")).expect("an embedding")
    };
    let mut expected: [Vec<f32>; 2] = Default::default();
    for (a, b, same) in &pairs {
        expected[usize::from(*same)].push(embedding(a).compare(&embedding(b)).expect("a score").get());
    }
    for (scores, expected) in [result.scores.impostor(), result.scores.genuine()].into_iter().zip(&mut expected) {
        let mut scores: Vec<f32> = scores.iter().map(|score| score.get()).collect();
        scores.sort_by(f32::total_cmp);
        expected.sort_by(f32::total_cmp);
        assert_eq!(&scores, expected);
    }
}

/// The layout of insightface's MegaFace test pack, filled with CFP's chips: ranks are those of a search by hand.
#[test]
fn a_megaface_pack_is_searched_as_by_hand() {
    let (Some(cfp), Some(teacher)) = (shared("cfpfp"), shared("models/mobilefacenet_y1_128d.onnx")) else { return };
    const PEOPLE: usize = 10;
    const PICTURES: usize = 3;
    let root = tempfile::tempdir().expect("a folder");
    let chip = |person: usize, picture: usize, profile: bool| {
        let kind = if profile { "profile" } else { "frontal" };
        cfp.join(format!("{person:03}/{kind}/{picture:02}.jpg"))
    };
    let put = |from: PathBuf, below: &str, path: String| {
        let to = root.path().join(below).join(&path);
        std::fs::create_dir_all(to.parent().expect("a folder")).expect("made");
        std::fs::copy(from, to).expect("copied");
        format!("{path}\n")
    };
    // Of each person two frontal pictures and one from the side; of the first one a picture of somebody else, named as noise.
    let mut scrub: String = String::new();
    let mut probes = Vec::new();
    for person in 1..=PEOPLE {
        for (number, from) in [chip(person, 1, false), chip(person, 2, false), chip(person, 1, true)].into_iter().enumerate() {
            probes.push(from.clone());
            scrub += &put(from, "facescrub_images", format!("P{person}/P{person}_{number}.png"));
        }
    }
    scrub += &put(chip(99, 1, false), "facescrub_images", "P1/P1_9.png".into());
    let mut mega: String = String::new();
    let mut distractors = Vec::new();
    for person in PEOPLE + 1..=PEOPLE + 100 {
        distractors.push(chip(person, 3, person % 2 == 0));
        mega += &put(chip(person, 3, person % 2 == 0), "megaface_images", format!("{person}/{person}@N00/{person}_0.jpg"));
    }
    mega += &put(chip(1, 4, false), "megaface_images", "900/900@N00/900_0.jpg".into());
    for (name, text) in [
        ("facescrub_lst", scrub.as_str()),
        ("megaface_lst", mega.as_str()),
        ("facescrub_noises.txt", "# a remark\nP1_9.png\n"),
        ("megaface_noises.txt", "900/900@N00/900_0.jpg\n"),
    ] {
        std::fs::write(root.path().join(name), text).expect("written");
    }

    let model = Model::open(&teacher, None, Normalisation { mean: 127.5, scale: 128.0 }).expect("a model");
    let (scrub, mega) = Faces::megaface(root.path()).expect("a pack");
    assert_eq!((scrub.len(), mega.len()), (PEOPLE * PICTURES, 100));
    let rows = scrub.blocks(Some(&model)).collect::<Result<Vec<_>, _>>().expect("embeddings");
    let rows = tch::Tensor::cat(&rows, 0);
    let blocks = mega.blocks(Some(&model));
    let far = FalseMatchRate::ONE_IN_1_000;
    let found = identify(&rows, scrub.identities().expect("people"), blocks, mega.len(), &[100], far).expect("figures");

    let embed = |paths: &[PathBuf]| {
        let chips: Vec<Chip> = paths
            .iter()
            .map(|path| Chip::from_aligned(image::open(path).expect("a picture").to_rgb8().into_raw()).expect("a chip"))
            .collect();
        let embeddings = model.embed(&chips).expect("embeddings");
        embeddings.into_iter().map(|embedding| embedding.expect("a direction")).collect::<Vec<_>>()
    };
    let (probes, distractors) = (embed(&probes), embed(&distractors));
    let score = |a: &veriface::Embedding, b: &veriface::Embedding| a.compare(b).expect("a score").get();
    let (mut searches, mut first) = (0, 0);
    for (at, probe) in probes.iter().enumerate() {
        let strongest = distractors.iter().map(|distractor| score(probe, distractor)).fold(f32::MIN, f32::max);
        let person = at / PICTURES;
        for (_, mate) in probes.iter().enumerate().filter(|(other, _)| *other != at && other / PICTURES == person) {
            searches += 1;
            first += usize::from(score(probe, mate) > strongest);
        }
    }
    assert_eq!((found.searches, found.people), (searches, PEOPLE));
    assert!((found.ranks[0].rank_1 - first as f64 / searches as f64).abs() < 1e-9, "{:?}, {first} of {searches}", found.ranks);
    assert!(first > 30, "frontal pictures at least find one another: {first} of {searches}");
}
