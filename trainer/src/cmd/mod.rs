//! The subcommands, one file each.

pub mod bench;
pub mod doctor;
pub mod eval;
pub mod list;
pub mod plot;
pub mod reproduce;
pub mod teach;
pub mod train;
