//! A run in one file: a safetensors file whose tensors are weights, average, loss and optimiser, and whose metadata says the rest.
//! [`super::slim`] makes a small one of it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Write;
use std::path::Path;

use half::{bf16, f16};
use safetensors::tensor::{Dtype, SafeTensors, View};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor, no_grad};

use super::config::Config;
use super::device;
use super::run::LAST;
use super::slim::Rounding;
use crate::data::sampler::Position;
use crate::error::{Error, Result};
use crate::net::Network;

/// Version of the metadata.
pub(crate) const FORMAT: u32 = 1;
const KEY: &str = "trainer";

/// All of a run that is no tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// The metadata's version.
    pub format: u32,
    /// Steps done, skipped ones included. It also seeds libtorch's generator for the next one.
    pub step: u64,
    /// Steps that the optimiser took.
    pub optimiser_steps: u64,
    /// Steps skipped in all.
    pub skipped: u64,
    /// Steps skipped in a row just now.
    pub skipped_in_a_row: u64,
    /// Chips seen.
    pub images: u64,
    /// Seconds of training, over all its parts.
    pub seconds: f64,
    /// Where the sampler stands.
    pub position: Position,
    /// Fingerprint of the training set.
    pub data: String,
    /// Number of identities.
    pub identities: usize,
    /// In a slim file: how its tensors are rounded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slim: Option<Rounding>,
    /// The whole configuration.
    pub config: Config,
}

impl State {
    /// Before the first step.
    pub fn start(config: Config, data: String, identities: usize) -> Self {
        let position = Position { epoch: 0, visited: 0 };
        State {
            format: FORMAT,
            step: 0,
            optimiser_steps: 0,
            skipped: 0,
            skipped_in_a_row: 0,
            images: 0,
            seconds: 0.0,
            position,
            data,
            identities,
            slim: None,
            config,
        }
    }
}

/// Writes the checkpoint beside `path`, then renames it to `path`.
pub fn save(path: &Path, state: &impl Serialize, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    let tensors = tensors.iter().map(|(name, tensor)| Ok((name.clone(), Stored::of(tensor)?))).collect::<Result<_>>()?;
    replace(path, &bytes(path, state, &tensors)?)
}

/// The file at `path`, in memory.
pub(super) fn bytes(path: &Path, state: &impl Serialize, tensors: &BTreeMap<String, Stored>) -> Result<Vec<u8>> {
    let fail = |reason: String| Error::Checkpoint { path: path.to_path_buf(), reason };
    let json = serde_json::to_string(state).map_err(|e| fail(e.to_string()))?;
    let metadata = Some(HashMap::from([(KEY.to_owned(), json)]));
    safetensors::serialize(tensors, &metadata).map_err(|e| fail(e.to_string()))
}

/// Puts these bytes in the file's place, whole or not at all.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = path.with_extension("partial");
    let write = || -> std::io::Result<()> {
        let mut file = File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&partial, path)
    };
    write().map_err(Error::file(path))
}

/// Reads what is no tensor.
pub fn state(path: &Path) -> Result<State> {
    state_as(path)
}

/// Reads what is no tensor, of a run with a state of its own.
pub fn state_as<S: DeserializeOwned>(path: &Path) -> Result<S> {
    parse(path, &std::fs::read(path).map_err(Error::file(path))?)
}

pub(super) fn state_of(path: &Path, bytes: &[u8]) -> Result<State> {
    parse(path, bytes)
}

fn parse<S: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<S> {
    let fail = |reason: String| Error::Checkpoint { path: path.to_path_buf(), reason };
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| fail(format!("not a checkpoint: {e:?}")))?;
    let json = metadata.metadata().as_ref().and_then(|map| map.get(KEY));
    let json = json.ok_or_else(|| fail("a safetensors file, but not a checkpoint of this trainer".into()))?;
    let unread = |e: serde_json::Error| fail(format!("its state does not read: {e}"));
    let Format { format } = serde_json::from_str(json).map_err(unread)?;
    if format != FORMAT {
        return Err(fail(format!("its format is {format}, this trainer reads {FORMAT}")));
    }
    serde_json::from_str(json).map_err(unread)
}

/// What every state says first.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

/// The network of a run's folder or checkpoint, as it is evaluated and exported: with the average of its weights where the run keeps one.
pub fn network(path: &Path) -> Result<(Network, State)> {
    let path = if path.is_dir() { path.join(LAST) } else { path.to_path_buf() };
    let state = state(&path)?;
    let network = Network::build(&state.config.net(), device::available())?;
    let prefix = if state.config.ema > 0.0 { "average" } else { "weights" };
    let mut tensors = network.variables().into_iter().map(|(name, tensor)| (format!("{prefix}/{name}"), tensor)).collect();
    load(&path, &mut tensors)?;
    Ok((network, state))
}

/// Fills `tensors` from the file, each of them, in place; a missing one or another shape is an error that names it.
pub fn load(path: &Path, tensors: &mut BTreeMap<String, Tensor>) -> Result<()> {
    let fail = |reason: String| Error::Checkpoint { path: path.to_path_buf(), reason };
    let bytes = std::fs::read(path).map_err(Error::file(path))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| fail(format!("not a checkpoint: {e:?}")))?;
    for (name, tensor) in tensors.iter_mut() {
        let stored =
            file.tensor(name).map_err(|_| fail(format!("it has no {name}: it is of another network, loss or optimiser")))?;
        let shape: Vec<i64> = stored.shape().iter().map(|&size| size as i64).collect();
        let kind = match stored.dtype() {
            Dtype::F32 => Some(Kind::Float),
            Dtype::F16 => Some(Kind::Half),
            Dtype::BF16 => Some(Kind::BFloat16),
            _ => None,
        };
        match kind.filter(|_| shape == tensor.size()) {
            Some(kind) => no_grad(|| tensor.copy_(&Tensor::from_data_size(stored.data(), &shape, kind))),
            None => {
                let reason = format!("{name} is {shape:?} {:?}, this network's is {:?} F32", stored.dtype(), tensor.size());
                return Err(fail(reason));
            }
        }
    }
    Ok(())
}

/// A tensor's values, row-major, whatever its layout in memory.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stored {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    fn of(tensor: &Tensor) -> Result<Self> {
        let flat = no_grad(|| tensor.to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view([-1]));
        let mut values = vec![0f32; flat.numel()];
        flat.f_copy_data(&mut values, flat.numel())?;
        Ok(Self::exact(tensor.size().iter().map(|&size| size as usize).collect(), &values))
    }

    /// As it is.
    pub(super) fn exact(shape: Vec<usize>, values: &[f32]) -> Self {
        Stored { dtype: Dtype::F32, shape, bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect() }
    }

    /// To 11 bits of precision; exact where a value is beyond what `f16` can hold.
    pub(super) fn to_f16(shape: Vec<usize>, values: &[f32]) -> Self {
        if values.iter().any(|value| value.abs() > f32::from(f16::MAX)) {
            return Self::exact(shape, values);
        }
        let bytes = values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()).collect();
        Stored { dtype: Dtype::F16, shape, bytes }
    }

    /// To 8 bits of precision, at any size.
    pub(super) fn to_bf16(shape: Vec<usize>, values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|&value| bf16::from_f32(value).to_le_bytes()).collect();
        Stored { dtype: Dtype::BF16, shape, bytes }
    }
}

impl View for &Stored {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}
