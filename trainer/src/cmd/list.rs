//! `trainer list`: the names that a configuration may use.

use crate::error::Result;
use crate::loss::LOSSES;
use crate::net::NETWORKS;

/// Lists networks and losses by the names that a configuration uses.
#[derive(Debug, clap::Args)]
pub struct Arguments {}

/// Runs the subcommand.
pub fn run(_: &Arguments) -> Result<()> {
    println!("networks");
    for entry in NETWORKS {
        println!("  {:<22} {}", entry.name, entry.summary);
    }
    println!("losses");
    for entry in LOSSES {
        println!("  {:<22} {}", entry.name, entry.summary);
    }
    Ok(())
}
