use std::time::{Duration, Instant};

use serde::Serialize;
use veriface::{Photo, Purpose, Result, Verifier};

use crate::inputs::{self};
use crate::setup::{FaceRule, Setup};
use crate::{Outcome, print_line};

#[derive(clap::Args)]
pub struct Args {
    /// The picture to work on; it must show a face
    picture: std::path::PathBuf,
    /// How often each stage is timed
    #[arg(long, default_value_t = 50)]
    runs: usize,
}

/// One stage's times, in milliseconds.
#[derive(Serialize)]
struct Stage {
    stage: &'static str,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
}

pub fn run(setup: &Setup, args: &Args) -> Result<Outcome> {
    let bytes = match args.picture.as_os_str() == "-" {
        true => Vec::new(),
        false => std::fs::read(&args.picture)
            .map_err(|e| veriface::Error::new(veriface::ErrorCode::CannotRead, e.to_string()).in_file(&args.picture))?,
    };
    let started = Instant::now();
    let verifier = setup.lenient_verifier(FaceRule::Largest)?;
    let load_ms = milliseconds(started.elapsed());
    let photo = inputs::open(&args.picture)?;
    let started = Instant::now();
    let first = verifier.extract(&photo, Purpose::Verify)?;
    let first_ms = milliseconds(started.elapsed());
    let stages = stages(&verifier, &bytes, &photo, &first, args.runs.max(1))?;
    if setup.json {
        let size = [photo.frame().width(), photo.frame().height()];
        print_line(serde_json::json!({
            "pack": verifier.pack().manifest().id, "picture": size, "runs": args.runs, "load_ms": load_ms, "first_ms": first_ms, "stages": stages,
        }))?;
        return Ok(Outcome::Done);
    }
    print_line(format_args!("load {load_ms:.1} ms, first picture {first_ms:.1} ms"))?;
    print_line(format_args!("{:<10} {:>9} {:>9} {:>9}", "ms", "p50", "p90", "p99"))?;
    for stage in stages {
        print_line(format_args!("{:<10} {:>9.3} {:>9.3} {:>9.3}", stage.stage, stage.p50_ms, stage.p90_ms, stage.p99_ms))?;
    }
    Ok(Outcome::Done)
}

fn stages(verifier: &Verifier, bytes: &[u8], photo: &Photo, first: &veriface::Extraction, runs: usize) -> Result<Vec<Stage>> {
    let chip = verifier.align(photo, &first.face.landmarks)?;
    Ok(vec![
        time("decode", runs, || Photo::decode(bytes))?,
        time("detect", runs, || verifier.detect(photo))?,
        time("align", runs, || verifier.align(photo, &first.face.landmarks))?,
        time("quality", runs, || verifier.quality(photo, &first.face))?,
        time("embed", runs, || verifier.embed(&chip))?,
        time("compare", runs, || first.embedding.compare(&first.embedding))?,
        time("extract", runs, || verifier.extract(photo, Purpose::Verify))?,
    ])
}

fn time<T>(stage: &'static str, runs: usize, mut work: impl FnMut() -> Result<T>) -> Result<Stage> {
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let started = Instant::now();
        std::hint::black_box(work()?);
        times.push(milliseconds(started.elapsed()));
    }
    times.sort_by(f64::total_cmp);
    let at = |quantile: f64| times[((times.len() - 1) as f64 * quantile).round() as usize];
    Ok(Stage { stage, p50_ms: at(0.5), p90_ms: at(0.9), p99_ms: at(0.99) })
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
