use std::time::{Duration, Instant};

use serde::Serialize;
use veriface::{Chip, Embedding, Error, ErrorCode, Extraction, Frame, Gallery, Photo, Purpose, QualityPolicy, Result, Verifier};

use crate::inputs::{self};
use crate::setup::{FaceRule, Setup};
use crate::{Outcome, device, print_line};

#[derive(clap::Args)]
pub struct Args {
    /// The picture to work on; it must show a face
    picture: std::path::PathBuf,
    /// How often each stage is timed
    #[arg(long, default_value_t = 50)]
    runs: usize,
    /// Time how work grows with batch, gallery and picture
    #[arg(long)]
    growth: bool,
    /// The largest gallery that is tried; a million entries of 512 values take 2.6 GB
    #[arg(long, default_value_t = 100_000, value_name = "ENTRIES", requires = "growth")]
    most_entries: usize,
}

/// The times of one piece of work, in milliseconds; `cpu_ms` is the mean of the thread's CPU time, where the system tells it: its clock
/// ticks too seldom for a median.
#[derive(Serialize)]
struct Stage {
    stage: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<f64>,
    p50_ms: f64,
    p90_ms: f64,
    p99_ms: f64,
    cpu_ms: Option<f64>,
}

/// Wall and CPU time of something done once.
#[derive(Serialize, Clone, Copy)]
struct Once {
    ms: f64,
    cpu_ms: Option<f64>,
}

/// Everything that is reported.
#[derive(Serialize)]
struct Report {
    pack: String,
    picture: [u32; 2],
    runs: usize,
    threads: usize,
    /// Opening the pack.
    open: Once,
    /// Making a verifier of it, its self-test included.
    load: Once,
    /// The first picture, decoding included.
    first: Once,
    /// All of that.
    cold_start: Once,
    peak_bytes: Option<u64>,
    /// The package's energy for one `extract`, others' work on it included.
    joules: Option<f64>,
    stages: Vec<Stage>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    growth: Vec<Stage>,
}

/// A stopwatch for wall and CPU time.
struct Clock(Instant, Option<f64>);

impl Clock {
    fn start() -> Clock {
        Clock(Instant::now(), device::cpu_ms())
    }

    fn stop(&self) -> Once {
        let cpu_ms = device::cpu_ms().zip(self.1).map(|(now, before)| now - before);
        Once { ms: milliseconds(self.0.elapsed()), cpu_ms }
    }
}

pub fn run(setup: &Setup, args: &Args) -> Result<Outcome> {
    let cold = Clock::start();
    let pack = setup.open_pack()?;
    let open = cold.stop();
    let loading = Clock::start();
    let accept = QualityPolicy::accept_all;
    let verifier = Verifier::builder(pack)
        .face_choice(FaceRule::Largest.into())
        .quality_policy(Purpose::Verify, accept())
        .quality_policy(Purpose::Enrol, accept())
        .build()?;
    let load = loading.stop();
    let started = Clock::start();
    let photo = inputs::open(&args.picture)?;
    let extraction = verifier.extract(&photo, Purpose::Verify)?;
    let (first, cold_start, peak_bytes) = (started.stop(), cold.stop(), device::peak_bytes());
    let bytes = match args.picture.as_os_str() == "-" {
        true => Vec::new(),
        false => {
            std::fs::read(&args.picture).map_err(|e| Error::new(ErrorCode::CannotRead, e.to_string()).in_file(&args.picture))?
        }
    };
    let runs = args.runs.max(1);
    let before = device::joules();
    let stages = stages(&verifier, &bytes, &photo, &extraction, runs)?;
    let joules = device::joules().zip(before).map(|(now, before)| (now - before) / runs as f64);
    let growth = if args.growth { growth(&verifier, &photo, &extraction, runs, args.most_entries)? } else { Vec::new() };
    let report = Report {
        pack: verifier.pack().manifest().id.clone(),
        picture: [photo.frame().width(), photo.frame().height()],
        runs,
        threads: 1,
        open,
        load,
        first,
        cold_start,
        peak_bytes,
        joules,
        stages,
        growth,
    };
    print(setup, &report)
}

fn print(setup: &Setup, report: &Report) -> Result<Outcome> {
    if setup.json {
        print_line(serde_json::json!(report))?;
        return Ok(Outcome::Done);
    }
    let cpu = |ms: Option<f64>| ms.map_or("-".to_string(), |ms| format!("{ms:.3}"));
    print_line(format_args!("{:<22} {:>9} {:>9}", "once, ms", "wall", "CPU"))?;
    for (what, once) in [
        ("open the pack", report.open),
        ("load", report.load),
        ("first picture", report.first),
        ("cold start", report.cold_start),
    ] {
        print_line(format_args!("{what:<22} {:>9.3} {:>9}", once.ms, cpu(once.cpu_ms)))?;
    }
    if let Some(bytes) = report.peak_bytes {
        print_line(format_args!("memory at the first picture's end: {:.1} MiB at most", bytes as f64 / f64::from(1 << 20)))?;
    }
    if let Some(joules) = report.joules {
        print_line(format_args!("energy of a run of all stages: {joules:.3} J"))?;
    }
    print_line(format_args!("{:<22} {:>9} {:>9} {:>9} {:>9}", "ms", "p50", "p90", "p99", "CPU mean"))?;
    for stage in report.stages.iter().chain(&report.growth) {
        let name = stage.size.map_or(stage.stage.clone(), |size| format!("{} {size}", stage.stage));
        let [p50, p90, p99] = [stage.p50_ms, stage.p90_ms, stage.p99_ms];
        print_line(format_args!("{name:<22} {p50:>9.3} {p90:>9.3} {p99:>9.3} {:>9}", cpu(stage.cpu_ms)))?;
    }
    Ok(Outcome::Done)
}

fn stages(verifier: &Verifier, bytes: &[u8], photo: &Photo, first: &Extraction, runs: usize) -> Result<Vec<Stage>> {
    let chip = verifier.align(photo, &first.face.landmarks)?;
    Ok(vec![
        time("decode", None, runs, || Photo::decode(bytes))?,
        time("detect", None, runs, || verifier.detect(photo))?,
        time("align", None, runs, || verifier.align(photo, &first.face.landmarks))?,
        time("quality", None, runs, || verifier.quality(photo, &first.face))?,
        time("embed", None, runs, || verifier.embed(&chip))?,
        time("compare", None, runs, || first.embedding.compare(&first.embedding))?,
        time("extract", None, runs, || verifier.extract(photo, Purpose::Verify))?,
    ])
}

/// Batches of chips, galleries of noise, and enlargements of the picture.
fn growth(verifier: &Verifier, photo: &Photo, first: &Extraction, runs: usize, most_entries: usize) -> Result<Vec<Stage>> {
    let mut rows = Vec::new();
    let chip = verifier.align(photo, &first.face.landmarks)?;
    for batch in [1, 2, 4, 8, 16, 32] {
        let chips: Vec<&Chip> = vec![&chip; batch];
        rows.push(time("embed a batch of", Some(batch as f64), runs, || verifier.embed_all(chips.iter().copied()))?);
    }
    let mut gallery = Gallery::new(verifier.model_id(), first.embedding.dimension())?;
    for entries in [1_000, 10_000, 100_000, 1_000_000].into_iter().filter(|entries| *entries <= most_entries) {
        for place in gallery.len()..entries {
            gallery.add(&place.to_string(), &noise(verifier, first.embedding.dimension(), place as u64)?)?;
        }
        rows.push(time("search, entries", Some(entries as f64), runs, || {
            gallery.search(&first.embedding, 5).map(|found| found.len())
        })?);
    }
    let (width, height) = (photo.frame().width() as usize, photo.frame().height() as usize);
    let rgb = photo.frame().to_upright_rgb();
    for megapixels in [0.3, 1.0, 3.0, 12.0, 48.0] {
        let scale = (megapixels * 1e6 / (width * height) as f64).sqrt();
        let (wide, high) = ((width as f64 * scale).round().max(1.0) as usize, (height as f64 * scale).round().max(1.0) as usize);
        let mut large = Vec::with_capacity(wide * high * 3);
        for y in 0..high {
            let row = &rgb[(y * height / high) * width * 3..][..width * 3];
            large.extend((0..wide).flat_map(|x| {
                let at = (x * width / wide) * 3;
                [row[at], row[at + 1], row[at + 2]]
            }));
        }
        let frame = Frame::rgb8(&large, wide as u32, high as u32, wide * 3)?;
        rows.push(time("extract, megapixels", Some(megapixels), runs.min(20), || verifier.extract(frame, Purpose::Verify))?);
    }
    Ok(rows)
}

/// A direction of no meaning (Knuth's MMIX generator).
fn noise(verifier: &Verifier, dimension: usize, seed: u64) -> Result<Embedding> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut value = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    Embedding::from_raw(verifier.model_id(), (0..dimension).map(|_| value() + value() + value()).collect())
}

fn time<T>(stage: &str, size: Option<f64>, runs: usize, mut work: impl FnMut() -> Result<T>) -> Result<Stage> {
    let mut times = Vec::with_capacity(runs);
    let all = Clock::start();
    for _ in 0..runs {
        let started = Instant::now();
        std::hint::black_box(work()?);
        times.push(milliseconds(started.elapsed()));
    }
    let cpu_ms = all.stop().cpu_ms.map(|ms| ms / runs as f64);
    times.sort_by(f64::total_cmp);
    let at = |quantile: f64| times.get(((times.len() - 1) as f64 * quantile).round() as usize).copied().unwrap_or(0.0);
    Ok(Stage { stage: stage.to_string(), size, p50_ms: at(0.5), p90_ms: at(0.9), p99_ms: at(0.99), cpu_ms })
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
