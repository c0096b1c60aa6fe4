//! `trainer train`: begins a run, or goes on with one.

use std::path::PathBuf;

use crate::detect::config::DetectorConfig;
use crate::detect::run::DetectorRun;
use crate::error::{Error, Result};
use crate::train::config::Config;
use crate::train::run::Run;

/// Trains a network. All that the run writes lies in one folder: `last.safetensors`, to go on from, and `log.jsonl`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What is trained.
    #[arg(long, value_enum, default_value_t = Task::Recognise)]
    task: Task,
    /// The configuration of a new run, TOML; `trainer/presets` holds some.
    #[arg(required_unless_present_any = ["resume", "resume_from"], conflicts_with_all = ["resume", "resume_from"])]
    config: Option<PathBuf>,
    /// The run's folder.
    #[arg(long)]
    folder: PathBuf,
    /// Go on with the run in the folder, with its own configuration.
    #[arg(long)]
    resume: bool,
    /// Go on, in a new folder, with the run of this checkpoint: whole, or slim (`trainer checkpoint slim`).
    #[arg(long, value_name = "CHECKPOINT", conflicts_with = "resume")]
    resume_from: Option<PathBuf>,
    /// Change one key of the configuration: --set lr=0.01. Going on, the keys that fix the run cannot change.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    changes: Vec<String>,
}

/// What a network is trained for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Task {
    /// From a chip to an embedding.
    Recognise,
    /// From a picture to boxes, scores and five points.
    Detect,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<()> {
    match arguments.task {
        Task::Recognise => recognise(arguments),
        Task::Detect => detect(arguments),
    }
}

fn unnamed() -> Error {
    Error::Config("name a configuration, --resume or --resume-from".into())
}

fn detect(arguments: &Arguments) -> Result<()> {
    let Arguments { config, folder, resume, resume_from, changes, .. } = arguments;
    let mut run = match (config, resume_from) {
        (Some(path), _) => DetectorRun::begin(DetectorConfig::open(path, changes)?, folder)?,
        (None, Some(checkpoint)) => DetectorRun::resume_from(checkpoint, folder, changes)?,
        (None, None) if *resume => DetectorRun::resume(folder, changes)?,
        (None, None) => return Err(unnamed()),
    };
    run.run()
}

fn recognise(arguments: &Arguments) -> Result<()> {
    let Arguments { config, folder, resume, resume_from, changes, .. } = arguments;
    let mut run = match (config, resume_from) {
        (Some(path), _) => Run::begin(Config::open(path, changes)?, folder)?,
        (None, Some(checkpoint)) => Run::resume_from(checkpoint, folder, changes)?,
        (None, None) if *resume => Run::resume(folder, changes)?,
        (None, None) => return Err(unnamed()),
    };
    run.run()
}
