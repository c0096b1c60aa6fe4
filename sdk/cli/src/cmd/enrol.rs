use std::path::PathBuf;

use veriface::{Gallery, Purpose, Result, Template, Which};

use crate::inputs::{self, Inputs};
use crate::setup::{FaceRule, Setup};
use crate::{Outcome, print_line};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    inputs: Inputs,
    /// The template file to write
    #[arg(long, short, value_name = "FILE.vftemplate", required_unless_present = "gallery")]
    output: Option<PathBuf>,
    /// The gallery file to add the person to; made when it is not there
    #[arg(long, value_name = "FILE.vfgallery", requires = "name")]
    gallery: Option<PathBuf>,
    /// The person's name in the gallery
    #[arg(long)]
    name: Option<String>,
    /// Which face is meant where there are several
    #[arg(long, value_enum, default_value_t = FaceRule::Only)]
    face: FaceRule,
    /// Enrol even faces that the quality policy refuses
    #[arg(long)]
    any_quality: bool,
}

pub fn run(setup: &Setup, args: &Args) -> Result<Outcome> {
    let verifier = if args.any_quality { setup.lenient_verifier(args.face) } else { setup.verifier(args.face) }?;
    let pictures = args.inputs.expand()?;
    let embed = |(index, path): (usize, &PathBuf)| {
        let extraction = inputs::open(path).and_then(|photo| verifier.extract(&photo, Purpose::Enrol));
        extraction.map(|e| e.embedding).map_err(|e| e.of(Which::Item(index)).in_file(path))
    };
    let embeddings = pictures.iter().enumerate().map(embed).collect::<Result<Vec<_>>>()?;
    let enrolment = Template::enrol(&embeddings)?;
    if let Some(path) = &args.output {
        enrolment.template.save(path)?;
    }
    if let (Some(path), Some(name)) = (&args.gallery, &args.name) {
        let mut gallery = match path.exists() {
            true => Gallery::open(path)?,
            false => Gallery::new(verifier.model_id(), enrolment.template.embedding().dimension())?,
        };
        gallery.add(name, &enrolment.template).map_err(|e| e.in_file(path))?;
        gallery.save(path)?;
    }
    let outliers: Vec<_> = enrolment.outliers.iter().filter_map(|index| pictures.get(*index)).collect();
    if setup.json {
        print_line(
            serde_json::json!({ "pictures": pictures.len(), "outliers": outliers, "model": verifier.model_id().to_string() }),
        )?;
    } else {
        print_line(format_args!("enrolled from {} picture{}", pictures.len(), if pictures.len() == 1 { "" } else { "s" }))?;
        for outlier in outliers {
            print_line(format_args!("  {} looks unlike the others: is it the same person?", outlier.display()))?;
        }
    }
    Ok(Outcome::Done)
}
