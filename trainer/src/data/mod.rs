//! Pictures in: sets of chips, their order, their variation, their faults, and test sets.

pub mod agedb;
pub mod align;
pub mod augment;
pub mod balanced;
pub mod cfp;
pub mod chips;
pub mod clean;
pub mod contact_sheet;
pub mod folder;
pub mod loader;
pub mod megaface;
pub mod pickle;
pub mod recordio;
pub mod sampler;
pub mod set_writer;
pub mod test_set;
pub mod verification_bin;
