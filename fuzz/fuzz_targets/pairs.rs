#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| veriface_tests::targets::pairs(bytes));
