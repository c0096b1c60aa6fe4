//! The subcommands, one file each.

pub mod teach;
pub mod train;
