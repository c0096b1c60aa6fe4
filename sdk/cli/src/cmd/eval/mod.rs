mod gates;
mod table;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use veriface::evaluation::{Options, PairList, ThresholdSearch, evaluate};
use veriface::{Chip, Embedding, Error, ErrorCode, FaceChoice, Photo, Purpose, Quality, QualityPolicy, Result, Verifier};

use crate::setup::Setup;
use crate::{Outcome, inputs, print_line};

#[derive(clap::Args)]
pub struct Args {
    /// LFW's pairs.txt: pictures are NAME/NAME_0001.jpg under --photos
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    pairs: Option<PathBuf>,
    /// A list of pairs, one a line: path, tab, path, tab, 1 for the same person or 0; a further tab and name tell groups apart
    #[arg(long, value_name = "FILE", conflicts_with = "pairs")]
    list: Option<PathBuf>,
    /// The folder that the list's paths start from; by default the list's own
    #[arg(long, value_name = "FOLDER")]
    photos: Option<PathBuf>,
    /// The pictures are 112×112 chips already
    #[arg(long)]
    aligned: bool,
    /// Add the mirrored chip's output to each embedding, whatever the pack says
    #[arg(long)]
    mirror: bool,
    /// How nine folds choose the tenth's threshold: exact, score-grid (steps of 0.0002) or distance-grid (insightface's)
    #[arg(long, value_name = "RULE", default_value = "exact")]
    threshold_search: ThresholdSearch,
    /// Refuse faces that the pack's policy for verification refuses; they count as failures to enrol
    #[arg(long, conflicts_with = "aligned")]
    quality: bool,
    /// Say what each gate of the pack's policies would refuse, and how those comparisons end
    #[arg(long, conflicts_with_all = ["aligned", "quality"])]
    gates: bool,
    /// The score at which --gates decides; by default the pack's at 1 in 1,000, or else the list's own
    #[arg(long, value_name = "SCORE", requires = "gates", allow_negative_numbers = true)]
    threshold: Option<f32>,
}

pub fn run(setup: &Setup, args: &Args) -> Result<Outcome> {
    let Some(file) = args.pairs.as_ref().or(args.list.as_ref()) else {
        return Err(Error::new(ErrorCode::InvalidArgument, "--pairs or --list"));
    };
    let text = std::fs::read_to_string(file).map_err(|e| Error::new(ErrorCode::CannotRead, e.to_string()).in_file(file))?;
    let list = if args.pairs.is_some() { PairList::lfw(&text) } else { PairList::tab_separated(&text) };
    let list = list.map_err(|e| e.in_file(file))?;
    let folder = args.photos.as_deref().or(file.parent()).unwrap_or(Path::new("."));
    let verifier = verifier(setup, args)?;

    let Extracted { embeddings, qualities, failures } = extract_all(&verifier, args, folder, &list);
    let report = evaluate(&list, &embeddings, &Options { search: args.threshold_search, ..Options::default() })?;
    let gates = match args.gates {
        true => Some(gates::measure(&verifier, args.threshold, &list, &qualities, &embeddings, &report)?),
        false => None,
    };
    if setup.json {
        let mut object = serde_json::json!(report);
        object["failures"] = serde_json::json!(failures);
        object["pack"] = verifier.pack().manifest().id.clone().into();
        object["mirror"] = verifier.pack().manifest().recogniser.mirror.into();
        if let Some(gates) = gates {
            object["gates"] = serde_json::json!(gates);
        }
        print_line(object)?;
    } else {
        table::print(&report, &failures)?;
        gates.map_or(Ok(()), |gates| gates::print(&gates))?;
    }
    Ok(Outcome::Done)
}

/// The face is chosen as in the published reference runs on LFW: large and near the centre.
fn verifier(setup: &Setup, args: &Args) -> Result<Verifier> {
    let mut builder = Verifier::builder(setup.open_pack()?).face_choice(FaceChoice::MostCentral);
    if args.mirror {
        builder = builder.mirror_averaging(true)?;
    }
    if !args.quality {
        builder = builder.quality_policy(Purpose::Verify, QualityPolicy::accept_all());
    }
    builder.build()
}

/// What each picture of the list gave, and how many pictures failed by which error.
struct Extracted {
    embeddings: Vec<Option<Embedding>>,
    /// None where no face was found, and of chips.
    qualities: Vec<Option<Quality>>,
    failures: BTreeMap<String, usize>,
}

fn extract_all(verifier: &Verifier, args: &Args, folder: &Path, list: &PairList) -> Extracted {
    let bar = inputs::progress(list.pictures().len(), "pictures");
    let extract = |picture: &PathBuf| -> Result<(Embedding, Option<Quality>)> {
        let photo = Photo::open(folder.join(picture))?;
        if args.aligned {
            return Ok((verifier.embed(&Chip::from_aligned(photo.frame().to_upright_rgb())?)?, None));
        }
        let extraction = verifier.extract(&photo, Purpose::Verify)?;
        Ok((extraction.embedding, Some(extraction.quality)))
    };
    let results: Vec<_> = list
        .pictures()
        .par_iter()
        .map(|picture| {
            let result = extract(picture);
            bar.inc(1);
            result
        })
        .collect();
    bar.finish_and_clear();
    let mut failures = BTreeMap::new();
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        *failures.entry(format!("E{} {}", error.code().number(), error.code().name())).or_insert(0) += 1;
    }
    let split = |result: Result<(Embedding, Option<Quality>)>| match result {
        Ok((embedding, quality)) => (Some(embedding), quality),
        Err(_) => (None, None),
    };
    let (embeddings, qualities) = results.into_iter().map(split).unzip();
    Extracted { embeddings, qualities, failures }
}
