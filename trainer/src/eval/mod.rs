//! How good a network is: embeddings of pair lists and of probes among distractors, and what their scores say.
//!
//! The figures themselves are the SDK's, [`veriface::evaluation`], so that training and deployment count alike. What stands here
//! gets the embeddings ([`model`], [`embed`]), compares with a million distractors ([`identification`]), and writes
//! it down ([`report`], [`page`]).

pub mod embed;
pub mod faces;
pub mod identification;
pub mod model;
pub mod npy;
pub mod page;
pub mod report;
pub mod worst;

use std::path::PathBuf;

use veriface::FalseMatchRate;
use veriface::evaluation::{AtRate, Options, Report, evaluate};

use crate::data::test_set::TestSet;
use crate::error::Result;
use crate::net::Network;

/// The figures of a network in training on lists of aligned chips, by cosine, without mirror averaging.
pub fn pair_lists(network: &Network, lists: &[PathBuf]) -> Result<Vec<Report>> {
    let options = Options { bootstrap: None, rates: vec![FalseMatchRate::ONE_IN_1_000], ..Options::default() };
    let report = |list: &PathBuf| {
        let set = TestSet::open(list, None)?;
        Ok(evaluate(set.list(), &embed::with_network(network, &set)?, &options)?)
    };
    lists.iter().map(report).collect()
}

/// The true-acceptance rate that a report states at `rate`; none where the list is too short for it.
pub fn true_acceptance(report: &Report, rate: FalseMatchRate) -> Option<f64> {
    report.tar.iter().find_map(|at| match at {
        AtRate::Measured(at) if at.far == rate => Some(at.tar),
        _ => None,
    })
}
