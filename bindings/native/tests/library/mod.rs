//! Where the native library under test lies.

use std::path::PathBuf;

/// Cargo puts it beside the test's own program.
pub fn folder() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let folder = program.parent().unwrap().to_path_buf();
    let name = format!("{}veriface_native{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    assert!(folder.join(&name).exists(), "{name} is not in {}", folder.display());
    folder
}
