//! What a file says of itself: how it is fed, which network it is, and where it comes from.

use std::path::Path;

use prost::Message;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tract_onnx::pb::ModelProto;
use veriface::{ColourOrder, InputForm, Layout};

use super::graph::Input;
use crate::data::chips::SIDE;
use crate::error::{Error, Result};
use crate::net::Network;
use crate::train::checkpoint::State;

/// The metadata of an exported file. Each is kept as `veriface.NAME`.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// `input`: how the file is fed, as a pack's manifest has it.
    pub input: InputForm,
    /// `embedding`: the length of the output.
    pub embedding: usize,
    /// `network`: its name.
    pub network: String,
    /// `precision`: `fp32`, `fp16 weights` or `int8`.
    pub precision: String,
    /// Where it comes from; none where the network was not trained here.
    pub training: Option<Training>,
}

/// The run that made a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Training {
    /// `parameters`: values that training changed.
    pub parameters: usize,
    /// `step`: steps that were trained.
    pub step: u64,
    /// `images`: chips that were seen.
    pub images: u64,
    /// `data`: fingerprint of the training set.
    pub data: String,
    /// `config`: the run's configuration, paths by their last part.
    pub config: Value,
    /// `config_sha256`: SHA-256 of that.
    pub config_sha256: String,
}

impl Training {
    /// The names of the networks whose outputs were taught.
    pub fn teachers(&self) -> Vec<String> {
        let teacher = self.config.get("teacher").and_then(Value::as_str).filter(|name| !name.is_empty());
        teacher.map(|name| name.trim_end_matches(".onnx").to_owned()).into_iter().collect()
    }
}

impl About {
    /// Of a checkpoint's network.
    pub fn new(network: &Network, state: &State, input: Input) -> Result<Self> {
        let config = serde_json::to_value(&state.config).map_err(|e| Error::Config(e.to_string()))?;
        let config = without_folders(config);
        let digest = Sha256::digest(config.to_string().as_bytes());
        Ok(About {
            input: form(input),
            embedding: network.settings().embedding as usize,
            network: state.config.network.clone(),
            precision: "fp32".into(),
            training: Some(Training {
                parameters: network.parameters(),
                step: state.step,
                images: state.images,
                data: state.data.clone(),
                config,
                config_sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            }),
        })
    }

    /// As ONNX keeps it.
    pub(super) fn metadata(&self) -> Result<Vec<(String, String)>> {
        let input = serde_json::to_string(&self.input).map_err(|e| Error::Config(e.to_string()))?;
        let mut metadata = vec![
            ("input", input),
            ("embedding", self.embedding.to_string()),
            ("network", self.network.clone()),
            ("precision", self.precision.clone()),
        ];
        if let Some(training) = &self.training {
            metadata.extend([
                ("parameters", training.parameters.to_string()),
                ("step", training.step.to_string()),
                ("images", training.images.to_string()),
                ("data", training.data.clone()),
                ("config", training.config.to_string()),
                ("config_sha256", training.config_sha256.clone()),
            ]);
        }
        Ok(metadata.into_iter().map(|(key, value)| (PREFIX.to_owned() + key, value)).collect())
    }

    /// What an ONNX file says; none where it is not one of ours.
    pub fn read(path: &Path, onnx: &[u8]) -> Result<Option<Self>> {
        let fail = |reason: String| Error::data(path.display().to_string(), reason);
        let model = ModelProto::decode(onnx).map_err(|e| fail(format!("not an ONNX file: {e}")))?;
        let found = |key: &str| {
            let property = model.metadata_props.iter().find(|property| property.key.strip_prefix(PREFIX) == Some(key));
            property.map(|property| property.value.as_str())
        };
        let text = |key: &str| found(key).ok_or_else(|| fail(format!("it says no {PREFIX}{key}")));
        let number = |key: &str| text(key)?.parse::<u64>().map_err(|_| fail(format!("its {PREFIX}{key} is no number")));
        if found("input").is_none() {
            return Ok(None);
        }
        let training = match found("step") {
            None => None,
            Some(_) => Some(Training {
                parameters: number("parameters")? as usize,
                step: number("step")?,
                images: number("images")?,
                data: text("data")?.into(),
                config: serde_json::from_str(text("config")?).map_err(|e| fail(format!("its {PREFIX}config: {e}")))?,
                config_sha256: text("config_sha256")?.into(),
            }),
        };
        Ok(Some(About {
            input: serde_json::from_str(text("input")?).map_err(|e| fail(format!("its {PREFIX}input: {e}")))?,
            embedding: number("embedding")? as usize,
            network: text("network")?.into(),
            precision: text("precision")?.into(),
            training,
        }))
    }
}

/// In front of every key.
const PREFIX: &str = "veriface.";

/// An input as a pack's manifest has it.
pub(super) fn form(input: Input) -> InputForm {
    InputForm {
        width: SIDE,
        height: SIDE,
        layout: Layout::Nchw,
        colour: ColourOrder::Rgb,
        mean: [input.mean as f32; 3],
        scale: [(1.0 / input.scale) as f32; 3],
    }
}

/// The reverse, where all channels are alike, as they are in what is written here.
pub(super) fn input(form: InputForm) -> Input {
    Input { mean: f64::from(form.mean[0]), scale: 1.0 / f64::from(form.scale[0]) }
}

/// Paths say where files lie on one machine: what is passed on keeps their last part.
fn without_folders(mut config: Value) -> Value {
    let last = |text: &str| Path::new(text).file_name().map_or(String::new(), |name| name.to_string_lossy().into_owned());
    for key in ["data", "weights_from", "teacher", "teacher_cache", "evaluate"] {
        match config.get_mut(key) {
            Some(Value::String(path)) => *path = last(path),
            Some(Value::Array(paths)) => {
                for path in paths {
                    if let Value::String(path) = path {
                        *path = last(path);
                    }
                }
            }
            _ => {}
        }
    }
    config
}
