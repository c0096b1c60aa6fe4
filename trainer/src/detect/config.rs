//! The configuration of a detector's run: one flat table in TOML, every key typed, an unknown one refused.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::light::Light;
use super::loss::Weights;
use super::scene::Variation;
use crate::error::{Error, Result};
use crate::train::config::changed;
use crate::train::optimiser::{Algorithm, OptimiserSettings};
use crate::train::schedule::{Decay, Schedule};

/// Every setting of a run. Those marked *fixed* cannot change when a run is resumed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectorConfig {
    /// The labelled pictures: FOLDER.jsonl, with the pictures in FOLDER. *Fixed* by its content, not by its path.
    pub data: PathBuf,
    /// Pictures that show one face closely, in the same form, for mosaics and to be laid over others; empty: none. *Fixed* likewise.
    pub crops: PathBuf,
    /// Drives weights and canvases. *Fixed.*
    pub seed: u64,
    /// Another run's folder or checkpoint whose network this one begins with; empty: fresh weights. *Fixed.*
    pub weights_from: PathBuf,
    /// Batch normalisation keeps the statistics that it has, in training too: for weights that stand already.
    pub statistics_fixed: bool,

    /// An ONNX network of the same form, taking BGR from 0 to 255, that every unit learns from instead of from the labels; empty: none.
    pub hints: PathBuf,
    /// Its values before ReLU, as [`super::hints::Hints::open`] asks for them.
    pub hint_values: Vec<String>,

    /// What the cross-entropy of "there is a face" counts.
    pub object_weight: f64,
    /// What the cross-entropy of "the box fits" counts.
    pub class_weight: f64,
    /// What the EIoU loss counts.
    pub box_weight: f64,
    /// What the smooth L1 distance of the points counts, in sides of the face.
    pub points_weight: f64,

    /// sgd or adamw. *Fixed.*
    pub optimiser: Algorithm,
    /// Of SGD; β₁ of AdamW.
    pub momentum: f64,
    /// β₂ of AdamW.
    pub beta2: f64,
    /// Of convolutions; biases and batch normalisation are exempt.
    pub weight_decay: f64,
    /// Largest norm of the whole gradient; 0 leaves it as it is.
    pub clip_norm: f64,
    /// Canvases a step.
    pub batch: usize,
    /// Learning rate after warm-up.
    pub lr: f64,
    /// Steps over which the rate grows from 0.
    pub lr_warmup: u64,
    /// constant or cosine.
    pub lr_decay: Decay,
    /// With cosine: the step at which the decay begins.
    pub lr_decay_from: u64,
    /// With cosine: the rate at `steps`, as a share of `lr`.
    pub lr_end: f64,
    /// The run ends after this many steps.
    pub steps: u64,
    /// Share of the averaged weights that stays at each step; 0: no averaging.
    pub ema: f64,
    /// Stop after this many steps in a row whose loss or gradient is not finite.
    pub stop_after_skipped: u64,

    /// Side of a canvas, a multiple of 32.
    pub side: usize,
    /// The height at which a face is aimed at, from this …
    pub least_height: f64,
    /// … to this many pixels, evenly over its logarithm.
    pub most_height: f64,
    /// Lower faces are ignored.
    pub ignore_below: f64,
    /// Probability of four pictures beside one another.
    pub mosaic: f64,
    /// Probability of single faces laid over a picture.
    pub paste: f64,
    /// Probability that a picture is turned.
    pub lean: f64,
    /// By how much at most, in degrees.
    pub most_lean: f64,
    /// Probability of the mirror image.
    pub mirror: f64,
    /// Probability of a blur.
    pub blur: f64,
    /// Probability of another brightness, contrast, gamma and colour balance.
    pub exposure: f64,
    /// Probability of a canvas without colours.
    pub grey: f64,
    /// Probability of noise.
    pub noise: f64,

    /// Threads for the arithmetic.
    pub threads: i32,
    /// Steps between two lines of the log.
    pub log_every: u64,
    /// Seconds between two checkpoints.
    pub checkpoint_seconds: u64,
    /// Labelled pictures to evaluate on, never trained on; empty: none.
    pub evaluate: PathBuf,
    /// Steps between two evaluations; 0: only the last.
    pub evaluate_every: u64,
    /// The score from which a cell is a face, in evaluations.
    pub score_threshold: f32,
}

impl Default for DetectorConfig {
    fn default() -> Self {
        DetectorConfig {
            data: PathBuf::new(),
            crops: PathBuf::new(),
            seed: 1,
            weights_from: PathBuf::new(),
            statistics_fixed: false,
            hints: PathBuf::new(),
            hint_values: Vec::new(),
            object_weight: 1.0,
            class_weight: 1.0,
            box_weight: 3.0,
            points_weight: 20.0,
            optimiser: Algorithm::AdamW,
            momentum: 0.9,
            beta2: 0.999,
            weight_decay: 1e-2,
            clip_norm: 10.0,
            batch: 16,
            lr: 2e-3,
            lr_warmup: 300,
            lr_decay: Decay::Cosine,
            lr_decay_from: 300,
            lr_end: 0.01,
            steps: 12_000,
            ema: 0.998,
            stop_after_skipped: 20,
            side: 256,
            least_height: 12.0,
            most_height: 250.0,
            ignore_below: 10.0,
            mosaic: 0.3,
            paste: 0.3,
            lean: 0.5,
            most_lean: 45.0,
            mirror: 0.5,
            blur: 0.2,
            exposure: 0.5,
            grey: 0.15,
            noise: 0.15,
            threads: 1,
            log_every: 50,
            checkpoint_seconds: 300,
            evaluate: PathBuf::new(),
            evaluate_every: 1000,
            score_threshold: 0.5,
        }
    }
}

/// Keys that must stay as they are when a run is resumed.
const FIXED: [&str; 3] = ["seed", "optimiser", "weights_from"];

impl DetectorConfig {
    /// Reads a TOML file; relative paths in it are relative to the working folder. `changes` are `key=value` and win over it.
    pub fn open(path: &Path, changes: &[String]) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
        let table = text.parse::<toml::Table>().map_err(|e| Error::Config(format!("{}: {e}", path.display())))?;
        Self::from_table(changed(table, changes)?)
    }

    /// This configuration with `key=value` changes, of which none may touch a fixed key: for a run that goes on.
    pub fn resumed(&self, changes: &[String]) -> Result<Self> {
        let before = toml::Table::try_from(self).map_err(|e| Error::Config(e.to_string()))?;
        let after = changed(before.clone(), changes)?;
        for key in FIXED {
            if before.get(key) != after.get(key) {
                return Err(Error::Config(format!("`{key}` cannot change in a run that goes on; start a new run for it")));
            }
        }
        Self::from_table(after)
    }

    fn from_table(table: toml::Table) -> Result<Self> {
        let config: DetectorConfig = table.try_into().map_err(|e: toml::de::Error| Error::Config(e.message().to_owned()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        let refuse = |reason: &str| Err(Error::Config(reason.to_owned()));
        let probabilities = [self.mosaic, self.paste, self.lean, self.mirror, self.blur, self.exposure, self.grey, self.noise];
        let weights = [self.object_weight, self.class_weight, self.box_weight, self.points_weight];
        match self {
            c if c.data.as_os_str().is_empty() => refuse("`data` is missing: the path of a FOLDER.jsonl"),
            c if c.hints.as_os_str().is_empty() != c.hint_values.is_empty() => {
                refuse("`hints` and `hint_values` need one another")
            }
            c if !(64..=1024).contains(&c.side) || c.side % 32 != 0 => refuse("`side` must be a multiple of 32 in 64…1024"),
            c if !(1..=1024).contains(&c.batch) => refuse("`batch` must lie in 1…1024"),
            c if !(c.least_height >= 1.0 && c.most_height > c.least_height && c.most_height <= 4.0 * c.side as f64) => {
                refuse("heights must be 1 ≤ `least_height` < `most_height` ≤ 4 · `side`")
            }
            c if !(c.ignore_below >= 0.0 && c.ignore_below.is_finite()) => refuse("`ignore_below` must be 0 or more"),
            c if !(0.0..=180.0).contains(&c.most_lean) => refuse("`most_lean` must lie in 0…180"),
            _ if probabilities.iter().any(|p| !(0.0..=1.0).contains(p)) => refuse("a probability must lie in 0…1"),
            c if (c.paste > 0.0 || c.mosaic > 0.0) && c.crops.as_os_str().is_empty() => {
                refuse("`paste` and `mosaic` need `crops`; set both to 0 without them")
            }
            _ if !weights.iter().all(|w| (0.0..=f64::MAX).contains(w)) => refuse("a weight must be 0 or more"),
            c if c.steps == 0 => refuse("`steps` must be 1 or more"),
            c if c.threads < 1 => refuse("`threads` must be 1 or more"),
            c if c.log_every == 0 => refuse("`log_every` must be 1 or more"),
            c if !(0.0..1.0).contains(&c.ema) => refuse("`ema` must lie in 0 ≤ ema < 1"),
            c if !(c.lr > 0.0 && c.lr.is_finite()) => refuse("`lr` must be above 0"),
            c if !matches!(c.lr_decay, Decay::Constant | Decay::Cosine) => refuse("`lr_decay` must be constant or cosine"),
            c if c.lr_decay_from >= c.steps => refuse("`lr_decay_from` must lie before `steps`"),
            c if !(c.score_threshold > 0.0 && c.score_threshold < 1.0) => refuse("`score_threshold` must lie between 0 and 1"),
            _ => Ok(()),
        }
    }

    /// How canvases vary.
    pub fn variation(&self) -> Variation {
        Variation {
            side: self.side,
            least_height: self.least_height,
            most_height: self.most_height,
            ignore_below: self.ignore_below,
            mosaic: self.mosaic,
            paste: self.paste,
            lean: self.lean,
            most_lean: self.most_lean,
            mirror: self.mirror,
            light: Light { blur: self.blur, exposure: self.exposure, grey: self.grey, noise: self.noise },
        }
    }

    /// What the parts of the loss count.
    pub fn weights(&self) -> Weights {
        Weights { object: self.object_weight, class: self.class_weight, rect: self.box_weight, points: self.points_weight }
    }

    /// The optimiser's constants.
    pub fn optimiser(&self) -> OptimiserSettings {
        OptimiserSettings {
            algorithm: self.optimiser,
            momentum: self.momentum,
            beta2: self.beta2,
            weight_decay: self.weight_decay,
            clip_norm: self.clip_norm,
        }
    }

    /// The learning rate over the steps.
    pub fn schedule(&self) -> Schedule {
        Schedule {
            lr: self.lr,
            warmup: self.lr_warmup,
            decay: self.lr_decay,
            at: Vec::new(),
            factor: 1.0,
            from: self.lr_decay_from,
            to: self.steps,
            end: self.lr_end,
            power: 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<DetectorConfig> {
        DetectorConfig::from_table(text.parse().expect("TOML"))
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = parse("data = 'a.jsonl'\nmozaic = 1").expect_err("refused").to_string();
        assert!(error.contains("mozaic"), "{error}");
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let rest = "data = 'a.jsonl'\ncrops = 'b.jsonl'\n";
        assert!(parse(rest).is_ok());
        let bad = [
            "side = 250",
            "side = 0",
            "batch = 0",
            "least_height = 300.0",
            "most_height = inf",
            "mosaic = 1.5",
            "lean = nan",
            "most_lean = 200.0",
            "points_weight = -1.0",
            "steps = 0",
            "threads = 0",
            "log_every = 0",
            "ema = 1.0",
            "lr = 0.0",
            "lr_decay = 'step'",
            "lr_decay_from = 20000",
            "score_threshold = 1.0",
            "ignore_below = nan",
            "hints = 'teacher.onnx'",
        ];
        for line in bad {
            assert!(parse(&format!("{rest}{line}")).is_err(), "{line}");
        }
        assert!(parse("crops = 'b.jsonl'").is_err() && parse("data = 'a.jsonl'").is_err());
        assert!(parse("data = 'a.jsonl'\nmosaic = 0.0\npaste = 0.0").is_ok());
    }

    #[test]
    fn a_run_that_goes_on_keeps_what_fixes_it() {
        let config = parse("data = 'a.jsonl'\ncrops = 'b.jsonl'").expect("valid");
        assert_eq!(config.resumed(&["steps=20000".into()]).expect("allowed").steps, 20_000);
        for change in ["seed=2", "optimiser=sgd", "weights_from=\"other\""] {
            assert!(config.resumed(&[change.to_owned()]).is_err(), "{change}");
        }
    }

    #[test]
    fn the_presets_are_valid() {
        for preset in ["detector.toml", "detector-hints.toml"] {
            let preset = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets").join(preset);
            DetectorConfig::open(&preset, &[]).expect("valid");
        }
    }
}
