//! From a test set to one embedding a picture.

use std::collections::BTreeMap;

use rayon::prelude::*;
use veriface::{Chip, Embedding, FaceChoice, Family, Photo, Verifier};

use super::model::{Model, network_outputs};
use crate::data::test_set::TestSet;
use crate::error::Result;
use crate::net::Network;

/// Pictures that are in memory at once.
const BLOCK: usize = 256;

/// What the pictures are.
#[derive(Clone, Copy)]
pub enum PictureKind<'v> {
    /// Aligned 112×112 chips.
    Chips,
    /// Photos: the face that is meant is found and aligned with this verifier, large and near the middle as in the published runs.
    Photos(&'v Verifier),
}

impl PictureKind<'_> {
    /// The chip of a picture. No face on a photo is a failure to enrol, the inner error; a picture that does not decode is an error.
    pub fn chip(self, set: &TestSet, picture: usize) -> Result<veriface::Result<Chip>> {
        match self {
            PictureKind::Chips => Ok(Ok(Chip::from_aligned(set.chip(picture)?)?)),
            PictureKind::Photos(verifier) => {
                let file = &set.list().pictures()[picture];
                let photo = Photo::decode(&set.encoded(picture)?).map_err(|e| e.in_file(file))?;
                let chip = verifier.detect(&photo).and_then(|faces| {
                    let face = FaceChoice::MostCentral.choose(&faces, &photo.frame())?;
                    verifier.align(&photo, &face.landmarks)
                });
                match chip {
                    Err(error) if error.code().family() != Family::Face => Err(error.into()),
                    other => Ok(other),
                }
            }
        }
    }
}

/// The embeddings of a set's pictures, none where there is no face or no direction, and how often which error said so.
pub struct Embedded {
    /// One a picture of the pair list.
    pub embeddings: Vec<Option<Embedding>>,
    /// Error number and name → pictures.
    pub failures: BTreeMap<String, usize>,
}

/// Embeds every picture of the set once with each model. `progress` is told how many pictures are done.
pub fn test_set(models: &[&Model], set: &TestSet, kind: PictureKind<'_>, progress: impl Fn(usize)) -> Result<Vec<Embedded>> {
    let pictures: Vec<usize> = (0..set.list().pictures().len()).collect();
    let none = || Embedded { embeddings: Vec::with_capacity(pictures.len()), failures: BTreeMap::new() };
    let mut embedded: Vec<Embedded> = models.iter().map(|_| none()).collect();
    let mut done = 0;
    for block in pictures.chunks(BLOCK) {
        let chips: Vec<_> = block.par_iter().map(|&picture| kind.chip(set, picture)).collect::<Result<_>>()?;
        let found: Vec<Chip> = chips.iter().filter_map(|chip| chip.as_ref().ok()).cloned().collect();
        for (model, embedded) in models.iter().zip(&mut embedded) {
            let mut outputs = model.embed(&found)?.into_iter();
            for chip in &chips {
                let embedding = match chip {
                    Ok(_) => outputs.next().transpose(),
                    Err(error) => Err(error.clone()),
                };
                if let Err(error) = &embedding {
                    let name = format!("E{} {}", error.code().number(), error.code().name());
                    *embedded.failures.entry(name).or_default() += 1;
                }
                embedded.embeddings.push(embedding.ok().flatten());
            }
        }
        done += block.len();
        progress(done);
    }
    Ok(embedded)
}

/// Embeddings of a network in training, of chips as they are, without mirror averaging.
pub fn with_network(network: &Network, set: &TestSet) -> Result<Vec<Option<Embedding>>> {
    /// A network in training has no id that lasts; these embeddings meet only each other.
    const IN_TRAINING: veriface::ModelId = veriface::ModelId::from_bytes([0; 32]);
    let pictures: Vec<usize> = (0..set.list().pictures().len()).collect();
    let mut embeddings = Vec::with_capacity(pictures.len());
    for batch in pictures.chunks(64) {
        let chips: Vec<Chip> =
            batch.par_iter().map(|&picture| Ok(PictureKind::Chips.chip(set, picture)??)).collect::<Result<_>>()?;
        let outputs = network_outputs(network, &chips, false)?;
        embeddings.extend(outputs.into_iter().map(|output| Embedding::from_raw(IN_TRAINING, output).ok()));
    }
    Ok(embeddings)
}
