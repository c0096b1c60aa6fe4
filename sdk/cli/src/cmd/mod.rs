//! One file a command.

pub mod align;
pub mod bench;
pub mod detect;
pub mod embed;
pub mod enrol;
pub mod eval;
pub mod identify;
pub mod info;
pub mod pack;
pub mod quality;
pub mod shell;
pub mod verify;
