//! Chip in, unit vector out.

use crate::align::Chip;
use crate::error::{Error, ErrorCode, Result};
use crate::net::Network;
use crate::pack::{InputForm, Pack};

use super::{Embedding, ModelId};

/// The pack's recogniser, ready to run.
pub(crate) struct Recogniser {
    network: Network,
    input: InputForm,
    embedding_size: usize,
    mirror: bool,
    model: ModelId,
}

impl Recogniser {
    /// # Errors
    /// [`ErrorCode::UnusableNetwork`].
    pub(crate) fn load(pack: &Pack) -> Result<Recogniser> {
        let manifest = &pack.manifest().recogniser;
        let network = Network::load(pack.bytes_of(&manifest.part), &manifest.input.shape())?;
        Ok(Recogniser {
            network,
            input: manifest.input,
            embedding_size: manifest.embedding_size,
            mirror: manifest.mirror,
            model: pack.model_id(),
        })
    }

    /// The unit vector of a chip; with mirror averaging, of the sum of the chip's and its mirror's outputs (the paper's test features, §3.1).
    ///
    /// # Errors
    /// [`ErrorCode::InvalidEmbedding`], [`ErrorCode::NetworkFailed`], [`ErrorCode::UnusableNetwork`] when the output has another size than the manifest says.
    pub(crate) fn embed(&self, chip: &Chip) -> Result<Embedding> {
        let mut values = self.output(chip)?;
        if self.mirror {
            for (value, mirrored) in values.iter_mut().zip(self.output(&chip.mirrored())?) {
                *value += mirrored;
            }
        }
        Embedding::from_raw(self.model, values)
    }

    fn output(&self, chip: &Chip) -> Result<Vec<f32>> {
        let mut input = Vec::new();
        self.input.append(chip.rgb(), &mut input);
        let output = self.network.run(&input)?.into_iter().next();
        let values = output.map(|output| output.values).unwrap_or_default();
        if values.len() != self.embedding_size {
            let detail = format!("the recogniser gives {} numbers, the manifest says {}", values.len(), self.embedding_size);
            return Err(Error::new(ErrorCode::UnusableNetwork, detail));
        }
        Ok(values)
    }
}
