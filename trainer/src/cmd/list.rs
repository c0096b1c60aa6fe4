//! `trainer list`: the names that a configuration can use.

use std::io::{ErrorKind, Write};

use crate::error::{Error, Result};
use crate::loss::LOSSES;
use crate::net::design::Backbone;

/// Prints the networks and the losses.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Runs the subcommand.
pub fn run(_: &Arguments) -> Result<()> {
    let mut text = String::from("Networks; ? is the output option, a to g (docs/networks.md):\n");
    for backbone in Backbone::all() {
        text += &format!("  {:<26}{}\n", backbone.to_string(), backbone.summary());
    }
    text += "Losses:\n";
    for loss in LOSSES {
        text += &format!("  {:<26}{}\n", loss.name, loss.summary);
    }
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever reads has seen enough: `trainer list | head`.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(Error::file("standard output")),
    }
}
