//! The runs of a table, one after the other, each in a folder of its own.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::tables::{Row, Table};
use crate::error::{Error, Result};
use crate::eval;
use crate::eval::report::write;
use crate::train::config::Config;
use crate::train::run::{LAST, Run};

/// The paper's batch, and its iterations with VGG2.
const BATCH: f64 = 512.0;

/// How large the runs are, in shares of the paper's.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// Steps. The rate falls to a tenth at a half, seven tenths and eight tenths of them, as at 100 k, 140 k and 160 k of 200 k.
    pub iterations: u64,
    /// Share of the batch of 512; the learning rate of 0.1 shrinks with it.
    pub batch: f64,
    /// What a MobileNet's channels are multiplied by.
    pub width: f64,
}

/// A table to run.
#[derive(Debug)]
pub struct Sweep {
    /// What is run.
    pub table: Table,
    /// The training set.
    pub data: PathBuf,
    /// How large.
    pub scale: Scale,
    /// Another network in the place of every row's.
    pub network: Option<String>,
    /// `key=value` for every run: threads, precision, …
    pub changes: Vec<String>,
    /// Names of test sets, and their pair lists of chips.
    pub lists: Vec<(String, PathBuf)>,
    /// Where the runs go.
    pub folder: PathBuf,
}

/// What came of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Ours {
    /// A figure a list.
    Measured(Vec<Accuracy>),
    /// The row cannot run here, and why.
    NotRun(String),
}

/// Ten-fold accuracy on a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// The list's name.
    pub list: String,
    /// The mean, 0 to 1.
    pub mean: f64,
    /// Deviation over the folds.
    pub deviation: f64,
}

/// What a finished row leaves in its folder, so that it need not be run again.
#[derive(Debug, Serialize, Deserialize)]
struct Finished {
    config: Config,
    lists: Vec<(String, PathBuf)>,
    accuracies: Vec<Accuracy>,
}

impl Sweep {
    /// The network of a row.
    pub fn network(&self, row: &Row) -> String {
        self.network.clone().unwrap_or_else(|| row.network.into())
    }

    /// The configuration of a row: the paper's recipe, the scale, the row's own keys, and then what the caller changes.
    pub fn config(&self, row: &Row) -> Result<Config> {
        let Scale { iterations, batch, width } = self.scale;
        if !(batch > 0.0 && batch.is_finite()) {
            return Err(Error::Config(format!("a scale of {batch} is not possible: it is a share of the paper's batch of 512")));
        }
        let at = |tenths: u64| (iterations.saturating_mul(tenths) / 10).max(1);
        let mut changes = vec![
            format!("data={}", toml::Value::String(self.data.display().to_string())),
            format!("network={:?}", self.network(row)),
            "activation=prelu".into(),
            "embedding=512".into(),
            "optimiser=sgd".into(),
            "momentum=0.9".into(),
            "weight_decay=5e-4".into(),
            format!("batch={}", (BATCH * batch).round().max(2.0)),
            format!("lr={:?}", 0.1 * batch),
            "lr_warmup=0".into(),
            "lr_decay=step".into(),
            format!("lr_steps=[{}, {}, {}]", at(5), at(7), at(8)),
            "lr_factor=0.1".into(),
            format!("steps={iterations}"),
            "loss_scale=64.0".into(),
            "mirror=0.5".into(),
            "ema=0.0".into(),
            // Twenty points a curve and a histogram of angles.
            format!("log_every={}", (iterations / 20).max(1)),
        ];
        if width != 1.0 {
            changes.push(format!("width={width:?}"));
        }
        changes.extend(row.keys.iter().chain(&self.changes).cloned());
        Config::changed(&changes)
    }

    /// The folder of a row's run.
    pub fn folder(&self, row: &Row) -> PathBuf {
        let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter } else { '-' };
        self.folder.join(row.name.to_lowercase().chars().map(plain).collect::<String>())
    }

    /// Runs a row, or goes on with it, or reads what it came to.
    pub fn run(&self, row: &Row) -> Result<Ours> {
        let folder = self.folder(row);
        match self.train_and_evaluate(row, &folder) {
            Ok(accuracies) => Ok(Ours::Measured(accuracies)),
            Err(Error::Config(reason)) => Ok(Ours::NotRun(reason)),
            Err(error) => Err(error),
        }
    }

    fn train_and_evaluate(&self, row: &Row, folder: &Path) -> Result<Vec<Accuracy>> {
        let config = self.config(row)?;
        let result = folder.join("result.json");
        if let Ok(text) = std::fs::read_to_string(&result) {
            let finished: Finished =
                serde_json::from_str(&text).map_err(|e| Error::data(result.display().to_string(), e.to_string()))?;
            if finished.config == config && finished.lists == self.lists {
                return Ok(finished.accuracies);
            }
        }
        let mut run = if folder.join(LAST).exists() { Run::resume(folder, &[])? } else { Run::begin(config.clone(), folder)? };
        if run.state().config != config {
            let reason = "this folder holds the row at other settings; name another one";
            return Err(Error::Checkpoint { path: folder.to_path_buf(), reason: reason.into() });
        }
        run.run()?;
        let paths: Vec<PathBuf> = self.lists.iter().map(|(_, path)| path.clone()).collect();
        let reports = eval::pair_lists(run.network(), &paths)?;
        let accuracy = |((list, _), report): (&(String, PathBuf), veriface::evaluation::Report)| Accuracy {
            list: list.clone(),
            mean: report.accuracy,
            deviation: report.accuracy_std,
        };
        let accuracies: Vec<Accuracy> = self.lists.iter().zip(reports).map(accuracy).collect();
        let finished = Finished { config, lists: self.lists.clone(), accuracies: accuracies.clone() };
        let json = serde_json::to_string_pretty(&finished).map_err(|e| Error::data("result.json", e.to_string()))?;
        write(&result, &json)?;
        Ok(accuracies)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(number: u8, scale: Scale) -> Sweep {
        Sweep {
            table: Table::numbered(number).expect("a table"),
            data: "faces.rec".into(),
            scale,
            network: None,
            changes: vec!["threads=1".into()],
            lists: Vec::new(),
            folder: "runs".into(),
        }
    }

    #[test]
    fn at_full_scale_it_is_the_papers_recipe() {
        let sweep = sweep(6, Scale { iterations: 200_000, batch: 1.0, width: 1.0 });
        let row = &sweep.table.rows[3];
        let config = sweep.config(row).expect("a configuration");
        assert_eq!((config.batch, config.lr, config.steps), (512, 0.1, 200_000));
        assert_eq!(config.lr_steps, [100_000, 140_000, 160_000]);
        assert_eq!((config.momentum, config.weight_decay, config.lr_factor), (0.9, 5e-4, 0.1));
        assert_eq!((config.network.as_str(), config.loss.as_str(), config.threads), ("lmobilenet-e", "arcface", 1));
        assert_eq!(sweep.folder(row), Path::new("runs/m---0.5"));
    }

    #[test]
    fn every_row_of_every_table_has_a_configuration() {
        for number in [2, 3, 4, 6, 7] {
            let sweep = sweep(number, Scale { iterations: 30, batch: 1.0 / 64.0, width: 1.0 });
            for row in &sweep.table.rows {
                let config = sweep.config(row).unwrap_or_else(|error| panic!("{}: {error}", row.name));
                assert_eq!((config.batch, config.lr_steps.as_slice()), (8, &[15, 21, 24][..]));
            }
        }
        let none = sweep(6, Scale { iterations: 30, batch: 0.0, width: 1.0 });
        assert!(none.config(&none.table.rows[0]).is_err());
    }
}
