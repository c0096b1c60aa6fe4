//! `trainer clean`: what is wrong with a set, and the set without it.

mod recogniser;

use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;

use super::{pool, progress};
use crate::data::chips::ChipSet;
use crate::data::clean::embeddings::Embeddings;
use crate::data::clean::overlap::TestPeople;
use crate::data::clean::pixel_hash::PixelHash;
use crate::data::clean::report::{Report, table_beside};
use crate::data::clean::{Limits, find};
use crate::data::contact_sheet;
use crate::data::test_set::TestSet;
use crate::error::{Error, Result};
use recogniser::Recogniser;

/// Pictures of a test person from which their centre is taken.
const PICTURES_A_PERSON: usize = 4;

/// Finds pictures of somebody else, near-duplicates, one person under two identities, and people of named test sets, by a
/// recogniser's embeddings; writes the set without them.
///
/// Beside NAME.rec it writes NAME.tsv (with each record's old number), NAME.dropped.tsv and NAME.merged.tsv, and a contact sheet for
/// each reason, NAME.stray.png and so on: what was dropped or merged beside what it was judged by, the least certain first. Look at
/// them before you train on the rest.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The set: NAME.rec, or a folder of chips.
    set: PathBuf,
    /// The cleaned set to write: NAME.rec.
    cleaned: PathBuf,
    /// The recogniser: an ONNX file, input [1, 3, 112, 112] RGB. Its embeddings are those that `trainer teach` keeps.
    #[arg(long, required_unless_present = "pack")]
    teacher: Option<PathBuf>,
    /// What the teacher wants subtracted from each byte.
    #[arg(long, default_value_t = 127.5)]
    mean: f32,
    /// What the difference is divided by.
    #[arg(long, default_value_t = 127.5)]
    scale: f32,
    /// Where `trainer teach` keeps the embeddings; they are computed where they are missing.
    #[arg(long, default_value = "runs")]
    folder: PathBuf,
    /// Use each chip alone; otherwise the sum with its mirror image.
    #[arg(long)]
    no_mirror: bool,
    /// A pack: the recogniser, where no teacher is named; the detector for test sets of photos.
    #[arg(long)]
    pack: Option<PathBuf>,
    /// A test set whose people must not be in the set: pairs.txt, a list with tabs, NAME.bin, or CFP's …/Protocol/Split/FP; after =,
    /// the folder of its pictures. May be given again.
    #[arg(long = "against", value_name = "LIST[=FOLDER]")]
    against: Vec<String>,
    /// The identities' names, lines of number, tab, name; a folder's are its subfolders'.
    #[arg(long)]
    names: Option<PathBuf>,
    /// Write the lists and the contact sheets only.
    #[arg(long)]
    dry_run: bool,
    /// Tiles of each contact sheet.
    #[arg(long, default_value_t = 60)]
    tiles: usize,
    /// A picture less like the others of its identity is a stray.
    #[arg(long, default_value_t = Limits::default().stray)]
    stray: f32,
    /// Identities so alike are one person.
    #[arg(long, default_value_t = Limits::default().merge)]
    merge: f32,
    /// An identity so like a test person is that person.
    #[arg(long, default_value_t = Limits::default().overlap)]
    overlap: f32,
    /// In how many of 240 bits two duplicates may differ.
    #[arg(long, default_value_t = Limits::default().duplicate_bits)]
    duplicate_bits: u32,
    #[arg(long, default_value_t = 2)]
    threads: usize,
}

/// Runs the subcommand.
pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.cleaned.exists() && !arguments.dry_run {
        return Err(Error::data(arguments.cleaned.display().to_string(), "it is there already; name another file, or delete it"));
    }
    super::make_folder_of(&arguments.cleaned)?;
    let pool = pool(arguments.threads)?;
    let set = ChipSet::open(&arguments.set, false)?;
    let names = match &arguments.names {
        Some(path) => Some(read_names(path, set.identities())?),
        None => set.names().map(<[String]>::to_vec),
    };
    let recogniser = Recogniser::open(arguments)?;
    let embeddings = recogniser.of_set(&set, arguments, &pool)?;
    let tests = arguments.against.iter().map(|test| open_test(test)).collect::<Result<Vec<_>>>()?;
    let people = tests.iter().map(|test| test_people(test, &recogniser, &pool)).collect::<Result<Vec<_>>>()?;
    let hashes = pool.install(|| hashes(&set));

    let start = Instant::now();
    let identities: Vec<u32> = (0..set.len()).map(|chip| set.identity(chip)).collect();
    let limits = Limits {
        stray: arguments.stray,
        merge: arguments.merge,
        overlap: arguments.overlap,
        duplicate_bits: arguments.duplicate_bits,
        ..Limits::default()
    };
    let findings = find(&embeddings, &identities, &hashes, &people, names.as_deref(), &limits);
    eprintln!("searched {} chips in {:.1} s", set.len(), start.elapsed().as_secs_f64());

    let pictures: Vec<Vec<usize>> = people.into_iter().map(|people| people.pictures).collect();
    let report = Report { set: &set, findings: &findings, tests: &tests, people: &pictures };
    let beside = |ending: &str| arguments.cleaned.with_extension(ending);
    report.write_dropped(&beside("dropped.tsv"))?;
    report.write_merged(&beside("merged.tsv"))?;
    for (reason, tiles) in report.sheets(arguments.tiles, |test, picture| recogniser.chip(&tests[test], picture)) {
        contact_sheet::write(&beside(&format!("{reason}.png")), &tiles, 8)?;
    }
    println!("{}", report.summary());
    if !arguments.dry_run {
        report.write_set(&arguments.cleaned, table_beside(&arguments.set).as_deref())?;
        println!("{} of {} pictures stay, in {}", set.len() - findings.dropped.len(), set.len(), arguments.cleaned.display());
    }
    Ok(())
}

fn hashes(set: &ChipSet) -> Vec<PixelHash> {
    // A chip that does not decode is like no other.
    (0..set.len()).into_par_iter().map(|chip| set.chip(chip).map(|chip| PixelHash::of(&chip)).unwrap_or_default()).collect()
}

fn open_test(test: &str) -> Result<TestSet> {
    match test.split_once('=') {
        Some((list, folder)) => TestSet::open(list, Some(Path::new(folder))),
        None => TestSet::open(test, None),
    }
}

/// The centres of a test set's people, from their first pictures.
fn test_people(test: &TestSet, recogniser: &Recogniser, pool: &rayon::ThreadPool) -> Result<TestPeople> {
    let person_of = test.people();
    let count = person_of.iter().max().map_or(0, |last| last + 1);
    let mut pictures: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (picture, &person) in person_of.iter().enumerate() {
        if pictures[person].len() < PICTURES_A_PERSON {
            pictures[person].push(picture);
        }
    }
    let bar = progress("test people");
    bar.set_length(count as u64);
    let centre = |pictures: &Vec<usize>| {
        let rows: Vec<Vec<f32>> = pictures
            .iter()
            .filter_map(|&picture| {
                let row = recogniser.chip(test, picture).and_then(|chip| recogniser.embed(&chip));
                row.map_err(|error| bar.suspend(|| eprintln!("{error}"))).ok()
            })
            .collect();
        bar.inc(1);
        let first = rows.first()?.clone();
        Some(rows.iter().skip(1).fold(first, |sum, row| sum.iter().zip(row).map(|(a, b)| a + b).collect()))
    };
    let centres: Vec<Option<Vec<f32>>> = pool.install(|| pictures.par_iter().map(centre).collect());
    bar.finish_and_clear();
    let failed = centres.iter().filter(|centre| centre.is_none()).count();
    eprintln!("{}: {count} people, {failed} without a usable picture", test.path().display());
    let known: Vec<usize> = (0..count).filter(|&person| centres[person].is_some()).collect();
    let Some(columns) = centres.iter().flatten().map(Vec::len).next() else {
        return Err(Error::data(test.path().display().to_string(), "no picture of this test set could be embedded"));
    };
    let rows = known.iter().flat_map(|&person| centres[person].clone().unwrap_or_default()).collect();
    let centres = Embeddings::new(rows, columns).map_err(|reason| Error::data(test.path().display().to_string(), reason))?;
    let name = |&person: &usize| pictures[person].first().and_then(|&picture| test.name(picture)).map(str::to_owned);
    Ok(TestPeople {
        centres,
        names: known.iter().map(name).collect(),
        pictures: known.iter().map(|&person| pictures[person][0]).collect(),
    })
}

/// Lines of number, tab, name; a first line that begins otherwise is a heading.
fn read_names(path: &Path, identities: usize) -> Result<Vec<String>> {
    let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
    let mut names = vec![String::new(); identities];
    for (number, line) in text.lines().enumerate() {
        let named = line.split_once('\t').and_then(|(identity, name)| Some((identity.parse::<usize>().ok()?, name)));
        match named {
            Some((identity, name)) if identity < identities => names[identity] = name.to_owned(),
            _ if number == 0 => {}
            _ => {
                let reason = format!("line {}: expected an identity below {identities}, tab, name", number + 1);
                return Err(Error::data(path.display().to_string(), reason));
            }
        }
    }
    Ok(names)
}
