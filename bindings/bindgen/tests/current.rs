//! The Swift and Kotlin that are checked in are what UniFFI makes of the native library. matrix-org/matrix-rust-sdk 3596: both sides then
//! share UniFFI's checksums.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Language, the checked-in folder, the files.
const GENERATED: [(&str, &str, &[&str]); 3] = [
    ("swift", "ios/Sources/VerifaceUniffi", &["VerifaceUniffi.swift", "veriface_nativeFFI.h"]),
    ("swift", "ios", &["veriface_nativeFFI.modulemap"]),
    ("kotlin", "bindings/uniffi/generated/kotlin", &["io/github/veriface/uniffi/veriface.kt"]),
];

#[test]
fn what_is_checked_in_is_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (language, folder, files) in GENERATED {
        let made = tempfile::tempdir().unwrap();
        let status = Command::new(env!("CARGO_BIN_EXE_veriface-bindgen"))
            .args(["generate", "--no-format", "--config", "bindings/uniffi.toml", "--language", language, "--out-dir"])
            .arg(made.path())
            .arg(library())
            .current_dir(&root)
            .status()
            .unwrap();
        assert!(status.success());
        for file in files {
            let (new, old) = (std::fs::read_to_string(made.path().join(file)).unwrap(), root.join(folder).join(file));
            if std::env::var_os("VERIFACE_WRITE").is_some() {
                std::fs::create_dir_all(old.parent().unwrap()).unwrap();
                std::fs::write(&old, &new).unwrap();
            }
            let old = std::fs::read_to_string(&old).unwrap_or_default();
            assert!(old == new, "{file}: VERIFACE_WRITE=1 cargo test --release --workspace --test current");
        }
    }
}

/// Cargo puts the library of a dependency beside the test's own program.
fn library() -> PathBuf {
    let name = format!("{}veriface_native{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    std::env::current_exe().unwrap().parent().unwrap().join(name)
}
