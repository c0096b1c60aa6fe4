//! The subcommands, one file each.

pub mod align;
pub mod bench;
pub mod checkpoint;
pub mod clean;
pub mod data;
pub mod detector;
pub mod doctor;
pub mod eval;
pub mod export;
pub mod list;
pub mod pack;
pub mod plot;
pub mod quantize;
pub mod reproduce;
pub mod teach;
pub mod train;

use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use crate::error::{Error, Result};
use crate::export::graph::Input;

/// How an ONNX file is fed that does not say it itself.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct InputOptions {
    /// What an ONNX file that does not say so wants subtracted from each byte
    #[arg(long, default_value_t = 127.5)]
    mean: f64,
    /// What the difference is divided by
    #[arg(long, default_value_t = 128.0)]
    scale: f64,
}

impl InputOptions {
    fn input(self) -> Input {
        Input { mean: self.mean, scale: self.scale }
    }
}

/// Makes the folder in which a file will be written.
fn make_folder_of(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(Error::file(folder))
}

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
