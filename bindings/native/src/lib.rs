//! The one native library. It has no code of its own: it carries the symbols of the C, JNI and UniFFI interfaces.

pub use {veriface_c, veriface_jni, veriface_uniffi};

veriface_uniffi::uniffi_reexport_scaffolding!();
