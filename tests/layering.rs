//! The arrows of docs/ARCHITECTURE.md, held: which room of `sdk` may use which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each room and the rooms it may use, which stand above it: the order is the order of the data, and nothing reaches back.
const ARROWS: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("replace", &["error"]),
    ("pool", &[]),
    ("random", &["error"]),
    ("geometry", &["error"]),
    ("face", &["error", "geometry"]),
    ("frame", &["error", "geometry"]),
    ("pack", &["error", "random", "replace"]),
    ("net", &["error", "pack"]),
    ("align", &["error", "face", "frame", "geometry"]),
    ("detect", &["error", "face", "frame", "geometry", "net", "pack"]),
    ("quality", &["error", "face", "frame", "geometry", "align"]),
    ("embed", &["error", "align", "net", "pack"]),
    ("decide", &["error", "embed"]),
    ("template", &["error", "random", "replace", "embed"]),
    ("gallery", &["error", "replace", "embed", "template"]),
    ("track", &["error", "face", "frame", "geometry", "quality", "embed"]),
    ("evaluation", &["error", "quality", "embed", "decide"]),
    ("verifier", &["error", "face", "frame", "align", "detect", "quality", "embed", "decide", "template", "pack", "pool"]),
    ("session", &["error", "face", "frame", "align", "quality", "embed", "decide", "template", "track", "verifier"]),
];

/// The words of a manifest, which belong to the rooms that it configures: the only uses against the order. They are plain values.
const WORDS: &[(&str, &str)] = &[
    ("pack", "embed::ModelId"),
    ("pack", "decide::Calibration"),
    ("pack", "detect::HeadKind"),
    ("pack", "quality::QualityPolicy"),
];

#[test]
fn arrows_form_no_circle() {
    for (place, (room, allowed)) in ARROWS.iter().enumerate() {
        for used in *allowed {
            assert!(
                ARROWS[..place].iter().any(|(above, _)| above == used),
                "{room} may not use {used}, which does not stand above it"
            );
        }
    }
}

#[test]
fn rooms_use_only_what_their_arrows_allow() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk/src");
    let arrows: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let (mut seen, mut words) = (BTreeSet::new(), BTreeSet::new());
    for file in rust_files(&source) {
        let relative = file.strip_prefix(&source).unwrap();
        let room = relative.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_string();
        // Tests may build what they need from anywhere.
        if room == "lib" || relative.ends_with("tests.rs") {
            continue;
        }
        let allowed = arrows.get(room.as_str()).unwrap_or_else(|| panic!("{room} has no line in ARROWS"));
        let text = std::fs::read_to_string(&file).unwrap();
        for path in used_paths(&text) {
            let used = path.split("::").next().unwrap_or_default();
            if let Some(word) = WORDS.iter().find(|(user, word)| *user == room && *word == path) {
                words.insert(word);
            } else if used != room {
                assert!(allowed.contains(&used), "{} uses {path}", relative.display());
            }
        }
        seen.insert(room);
    }
    let stale: Vec<_> = arrows.keys().filter(|room| !seen.contains(**room)).collect();
    assert!(stale.is_empty(), "ARROWS names rooms that are not there: {stale:?}");
    assert_eq!(words.len(), WORDS.len(), "WORDS names uses that are not there: {words:?} are");
}

/// What a file's code, tests aside, names by `crate::`: `embed::ModelId` and the like. What is taken from the root, past
/// its room, comes as the bare name.
fn used_paths(text: &str) -> Vec<String> {
    let is_test_module =
        |lines: &[&str]| lines[0].trim() == "#[cfg(test)]" && lines.get(1).is_some_and(|l| l.starts_with("mod tests {"));
    let lines: Vec<&str> = text.lines().collect();
    let end = (0..lines.len()).find(|&at| is_test_module(&lines[at..])).unwrap_or(lines.len());
    let code: String =
        lines[..end].iter().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| [line, "\n"]).collect();
    let mut paths = Vec::new();
    for rest in code.split("crate::").skip(1) {
        assert!(!rest.starts_with('{'), "name rooms one by one: use crate::{rest:.20}");
        let name = |item: &str| item.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        let room = name(rest);
        let Some(rest) = rest.strip_prefix(&room).and_then(|rest| rest.strip_prefix("::")) else {
            paths.push(room);
            continue;
        };
        match rest.strip_prefix('{').and_then(|list| list.split_once('}')) {
            Some((list, _)) => paths.extend(list.split(',').map(name).filter(|n| !n.is_empty()).map(|n| format!("{room}::{n}"))),
            None => paths.push(format!("{room}::{}", name(rest))),
        }
    }
    paths
}

#[test]
fn uses_are_read_in_every_form() {
    let text = "use crate::a::{B, c};\nuse crate::d::E;\n// crate::no::No\nfn f() -> crate::Error { crate::g::h() }\n\n#[cfg(test)]\nmod tests {\n    use crate::t::T;\n}\n";
    assert_eq!(used_paths(text), ["a::B", "a::c", "d::E", "Error", "g::h"]);
}

#[test]
fn only_one_room_knows_the_runtime() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk/src");
    for file in rust_files(&source) {
        let relative = file.strip_prefix(&source).unwrap();
        if !relative.starts_with("net") {
            assert!(!std::fs::read_to_string(&file).unwrap().contains("tract_onnx"), "{}", relative.display());
        }
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}
