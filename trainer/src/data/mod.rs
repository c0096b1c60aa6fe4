//! Pictures in: sets of chips, their order, their variation, and pairs for evaluation.

pub mod augment;
pub mod balanced;
pub mod chips;
pub mod loader;
pub mod pairs;
pub mod recordio;
pub mod sampler;
