//! The latency of the SDK's stages: what `veriface bench` prints, and what the apps of `android/bench` and `ios` measure in their own
//! process. Cases, arithmetic and JSON are here, once, so that a phone's figures can stand beside a server's.
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod device;
mod growth;
mod report;
mod stopwatch;

pub use report::{Once, Report, Stage};

use veriface::{Error, ErrorCode, Extraction, FaceChoice, Pack, Photo, Purpose, QualityPolicy, Result, Verifier};

use stopwatch::{Clock, time};

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub struct Cases<'a> {
    /// The device's name, as a reader of a table knows it.
    pub device: &'a str,
    /// How often each stage is timed, 1…10,000.
    pub runs: usize,
    /// Whether to time how work grows with batch, gallery and picture, and the largest gallery that is tried; a million entries of 512
    /// values take 2.6 GB.
    pub growth: Option<usize>,
}

/// Opens the pack, loads it, works on the picture once, and then times each stage on one thread. The picture must show a face; its quality
/// is not asked for. For the cold start to be one, call this before the process has used the SDK for anything else.
///
/// # Errors
/// Those of `pack` and `picture`, of [`Photo::decode`] and of [`Verifier::extract`]; [`ErrorCode::InvalidArgument`] for runs out of range.
pub fn run(cases: &Cases<'_>, pack: impl FnOnce() -> Result<Pack>, picture: impl FnOnce() -> Result<Vec<u8>>) -> Result<Report> {
    let runs = cases.runs;
    if !(1..=10_000).contains(&runs) {
        return Err(Error::new(ErrorCode::InvalidArgument, format!("expected 1 to 10000 runs, got {runs}")));
    }
    let cold = Clock::start();
    let pack = pack()?;
    let open = cold.stop();
    let loading = Clock::start();
    let verifier = Verifier::builder(pack)
        .face_choice(FaceChoice::Largest)
        .quality_policy(Purpose::Verify, QualityPolicy::accept_all())
        .quality_policy(Purpose::Enrol, QualityPolicy::accept_all())
        .build()?;
    let load = loading.stop();
    let started = Clock::start();
    let file = picture()?;
    let photo = Photo::decode(&file)?;
    let extraction = verifier.extract(&photo, Purpose::Verify)?;
    let (first, cold_start, peak_bytes) = (started.stop(), cold.stop(), device::peak_bytes());
    let before = device::joules();
    let stages = stages(&verifier, &file, &photo, &extraction, runs)?;
    let joules = device::joules().zip(before).map(|(now, before)| (now - before) / runs as f64);
    let growth = match cases.growth {
        Some(most_entries) => growth::growth(&verifier, &photo, &extraction, runs, most_entries)?,
        None => Vec::new(),
    };
    Ok(Report {
        device: cases.device.to_string(),
        system: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
        version: env!("CARGO_PKG_VERSION").to_string(),
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
    })
}

/// The processor's name, where the system tells it.
pub fn processor() -> Option<String> {
    device::processor()
}

fn stages(verifier: &Verifier, file: &[u8], photo: &Photo, first: &Extraction, runs: usize) -> Result<Vec<Stage>> {
    let chip = verifier.align(photo, &first.face.landmarks)?;
    Ok(vec![
        time("decode", None, runs, || Photo::decode(file))?,
        time("detect", None, runs, || verifier.detect(photo))?,
        time("align", None, runs, || verifier.align(photo, &first.face.landmarks))?,
        time("quality", None, runs, || verifier.quality(photo, &first.face))?,
        time("embed", None, runs, || verifier.embed(&chip))?,
        time("compare", None, runs, || first.embedding.compare(&first.embedding))?,
        time("extract", None, runs, || verifier.extract(photo, Purpose::Verify))?,
    ])
}
