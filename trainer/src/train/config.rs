//! The configuration of a run: one flat table in TOML, every key typed, an unknown one refused.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tch::{Device, Kind, nn};

use super::group::Group;
use super::optimiser::{Algorithm, OptimiserSettings};
use super::schedule::{Decay, Schedule};
use super::teacher::Normalisation;
use crate::data::augment::Augmentation;
use crate::error::{Error, Result};
use crate::loss::distillation::Distillation;
use crate::loss::strength::Strength;
use crate::loss::{self, Beyond, LossSettings, Marginal, Range};
use crate::net::{Activation, Layout, NetSettings};

/// In what numbers the network computes; weights, statistics and losses are `f32` always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits.
    Fp32,
    /// bfloat16 between the layers.
    Bf16,
}

impl Precision {
    /// libtorch's name of it.
    pub fn kind(self) -> Kind {
        match self {
            Precision::Fp32 => Kind::Float,
            Precision::Bf16 => Kind::BFloat16,
        }
    }
}

/// Every setting of a run. Those marked *fixed* cannot change when a run is resumed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The training set: NAME.rec with NAME.idx beside it, or a folder ROOT/IDENTITY/PICTURE of chips. *Fixed* by its content, not by
    /// its path.
    pub data: PathBuf,
    /// Keep decoded chips in memory: 37,632 bytes each.
    pub keep_decoded: bool,
    /// Drives weights, order and variation. *Fixed.*
    pub seed: u64,

    /// A name of `trainer list`. *Fixed.*
    pub network: String,
    /// relu or prelu. *Fixed.*
    pub activation: Activation,
    /// What MobileNet's channels are multiplied by; 1 for every other network. *Fixed.*
    pub width: f64,
    /// Length of the embedding. *Fixed.*
    pub embedding: i64,
    /// A checkpoint, slim or whole, of a network with the same four keys, whose weights a new run begins with: its average where it
    /// keeps one. Empty: fresh weights. *Fixed.*
    pub weights_from: PathBuf,

    /// The loss on identities, a name of `trainer list`. *Fixed.*
    pub loss: String,
    /// What that loss is multiplied by; 0 leaves it out.
    pub loss_weight: f64,
    /// s.
    pub loss_scale: f64,
    /// m: radians for arcface, a difference of cosines for cosface, a multiple of the angle for sphereface; absent: 0.5, 0.35 and 4,
    /// the paper's.
    pub margin: Option<f64>,
    /// m₁, m₂ and m₃ of combined: a multiple of the angle, radians, a difference of cosines.
    pub margins: [f64; 3],
    /// Steps over which the margin grows from 0; sphereface has λ instead.
    pub margin_warmup: u64,
    /// sphereface's λ at step 0: cos θ counts λ times as much as ψ(θ).
    pub lambda_start: f64,
    /// The least λ.
    pub lambda_end: f64,
    /// λ is `lambda_start` / (1 + `lambda_decay`·step).
    pub lambda_decay: f64,
    /// ArcFace past π − m: plain or stable.
    pub arcface_beyond: Beyond,
    /// Parts that the class matrix is used in; one has the least overhead.
    pub class_shards: i64,
    /// Share of the classes that a step uses: those in the batch and random others.
    pub class_share: f64,

    /// A loss to add, a name of `trainer list` too; empty: none. *Fixed.*
    pub auxiliary: String,
    /// λ, what that loss is multiplied by; absent: 0.003 for centre, 1 for the others.
    pub auxiliary_weight: Option<f64>,
    /// α of centre: how far a centre moves towards its samples at a step.
    pub centre_rate: f64,
    /// k of range: how many of a class's largest distances count.
    pub range_largest: i64,
    /// m of range: the squared distance that class means should keep.
    pub range_margin: f64,
    /// α of range, within classes.
    pub range_within: f64,
    /// β of range, between classes.
    pub range_between: f64,
    /// θ of marginal, a squared distance of unit vectors.
    pub marginal_threshold: f64,
    /// ξ of marginal: how far from θ a pair should lie.
    pub marginal_margin: f64,
    /// m of contrastive, a distance of unit vectors.
    pub contrastive_margin: f64,
    /// α of triplet, a difference of squared distances of unit vectors.
    pub triplet_margin: f64,

    /// An ONNX recogniser to learn from; empty: none.
    pub teacher: PathBuf,
    /// What the teacher wants subtracted from each byte.
    pub teacher_mean: f32,
    /// What the difference is divided by.
    pub teacher_scale: f32,
    /// Add the mirrored chip's embedding to the teacher's.
    pub teacher_mirrored: bool,
    /// Where the teacher's embeddings are kept; empty: the run's folder.
    pub teacher_cache: PathBuf,
    /// Ask the teacher at each step about the chips as they are varied, on the training's device, and keep nothing: worth it where
    /// the teacher costs little beside the step, as on a GPU.
    pub teacher_live: bool,
    /// Weight of 1 − cos(student, teacher).
    pub distil_direction: f64,
    /// Weight of the squared difference of cosines within the batch.
    pub distil_relation: f64,
    /// An ONNX network of the same shape, whose maps the trunk learns to make; empty: none. It takes the same input.
    pub hints: PathBuf,
    /// The value of that network behind each layer of the trunk, "" where there is none.
    pub hint_values: Vec<String>,
    /// Weight of the maps' squared errors, each a share of the variance.
    pub hint_weight: f64,
    /// Give each stretch of the trunk that network's map as its input: the layers learn side by side.
    pub hints_forced: bool,
    /// Begin with the teacher's mean embedding of each identity as class matrix.
    pub classes_from_teacher: bool,
    /// Keep the class matrix as it began: with few chips an identity, the teacher's means are better centres than can be learnt,
    /// and the step is cheaper. *Fixed.*
    pub classes_fixed: bool,

    /// sgd or adamw. *Fixed.*
    pub optimiser: Algorithm,
    /// Of SGD; β₁ of AdamW.
    pub momentum: f64,
    /// β₂ of AdamW.
    pub beta2: f64,
    /// Of weights of two dimensions and more; biases, slopes and batch normalisation are exempt.
    pub weight_decay: f64,
    /// Largest norm of the whole gradient; 0 leaves it as it is.
    pub clip_norm: f64,
    /// Chips a step.
    pub batch: usize,
    /// Parts of a batch that are normalised each by its own statistics, as on so many devices; a process computes one or several.
    pub batch_parts: usize,
    /// P: identities of a batch, as losses on pairs and triplets need them; the batch is P·K chips then, and an epoch shows each
    /// identity once. 0: each chip once an epoch, whoever it shows. *Fixed.*
    pub identities_a_batch: usize,
    /// K: chips of each of them. *Fixed.*
    pub chips_an_identity: usize,
    /// Learning rate after warm-up.
    pub lr: f64,
    /// Steps over which the rate grows from 0.
    pub lr_warmup: u64,
    /// constant, step, cosine or polynomial.
    pub lr_decay: Decay,
    /// With step: where the rate is multiplied by `lr_factor`.
    pub lr_steps: Vec<u64>,
    /// With step.
    pub lr_factor: f64,
    /// With cosine and polynomial: the step at which the decay begins.
    pub lr_decay_from: u64,
    /// With cosine and polynomial: the rate at `steps`, as a share of `lr`.
    pub lr_end: f64,
    /// With polynomial.
    pub lr_power: f64,
    /// The run ends after this many steps.
    pub steps: u64,
    /// Share of the averaged weights that stays at each step; 0: no averaging, evaluate the weights themselves.
    pub ema: f64,
    /// fp32 or bf16.
    pub precision: Precision,
    /// How maps lie in memory: channels_last is faster on a CPU; on a GPU it depends on the network.
    pub layout: Layout,
    /// Stop after this many steps in a row whose loss or gradient is not finite.
    pub stop_after_skipped: u64,

    /// Probability of the mirror image.
    pub mirror: f64,
    /// Probability of a small turn, scaling and shift.
    pub jitter: f64,
    /// Probability of a change of brightness, contrast and colour.
    pub colour: f64,
    /// Probability of a low-resolution picture.
    pub low_resolution: f64,
    /// Probability of a blur, out of focus or moved.
    pub blur: f64,
    /// Probability of compression as a JPEG of low quality.
    pub jpeg: f64,
    /// Probability of something before the face: a rectangle, or a mask over mouth and nose.
    pub occlusion: f64,

    /// Threads for the arithmetic.
    pub threads: i32,
    /// Threads that decode.
    pub workers: usize,
    /// Steps between two lines of the log.
    pub log_every: u64,
    /// Seconds between two checkpoints.
    pub checkpoint_seconds: u64,
    /// Steps between two checkpoints that are kept for good; 0: only the last is kept.
    pub keep_every: u64,
    /// Pair lists (`path TAB path TAB 1|0`, chips) to evaluate on; never trained or tuned on.
    pub evaluate: Vec<PathBuf>,
    /// Steps between two evaluations; 0: none.
    pub evaluate_every: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            data: PathBuf::new(),
            keep_decoded: true,
            seed: 1,
            network: "mobilefacenet".into(),
            activation: Activation::Prelu,
            width: 1.0,
            embedding: 512,
            weights_from: PathBuf::new(),
            loss: "arcface".into(),
            loss_weight: 1.0,
            loss_scale: 64.0,
            margin: None,
            margins: [1.0, 0.3, 0.2],
            margin_warmup: 0,
            lambda_start: 1000.0,
            lambda_end: 5.0,
            lambda_decay: 0.12,
            arcface_beyond: Beyond::Plain,
            class_shards: 1,
            class_share: 1.0,
            auxiliary: String::new(),
            auxiliary_weight: None,
            centre_rate: 0.5,
            range_largest: 2,
            range_margin: 2e4,
            range_within: 5e-5,
            range_between: 1e-4,
            marginal_threshold: 1.2,
            marginal_margin: 0.3,
            contrastive_margin: 1.0,
            triplet_margin: 0.3,
            teacher: PathBuf::new(),
            teacher_mean: 127.5,
            teacher_scale: 127.5,
            teacher_mirrored: true,
            teacher_cache: PathBuf::new(),
            teacher_live: false,
            distil_direction: 4.0,
            distil_relation: 20.0,
            hints: PathBuf::new(),
            hint_values: Vec::new(),
            hint_weight: 1.0,
            hints_forced: true,
            classes_from_teacher: false,
            classes_fixed: false,
            optimiser: Algorithm::Sgd,
            momentum: 0.9,
            beta2: 0.999,
            weight_decay: 5e-4,
            clip_norm: 0.0,
            batch: 128,
            batch_parts: 1,
            identities_a_batch: 0,
            chips_an_identity: 0,
            lr: 0.1,
            lr_warmup: 1000,
            lr_decay: Decay::Constant,
            lr_steps: Vec::new(),
            lr_factor: 0.1,
            lr_decay_from: 0,
            lr_end: 0.0,
            lr_power: 2.0,
            steps: 200_000,
            ema: 0.999,
            precision: Precision::Fp32,
            layout: Layout::ChannelsLast,
            stop_after_skipped: 20,
            mirror: 0.5,
            jitter: 0.0,
            colour: 0.0,
            low_resolution: 0.0,
            blur: 0.0,
            jpeg: 0.0,
            occlusion: 0.0,
            threads: 2,
            workers: 1,
            log_every: 50,
            checkpoint_seconds: 300,
            keep_every: 0,
            evaluate: Vec::new(),
            evaluate_every: 0,
        }
    }
}

/// Keys that must stay as they are when a run is resumed.
const FIXED: [&str; 12] = [
    "seed",
    "network",
    "activation",
    "width",
    "embedding",
    "weights_from",
    "loss",
    "auxiliary",
    "optimiser",
    "classes_fixed",
    "identities_a_batch",
    "chips_an_identity",
];

impl Config {
    /// Reads a TOML file; relative paths in it are relative to the working folder. `changes` are `key=value` and win over it.
    pub fn open(path: impl AsRef<Path>, changes: &[String]) -> Result<Self> {
        let path = path.as_ref();
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

    /// The defaults with `key=value` changes.
    pub fn changed(changes: &[String]) -> Result<Self> {
        Self::from_table(changed(toml::Table::new(), changes)?)
    }

    fn from_table(table: toml::Table) -> Result<Self> {
        let config: Config = table.try_into().map_err(|e: toml::de::Error| Error::Config(e.message().to_owned()))?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        let refuse = |reason: &str| Err(Error::Config(reason.to_owned()));
        let probabilities = [self.mirror, self.jitter, self.colour, self.low_resolution, self.blur, self.jpeg, self.occlusion];
        match self {
            c if c.data.as_os_str().is_empty() => refuse("`data` is missing: the path of a NAME.rec"),
            c if c.batch < 2 => refuse("`batch` must be 2 or more: batch normalisation needs several chips"),
            c if c.batch_parts == 0 || c.batch / c.batch_parts < 2 || !c.batch.is_multiple_of(c.batch_parts) => {
                refuse("`batch` must be `batch_parts` times 2 or more chips")
            }
            c if c.balanced() && (c.identities_a_batch < 2 || c.chips_an_identity < 2) => {
                refuse("`identities_a_batch` and `chips_an_identity` must both be 2 or more, or both 0")
            }
            c if c.balanced() && c.identities_a_batch.checked_mul(c.chips_an_identity) != Some(c.batch) => {
                refuse("`batch` must be `identities_a_batch` × `chips_an_identity`")
            }
            c if c.steps == 0 => refuse("`steps` must be 1 or more"),
            c if c.threads < 1 || c.workers < 1 => refuse("`threads` and `workers` must be 1 or more"),
            c if c.log_every == 0 => refuse("`log_every` must be 1 or more"),
            c if !(0.0..1.0).contains(&c.ema) => refuse("`ema` must lie in 0 ≤ ema < 1"),
            c if !(c.lr > 0.0 && c.lr.is_finite()) => refuse("`lr` must be above 0"),
            c if c.lr_decay_from >= c.steps => refuse("`lr_decay_from` must lie before `steps`"),
            c if !(0.0..=f64::MAX).contains(&c.loss_weight) => refuse("`loss_weight` must be 0 or more"),
            _ if probabilities.iter().any(|p| !(0.0..=1.0).contains(p)) => refuse("a probability must lie in 0…1"),
            c if c.loss_weight == 0.0 && c.teacher.as_os_str().is_empty() => {
                refuse("there is nothing to learn from: `loss_weight` is 0 and `teacher` is empty")
            }
            c if c.hints.as_os_str().is_empty() != c.hint_values.is_empty() => {
                refuse("`hints` and `hint_values` need each other")
            }
            c if c.classes_from_teacher && c.teacher.as_os_str().is_empty() => refuse("`classes_from_teacher` needs a `teacher`"),
            c if c.classes_fixed && !c.classes_from_teacher => refuse("`classes_fixed` needs `classes_from_teacher`"),
            // A small one of the same settings says what is wrong with them before the data are read.
            c => {
                loss::build(&nn::VarStore::new(Device::Cpu).root(), &c.loss(2))?;
                let pairs = [&c.loss, &c.auxiliary].iter().any(|loss| ["contrastive", "triplet"].contains(&loss.as_str()));
                if pairs && !c.balanced() {
                    let reason = "compare faces of an identity: set `identities_a_batch` and `chips_an_identity`";
                    return refuse(&format!("contrastive and triplet {reason}"));
                }
                Ok(())
            }
        }
    }

    /// Whether batches have P identities of K chips.
    pub fn balanced(&self) -> bool {
        (self.identities_a_batch, self.chips_an_identity) != (0, 0)
    }

    /// The network's part.
    pub fn net(&self) -> NetSettings {
        NetSettings { name: self.network.clone(), embedding: self.embedding, activation: self.activation, width: self.width }
    }

    /// The loss's part, for a set with this many identities.
    pub fn loss(&self, classes: usize) -> LossSettings {
        LossSettings {
            name: self.loss.clone(),
            auxiliary: self.auxiliary.clone(),
            auxiliary_weight: self.auxiliary_weight,
            embedding: self.embedding,
            classes: classes as i64,
            scale: self.loss_scale,
            margin: self.margin,
            margins: self.margins,
            margin_warmup: self.margin_warmup,
            lambda: Strength::Annealed { start: self.lambda_start, end: self.lambda_end, decay: self.lambda_decay },
            beyond: self.arcface_beyond,
            centre_rate: self.centre_rate,
            range: Range {
                largest: self.range_largest,
                margin: self.range_margin,
                within: self.range_within,
                between: self.range_between,
            },
            marginal: Marginal { threshold: self.marginal_threshold, margin: self.marginal_margin },
            contrastive_margin: self.contrastive_margin,
            triplet_margin: self.triplet_margin,
            shards: self.class_shards,
            sampled: self.class_share,
            seed: self.seed,
            group: Group::alone(),
        }
    }

    /// The distillation terms' weights, if there is a teacher.
    pub fn distillation(&self) -> Option<Distillation> {
        let weights = Distillation { direction: self.distil_direction, relation: self.distil_relation };
        (!self.teacher.as_os_str().is_empty()).then_some(weights)
    }

    /// How the teacher wants its input.
    pub fn teacher_normalisation(&self) -> Normalisation {
        Normalisation { mean: self.teacher_mean, scale: self.teacher_scale }
    }

    /// The optimiser's part.
    pub fn optimiser(&self) -> OptimiserSettings {
        OptimiserSettings {
            algorithm: self.optimiser,
            momentum: self.momentum,
            beta2: self.beta2,
            weight_decay: self.weight_decay,
            clip_norm: self.clip_norm,
        }
    }

    /// The learning rate's part.
    pub fn schedule(&self) -> Schedule {
        Schedule {
            lr: self.lr,
            warmup: self.lr_warmup,
            decay: self.lr_decay,
            at: self.lr_steps.clone(),
            factor: self.lr_factor,
            from: self.lr_decay_from,
            to: self.steps,
            end: self.lr_end,
            power: self.lr_power,
        }
    }

    /// The variation of chips.
    pub fn augmentation(&self) -> Augmentation {
        Augmentation {
            mirror: self.mirror,
            jitter: self.jitter,
            colour: self.colour,
            low_resolution: self.low_resolution,
            blur: self.blur,
            jpeg: self.jpeg,
            occlusion: self.occlusion,
        }
    }
}

/// Puts `key=value` into a table; a value that is no TOML is taken as a string.
pub(crate) fn changed(mut table: toml::Table, changes: &[String]) -> Result<toml::Table> {
    for change in changes {
        let (key, value) = change.split_once('=').ok_or_else(|| Error::Config(format!("{change:?} is not `key=value`")))?;
        let parsed = format!("value = {value}").parse::<toml::Table>().ok().and_then(|mut table| table.remove("value"));
        table.insert(key.trim().to_owned(), parsed.unwrap_or_else(|| toml::Value::String(value.to_owned())));
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config> {
        Config::from_table(text.parse().expect("TOML"))
    }

    #[test]
    fn an_unknown_key_is_refused_by_name() {
        let error = parse("data = \"a.rec\"\nlearning_rate = 0.1").expect_err("an unknown key").to_string();
        assert!(error.contains("learning_rate") && error.contains("lr_warmup"), "{error}");
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for line in
            ["batch = 1", "steps = 0", "ema = 1.0", "lr = 0.0", "lr = nan", "mirror = 1.5", "loss_weight = 0", "threads = 0"]
        {
            assert!(parse(&format!("data = \"a.rec\"\n{line}")).is_err(), "{line}");
        }
        assert!(parse("batch = 64").expect_err("no data").to_string().contains("`data`"));
    }

    #[test]
    fn changes_win_over_the_file_and_a_bare_word_is_a_string() {
        let config = parse("data = \"a.rec\"").expect("a configuration");
        let changes = ["lr=0.5", "lr_decay=cosine", "data=b.rec", "lr_steps=[1, 2]"].map(String::from);
        let changed = config.resumed(&changes).expect("allowed changes");
        assert_eq!((changed.lr, changed.lr_decay, changed.lr_steps.as_slice()), (0.5, Decay::Cosine, &[1, 2][..]));
        assert_eq!(changed.data, Path::new("b.rec"));
    }

    #[test]
    fn a_run_that_goes_on_keeps_what_fixes_it() {
        let config = parse("data = \"a.rec\"").expect("a configuration");
        for change in ["seed=2", "network=other", "activation=relu", "embedding=128", "loss=cosface", "optimiser=adamw"] {
            let error = config.resumed(&[change.to_owned()]).expect_err(change).to_string();
            assert!(error.contains("cannot change"), "{error}");
        }
    }

    #[test]
    fn a_balanced_batch_is_p_times_k_and_losses_on_pairs_need_one() {
        let with = |text: &str| parse(&format!("data = \"a.rec\"\n{text}"));
        assert!(with("batch = 12\nidentities_a_batch = 4\nchips_an_identity = 3\nloss = \"triplet\"").is_ok());
        for (text, part) in [
            ("batch = 13\nidentities_a_batch = 4\nchips_an_identity = 3", "`batch` must be"),
            ("batch = 4\nidentities_a_batch = 4\nchips_an_identity = 1", "2 or more"),
            ("chips_an_identity = 3", "2 or more"),
            ("loss = \"triplet\"", "set `identities_a_batch`"),
            ("auxiliary = \"contrastive\"", "set `identities_a_batch`"),
        ] {
            let error = with(text).expect_err(text).to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn the_presets_are_valid() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets");
        let files = std::fs::read_dir(folder).expect("the presets").map(|file| file.expect("a preset").path());
        let of_recognisers = |file: &std::path::PathBuf| {
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            name.ends_with(".toml") && !name.starts_with("detector")
        };
        for file in files.filter(of_recognisers) {
            Config::open(file, &[]).expect("a valid preset");
        }
    }
}
