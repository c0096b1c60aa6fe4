//! `trainer plot`: charts of runs, and the paper's figure 4.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::eval::report::write;
use crate::plot::training::TrainingLog;
use crate::plot::{angles, grid, target_logits};

/// Draws a run's curves (loss, learning rate, accuracy, speed), its angles, and the paper's figure 4, as SVG.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A run's folder or its log.jsonl; without one only the target logits are drawn
    run: Option<PathBuf>,
    /// Where training.svg, angles.svg and target-logits.svg go; by default the run's folder
    #[arg(long, short, value_name = "FOLDER", required_unless_present = "run")]
    output: Option<PathBuf>,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<()> {
    let log = arguments.run.as_ref().map(|run| if run.is_dir() { run.join("log.jsonl") } else { run.clone() });
    let beside = log.as_deref().and_then(Path::parent);
    let folder = arguments.output.as_deref().or(beside).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
    let draw = |name: &str, svg: String| -> Result<()> {
        let path = folder.join(name);
        write(&path, &svg)?;
        println!("{}", path.display());
        Ok(())
    };
    if let Some(log) = &log {
        let log = TrainingLog::open(log)?;
        draw("training.svg", grid(&log.charts(), 2)?)?;
        if log.angles.is_empty() {
            println!("no angles.svg: the log has no `angles` event, which a loss with class centres writes");
        } else {
            let angles: Vec<_> = log.angles.into_iter().collect();
            draw("angles.svg", angles::chart(&angles).svg()?)?;
        }
    }
    draw("target-logits.svg", target_logits::chart().svg()?)
}
