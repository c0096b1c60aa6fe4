//! Everything that is said of a model on one list of pairs.

use std::collections::BTreeSet;

use serde::Serialize;

use super::accuracy::{CrossValidation, Fold, Scored, ThresholdSearch, best_threshold, cross_validate};
use super::bootstrap::{Bootstrap, Drawn};
use super::interval::{Interval, require_measurable, wilson};
use super::pairs::PairList;
use super::rates::{ErrorRates, ScoreSet};
use crate::decide::FalseMatchRate;
use crate::embed::{Embedding, Score};
use crate::error::{Error, ErrorCode, Result};

/// How to evaluate.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// How the folds choose their threshold.
    pub search: ThresholdSearch,
    /// The false-acceptance rates to report the true-acceptance rate at.
    pub rates: Vec<FalseMatchRate>,
    /// Whether to add bootstrap intervals.
    pub bootstrap: Option<Bootstrap>,
}

impl Default for Options {
    /// The exact search, rates from 1 in 10 to 1 in 10,000, and 1,000 bootstrap draws.
    fn default() -> Options {
        let rates = [1e-1, 1e-2, 1e-3, 1e-4].into_iter().filter_map(|rate| FalseMatchRate::new(rate).ok()).collect();
        Options { search: ThresholdSearch::Exact, rates, bootstrap: Some(Bootstrap::default()) }
    }
}

/// The true-acceptance rate at one false-acceptance rate. (TAR and FAR are the older names of 1 − FNMR and FMR.)
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrueAcceptance {
    /// The false-acceptance rate asked for.
    pub far: FalseMatchRate,
    /// The share of genuine pairs that match at the least threshold which keeps the rate.
    pub tar: f64,
    /// Its 95 % interval (Wilson).
    pub tar_interval: Interval,
    /// Its 95 % interval by bootstrap; none when it was not asked for.
    pub tar_bootstrap: Option<Interval>,
    /// The false non-match rate, 1 − TAR.
    pub fnmr: f64,
    /// Its 95 % interval (Wilson).
    pub fnmr_interval: Interval,
    /// Its 95 % interval by bootstrap; none when it was not asked for.
    pub fnmr_bootstrap: Option<Interval>,
    /// The threshold, as a score.
    pub threshold: f64,
    /// How many impostor pairs match at it.
    pub false_matches: u64,
    /// The 95 % interval of the false-match rate at it (Wilson).
    pub fmr_interval: Interval,
}

/// What the list says at one false-acceptance rate: a figure, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AtRate {
    /// The impostor pairs carry the rate.
    Measured(TrueAcceptance),
    /// They are too few: see [`super::least_measurable_rate`]. In JSON `tar` is null.
    Refused {
        /// The false-acceptance rate asked for.
        far: FalseMatchRate,
        /// No figure.
        tar: (),
        /// How many pairs it takes and how many there are.
        refused: String,
    },
}

/// One group of people at a threshold that was chosen on all.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GroupRow {
    /// The group's name in the list.
    pub group: String,
    /// The threshold: that of the lowest rate which the whole list carries, or the best threshold when it carries none.
    pub threshold: f64,
    /// The rate that the threshold keeps on the whole list; none when it is the best threshold.
    pub far: Option<FalseMatchRate>,
    /// Impostor pairs of the group that have a score.
    pub impostor_pairs: u64,
    /// How many of them match.
    pub false_matches: u64,
    /// The group's false-match rate; none when its impostor pairs are too few to show `far` (see
    /// [`super::least_measurable_rate`]) or there are none. The interval says what they do show.
    pub fmr: Option<f64>,
    /// Its 95 % interval (Wilson).
    pub fmr_interval: Interval,
    /// Genuine pairs of the group that have a score.
    pub genuine_pairs: u64,
    /// How many of them do not match.
    pub false_non_matches: u64,
    /// The group's false non-match rate; none without genuine pairs.
    pub fnmr: Option<f64>,
    /// Its 95 % interval (Wilson).
    pub fnmr_interval: Interval,
}

/// The figures of a model on a list of pairs. All rates and accuracies are shares, 0…1.
///
/// A pair of which a picture gave no template has no score. It is **left out** of every figure but `accuracy_failures_wrong`, which
/// counts it as decided wrong, and of `pairs` and `failure_to_enrol`, which count it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// How many pairs the list has.
    pub pairs: usize,
    /// How many of them have a score.
    pub used: usize,
    /// How many pictures the list has.
    pub pictures: usize,
    /// How many of them gave no template.
    pub failure_to_enrol: usize,
    /// The same as a share of the pictures (ISO/IEC 19795-1: the failure-to-enrol rate).
    pub failure_to_enrol_rate: f64,
    /// Its 95 % interval (Wilson).
    pub failure_to_enrol_interval: Interval,
    /// The mean of the folds' accuracies over the pairs used.
    pub accuracy: f64,
    /// The standard deviation of the folds' accuracies, as a population.
    pub accuracy_std: f64,
    /// The standard error of the mean that the LFW protocol asks for.
    pub accuracy_standard_error: f64,
    /// The 95 % interval of the share of all used pairs that were decided right (Wilson).
    pub accuracy_interval: Interval,
    /// The mean of the folds' accuracies when a pair without a score counts as wrong.
    pub accuracy_failures_wrong: f64,
    /// How the folds' thresholds were chosen.
    pub threshold_search: ThresholdSearch,
    /// Each fold's accuracy.
    pub folds: Vec<f64>,
    /// The threshold that the other folds chose for each, as a score.
    pub fold_thresholds: Vec<f64>,
    /// The threshold that gets most of all pairs right, as a score: a description, not a setting.
    pub best_threshold: f64,
    /// The share that it gets right, which is higher than an honest accuracy.
    pub best_accuracy: f64,
    /// How many pairs used are of one person.
    pub genuine_pairs: u64,
    /// How many pairs used are of two.
    pub impostor_pairs: u64,
    /// The true-acceptance rate at each false-acceptance rate asked for.
    pub tar: Vec<AtRate>,
    /// The equal error rate.
    pub eer: f64,
    /// The detection-error trade-off at the false-match rates 0.5, 0.2, 0.1, … which the impostor pairs carry.
    pub det: Vec<ErrorRates>,
    /// What the bootstrap draws: `person` or `pair`; none when it was not asked for.
    pub bootstrap_unit: Option<&'static str>,
    /// The bootstrap's settings.
    pub bootstrap: Option<Bootstrap>,
    /// Each group of the list at one threshold, or that the list has no groups.
    pub groups: GroupTable,
}

/// Whether the list told groups of people apart.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupTable {
    /// It did not.
    NotMeasured,
    /// One row a group.
    Measured(Vec<GroupRow>),
}

/// Compares the pairs of `list` and reports. `embeddings` has one entry a picture of [`PairList::pictures`], none where the picture
/// gave no template.
///
/// # Errors
/// [`ErrorCode::InvalidArgument`] when the entries are not as many as the pictures; [`ErrorCode::ModelMismatch`] when they come
/// from different models; [`ErrorCode::TooFewComparisons`] when a fold has no pair with a score, or genuine or impostor pairs are
/// missing altogether.
pub fn evaluate(list: &PairList, embeddings: &[Option<Embedding>], options: &Options) -> Result<Report> {
    let pictures = list.pictures().len();
    if embeddings.len() != pictures {
        let detail = format!("{} embeddings for {pictures} pictures", embeddings.len());
        return Err(Error::new(ErrorCode::InvalidArgument, detail));
    }
    let embedding = |picture: usize| embeddings.get(picture).and_then(Option::as_ref);
    let scores = list
        .pairs()
        .iter()
        .map(|pair| embedding(pair.a).zip(embedding(pair.b)).map(|(a, b)| a.compare(b)).transpose())
        .collect::<Result<Vec<_>>>()?;
    evaluate_scores(list, &scores, embeddings.iter().filter(|one| one.is_none()).count(), options)
}

/// As [`evaluate`], from one score a pair (none where a picture gave no template) and the number of such pictures.
///
/// # Errors
/// As [`evaluate`]; [`ErrorCode::InvalidArgument`] when the scores are not as many as the pairs.
pub fn evaluate_scores(list: &PairList, scores: &[Option<Score>], failure_to_enrol: usize, options: &Options) -> Result<Report> {
    let pairs = list.pairs();
    if scores.len() != pairs.len() {
        return Err(Error::new(ErrorCode::InvalidArgument, format!("{} scores for {} pairs", scores.len(), pairs.len())));
    }
    let used = || pairs.iter().zip(scores).filter_map(|(pair, score)| score.map(|score| (pair, score)));
    let scored: Vec<Scored> = used().map(|(pair, score)| Scored { score, same: pair.same, fold: pair.fold }).collect();
    let of = |same: bool| scored.iter().filter(move |one| one.same == same).map(|one| one.score).collect();
    let set = ScoreSet::new(of(true), of(false))?;
    let (genuine_pairs, impostor_pairs) = (set.genuine().len() as u64, set.impostor().len() as u64);

    let validation = cross_validate(&scored, list.folds(), options.search)?;
    let (best_threshold, best_accuracy) = best_threshold(&scored);
    let (bootstrap_unit, tar) = true_acceptance(list, scores, &set, options);
    let lowest = tar.iter().filter_map(measured).min_by(|a, b| a.far.get().total_cmp(&b.far.get()));
    let (group_threshold, far) = lowest.map_or((best_threshold, None), |at| (at.threshold, Some(at.far)));
    let pictures = list.pictures().len();

    Ok(Report {
        pairs: pairs.len(),
        used: scored.len(),
        pictures,
        failure_to_enrol,
        failure_to_enrol_rate: failure_to_enrol as f64 / pictures.max(1) as f64,
        failure_to_enrol_interval: wilson(failure_to_enrol as u64, pictures as u64),
        accuracy: validation.mean,
        accuracy_std: validation.std,
        accuracy_standard_error: validation.standard_error,
        accuracy_interval: wilson(validation.folds.iter().map(|fold| fold.right).sum(), scored.len() as u64),
        accuracy_failures_wrong: with_failures_wrong(list, &validation),
        threshold_search: options.search,
        folds: validation.folds.iter().map(Fold::accuracy).collect(),
        fold_thresholds: validation.folds.iter().map(|fold| fold.threshold).collect(),
        best_threshold,
        best_accuracy,
        genuine_pairs,
        impostor_pairs,
        tar,
        eer: set.equal_error_rate(),
        det: trade_off(&set),
        bootstrap_unit,
        bootstrap: options.bootstrap,
        groups: group_table(list, scores, group_threshold, far),
    })
}

fn measured(at: &AtRate) -> Option<&TrueAcceptance> {
    match at {
        AtRate::Measured(at) => Some(at),
        AtRate::Refused { .. } => None,
    }
}

/// The mean accuracy when each fold's pairs without a score count as wrong.
fn with_failures_wrong(list: &PairList, validation: &CrossValidation) -> f64 {
    let mut sizes = vec![0u64; validation.folds.len()];
    for pair in list.pairs() {
        if let Some(size) = sizes.get_mut(pair.fold) {
            *size += 1;
        }
    }
    let shares = validation.folds.iter().zip(&sizes).map(|(fold, &size)| fold.right as f64 / size.max(1) as f64);
    shares.sum::<f64>() / sizes.len().max(1) as f64
}

fn true_acceptance(
    list: &PairList,
    scores: &[Option<Score>],
    set: &ScoreSet,
    options: &Options,
) -> (Option<&'static str>, Vec<AtRate>) {
    let pairs = || list.pairs().iter().zip(scores).filter_map(|(pair, score)| score.map(|score| (pair, score)));
    let intervals = options.bootstrap.map(|bootstrap| {
        let (unit, drawn, units): (_, Vec<Drawn>, usize) = match list.subjects() {
            Some(subjects) => {
                let subject = |picture: usize| subjects.get(picture).copied().unwrap_or(usize::MAX);
                let drawn = pairs()
                    .map(|(pair, score)| Drawn { score, same: pair.same, units: [subject(pair.a), subject(pair.b)] })
                    .collect();
                ("person", drawn, subjects.iter().collect::<BTreeSet<_>>().len())
            }
            None => {
                let drawn: Vec<Drawn> = pairs()
                    .enumerate()
                    .map(|(unit, (pair, score))| Drawn { score, same: pair.same, units: [unit, unit] })
                    .collect();
                let units = drawn.len();
                ("pair", drawn, units)
            }
        };
        (unit, bootstrap.true_acceptance(&drawn, units, &options.rates))
    });
    let at_rate = |(place, &far): (usize, &FalseMatchRate)| {
        let threshold = match set.threshold_at(far) {
            Ok(threshold) => threshold,
            Err(error) => return AtRate::Refused { far, tar: (), refused: error.detail().to_owned() },
        };
        let genuine_pairs = set.genuine().len() as u64;
        let accepted = genuine_pairs - set.false_non_matches(threshold);
        let false_matches = set.false_matches(threshold);
        let tar_bootstrap = intervals.as_ref().and_then(|(_, intervals)| intervals.get(place).copied());
        AtRate::Measured(TrueAcceptance {
            far,
            tar: accepted as f64 / genuine_pairs as f64,
            tar_interval: wilson(accepted, genuine_pairs),
            tar_bootstrap,
            fnmr: set.rates(threshold).fnmr,
            fnmr_interval: wilson(genuine_pairs - accepted, genuine_pairs),
            fnmr_bootstrap: tar_bootstrap.map(|of| Interval { lower: 1.0 - of.upper, upper: 1.0 - of.lower }),
            threshold,
            false_matches,
            fmr_interval: wilson(false_matches, set.impostor().len() as u64),
        })
    };
    let tar = options.rates.iter().enumerate().map(at_rate).collect();
    (intervals.as_ref().map(|(unit, _)| *unit), tar)
}

fn trade_off(set: &ScoreSet) -> Vec<ErrorRates> {
    let steps = (1..=9).flat_map(|decade| [5.0, 2.0, 1.0].map(|step| step * 10f64.powi(-decade)));
    steps
        .filter_map(|rate| FalseMatchRate::new(rate).ok())
        .take_while(|&rate| require_measurable(rate, set.impostor().len() as u64).is_ok())
        .filter_map(|rate| set.threshold_at(rate).ok())
        .map(|threshold| set.rates(threshold))
        .collect()
}

fn group_table(list: &PairList, scores: &[Option<Score>], threshold: f64, far: Option<FalseMatchRate>) -> GroupTable {
    if list.groups().is_empty() {
        return GroupTable::NotMeasured;
    }
    let row = |(group, name): (usize, &String)| {
        let of = |same: bool| {
            let pairs = list.pairs().iter().zip(scores).filter(move |(pair, _)| pair.group == Some(group) && pair.same == same);
            let matches = pairs.filter_map(|(_, score)| score.map(|score| f64::from(score.get()) >= threshold));
            matches.fold((0u64, 0u64), |(pairs, matched), matches| (pairs + 1, matched + u64::from(matches)))
        };
        let ((impostor_pairs, false_matches), (genuine_pairs, matched)) = (of(false), of(true));
        let false_non_matches = genuine_pairs - matched;
        let carried = far.is_none_or(|far| require_measurable(far, impostor_pairs).is_ok());
        let share = |events: u64, trials: u64| (trials > 0).then(|| events as f64 / trials as f64);
        GroupRow {
            group: name.clone(),
            threshold,
            far,
            impostor_pairs,
            false_matches,
            fmr: share(false_matches, impostor_pairs).filter(|_| carried),
            fmr_interval: wilson(false_matches, impostor_pairs),
            genuine_pairs,
            false_non_matches,
            fnmr: share(false_non_matches, genuine_pairs),
            fnmr_interval: wilson(false_non_matches, genuine_pairs),
        }
    };
    GroupTable::Measured(list.groups().iter().enumerate().map(row).collect())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;
    use crate::embed::ModelId;

    /// What `tests/reference/evaluation.py` writes.
    #[derive(Deserialize)]
    struct Golden {
        wilson: Vec<(u64, u64, f64, f64)>,
        rates: Vec<FalseMatchRate>,
        bootstrap: Bootstrap,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        scores: Vec<Score>,
        same: Vec<u8>,
        people: Vec<(u32, u32)>,
        exact: GoldenFolds,
        distance_grid: GoldenFolds,
        score_grid: GoldenFolds,
        best_threshold: f64,
        best_accuracy: f64,
        eer: f64,
        tar: Vec<GoldenTar>,
    }

    #[derive(Deserialize)]
    struct GoldenFolds {
        accuracy: f64,
        std: f64,
        standard_error: f64,
        folds: Vec<f64>,
        thresholds: Vec<f64>,
    }

    #[derive(Deserialize)]
    struct GoldenTar {
        far: f64,
        tar: f64,
        interval: (f64, f64),
        fnmr_interval: (f64, f64),
        bootstrap: (f64, f64),
    }

    fn golden() -> Golden {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden/evaluation.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    #[track_caller]
    fn close(ours: f64, golden: f64) {
        assert!((ours - golden).abs() < 1e-6, "{ours} is not {golden}");
    }

    #[track_caller]
    fn all_close(ours: &[f64], golden: &[f64]) {
        assert_eq!(ours.len(), golden.len());
        ours.iter().zip(golden).for_each(|(&ours, &golden)| close(ours, golden));
    }

    #[test]
    fn figures_equal_those_of_scikit_learn_and_statsmodels() {
        let golden = golden();
        for (events, trials, lower, upper) in golden.wilson {
            let interval = wilson(events, trials);
            close(interval.lower, lower);
            close(interval.upper, upper);
        }
        for case in golden.cases {
            let line = |(i, (&same, &(a, b)))| format!("{a}/{i}a.jpg\t{b}/{i}b.jpg\t{same}\n");
            let text: String = case.same.iter().zip(&case.people).enumerate().map(line).collect();
            let list = PairList::tab_separated(&text).unwrap();
            let scores: Vec<Option<Score>> = case.scores.into_iter().map(Some).collect();
            let searches = [
                (ThresholdSearch::Exact, case.exact),
                (ThresholdSearch::DistanceGrid, case.distance_grid),
                (ThresholdSearch::ScoreGrid, case.score_grid),
            ];
            for (search, folds) in searches {
                let options = Options { search, rates: golden.rates.clone(), bootstrap: Some(golden.bootstrap) };
                let report = evaluate_scores(&list, &scores, 0, &options).unwrap();
                all_close(&report.folds, &folds.folds);
                all_close(&report.fold_thresholds, &folds.thresholds);
                close(report.accuracy, folds.accuracy);
                close(report.accuracy_std, folds.std);
                close(report.accuracy_standard_error, folds.standard_error);
                close(report.accuracy_failures_wrong, folds.accuracy);
                close(report.best_threshold, case.best_threshold);
                close(report.best_accuracy, case.best_accuracy);
                close(report.eer, case.eer);
                assert_eq!(report.bootstrap_unit, Some("person"));
                for (at, golden) in report.tar.iter().zip(&case.tar) {
                    let at = measured(at).unwrap();
                    close(at.far.get(), golden.far);
                    close(at.tar, golden.tar);
                    close(at.fnmr, 1.0 - golden.tar);
                    close(at.tar_interval.lower, golden.interval.0);
                    close(at.tar_interval.upper, golden.interval.1);
                    let drawn = at.tar_bootstrap.unwrap();
                    close(drawn.lower, golden.bootstrap.0);
                    close(drawn.upper, golden.bootstrap.1);
                    close(at.fnmr_interval.lower, golden.fnmr_interval.0);
                    close(at.fnmr_interval.upper, golden.fnmr_interval.1);
                    let drawn = at.fnmr_bootstrap.unwrap();
                    close(drawn.lower, 1.0 - golden.bootstrap.1);
                    close(drawn.upper, 1.0 - golden.bootstrap.0);
                }
                assert_eq!(report.tar.len(), case.tar.len());
            }
        }
    }

    /// 40 pairs in ten folds, genuine and impostor in turn, at scores that part them.
    fn parted(group: bool) -> (PairList, Vec<Option<Score>>) {
        let group = |i: usize| if group { format!("\tg{}", i / 2 % 2) } else { String::new() };
        let text: String = (0..40).map(|i| format!("a{i}\tb{i}\t{}{}\n", i % 2, group(i))).collect();
        let scores = (0..40).map(|i| Score::new(if i % 2 == 1 { 0.75 } else { 0.25 }).ok()).collect();
        (PairList::parse(&text).unwrap(), scores)
    }

    #[test]
    fn pairs_without_a_score_are_left_out_and_counted() {
        let (list, mut scores) = parted(false);
        scores[0] = None;
        scores[5] = None;
        let report = evaluate_scores(&list, &scores, 3, &Options::default()).unwrap();
        assert_eq!((report.pairs, report.used, report.pictures, report.failure_to_enrol), (40, 38, 80, 3));
        // statsmodels' proportion_confint(3, 80, method="wilson").
        close(report.failure_to_enrol_rate, 0.0375);
        close(report.failure_to_enrol_interval.lower, 0.01283456);
        close(report.failure_to_enrol_interval.upper, 0.10454720);
        assert_eq!((report.accuracy, report.accuracy_std), (1.0, 0.0));
        // Folds 1 and 2 have four pairs, of which one each failed.
        close(report.accuracy_failures_wrong, 0.95);
        assert_eq!(report.bootstrap_unit, Some("pair"));
        scores[..4].fill(None);
        let error = evaluate_scores(&list, &scores, 3, &Options::default()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::TooFewComparisons);
    }

    #[test]
    fn json_has_the_promised_fields_and_null_for_what_the_counts_do_not_carry() {
        let (list, scores) = parted(false);
        let options = Options { bootstrap: None, ..Options::default() };
        let json = serde_json::to_value(evaluate_scores(&list, &scores, 0, &options).unwrap()).unwrap();
        for (field, value) in [("pairs", 40), ("used", 40), ("failure_to_enrol", 0)] {
            assert_eq!(json[field], value);
        }
        assert_eq!((&json["accuracy"], &json["accuracy_std"]), (&Value::from(1.0), &Value::from(0.0)));
        assert_eq!(json["folds"], Value::from(vec![1.0; 10]));
        assert_eq!(json["best_threshold"], 0.5);
        assert_eq!(json["groups"], "not_measured");
        // 20 impostor pairs carry 3/20 at best.
        let tar = json["tar"].as_array().unwrap();
        assert_eq!(tar.len(), 4);
        assert!(
            tar.iter().all(|at| at["tar"].is_null() && at["refused"].as_str().is_some_and(|why| why.contains("there are 20")))
        );
        assert_eq!(tar[3]["far"], 1e-4);
        let rates: Vec<f64> = json["det"].as_array().unwrap().iter().map(|p| p["fmr"].as_f64().unwrap()).collect();
        assert_eq!(rates.len(), 2, "0.5 and 0.2");
    }

    #[test]
    fn groups_are_told_apart_at_one_threshold() {
        let (list, mut scores) = parted(true);
        // Of g1 (pairs 2, 3, 6, 7 …) two impostors score as genuine pairs do.
        (scores[2], scores[6]) = (scores[1], scores[1]);
        let rows = |rate: f64| {
            let options = Options { rates: vec![FalseMatchRate::new(rate).unwrap()], ..Options::default() };
            let report = evaluate_scores(&list, &scores, 0, &options).unwrap();
            let GroupTable::Measured(rows) = report.groups else { panic!("no groups") };
            rows
        };
        // At half, 30 % and more of whose impostors a group of ten can show, both false matches are g1's.
        let found: Vec<_> = rows(0.5)
            .iter()
            .map(|row| (row.group.clone(), row.impostor_pairs, row.fmr, row.fnmr, row.far.map(FalseMatchRate::get)))
            .collect();
        let expected = [("g0", Some(0.0)), ("g1", Some(0.2))];
        assert_eq!(found, expected.map(|(group, fmr)| (group.into(), 10, fmr, Some(0.0), Some(0.5))));
        // 20 impostor pairs carry 0.2 and ten do not: the count and its interval remain, the rate goes.
        let found: Vec<_> = rows(0.2).iter().map(|row| (row.false_matches, row.fmr, row.fmr_interval.upper)).collect();
        assert_eq!(found.iter().map(|row| (row.0, row.1)).collect::<Vec<_>>(), [(0, None), (2, None)]);
        // statsmodels' proportion_confint(2, 10, method="wilson").
        close(found[1].2, 0.50983752);
    }

    #[test]
    fn embeddings_are_compared_once_each_and_of_one_model() {
        let text: String = (0..20).map(|i| format!("a{}\tb{}\t{}\n", i % 2, i / 2 % 2, u8::from(i % 2 == i / 2 % 2))).collect();
        let list = PairList::parse(&text).unwrap();
        let unit = |model: u8, x: f32, y: f32| Embedding::from_raw(ModelId::from_bytes([model; 32]), vec![x, y]).ok();
        let options = Options { bootstrap: None, ..Options::default() };
        // Pictures in the order a0, b0, a1, b1.
        let good = [unit(1, 1.0, 0.1), unit(1, 1.0, 0.0), unit(1, 0.0, 1.0), unit(1, 0.1, 1.0)];
        let paths: Vec<&str> = list.pictures().iter().filter_map(|path| path.to_str()).collect();
        assert_eq!(paths, ["a0", "b0", "a1", "b1"]);
        assert_eq!(evaluate(&list, &good, &options).unwrap().accuracy, 1.0);
        let mixed = [good[0].clone(), good[1].clone(), unit(2, 0.0, 1.0), good[3].clone()];
        assert_eq!(evaluate(&list, &mixed, &options).unwrap_err().code(), ErrorCode::ModelMismatch);
        assert_eq!(evaluate(&list, &good[..3], &options).unwrap_err().code(), ErrorCode::InvalidArgument);
        let failed = [good[0].clone(), good[1].clone(), None, good[3].clone()];
        let report = evaluate(&list, &failed, &options).unwrap();
        assert_eq!((report.used, report.failure_to_enrol), (10, 1));
    }
}
