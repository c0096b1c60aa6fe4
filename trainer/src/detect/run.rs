//! A detector's training run: it begins or goes on, takes steps, and leaves checkpoints and a log in its folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor, no_grad};

use super::assign;
use super::canvas::Canvas;
use super::config::DetectorConfig;
use super::evaluate::{self, Report, Rules};
use super::finder::{self, OneLook};
use super::grid::{self, Cell, NUMBERS};
use super::hints::Hints;
use super::loss::{self, Targets};
use super::net::{DetectorNet, from_pixels};
use super::scene;
use super::set::PictureSet;
use crate::error::{Error, Result};
use crate::train::log::Log;
use crate::train::optimiser::Optimiser;
use crate::train::progress::{self, Progress};
use crate::train::run::LAST;
use crate::train::schedule::Schedule;
use crate::train::tensorboard::Events;
use crate::train::{averaging, checkpoint, device};

/// All of a run that is no tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetectorState {
    format: u32,
    task: Task,
    /// Steps done, skipped ones included. Canvases are numbered by it.
    pub step: u64,
    /// Steps that the optimiser took.
    pub optimiser_steps: u64,
    /// Steps skipped in all.
    pub skipped: u64,
    /// Steps skipped in a row just now.
    pub skipped_in_a_row: u64,
    /// Canvases seen.
    pub canvases: u64,
    /// Seconds of training, over all its parts.
    pub seconds: f64,
    /// Fingerprints of pictures and crops.
    pub data: [String; 2],
    /// The whole configuration.
    pub config: DetectorConfig,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Task {
    Detect,
}

/// What one step came to: means over the cells that answer for a face.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Step {
    /// The whole loss.
    pub loss: f64,
    /// Of "there is a face", before its weight, like the following.
    pub object: f64,
    /// Of "the box fits".
    pub class: f64,
    /// Of the boxes.
    pub rect: f64,
    /// Of the points.
    pub points: f64,
    /// Of the heads, where a teacher's units are learnt: then it is all of the loss with the units', and the parts above are 0.
    pub hint: f64,
    /// Cells that answer for a face, a canvas.
    pub positives: f64,
    /// Norm of the whole gradient before clipping.
    pub gradient: f64,
    /// The learning rate.
    pub lr: f64,
}

#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line<'a> {
    Start { step: u64, config: &'a DetectorConfig, pictures: usize, crops: usize, device: String },
    Train { step: u64, canvases: u64, canvases_per_second: f64, skipped: u64, mean: Step },
    Skipped { step: u64, loss: String, gradient: String },
    Evaluation { step: u64, canvases: u64, seconds: f64, report: &'a Report },
}

/// A run in progress.
#[derive(Debug)]
pub struct DetectorRun {
    folder: PathBuf,
    state: DetectorState,
    photos: PictureSet,
    crops: Option<PictureSet>,
    device: Device,
    net: DetectorNet,
    average: Option<DetectorNet>,
    optimiser: Optimiser,
    schedule: Schedule,
    cells: Vec<Cell>,
    hints: Option<Hints>,
}

impl DetectorRun {
    /// Begins a run in `folder`, which must not hold one already.
    pub fn begin(config: DetectorConfig, folder: &Path) -> Result<Self> {
        let last = folder.join(LAST);
        if last.exists() {
            let reason = "this folder holds a run already: go on with --resume, or name another folder".to_owned();
            return Err(Error::Checkpoint { path: last, reason });
        }
        std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
        let state = DetectorState {
            format: checkpoint::FORMAT,
            task: Task::Detect,
            step: 0,
            optimiser_steps: 0,
            skipped: 0,
            skipped_in_a_row: 0,
            canvases: 0,
            seconds: 0.0,
            data: [String::new(), String::new()],
            config,
        };
        let run = Self::build(state, folder)?;
        let from = &run.state.config.weights_from;
        if !from.as_os_str().is_empty() {
            let (other, _) = open(from)?;
            for net in [Some(&run.net), run.average.as_ref()].into_iter().flatten() {
                no_grad(|| net.variables().values_mut().zip(other.variables().values()).for_each(|(to, from)| to.copy_(from)));
            }
        }
        Ok(run)
    }

    /// Goes on with the run in `folder`; `changes` are `key=value` for keys that are not fixed.
    pub fn resume(folder: &Path, changes: &[String]) -> Result<Self> {
        Self::go_on(&folder.join(LAST), folder, changes)
    }

    /// Goes on, in a `folder` that holds no run yet, with the run of this checkpoint.
    pub fn resume_from(from: &Path, folder: &Path, changes: &[String]) -> Result<Self> {
        let last = folder.join(LAST);
        if last.exists() {
            let reason = "this folder holds a run already: go on with --resume, or name another folder".to_owned();
            return Err(Error::Checkpoint { path: last, reason });
        }
        std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
        Self::go_on(from, folder, changes)
    }

    fn go_on(from: &Path, folder: &Path, changes: &[String]) -> Result<Self> {
        let mut state: DetectorState = checkpoint::state_as(from)?;
        state.config = state.config.resumed(changes)?;
        let mut run = Self::build(state, folder)?;
        checkpoint::load(from, &mut run.tensors())?;
        run.optimiser.set_steps(run.state.optimiser_steps);
        Ok(run)
    }

    fn build(mut state: DetectorState, folder: &Path) -> Result<Self> {
        let config = &state.config;
        let photos = PictureSet::open(&config.data)?;
        let crops = (!config.crops.as_os_str().is_empty()).then(|| PictureSet::open(&config.crops)).transpose()?;
        let data = [photos.fingerprint.clone(), crops.as_ref().map_or(String::new(), |crops| crops.fingerprint.clone())];
        if state.step > 0 && state.data != data {
            let reason = format!("it was trained on pictures {:?}, these are {data:?}", state.data);
            return Err(Error::Checkpoint { path: folder.join(LAST), reason });
        }
        state.data = data;
        let config = &state.config;
        let device = device::available();
        tch::set_num_threads(config.threads);
        tch::manual_seed(config.seed as i64);
        let net = DetectorNet::build(device);
        let average = (config.ema > 0.0).then(|| DetectorNet::build(device));
        if let Some(average) = &average {
            no_grad(|| average.variables().values_mut().zip(net.variables().values()).for_each(|(to, from)| to.copy_(from)));
        }
        let optimiser = Optimiser::new(config.optimiser(), &net.variables());
        let hints = (!config.hints.as_os_str().is_empty())
            .then(|| Hints::open(&config.hints, &config.hint_values, device))
            .transpose()?;
        Ok(DetectorRun {
            hints,
            folder: folder.to_path_buf(),
            cells: grid::cells(config.side, config.side),
            schedule: config.schedule(),
            state,
            photos,
            crops,
            device,
            net,
            average,
            optimiser,
        })
    }

    /// How far the run is.
    pub fn state(&self) -> &DetectorState {
        &self.state
    }

    /// The network to evaluate and export: the average, if the run keeps one.
    pub fn network(&self) -> &DetectorNet {
        self.average.as_ref().unwrap_or(&self.net)
    }

    /// Every tensor that the run needs to go on, by its name in the checkpoint.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        let named = |prefix: &'static str, tensors: BTreeMap<String, Tensor>| {
            tensors.into_iter().map(move |(name, tensor)| (format!("{prefix}/{name}"), tensor))
        };
        let mut tensors: BTreeMap<_, _> = named("weights", self.net.variables()).collect();
        tensors.extend(named("optimiser", self.optimiser.state()));
        if let Some(average) = &self.average {
            tensors.extend(named("average", average.variables()));
        }
        tensors
    }

    /// One step. Where loss or gradient is not finite, weights and statistics stay as they were, and the step says so.
    pub fn step(&mut self) -> Result<(Step, bool)> {
        let config = &self.state.config;
        let variation = config.variation();
        let crops = self.crops.as_ref().map_or(&[][..], |crops| &crops.pictures);
        let first = self.state.step * config.batch as u64;
        let canvases =
            (0..config.batch as u64).map(|n| scene::canvas(&variation, &self.photos.pictures, crops, config.seed, first + n));
        let canvases: Vec<_> = canvases.collect();
        let pixels: Vec<u8> = canvases.iter().flat_map(|canvas| canvas.raster.rgb.iter().copied()).collect();

        let weights = self.net.variables();
        let statistics: Vec<(&String, Tensor)> =
            weights.iter().filter(|(_, w)| !w.requires_grad()).map(|(name, w)| (name, no_grad(|| w.copy()))).collect();
        self.optimiser.zero_grad();
        let pictures = from_pixels(&pixels, config.side, config.side, self.device);
        let (sum, mut step) = match &self.hints {
            Some(hints) => {
                let (sum, heads) = hints.loss(&self.net, &pictures)?;
                (sum, Step { hint: heads.double_value(&[]), ..Step::default() })
            }
            None => self.labels(&pictures, &canvases)?,
        };
        sum.backward();
        let (loss, gradient, lr) =
            (sum.double_value(&[]), self.optimiser.gradient_norm(|_| true), self.schedule.at(self.state.step));
        step = Step { loss, gradient, lr, ..step };
        let skipped = !(loss.is_finite() && gradient.is_finite());
        if skipped {
            for (name, statistic) in statistics {
                no_grad(|| weights[name].shallow_clone().copy_(&statistic));
            }
            self.state.skipped += 1;
            self.state.skipped_in_a_row += 1;
        } else {
            self.optimiser.step(lr, gradient);
            self.state.skipped_in_a_row = 0;
            if let Some(average) = &self.average {
                averaging::follow(&mut average.variables(), &weights, config.ema, self.optimiser.steps());
            }
        }
        self.state.step += 1;
        self.state.optimiser_steps = self.optimiser.steps();
        self.state.canvases += self.state.config.batch as u64;
        Ok((step, skipped))
    }

    /// The loss against the labels, and its parts.
    fn labels(&self, pictures: &Tensor, canvases: &[Canvas]) -> Result<(Tensor, Step)> {
        let answers = self.net.forward(pictures, !self.state.config.statistics_fixed);
        let numbers = finder::numbers(&answers)?;
        let mut targets = Targets::default();
        for (canvas, numbers) in canvases.iter().zip(numbers.chunks_exact(self.cells.len() * NUMBERS)) {
            let assignment = assign::assign(&self.cells, numbers.as_chunks().0, &canvas.faces, &canvas.ignored);
            targets.add(&self.cells, &canvas.faces, &assignment);
        }
        let parts = loss::loss(&answers, &targets, &self.state.config.weights());
        let [object, class, rect, points] =
            [&parts.object, &parts.class, &parts.rect, &parts.points].map(|part| part.double_value(&[]));
        let positives = targets.positives() as f64 / canvases.len() as f64;
        Ok((parts.sum, Step { object, class, rect, points, positives, ..Step::default() }))
    }

    /// Writes the checkpoint that the run goes on from.
    pub fn save(&self) -> Result<()> {
        checkpoint::save(&self.folder.join(LAST), &self.state, &self.tensors())
    }

    /// Steps until the configuration's end, with log, curves, checkpoints and evaluations.
    pub fn run(&mut self) -> Result<()> {
        let config = self.state.config.clone();
        let valid = (!config.evaluate.as_os_str().is_empty()).then(|| PictureSet::open(&config.evaluate)).transpose()?;
        let mut log = Log::append(&self.folder.join("log.jsonl"))?;
        let mut events = Events::begin(&self.folder, self.state.step)?;
        let progress = Progress::start(self.state.step, config.steps);
        let (pictures, crops) = (self.photos.pictures.len(), self.crops.as_ref().map_or(0, |crops| crops.pictures.len()));
        let device = device::name(self.device, config.threads);
        progress.line(&format!(
            "detector ({} parameters, {} million multiplications at 320 × 320) on {device}, {pictures} pictures, {crops} crops, from step {}",
            self.net.parameters(),
            self.net.macs(320) / 1_000_000,
            self.state.step
        ));
        log.write(&Line::Start { step: self.state.step, config: &config, pictures, crops, device })?;
        let (mut sum, mut taken, mut seconds) = (Step::default(), 0.0, 0.0);
        let mut saved = Instant::now();
        while self.state.step < config.steps {
            let clock = Instant::now();
            let (report, skipped) = self.step()?;
            let time = clock.elapsed().as_secs_f64();
            self.state.seconds += time;
            seconds += time;
            if skipped {
                let [loss, gradient] = [report.loss, report.gradient].map(|value| value.to_string());
                let cause = if report.loss.is_finite() { format!("gradient {gradient}") } else { format!("loss {loss}") };
                progress.line(&format!("step {} skipped: {cause}", self.state.step));
                log.write(&Line::Skipped { step: self.state.step, loss, gradient })?;
                let in_a_row = self.state.skipped_in_a_row;
                if in_a_row >= config.stop_after_skipped.max(1) {
                    return Err(Error::NotFinite { step: self.state.step, cause, in_a_row });
                }
            } else {
                sum = sum.plus(&report);
                taken += 1.0;
            }
            let step = self.state.step;
            if step.is_multiple_of(config.log_every) {
                let mean = Step { lr: self.schedule.at(step - 1), ..sum.over(f64::max(taken, 1.0)) };
                let rate = (config.log_every.min(step) * config.batch as u64) as f64 / seconds.max(1e-9);
                let left = (config.steps - step) as f64 * config.batch as f64 / rate;
                progress.line(&format!(
                    "step {step} of {}, loss {:.4} (object {:.3}, class {:.3}, box {:.3}, points {:.4}, hints {:.4}), {rate:.1} canvases/s, {} left",
                    config.steps,
                    mean.loss,
                    mean.object,
                    mean.class,
                    mean.rect,
                    mean.points,
                    mean.hint,
                    progress::duration(left)
                ));
                let curves = [
                    ("loss", mean.loss),
                    ("loss/object", mean.object),
                    ("loss/class", mean.class),
                    ("loss/box", mean.rect),
                    ("loss/points", mean.points),
                    ("loss/hints", mean.hint),
                    ("gradient", mean.gradient),
                    ("lr", mean.lr),
                ];
                events.scalars(step, &curves)?;
                let canvases = self.state.canvases;
                log.write(&Line::Train { step, canvases, canvases_per_second: rate, skipped: self.state.skipped, mean })?;
                (sum, taken, seconds) = (Step::default(), 0.0, 0.0);
            }
            let done = step == config.steps;
            if done || saved.elapsed() >= Duration::from_secs(config.checkpoint_seconds) {
                self.save()?;
                saved = Instant::now();
            }
            let evaluate = config.evaluate_every > 0 && step.is_multiple_of(config.evaluate_every);
            if let Some(valid) = valid.as_ref().filter(|_| evaluate || done) {
                let clock = Instant::now();
                let finder = OneLook { net: self.network(), threshold: config.score_threshold };
                let report = evaluate::evaluate(&finder, &valid.pictures, Rules::default(), |_| ())?;
                let (recall, precision, points) = (report.all.recall, report.precision, report.all.point_error);
                progress.line(&format!(
                    "step {step}: recall {:.2} %, precision {:.2} %, points {:.2} % of the eyes' distance",
                    100.0 * recall,
                    100.0 * precision,
                    100.0 * points
                ));
                events.scalars(step, &[("recall", recall), ("precision", precision), ("point_error", points)])?;
                let seconds = clock.elapsed().as_secs_f64();
                log.write(&Line::Evaluation { step, canvases: self.state.canvases, seconds, report: &report })?;
            }
        }
        Ok(())
    }
}

/// The network of a run's folder or checkpoint that is to be evaluated and exported, and how far it was trained.
pub fn open(path: &Path) -> Result<(DetectorNet, DetectorState)> {
    let path = if path.is_dir() { &path.join(LAST) } else { path };
    let state: DetectorState = checkpoint::state_as(path)?;
    let net = DetectorNet::build(device::available());
    let kept = if state.config.ema > 0.0 { "average" } else { "weights" };
    let mut tensors = net.variables().into_iter().map(|(name, tensor)| (format!("{kept}/{name}"), tensor)).collect();
    checkpoint::load(path, &mut tensors)?;
    Ok((net, state))
}

impl Step {
    fn plus(&self, other: &Step) -> Step {
        self.with(other, |a, b| a + b)
    }

    fn over(&self, count: f64) -> Step {
        self.with(self, |a, _| a / count)
    }

    fn with(&self, other: &Step, of: impl Fn(f64, f64) -> f64) -> Step {
        Step {
            loss: of(self.loss, other.loss),
            object: of(self.object, other.object),
            class: of(self.class, other.class),
            rect: of(self.rect, other.rect),
            points: of(self.points, other.points),
            hint: of(self.hint, other.hint),
            positives: of(self.positives, other.positives),
            gradient: of(self.gradient, other.gradient),
            lr: of(self.lr, other.lr),
        }
    }
}
