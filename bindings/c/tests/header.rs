//! `include/veriface.h` is what cbindgen makes of this crate, and its error numbers are the SDK's.

use std::collections::BTreeMap;
use std::path::Path;

use veriface::ErrorCode;

fn header() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/veriface.h")).unwrap()
}

#[test]
fn the_header_is_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for source in ["codes", "outcome", "frame", "verifier", "template", "session"] {
        builder = builder.with_src(folder.join("src").join(source).with_extension("rs"));
    }
    let mut made = Vec::new();
    builder.generate().unwrap().write(&mut made);
    // Rust's heading for what an `unsafe fn` asks of its caller.
    let made = String::from_utf8(made).unwrap().replace("// # Safety\n", "// Safety:\n");
    if std::env::var_os("VERIFACE_WRITE").is_some() {
        std::fs::write(folder.join("include/veriface.h"), &made).unwrap();
    }
    assert!(header() == made, "VERIFACE_WRITE=1 cargo test --release --workspace --test header");
}

#[test]
fn error_numbers_are_the_sdk_s() {
    let header = header();
    let found: BTreeMap<&str, u16> = header
        .lines()
        .filter_map(|line| line.strip_prefix("#define VF_ERROR_")?.split_once(' '))
        .map(|(name, number)| (name, number.parse().unwrap()))
        .collect();
    let expected: BTreeMap<String, u16> = ErrorCode::ALL.iter().map(|code| (screaming(code.name()), code.number())).collect();
    assert!(found.iter().map(|(name, number)| (name.to_string(), *number)).eq(expected), "{found:?}");
}

/// `NoFace` as `NO_FACE`.
fn screaming(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}
