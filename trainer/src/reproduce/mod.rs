//! The paper's tables (ArcFace v1, arXiv 1801.07698v1), run again at any scale and printed beside the paper's figures.

mod print;
mod sweep;
mod tables;

pub use print::print;
pub use sweep::{Ours, Scale, Sweep};
pub use tables::{Row, Table};
