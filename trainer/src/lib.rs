//! From a folder of faces to a checked model: data, networks, losses, training and evaluation.

#![deny(missing_docs)]

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub mod allocator;
pub mod cmd;
pub mod data;
pub mod detect;
pub mod doctor;
pub mod error;
pub mod eval;
pub mod export;
pub mod loss;
pub mod net;
pub mod pack;
pub mod plot;
pub mod quantize;
pub mod reproduce;
pub mod train;
