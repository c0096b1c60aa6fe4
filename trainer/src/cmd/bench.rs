//! `trainer bench`: how many chips a second the training loop does, to compare with another loop.

use std::io::{BufRead, Cursor, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use image::{ImageFormat, RgbImage};
use serde_json::json;

use crate::data::recordio::{Label, Record, RecordWriter};
use crate::error::{Error, Result};
use crate::train::config::Config;
use crate::train::run::Run;

/// Batches that the drawn set holds.
const BATCHES: u64 = 4;

/// Times the steps of a real run (loader, forward, loss, backward, optimiser) on drawn chips that stay decoded in memory.
///
/// With --on-demand each line of standard input is a number of steps to do now, so that another program can take turns.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[arg(long, default_value = "mobilefacenet")]
    network: String,
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Identities, the rows of the class matrix
    #[arg(long, default_value_t = 1000)]
    identities: u32,
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// fp32 or bf16
    #[arg(long, default_value = "fp32")]
    precision: String,
    /// Change one key of the configuration: --set activation=relu
    #[arg(long = "set", value_name = "KEY=VALUE")]
    changes: Vec<String>,
    /// Steps that are timed together
    #[arg(long, default_value_t = 5)]
    steps: u64,
    /// How often
    #[arg(long, default_value_t = 5)]
    rounds: u64,
    /// Wait for a number of steps on standard input before each round
    #[arg(long)]
    on_demand: bool,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<()> {
    let system = |source| Error::File { path: std::env::temp_dir(), source };
    let folder = tempfile::tempdir().map_err(system)?;
    let data = drawn_set(folder.path(), BATCHES * arguments.batch as u64, arguments.identities)?;
    let mut changes = vec![
        format!("data={}", toml::Value::String(data.display().to_string())),
        format!("network={:?}", arguments.network),
        format!("batch={}", arguments.batch),
        format!("threads={}", arguments.threads),
        format!("precision={:?}", arguments.precision),
        "optimiser=sgd".into(),
        "loss=arcface".into(),
        "lr=0.001".into(),
        "mirror=0.0".into(),
        "ema=0.0".into(),
        format!("steps={}", 1u64 << 40),
    ];
    changes.extend(arguments.changes.iter().cloned());
    let mut run = Run::begin(Config::changed(&changes)?, &folder.path().join("run"))?;
    // The first pass decodes every chip, and libtorch chooses its kernels.
    time(&mut run, BATCHES, arguments.batch)?;
    if !arguments.on_demand {
        for _ in 0..arguments.rounds {
            println!("{}", time(&mut run, arguments.steps, arguments.batch)?);
        }
        return Ok(());
    }
    let say = |line: &str| {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{line}")
            .and_then(|()| out.flush())
            .map_err(|source| Error::File { path: "standard output".into(), source })
    };
    say("ready")?;
    for line in std::io::stdin().lock().lines() {
        let line = line.map_err(|source| Error::File { path: "standard input".into(), source })?;
        let steps = line.trim().parse().map_err(|_| Error::Config(format!("{line:?} is no number of steps")))?;
        say(&time(&mut run, steps, arguments.batch)?.to_string())?;
    }
    Ok(())
}

fn time(run: &mut Run, steps: u64, batch: usize) -> Result<serde_json::Value> {
    let start = Instant::now();
    let mut loss = 0.0;
    for _ in 0..steps {
        loss = run.step()?.loss;
    }
    let seconds = start.elapsed().as_secs_f64();
    let rate = steps as f64 * batch as f64 / seconds;
    Ok(json!({ "steps": steps, "seconds": seconds, "images_per_second": rate, "loss": loss }))
}

/// Chips of noise, their labels spread over all identities.
fn drawn_set(folder: &Path, chips: u64, identities: u32) -> Result<PathBuf> {
    let path = folder.join("noise.rec");
    let mut writer = RecordWriter::create(&path)?;
    let mut state = 1u64;
    for key in 0..chips {
        let picture = RgbImage::from_fn(112, 112, |_, _| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let [.., r, g, b] = state.to_be_bytes()[..5] else { return image::Rgb([0; 3]) };
            image::Rgb([r, g, b])
        });
        let mut payload = Cursor::new(Vec::new());
        picture.write_to(&mut payload, ImageFormat::Bmp).map_err(|e| Error::data("a drawn chip", e.to_string()))?;
        let identity = if chips < 2 { 0 } else { key * u64::from(identities.max(1) - 1) / (chips - 1) };
        let record = Record { label: Label::One(identity as f32), id: key, id2: 0, payload: payload.into_inner() };
        writer.write(key, &record)?;
    }
    writer.finish()?;
    Ok(path)
}
