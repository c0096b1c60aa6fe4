//! Pictures named on the command line: files, folders, lists, and `-` for standard input.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rayon::prelude::*;
use veriface::{Error, ErrorCode, Limits, Photo, Result};

use crate::{Outcome, describe, print_line, setup::Setup};

/// What in a folder is taken for a picture. Those of formats that are not read are among them, so that they are reported and not passed
/// over.
const PICTURE_ENDINGS: [&str; 15] =
    ["jpg", "jpeg", "jfif", "png", "webp", "bmp", "heic", "heif", "hif", "avif", "gif", "tif", "tiff", "jxl", "jp2"];

#[derive(Args)]
pub struct Inputs {
    /// Pictures, folders of pictures, or `-` for standard input
    #[arg(required_unless_present = "from", value_name = "PICTURE")]
    pub pictures: Vec<PathBuf>,
    /// Take more pictures from a list, one path a line
    #[arg(long, value_name = "FILE")]
    pub from: Option<PathBuf>,
}

impl Inputs {
    /// Every picture, folders read through in the order of their names.
    pub fn expand(&self) -> Result<Vec<PathBuf>> {
        let mut pictures = Vec::new();
        for path in &self.pictures {
            if !path.is_dir() {
                pictures.push(path.clone());
                continue;
            }
            let before = pictures.len();
            walk(path, &mut pictures)?;
            if pictures.len() == before {
                return Err(Error::new(ErrorCode::CannotRead, "the folder holds no picture").in_file(path));
            }
        }
        if let Some(list) = &self.from {
            let text = std::fs::read_to_string(list).map_err(|e| cannot_read(list, e))?;
            pictures.extend(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(PathBuf::from));
        }
        Ok(pictures)
    }
}

fn walk(folder: &Path, pictures: &mut Vec<PathBuf>) -> Result<()> {
    let entries = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
    let mut paths: Vec<PathBuf> = entries.map_err(|e| cannot_read(folder, e))?.iter().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_ascii_lowercase();
        // A link to a folder could lead in a circle.
        if path.is_dir() && !path.is_symlink() {
            walk(&path, pictures)?;
        } else if PICTURE_ENDINGS.contains(&ending.as_str()) {
            pictures.push(path);
        }
    }
    Ok(())
}

fn cannot_read(path: &Path, error: std::io::Error) -> Error {
    Error::new(ErrorCode::CannotRead, error.to_string()).in_file(path)
}

/// Opens a picture; `-` is standard input.
pub fn open(path: &Path) -> Result<Photo> {
    if path != Path::new("-") {
        return Photo::open(path);
    }
    let mut bytes = Vec::new();
    let limit = Limits::default().max_bytes;
    std::io::stdin().take(limit).read_to_end(&mut bytes).map_err(|e| cannot_read(path, e))?;
    Photo::decode(&bytes).map_err(|e| e.in_file("standard input"))
}

/// A bar on the terminal for long work; nothing where standard error is no terminal or the work is short.
pub fn progress(total: usize, what: &'static str) -> ProgressBar {
    if total < 20 {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} · {per_sec} · {eta} left");
    ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr())
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(what)
}

/// Does the work on each picture, several at once, and prints the results in order. A picture that fails is reported, and the
/// others go on; a single picture's error is the command's.
pub fn for_each<T: Send>(
    setup: &Setup,
    pictures: &[PathBuf],
    work: impl Fn(&Path) -> Result<T> + Sync,
    mut print: impl FnMut(&Path, T) -> Result<()>,
) -> Result<Outcome> {
    if let [picture] = pictures {
        print(picture, work(picture).map_err(|e| e.in_file(picture))?)?;
        return Ok(Outcome::Done);
    }
    let bar = progress(pictures.len(), "pictures");
    let mut failed = 0;
    // In blocks, so that results appear as they come and memory stays bounded.
    for block in pictures.chunks(64) {
        let results: Vec<_> = block
            .par_iter()
            .map(|picture| {
                let result = work(picture).map_err(|e| e.in_file(picture));
                bar.inc(1);
                result
            })
            .collect();
        for (picture, result) in block.iter().zip(results) {
            match result {
                Ok(result) => bar.suspend(|| print(picture, result))?,
                Err(error) => {
                    failed += 1;
                    bar.suspend(|| eprintln!("veriface: {error}"));
                    if setup.json {
                        print_line(serde_json::json!({ "file": picture, "error": describe(&error) }))?;
                    }
                }
            }
        }
    }
    bar.finish_and_clear();
    Ok(if failed == 0 { Outcome::Done } else { Outcome::SomeFailed(failed) })
}
