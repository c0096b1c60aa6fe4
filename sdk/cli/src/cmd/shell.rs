//! Completion scripts and manual pages, made from the commands' own definitions.

use std::path::PathBuf;

use clap::CommandFactory;
use veriface::{Error, ErrorCode, Result};

use crate::{Cli, Outcome};

#[derive(clap::Args)]
pub struct Completions {
    /// The shell
    shell: clap_complete::Shell,
}

#[derive(clap::Args)]
pub struct Man {
    /// The folder for the pages
    folder: PathBuf,
}

pub fn completions(args: &Completions) -> Result<Outcome> {
    clap_complete::generate(args.shell, &mut Cli::command(), "veriface", &mut std::io::stdout());
    Ok(Outcome::Done)
}

pub fn man(args: &Man) -> Result<Outcome> {
    std::fs::create_dir_all(&args.folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), &args.folder))
        .map_err(|e| Error::new(ErrorCode::CannotWrite, e.to_string()).in_file(&args.folder))?;
    Ok(Outcome::Done)
}
