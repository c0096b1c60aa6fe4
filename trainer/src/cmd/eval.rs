//! `trainer eval`: the figures of a model on pair lists and among distractors, as a page and as JSON.

use std::path::{Path, PathBuf};

use tch::Tensor;
use veriface::evaluation::{AtRate, GroupTable, Options, ThresholdSearch};
use veriface::{Chip, FalseMatchRate, Pack, Purpose, QualityPolicy, Trust, Verifier};

use crate::data::test_set::TestSet;
use crate::error::{Error, Result};
use crate::eval::embed::PictureKind;
use crate::eval::faces::Faces;
use crate::eval::identification::{Identification, Verification, identify};
use crate::eval::model::Model;
use crate::eval::page::{self, interval, percent};
use crate::eval::report::{self, Evaluation, SetResult};
use crate::train::device;
use crate::train::teacher::Normalisation;

/// Evaluates a checkpoint, an ONNX recogniser or a pack.
///
/// Pair lists give ten-fold accuracy, true-acceptance rates with intervals, ROC, DET, score histograms and the worst pairs; probes
/// and distractors give rank-1 and the true-acceptance rate at 1e-6, as MegaFace does. `report.html` needs nothing beside it.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A run's folder or .safetensors, an .onnx with input [1, 3, 112, 112] RGB, or a .vfpack
    model: PathBuf,
    /// LFW's pairs.txt, a list of `path TAB path TAB 1|0 [TAB group]` in ten folds, AgeDB-30's list, CFP's …/Protocol/Split/FP, or insightface's
    /// NAME.bin; several are possible
    #[arg(long = "pairs", value_name = "LIST", required_unless_present_any = ["probes", "megaface"])]
    pairs: Vec<PathBuf>,
    /// Where the lists' paths start from; by default each list's folder
    #[arg(long, value_name = "FOLDER")]
    pictures: Option<PathBuf>,
    /// The pictures are photos: this pack finds the faces and aligns them. Without it they are 112×112 chips
    #[arg(long, value_name = "PACK")]
    photos: Option<PathBuf>,
    /// Add the mirrored chip's output to each embedding
    #[arg(long, overrides_with = "no_mirror")]
    mirror: bool,
    /// Do not, even if the pack says so
    #[arg(long)]
    no_mirror: bool,
    /// How nine folds choose the tenth's threshold: exact, score-grid (steps of 0.0002) or distance-grid (insightface's)
    #[arg(long, value_name = "RULE", default_value = "exact")]
    threshold_search: ThresholdSearch,
    /// What an ONNX file wants subtracted from each byte
    #[arg(long, default_value_t = 127.5)]
    mean: f32,
    /// What the difference is divided by
    #[arg(long, default_value_t = 127.5)]
    scale: f32,
    /// Pictures of known people: a list of chips `path TAB identity`, a .rec, or embeddings .npy with identities in .txt
    #[arg(long, value_name = "FACES", requires = "distractors")]
    probes: Option<PathBuf>,
    /// Pictures of others, in one of the same forms
    #[arg(long, value_name = "FACES", requires = "probes")]
    distractors: Option<PathBuf>,
    /// insightface's MegaFace test pack: a folder with facescrub_lst, megaface_lst, their images and, if there are, noise lists
    #[arg(long, value_name = "FOLDER", conflicts_with = "probes")]
    megaface: Option<PathBuf>,
    /// The false-acceptance rate of verification among distractors
    #[arg(long, default_value = "1e-6")]
    far: FalseMatchRate,
    /// Where report.html and report.json go
    #[arg(long, short, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// How many of the worst pairs of each kind are shown
    #[arg(long, default_value_t = 12)]
    worst: usize,
    /// Leave pictures out of the report, which may then be passed on
    #[arg(long)]
    no_pictures: bool,
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<()> {
    tch::set_num_threads(arguments.threads.clamp(1, 1024) as i32);
    super::pool(arguments.threads)?.install(|| evaluate(arguments))
}

fn evaluate(arguments: &Arguments) -> Result<()> {
    let mirror = match (arguments.mirror, arguments.no_mirror) {
        (true, _) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    };
    let normalisation = Normalisation { mean: arguments.mean, scale: arguments.scale };
    let model = Model::open(&arguments.model, mirror, normalisation)?;
    let description = model.description();
    let averaging = if description.mirror { "with" } else { "without" };
    println!("{}: {}, {averaging} mirror averaging", description.file, description.about);
    let aligner = arguments.photos.as_deref().map(aligner).transpose()?;
    let kind = aligner.as_ref().map_or(PictureKind::Chips, PictureKind::Photos);

    let mut sets = Vec::new();
    let mut results = Vec::new();
    let options = Options { search: arguments.threshold_search, ..Options::default() };
    for list in &arguments.pairs {
        let set = TestSet::open(list, arguments.pictures.as_deref())?;
        let bar = super::progress("pictures");
        bar.set_length(set.list().pictures().len() as u64);
        let at = |done: usize| bar.set_position(done as u64);
        let result = SetResult::measure(&model, &set, kind, &options, arguments.worst, at)?;
        bar.finish_and_clear();
        print_set(&result);
        sets.push(set);
        results.push(result);
    }
    let faces = match (&arguments.probes, &arguments.distractors, &arguments.megaface) {
        (Some(probes), Some(distractors), _) => Some((Faces::open(probes)?, Faces::open(distractors)?)),
        (_, _, Some(pack)) => Some(Faces::megaface(pack)?),
        _ => None,
    };
    let among = |(probes, distractors): (Faces, Faces)| among_distractors(&model, &probes, &distractors, arguments.far);
    let identification = faces.map(among).transpose()?;
    let created_by = concat!("trainer ", env!("CARGO_PKG_VERSION"));
    let evaluation = Evaluation { model: description.clone(), sets: results, identification, created_by };
    let Some(folder) = &arguments.output else { return Ok(()) };

    std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
    let json = serde_json::to_string_pretty(&evaluation).map_err(|e| Error::data("report.json", e.to_string()))?;
    report::write(&folder.join("report.json"), &(json + "\n"))?;
    let chips = |set: usize, pair: usize| chips_of(sets.get(set)?, kind, pair);
    let page = page::html(&evaluation, if arguments.no_pictures { None } else { Some(&chips) })?;
    report::write(&folder.join("report.html"), &page)?;
    println!("{}", folder.join("report.html").display());
    Ok(())
}

/// The two chips of a pair, by its number from 1.
fn chips_of(set: &TestSet, kind: PictureKind<'_>, pair: usize) -> Option<[Chip; 2]> {
    let pair = set.list().pairs().get(pair.checked_sub(1)?)?;
    let chip = |picture| kind.chip(set, picture).ok()?.ok();
    Some([chip(pair.a)?, chip(pair.b)?])
}

/// A verifier that finds every face, fit or not.
fn aligner(pack: &Path) -> Result<Verifier> {
    Ok(Verifier::builder(Pack::open(pack, Trust::Unsigned)?)
        .quality_policy(Purpose::Verify, QualityPolicy::accept_all())
        .build()?)
}

fn among_distractors(model: &Model, probes: &Faces, distractors: &Faces, far: FalseMatchRate) -> Result<Identification> {
    let identities = probes.identities().ok_or_else(|| {
        Error::data("probes", "identities are missing: a second column in the list, or NAME.txt beside NAME.npy")
    })?;
    let rows = probes.blocks(Some(model)).collect::<Result<Vec<Tensor>>>()?;
    if rows.is_empty() {
        return Err(Error::data("probes", "there is none"));
    }
    let rows = Tensor::cat(&rows, 0).to_device(device::available());
    let bar = super::progress("distractors");
    bar.set_length(distractors.len() as u64);
    let blocks = distractors.blocks(Some(model)).inspect(|block| {
        bar.inc(block.as_ref().map_or(0, |block| block.size().first().copied().unwrap_or(0)).unsigned_abs());
    });
    let sizes = [10, 100, 1_000, 10_000, 100_000, 1_000_000];
    let found = identify(&rows, identities, blocks, distractors.len(), &sizes, far)?;
    bar.finish_and_clear();
    for rank in &found.ranks {
        println!(
            "rank 1 among {} distractors: {:.2} %, rank 10: {:.2} %",
            rank.distractors,
            100.0 * rank.rank_1,
            100.0 * rank.rank_10
        );
    }
    match &found.verification {
        Verification::Measured { far, tar, impostor_pairs, .. } => {
            println!("TAR at FAR {far}: {:.2} %, {impostor_pairs} impostor pairs", 100.0 * tar);
        }
        Verification::Refused { far, refused } => println!("TAR at FAR {far} not stated: {refused}"),
    }
    Ok(found)
}

fn print_set(result: &SetResult) {
    let report = &result.report;
    println!(
        "{}: {:.3} ± {:.3} % over {} folds; {} of {} pairs, {} pictures without an embedding; equal error rate {:.3} %",
        result.name,
        100.0 * report.accuracy,
        100.0 * report.accuracy_std,
        report.folds.len(),
        report.used,
        report.pairs,
        report.failure_to_enrol,
        100.0 * report.eer
    );
    for at in &report.tar {
        match at {
            AtRate::Measured(at) => {
                let drawn = at.fnmr_bootstrap.map_or(String::new(), |of| format!("; drawn {}", interval(of.lower, of.upper)));
                println!(
                    "  FNMR at FMR {}: {} (95 %: {}{drawn}), threshold {:.4}, TAR {}",
                    at.far,
                    percent(at.fnmr),
                    interval(at.fnmr_interval.lower, at.fnmr_interval.upper),
                    at.threshold,
                    percent(at.tar)
                );
            }
            AtRate::Refused { far, refused, .. } => println!("  FNMR at FMR {far} not stated: {refused}"),
        }
    }
    if let GroupTable::Measured(rows) = &report.groups {
        for row in rows {
            println!(
                "  {}: FNMR {} of {} genuine pairs, FMR {} of {} impostor pairs",
                row.group,
                page::rate(row.fnmr, row.fnmr_interval),
                row.genuine_pairs,
                page::rate(row.fmr, row.fmr_interval),
                row.impostor_pairs
            );
        }
    }
}
