//! `docs/errors.md` says what the code says. `VERIFACE_WRITE_DOCS=1 cargo test --release -p veriface-tests errors_page` rewrites it.

use std::fmt::Write;
use std::path::Path;

use veriface::{ErrorCode, Family};

#[test]
fn the_errors_page_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    let page = errors_page();
    if std::env::var_os("VERIFACE_WRITE_DOCS").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), page, "run the command at the top of tests/errors_page.rs");
}

fn errors_page() -> String {
    let mut page = String::from(
        "# Errors\n\nGenerated from `sdk/src/error.rs`. Numbers are stable, and the same in every language. The hundreds digit is the \
         family, which is also the exit code of the command. A message adds the particulars: which picture, which file, which sizes.\n",
    );
    let mut family = None;
    for code in ErrorCode::ALL {
        if family != Some(code.family()) {
            family = Some(code.family());
            let title = match code.family() {
                Family::Picture => "Pictures",
                Family::Face => "Faces",
                Family::Pack => "Packs",
                Family::Template => "Templates, embeddings, galleries",
                Family::Decision => "Decisions",
                Family::Network => "The network runtime",
                Family::Usage => "Arguments and files",
            };
            write!(
                page,
                "\n## {}xx: {title}\n\n| number | name | meaning | what to do |\n|---|---|---|---|\n",
                code.family() as u8
            )
            .unwrap();
        }
        writeln!(page, "| E{} | `{}` | {} | {} |", code.number(), code.name(), code.meaning().trim(), code.advice()).unwrap();
    }
    page
}
