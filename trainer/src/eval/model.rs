//! What is evaluated: a run's checkpoint, an ONNX file, or a pack.

use std::path::Path;

use rayon::prelude::*;
use serde::Serialize;
use sha2::{Digest, Sha256};
use tch::{Device, Kind, Tensor, no_grad};
use veriface::{Chip, Embedding, ModelId, Pack, Purpose, QualityPolicy, Trust, Verifier};

use crate::error::{Error, Result};
use crate::export::graph::Graph;
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
    Graph(Box<Graph>),
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
                let (network, state) = checkpoint::network(&path)?;
                let weights = if state.config.ema > 0.0 { "average of weights" } else { "weights" };
                let about =
                    format!("{}, {} parameters, {weights} at step {}", state.config.network, network.parameters(), state.step);
                (Engine::Network(network), "checkpoint", about)
            }
            Some("onnx") => {
                let Normalisation { mean, scale } = normalisation;
                let about = format!("run by the SDK's runtime on (x − {mean}) / {scale}");
                (Engine::Onnx(Box::new(Teacher::open(&path, normalisation)?)), "onnx", about)
            }
            Some("vfpack") => {
                let mut builder = Verifier::builder(Pack::open(&path, Trust::Unsigned)?);
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

    /// A graph, as quantisation compares them; `name` tells it from others.
    pub fn of_graph(graph: Graph, name: &str, mirror: bool) -> Self {
        let digest: [u8; 32] = Sha256::digest(name).into();
        let description = Description {
            file: name.to_owned(),
            kind: "graph",
            about: format!("{} operators", graph.nodes.len()),
            sha256: String::new(),
            mirror,
        };
        Model { engine: Engine::Graph(Box::new(graph)), id: ModelId::from_bytes(digest), mirror, description }
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
            Engine::Network(network) => embedded(id, chips, |batch| network_outputs(network, batch, mirror)),
            Engine::Graph(graph) => embedded(id, chips, |batch| {
                let pixels: Vec<u8> = batch.iter().flat_map(Chip::rgb).copied().collect();
                let batch = graph.batch(&pixels, device::available());
                outputs(graph.forward(&batch), || graph.forward(&batch.flip([3])), mirror)
            }),
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

/// Raw outputs of a network in `f32`; with `mirror` the sum of the chip's and its mirror image's.
pub(super) fn network_outputs(network: &Network, chips: &[Chip], mirror: bool) -> Result<Vec<Vec<f32>>> {
    let pixels: Vec<u8> = chips.iter().flat_map(Chip::rgb).copied().collect();
    no_grad(|| {
        let batch = input::from_pixels(&pixels, Kind::Float, network.device());
        outputs(network.forward(&batch, false), || network.forward(&batch.flip([3]), false), mirror)
    })
}

fn outputs(plain: Tensor, mirrored: impl FnOnce() -> Tensor, mirror: bool) -> Result<Vec<Vec<f32>>> {
    let outputs = if mirror { plain + mirrored() } else { plain };
    Ok(Vec::<Vec<f32>>::try_from(outputs.to_device(Device::Cpu).contiguous())?)
}

/// Unit vectors of what a network makes of each batch.
fn embedded(
    id: ModelId,
    chips: &[Chip],
    outputs: impl Fn(&[Chip]) -> Result<Vec<Vec<f32>>>,
) -> Result<Vec<veriface::Result<Embedding>>> {
    let mut embeddings = Vec::with_capacity(chips.len());
    for batch in chips.chunks(BATCH) {
        embeddings.extend(outputs(batch)?.into_iter().map(|output| Embedding::from_raw(id, output)));
    }
    Ok(embeddings)
}
