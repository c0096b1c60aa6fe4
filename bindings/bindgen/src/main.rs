//! Writes the foreign sides of the UniFFI interface from the built native library.

fn main() {
    uniffi::uniffi_bindgen_main()
}
