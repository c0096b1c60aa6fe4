//! `trainer align`: photos into a set of chips.

use std::path::PathBuf;

use clap::ValueEnum;
use veriface::{FaceChoice, Pack, Trust};

use super::pool;
use crate::data::align::{AlignSettings, Encoding, align};
use crate::data::folder::Folder;
use crate::error::Result;

/// Finds the face of each photo with a pack's detector, aligns it as the SDK does, and writes a set. A killed run goes on where it
/// stopped.
///
/// Beside NAME.rec and NAME.idx it writes NAME.tsv (record, identity, photo, eye distance, detector score), NAME.names.tsv and
/// NAME.failures.tsv. A photo that fails is listed there by its error's number and stops nothing.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The photos: FOLDER/PERSON/PHOTO.jpg.
    photos: PathBuf,
    /// The set to write: NAME.rec.
    set: PathBuf,
    /// The pack whose detector is used: the one that the trained network will be packed with.
    #[arg(long)]
    pack: PathBuf,
    /// Which face of a photo is the person's.
    #[arg(long, value_enum, default_value_t = FaceRule::Central)]
    face: FaceRule,
    /// Leave out faces with a lower detector score.
    #[arg(long, default_value_t = 0.5)]
    least_score: f32,
    /// Leave out faces with fewer pixels between the eyes.
    #[arg(long, default_value_t = 0.0)]
    least_eye_distance: f32,
    /// Quality of the chips' JPEGs, 1 to 100.
    #[arg(long, default_value_t = 95, value_parser = clap::value_parser!(u8).range(1..=100))]
    quality: u8,
    /// Store chips as PNG, without loss and four times as large.
    #[arg(long, conflicts_with = "quality")]
    png: bool,
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Which of several faces.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum FaceRule {
    /// Exactly one may be there.
    Only,
    /// The largest.
    Largest,
    /// Large and near the middle.
    Central,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<()> {
    let face = match arguments.face {
        FaceRule::Only => FaceChoice::Only,
        FaceRule::Largest => FaceChoice::Largest,
        FaceRule::Central => FaceChoice::MostCentral,
    };
    let settings = AlignSettings {
        face,
        least_score: arguments.least_score,
        least_eye_distance: arguments.least_eye_distance,
        encoding: if arguments.png { Encoding::Png } else { Encoding::Jpeg(arguments.quality) },
    };
    let pack = Pack::open(&arguments.pack, Trust::Unsigned)?;
    super::make_folder_of(&arguments.set)?;
    let photos = Folder::open(&arguments.photos)?;
    let bar = super::progress("photos");
    let work = || {
        align(&photos, &pack, &settings, &arguments.set, |done, all| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        })
    };
    let aligned = pool(arguments.threads)?.install(work)?;
    bar.finish_and_clear();
    println!("{} chips of {} identities in {}", aligned.chips, aligned.identities, arguments.set.display());
    let failed: usize = aligned.failed.values().sum();
    if failed > 0 {
        println!("{failed} of {} photos failed:", failed + aligned.chips);
        for ((number, name), count) in &aligned.failed {
            println!("  {count} × E{number} {name}");
        }
    }
    Ok(())
}
