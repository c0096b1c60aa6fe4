//! The arrows of docs/ARCHITECTURE.md, held: which room of `sdk` may use which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Each room and the rooms it may use. The order is the order of the data; nothing reaches back.
const ARROWS: &[(&str, &[&str])] = &[
    ("error", &["quality"]), // for the reasons that a refusal carries
    ("replace", &["error"]),
    ("geometry", &["error"]),
    ("face", &["error", "geometry"]),
    ("frame", &["error", "geometry"]),
    ("pack", &["error", "replace", "embed", "decide", "detect", "quality"]), // for the manifest's words
    ("net", &["error", "pack"]),
    ("align", &["error", "face", "frame", "geometry"]),
    ("detect", &["error", "face", "frame", "geometry", "net", "pack"]),
    ("quality", &["error", "face", "frame", "geometry", "align"]),
    ("embed", &["error", "align", "net", "pack"]),
    ("decide", &["error", "embed"]),
    ("template", &["error", "replace", "embed"]),
    ("gallery", &["error", "replace", "embed", "template"]),
    ("track", &["error", "face", "frame", "geometry", "quality", "embed"]),
    ("evaluation", &["error", "embed", "decide"]),
    ("session", &["error", "frame", "align", "quality", "decide", "template", "track", "verifier"]),
    (
        "verifier",
        &["error", "face", "frame", "align", "detect", "quality", "embed", "decide", "template", "track", "pack", "session"],
    ),
];

#[test]
fn rooms_use_only_what_their_arrows_allow() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk/src");
    let arrows: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let mut seen = BTreeSet::new();
    for file in rust_files(&source) {
        let relative = file.strip_prefix(&source).unwrap();
        let room = relative.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_string();
        if room == "lib" {
            continue;
        }
        let allowed = arrows.get(room.as_str()).unwrap_or_else(|| panic!("{room} has no line in ARROWS"));
        let text = std::fs::read_to_string(&file).unwrap();
        // Tests may build what they need from anywhere.
        let code = text.split("#[cfg(test)]").next().unwrap();
        for used in code.lines().filter(|l| !l.trim_start().starts_with("//")).flat_map(|l| l.split("crate::").skip(1)) {
            let used: String = used.chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
            if !used.is_empty() && used != room {
                assert!(allowed.contains(&used.as_str()), "{} uses {used}", relative.display());
            }
        }
        seen.insert(room);
    }
    let stale: Vec<_> = arrows.keys().filter(|room| !seen.contains(**room)).collect();
    assert!(stale.is_empty(), "ARROWS names rooms that are not there: {stale:?}");
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
