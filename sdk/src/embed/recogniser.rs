//! Chip in, unit vector out.

use zeroize::Zeroizing;

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
        let network = Network::of_pack(pack, &manifest.part, &manifest.input.shape())?;
        Ok(Recogniser {
            network,
            input: manifest.input,
            embedding_size: manifest.embedding_size,
            mirror: manifest.mirror,
            model: pack.model_id(),
        })
    }

    /// The prepared form of the pack's network, by the name of its part; `None` when it runs on tract.
    pub(crate) fn prepare(pack: &Pack) -> Result<Option<(String, Vec<u8>)>> {
        let manifest = &pack.manifest().recogniser;
        Network::prepare_part(pack, &manifest.part, &manifest.input.shape())
    }

    /// The unit vector of a chip; with mirror averaging, of the sum of the chip's and its mirror's outputs (the paper's test features, §3.1).
    ///
    /// # Errors
    /// [`ErrorCode::InvalidEmbedding`], [`ErrorCode::NetworkFailed`], [`ErrorCode::UnusableNetwork`] when the output has another size than the manifest says.
    pub(crate) fn embed(&self, chip: &Chip) -> Result<Embedding> {
        let mut values = Zeroizing::new(vec![0.0; self.embedding_size]);
        self.add_outputs(chip, &mut values)?;
        Embedding::from_raw(self.model, std::mem::take(&mut *values))
    }

    /// The same in the memory of an embedding that nobody needs any more.
    pub(crate) fn embed_again(&self, chip: &Chip, old: Embedding) -> Result<Embedding> {
        if old.dimension() != self.embedding_size {
            return self.embed(chip);
        }
        old.renewed(self.model, |values| self.add_outputs(chip, values))
    }

    fn add_outputs(&self, chip: &Chip, sum: &mut [f32]) -> Result<()> {
        self.add_output(chip, false, sum)?;
        if self.mirror {
            self.add_output(chip, true, sum)?;
        }
        Ok(())
    }

    fn add_output(&self, chip: &Chip, mirrored: bool, sum: &mut [f32]) -> Result<()> {
        let fill = |input: &mut [f32]| match mirrored {
            false => self.input.write(chip.rgb(), input),
            true => self.input.write_mirrored(chip.rgb(), input),
        };
        self.network.run(fill, |outputs| {
            let values = outputs.first().map_or(&[][..], |output| &output.values);
            if values.len() != sum.len() {
                let detail = format!("the recogniser gives {} numbers, the manifest says {}", values.len(), sum.len());
                return Err(Error::new(ErrorCode::UnusableNetwork, detail));
            }
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            Ok(())
        })?
    }

    /// What runs where.
    pub(crate) fn plan(&self) -> Vec<String> {
        self.network.describe()
    }
}
