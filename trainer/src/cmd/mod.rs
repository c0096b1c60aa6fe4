//! The subcommands, one file each.

pub mod doctor;
pub mod eval;
pub mod list;
pub mod plot;
pub mod teach;
pub mod train;
