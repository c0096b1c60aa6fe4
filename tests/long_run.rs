//! A million verifications and ten thousand loads, with memory that does not grow. `cargo test --release --workspace --test all long_run -- --ignored
//! --nocapture`; docs/security.md has the figures.

use veriface::{Chip, Pack, SealedTemplate, SealingKey, Secret, Template, Verifier};

use crate::heap;

/// What the system gives this process, in KiB; nothing where it does not tell.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()).and_then(|kib| kib.parse().ok()).unwrap_or(0)
}

/// Work, many times: bytes that stay behind after the first tenth, and how much the process grew.
fn flat(what: &str, rounds: usize, mut work: impl FnMut(usize)) {
    let (mut held, mut pages) = (0, 0);
    let start = std::time::Instant::now();
    for round in 0..rounds {
        work(round);
        if round == rounds / 10 {
            (held, pages) = (heap::held(), resident());
        }
    }
    let (grown, seconds) = (resident() as isize - pages as isize, start.elapsed().as_secs_f32());
    println!(
        "{rounds} {what} in {seconds:.0} s: {} bytes held more, {grown} KiB of pages more, {} KiB in all",
        heap::held() - held,
        resident()
    );
    assert_eq!(heap::held(), held, "bytes held after a tenth and at the end");
    assert!(grown < 4096, "{grown} KiB more pages than after a tenth");
}

/// A stored template is read, unsealed, compared and decided on: all of a verification but the picture, which `allocation.rs` has.
#[test]
#[ignore = "minutes"]
fn a_million_verifications_of_templates() {
    let verifier = Verifier::from_pack(Pack::embedded().unwrap()).unwrap();
    let probe = verifier.embed(&Chip::drawn_face()).unwrap();
    let template = Template::enrol(std::slice::from_ref(&probe)).unwrap().template;
    let key = SealingKey::from_bytes([7; 32]);
    let sealed = SealedTemplate::seal(&template, Secret::Key(&key), "long run").unwrap();
    let (plain, sealed) = (template.to_bytes(), sealed.as_bytes());
    flat("verifications", 1_000_000, |round| {
        let template = match round % 4 {
            0 => SealedTemplate::from_bytes(sealed).unwrap().unseal(Secret::Key(&key), verifier.model_id(), "long run").unwrap(),
            _ => Template::from_bytes(&plain).unwrap(),
        };
        assert!(verifier.decide(template.compare(&probe).unwrap()).unwrap().same);
    });
}

#[test]
#[ignore = "minutes"]
fn ten_thousand_loads() {
    let chip = Chip::drawn_face();
    let expected = Verifier::from_pack(Pack::embedded().unwrap()).unwrap().embed(&chip).unwrap();
    flat("loads of the built-in pack", 10_000, |round| {
        let verifier = Verifier::from_pack(Pack::embedded().unwrap()).unwrap();
        if round % 100 == 0 {
            assert_eq!(verifier.embed(&chip).unwrap(), expected);
        }
    });
}
