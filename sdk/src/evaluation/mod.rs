//! How well a model tells people apart: the figures of ISO/IEC 19795-1 and of the LFW protocol.
//!
//! A [`PairList`] says which pictures to compare, [`evaluate`] turns their embeddings into a [`Report`]. A [`ScoreSet`] gives the
//! error rates of any genuine and impostor scores; [`calibrate`] turns two of them into the thresholds of a pack. [`measure_gates`] says
//! what refusing poor pictures does to them.
//!
//! Everywhere a comparison is a match when its score is **at the threshold or above**, as [`crate::Threshold::decide`] does.

mod accuracy;
mod bootstrap;
mod calibrate;
mod gates;
mod interval;
mod pairs;
mod rates;
mod report;

pub use accuracy::{CrossValidation, Fold, ThresholdSearch};
pub use bootstrap::Bootstrap;
pub use calibrate::calibrate;
pub use gates::{Band, GateEffect, GateReport, Outcomes, PolicyEffect, measure_gates};
pub use interval::{Interval, least_measurable_rate, wilson};
pub use pairs::{Pair, PairList};
pub use rates::{ErrorRates, ScoreSet};
pub use report::{AtRate, GroupRow, GroupTable, Options, Report, TrueAcceptance, evaluate, evaluate_scores};

/// A text file of the folder that holds the research data, which only evaluates; none where that folder is absent.
#[cfg(test)]
fn shared(path: &str) -> Option<String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    match std::fs::read_to_string(folder.join(path)) {
        Ok(text) => Some(text),
        Err(error) if std::env::var_os("VERIFACE_REQUIRE_SHARED").is_some_and(|value| value == "1") => panic!("{path}: {error}"),
        Err(_) => {
            println!("skipped: no ../shared");
            None
        }
    }
}
