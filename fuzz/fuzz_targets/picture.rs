#![no_main]

// A panic of a decoder or of tract is caught and becomes an error: only one that reaches us counts.
libfuzzer_sys::fuzz_target!(init: std::panic::set_hook(Box::new(|_| ())), |bytes: &[u8]| veriface_tests::targets::picture(bytes));
