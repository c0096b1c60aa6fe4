use std::path::Path;

use veriface::{Chip, Purpose, Result};

use crate::inputs::{self, Inputs};
use crate::setup::{FaceRule, Setup};
use crate::{Outcome, print_line};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    inputs: Inputs,
    /// The pictures are 112×112 chips already
    #[arg(long)]
    aligned: bool,
    /// Which face is meant where there are several
    #[arg(long, value_enum, default_value_t = FaceRule::Only)]
    face: FaceRule,
}

pub fn run(setup: &Setup, args: &Args) -> Result<Outcome> {
    let verifier = setup.lenient_verifier(args.face)?;
    let embed = |path: &Path| {
        let photo = inputs::open(path)?;
        if args.aligned {
            return verifier.embed(&Chip::from_aligned(photo.frame().to_upright_rgb())?);
        }
        Ok(verifier.extract(&photo, Purpose::Verify)?.embedding)
    };
    inputs::for_each(setup, &args.inputs.expand()?, embed, |path, embedding| {
        let model = embedding.model().to_string();
        print_line(serde_json::json!({ "file": path, "model": model, "embedding": embedding.values() }))
    })
}
