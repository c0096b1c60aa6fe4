use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use veriface::{Error, ErrorCode, Face, Frame, Point, Quality, Reason, Rect, Result, Search, Verifier};

use crate::inputs::{self, Inputs};
use crate::setup::Setup;
use crate::{Outcome, print_line};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    inputs: Inputs,
    /// Write copies with boxes, points and quality drawn on them into this folder, PNG
    #[arg(long, short, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// How hard to look
    #[arg(long, value_enum, default_value_t = Effort::Every)]
    search: Effort,
}

/// How hard to look for faces.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Effort {
    /// Every face down to 40 pixels high
    Every,
    /// The largest faces, as verification does: smaller ones only while none is found
    Nearest,
    /// One look at the whole picture
    Glance,
}

/// What is known of one face: green on the picture when it is fit to verify, orange when not.
struct Finding {
    face: Face,
    quality: Quality,
    reasons: Vec<Reason>,
}

pub fn run(setup: &Setup, args: &Args) -> Result<Outcome> {
    let search = match args.search {
        Effort::Every => Search::every_face(),
        Effort::Nearest => Search::nearest(),
        Effort::Glance => Search::glance(),
    };
    let verifier = Verifier::builder(setup.open_pack()?).search(search).build()?;
    if let Some(folder) = &args.output {
        std::fs::create_dir_all(folder).map_err(|e| Error::new(ErrorCode::CannotWrite, e.to_string()).in_file(folder))?;
    }
    let detect = |path: &Path| {
        let photo = inputs::open(path)?;
        let findings = find(&verifier, photo.frame())?;
        if let Some(folder) = &args.output {
            let target = folder.join(path.file_stem().unwrap_or("faces".as_ref())).with_extension("png");
            draw(photo.frame(), &findings)
                .save(&target)
                .map_err(|e| Error::new(ErrorCode::CannotWrite, e.to_string()).in_file(&target))?;
        }
        Ok(findings)
    };
    inputs::for_each(setup, &args.inputs.expand()?, detect, |path, findings| {
        if setup.json {
            let faces: Vec<_> = findings
                .iter()
                .map(|found| serde_json::json!({ "face": found.face, "quality": found.quality, "reasons": found.reasons }))
                .collect();
            return print_line(serde_json::json!({ "file": path, "faces": faces }));
        }
        print_line(format_args!("{}: {} face{}", path.display(), findings.len(), if findings.len() == 1 { "" } else { "s" }))?;
        for Finding { face, quality, reasons } in findings {
            let Rect { left, top, right, bottom } = face.bounding_box;
            print_line(format_args!(
                "  ({left:.0}, {top:.0}) … ({right:.0}, {bottom:.0})  score {:.2}  {quality}",
                face.score.0
            ))?;
            for reason in reasons {
                print_line(format_args!("    {}", reason.sentence()))?;
            }
        }
        Ok(())
    })
}

fn find(verifier: &Verifier, frame: Frame<'_>) -> Result<Vec<Finding>> {
    let policy = &verifier.pack().manifest().quality.verify;
    let judge = |face: Face| {
        let quality = verifier.quality(frame, &face)?;
        Ok(Finding { face, reasons: policy.check(&quality), quality })
    };
    verifier.detect(frame)?.into_iter().map(judge).collect()
}

fn draw(frame: Frame<'_>, findings: &[Finding]) -> RgbImage {
    let (width, height) = (frame.width(), frame.height());
    let mut picture = RgbImage::from_raw(width, height, frame.to_upright_rgb()).unwrap_or_default();
    let stroke = (width.max(height) / 300).max(2) as i32;
    for Finding { face, reasons, .. } in findings {
        let colour = if reasons.is_empty() { Rgb([60, 220, 90]) } else { Rgb([255, 150, 30]) };
        let Rect { left, top, right, bottom } = face.bounding_box;
        for (from, to) in [
            ((left, top), (right, top)),
            ((right, top), (right, bottom)),
            ((right, bottom), (left, bottom)),
            ((left, bottom), (left, top)),
        ] {
            line(&mut picture, Point::new(from.0, from.1), Point::new(to.0, to.1), stroke, colour);
        }
        for point in face.landmarks.points() {
            square(&mut picture, *point, stroke * 2, Rgb([80, 190, 255]));
        }
        // The bar under the box is as long as the score.
        let end = left + (right - left) * face.score.0;
        let below = bottom + 3.0 * stroke as f32;
        line(&mut picture, Point::new(left, below), Point::new(end, below), stroke, colour);
    }
    picture
}

fn line(picture: &mut RgbImage, from: Point, to: Point, stroke: i32, colour: Rgb<u8>) {
    let steps = from.distance(to).clamp(1.0, 1e5) as i32;
    for step in 0..=steps {
        let t = step as f32 / steps as f32;
        square(picture, Point::new(from.x + (to.x - from.x) * t, from.y + (to.y - from.y) * t), stroke, colour);
    }
}

fn square(picture: &mut RgbImage, center: Point, size: i32, colour: Rgb<u8>) {
    let (x, y) = (center.x.round() as i32, center.y.round() as i32);
    for (dx, dy) in (0..size).flat_map(|dy| (0..size).map(move |dx| (dx, dy))) {
        let (x, y) = (x.saturating_add(dx - size / 2), y.saturating_add(dy - size / 2));
        if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
            && let Some(pixel) = picture.get_pixel_mut_checked(x, y)
        {
            *pixel = colour;
        }
    }
}
