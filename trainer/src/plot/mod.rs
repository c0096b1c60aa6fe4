//! Charts as SVG text: training curves, error rates, scores, angles, and the paper's figure 4.

pub mod angles;
mod chart;
pub mod rates;
pub mod scores;
pub mod target_logits;
pub mod training;

pub use chart::{Axis, Chart, Curve, Scale, grid};
