//! `trainer data`: sets of chips and test sets from one form into another, and a look at them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use image::ImageFormat;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::data::augment::Augmentation;
use crate::data::chips::{ChipSet, decode};
use crate::data::contact_sheet::{self, Tile};
use crate::data::loader::{Loader, LoaderSettings};
use crate::data::sampler::{Position, Sampler};
use crate::data::set_writer::SetWriter;
use crate::data::test_set::TestSet;
use crate::data::verification_bin::VerificationBin;
use crate::error::{Error, Result};
use crate::train::config::Config;

/// Converts, shows and times data.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say what a set holds.
    Info {
        /// NAME.rec, or a folder of chips.
        set: PathBuf,
    },
    /// Write a folder of chips, FOLDER/PERSON/CHIP, as NAME.rec; the picture files stay as they are.
    Pack { folder: PathBuf, set: PathBuf },
    /// Write a set's pictures into a folder, FOLDER/IDENTITY/RECORD.
    Unpack { set: PathBuf, folder: PathBuf },
    /// Write a set in two: one to train on, one of people who are held out, for `trainer pack --calibration`.
    Split(Split),
    /// Write a list of pairs of chips as insightface's NAME.bin.
    PackPairs {
        /// pairs.txt, a list with tabs, AgeDB-30's list, or CFP's …/Protocol/Split/FP.
        list: PathBuf,
        bin: PathBuf,
        /// The folder that the list's paths start from.
        #[arg(long)]
        pictures: Option<PathBuf>,
    },
    /// Write the pictures of a NAME.bin into a folder, with pairs.tsv.
    UnpackPairs { bin: PathBuf, folder: PathBuf },
    /// Draw chips as training will see them: each row one chip, as it is and varied.
    Sheet(Sheet),
    /// Time the data loader alone.
    Bench(Bench),
}

#[derive(Debug, clap::Args)]
struct Split {
    /// NAME.rec, or a folder of chips.
    set: PathBuf,
    /// The set to train on, NAME.rec.
    kept: PathBuf,
    /// The set of those held out, NAME.rec.
    held_out: PathBuf,
    /// How many people are held out.
    #[arg(long, default_value_t = 1000)]
    identities: usize,
    /// Draws them.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, clap::Args)]
struct Sheet {
    /// NAME.rec, or a folder of chips.
    set: PathBuf,
    /// The picture to write, PNG.
    png: PathBuf,
    /// Take the variation from a configuration; otherwise each column shows one kind of it.
    #[arg(long)]
    config: Option<PathBuf>,
    #[arg(long, default_value_t = 10)]
    chips: usize,
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, clap::Args)]
struct Bench {
    /// The configuration whose set, batch and variation are timed.
    config: PathBuf,
    /// Change one key of it: --set blur=0.2.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    changes: Vec<String>,
    /// Numbers of decoding threads to try.
    #[arg(long, value_delimiter = ',', default_value = "1,2")]
    workers: Vec<usize>,
    /// Seconds for each.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.command {
        Command::Info { set } => info(set),
        Command::Pack { folder, set } => pack(folder, set),
        Command::Unpack { set, folder } => unpack(set, folder),
        Command::Split(arguments) => split(arguments),
        Command::PackPairs { list, bin, pictures } => pack_pairs(list, pictures.as_deref(), bin),
        Command::UnpackPairs { bin, folder } => unpack_pairs(bin, folder),
        Command::Sheet(arguments) => sheet(arguments),
        Command::Bench(arguments) => bench(arguments),
    }
}

fn info(path: &Path) -> Result<()> {
    let set = ChipSet::open(path, false)?;
    let mut counts = vec![0usize; set.identities()];
    (0..set.len()).for_each(|chip| counts[set.identity(chip) as usize] += 1);
    let at_least = |count: usize| counts.iter().filter(|&&chips| chips >= count).count();
    println!("{} chips of {} identities, fingerprint {}", set.len(), set.identities(), set.fingerprint());
    println!("{} identities have 2 or more, {} have 5, {} have 20", at_least(2), at_least(5), at_least(20));
    if at_least(1) < counts.len() {
        println!("{} identities have none", counts.len() - at_least(1));
    }
    Ok(())
}

fn pack(folder: &Path, path: &Path) -> Result<()> {
    super::make_folder_of(path)?;
    let set = ChipSet::open(folder, false)?;
    let mut writer = SetWriter::create(path, set.len(), set.identities())?;
    for chip in 0..set.len() {
        let bytes = set.encoded(chip)?;
        decode(&bytes).map_err(|reason| Error::data(set.place(chip), reason))?;
        writer.push(set.identity(chip), bytes)?;
    }
    writer.finish()?;
    if let Some(names) = set.names() {
        let lines: String = names.iter().enumerate().map(|(identity, name)| format!("{identity}\t{name}\n")).collect();
        write(&path.with_extension("names.tsv"), format!("identity\tname\n{lines}").as_bytes())?;
    }
    println!("{} chips of {} identities in {}", set.len(), set.identities(), path.display());
    Ok(())
}

fn unpack(path: &Path, folder: &Path) -> Result<()> {
    let set = ChipSet::open(path, false)?;
    for chip in 0..set.len() {
        let person = folder.join(format!("{:07}", set.identity(chip)));
        std::fs::create_dir_all(&person).map_err(Error::file(&person))?;
        let bytes = set.encoded(chip)?;
        write(&person.join(format!("{:08}.{}", chip + 1, ending(&bytes))), &bytes)?;
    }
    println!("{} chips of {} identities below {}", set.len(), set.identities(), folder.display());
    Ok(())
}

fn split(arguments: &Split) -> Result<()> {
    let set = ChipSet::open(&arguments.set, false)?;
    let mut chips: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    (0..set.len()).for_each(|index| chips.entry(set.identity(index)).or_default().push(index));
    let mut people: Vec<u32> = chips.keys().copied().collect();
    if !(1..people.len()).contains(&arguments.identities) {
        let reason = format!("{} of its {} people cannot be held out", arguments.identities, people.len());
        return Err(Error::data(arguments.set.display().to_string(), reason));
    }
    people.shuffle(&mut ChaCha8Rng::seed_from_u64(arguments.seed));
    let (held_out, kept) = people.split_at(arguments.identities);
    for (people, path) in [(kept, &arguments.kept), (held_out, &arguments.held_out)] {
        let people: BTreeSet<u32> = people.iter().copied().collect();
        let of = |person: &u32| chips.get(person).map(Vec::as_slice).unwrap_or_default();
        let count = people.iter().map(|person| of(person).len()).sum();
        super::make_folder_of(path)?;
        let mut writer = SetWriter::create(path, count, people.len())?;
        for (identity, person) in people.iter().enumerate() {
            for &chip in of(person) {
                writer.push(identity as u32, set.encoded(chip)?)?;
            }
        }
        writer.finish()?;
        println!("{}: {count} chips of {} people", path.display(), people.len());
    }
    Ok(())
}

fn pack_pairs(list: &Path, pictures: Option<&Path>, bin: &Path) -> Result<()> {
    super::make_folder_of(bin)?;
    let test = TestSet::open(list, pictures)?;
    let mut encoded = Vec::with_capacity(2 * test.list().pairs().len());
    for pair in test.list().pairs() {
        for picture in [pair.a, pair.b] {
            test.chip(picture)?;
            encoded.push(test.encoded(picture)?);
        }
    }
    let same = test.list().pairs().iter().map(|pair| pair.same).collect();
    let set = VerificationBin::new(encoded, same).map_err(|reason| Error::data(list.display().to_string(), reason))?;
    set.write(bin)?;
    println!("{} pairs in {}", set.same().len(), bin.display());
    Ok(())
}

fn unpack_pairs(bin: &Path, folder: &Path) -> Result<()> {
    let set = VerificationBin::open(bin)?;
    std::fs::create_dir_all(folder).map_err(Error::file(folder))?;
    let mut names = Vec::with_capacity(set.pictures().len());
    for (number, bytes) in set.pictures().iter().enumerate() {
        let name = format!("{number:06}.{}", ending(bytes));
        write(&folder.join(&name), bytes)?;
        names.push(name);
    }
    let line = |(names, same): (&[String], &bool)| format!("{}\t{}\t{}\n", names[0], names[1], i32::from(*same));
    let lines: String = names.chunks_exact(2).zip(set.same()).map(line).collect();
    write(&folder.join("pairs.tsv"), lines.as_bytes())?;
    println!("{} pairs below {}", set.same().len(), folder.display());
    Ok(())
}

fn sheet(arguments: &Sheet) -> Result<()> {
    let set = Arc::new(ChipSet::open(&arguments.set, false)?);
    let columns: Vec<(&str, Augmentation)> = match &arguments.config {
        Some(config) => vec![("varied", Config::open(config, &[])?.augmentation()); 8],
        None => {
            let none = Augmentation::NONE;
            vec![
                ("mirror", Augmentation { mirror: 1.0, ..none }),
                ("jitter", Augmentation { jitter: 1.0, ..none }),
                ("occlusion", Augmentation { occlusion: 1.0, ..none }),
                ("occlusion", Augmentation { occlusion: 1.0, ..none }),
                ("blur", Augmentation { blur: 1.0, ..none }),
                ("low_resolution", Augmentation { low_resolution: 1.0, ..none }),
                ("colour", Augmentation { colour: 1.0, ..none }),
                ("jpeg", Augmentation { jpeg: 1.0, ..none }),
            ]
        }
    };
    let mut sampler = Sampler::new(arguments.seed, set.len(), Position { epoch: 0, visited: 0 });
    let mut tiles = Vec::new();
    for _ in 0..arguments.chips {
        let first = sampler.visit();
        let chip = set.chip(first.index)?;
        tiles.push(Tile { chips: vec![chip.clone()], caption: vec![set.place(first.index)] });
        for (name, augmentation) in &columns {
            // Each column a generator of its own: that of the next visit.
            let varied = augmentation.apply(chip.clone(), &mut sampler.visit().rng);
            tiles.push(Tile { chips: vec![varied], caption: vec![(*name).to_owned()] });
        }
    }
    contact_sheet::write(&arguments.png, &tiles, columns.len() + 1)
}

fn bench(arguments: &Bench) -> Result<()> {
    let config = Config::open(&arguments.config, &arguments.changes)?;
    let set = Arc::new(ChipSet::open(&config.data, false)?);
    println!("{} chips, batch {}, none kept in memory", set.len(), config.batch);
    for (name, augmentation) in
        [("decoding alone", Augmentation::NONE), ("with the configuration's variation", config.augmentation())]
    {
        for &workers in &arguments.workers {
            let sampler = Sampler::new(config.seed, set.len(), Position { epoch: 0, visited: 0 });
            let settings =
                LoaderSettings { batch: config.batch, share: 0..config.batch, workers, ahead: 2 * workers, augmentation };
            let mut loader = Loader::start(set.clone(), sampler, settings);
            // Threads and buffers are there after the first batch.
            loader.batch()?;
            let (start, limit) = (Instant::now(), Duration::from_secs_f64(arguments.seconds.max(0.1)));
            let mut chips = 0;
            while start.elapsed() < limit {
                chips += loader.batch()?.identities.len();
            }
            println!("{:8.0} chips/s, {workers} threads, {name}", chips as f64 / start.elapsed().as_secs_f64());
            std::io::stdout().flush().map_err(Error::file("standard output"))?;
        }
    }
    Ok(())
}

/// The usual ending of a picture file, by its first bytes.
fn ending(bytes: &[u8]) -> &'static str {
    let known = image::guess_format(bytes).ok().and_then(|format: ImageFormat| format.extensions_str().first());
    known.copied().unwrap_or("bin")
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).map_err(Error::file(path))
}
