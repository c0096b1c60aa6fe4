//! From two networks to a pack that says what its scores mean.
//!
//! The pack is what decides: thresholds are measured with the pack's own verifier, so that what is calibrated is what will run.

pub mod calibration;
mod card;

use std::path::Path;

use prost::Message;
use sha2::{Digest, Sha256};
use tract_onnx::pb::ModelProto;
use veriface::{
    Alignment, Calibration, Chip, DetectorManifest, FalseMatchRate, Manifest, Pack, Part, PartKind, Provenance, QualityPolicies,
    RecogniserManifest, Trust, Verifier,
};

use crate::error::{Error, Result};
use crate::export::about::About;
use card::Facts;

/// A detector's file and how it is fed.
#[derive(Debug, Clone)]
pub struct Detector {
    /// The file's name, without folders.
    pub name: String,
    /// The ONNX file.
    pub onnx: Vec<u8>,
    /// How it is fed and read.
    pub manifest: DetectorManifest,
}

/// The key of an ONNX detector's own description, a [`DetectorManifest`] as JSON.
pub const DETECTOR_KEY: &str = "veriface.detector";

impl Detector {
    /// A file with its description: a JSON file of a `DetectorManifest`, or of a whole manifest, of which `detector` is taken; where none is
    /// given, what the ONNX file says under [`DETECTOR_KEY`].
    pub fn open(onnx: &Path, manifest: Option<&Path>) -> Result<Self> {
        let bytes = std::fs::read(onnx).map_err(Error::file(onnx))?;
        let (from, text) = match manifest {
            Some(path) => (path, std::fs::read_to_string(path).map_err(Error::file(path))?),
            None => (onnx, described(onnx, &bytes)?),
        };
        let fail = |e: serde_json::Error| Error::data(from.display().to_string(), format!("no detector's description: {e}"));
        let mut value: serde_json::Value = serde_json::from_str(&text).map_err(fail)?;
        let detector = value.get_mut("detector").map(serde_json::Value::take).unwrap_or(value);
        Ok(Detector { name: file_name(onnx), onnx: bytes, manifest: serde_json::from_value(detector).map_err(fail)? })
    }

    /// The detector of a pack.
    pub fn of_pack(path: &Path) -> Result<Self> {
        let pack = Pack::open(path, Trust::Unsigned)?;
        let manifest = pack.manifest().detector.clone();
        let part = pack.parts().iter().find(|part| part.name == manifest.part);
        let onnx = part.map(|part| part.bytes()).transpose()?.map(|bytes| bytes.to_vec()).unwrap_or_default();
        Ok(Detector { name: file_name(path), onnx, manifest })
    }
}

fn described(path: &Path, onnx: &[u8]) -> Result<String> {
    let fail = |reason: &str| Error::data(path.display().to_string(), reason);
    let model = ModelProto::decode(onnx).map_err(|_| fail("not an ONNX file"))?;
    let property = model.metadata_props.into_iter().find(|property| property.key == DETECTOR_KEY);
    let advice = "the file does not say how it is fed: name a description with --detector-manifest";
    property.map(|property| property.value).ok_or_else(|| fail(advice))
}

/// Everything that goes into a pack.
#[derive(Debug)]
pub struct Recipe {
    /// The pack's name and version, for people.
    pub id: String,
    /// The detector.
    pub detector: Detector,
    /// The recogniser's file name, without folders.
    pub recogniser_name: String,
    /// The recogniser, by `trainer export` or `trainer quantize`.
    pub recogniser: Vec<u8>,
    /// What the recogniser says of itself.
    pub about: About,
    /// Whether an embedding is of the chip and its mirror image.
    pub mirror: bool,
    /// Who trained the recogniser.
    pub trained_by: String,
    /// The data sets that it was trained on, for people.
    pub data: Vec<String>,
    /// Teachers, beside those that the recogniser's file names.
    pub teachers: Vec<String>,
    /// The terms of weights and data, one line each.
    pub licences: Vec<String>,
    /// The texts of licences: name and content.
    pub texts: Vec<(String, String)>,
}

/// A pack's thresholds, and the rates that have none.
#[derive(Debug, Clone)]
pub struct Thresholds {
    /// The thresholds.
    pub calibration: Calibration,
    /// Rates that were asked for and are not published, and why.
    pub refused: Vec<(FalseMatchRate, String)>,
}

impl Recipe {
    /// Reads the recogniser.
    pub fn new(id: &str, detector: Detector, recogniser: &Path) -> Result<Self> {
        let bytes = std::fs::read(recogniser).map_err(Error::file(recogniser))?;
        let advice = "the file does not say how it is fed: pass it through `trainer export` first";
        let about = About::read(recogniser, &bytes)?.ok_or_else(|| Error::data(recogniser.display().to_string(), advice))?;
        Ok(Recipe {
            id: id.to_owned(),
            detector,
            recogniser_name: file_name(recogniser),
            recogniser: bytes,
            about,
            mirror: false,
            trained_by: String::new(),
            data: Vec::new(),
            teachers: Vec::new(),
            licences: Vec::new(),
            texts: Vec::new(),
        })
    }

    /// A verifier of the pack before it has thresholds: the one to measure them with.
    pub fn uncalibrated(&self) -> Result<Verifier> {
        Ok(Verifier::from_pack(Pack::new(self.manifest(None)?, self.networks())?)?)
    }

    /// The pack, with thresholds where there are, a self-test that this machine computed, and a model card.
    pub fn pack(&self, thresholds: Option<&Thresholds>, self_test: &Chip) -> Result<Pack> {
        let manifest = self.manifest(thresholds.map(|thresholds| thresholds.calibration.clone()))?;
        let mut parts = self.networks();
        let hashes = [
            (format!("detector, {}", self.detector.name), hex(&self.detector.onnx)),
            (format!("recogniser, {}", self.recogniser_name), hex(&self.recogniser)),
        ];
        let refused: Vec<(String, String)> = thresholds
            .map(|thresholds| thresholds.refused.iter().map(|(rate, reason)| (rate.to_string(), reason.clone())).collect())
            .unwrap_or_default();
        let card = card::markdown(&Facts { about: &self.about, manifest: &manifest, hashes: &hashes, refused: &refused });
        let text = |name: &str, text: &str| Part::new(name, PartKind::Text, text.as_bytes().to_vec());
        parts.push(text("model-card", &card));
        parts.extend(self.texts.iter().map(|(name, content)| text(name, content)));
        // It must load here before anyone else is handed it.
        Ok(Verifier::from_pack(Pack::new(manifest, parts)?)?.finished_pack(self_test)?)
    }

    fn networks(&self) -> Vec<Part> {
        let network = |name: &str, bytes: &[u8]| Part::new(name, PartKind::Onnx, bytes.to_vec());
        vec![network(&self.detector.manifest.part, &self.detector.onnx), network(RECOGNISER, &self.recogniser)]
    }

    fn manifest(&self, calibration: Option<Calibration>) -> Result<Manifest> {
        let training = self.about.training.as_ref();
        let teachers = training.map(|training| training.teachers()).unwrap_or_default();
        Ok(Manifest {
            id: self.id.clone(),
            min_sdk: Some(env!("CARGO_PKG_VERSION").into()),
            created_by: concat!("trainer ", env!("CARGO_PKG_VERSION")).into(),
            detector: self.detector.manifest.clone(),
            recogniser: RecogniserManifest {
                part: RECOGNISER.into(),
                input: self.about.input,
                embedding_size: self.about.embedding,
                alignment: Alignment::Arcface112,
                mirror: self.mirror,
            },
            calibration,
            quality: QualityPolicies::default(),
            self_test: None,
            provenance: Provenance {
                trained_by: self.trained_by.clone(),
                data: self.data.clone(),
                data_digest: training.map(|training| training.data.clone()),
                teachers: teachers.into_iter().chain(self.teachers.iter().cloned()).collect(),
                config: training.map(|training| training.config.clone()),
            },
            licences: self.licences.clone(),
        })
    }
}

const RECOGNISER: &str = "recogniser";

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
