//! Pictures in: sets of chips, their order, and their variation.

pub mod augment;
pub mod balanced;
pub mod chips;
pub mod loader;
pub mod recordio;
pub mod sampler;
