//! A process that is killed while it writes leaves the old file or the new one, and never anything between.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use veriface::{
    Chip, Embedding, Gallery, ModelId, Pack, PackSigningKey, SealedTemplate, SealingKey, Secret, Template, Trust, Verifier,
};
use veriface_tests::mutate::Mutator;
use veriface_tests::tiny_pack;

/// Names the file for the process that is killed, and what it writes.
const FILE: &str = "VERIFACE_TEST_WRITES";
const KIND: &str = "VERIFACE_TEST_KIND";
const ROUNDS: usize = 12;

/// One of two versions of a file, far enough from the other that a mixture would show.
type Write = Box<dyn Fn(&Path)>;

fn versions(kind: &str) -> [Write; 2] {
    let model = ModelId::from_bytes([7; 32]);
    let embedding = move |phase: f32| Embedding::from_raw(model, (0..512).map(|i| (i as f32 + phase).sin()).collect()).unwrap();
    let template = move |phase| Template::enrol(&[embedding(phase)]).unwrap().template;
    let gallery = move |phase: f32, entries: usize| {
        let mut gallery = Gallery::new(model, 512).unwrap();
        (0..entries).for_each(|entry| gallery.add(&format!("{phase} {entry}"), &embedding(phase + entry as f32)).unwrap());
        gallery
    };
    let (one, other): (Write, Write) = match kind {
        "template" => {
            let (one, other) = (template(0.0), template(1.0));
            (Box::new(move |path| one.save(path).unwrap()), Box::new(move |path| other.save(path).unwrap()))
        }
        "sealed" => {
            let key = SealingKey::from_bytes([7; 32]);
            let seal = |phase| SealedTemplate::seal(&template(phase), Secret::Key(&key), "killed").unwrap();
            let (one, other) = (seal(0.0), seal(1.0));
            (Box::new(move |path| one.save(path).unwrap()), Box::new(move |path| other.save(path).unwrap()))
        }
        "gallery" => {
            let (one, other) = (gallery(0.0, 300), gallery(1.0, 500));
            (Box::new(move |path| one.save(path).unwrap()), Box::new(move |path| other.save(path).unwrap()))
        }
        "pack" => {
            let finished = Verifier::from_pack(tiny_pack()).unwrap().finished_pack(&Chip::drawn_face()).unwrap();
            let (one, other) = (tiny_pack(), finished.signed(&PackSigningKey::from_bytes(&[7; 32])));
            (Box::new(move |path| one.save(path).unwrap()), Box::new(move |path| other.save(path).unwrap()))
        }
        other => panic!("{other}"),
    };
    [one, other]
}

/// Run by the tests below: writes one version after the other until it is killed.
#[test]
fn writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(FILE).map(PathBuf::from) else { return };
    let versions = versions(&std::env::var(KIND).unwrap());
    // Nobody waits for a process that nobody kills.
    let end = Instant::now() + Duration::from_secs(60);
    while Instant::now() < end {
        versions.iter().for_each(|write| write(&path));
    }
}

/// `read` opens the file and looks through it.
fn killed(kind: &str, read: impl Fn(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let mut random = Mutator::new(kind.len() as u64 + 41);
    let mut seen = BTreeSet::new();
    for round in 0..ROUNDS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["killed::writes_until_it_is_killed", "--exact"])
            .envs([(FILE, path.as_os_str()), (KIND, kind.as_ref())])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        let before = std::fs::metadata(&path).and_then(|about| about.modified()).ok();
        while std::fs::metadata(&path).and_then(|about| about.modified()).ok() == before {
            assert!(start.elapsed() < Duration::from_secs(30), "{kind}, round {round}: it writes nothing");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(random.below(20_000) as u64));
        child.kill().unwrap();
        child.wait().unwrap();
        read(&path);
        seen.insert(std::fs::read(&path).unwrap());
    }
    // Sealing draws a nonce for each process; of the others there are two versions.
    assert!(kind == "sealed" || seen.len() <= 2, "{kind}: {} different files", seen.len());
    // What a killed process left beside the file disturbs nobody.
    versions(kind).iter().for_each(|write| write(&path));
    read(&path);
}

#[test]
fn a_template_is_old_or_new() {
    killed("template", |path| drop(Template::open(path).unwrap()));
}

#[test]
fn a_sealed_template_is_old_or_new() {
    let key = SealingKey::from_bytes([7; 32]);
    killed("sealed", |path| {
        let sealed = SealedTemplate::open(path).unwrap();
        sealed.unseal(Secret::Key(&key), sealed.model(), "killed").unwrap();
    });
}

#[test]
fn a_gallery_is_old_or_new() {
    killed("gallery", |path| assert!([300, 500].contains(&Gallery::open(path).unwrap().len())));
}

#[test]
fn a_pack_is_old_or_new() {
    killed("pack", |path| drop(Verifier::from_pack(Pack::open(path, Trust::Unsigned).unwrap()).unwrap()));
}
