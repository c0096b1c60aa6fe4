//! Where `unsafe` may stand, and what a release is made of.

use std::path::{Path, PathBuf};
use std::process::Command;

use veriface_tests::here;

/// The rooms with `unsafe`, each with the reason that its own page or comment gives. Everything else is safe Rust.
const UNSAFE: &[&str] = &[
    // Vector instructions, and memory aligned for them.
    "sdk/src/net/kernels/",
    // A pack's file, mapped.
    "sdk/src/pack/mapped.rs",
    // Other languages' pointers.
    "bindings/c/src/",
    "bindings/jni/src/",
    // libtorch's CUDA part is loaded by name.
    "trainer/src/train/device.rs",
    // The tests' allocator.
    "tests/heap.rs",
];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && !["target", "libtorch", "runs", ".git"].iter().any(|other| name == *other) && !path.is_symlink() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

/// Whether a line of code, comments and texts aside, has the word.
fn is_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    ["unsafe {", "unsafe fn", "unsafe impl", "unsafe extern", "unsafe trait", "unsafe(", "allow(unsafe_code)"]
        .iter()
        .any(|word| code.contains(word) && !code.contains(&format!("\"{word}")))
}

#[test]
fn unsafe_stands_in_the_kernels_the_bridges_and_three_listed_files_only() {
    let root = here("..");
    let mut stale: Vec<&str> = UNSAFE.to_vec();
    for file in rust_files(&root) {
        let relative = file.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
        if relative == "tests/supply.rs" || !std::fs::read_to_string(&file).unwrap().lines().any(is_unsafe) {
            continue;
        }
        let room = UNSAFE.iter().find(|room| relative.starts_with(**room));
        stale.retain(|other| Some(other) != room);
        // The room's own declaration is an attribute of the file above it.
        let declares = relative == "sdk/src/net/mod.rs";
        assert!(room.is_some() || declares, "{relative} has `unsafe` and stands in no listed room");
    }
    assert!(stale.is_empty(), "listed without need: {stale:?}");
    assert!(std::fs::read_to_string(root.join("sdk/src/lib.rs")).unwrap().contains("#![deny(unsafe_code)]"));
}

#[test]
fn what_is_unsafe_is_told_from_what_speaks_of_it() {
    assert!(is_unsafe("    unsafe { f() }") && is_unsafe("#[unsafe(no_mangle)]") && is_unsafe("unsafe impl Send for A {}"));
    assert!(!is_unsafe("// unsafe { f() }") && !is_unsafe("let why = \"unsafe {\";") && !is_unsafe("it is unsafe"));
}

/// CycloneDX 1.5, by `release/sbom.py`: what runs, each with licence and hash, and nothing that only tests need.
#[test]
fn the_bill_of_materials_is_whole() {
    let root = here("..");
    let lock = std::fs::read_to_string(root.join("Cargo.lock")).unwrap();
    let made = Command::new("python3").arg(root.join("release/sbom.py")).current_dir(&root).output();
    let made = match made {
        Ok(made) if made.status.success() => made,
        Ok(made) if String::from_utf8_lossy(&made.stderr).contains("tomllib") => return println!("skipped: no Python 3.11"),
        Ok(made) => panic!("{}", String::from_utf8_lossy(&made.stderr)),
        Err(_) => return println!("skipped: no Python"),
    };
    let bill: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    let components = bill["components"].as_array().unwrap();
    let named = |name: &str| components.iter().find(|component| component["name"] == name);
    for name in ["veriface", "tract-onnx", "image", "chacha20poly1305", "ed25519-dalek", "default.vfpack"] {
        assert!(named(name).is_some(), "{name} is missing");
    }
    for name in ["criterion", "proptest", "tch"] {
        assert!(named(name).is_none(), "{name} is no part of a release");
    }
    for component in components {
        let name = component["name"].as_str().unwrap();
        let ours = name.starts_with("veriface");
        assert!(component["type"] != "library" || component["licenses"][0]["expression"].is_string(), "{name} has no licence");
        let hash = component["hashes"][0]["content"].as_str();
        assert!(ours || hash.is_some_and(|hash| hash.len() == 64), "{name} has no hash");
        if component["type"] == "library" && !ours {
            assert!(lock.contains(hash.unwrap()), "{name} is not the one that is locked");
        }
    }
}
