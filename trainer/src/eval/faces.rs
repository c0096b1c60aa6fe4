//! Faces to identify or to be distracted by: embeddings in a file, a RecordIO set, a list of chips, or MegaFace's test pack.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use tch::{Device, Tensor};
use veriface::Chip;

use super::model::Model;
use super::npy::Npy;
use crate::data::chips::{self, ChipSet};
use crate::data::megaface::{self, FaceScrub};
use crate::error::{Error, Result};

/// Faces that are in memory at once.
const BLOCK: usize = 4096;

/// Faces, and who they are where that is known.
pub struct Faces {
    path: PathBuf,
    source: Source,
    identities: Option<Vec<u32>>,
}

enum Source {
    Embeddings(Npy),
    Chips(ChipSet),
    Files(Vec<PathBuf>),
}

impl Faces {
    /// Opens by the ending:
    /// - `.npy`: embeddings, one a row; `NAME.txt` beside it, if it is there, has an identity a line;
    /// - `.rec`: chips with their identities;
    /// - else a list of chips, `path` or `path TAB identity` a line, paths from the list's folder.
    pub fn open(path: &Path) -> Result<Self> {
        let (source, identities) = match path.extension().and_then(|ending| ending.to_str()) {
            Some("npy") => {
                let npy = Npy::open(path)?;
                let names = path.with_extension("txt");
                let names =
                    if names.exists() { Some(std::fs::read_to_string(&names).map_err(Error::file(&names))?) } else { None };
                (Source::Embeddings(npy), names.map(|names| numbered(names.lines())))
            }
            Some("rec") => {
                let set = ChipSet::open(path, false)?;
                let identities = (0..set.len()).map(|index| set.identity(index)).collect();
                (Source::Chips(set), Some(identities))
            }
            _ => {
                let text = std::fs::read_to_string(path).map_err(Error::file(path))?;
                let folder = path.parent().unwrap_or(Path::new("."));
                let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
                let files = lines.iter().map(|line| folder.join(line.split('\t').next().unwrap_or_default())).collect();
                let names: Option<Vec<&str>> = lines.iter().map(|line| line.split('\t').nth(1)).collect();
                (Source::Files(files), names.map(|names| numbered(names.into_iter())))
            }
        };
        let faces = Faces { path: path.to_path_buf(), source, identities };
        match &faces.identities {
            Some(identities) if identities.len() != faces.len() => {
                Err(faces.error(format!("{} identities for {} faces", identities.len(), faces.len())))
            }
            _ => Ok(faces),
        }
    }

    /// The probes and distractors of insightface's MegaFace test pack: `facescrub_lst` and `megaface_lst` with the chips below
    /// `facescrub_images` and `megaface_images`. What `facescrub_noises.txt` and `megaface_noises.txt` name is left out.
    pub fn megaface(pack: &Path) -> Result<(Self, Self)> {
        let noises = |name: &str| Some(pack.join(name)).filter(|path| path.exists());
        let list = pack.join("facescrub_lst");
        let scrub = FaceScrub::open(&list, noises("facescrub_noises.txt").as_deref())?;
        let probes: Vec<_> = scrub.probes.into_iter().filter(|probe| !probe.noise).collect();
        let probes = Faces {
            path: list,
            identities: Some(probes.iter().map(|probe| probe.person as u32).collect()),
            source: Source::Files(probes.iter().map(|probe| pack.join("facescrub_images").join(&probe.path)).collect()),
        };
        let list = pack.join("megaface_lst");
        let distractors = megaface::distractors(&list, noises("megaface_noises.txt").as_deref())?;
        let files = distractors.into_iter().filter(|distractor| !distractor.noise);
        let files = files.map(|distractor| pack.join("megaface_images").join(distractor.path)).collect();
        Ok((probes, Faces { path: list, identities: None, source: Source::Files(files) }))
    }

    /// How many faces.
    pub fn len(&self) -> usize {
        match &self.source {
            Source::Embeddings(npy) => npy.rows(),
            Source::Chips(set) => set.len(),
            Source::Files(files) => files.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Who each face is.
    pub fn identities(&self) -> Option<&[u32]> {
        self.identities.as_deref()
    }

    /// Their embeddings in order, as blocks `[n, d]` of `f32` on the CPU, not normalised. Chips need a model.
    pub fn blocks<'a>(&'a self, model: Option<&'a Model>) -> impl Iterator<Item = Result<Tensor>> + 'a {
        (0..self.len()).step_by(BLOCK).map(move |from| self.block(model, from, (from + BLOCK).min(self.len())))
    }

    fn block(&self, model: Option<&Model>, from: usize, to: usize) -> Result<Tensor> {
        let chip = |index: usize| -> Result<Chip> {
            let rgb = match &self.source {
                Source::Chips(set) => set.chip(index)?,
                Source::Files(files) => {
                    let path = files.get(index).ok_or_else(|| self.error(format!("there is no face {index}")))?;
                    let bytes = std::fs::read(path).map_err(Error::file(path))?;
                    chips::decode(&bytes).map_err(|reason| Error::data(path.display().to_string(), reason))?
                }
                Source::Embeddings(_) => return Err(self.error("embeddings have no chips".into())),
            };
            Ok(Chip::from_aligned(rgb)?)
        };
        if let Source::Embeddings(npy) = &self.source {
            return Ok(Tensor::from_slice(&npy.read(from, to - from)?).view([(to - from) as i64, npy.columns() as i64]));
        }
        let model = model.ok_or_else(|| self.error("these are chips: name a model, or give their embeddings as .npy".into()))?;
        let mut rows: Vec<Tensor> = Vec::new();
        for from in (from..to).step_by(256) {
            let chips: Vec<Chip> = (from..(from + 256).min(to)).into_par_iter().map(chip).collect::<Result<_>>()?;
            for embedding in model.embed(&chips)? {
                rows.push(Tensor::from_slice(embedding?.values()));
            }
        }
        Ok(Tensor::stack(&rows, 0).to_device(Device::Cpu))
    }

    fn error(&self, reason: String) -> Error {
        Error::data(self.path.display().to_string(), reason)
    }
}

/// Names as numbers, from 0 in the order in which they first appear.
fn numbered<'a>(names: impl Iterator<Item = &'a str>) -> Vec<u32> {
    let mut numbers = HashMap::new();
    names
        .map(|name| {
            let next = numbers.len() as u32;
            *numbers.entry(name.trim()).or_insert(next)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::npy;
    use super::*;

    #[test]
    fn embeddings_come_in_blocks_with_their_people() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("faces.npy");
        let rows = BLOCK + 5;
        npy::write(&path, rows, 2, (0..rows).map(|row| Ok(vec![row as f32, 1.0]))).expect("written");
        let faces = Faces::open(&path).expect("faces");
        assert_eq!((faces.len(), faces.identities()), (rows, None));
        let blocks: Vec<Tensor> = faces.blocks(None).collect::<Result<_>>().expect("blocks");
        assert_eq!(blocks.iter().map(Tensor::size).collect::<Vec<_>>(), [[BLOCK as i64, 2], [5, 2]]);
        assert_eq!(blocks[1].double_value(&[4, 0]), (rows - 1) as f64);
        std::fs::write(folder.path().join("faces.txt"), "ann\nbob\n".repeat(rows / 2) + "ann\n").expect("written");
        assert_eq!(Faces::open(&path).expect("faces").identities().map(|of| (of[0], of[1], of[2])), Some((0, 1, 0)));
        std::fs::write(folder.path().join("faces.txt"), "ann\n").expect("written");
        assert!(Faces::open(&path).is_err());
    }

    #[test]
    fn chips_without_a_model_say_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("probes.tsv");
        std::fs::write(&path, "a.png\tann\nb.png\tbob\n").expect("written");
        let faces = Faces::open(&path).expect("faces");
        assert_eq!(faces.identities(), Some(&[0, 1][..]));
        let error = faces.blocks(None).next().expect("a block").expect_err("no model").to_string();
        assert!(error.contains("name a model"), "{error}");
    }
}
