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

/// The metadata of an exported file.
#[derive(Debug, Clone, PartialEq)]
pub struct About {
    /// How the file is fed; `input`, as a pack's manifest has it.
    pub input: InputForm,
    /// Its name; `network`.
    pub network: String,
    /// Values that training changed; `parameters`.
    pub parameters: usize,
    /// `fp32`, `fp16 weights` or `int8`; `precision`.
    pub precision: String,
    /// Steps that were trained; `step`.
    pub step: u64,
    /// Chips that were seen; `images`.
    pub images: u64,
    /// Fingerprint of the training set; `data`.
    pub data: String,
    /// The run's configuration, paths by their last part; `config`.
    pub config: Value,
    /// SHA-256 of that; `config_sha256`.
    pub config_sha256: String,
}

impl About {
    /// Of a checkpoint's network.
    pub fn new(network: &Network, state: &State, input: Input) -> Result<Self> {
        let config = serde_json::to_value(&state.config).map_err(|e| Error::Config(e.to_string()))?;
        let config = without_folders(config);
        let digest = Sha256::digest(config.to_string().as_bytes());
        Ok(About {
            input: form(input),
            network: state.config.network.clone(),
            parameters: network.parameters(),
            precision: "fp32".into(),
            step: state.step,
            images: state.images,
            data: state.data.clone(),
            config,
            config_sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }

    /// The last parts of the names of the networks whose outputs were taught.
    pub fn teachers(&self) -> Vec<String> {
        let teacher = self.config.get("teacher").and_then(Value::as_str).filter(|name| !name.is_empty());
        teacher.map(|name| name.trim_end_matches(".onnx").to_owned()).into_iter().collect()
    }

    /// As ONNX keeps it.
    pub(super) fn metadata(&self) -> Result<Vec<(String, String)>> {
        let input = serde_json::to_string(&self.input).map_err(|e| Error::Config(e.to_string()))?;
        Ok([
            ("input", input),
            ("network", self.network.clone()),
            ("parameters", self.parameters.to_string()),
            ("precision", self.precision.clone()),
            ("step", self.step.to_string()),
            ("images", self.images.to_string()),
            ("data", self.data.clone()),
            ("config", self.config.to_string()),
            ("config_sha256", self.config_sha256.clone()),
        ]
        .map(|(key, value)| (PREFIX.to_owned() + key, value))
        .to_vec())
    }

    /// What an ONNX file says; an error where it is not one of ours.
    pub fn read(path: &Path, onnx: &[u8]) -> Result<Self> {
        let fail = |reason: String| Error::data(path.display().to_string(), reason);
        let model = ModelProto::decode(onnx).map_err(|e| fail(format!("not an ONNX file: {e}")))?;
        let text = |key: &str| {
            let property = model.metadata_props.iter().find(|property| property.key.strip_prefix(PREFIX) == Some(key));
            let advice =
                || fail(format!("it says no {PREFIX}{key}: it was not written by `trainer export` or `trainer quantize`"));
            property.map(|property| property.value.as_str()).ok_or_else(advice)
        };
        let number = |key: &str| text(key)?.parse().map_err(|_| fail(format!("its {PREFIX}{key} is no number")));
        let json = |key: &str| serde_json::from_str(text(key)?).map_err(|e| fail(format!("its {PREFIX}{key}: {e}")));
        let input = serde_json::from_str(text("input")?).map_err(|e| fail(format!("its {PREFIX}input: {e}")))?;
        Ok(About {
            input,
            network: text("network")?.into(),
            parameters: number("parameters")? as usize,
            precision: text("precision")?.into(),
            step: number("step")?,
            images: number("images")?,
            data: text("data")?.into(),
            config: json("config")?,
            config_sha256: text("config_sha256")?.into(),
        })
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
