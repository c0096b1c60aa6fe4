use std::path::{Path, PathBuf};

use veriface::{Chip, Error, ErrorCode, Manifest, Pack, Part, PartKind, Result, Verifier};

use crate::setup::Setup;
use crate::{Outcome, print_line};

#[derive(clap::Subcommand)]
pub enum Command {
    /// Make a pack of two networks and a manifest
    Make(Make),
}

#[derive(clap::Args)]
pub struct Make {
    /// The detector, ONNX
    #[arg(long, value_name = "FILE.onnx")]
    detector: PathBuf,
    /// The recogniser, ONNX
    #[arg(long, value_name = "FILE.onnx")]
    recogniser: PathBuf,
    /// The manifest, JSON; docs/pack-format.md describes it
    #[arg(long, value_name = "FILE.json")]
    manifest: PathBuf,
    /// The pack to write
    #[arg(long, short, value_name = "FILE.vfpack")]
    output: PathBuf,
}

pub fn run(setup: &Setup, command: &Command) -> Result<Outcome> {
    let Command::Make(args) = command;
    let mut manifest = Manifest::from_json(&read(&args.manifest)?).map_err(|e| e.in_file(&args.manifest))?;
    manifest.created_by = concat!("veriface ", env!("CARGO_PKG_VERSION")).into();
    let network = |name: &str, path: &Path| Ok(Part::new(name, PartKind::Onnx, read(path)?));
    let parts = vec![network(&manifest.detector.part, &args.detector)?, network(&manifest.recogniser.part, &args.recogniser)?];
    // The pack must load here before anyone else is handed it; this machine's embedding becomes the self-test.
    let pack = Verifier::from_pack(Pack::new(manifest, parts)?)?.finished_pack(&Chip::drawn_face())?;
    pack.save(&args.output)?;
    let (id, model) = (&pack.manifest().id, pack.model_id().to_string());
    if setup.json {
        print_line(serde_json::json!({ "pack": args.output, "id": id, "model": model }))?;
    } else {
        print_line(format_args!("{}: {id}, model {model}", args.output.display()))?;
    }
    Ok(Outcome::Done)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| Error::new(ErrorCode::CannotRead, e.to_string()).in_file(path))
}
