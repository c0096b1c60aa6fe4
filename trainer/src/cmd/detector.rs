//! `trainer detector`: what is done with a detector beside training it (`trainer train --task detect`).

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use serde::Serialize;
use veriface::{Detector, Pack, Search, Trust};

use crate::detect::canvas::Canvas;
use crate::detect::config::DetectorConfig;
use crate::detect::evaluate::{self, Group, Report, Rules};
use crate::detect::finder::{Finder, OneLook, Sdk};
use crate::detect::set::{Picture, PictureSet};
use crate::detect::{export, run, scene};
use crate::error::{Error, Result};

/// Evaluates and exports a detector, and shows what it is trained on.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Eval(Eval),
    Export(Export),
    Canvases(Canvases),
}

/// Recall, precision and error of the points on labelled pictures.
///
/// A checkpoint looks once at each picture at its own size. A pack looks as the SDK does.
#[derive(Debug, clap::Args)]
struct Eval {
    /// A run's folder or .safetensors, or a .vfpack
    model: PathBuf,
    /// The labelled pictures: FOLDER.jsonl, with the pictures in FOLDER
    #[arg(long, value_name = "LIST")]
    pictures: PathBuf,
    /// The score from which a face counts; by default that of the training's evaluations. A pack says its own
    #[arg(long)]
    threshold: Option<f32>,
    /// Where a pack looks
    #[arg(long, value_enum, default_value_t = Look::EveryFace)]
    search: Look,
    /// The height in pixels down to which a pack looks for faces
    #[arg(long, default_value_t = 24.0)]
    smallest: f64,
    /// Labelled faces whose eyes are closer together, in pixels, are ignored
    #[arg(long, default_value_t = 12.0)]
    least_eye_distance: f32,
    /// Turn the pictures by this many degrees first, whole within a square of 640 pixels
    #[arg(long, allow_negative_numbers = true)]
    turn: Option<f64>,
    /// Where the figures go as JSON
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[arg(long, default_value_t = 1)]
    threads: usize,
}

/// Where a pack looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Look {
    /// Once, at the whole picture.
    Glance,
    /// As for verification.
    Nearest,
    /// Everywhere.
    EveryFace,
}

/// Writes the ONNX file of a checkpoint, with YuNet's outputs.
#[derive(Debug, clap::Args)]
struct Export {
    /// A run's folder or .safetensors
    model: PathBuf,
    /// The file to write
    output: PathBuf,
}

/// Draws what a configuration trains on: canvases with their faces (green), points, and places to be ignored (red).
#[derive(Debug, clap::Args)]
struct Canvases {
    /// The configuration
    config: PathBuf,
    /// The picture to write: a sheet of 4 × 4 canvases, .png
    output: PathBuf,
    /// The number of the first
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Change one key of the configuration
    #[arg(long = "set", value_name = "KEY=VALUE")]
    changes: Vec<String>,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.what {
        What::Eval(arguments) => eval(arguments),
        What::Export(arguments) => write(arguments),
        What::Canvases(arguments) => canvases(arguments),
    }
}

/// Side of the square in which turned pictures lie.
const TURNED_SIDE: usize = 640;

fn eval(arguments: &Eval) -> Result<()> {
    tch::set_num_threads(arguments.threads.clamp(1, 1024) as i32);
    let mut pictures = PictureSet::open(&arguments.pictures)?.pictures;
    if let Some(degrees) = arguments.turn {
        pictures = pictures.iter().map(|picture| picture.turned(TURNED_SIDE, degrees)).collect();
    }
    let rules = Rules { least_eye_distance: arguments.least_eye_distance, ..Rules::default() };
    let report = if arguments.model.extension().is_some_and(|extension| extension == "vfpack") {
        let search = match arguments.search {
            Look::Glance => Search::glance(),
            Look::Nearest => Search::nearest(),
            Look::EveryFace => Search::every_face(),
        };
        let detector = Detector::load(&Pack::open(&arguments.model, Trust::Unsigned)?)?;
        measure(&Sdk { detector, search: search.down_to(arguments.smallest) }, &pictures, rules)?
    } else {
        let (net, state) = run::open(&arguments.model)?;
        let threshold = arguments.threshold.unwrap_or(state.config.score_threshold);
        measure(&OneLook { net: &net, threshold }, &pictures, rules)?
    };
    print(&report);
    match &arguments.output {
        Some(path) => json(path, &report),
        None => Ok(()),
    }
}

fn measure(finder: &dyn Finder, pictures: &[Picture], rules: Rules) -> Result<Report> {
    let bar = super::progress("pictures");
    bar.set_length(pictures.len() as u64);
    let report = evaluate::evaluate(finder, pictures, rules, |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    Ok(report)
}

fn print(report: &Report) {
    let line = |name: &str, group: &Group| {
        let (recall, error) = (100.0 * group.recall, 100.0 * group.point_error);
        println!("{name:<16} {:>5} faces, recall {recall:6.2} %, points {error:5.2} % of the eyes' distance", group.faces);
    };
    line("all", &report.all);
    println!(
        "precision {:.2} %, {} wrong in {} pictures; average precision {:.2} %",
        100.0 * report.precision,
        report.wrong,
        report.pictures,
        100.0 * report.average_precision
    );
    println!("by distance of the eyes");
    report.by_eye_distance.iter().for_each(|(name, group)| line(name, group));
    println!("by lean");
    report.by_lean.iter().for_each(|(name, group)| line(name, group));
}

fn json(path: &Path, report: &impl Serialize) -> Result<()> {
    super::make_folder_of(path)?;
    let text = serde_json::to_string_pretty(report).map_err(|e| Error::data("report", e.to_string()))?;
    veriface::replace_file(path, |file| writeln!(file, "{text}")).map_err(Error::from)
}

fn write(arguments: &Export) -> Result<()> {
    let (net, state) = run::open(&arguments.model)?;
    let about = [
        ("input", "RGB, (x - 127.5) / 128, sides multiples of 32".to_owned()),
        ("head", "yunet".to_owned()),
        ("trained", format!("{} steps of {} canvases", state.step, state.config.batch)),
        ("data", state.data.join(" ")),
    ];
    let bytes = export::onnx(&net, &about)?;
    super::make_folder_of(&arguments.output)?;
    veriface::replace_file(&arguments.output, |file| file.write_all(&bytes))?;
    println!("{}: {} bytes, {} parameters", arguments.output.display(), bytes.len(), net.parameters());
    Ok(())
}

/// Canvases across and down a sheet.
const ACROSS: u64 = 4;

fn canvases(arguments: &Canvases) -> Result<()> {
    let config = DetectorConfig::open(&arguments.config, &arguments.changes)?;
    let photos = PictureSet::open(&config.data)?.pictures;
    let crops = if config.crops.as_os_str().is_empty() { Vec::new() } else { PictureSet::open(&config.crops)?.pictures };
    let side = config.side as u32;
    let mut sheet = RgbImage::new(side * ACROSS as u32, side * ACROSS as u32);
    for place in 0..ACROSS * ACROSS {
        let canvas = scene::canvas(&config.variation(), &photos, &crops, config.seed, arguments.first + place);
        let at = [(place % ACROSS) as i64 * i64::from(side), (place / ACROSS) as i64 * i64::from(side)];
        image::imageops::replace(&mut sheet, &drawn(&canvas, side), at[0], at[1]);
    }
    super::make_folder_of(&arguments.output)?;
    let fail = |e: image::ImageError| Error::data(arguments.output.display().to_string(), e.to_string());
    sheet.save(&arguments.output).map_err(fail)
}

fn drawn(canvas: &Canvas, side: u32) -> RgbImage {
    let mut picture = RgbImage::from_raw(side, side, canvas.raster.rgb.clone()).unwrap_or_else(|| RgbImage::new(side, side));
    let mut dot = |x: f32, y: f32, colour: [u8; 3]| {
        if (0.0..side as f32).contains(&x) && (0.0..side as f32).contains(&y) {
            picture.put_pixel(x as u32, y as u32, Rgb(colour));
        }
    };
    let green = canvas.faces.iter().map(|face| (&face.rect, [0, 255, 0]));
    for (rect, colour) in canvas.ignored.iter().map(|place| (place, [255, 0, 0])).chain(green) {
        for step in 0..=200 {
            let part = step as f32 / 200.0;
            let (x, y) = (rect.left + rect.width() * part, rect.top + rect.height() * part);
            for (x, y) in [(x, rect.top), (x, rect.bottom), (rect.left, y), (rect.right, y)] {
                dot(x, y, colour);
            }
        }
    }
    let colours = [[255, 0, 0], [0, 0, 255], [255, 255, 0], [255, 0, 255], [0, 255, 255]];
    for face in &canvas.faces {
        for (point, colour) in face.points.iter().zip(colours) {
            for (x, y) in [(0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)] {
                dot(point.x + x, point.y + y, colour);
            }
        }
    }
    picture
}
