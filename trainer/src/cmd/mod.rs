//! The subcommands, one file each.

pub mod list;
pub mod teach;
pub mod train;
