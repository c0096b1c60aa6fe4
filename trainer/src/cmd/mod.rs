//! The subcommands, one file each.

pub mod align;
pub mod checkpoint;
pub mod clean;
pub mod data;
pub mod list;
pub mod teach;
pub mod train;

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::{Error, Result};

/// Threads for work that is shared out picture by picture.
fn pool(threads: usize) -> Result<rayon::ThreadPool> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.max(1)).build();
    pool.map_err(|error| Error::Config(format!("{threads} threads: {error}")))
}

/// A bar on the terminal, with rate and time left; nothing where standard error is no terminal.
fn progress(what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} · {per_sec} · {eta} left");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(what)
}
