//! The sentences on libtorch, from outside, where a program linked against it could not start.

use std::path::Path;
use std::process::{Command, Output};

fn doctor(libraries: &Path) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_trainer-doctor"));
    command.env("LD_LIBRARY_PATH", libraries).output().expect("it ran")
}

/// A folder that looks like a libtorch of this version.
fn libtorch(version: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("lib")).expect("created");
    std::fs::write(folder.path().join("lib/libtorch_cpu.so"), "").expect("written");
    std::fs::write(folder.path().join("build-version"), version).expect("written");
    folder
}

#[test]
fn another_version_is_one_sentence_and_a_failure() {
    let folder = libtorch("2.13.0+cpu");
    let output = doctor(&folder.path().join("lib"));
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!output.status.success());
    let first = text.lines().next().expect("a sentence");
    assert!(first.contains("2.11.0 is wanted") && first.contains("2.13.0") && first.contains("trainer/libtorch.sh"), "{first}");
}

#[test]
fn the_right_one_is_found_and_every_line_is_a_sentence() {
    let folder = libtorch("2.11.0");
    let output = doctor(&folder.path().join("lib"));
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(output.status.success(), "{text}");
    assert!(text.contains(&folder.path().join("lib").display().to_string()), "{text}");
    for subject in ["threads", "The processor has", "OMP_WAIT_POLICY", "training runs on the processor"] {
        assert!(text.contains(subject) || subject.starts_with("training") && text.contains("NVIDIA driver"), "{subject}: {text}");
    }
    assert!(text.lines().all(|line| line.ends_with('.')), "{text}");
}
