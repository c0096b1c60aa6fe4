//! The run's log: one JSON object a line, appended. Each has `event` and `step`; a resumed run writes steps again that it redoes.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::{Error, Result};

/// An open log.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
}

/// A line of the log.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Line<'a> {
    /// The run begins, or goes on, with this configuration.
    Start {
        /// Steps done.
        step: u64,
        /// The configuration in force.
        config: &'a super::config::Config,
        /// Chips of the set.
        chips: usize,
        /// Identities of the set.
        identities: usize,
        /// Where the arithmetic happens.
        device: String,
    },
    /// Means over the steps since the last such line.
    Train {
        /// Steps done.
        step: u64,
        /// Epochs finished.
        epoch: u64,
        /// Chips seen.
        images: u64,
        /// The learning rate of the last step.
        lr: f64,
        /// The whole loss.
        loss: f64,
        /// The loss on identities, before its weight.
        identity: f64,
        /// Mean of 1 − cos(student, teacher).
        direction: f64,
        /// Mean squared difference of cosines within the batch.
        relation: f64,
        /// Sum over the hints of the maps' squared errors, each a share of the variance; 0 without hints.
        hint: f64,
        /// Norm of the gradient before clipping.
        gradient: f64,
        /// Chips a second.
        images_per_second: f64,
        /// Steps skipped in all.
        skipped: u64,
        /// Chips replaced because they did not decode.
        unreadable: u64,
    },
    /// How far the embeddings lay from their classes' centres over the same steps.
    Angles {
        /// Steps done.
        step: u64,
        /// Chips by angle: 90 bins of 2° from 0° on.
        histogram: &'a [u64],
    },
    /// A step was skipped.
    Skipped {
        /// Steps done, this one included.
        step: u64,
        /// The loss.
        loss: String,
        /// The gradient's norm.
        gradient: String,
    },
    /// Accuracy on a pair list.
    Evaluation {
        /// Steps done.
        step: u64,
        /// Chips seen.
        images: u64,
        /// The list.
        list: String,
        /// Mean accuracy over ten folds, 0 to 1.
        accuracy: f64,
        /// Its deviation over the folds.
        deviation: f64,
        /// True-acceptance rate at a false-acceptance rate of 1e-3, 0 to 1; none where the list is too short for it.
        tar_at_1e3: Option<f64>,
        /// Seconds that it took.
        seconds: f64,
    },
}

impl Log {
    /// Opens `path` to append.
    pub fn append(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(Error::file(path))?;
        Ok(Log { path: path.to_path_buf(), file })
    }

    /// Writes one line.
    pub fn write(&mut self, line: &impl Serialize) -> Result<()> {
        let mut text = serde_json::to_string(line).map_err(|e| Error::data("log", e.to_string()))?;
        text.push('\n');
        self.file.write_all(text.as_bytes()).map_err(Error::file(&self.path))
    }
}
