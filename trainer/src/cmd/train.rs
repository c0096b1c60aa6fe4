//! `trainer train`: begins a run, or goes on with one.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::train::config::Config;
use crate::train::run::Run;

/// Trains a network. All that the run writes lies in one folder: `last.safetensors`, to go on from, and `log.jsonl`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The configuration of a new run, TOML; `trainer/presets` holds some.
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    config: Option<PathBuf>,
    /// The run's folder.
    #[arg(long)]
    folder: PathBuf,
    /// Go on with the run in the folder, with its own configuration.
    #[arg(long)]
    resume: bool,
    /// Change one key of the configuration: --set lr=0.01. Going on, the keys that fix the run cannot change.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    changes: Vec<String>,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<()> {
    let mut run = match &arguments.config {
        Some(path) => Run::begin(Config::open(path, &arguments.changes)?, &arguments.folder)?,
        None if arguments.resume => Run::resume(&arguments.folder, &arguments.changes)?,
        None => return Err(Error::Config("name a configuration, or --resume".into())),
    };
    run.run()
}
