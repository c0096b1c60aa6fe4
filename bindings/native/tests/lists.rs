//! The same numbers and names in every language, and a Kotlin declaration for every native function.

mod library;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use veriface::{ErrorCode, Guidance, Reason};

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A name as no language writes it: `NoFace`, `NO_FACE`, `noFace` → `noface`.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| *letter != '_').flat_map(char::to_lowercase).collect()
}

/// What stands between two marks.
fn between<'t>(text: &'t str, from: &str, to: &str) -> &'t str {
    let (_, rest) = text.split_once(from).unwrap_or_else(|| panic!("no `{from}`"));
    rest.split_once(to).map_or(rest, |(part, _)| part)
}

/// The lines of a list, comments and empty ones left out.
fn entries(text: &str) -> impl Iterator<Item = &str> {
    let comment = |line: &&str| !line.is_empty() && !["//", "/*", "*", "#", "\"\"\""].iter().any(|mark| line.starts_with(mark));
    text.lines().map(str::trim).filter(comment)
}

/// Each entry's first word that is no keyword, with the number after it.
fn numbered(text: &str) -> BTreeMap<String, u16> {
    let pair = |line: &str| {
        let line = line.strip_prefix("case ").unwrap_or(line);
        let name: String = line.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let number: String =
            line[name.len()..].chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
        Some((plain(&name), number.parse().ok()?))
    };
    entries(text).filter_map(pair).collect()
}

#[test]
fn error_numbers_are_the_same_everywhere() {
    let expected: BTreeMap<String, u16> = ErrorCode::ALL.iter().map(|code| (plain(code.name()), code.number())).collect();
    let c = file("bindings/c/include/veriface.h").replace("#define VF_ERROR_", "");
    let c: BTreeMap<_, _> = numbered(&c).into_iter().filter(|(name, _)| expected.contains_key(name)).collect();
    let kotlin = file("android/veriface/src/main/kotlin/io/github/veriface/VerifaceException.kt");
    let generated = "bindings/uniffi/generated/kotlin/io/github/veriface/uniffi/veriface.kt";
    let lists = [
        ("C", c),
        ("Kotlin", numbered(between(between(&kotlin, "enum class ErrorCode(", "val advice"), ") {", ";"))),
        ("UniFFI", numbered(between(&file("bindings/uniffi/src/error.rs"), "pub enum ErrorNumber {", "}"))),
        (
            "Swift",
            numbered(
                between(&file("ios/Sources/VerifaceUniffi/VerifaceUniffi.swift"), "enum ErrorNumber: UInt16", "}")
                    .trim_start_matches(|c| c != '\n'),
            ),
        ),
        ("Kotlin over JNA", numbered(between(between(&file(generated), "enum class ErrorNumber", "companion object"), "{", ";"))),
    ];
    for (language, list) in lists {
        assert_eq!(list, expected, "{language}");
    }
}

#[test]
fn reasons_and_guidances_have_the_same_order_everywhere() {
    let names = |text: &str| -> Vec<String> {
        entries(text)
            .map(|line| plain(line.trim_start_matches("case ").trim_end_matches([',', ';'])))
            .filter(|name| !name.is_empty() && name.chars().all(char::is_alphanumeric))
            .collect()
    };
    let reasons: Vec<String> = Reason::ALL.iter().map(|reason| plain(reason.name())).collect();
    let guidances: Vec<String> = Guidance::ALL.iter().map(|guidance| plain(guidance.name())).collect();
    let folder = "android/veriface/src/main/kotlin/io/github/veriface";
    assert_eq!(names(between(&file(&format!("{folder}/VerifaceException.kt")), "enum class Reason {", ";")), reasons);
    assert_eq!(names(between(&file(&format!("{folder}/VerifierSession.kt")), "enum class Guidance {", ";")), guidances);
    assert_eq!(names(between(&file("bindings/uniffi/src/error.rs"), "pub enum Reason {", "}")), reasons);
    assert_eq!(names(between(&file("bindings/uniffi/src/session.rs"), "pub enum Guidance {", "}")), guidances);
}

/// commonsguy/cwac-anddown 23: every native method has its symbol, and every symbol its method.
#[test]
fn kotlin_s_native_methods_are_the_library_s() {
    let after = |text: &str, mark: &str| -> BTreeSet<String> {
        let name = |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        text.split(mark).skip(1).map(name).collect()
    };
    let declared = after(&file("android/veriface/src/main/kotlin/io/github/veriface/Native.kt"), "external fun ");
    let sources = ["lib", "verifier", "template", "session"].map(|name| file(&format!("bindings/jni/src/{name}.rs"))).concat();
    assert_eq!(after(&sources, "fn Java_io_github_veriface_Native_"), declared);

    let name = format!("{}veriface_native{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let library = std::fs::read(library::folder().join(name)).unwrap();
    let exported = |symbol: &str| {
        let wanted = [b"\0", symbol.as_bytes(), b"\0"].concat();
        library.windows(wanted.len()).any(|bytes| bytes == wanted)
    };
    for method in declared {
        assert!(exported(&format!("Java_io_github_veriface_Native_{method}")), "{method}");
    }
    for function in after(&file("bindings/c/include/veriface.h"), " vf_").iter().filter(|name| name.contains("verif")) {
        let symbol = format!("vf_{function}");
        assert!(exported(&symbol) || !file("bindings/c/include/veriface.h").contains(&format!("{symbol}(")), "{symbol}");
    }
}
