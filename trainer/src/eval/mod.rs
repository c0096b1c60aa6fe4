//! How good a network is: embeddings of pair lists, and what their scores say.

pub mod embed;
pub mod ten_fold;

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use crate::data::pairs::{Pair, PairList};
use crate::error::Result;
use crate::net::Network;

/// What a pair list says of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct PairReport {
    /// Accuracy over ten folds.
    pub folds: ten_fold::TenFold,
    /// True accept rate at a false accept rate of 1e-3.
    pub tar_at_1e3: f64,
}

/// Scores lists of aligned chips by cosine, without mirror averaging. A picture that several lists share is embedded once.
pub fn pair_lists(network: &Network, paths: &[PathBuf]) -> Result<Vec<PairReport>> {
    let lists = paths.iter().map(PairList::open_tsv).collect::<Result<Vec<_>>>()?;
    let pictures: BTreeSet<&PathBuf> = lists.iter().flat_map(|list| &list.pictures).collect();
    let pictures: Vec<PathBuf> = pictures.into_iter().cloned().collect();
    let embeddings: HashMap<&PathBuf, Vec<f32>> = pictures.iter().zip(embed::pictures(network, &pictures)?).collect();
    let report = |list: &PairList| {
        let cosine = |pair: &Pair| embed::cosine(&embeddings[&list.pictures[pair.a]], &embeddings[&list.pictures[pair.b]]);
        let scores: Vec<f64> = list.pairs.iter().map(cosine).collect();
        let same: Vec<bool> = list.pairs.iter().map(|pair| pair.same).collect();
        let folds: Vec<usize> = (0..list.pairs.len()).map(|pair| list.fold(pair)).collect();
        PairReport { folds: ten_fold::accuracy(&scores, &same, &folds), tar_at_1e3: ten_fold::tar_at_far(&scores, &same, 1e-3) }
    };
    Ok(lists.iter().map(report).collect())
}
