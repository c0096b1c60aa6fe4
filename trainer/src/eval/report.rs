//! Everything that is said of a model, as one JSON object.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use veriface::Score;
use veriface::evaluation::{Options, Report, ScoreSet, evaluate_scores};

use super::embed::{self, Embedded, PictureKind};
use super::identification::Identification;
use super::model::{Description, Model};
use super::worst::{Worst, worst};
use crate::data::test_set::TestSet;
use crate::error::{Error, Result};
use crate::plot::scores::{Histogram, histogram};

/// A model's figures.
#[derive(Debug, Serialize)]
pub struct Evaluation {
    /// What was evaluated.
    pub model: Description,
    /// The pair lists, in the order asked for.
    pub sets: Vec<SetResult>,
    /// The search among distractors, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identification: Option<Identification>,
    /// The program that wrote this.
    pub created_by: &'static str,
}

/// What a pair list says of a model.
#[derive(Debug, Serialize)]
pub struct SetResult {
    /// The list's folder and file.
    pub name: String,
    /// `chips`, aligned already, or `photos`, on which a pack found the faces.
    pub pictures: &'static str,
    /// The figures.
    #[serde(flatten)]
    pub report: Report,
    /// Why pictures gave no embedding, and how many.
    pub failures: BTreeMap<String, usize>,
    /// How the scores are spread.
    pub histogram: Histogram,
    /// The pairs of the worst scores.
    pub worst: Worst,
    /// The scores by truth, for curves.
    #[serde(skip)]
    pub scores: ScoreSet,
}

impl SetResult {
    /// Compares the pairs of a set. `worst_pairs` of each kind are listed, judged at the threshold that is best for the whole list.
    pub fn measure(
        model: &Model,
        set: &TestSet,
        kind: PictureKind<'_>,
        options: &Options,
        worst_pairs: usize,
        progress: impl Fn(usize),
    ) -> Result<Self> {
        let mut results = Self::measure_each(&[model], set, kind, options, worst_pairs, progress)?;
        results.pop().ok_or_else(|| Error::data(set.path().display().to_string(), "there is no model"))
    }

    /// The same with several models, each picture read, and its face found, once.
    pub fn measure_each(
        models: &[&Model],
        set: &TestSet,
        kind: PictureKind<'_>,
        options: &Options,
        worst_pairs: usize,
        progress: impl Fn(usize),
    ) -> Result<Vec<Self>> {
        let embedded = embed::test_set(models, set, kind, progress)?;
        embedded.into_iter().map(|embedded| Self::of(embedded, set, kind, options, worst_pairs)).collect()
    }

    fn of(embedded: Embedded, set: &TestSet, kind: PictureKind<'_>, options: &Options, worst_pairs: usize) -> Result<Self> {
        let embedding = |picture: usize| embedded.embeddings.get(picture).and_then(Option::as_ref);
        let pairs = set.list().pairs();
        let scores = pairs
            .iter()
            .map(|pair| embedding(pair.a).zip(embedding(pair.b)).map(|(a, b)| a.compare(b)).transpose())
            .collect::<veriface::Result<Vec<Option<Score>>>>()?;
        let failed = embedded.embeddings.iter().filter(|embedding| embedding.is_none()).count();
        let report = evaluate_scores(set.list(), &scores, failed, options)?;
        let of =
            |same: bool| pairs.iter().zip(&scores).filter(move |(pair, _)| pair.same == same).filter_map(|(_, score)| *score);
        let by_truth = ScoreSet::new(of(true).collect(), of(false).collect())?;
        Ok(SetResult {
            name: name(set.path()),
            pictures: match kind {
                PictureKind::Chips => "chips",
                PictureKind::Photos(_) => "photos",
            },
            failures: embedded.failures,
            histogram: histogram(&by_truth),
            worst: worst(set.list(), &scores, report.best_threshold, worst_pairs),
            scores: by_truth,
            report,
        })
    }
}

/// `cfpfp/pairs.tsv` → `cfpfp/pairs`: lists of many sets have the same file name.
fn name(list: &Path) -> String {
    let stem = list.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    match list.parent().and_then(Path::file_name) {
        Some(folder) => format!("{}/{stem}", folder.to_string_lossy()),
        None => stem,
    }
}

/// Writes text to a file, an old one replaced by rename.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let partial = path.with_extension("partial");
    std::fs::write(&partial, text).and_then(|()| std::fs::rename(&partial, path)).map_err(Error::file(path))
}
