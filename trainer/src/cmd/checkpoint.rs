//! `trainer checkpoint`: what can be done with a run's checkpoint besides going on.

use std::path::PathBuf;

use crate::error::Result;
use crate::train::run::LAST;
use crate::train::slim;

/// Works on checkpoints.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Writes a small checkpoint, from which `trainer train --resume-from` goes on.
    ///
    /// Fixed class centres are left out: the teacher's embeddings give them again. The rest is rounded as little as the limit allows:
    /// not at all; weights and loss exact, the average as f16 and the optimiser's memory as bf16; or matrices of the weights as f16
    /// too.
    Slim {
        /// The run's folder.
        run: PathBuf,
        /// The file to write.
        out: PathBuf,
        /// Largest size of the file, bytes.
        #[arg(long, default_value_t = slim::LIMIT)]
        limit: u64,
    },
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<()> {
    let Command::Slim { run, out, limit } = &arguments.command;
    let slim = slim::slim(&run.join(LAST), out, *limit)?;
    eprintln!("{}: {} bytes of {limit}; {}", out.display(), slim.bytes, slim.rounding.in_words());
    Ok(())
}
