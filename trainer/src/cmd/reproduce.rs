//! `trainer reproduce`: the paper's tables and figure 4, at any scale, beside the paper's figures.

use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::error::{Error, Result};
use crate::eval::report::write;
use crate::plot::training::TrainingLog;
use crate::plot::{angles, grid, target_logits};
use crate::reproduce::{Ours, Scale, Sweep, Table, print};

/// Trains the rows of one of the paper's tables and prints them beside the paper's figures; figures that we could not verify in a
/// second place are marked NV. A killed sweep goes on where it stopped; finished rows are not run again.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What to run again
    what: What,
    /// The training set, NAME.rec with NAME.idx beside it; without it the paper's rows alone are printed
    #[arg(long)]
    data: Option<PathBuf>,
    /// Steps of each run; the paper's are 200,000
    #[arg(long, default_value_t = 200_000)]
    iterations: u64,
    /// Share of the paper's batch of 512; the learning rate shrinks with it
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// What the channels of MobileNets are multiplied by
    #[arg(long, default_value_t = 1.0)]
    width: f64,
    /// Another network in the place of every row's; tables 6 and 7 and figure 4 only, the others compare networks
    #[arg(long)]
    network: Option<String>,
    /// Run the rows alone whose name contains this; several are possible
    #[arg(long, value_name = "ROW")]
    only: Vec<String>,
    /// A list of pairs of chips to evaluate on; the paper's are LFW, CFP-FP and AgeDB-30
    #[arg(long = "evaluate", value_name = "NAME=LIST", value_parser = named_list)]
    lists: Vec<(String, PathBuf)>,
    /// Where the runs go
    #[arg(long, default_value = "runs/reproduce")]
    folder: PathBuf,
    /// Change one key of every run's configuration: --set threads=1
    #[arg(long = "set", value_name = "KEY=VALUE")]
    changes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// The input, without and with L
    Table2,
    /// The output option
    Table3,
    /// The residual unit
    Table4,
    /// ArcFace's margin
    Table6,
    /// The losses
    Table7,
    /// Target logits, and angles at the start, the middle and the end of a training with ArcFace
    Figure4,
}

impl What {
    /// The table whose rows are run; figure 4 is of the training with the best margin of table 6.
    fn number(self) -> u8 {
        match self {
            What::Table2 => 2,
            What::Table3 => 3,
            What::Table4 => 4,
            What::Table6 | What::Figure4 => 6,
            What::Table7 => 7,
        }
    }
}

fn named_list(text: &str) -> std::result::Result<(String, PathBuf), String> {
    let (name, path) = text.split_once('=').ok_or("NAME=LIST is expected, such as LFW=../lfw/pairs.tsv")?;
    Ok((name.into(), path.into()))
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<()> {
    let number = arguments.what.number();
    let mut table = Table::numbered(number).ok_or_else(|| Error::Config(format!("table {number} is not run again")))?;
    if arguments.network.is_some() && number < 6 {
        return Err(Error::Config(format!("table {number} compares networks: --network would make its rows the same")));
    }
    let wanted = |name: &str| match arguments.what {
        What::Figure4 => name == "m = 0.5",
        _ => arguments.only.is_empty() || arguments.only.iter().any(|part| name.contains(part.as_str())),
    };
    table.rows.retain(|row| wanted(&row.name));
    if table.rows.is_empty() {
        return Err(Error::Config("no row has such a name".into()));
    }
    let name = format!("{:?}", arguments.what).to_lowercase();
    let sweep = Sweep {
        table,
        data: arguments.data.clone().unwrap_or_else(|| "no data".into()),
        scale: Scale { iterations: arguments.iterations, batch: arguments.scale, width: arguments.width },
        network: arguments.network.clone(),
        changes: arguments.changes.clone(),
        lists: arguments.lists.clone(),
        folder: arguments.folder.join(name),
    };
    let mut results = Vec::new();
    for row in &sweep.table.rows {
        let ours = match arguments.data {
            Some(_) => {
                eprintln!("{} → {}", row.name, sweep.folder(row).display());
                sweep.run(row)?
            }
            None => Ours::NotRun("no --data".into()),
        };
        results.push((row, ours));
    }
    if arguments.what == What::Figure4 {
        return figure_4(&sweep, &results);
    }
    print!("{}", print(&sweep, &results));
    Ok(())
}

fn figure_4(sweep: &Sweep, results: &[(&crate::reproduce::Row, Ours)]) -> Result<()> {
    let mut charts = vec![target_logits::chart()];
    for (row, ours) in results {
        match ours {
            Ours::Measured(_) => {
                let log = TrainingLog::open(&sweep.folder(row).join("log.jsonl"))?;
                let log: Vec<_> = log.angles.into_iter().collect();
                for (step, angles) in &log {
                    println!("step {step}: mean angle {:.1}°", angles.mean_degrees());
                }
                charts.push(angles::chart(&log));
            }
            Ours::NotRun(reason) => println!("no angles: {reason}"),
        }
    }
    println!("paper, verified: centres move from 90° to 35–40°, and θ is almost always below 60° at the end");
    draw(&sweep.folder, &grid(&charts, 2)?)
}

fn draw(folder: &Path, svg: &str) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
    let path = folder.join("figure4.svg");
    write(&path, svg)?;
    println!("{}", path.display());
    Ok(())
}
