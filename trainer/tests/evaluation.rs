//! Evaluation from outside: a reference's figures, a checkpoint's report, a sweep of the paper.

mod drawn;

use std::path::{Path, PathBuf};

use serde::Deserialize;
use tch::Tensor;
use trainer::data::test_set::TestSet;
use trainer::data::verification_bin::VerificationBin;
use trainer::error::Result;
use trainer::eval::embed::PictureKind;
use trainer::eval::identification::{Verification, identify};
use trainer::eval::model::Model;
use trainer::eval::page;
use trainer::eval::report::{Evaluation, SetResult};
use trainer::plot::training::TrainingLog;
use trainer::reproduce::{Ours, Scale, Sweep, Table, print};
use trainer::train::config::Config;
use trainer::train::run::Run;
use trainer::train::teacher::Normalisation;
use veriface::evaluation::{Options, evaluate};
use veriface::{Chip, Embedding, FalseMatchRate, ModelId};

/// What `tests/reference/evaluation.py` writes.
#[derive(Deserialize)]
struct Golden {
    bin: Bin,
    identification: Identification,
}

#[derive(Deserialize)]
struct Bin {
    embeddings: Vec<Vec<f32>>,
    same: Vec<bool>,
    accuracy: f64,
    std: f64,
    folds: Vec<f64>,
    thresholds: Vec<f64>,
    #[serde(rename = "tar_at_0.05")]
    tar: f64,
}

#[derive(Deserialize)]
struct Identification {
    probes: Vec<Vec<f32>>,
    identities: Vec<u32>,
    distractors: Vec<Vec<f32>>,
    ranks: std::collections::BTreeMap<usize, [f64; 2]>,
    far: FalseMatchRate,
    tar: f64,
}

fn golden() -> Golden {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/evaluation.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the golden file")).expect("its fields")
}

#[track_caller]
fn close(ours: f64, golden: f64) {
    assert!((ours - golden).abs() < 1e-6, "{ours} is not {golden}");
}

#[test]
fn a_bin_sets_embeddings_give_scikit_learns_accuracy_and_thresholds() {
    let bin = golden().bin;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("reference.bin");
    let pictures = (0..bin.embeddings.len()).map(|number| number.to_le_bytes().to_vec()).collect();
    VerificationBin::new(pictures, bin.same).expect("a set").write(&path).expect("written");
    let set = TestSet::open(&path, None).expect("a set");
    let embedding = |values: Vec<f32>| Embedding::from_raw(ModelId::from_bytes([1; 32]), values).ok();
    let embeddings: Vec<_> = bin.embeddings.into_iter().map(embedding).collect();
    let rates = vec![FalseMatchRate::new(0.05).expect("a rate")];
    let report = evaluate(set.list(), &embeddings, &Options { rates, bootstrap: None, ..Options::default() }).expect("figures");
    close(report.accuracy, bin.accuracy);
    close(report.accuracy_std, bin.std);
    report.folds.iter().zip(&bin.folds).for_each(|(&ours, &golden)| close(ours, golden));
    report.fold_thresholds.iter().zip(&bin.thresholds).for_each(|(&ours, &golden)| close(ours, golden));
    close(trainer::eval::true_acceptance(&report, FalseMatchRate::new(0.05).expect("a rate")).expect("measured"), bin.tar);
}

#[test]
fn identification_gives_numpys_ranks_and_scikit_learns_rate() {
    let golden = golden().identification;
    let matrix = |rows: &[Vec<f32>]| Tensor::from_slice(&rows.concat()).view([rows.len() as i64, -1]);
    let distractors = matrix(&golden.distractors);
    let blocks = distractors.chunk(7, 0).into_iter().map(Ok);
    let found = identify(&matrix(&golden.probes), &golden.identities, blocks, golden.distractors.len(), &[10, 100], golden.far);
    let found = found.expect("figures");
    assert_eq!(found.ranks.len(), golden.ranks.len());
    for (rank, (&distractors, &[rank_1, rank_10])) in found.ranks.iter().zip(&golden.ranks) {
        assert_eq!(rank.distractors, distractors);
        close(rank.rank_1, rank_1);
        close(rank.rank_10, rank_10);
    }
    let Verification::Measured { tar, .. } = found.verification else { panic!("refused") };
    close(tar, golden.tar);
}

fn trained(folder: &Path) -> PathBuf {
    let config = Config {
        data: drawn::set(folder, 3, 4),
        batch: 4,
        steps: 4,
        log_every: 2,
        lr: 0.01,
        embedding: 32,
        threads: 1,
        ema: 0.5,
        ..Config::default()
    };
    let run = folder.join("run");
    Run::begin(config, &run).expect("a run").run().expect("its end");
    run
}

#[test]
fn a_checkpoints_report_is_one_page_that_needs_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = trained(folder.path());
    let log = TrainingLog::open(&run.join("log.jsonl")).expect("a log");
    assert_eq!(log.angles.keys().copied().collect::<Vec<_>>(), [2, 4]);
    assert!(log.angles.values().all(|angles| angles.histogram.iter().sum::<u64>() == 8), "two batches of four");

    let set = TestSet::open(drawn::pairs(folder.path()), None).expect("a set");
    let normalisation = Normalisation { mean: 127.5, scale: 128.0 };
    let [plain, mirrored] = [false, true].map(|mirror| Model::open(&run, Some(mirror), normalisation).expect("a model"));
    assert!(plain.description().about.contains("average of weights at step 4"), "{}", plain.description().about);
    let chip = Chip::from_aligned((0..Chip::BYTES).map(|byte| (byte * 31 % 251) as u8).collect::<Vec<u8>>()).expect("a chip");
    let embed =
        |model: &Model, chip: &Chip| model.embed(std::slice::from_ref(chip)).expect("one").remove(0).expect("an embedding");
    // The sum of both sides is the same for a chip and its mirror image, and nothing else here is.
    let score = |model: &Model| embed(model, &chip).compare(&embed(model, &chip.mirrored())).expect("a score").get();
    assert!(score(&mirrored) > 0.999_99 && score(&plain) < 0.999_9, "{} {}", score(&mirrored), score(&plain));

    let options = Options { bootstrap: None, ..Options::default() };
    let result = SetResult::measure(&plain, &set, PictureKind::Chips, &options, 3, |_| ()).expect("figures");
    assert_eq!((result.report.pairs, result.report.used, result.worst.genuine.len()), (20, 20, 3));
    let evaluation =
        Evaluation { model: plain.description().clone(), sets: vec![result], identification: None, created_by: "a test" };
    let json = serde_json::to_value(&evaluation).expect("JSON");
    assert_eq!(json["sets"][0]["pairs"], 20);
    assert_eq!(json["model"]["mirror"], false);

    let show = |_: usize, pair: usize| {
        let pair = set.list().pairs()[pair - 1];
        Some([pair.a, pair.b].map(|picture| PictureKind::Chips.chip(&set, picture).expect("read").expect("a chip")))
    };
    let page = page::html(&evaluation, Some(&show)).expect("a page");
    assert_eq!(page.matches("src=\"data:image/jpeg;base64,").count(), 12);
    assert_eq!(page.matches("src=").count(), 12, "no other picture, no script");
    assert!(!page.contains("href=") && !page.contains("url(") && !page.contains("@import"));
    assert_eq!(page.matches("http").count(), page.matches("xmlns=\"http://www.w3.org/2000/svg\"").count());
    assert_eq!(page.matches("<svg").count(), 3);
    let without = page::html(&evaluation, None).expect("a page");
    assert!(!without.contains("data:image") && !without.contains("a.png"), "no picture, no name");
    assert!(!without.contains("<h3>Groups</h3>") && without.contains("failure to enrol 0.00 % ("));

    // The same pairs in two groups of five impostor pairs, which show no rate.
    let list = set.path().with_file_name("groups.tsv");
    let text = std::fs::read_to_string(set.path()).expect("a list");
    let rows = text.lines().enumerate().map(|(row, line)| format!("{line}\tgroup {}\n", row / 2 % 2));
    std::fs::write(&list, rows.collect::<String>()).expect("written");
    let set = TestSet::open(&list, None).expect("a set");
    let rates = vec![FalseMatchRate::new(0.3).expect("a rate")];
    let options = Options { rates, ..Options::default() };
    let result = SetResult::measure(&plain, &set, PictureKind::Chips, &options, 0, |_| ()).expect("figures");
    let evaluation =
        Evaluation { model: plain.description().clone(), sets: vec![result], identification: None, created_by: "a test" };
    let page = page::html(&evaluation, None).expect("a page");
    assert!(page.contains("<h3>Groups</h3>") && page.contains("the threshold for 0.3 of all pairs"));
    assert_eq!(page.matches("<tr><td>group ").count(), 2);
    assert_eq!(page.matches("not stated (").count(), 2, "five impostor pairs cannot show 0.3");
}

#[test]
fn a_sweep_of_table_6_prints_the_papers_rows_beside_ours_and_is_not_run_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut table = Table::numbered(6).expect("table 6");
    table.rows.retain(|row| ["m = 0.3", "m = 0.5", "m = 0.7"].contains(&row.name.as_str()));
    let mut sweep = Sweep {
        table,
        data: drawn::set(folder.path(), 4, 4),
        scale: Scale { iterations: 5, batch: 4.0 / 512.0, width: 1.0 },
        network: Some("mobilefacenet".into()),
        changes: vec!["threads=1".into()],
        lists: vec![("CFP-FP".into(), drawn::pairs(folder.path())), ("drawn".into(), drawn::pairs(folder.path()))],
        folder: folder.path().join("table6"),
    };
    let results = |sweep: &Sweep| -> Vec<Ours> {
        sweep.table.rows.iter().map(|row| sweep.run(row)).collect::<Result<_>>().expect("results")
    };
    let first = results(&sweep);
    let Ours::Measured(accuracies) = &first[0] else { panic!("{first:?}") };
    assert_eq!(accuracies.len(), 2);
    assert_eq!(accuracies[0].mean, accuracies[1].mean);
    let rows: Vec<_> = sweep.table.rows.iter().zip(first.iter().cloned()).collect();
    let text = print(&sweep, &rows);
    let ours = format!("{:.2} ± {:.2}", 100.0 * accuracies[0].mean, 100.0 * accuracies[0].deviation);
    let line = text.lines().find(|line| line.starts_with("m = 0.3")).expect("a row");
    let cells: Vec<&str> = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect();
    assert_eq!(cells, ["m = 0.3", "NV", "–", "NV", &ours, "NV", "–", &ours]);

    let begun = std::time::Instant::now();
    assert_eq!(results(&sweep), first);
    assert!(begun.elapsed().as_secs_f64() < 1.0, "finished rows are read");
    // Other settings do not go on with these runs, and a network that is not there says so.
    sweep.scale.iterations = 6;
    assert!(sweep.run(&sweep.table.rows[0]).expect_err("other settings").to_string().contains("other settings"));
    sweep.network = Some("nonesuch".into());
    sweep.folder = folder.path().join("other");
    let Ours::NotRun(reason) = sweep.run(&sweep.table.rows[0]).expect("a row") else { panic!("it ran") };
    assert!(reason.contains("nonesuch"), "{reason}");
}
