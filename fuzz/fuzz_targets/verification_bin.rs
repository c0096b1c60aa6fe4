#![no_main]

#[path = "../../trainer/tests/targets/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::verification_bin(bytes));
