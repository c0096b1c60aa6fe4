//! A training run: it begins or goes on, takes steps, and leaves checkpoints and a log in its folder.

mod outlets;
mod share;
mod step;
mod targets;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor, nn, no_grad};
use veriface::FalseMatchRate;

use super::angles::Counter;
use super::checkpoint::{self, State};
use super::config::Config;
use super::device;
use super::group::Group;
use super::hints::Hints;
use super::log::Line;
use super::optimiser::Optimiser;
use super::schedule::Schedule;
use super::slim;
use crate::data::balanced::Balanced;
use crate::data::chips::ChipSet;
use crate::data::loader::{Loader, LoaderSettings};
use crate::data::sampler::{Position, Sampler};
use crate::error::{Error, Result};
use crate::eval;
use crate::loss::distillation::Distillation;
use crate::loss::{self, Loss, LossSettings};
use crate::net::Network;

use outlets::{Outlets, Window};
pub use step::Step;
use targets::Targets;

/// Batches that may wait for the training step.
const AHEAD: usize = 8;

/// The checkpoint that a run goes on from.
pub const LAST: &str = "last.safetensors";

/// A run in progress.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    group: Group,
    state: State,
    schedule: Schedule,
    device: Device,
    device_name: String,
    set: Arc<ChipSet>,
    loader: Loader,
    network: Network,
    weights: BTreeMap<String, Tensor>,
    average: Option<Network>,
    identity: Option<(nn::VarStore, Box<dyn Loss>)>,
    teacher: Option<(Distillation, Targets)>,
    hints: Option<Hints>,
    optimiser: Optimiser,
    unreadable: u64,
    angles: Counter,
}

impl Run {
    /// Begins a run in `folder`, which must not hold one already.
    pub fn begin(config: Config, folder: &Path) -> Result<Self> {
        let group = Group::join()?;
        new_folder(folder, &group)?;
        let set = Arc::new(ChipSet::open(&config.data, config.keep_decoded)?);
        let state = State::start(config, set.fingerprint().to_owned(), set.identities());
        let run = Self::build(state, set, folder, group)?;
        if run.state.config.classes_from_teacher {
            run.classes_from_teacher()?;
        }
        if !run.state.config.weights_from.as_os_str().is_empty() {
            run.weights_from(&run.state.config.weights_from)?;
        }
        Ok(run)
    }

    /// Goes on with the run in `folder`; `changes` are `key=value` for keys that are not fixed.
    pub fn resume(folder: &Path, changes: &[String]) -> Result<Self> {
        Self::go_on(&folder.join(LAST), folder, changes, Group::join()?)
    }

    /// Goes on, in a `folder` that holds no run yet, with the run of this checkpoint, slim or whole.
    pub fn resume_from(checkpoint: &Path, folder: &Path, changes: &[String]) -> Result<Self> {
        let group = Group::join()?;
        new_folder(folder, &group)?;
        Self::go_on(checkpoint, folder, changes, group)
    }

    fn go_on(from: &Path, folder: &Path, changes: &[String], group: Group) -> Result<Self> {
        let fail = |reason: String| Error::Checkpoint { path: from.to_path_buf(), reason };
        let mut state = checkpoint::state(from)?;
        state.config = state.config.resumed(changes)?;
        let set = Arc::new(ChipSet::open(&state.config.data, state.config.keep_decoded)?);
        if set.fingerprint() != state.data || set.identities() != state.identities {
            let data = state.config.data.display();
            return Err(fail(format!("it was trained on set {}, {data} is {}", state.data, set.fingerprint())));
        }
        if state.slim.is_some() && group.size() > 1 {
            return Err(fail("a slim checkpoint goes on in one process: let that write a whole one first".into()));
        }
        let rebuilt = state.slim.take().is_some() && state.config.classes_fixed;
        let mut run = Self::build(state, set, folder, group)?;
        let mut tensors = run.tensors();
        if rebuilt && let Some(classes) = tensors.remove(slim::CLASSES) {
            run.classes_from_teacher()?;
            let mean = Tensor::zeros([run.state.config.embedding], (Kind::Float, Device::Cpu));
            checkpoint::load(from, &mut BTreeMap::from([(slim::MEAN.to_owned(), mean.shallow_clone())]))?;
            let far = (classes.to_device(Device::Cpu).mean_dim([0i64].as_slice(), false, Kind::Float) - mean).abs().max();
            if far.double_value(&[]) > slim::MEAN_TOLERANCE {
                let teacher = run.state.config.teacher.display();
                return Err(fail(format!("its class centres are not those of {teacher}: name its own with --set teacher=…")));
            }
        }
        run.gather_classes(&mut tensors);
        checkpoint::load(from, &mut tensors)?;
        run.keep_own_classes(&tensors);
        run.optimiser.set_steps(run.state.optimiser_steps);
        Ok(run)
    }

    fn build(state: State, set: Arc<ChipSet>, folder: &Path, group: Group) -> Result<Self> {
        let config = &state.config;
        if !config.batch_parts.is_multiple_of(group.size()) {
            let (parts, size) = (config.batch_parts, group.size());
            return Err(Error::Config(format!(
                "`batch_parts` is {parts} for {size} processes: make it {size} or a multiple of it"
            )));
        }
        let device = device::available();
        let device_name = device::name(device, config.threads);
        tch::set_num_threads(config.threads);
        tch::manual_seed(config.seed as i64);
        let network = Network::build(&config.net(), device)?;
        network.lay_out(config.layout);
        let mut weights = network.variables();
        let average = (config.ema > 0.0).then(|| Network::build(&config.net(), device)).transpose()?;
        if let Some(average) = &average {
            no_grad(|| average.variables().values_mut().zip(weights.values()).for_each(|(to, from)| to.copy_(from)));
        }
        let identity = (config.loss_weight > 0.0).then(|| identity_loss(config, &set, device, &group)).transpose()?;
        if let Some((variables, _)) = &identity {
            weights.extend(variables.variables().into_iter().map(|(name, tensor)| (format!("loss/{name}"), tensor)));
        }
        let mut optimiser = Optimiser::new(config.optimiser(), &weights);
        if config.class_share < 1.0 {
            optimiser.sampled(slim::CLASSES);
        }
        let teacher = match config.distillation() {
            Some(distillation) => Some((distillation, Targets::open(config, &set, folder, &group, device)?)),
            None => None,
        };
        let hints = (!config.hints.as_os_str().is_empty()).then(|| hints(config, &network)).transpose()?;
        let sampler = sampler(config, &set, state.position)?;
        let augmentation = config.augmentation();
        let share = group.share(config.batch);
        let settings = LoaderSettings { batch: config.batch, share, workers: config.workers, ahead: AHEAD, augmentation };
        let loader = Loader::start(set.clone(), sampler, settings);
        Ok(Run {
            folder: folder.to_path_buf(),
            group,
            schedule: config.schedule(),
            weights: network.variables(),
            state,
            device,
            device_name,
            set,
            loader,
            network,
            average,
            identity,
            teacher,
            hints,
            optimiser,
            unreadable: 0,
            angles: Counter::default(),
        })
    }

    /// How far the run is.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The network to evaluate and export: the average, if the run keeps one.
    pub fn network(&self) -> &Network {
        self.average.as_ref().unwrap_or(&self.network)
    }

    /// Every tensor that the run needs to go on, by its name in the checkpoint.
    pub fn tensors(&self) -> BTreeMap<String, Tensor> {
        let named = |prefix: &'static str, tensors: BTreeMap<String, Tensor>| {
            tensors.into_iter().map(move |(name, tensor)| (format!("{prefix}/{name}"), tensor))
        };
        let mut tensors: BTreeMap<_, _> = named("weights", self.network.variables()).collect();
        tensors.extend(named("optimiser", self.optimiser.state()));
        if let Some(average) = &self.average {
            tensors.extend(named("average", average.variables()));
        }
        if let Some((variables, _)) = &self.identity {
            tensors.extend(named("loss", variables.variables().into_iter().collect()));
        }
        tensors
    }

    /// Puts each identity's mean teacher embedding where the loss keeps its class centres.
    fn classes_from_teacher(&self) -> Result<()> {
        let (Some((_, loss)), Some((_, targets))) = (&self.identity, &self.teacher) else { return Ok(()) };
        let Some(classes) = loss.class_weights() else { return Ok(()) };
        let rows = targets.of_set(&self.set)?;
        let identities: Vec<i64> = (0..self.set.len()).map(|index| i64::from(self.set.identity(index))).collect();
        no_grad(|| {
            let sums = Tensor::zeros([self.set.identities() as i64, classes.size()[1]], (Kind::Float, Device::Cpu));
            let sums = sums.index_add(0, &Tensor::from_slice(&identities), &rows.to_kind(Kind::Float));
            let rows = loss.classes_held().unwrap_or(0..classes.size()[0]);
            let own = loss::classifier::unit_rows(&sums).narrow(0, rows.start, rows.end - rows.start);
            classes.shallow_clone().copy_(&own);
        });
        Ok(())
    }

    /// Puts the weights of another run's network in place, in the average too; an error if that is another network.
    fn weights_from(&self, path: &Path) -> Result<()> {
        let (theirs, ours) = (checkpoint::state(path)?, &self.state.config);
        if theirs.config.net() != ours.net() {
            let reason = format!("it is of another network: {:?}, this run's is {:?}", theirs.config.net(), ours.net());
            return Err(Error::Checkpoint { path: path.to_path_buf(), reason });
        }
        let kept = if theirs.config.ema > 0.0 { "average" } else { "weights" };
        let variables = self.network.variables();
        let mut named = variables.iter().map(|(name, tensor)| (format!("{kept}/{name}"), tensor.shallow_clone())).collect();
        checkpoint::load(path, &mut named)?;
        if let Some(average) = &self.average {
            no_grad(|| average.variables().values_mut().zip(variables.values()).for_each(|(to, from)| to.copy_(from)));
        }
        Ok(())
    }

    /// Writes the checkpoint that the run goes on from.
    pub fn save(&self) -> Result<()> {
        let mut tensors = self.tensors();
        self.gather_classes(&mut tensors);
        if !self.group.leads() {
            return Ok(());
        }
        checkpoint::save(&self.folder.join(LAST), &self.state, &tensors)
    }

    /// Steps until the configuration's end, with log, curves, checkpoints and evaluations.
    pub fn run(&mut self) -> Result<()> {
        let config = self.state.config.clone();
        // Those who do not speak for the group do their steps and keep quiet.
        let mut outlets = self.group.leads().then(|| Outlets::open(&self.folder, self.state.step, config.steps)).transpose()?;
        if let Some(outlets) = &mut outlets {
            self.introduce(outlets)?;
        }
        let mut window = Window::default();
        let mut clock = Instant::now();
        let mut saved = Instant::now();
        while self.state.step < config.steps {
            let report = self.step()?;
            self.state.seconds += clock.elapsed().as_secs_f64();
            window.add(&report, clock.elapsed(), config.batch);
            clock = Instant::now();
            let (rate, left) = window.rate(&self.state);
            if let Some(outlets) = &mut outlets {
                outlets.progress.step(self.state.step, report.loss, rate, left);
            }
            if report.skipped {
                self.skipped(&report, outlets.as_mut())?;
            }
            if let Some(outlets) = &mut outlets
                && self.state.step.is_multiple_of(config.log_every)
            {
                window.close(self, outlets)?;
                if let Some(angles) = self.angles.take()? {
                    outlets.log.write(&Line::Angles { step: self.state.step, histogram: &angles.histogram })?;
                }
                window = Window::default();
            }
            let done = self.state.step == config.steps;
            let keep = config.keep_every > 0 && self.state.step.is_multiple_of(config.keep_every);
            let due = saved.elapsed() >= Duration::from_secs(config.checkpoint_seconds);
            // Clocks differ, and all must come to the same end.
            let due = self.group.size() == 1 && due
                || self.group.size() > 1 && self.group.max(Tensor::from(i64::from(due))).int64_value(&[]) > 0;
            if done || keep || due {
                self.save()?;
                saved = Instant::now();
            }
            if keep && self.group.leads() {
                let kept = self.folder.join(format!("step-{:07}.safetensors", self.state.step));
                std::fs::copy(self.folder.join(LAST), &kept).map_err(Error::file(&kept))?;
            }
            let evaluate = config.evaluate_every > 0 && self.state.step.is_multiple_of(config.evaluate_every);
            if let Some(outlets) = &mut outlets
                && (evaluate || done)
                && !config.evaluate.is_empty()
            {
                self.evaluate(&config.evaluate, outlets)?;
            }
            if clock.elapsed() > Duration::from_secs(1) {
                clock = Instant::now();
            }
        }
        Ok(())
    }

    fn introduce(&self, outlets: &mut Outlets) -> Result<()> {
        let config = &self.state.config;
        outlets.log.write(&Line::Start {
            step: self.state.step,
            config,
            chips: self.set.len(),
            identities: self.set.identities(),
            device: self.device_name.clone(),
        })?;
        outlets.progress.line(&format!(
            "{} ({} parameters) on {}, {} chips of {} identities, from step {}",
            config.network,
            self.network.parameters(),
            self.device_name,
            self.set.len(),
            self.set.identities(),
            self.state.step
        ));
        Ok(())
    }

    fn skipped(&self, report: &Step, outlets: Option<&mut Outlets>) -> Result<()> {
        let [loss, gradient] = [report.loss, report.gradient].map(|value| value.to_string());
        let step = self.state.step;
        if let Some(outlets) = outlets {
            outlets.progress.line(&format!("step {step} skipped: loss {loss}, gradient {gradient}"));
            outlets.log.write(&Line::Skipped { step, loss: loss.clone(), gradient: gradient.clone() })?;
        }
        let in_a_row = self.state.skipped_in_a_row;
        if in_a_row < self.state.config.stop_after_skipped.max(1) {
            return Ok(());
        }
        let cause = if report.loss.is_finite() { format!("gradient {gradient}") } else { format!("loss {loss}") };
        Err(Error::NotFinite { step, cause, in_a_row })
    }

    fn evaluate(&self, lists: &[PathBuf], outlets: &mut Outlets) -> Result<()> {
        let start = Instant::now();
        let Outlets { log, events, progress } = outlets;
        for (list, report) in lists.iter().zip(eval::pair_lists(self.network(), lists)?) {
            let name = list.display().to_string();
            let (accuracy, deviation, tar_at_1e3) =
                (report.accuracy, report.accuracy_std, eval::true_acceptance(&report, FalseMatchRate::ONE_IN_1_000));
            progress.line(&format!("step {}: {name}: {:.2} ± {:.2} %", self.state.step, 100.0 * accuracy, 100.0 * deviation));
            let (step, images, seconds) = (self.state.step, self.state.images, start.elapsed().as_secs_f64());
            let curves = ["accuracy", "tar_at_1e3"].map(|curve| format!("{curve}/{name}"));
            events.scalars(step, &[(&curves[0], accuracy)])?;
            if let Some(tar) = tar_at_1e3 {
                events.scalars(step, &[(&curves[1], tar)])?;
            }
            log.write(&Line::Evaluation { step, images, list: name, accuracy, deviation, tar_at_1e3, seconds })?;
        }
        Ok(())
    }
}

/// Makes the folder; an error where it holds a run.
fn new_folder(folder: &Path, group: &Group) -> Result<()> {
    let last = folder.join(LAST);
    // The first process may have written there already by the time another looks.
    if group.leads() && last.exists() {
        let reason = "this folder holds a run already: go on with --resume, or name another folder".to_owned();
        return Err(Error::Checkpoint { path: last, reason });
    }
    std::fs::create_dir_all(folder).map_err(Error::file(folder))
}

/// The order in which the run sees the set.
fn sampler(config: &Config, set: &ChipSet, position: Position) -> Result<Sampler> {
    if !config.balanced() {
        return Ok(Sampler::new(config.seed, set.len(), position));
    }
    let identities = (0..set.len()).map(|index| set.identity(index));
    let balanced = Balanced::new(identities, config.identities_a_batch, config.chips_an_identity)?;
    Ok(Sampler::balanced(config.seed, balanced, position))
}

fn identity_loss(config: &Config, set: &ChipSet, device: Device, group: &Group) -> Result<(nn::VarStore, Box<dyn Loss>)> {
    let mut variables = nn::VarStore::new(device);
    let settings = LossSettings { group: group.clone(), ..config.loss(set.identities()) };
    let loss = loss::build(&variables.root(), &settings)?;
    if config.classes_fixed {
        variables.freeze();
    }
    Ok((variables, loss))
}

fn hints(config: &Config, network: &Network) -> Result<Hints> {
    Hints::open(&config.hints, &config.hint_values, config.hints_forced, network, config.precision.kind())
}
