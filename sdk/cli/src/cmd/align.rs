use std::path::{Path, PathBuf};

use veriface::{Error, ErrorCode, Purpose, Result};

use crate::inputs::{self, Inputs};
use crate::setup::{FaceRule, Setup};
use crate::{Outcome, print_line};

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    inputs: Inputs,
    /// The folder for the chips, named like the pictures, PNG
    #[arg(long, short, value_name = "FOLDER")]
    output: PathBuf,
    /// Which face is meant where there are several
    #[arg(long, value_enum, default_value_t = FaceRule::Only)]
    face: FaceRule,
}

pub fn run(setup: &Setup, args: &Args) -> Result<Outcome> {
    let verifier = setup.lenient_verifier(args.face)?;
    let align = |path: &Path| {
        let photo = inputs::open(path)?;
        let face = verifier.extract(&photo, Purpose::Verify)?.face;
        verifier.align(&photo, &face.landmarks)
    };
    let cannot_write = |path: &Path, why: String| Error::new(ErrorCode::CannotWrite, why).in_file(path);
    std::fs::create_dir_all(&args.output).map_err(|e| cannot_write(&args.output, e.to_string()))?;
    inputs::for_each(setup, &args.inputs.expand()?, align, |path, chip| {
        let target = args.output.join(path.file_stem().unwrap_or("chip".as_ref())).with_extension("png");
        image::save_buffer(&target, chip.rgb(), 112, 112, image::ExtendedColorType::Rgb8)
            .map_err(|e| cannot_write(&target, e.to_string()))?;
        print_line(target.display())
    })
}
