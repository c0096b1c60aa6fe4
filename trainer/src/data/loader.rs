//! Reads, decodes and varies batches ahead of the training step, on threads of their own, in an order that no thread can change.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};

use super::augment::Augmentation;
use super::chips::{CHIP_BYTES, ChipSet};
use super::sampler::{Position, Sampler};
use crate::error::{Error, Result};

/// Chips for one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// `n` chips, one after the other.
    pub pixels: Vec<u8>,
    /// Each chip's identity.
    pub identities: Vec<i64>,
    /// Each chip's place in the set.
    pub indices: Vec<i64>,
    /// Where the sampler stands after this batch.
    pub position: Position,
    /// Chips that did not decode and were replaced by the next one of the set.
    pub unreadable: u64,
}

/// How batches are made.
#[derive(Debug, Clone)]
pub struct LoaderSettings {
    /// Chips a batch.
    pub batch: usize,
    /// Which of them are delivered: another process has the rest.
    pub share: Range<usize>,
    /// Threads that decode.
    pub workers: usize,
    /// Batches that may wait for the training step.
    pub ahead: usize,
    /// How chips are varied.
    pub augmentation: Augmentation,
}

/// Delivers batches in the sampler's order.
#[derive(Debug)]
pub struct Loader {
    finished: Receiver<(u64, Result<Batch>)>,
    early: BTreeMap<u64, Result<Batch>>,
    next: u64,
}

impl Loader {
    /// Starts the threads; they end when the loader is dropped.
    pub fn start(set: Arc<ChipSet>, sampler: Sampler, settings: LoaderSettings) -> Self {
        let (sender, finished) = sync_channel(settings.ahead);
        let drawn = Arc::new(Mutex::new((0u64, sampler)));
        for _ in 0..settings.workers.max(1) {
            let (set, drawn, sender, settings) = (set.clone(), drawn.clone(), sender.clone(), settings.clone());
            std::thread::spawn(move || {
                loop {
                    let Ok(mut drawing) = drawn.lock() else { return };
                    let number = drawing.0;
                    drawing.0 += 1;
                    let visits: Vec<_> = (0..settings.batch).map(|_| drawing.1.visit()).collect();
                    let visits = visits.into_iter().skip(settings.share.start).take(settings.share.len());
                    let position = drawing.1.position();
                    drop(drawing);
                    let mut batch = Batch {
                        pixels: Vec::with_capacity(settings.share.len() * CHIP_BYTES),
                        identities: Vec::with_capacity(settings.share.len()),
                        indices: Vec::with_capacity(settings.share.len()),
                        position,
                        unreadable: 0,
                    };
                    let filled = visits.into_iter().try_for_each(|mut visit| {
                        let (index, chip) = readable(&set, visit.index, &mut batch.unreadable)?;
                        batch.pixels.extend(settings.augmentation.apply(chip, &mut visit.rng));
                        batch.identities.push(i64::from(set.identity(index)));
                        batch.indices.push(index as i64);
                        Ok(())
                    });
                    if sender.send((number, filled.map(|()| batch))).is_err() {
                        return;
                    }
                }
            });
        }
        Loader { finished, early: BTreeMap::new(), next: 0 }
    }

    /// The next batch; waits for it.
    pub fn batch(&mut self) -> Result<Batch> {
        loop {
            if let Some(batch) = self.early.remove(&self.next) {
                self.next += 1;
                return batch;
            }
            let (number, batch) = self.finished.recv().map_err(|_| Error::data("loader", "every decoding thread has stopped"))?;
            self.early.insert(number, batch);
        }
    }
}

/// The chip at `index`, or the first one after it that decodes: one broken picture must not end a run of days.
fn readable(set: &ChipSet, index: usize, unreadable: &mut u64) -> Result<(usize, Vec<u8>)> {
    let mut failure = None;
    for offset in 0..set.len().min(100) {
        let index = (index + offset) % set.len();
        match set.chip(index) {
            Ok(chip) => return Ok((index, chip)),
            Err(error) => failure = Some(error),
        }
        *unreadable += 1;
    }
    Err(failure.unwrap_or_else(|| Error::data("loader", "the set is empty")))
}
