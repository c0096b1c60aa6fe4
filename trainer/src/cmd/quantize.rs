//! `trainer quantize`: a checkpoint's network in int8, and what that costs.

use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use veriface::evaluation::Options;
use veriface::{Pack, Purpose, QualityPolicy, Trust, Verifier};

use crate::data::chips::{Chip, ChipSet};
use crate::data::test_set::TestSet;
use crate::error::{Error, Result};
use crate::eval::embed::PictureKind;
use crate::eval::model::Model;
use crate::eval::report::{self as eval_report, SetResult};
use crate::export::Exported;
use crate::export::onnx::{Batch, Weights};
use crate::quantize::range::Method;
use crate::quantize::report::{Calibration, Compared, LayerDrift, Report, file_name};
use crate::quantize::{Float, Settings, drift, page, quantise};
use crate::train::device;

/// Writes the network of a checkpoint as ONNX in int8 (QDQ form), its ranges chosen on calibration chips.
///
/// The figures that decide whether it may be used come with it: the embeddings' cosine to the float network's on chips that chose nothing,
/// and for each pair list the accuracy before and after. With --report they are a page and JSON.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A run's folder or .safetensors, or another's .onnx recogniser
    checkpoint: PathBuf,
    #[command(flatten)]
    input: super::InputOptions,
    /// The file to write, NAME.int8.onnx
    #[arg(long, short)]
    output: PathBuf,
    /// Chips like those that the network will see: NAME.rec, or a folder of chips
    #[arg(long, value_name = "SET")]
    calibration: PathBuf,
    /// How many of them choose the ranges
    #[arg(long, default_value_t = 256)]
    chips: usize,
    /// How many others tell what it costs
    #[arg(long, default_value_t = 1000)]
    drift_chips: usize,
    /// How ranges are chosen
    #[arg(long, value_enum, default_value_t = Method::Mse)]
    method: Method,
    /// Share of values, in percent, that the method `percentile` keeps at each end
    #[arg(long, default_value_t = 99.99)]
    percentile: f64,
    /// Leave the channels' sizes as they are
    #[arg(long)]
    no_equalisation: bool,
    /// Chips for bias correction; 0: leave the biases as they are
    #[arg(long, default_value_t = 64)]
    correction_chips: usize,
    /// Keep so many layers in float, those that cost most. By default as few as --least-mean and --least-worst need
    #[arg(long, value_name = "NUMBER")]
    float_layers: Option<usize>,
    /// The least mean cosine of embeddings to the float network's
    #[arg(long, default_value_t = 0.99)]
    least_mean: f64,
    /// The least cosine of any chip's
    #[arg(long, default_value_t = 0.95)]
    least_worst: f64,
    /// Pair lists to evaluate before and after, as in `trainer eval`
    #[arg(long = "pairs", value_name = "LIST")]
    pairs: Vec<PathBuf>,
    /// Where the lists' paths start from; by default each list's folder
    #[arg(long, value_name = "FOLDER")]
    pictures: Option<PathBuf>,
    /// The pictures are photos: this pack finds the faces and aligns them
    #[arg(long, value_name = "PACK")]
    photos: Option<PathBuf>,
    /// Add the mirrored chip's output to each embedding of the pair lists
    #[arg(long)]
    mirror: bool,
    /// Where quantisation.html and quantisation.json go
    #[arg(long, value_name = "FOLDER")]
    report: Option<PathBuf>,
    /// Chips that the file takes at once: a number, or `symbolic` for any
    #[arg(long, default_value = "symbolic")]
    batch: Batch,
    /// Draws the chips
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<()> {
    tch::set_num_threads(arguments.threads.clamp(1, 1024) as i32);
    super::pool(arguments.threads)?.install(|| quantize(arguments))
}

fn quantize(arguments: &Arguments) -> Result<()> {
    let device = device::available();
    let float = Exported::open(&arguments.checkpoint, arguments.input.input())?;
    let float_bytes = float.file(arguments.batch, Weights::Single)?.bytes.len();
    let set = ChipSet::open(&arguments.calibration, false)?;
    let (chips, others) = drawn(&set, arguments)?;
    let settings = Settings {
        method: arguments.method,
        percentile: arguments.percentile,
        equalise: !arguments.no_equalisation,
        correction_chips: arguments.correction_chips,
        float: match arguments.float_layers {
            Some(number) => Float::Number(number),
            None => Float::Until { mean: arguments.least_mean, worst: arguments.least_worst },
        },
        ..Settings::default()
    };
    let Exported { graph, about } = float;
    let quantised = quantise(graph, &chips, &settings, device)?;
    let mut about = about;
    about.precision = "int8".into();
    let int8 = Exported { graph: quantised.graph, about };
    let file = int8.file(arguments.batch, Weights::Single)?;
    super::make_folder_of(&arguments.output)?;
    veriface::replace_file(&arguments.output, |to| to.write_all(&file.bytes))?;
    println!("{}: {} bytes", arguments.output.display(), file.bytes.len());

    let embedding = drift::embeddings(&int8.graph, &quantised.float, &others, device)?;
    let cosines = drift::layers(&int8.graph, &quantised.float, &chips[..chips.len().min(32)], device)?;
    let layers =
        quantised.layers.into_iter().map(|layer| LayerDrift { cosine: cosines.get(&layer.name).copied(), layer }).collect();
    let calibration = Calibration {
        set: file_name(&arguments.calibration),
        fingerprint: set.fingerprint().to_owned(),
        chips: chips.len(),
        seed: arguments.seed,
    };
    let models =
        [Model::of_graph(quantised.float, "float", arguments.mirror), Model::of_graph(int8.graph, "int8", arguments.mirror)];
    let report = Report {
        file: file_name(&arguments.output),
        network: int8.about.network,
        steps: int8.about.training.map(|training| training.step),
        settings,
        calibration,
        bytes: [float_bytes, file.bytes.len()],
        equalised: quantised.equalised,
        layers,
        embedding,
        sets: compared(arguments, &models)?,
        created_by: concat!("trainer ", env!("CARGO_PKG_VERSION")),
    };
    print!("{}", report.in_words());
    let Some(folder) = &arguments.report else { return Ok(()) };
    std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
    let json = serde_json::to_string_pretty(&report).map_err(|e| Error::data("quantisation.json", e.to_string()))?;
    eval_report::write(&folder.join("quantisation.json"), &(json + "\n"))?;
    eval_report::write(&folder.join("quantisation.html"), &page::html(&report)?)?;
    println!("{}", folder.join("quantisation.html").display());
    Ok(())
}

/// Chips that choose, and others that judge.
fn drawn(set: &ChipSet, arguments: &Arguments) -> Result<(Vec<Chip>, Vec<Chip>)> {
    let mut order: Vec<usize> = (0..set.len()).collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(arguments.seed));
    let choose = arguments.chips.clamp(1, order.len());
    let (choosing, rest) = order.split_at(choose);
    let read = |numbers: &[usize]| numbers.iter().map(|number| set.chip(*number)).collect::<Result<Vec<Chip>>>();
    // A set too small for both judges by the chips that chose.
    let judging = if rest.is_empty() { choosing } else { &rest[..rest.len().min(arguments.drift_chips)] };
    Ok((read(choosing)?, read(judging)?))
}

fn compared(arguments: &Arguments, models: &[Model; 2]) -> Result<Vec<Compared>> {
    let aligner = arguments.photos.as_deref().map(aligner).transpose()?;
    let kind = aligner.as_ref().map_or(PictureKind::Chips, PictureKind::Photos);
    let compare = |list: &PathBuf| {
        let set = TestSet::open(list, arguments.pictures.as_deref())?;
        let bar = super::progress("pictures");
        bar.set_length(set.list().pictures().len() as u64);
        let at = |done: usize| bar.set_position(done as u64);
        let [float, int8] = models;
        let mut results = SetResult::measure_each(&[float, int8], &set, kind, &Options::default(), 0, at)?.into_iter();
        bar.finish_and_clear();
        match (results.next(), results.next()) {
            (Some(before), Some(after)) => Ok(Compared { before, after }),
            _ => Err(Error::data(list.display().to_string(), "it gave no result")),
        }
    };
    arguments.pairs.iter().map(compare).collect()
}

/// A verifier that finds every face, fit or not.
fn aligner(pack: &Path) -> Result<Verifier> {
    Ok(Verifier::builder(Pack::open(pack, Trust::Unsigned)?)
        .quality_policy(Purpose::Verify, QualityPolicy::accept_all())
        .build()?)
}
