//! `trainer export`: a checkpoint's network as an ONNX file.

use std::path::PathBuf;

use crate::error::Result;
use crate::export::Exported;
use crate::export::onnx::{Batch, OPSET, Weights};

/// Writes the network of a checkpoint as ONNX: the average of its weights where the run keeps one, normalisation folded.
///
/// The file says how it is fed (its metadata `veriface.input` has the form of a pack's manifest) and where it comes from.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A run's folder or .safetensors, or another's .onnx recogniser
    checkpoint: PathBuf,
    #[command(flatten)]
    input: super::InputOptions,
    /// The file to write, NAME.onnx
    #[arg(long, short)]
    output: PathBuf,
    /// Chips that the file takes at once: a number, or `symbolic` for any
    #[arg(long, default_value = "symbolic")]
    batch: Batch,
    /// Store weights in 16 bits
    #[arg(long)]
    fp16: bool,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<()> {
    let exported = Exported::open(&arguments.checkpoint, arguments.input.input())?;
    let file = exported.file(arguments.batch, if arguments.fp16 { Weights::Half } else { Weights::Single })?;
    super::make_folder_of(&arguments.output)?;
    veriface::replace_file(&arguments.output, |to| to.write_all(&file.bytes))?;
    println!(
        "{}: {}, opset {OPSET}, {} bytes: {} for {} values, {} of structure and metadata",
        arguments.output.display(),
        exported.about.network,
        file.bytes.len(),
        file.payload,
        file.values,
        file.header()
    );
    Ok(())
}
