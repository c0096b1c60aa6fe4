//! `trainer teach`: the teacher's embedding of every chip of a set, once, into a file.

use std::path::PathBuf;
use std::time::Instant;

use crate::data::chips::ChipSet;
use crate::error::{Error, Result};
use crate::train::teacher::{Normalisation, Teacher};
use crate::train::teacher_cache;

/// Computes the embeddings that a run with this teacher and set will read. A killed computation goes on where it stopped.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The set: NAME.rec, with NAME.idx beside it.
    #[arg(long)]
    data: PathBuf,
    /// The teacher: an ONNX recogniser, input [1, 3, 112, 112] RGB.
    #[arg(long)]
    teacher: PathBuf,
    /// What the teacher wants subtracted from each byte.
    #[arg(long, default_value_t = 127.5)]
    mean: f32,
    /// What the difference is divided by.
    #[arg(long, default_value_t = 127.5)]
    scale: f32,
    /// Where the file goes; its name follows from teacher and set.
    #[arg(long, default_value = "runs")]
    folder: PathBuf,
    /// Use the chip alone; otherwise the sum with its mirror image.
    #[arg(long)]
    no_mirror: bool,
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<()> {
    let normalisation = Normalisation { mean: arguments.mean, scale: arguments.scale };
    let teacher = Teacher::open(&arguments.teacher, normalisation)?;
    let set = ChipSet::open(&arguments.data, false)?;
    std::fs::create_dir_all(&arguments.folder).map_err(Error::file(&arguments.folder))?;
    let path = teacher_cache::path(&arguments.folder, &teacher, &set, !arguments.no_mirror);
    eprintln!("{} chips of {} identities → {}", set.len(), set.identities(), path.display());
    let start = Instant::now();
    let mut first = None;
    teacher_cache::fill(&path, &teacher, &set, !arguments.no_mirror, arguments.threads, |done, all| {
        let first = *first.get_or_insert(done);
        let rate = (done - first) as f64 / start.elapsed().as_secs_f64();
        eprintln!("{done}/{all}, {rate:.1} chips/s");
    })?;
    Ok(())
}
