//! `veriface bench` in an app's own process.

use veriface::Result;
use veriface_bench::{Cases, run};

use crate::options::PackSource;

/// The caller vouches for the pack. Times every stage on this picture file's bytes and gives the JSON of `veriface bench --json`. For the cold start to be one, call this
/// before anything else of the library.
///
/// # Errors
/// As [`run`].
pub fn latency(pack: PackSource<'_>, picture: &[u8], runs: i32, device: &str) -> Result<String> {
    // What is no count becomes 0, which is refused with its range.
    let cases = Cases { device, runs: usize::try_from(runs).unwrap_or(0), growth: None };
    run(&cases, || pack.open(None), || Ok(picture.to_vec()))?.to_json()
}
