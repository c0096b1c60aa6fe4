//! `trainer pack`: two networks, their thresholds and their papers in one file.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use veriface::{Chip, FalseMatchRate, PackSigningKey};

use crate::data::chips::{ChipSet, decode};
use crate::error::{Error, Result};
use crate::pack::calibration::{calibration, halves};
use crate::pack::{Detector, Recipe, Thresholds};

/// Makes a pack of a detector and a recogniser by `trainer export` or `trainer quantize`.
///
/// Thresholds are chosen on one half of the calibration set's people and counted on the other, all chips of a half with all; a rate that the
/// counts do not carry, or that the second half does not uphold, is left out.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The detector, ONNX
    #[arg(long, value_name = "FILE.onnx", required_unless_present = "detector_pack")]
    detector: Option<PathBuf>,
    /// How it is fed and read: JSON, as `detector` of docs/pack-format.md; by default what the file itself says
    #[arg(long, value_name = "FILE.json", requires = "detector")]
    detector_manifest: Option<PathBuf>,
    /// Take the detector of this pack
    #[arg(long, value_name = "PACK", conflicts_with = "detector")]
    detector_pack: Option<PathBuf>,
    /// The recogniser, by `trainer export` or `trainer quantize`
    #[arg(long, value_name = "FILE.onnx")]
    recogniser: PathBuf,
    /// The pack to write
    #[arg(long, short, value_name = "FILE.vfpack")]
    output: PathBuf,
    /// The pack's name and version; by default the output's name
    #[arg(long)]
    id: Option<String>,
    /// Chips of people who were not trained on: NAME.rec, or a folder of chips. Without it the pack has no thresholds
    #[arg(long, value_name = "SET")]
    calibration: Option<PathBuf>,
    /// Compare only the identities in this file, a number a line
    #[arg(long, value_name = "FILE", requires = "calibration")]
    identities: Option<PathBuf>,
    /// Compare no more chips than this, people drawn by chance
    #[arg(long, default_value_t = 6000)]
    calibration_chips: usize,
    /// The false-match rates to publish thresholds for
    #[arg(long, value_delimiter = ',', default_value = "1e-2,1e-3,1e-4,1e-5")]
    rates: Vec<FalseMatchRate>,
    /// Calibrate on the training set itself, which the pack then says: its people are better told apart than others
    #[arg(long)]
    seen_in_training: bool,
    /// An embedding is the sum of the chip's and its mirror image's outputs
    #[arg(long)]
    mirror: bool,
    /// The chip of the self-test, a picture of 112×112; by default a drawn face
    #[arg(long, value_name = "PICTURE")]
    self_test: Option<PathBuf>,
    /// Who trained the recogniser
    #[arg(long, default_value = "")]
    trained_by: String,
    /// A data set that it was trained on
    #[arg(long = "data", value_name = "TEXT")]
    data: Vec<String>,
    /// A teacher, beside the one that the recogniser's file names
    #[arg(long = "teacher", value_name = "TEXT")]
    teachers: Vec<String>,
    /// Terms of weights or data, one line
    #[arg(long = "licence", value_name = "TEXT")]
    licences: Vec<String>,
    /// A licence's text, which the pack carries
    #[arg(long = "licence-text", value_name = "FILE")]
    licence_texts: Vec<PathBuf>,
    /// Sign the pack with the secret key in this file, made by `veriface pack key`
    #[arg(long, value_name = "FILE")]
    sign: Option<PathBuf>,
    /// Draws the people of each half
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<()> {
    tch::set_num_threads(arguments.threads.clamp(1, 1024) as i32);
    super::pool(arguments.threads)?.install(|| pack(arguments))
}

fn pack(arguments: &Arguments) -> Result<()> {
    let detector = match (&arguments.detector, &arguments.detector_pack) {
        (Some(onnx), _) => Detector::open(onnx, arguments.detector_manifest.as_deref())?,
        (None, Some(pack)) => Detector::of_pack(pack)?,
        (None, None) => return Err(Error::Config("name a --detector or a --detector-pack".into())),
    };
    let id = arguments.id.clone().or_else(|| Some(arguments.output.file_stem()?.to_string_lossy().into_owned()));
    let mut recipe = Recipe::new(&id.unwrap_or_default(), detector, &arguments.recogniser)?;
    recipe.mirror = arguments.mirror;
    recipe.trained_by = arguments.trained_by.clone();
    recipe.data = arguments.data.clone();
    recipe.teachers = arguments.teachers.clone();
    recipe.licences = arguments.licences.clone();
    for path in &arguments.licence_texts {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        recipe.texts.push((name, std::fs::read_to_string(path).map_err(Error::file(path))?));
    }
    // Read before thresholds are measured, which takes minutes.
    let signing_key = arguments.sign.as_deref().map(PackSigningKey::open).transpose()?;
    let self_test = match &arguments.self_test {
        None => Chip::drawn_face(),
        Some(path) => {
            let bytes = std::fs::read(path).map_err(Error::file(path))?;
            Chip::from_aligned(decode(&bytes).map_err(|reason| Error::data(path.display().to_string(), reason))?)?
        }
    };
    let thresholds = arguments.calibration.as_deref().map(|set| thresholds(arguments, &recipe, set)).transpose()?;
    let mut pack = recipe.pack(thresholds.as_ref(), &self_test)?;
    if let Some(key) = &signing_key {
        pack = pack.signed(key);
    }
    super::make_folder_of(&arguments.output)?;
    pack.save(&arguments.output)?;
    let bytes: usize = pack.parts().iter().map(|part| part.size()).sum();
    println!(
        "{}: {}, model {}, {bytes} bytes in {} parts",
        arguments.output.display(),
        recipe.id,
        pack.model_id(),
        pack.parts().len()
    );
    if let Some(key) = pack.signed_by() {
        println!("  signed by {key}");
    }
    for point in pack.manifest().calibration.iter().flat_map(|calibration| calibration.points()) {
        println!(
            "  {}: threshold {}, measured {:.1e} … {:.1e} on {} impostor pairs; false non-match rate {:.2} %",
            point.fmr,
            point.threshold,
            point.lower,
            point.upper,
            point.impostor_pairs,
            100.0 * point.fnmr
        );
    }
    for (rate, reason) in thresholds.iter().flat_map(|thresholds| &thresholds.refused) {
        println!("  {rate}: not published, {reason}");
    }
    Ok(())
}

fn thresholds(arguments: &Arguments, recipe: &Recipe, path: &Path) -> Result<Thresholds> {
    let set = ChipSet::open(path, false)?;
    let seen = recipe.about.training.as_ref().is_some_and(|training| training.data == set.fingerprint());
    if seen && !arguments.seen_in_training {
        let reason = "the recogniser was trained on this very set: thresholds for people whom it knows are too low for others. \
                      Hold people out of training (`trainer data split`), or say --seen-in-training";
        return Err(Error::data(path.display().to_string(), reason));
    }
    let identities = arguments.identities.as_deref().map(identities).transpose()?;
    let verifier = recipe.uncalibrated()?;
    let bar = super::progress("chips");
    bar.set_length(set.len().min(arguments.calibration_chips) as u64);
    let halves =
        halves(&verifier, &set, identities.as_ref(), arguments.calibration_chips, arguments.seed, |done| bar.inc(done as u64))?;
    bar.finish_and_clear();
    let [chips, people] =
        [halves.choosing.chips + halves.held_out.chips, halves.choosing.identities + halves.held_out.identities];
    let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let known = if seen || arguments.seen_in_training { "seen in training" } else { "not in the training set" };
    let name = format!("{file}, {chips} chips of {people} people, {known}");
    let (calibration, refused) = calibration(&name, &halves, &arguments.rates)?;
    Ok(Thresholds { calibration, refused })
}

fn identities(path: &Path) -> Result<BTreeSet<u32>> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
    let number = |line: &str| {
        line.trim().parse().map_err(|_| Error::data(path.display().to_string(), format!("{line:?} is no identity's number")))
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(number).collect()
}
