//! Where a run says how it goes: log, curves and progress.

use std::path::Path;
use std::time::Duration;

use super::super::log::{Line, Log};
use super::super::progress::{self, Progress};
use super::super::tensorboard::Events;
use super::{Run, Step};
use crate::error::Result;
use crate::train::checkpoint::State;

/// Where a run says how it goes.
#[derive(Debug)]
pub(super) struct Outlets {
    pub(super) log: Log,
    pub(super) events: Events,
    pub(super) progress: Progress,
}

impl Outlets {
    pub(super) fn open(folder: &Path, step: u64, steps: u64) -> Result<Self> {
        let log = Log::append(&folder.join("log.jsonl"))?;
        Ok(Outlets { log, events: Events::begin(folder, step)?, progress: Progress::start(step, steps) })
    }
}

/// Sums over the steps between two lines of the log.
#[derive(Debug, Default)]
pub(super) struct Window {
    steps: f64,
    loss: f64,
    identity: f64,
    direction: f64,
    relation: f64,
    hint: f64,
    gradient: f64,
    lr: f64,
    images: f64,
    seconds: f64,
}

impl Window {
    pub(super) fn add(&mut self, step: &Step, time: Duration, images: usize) {
        self.images += images as f64;
        self.seconds += time.as_secs_f64();
        if step.skipped {
            return;
        }
        self.steps += 1.0;
        self.loss += step.loss;
        self.identity += step.identity;
        self.direction += step.direction;
        self.relation += step.relation;
        self.hint += step.hint;
        self.gradient += step.gradient;
        self.lr = step.lr;
    }

    /// Chips a second, and the seconds that the rest of the run takes at this rate.
    pub(super) fn rate(&self, state: &State) -> (f64, f64) {
        let rate = self.images / self.seconds.max(1e-9);
        let steps = state.config.steps.saturating_sub(state.step);
        (rate, steps as f64 * state.config.batch as f64 / rate)
    }

    pub(super) fn close(&self, run: &Run, outlets: &mut Outlets) -> Result<()> {
        let mean = |sum: f64| sum / self.steps.max(1.0);
        let state = &run.state;
        let (rate, left) = self.rate(state);
        outlets.progress.line(&format!(
            "step {} of {}, loss {:.4} (identity {:.3}, direction {:.4}, relation {:.5}, hints {:.3}), {rate:.1} images/s, {} left",
            state.step,
            state.config.steps,
            mean(self.loss),
            mean(self.identity),
            mean(self.direction),
            mean(self.relation),
            mean(self.hint),
            progress::duration(left),
        ));
        let curves = [
            ("loss", mean(self.loss)),
            ("loss/identity", mean(self.identity)),
            ("loss/direction", mean(self.direction)),
            ("loss/relation", mean(self.relation)),
            ("loss/hints", mean(self.hint)),
            ("gradient", mean(self.gradient)),
            ("lr", self.lr),
            ("images_per_second", rate),
        ];
        // Without a step that was taken there is no mean.
        outlets.events.scalars(state.step, if self.steps > 0.0 { &curves } else { &curves[7..] })?;
        outlets.log.write(&Line::Train {
            step: state.step,
            epoch: state.position.epoch,
            images: state.images,
            lr: self.lr,
            loss: mean(self.loss),
            identity: mean(self.identity),
            direction: mean(self.direction),
            relation: mean(self.relation),
            hint: mean(self.hint),
            gradient: mean(self.gradient),
            images_per_second: rate,
            skipped: state.skipped,
            unreadable: run.unreadable,
        })
    }
}
