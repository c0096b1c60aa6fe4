//! The command from outside: what it prints, and what it exits with.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use veriface_tests::{here, tiny_pack};

/// A folder with the tiny pack, in which every picture shows the same face.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        tiny_pack().save(folder.path().join("tiny.vfpack")).unwrap();
        Place { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn veriface(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_veriface"));
        command.args(args).current_dir(&self.folder).env("VERIFACE_PACK", self.path("tiny.vfpack"));
        command
    }
}

fn portrait(name: &str) -> String {
    here("fixtures").join(name).display().to_string()
}

fn json(output: &Output) -> serde_json::Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stdout)))
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

#[test]
fn verify_exits_with_the_decision() {
    let place = Place::new();
    let (a, b) = (portrait("collins.jpg"), portrait("biden.jpg"));
    let same = place.veriface(&["verify", &a, &a, "--threshold", "0.9", "--any-quality", "--json"]);
    assert_eq!(code(&same), 0);
    let decision = json(&same);
    assert_eq!((&decision["same"], &decision["fmr"], &decision["liveness"]), (&true.into(), &().into(), &"not_assessed".into()));
    assert!(decision["score"].as_f64().unwrap() > 0.9999 && (decision["threshold"].as_f64().unwrap() - 0.9).abs() < 1e-6);
    let different = place.veriface(&["verify", &a, &b, "--threshold", "1", "--any-quality"]);
    assert_eq!(code(&different), 1);
    assert!(String::from_utf8_lossy(&different.stdout).starts_with("different people"));
}

#[test]
fn errors_exit_with_their_family_and_say_which_picture() {
    let place = Place::new();
    let portrait = portrait("collins.jpg");
    let exit = |args: &[&str]| code(&place.veriface(args));
    assert_eq!(exit(&["verify", &portrait, &portrait]), 6, "no calibration and no threshold");
    assert_eq!(exit(&["verify", &portrait, "missing.jpg", "--threshold", "0.5"]), 8);
    assert_eq!(exit(&["verify", &portrait, "tiny.vfpack", "--threshold", "0.5"]), 2, "a pack is no picture");
    assert_eq!(exit(&["--pack", &portrait, "info"]), 4, "a picture is no pack");
    assert_eq!(exit(&["verify", &portrait]), 8, "an argument is missing");
    assert_eq!(exit(&["--help"]), 0);
    let output = place.veriface(&["verify", &portrait, "missing.jpg", "--threshold", "0.5", "--json"]);
    let error = &json(&output)["error"];
    assert_eq!((&error["number"], &error["which"], &error["file"]), (&802.into(), &"probe".into(), &"missing.jpg".into()));
    let without = place.command(&["info"]).env_remove("VERIFACE_PACK").output().unwrap();
    assert_eq!(code(&without), 0, "the pack that comes with the command");
}

#[test]
fn standard_input_is_a_picture() {
    let place = Place::new();
    let portrait = portrait("collins.jpg");
    let mut child = place
        .command(&["verify", &portrait, "-", "--threshold", "0.9", "--any-quality"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&std::fs::read(&portrait).unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

/// matiasdelellis/facerecognition 149.
#[test]
fn one_bad_file_does_not_stop_a_batch() {
    let place = Place::new();
    let folder = place.path("photos");
    std::fs::create_dir_all(folder.join("deeper")).unwrap();
    std::fs::copy(portrait("collins.jpg"), folder.join("a.jpg")).unwrap();
    std::fs::write(folder.join("b.jpg"), b"not a picture").unwrap();
    std::fs::copy(portrait("biden.jpg"), folder.join("deeper/c.jpg")).unwrap();
    let output = place.veriface(&["embed", "photos", "--json"]);
    assert_eq!(code(&output), 9);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let files: Vec<&str> = lines.iter().map(|line| line["file"].as_str().unwrap()).collect();
    assert_eq!(files, ["photos/a.jpg", "photos/b.jpg", "photos/deeper/c.jpg"]);
    assert_eq!(lines[1]["error"]["number"], 201);
    let values = lines[0]["embedding"].as_array().unwrap();
    let norm: f64 = values.iter().map(|v| v.as_f64().unwrap().powi(2)).sum();
    assert!(values.len() == 16 && (norm - 1.0).abs() < 1e-5);

    std::fs::write(place.path("list.txt"), "photos/a.jpg\n\nphotos/deeper/c.jpg\n").unwrap();
    assert_eq!(code(&place.veriface(&["embed", "--from", "list.txt"])), 0);
}

/// A folder of an iPhone's HEIC photos was passed over without a word.
#[test]
fn a_folder_says_what_it_cannot_read() {
    let place = Place::new();
    std::fs::create_dir_all(place.path("phone")).unwrap();
    let empty = place.veriface(&["embed", "phone"]);
    assert_eq!(code(&empty), 8);
    assert!(String::from_utf8_lossy(&empty.stderr).contains("holds no picture"));
    std::fs::copy(here("hostile/photo.heic"), place.path("phone/IMG_0001.HEIC")).unwrap();
    assert_eq!(code(&place.veriface(&["embed", "phone"])), 2);
    std::fs::copy(portrait("collins.jpg"), place.path("phone/a.jpg")).unwrap();
    let both = place.veriface(&["embed", "phone"]);
    assert_eq!(code(&both), 9);
    assert!(String::from_utf8_lossy(&both.stderr).contains("HEIC"));
}

#[test]
fn standard_input_is_not_two_pictures() {
    let output = Place::new().veriface(&["verify", "-", "-", "--threshold", "0.5"]);
    assert_eq!(code(&output), 8);
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be both"));
}

#[test]
fn align_writes_chips_and_embeds_them_alike() {
    let place = Place::new();
    let portrait = portrait("collins.jpg");
    assert_eq!(code(&place.veriface(&["align", &portrait, "-o", "chips"])), 0);
    let embed = |args: &[&str]| json(&place.veriface(args))["embedding"].clone();
    assert_eq!(embed(&["embed", "chips/collins.png", "--aligned"]), embed(&["embed", &portrait]));
    assert_eq!(code(&place.veriface(&["detect", &portrait, "-o", "drawn"])), 0);
    let drawn = veriface::Photo::open(place.path("drawn/collins.png")).unwrap();
    assert_eq!((drawn.frame().width(), drawn.frame().height()), (512, 512));
}

#[test]
fn enrol_identify_and_verify_against_a_template() {
    let place = Place::new();
    let (a, b) = (portrait("collins.jpg"), portrait("biden.jpg"));
    let enrol = |picture: &str, name: &str| {
        code(&place.veriface(&["enrol", picture, "--gallery", "people.vfgallery", "--name", name, "--any-quality"]))
    };
    assert_eq!((enrol(&a, "collins"), enrol(&b, "biden")), (0, 0));
    assert_eq!(enrol(&a, "collins"), 5, "the name is taken");
    let found = place.veriface(&[
        "identify",
        &a,
        "--gallery",
        "people.vfgallery",
        "-k",
        "1",
        "--threshold",
        "0.99",
        "--any-quality",
        "--json",
    ]);
    assert_eq!((code(&found), &json(&found)["candidates"][0]["name"]), (0, &"collins".into()));

    assert_eq!(code(&place.veriface(&["enrol", &a, "-o", "collins.vftemplate", "--any-quality"])), 0);
    let verify = ["verify", "collins.vftemplate", &a, "--threshold", "0.99", "--any-quality"];
    assert_eq!(code(&place.veriface(&verify)), 0);
}

#[test]
fn eval_prints_the_contract() {
    let place = Place::new();
    let names = ["collins.jpg", "biden.jpg", "obama-smiling.jpg", "obama-speaking.jpg"];
    for name in names {
        std::fs::copy(portrait(name), place.path(name)).unwrap();
    }
    // Ten folds of two pairs each.
    let pairs: String = (0..10).flat_map(|_| ["collins.jpg\tcollins.jpg\t1\n", "collins.jpg\tbiden.jpg\t0\n"]).collect();
    std::fs::write(place.path("pairs.tsv"), pairs).unwrap();
    let output = place.veriface(&["eval", "--list", "pairs.tsv", "--json"]);
    assert_eq!(code(&output), 0, "{}", String::from_utf8_lossy(&output.stderr));
    let report = json(&output);
    for field in ["pairs", "used", "failure_to_enrol", "accuracy", "accuracy_std", "folds", "tar"] {
        assert!(!report[field].is_null(), "{field}");
    }
    assert_eq!((&report["pairs"], &report["accuracy"], report["folds"].as_array().unwrap().len()), (&20.into(), &1.0.into(), 10));

    let output = place.veriface(&["eval", "--list", "pairs.tsv", "--gates", "--threshold", "0.999", "--json"]);
    let gates = &json(&output)["gates"];
    assert_eq!((&gates["pictures"], &gates["crossed"]), (&2.into(), &false.into()));
    let all = &gates["policies"][0]["gates"][0];
    let sum = |count: &str| all["refused"][count].as_u64().unwrap() + all["kept"][count].as_u64().unwrap();
    assert_eq!(["genuine", "false_non_matches", "impostor", "false_matches"].map(sum), [10, 0, 10, 0]);
    let table = place.veriface(&["eval", "--list", "pairs.tsv", "--gates", "--threshold", "0.999"]);
    assert!(String::from_utf8_lossy(&table.stdout).contains("uncertain_detection"));
    // Two groups, of ten impostor pairs together: too few for 1 in 10, enough for no rate of a group's.
    let pairs: String =
        (0..10).map(|i| format!("collins.jpg\tcollins.jpg\t1\tg{0}\ncollins.jpg\tbiden.jpg\t0\tg{0}\n", i % 2)).collect();
    std::fs::write(place.path("groups.tsv"), pairs).unwrap();
    let arguments = ["eval", "--list", "groups.tsv", "--threshold-search", "score-grid"];
    let report = json(&place.veriface(&[&arguments[..], &["--json"]].concat()));
    assert_eq!(report["threshold_search"], "score_grid");
    let rows: Vec<_> =
        ["group", "genuine_pairs", "impostor_pairs"].map(|field| report["groups"]["measured"][1][field].clone()).into();
    assert_eq!(rows, ["g1".into(), serde_json::json!(5), 5.into()]);
    assert!(report["tar"].as_array().unwrap().iter().all(|at| !at["refused"].is_null() && at["fnmr"].is_null()));
    assert_eq!(report["failure_to_enrol_rate"], 0.0);
    let table = place.veriface(&arguments);
    let table = String::from_utf8_lossy(&table.stdout);
    assert!(table.contains("at FMR 1 in 10      not stated: ") && table.contains("\ng1 "), "{table}");
    assert_eq!(code(&place.veriface(&["eval", "--list", "groups.tsv", "--threshold-search", "best"])), 8);
    std::fs::write(place.path("bad.tsv"), "collins.jpg biden.jpg 1\n").unwrap();
    assert_eq!(code(&place.veriface(&["eval", "--list", "bad.tsv"])), 8);
}

#[test]
fn pack_make_writes_a_pack_that_tests_itself() {
    let place = Place::new();
    let file = |name: &str| here("packs").join(name).display().to_string();
    let make = |manifest: &Path, output: &str| {
        place.veriface(&[
            "pack",
            "make",
            "--detector",
            &file("tiny-detector.onnx"),
            "--recogniser",
            &file("tiny-recogniser.onnx"),
            "--manifest",
            &manifest.display().to_string(),
            "-o",
            output,
        ])
    };
    assert_eq!(code(&make(&here("packs/tiny.json"), "made.vfpack")), 0);
    let info = json(&place.veriface(&["--pack", "made.vfpack", "info", "--json"]));
    assert_eq!(info["manifest"]["self_test"]["chip"], "self-test-chip");
    let bench = place.veriface(&["--pack", "made.vfpack", "bench", &portrait("collins.jpg"), "--runs", "3", "--json"]);
    assert_eq!(json(&bench)["stages"].as_array().unwrap().len(), 7);

    std::fs::write(place.path("wrong.json"), std::fs::read_to_string(here("packs/tiny.json")).unwrap().replace("112", "128"))
        .unwrap();
    let refused = make(&place.path("wrong.json"), "wrong.vfpack");
    assert_eq!(code(&refused), 4);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("recogniser.input"));
    assert!(!place.path("wrong.vfpack").exists());
}

#[test]
fn packs_are_signed_and_verified() {
    let place = Place::new();
    let made = place.veriface(&["pack", "key", "-o", "maker.key", "--json"]);
    let public = json(&made)["public"].as_str().unwrap().to_string();
    assert_eq!((code(&made), public.len()), (0, 64));
    assert_eq!(std::fs::read_to_string(place.path("maker.key.pub")).unwrap().trim(), public);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(place.path("maker.key")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // A key is never replaced.
    assert_eq!(code(&place.veriface(&["pack", "key", "-o", "maker.key"])), 8);

    let verify = |key: &str| place.veriface(&["pack", "verify", "tiny.vfpack", "--key", key]);
    let unsigned = verify(&public);
    assert!(code(&unsigned) == 4 && String::from_utf8_lossy(&unsigned.stderr).contains("E412"));
    assert_eq!(code(&place.veriface(&["pack", "sign", "tiny.vfpack", "--key", "maker.key"])), 0);
    assert_eq!(code(&verify(&public)), 0);
    let other = verify("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    assert!(code(&other) == 4 && String::from_utf8_lossy(&other.stderr).contains("E413"));
    assert_eq!(code(&verify("no key")), 8);

    // Every command that opens a pack takes the key.
    let info = json(&place.veriface(&["info", "--json", "--pack-key", &public]));
    assert_eq!(info["signed_by"], public.as_str());
    let other = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    assert_eq!(code(&place.veriface(&["info", "--pack-key", other])), 4);
}

/// `kill -9` at any moment of an enrolment or of packing: the old file is there, or the new one.
#[test]
fn a_killed_command_leaves_the_old_file_or_the_new_one() {
    let place = Place::new();
    let picture = portrait("collins.jpg");
    let kill_after = |args: &[&str], wait: Duration| {
        let mut child = place.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(wait);
        child.kill().unwrap();
        child.wait().unwrap();
    };
    let start = Instant::now();
    let enrol = |name: &'static str| ["enrol", "--any-quality", &picture, "--gallery", "people", "--name", name];
    assert_eq!(code(&place.veriface(&enrol("first"))), 0);
    let whole = start.elapsed();
    let mut entries = 1;
    for (round, name) in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"].into_iter().enumerate() {
        // From a third of the time that it takes to a little more than all of it.
        kill_after(&enrol(name), whole * (round as u32 + 5) / 15);
        let gallery = veriface::Gallery::open(place.path("people")).unwrap();
        assert!(gallery.len() == entries || (gallery.len() == entries + 1 && gallery.get(name).is_some()), "round {round}");
        entries = gallery.len();
    }

    let file = |name: &str| here("packs").join(name).display().to_string();
    let [detector, recogniser, manifest] = ["tiny-detector.onnx", "tiny-recogniser.onnx", "tiny.json"].map(file);
    let make =
        ["pack", "make", "--detector", &detector, "--recogniser", &recogniser, "--manifest", &manifest, "-o", "tiny.vfpack"];
    let old = std::fs::read(place.path("tiny.vfpack")).unwrap();
    let start = Instant::now();
    assert_eq!(code(&place.veriface(&make)), 0);
    let whole = start.elapsed();
    let new = std::fs::read(place.path("tiny.vfpack")).unwrap();
    assert_ne!(old, new);
    for round in 0..12 {
        std::fs::write(place.path("tiny.vfpack"), &old).unwrap();
        kill_after(&make, whole * (round + 5) / 15);
        let found = std::fs::read(place.path("tiny.vfpack")).unwrap();
        assert!(found == old || found == new, "round {round}: {} bytes", found.len());
    }
}

#[test]
fn completions_and_manual_pages_are_made() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(!place.veriface(&["completions", shell]).stdout.is_empty(), "{shell}");
    }
    assert_eq!(code(&place.veriface(&["man", "pages"])), 0);
    assert!(place.path("pages/veriface-verify.1").exists());
}
