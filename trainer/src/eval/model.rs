//! What is evaluated: a run's checkpoint, an ONNX file, or a pack.

use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tch::{Device, Kind, no_grad};
use veriface::{Chip, Embedding, ModelId, Pack, Purpose, QualityPolicy, Verifier};

use crate::error::{Error, Result};
use crate::net::{Network, input};
use crate::train::checkpoint;
use crate::train::device;
use crate::train::run::LAST;
use crate::train::teacher::{Normalisation, Teacher};

/// Chips that a network takes at once.
const BATCH: usize = 64;

/// Chip in, embedding out, whatever computes it.
pub struct Model {
    engine: Engine,
    id: ModelId,
    mirror: bool,
    description: Description,
}

enum Engine {
    Network(Network),
    Onnx(Box<Teacher>),
    Pack(Verifier),
}

/// What a report says of the model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// The file's name.
    pub file: String,
    /// `checkpoint`, `onnx` or `pack`.
    pub kind: &'static str,
    /// Its network, id or runtime, for people.
    pub about: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Whether the mirrored chip's output is added before the norm.
    pub mirror: bool,
}

impl Model {
    /// Opens a run's folder, its `.safetensors`, an `.onnx` file of input `[1, 3, 112, 112]`, or a `.vfpack`. `mirror` says whether
    /// the mirrored chip's output is added; none: as the pack says, and not for the others. `normalisation` is the ONNX file's.
    pub fn open(path: &Path, mirror: Option<bool>, normalisation: Normalisation) -> Result<Self> {
        let path = if path.is_dir() { path.join(LAST) } else { path.to_path_buf() };
        let bytes = std::fs::read(&path).map_err(Error::file(&path))?;
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        let (engine, kind, about) = match path.extension().and_then(|ending| ending.to_str()) {
            Some("safetensors") => {
                let (network, about) = checkpoint_network(&path)?;
                (Engine::Network(network), "checkpoint", about)
            }
            Some("onnx") => {
                let Normalisation { mean, scale } = normalisation;
                let about = format!("run by the SDK's runtime on (x − {mean}) / {scale}");
                (Engine::Onnx(Box::new(Teacher::open(&path, normalisation)?)), "onnx", about)
            }
            Some("vfpack") => {
                let mut builder = Verifier::builder(Pack::open(&path)?);
                if let Some(mirror) = mirror {
                    builder = builder.mirror_averaging(mirror)?;
                }
                let verifier = builder.quality_policy(Purpose::Verify, QualityPolicy::accept_all()).build()?;
                let manifest = verifier.pack().manifest();
                let about = format!("{}, model {}", manifest.id, verifier.model_id());
                (Engine::Pack(verifier), "pack", about)
            }
            _ => {
                let reason = "a model is a run's folder or .safetensors, an .onnx, or a .vfpack";
                return Err(Error::data(path.display().to_string(), reason));
            }
        };
        let (mirror, id) = match &engine {
            Engine::Pack(verifier) => (verifier.pack().manifest().recogniser.mirror, verifier.model_id()),
            _ => (mirror.unwrap_or(false), ModelId::from_bytes(digest)),
        };
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let sha256 = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Model { engine, id, mirror, description: Description { file, kind, about, sha256, mirror } })
    }

    /// What a report says of it.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The pack's verifier, which can find faces on photos; none for a bare recogniser.
    pub fn verifier(&self) -> Option<&Verifier> {
        match &self.engine {
            Engine::Pack(verifier) => Some(verifier),
            _ => None,
        }
    }

    /// The embeddings of chips, in their order; where an output is no direction, why.
    pub fn embed(&self, chips: &[Chip]) -> Result<Vec<veriface::Result<Embedding>>> {
        let (id, mirror) = (self.id, self.mirror);
        match &self.engine {
            Engine::Network(network) => {
                let mut embeddings = Vec::with_capacity(chips.len());
                for batch in chips.chunks(BATCH) {
                    let outputs = network_outputs(network, batch, mirror)?;
                    embeddings.extend(outputs.into_iter().map(|output| Embedding::from_raw(id, output)));
                }
                Ok(embeddings)
            }
            Engine::Onnx(onnx) => {
                let output = |chip: &Chip| {
                    let mut output = onnx.output(chip.rgb())?;
                    if mirror {
                        let mirrored = onnx.output(chip.mirrored().rgb())?;
                        output.iter_mut().zip(mirrored).for_each(|(sum, value)| *sum += value);
                    }
                    Ok(Embedding::from_raw(id, output))
                };
                chips.par_iter().map(output).collect()
            }
            Engine::Pack(verifier) => Ok(chips.par_iter().map(|chip| verifier.embed(chip)).collect()),
        }
    }
}

/// The network that a checkpoint holds, with the average of its weights where the run keeps one.
fn checkpoint_network(path: &Path) -> Result<(Network, String)> {
    let state = checkpoint::state(path)?;
    let network = Network::build(&state.config.net(), device::available())?;
    let (prefix, weights) = if state.config.ema > 0.0 { ("average", "average of weights") } else { ("weights", "weights") };
    let mut tensors = network.variables().into_iter().map(|(name, tensor)| (format!("{prefix}/{name}"), tensor)).collect();
    checkpoint::load(path, &mut tensors)?;
    let about = format!("{}, {} parameters, {weights} at step {}", state.config.network, network.parameters(), state.step);
    Ok((network, about))
}

/// Raw outputs of a network in `f32`; with `mirror` the sum of the chip's and its mirror image's.
pub(super) fn network_outputs(network: &Network, chips: &[Chip], mirror: bool) -> Result<Vec<Vec<f32>>> {
    let pixels: Vec<u8> = chips.iter().flat_map(Chip::rgb).copied().collect();
    let outputs = no_grad(|| {
        let batch = input::from_pixels(&pixels, Kind::Float, network.device());
        let outputs = network.forward(&batch, false);
        if mirror { outputs + network.forward(&batch.flip([3]), false) } else { outputs }
    });
    Ok(Vec::<Vec<f32>>::try_from(outputs.to_device(Device::Cpu).contiguous())?)
}
