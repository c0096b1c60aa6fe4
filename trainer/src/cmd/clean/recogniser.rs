//! What makes embeddings for cleaning: a teacher, or a pack.

use rayon::prelude::*;
use veriface::{Chip as AlignedChip, Detector, FaceChoice, Pack, Photo, Purpose, QualityPolicy, Search, Trust, Verifier};

use super::Arguments;
use crate::data::augment::mirror;
use crate::data::chips::{Chip, ChipSet, SIDE};
use crate::data::clean::embeddings::Embeddings;
use crate::data::test_set::TestSet;
use crate::error::{Error, Result};
use crate::train::teacher::{Normalisation, Teacher};
use crate::train::teacher_cache;

/// A recogniser, and a detector where a pack gives one.
pub struct Recogniser {
    network: Network,
    detector: Option<Detector>,
}

enum Network {
    Teacher { teacher: Teacher, mirrored: bool },
    Pack(Verifier),
}

impl Recogniser {
    /// Loads what the arguments name.
    pub fn open(arguments: &Arguments) -> Result<Self> {
        let pack = arguments.pack.as_ref().map(|path| Pack::open(path, Trust::Unsigned)).transpose()?;
        let detector = pack.as_ref().map(Detector::load).transpose()?;
        let network = match (&arguments.teacher, pack) {
            (Some(teacher), _) => {
                let normalisation = Normalisation { mean: arguments.mean, scale: arguments.scale };
                Network::Teacher { teacher: Teacher::open(teacher, normalisation)?, mirrored: !arguments.no_mirror }
            }
            (None, Some(pack)) => {
                let builder = Verifier::builder(pack).quality_policy(Purpose::Verify, QualityPolicy::accept_all());
                Network::Pack(builder.mirror_averaging(!arguments.no_mirror)?.build()?)
            }
            (None, None) => return Err(Error::Config("name a recogniser: --teacher or --pack".into())),
        };
        Ok(Recogniser { network, detector })
    }

    /// The embedding of a chip.
    pub fn embed(&self, chip: &[u8]) -> Result<Vec<f32>> {
        match &self.network {
            Network::Teacher { teacher, mirrored: false } => teacher.embed(chip),
            Network::Teacher { teacher, mirrored: true } => {
                let both = [teacher.embed(chip)?, teacher.embed(&mirror(chip))?];
                Ok(both[0].iter().zip(&both[1]).map(|(a, b)| a + b).collect())
            }
            Network::Pack(verifier) => Ok(verifier.embed(&AlignedChip::from_aligned(chip)?)?.values().to_vec()),
        }
    }

    /// The embeddings of a whole set.
    pub fn of_set(&self, set: &ChipSet, arguments: &Arguments, pool: &rayon::ThreadPool) -> Result<Embeddings> {
        let bar = crate::cmd::progress("embeddings");
        let (rows, columns) = match &self.network {
            Network::Teacher { teacher, mirrored } => {
                std::fs::create_dir_all(&arguments.folder).map_err(Error::file(&arguments.folder))?;
                let path = teacher_cache::path(&arguments.folder, teacher, set, *mirrored);
                let cache = teacher_cache::fill(&path, teacher, set, *mirrored, arguments.threads, |done, all| {
                    bar.set_length(all as u64);
                    bar.set_position(done as u64);
                })?;
                (cache.rows.iter().map(|value| value.to_f32()).collect(), cache.columns)
            }
            Network::Pack(_) => {
                bar.set_length(set.len() as u64);
                let embed = |chip| {
                    let row = set.chip(chip).and_then(|chip| self.embed(&chip));
                    bar.inc(1);
                    row
                };
                let rows = pool.install(|| (0..set.len()).into_par_iter().map(embed).collect::<Result<Vec<_>>>())?;
                let columns = rows.first().map_or(0, Vec::len);
                (rows.concat(), columns)
            }
        };
        bar.finish_and_clear();
        Embeddings::new(rows, columns).map_err(|reason| Error::data(arguments.set.display().to_string(), reason))
    }

    /// A test set's picture as a chip: as it is where it is one, otherwise the face that the pack's detector finds.
    pub fn chip(&self, test: &TestSet, picture: usize) -> Result<Chip> {
        let name = || format!("{}: {}", test.path().display(), test.list().pictures()[picture].display());
        let wrong = |error: veriface::Error| Error::data(name(), error.to_string());
        let photo = Photo::decode(&test.encoded(picture)?).map_err(wrong)?;
        let frame = photo.frame();
        if (frame.width() as usize, frame.height() as usize) == (SIDE, SIDE) {
            return Ok(frame.to_upright_rgb());
        }
        let Some(detector) = &self.detector else {
            return Err(Error::data(name(), "it is a photo and no chip: name a --pack, whose detector finds the face"));
        };
        let faces = detector.detect(&frame, &Search::default()).map_err(wrong)?;
        let face = FaceChoice::MostCentral.choose(&faces, &frame).map_err(wrong)?;
        Ok(veriface::align(&frame, &face.landmarks).map_err(wrong)?.rgb().to_vec())
    }
}
